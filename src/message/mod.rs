//! Who says what to whom: the protocol's handbook.
//!
//! ```text
//! client --Request--> host ==Find==> node ==Find==> node      finding: from node to node round the ring
//!                     host ==Keep==> host                     keeping: from host to host
//! client <--Reply---- host
//! ```
//!
//! [`FindMessage`]s go from node to node, [`KeepMessage`]s from host to host, each in an [`Envelope`]; so do the
//! packets of failure detectors.
//! A message is data: no address in it is an actor's.

mod client;
mod effects;
mod event;
mod find;
mod keep;
mod ops;
mod outcome;
mod show;
mod terms;

use bytes::Bytes;

use crate::keyspace::Id;
use crate::placement::HostId;

pub use crate::placement::Token as Peer;
pub use client::{Consistency, Expiry, KeyOp, Options, Request, Ticket, Upload, UploadId};
pub use effects::Effects;
pub use event::Event;
pub use find::*;
pub use keep::{KeepMessage, MAX_LACKING};
pub use ops::*;
pub use outcome::{Failure, Found, Large, Outcome, Reply, Route};
pub use terms::{Answered, Ballot, MoveProgress, Refusal, ReqId, Road, Step, Want};

/// A message on its way from one host to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent it.
    pub from: HostId,
    /// For whom it is.
    pub to: HostId,
    /// What it says.
    pub body: Message,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// From a node to a node.
    Find {
        /// The sending node.
        from: Id,
        /// The node it is for.
        to: Id,
        /// What it says.
        message: FindMessage,
    },
    /// From a host to a host.
    Keep(KeepMessage),
    /// From a host's failure detector to another's: a packet of [`detect`](crate::detect), read by nobody else.
    /// May be lost. Where there are datagrams, the same bytes go as one of them.
    Detect(Bytes),
}
