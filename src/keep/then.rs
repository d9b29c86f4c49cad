//! What a host wanted when it asked its store: handed out with the operation, handed back with the result.

use crate::keyspace::{Id, Span};
use crate::message::{Ballot, ReqId, Road, Ticket, UploadId};
use crate::placement::HostId;
use crate::record::{Key, Stamp, Version};
use crate::roster::RosterVersion;

/// How a host goes on when a store operation is done: by default it does not. Opaque to whoever drives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Then(pub(super) Next);

/// The cases of [`Then`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing more.
    #[default]
    Nothing,
    /// Answer an `Ask`.
    Answer {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
        id: Id,
    },
    /// Go on with a request that only our store can answer.
    Own(ReqId),
    /// Confirm a `Write`.
    Wrote {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
        road: Road,
    },
    /// Send a piece of a stored value.
    Piece {
        to: HostId,
        req: ReqId,
        version: Version,
        index: u32,
    },
    /// A piece of an upload is put by.
    Taken(UploadId, Ticket),
    /// A piece of a value that is being pulled is put by.
    Staged(ReqId),
    /// Send a chunk of a moving span.
    Chunk {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
    },
    /// Send digests.
    Digests { to: HostId, req: ReqId, span: Span },
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
    /// A part of a span was compared with a source's.
    Confirmed {
        at: RosterVersion,
        task: usize,
        from: HostId,
        req: ReqId,
        part: Span,
        /// How many the source has there.
        records: u64,
    },
    /// Records from before are out of sight.
    Shelved,
    /// What was not confirmed is set aside.
    Reviewed,
    /// A record of a move is merged.
    Moved {
        at: RosterVersion,
        task: usize,
        from: HostId,
        req: ReqId,
    },
    /// Comparing: our own digests.
    OwnDigests(ReqId),
    /// Comparing: our own list.
    OwnList(ReqId),
    /// Repair: our own record, to be sent.
    Send {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
        key: Key,
    },
    /// Repair: a record of the peer is merged here.
    Healed { req: ReqId, at: RosterVersion },
    /// The marks of a source are on disk.
    Learned { at: RosterVersion, from: HostId },
    /// A step of a round of collection is on disk.
    Marked {
        to: HostId,
        req: ReqId,
        at: RosterVersion,
    },
    /// What may be collected in our own spans is counted.
    Counted(RosterVersion, Stamp),
    /// The keys in our own spans are counted, or a part of them.
    Count(ReqId),
    /// Some records of that span were dropped.
    Collected(Span, Stamp),
    /// Purging: a page's worth is dropped.
    Purged,
}
