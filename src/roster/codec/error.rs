//! Why bytes are not a roster.

use super::{MAX_HOSTS, MAX_ROSTER_BYTES, MAX_ROSTER_VERSION, MAX_TOKENS};
use crate::placement::{HostId, PlacementError};
use crate::roster::{MAX_LOSSES, MAX_REPLICAS};

/// Why some bytes are not a roster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterCodecError {
    /// Not the schema at all: cut short, garbled or of another kind.
    #[error("these bytes are not a roster: {0}")]
    Malformed(String),
    /// More than [`MAX_ROSTER_BYTES`].
    #[error("a roster of {0} bytes is too large: at most {MAX_ROSTER_BYTES}")]
    TooLarge(usize),
    /// More than [`MAX_HOSTS`].
    #[error("a roster has at most {MAX_HOSTS} hosts")]
    TooManyHosts,
    /// None, more than [`MAX_TOKENS`], or a piece of one.
    #[error("host {0} has {1} bytes of tokens: they are 20 bytes each, 1 to {MAX_TOKENS} of them")]
    Tokens(HostId, usize),
    /// A version 0, which stands for no roster, or one beyond [`MAX_ROSTER_VERSION`].
    #[error("{0} is not the version of a roster: 1 to {MAX_ROSTER_VERSION}")]
    Version(u64),
    /// No host at all.
    #[error("a roster needs at least one host")]
    NoHosts,
    /// R out of range.
    #[error("a roster keeps 1 to {MAX_REPLICAS} copies, not {0}")]
    Replicas(u32),
    /// A change to a host that is not in Old.
    #[error("the new roster drops host {0}, which is not in the old one")]
    Unknown(HostId),
    /// More accepted losses than a roster remembers.
    #[error("a roster remembers at most {MAX_LOSSES} accepted losses")]
    Losses,
    /// Hosts that came to spans, and when, do not pair up.
    #[error("of the hosts that came to a span each has one version, and they are in order")]
    Gained,
    /// A zone's name.
    #[error("host {0}: its zone is not a name: {1}")]
    Zone(HostId, String),
    /// Tokens clash, or a host is listed twice or without weight.
    #[error("the hosts do not fit together: {0}")]
    Placement(#[from] PlacementError),
}
