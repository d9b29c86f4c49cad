//! What is a client told?
//!
//! ```text
//! put ── a quorum has it ────────────> Stored(version)
//!     ── too few said what they have ─> NoQuorum    nothing was stored: try again
//!     ── sent, too few confirmed ────> Unknown     it may be stored, at that version and no other: read
//! ```
//!
//! *Hold this true*: a failure says whether anything may have been stored. Nothing is tried again behind the client's
//! back, for a write that is sent twice may win twice.

use std::sync::Arc;

use bytes::Bytes;

use super::Peer;
use super::client::UploadId;
use super::ops::{
    Balanced, Counted, Explained, ExportPage, Imported, PerHost, Purged, Replica, Status, Tuning,
};
use crate::placement::HostId;
use crate::record::{Body, Key, Version, WallMs};
use crate::ring::Direction;
use crate::roster::{Roster, RosterVersion};

/// A value read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The version that was read.
    pub version: Version,
    /// The value.
    pub body: Body,
    /// From when on it will be absent.
    pub deadline: Option<WallMs>,
}

/// A value of more than one piece that was found. Its pieces are asked for one by one, each by its number, of this
/// version and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Large {
    /// Its key.
    pub key: Key,
    /// The value, bare.
    pub found: Found,
    /// Who is known to hold it.
    pub holders: Vec<HostId>,
}

/// Who owns an id, and how that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The owner.
    pub owner: Peer,
    /// Which way round the lookup went.
    pub direction: Direction,
    /// How often the question went from node to node, the last time to the owner; 0: the asker owns it.
    pub relays: u32,
    /// Every node that handled it, the asker first, the owner last.
    pub path: Vec<Peer>,
}

/// A request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A put was stored at this version.
    Stored(Version),
    /// A delete was stored at this version; whether the key was there before.
    Deleted(Version, bool),
    /// A value under its content key was stored.
    StoredContent(Key, Version),
    /// A get: the value, or none.
    Value(Option<Found>),
    /// Open: there is a value of more than one piece.
    Large(Arc<Large>),
    /// A piece of a large value.
    Piece(Bytes),
    /// An upload has begun.
    Began(UploadId),
    /// So many pieces of an upload are put by.
    Taken(u32),
    /// Has: the version, or none. To an expiry: the version of its cell, or none if the key is absent, or if
    /// it was to live for ever and does so already.
    Version(Option<Version>),
    /// Time to live: none if the key is absent; else from when on it will be, or none for never.
    Ttl(Option<Option<WallMs>>),
    /// Many keys: each with its own result.
    Many(Vec<Result<Outcome, Failure>>),
    /// Where is: the hosts, the owner's first.
    Hosts(Vec<HostId>),
    /// A lookup.
    Route(Route),
    /// A change, join or leave has settled at this version.
    Settled(RosterVersion),
    /// The roster; none if this host is in no ring that has one.
    Roster(Option<Arc<Roster>>),
    /// The status.
    Status(Box<Status>),
    /// The status of every host.
    StatusOfAll(PerHost<Status>),
    /// A key's copies.
    Checked(Vec<Replica>),
    /// Why a key is where it is.
    Explained(Box<Explained>),
    /// Each host has compared its spans.
    Balanced(PerHost<Balanced>),
    /// So many keys are in the ring.
    Counted(Counted),
    /// Each host has looked through its old copies.
    Purged(PerHost<Purged>),
    /// The settings each host has now.
    Configured(PerHost<Tuning>),
    /// A page of live values.
    Exported(ExportPage),
    /// Values were imported.
    Imported(Imported),
}

/// A request that failed, and what that means for what is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Too few replicas answered in time, and nothing was stored.
    #[error(
        "{answered} of {needed} replicas answered in time (silent: {}); nothing was stored: try again",
        list(silent)
    )]
    NoQuorum {
        /// How many answered.
        answered: usize,
        /// How many were needed.
        needed: usize,
        /// Those that did not.
        silent: Vec<HostId>,
    },
    /// The write was sent but not confirmed: it may be stored, at this version and no other.
    #[error(
        "the outcome is unknown: version {version} is on {}; read the key to learn which write won",
        list(taken)
    )]
    Unknown {
        /// The version it was stamped with.
        version: Version,
        /// The hosts that confirmed it.
        taken: Vec<HostId>,
    },
    /// A lookup found nobody before its deadline.
    #[error("nobody answered for that id in time: {0}")]
    NotFound(String),
    /// A change cannot be, or was given up; in words.
    #[error("{0}")]
    Change(String),
    /// The value that is being read is nowhere any more.
    #[error("the value was overwritten or deleted while it was read: read it again")]
    Replaced,
    /// A limit was reached: nothing was stored.
    #[error("{0}")]
    Limit(String),
    /// This host is in no ring.
    #[error("this host is in no ring yet: join one, or found one")]
    NoRing,
}

fn list(hosts: &[HostId]) -> String {
    if hosts.is_empty() {
        return "none".into();
    }
    hosts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The answer to a request.
pub type Reply = Result<Outcome, Failure>;
