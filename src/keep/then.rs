//! What a host wanted when it asked its store: handed out with the operation, handed back with the result.

use crate::message::{Ballot, ReqId};
use crate::placement::HostId;
use crate::record::{Key, Version};
use crate::roster::RosterVersion;

/// How a host goes on when a store operation is done. Opaque to whoever drives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then(pub(super) Next);

/// The cases of [`Then`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing more.
    Nothing,
    /// Answer an `Ask`.
    Answer {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
    },
    /// Confirm a `Write`.
    Wrote {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
    },
    /// Send a piece of a stored value.
    Piece {
        to: HostId,
        req: ReqId,
        version: Version,
        index: u32,
    },
    /// A piece of a value that is being pulled is put by.
    Staged(ReqId),
    /// Send a chunk of a moving span.
    Chunk {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
    },
    /// Send digests.
    Digests { to: HostId, req: ReqId },
    /// Send a list.
    List { to: HostId, req: ReqId },
    /// Start number and clock reservation are on disk.
    Life,
    /// The roster is on disk.
    Adopted(RosterVersion),
    /// A promise is on disk.
    Promised {
        to: HostId,
        version: RosterVersion,
        ballot: Ballot,
    },
    /// An acceptance is on disk.
    Accepted {
        to: HostId,
        version: RosterVersion,
        ballot: Ballot,
    },
    /// A record of a move is merged.
    Moved {
        at: RosterVersion,
        task: usize,
        from: HostId,
        req: ReqId,
    },
    /// Repair: our own digests.
    OwnDigests(ReqId),
    /// Repair: our own list.
    OwnList(ReqId),
    /// Repair: our own record, to be sent.
    Send { to: HostId, req: ReqId, key: Key },
}
