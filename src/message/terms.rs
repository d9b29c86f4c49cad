//! The words of which messages between hosts are made.
//!
//! ```text
//!   Ask   { req: 9, want: Versions }              question 9, and what is wanted
//!   Answer{ req: 9, result: Err(Behind(v2)) }     the same question, and why not
//! ```
//!
//! Every question has a number ([`ReqId`]), a question that is not done has a [`Refusal`], and a write says by which
//! [`Road`] it comes; so the handbook of messages ([`KeepMessage`](super::KeepMessage)) can be read as sentences.

use std::sync::Arc;

use crate::placement::HostId;
use crate::record::{Cells, Summary};
use crate::roster::{Roster, RosterVersion};

/// Names one question of one life of a host: its start number above, a counter below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReqId(pub u64);

/// A Paxos ballot: the greater round wins, then the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Which try.
    pub round: u32,
    /// Whose.
    pub host: HostId,
}

/// What an [`KeepMessage::Ask`](super::KeepMessage::Ask) wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The versions only: a put or delete asks so before it stamps.
    Versions,
    /// The cells; a value of more than one piece comes bare.
    Value,
}

/// What a replica answers to [`KeepMessage::Ask`](super::KeepMessage::Ask).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// To [`Want::Versions`].
    Versions(Summary),
    /// To [`Want::Value`].
    Cells(Cells),
}

/// By which road a write comes. The rules for refusing differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// A client's put, delete or expiry.
    Request,
    /// A read found replicas behind and brings them up before it answers.
    WriteBack,
    /// A write missed earlier, kept for this replica meanwhile.
    Hint,
    /// Replicas compared their spans.
    Repair,
}

/// Why a replica does not do as asked. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its roster is older: send it yours and ask again.
    Behind(RosterVersion),
    /// Its roster is newer: here it is; start again under it.
    Ahead(Arc<Roster>),
    /// It does not hold that id (any longer): look it up again.
    NotMine,
    /// Its store refused; the reason in words.
    Store(String),
    /// It lies below the fence or the floor: what it would undo may have been collected. Or it is a large value
    /// whose sender has a newer one by now. A write is never stamped again for it; a hint is dropped, a read starts
    /// over.
    Below,
    /// Its copy of that span is not whole, so it takes no part in repair and collection yet.
    Incomplete,
    /// It does not believe its own store: it compares itself with the other replicas first.
    Doubts,
}

/// The steps of a round of collection, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Could you take part?
    Ready,
    /// Durably fence the span.
    Fence,
    /// All replicas are equal below the fence: durably raise the floor to it, and collect.
    Floor,
}

/// How far a host is with its part of a move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveProgress {
    /// Pieces of spans it has to merge.
    pub pieces: u32,
    /// Those that are complete.
    pub complete: u32,
    /// Records received so far.
    pub records: u64,
    /// Bytes of values received so far.
    pub bytes: u64,
    /// A host whose answer it waits for and that does not answer.
    pub waiting_for: Option<HostId>,
    /// Whether its store has no room for what it has to merge: it goes on when there is some.
    pub full: bool,
}
