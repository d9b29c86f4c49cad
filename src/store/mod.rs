//! Where a host keeps its records.
//!
//! A store is asked by [`Op`]s and answers with [`Done`]s. For a node this is an *effect*: it hands an
//! operation out and is told later, so a slow disk never blocks a node, and the simulation can lose
//! what was not synced. The same [`Store`] trait serves memory here and a disk in stage three.
//!
//! ```text
//! node --Op::Merge(record)--> driver --apply--> Store
//! node <--Done::Held(summary)-- driver            (when the sync policy is met)
//! ```
//!
//! A large value is never in one operation: its pieces are put by one after the other ([`Op::Stage`]), then the
//! record is merged bare; it is read in the same way ([`Op::Get`] brings it bare, [`Op::Piece`] a piece).
//!
//! ```text
//! Stage 7, 0, 1 MiB   Stage 7, 1, 1 MiB   Stage 7, 2, 10 KiB   Merge 7, bare      only now is it visible
//! ```
//!
//! *Hold these true*: a store applies operations in the order they were given and completes writes in
//! that order; what a completed write stored, a later read sees; [`Op::Merge`] only ever makes a
//! record newer; small settings ([`Setting`]) are synced before they are reported done, always.

mod collect;
mod digest;
mod memory;
#[cfg(test)]
pub(crate) mod model;
mod policy;
mod run;
mod shelf;
mod slot;
mod table;
#[cfg(test)]
mod tests;
mod whole;

use bytes::Bytes;

use crate::keyspace::Span;
use crate::record::{Cells, Guard, Key, Record, Stamp, Summary, Version};

pub use digest::cut;
pub use memory::MemoryStore;
#[cfg(feature = "server")]
pub(crate) use memory::Room;
pub use policy::SyncPolicy;
#[cfg(feature = "server")]
pub(crate) use slot::Slot;
#[cfg(feature = "server")]
pub(crate) use table::stretches;
#[cfg(feature = "server")]
pub(crate) use whole::is_whole;

/// The names of the small durable values a host keeps beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// The host's start number and the stamp its clock has reserved.
    Life,
    /// The roster it has adopted.
    Roster,
    /// What it has promised and accepted as a Paxos acceptor.
    Acceptor,
    /// Whether something of an earlier move is still to be merged.
    Move,
    /// How far the sources of the current move are.
    Places,
    /// Its fences and floors.
    Marks,
}

/// A bounded stretch of records to read: by id, then key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only records whose id lies in this span, in clockwise order from its beginning.
    pub span: Span,
    /// Only those after this key (in that order); `None` begins at the span's beginning.
    pub after: Option<Key>,
    /// At most so many records.
    pub max_records: usize,
    /// Stop once so many bytes of keys and values are collected (at least one record is returned).
    pub max_bytes: u64,
}

/// The digest of all records in a span: equal sets have equal digests, and different ones do not, but
/// for a chance of 2^-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest {
    /// How many records.
    pub records: u64,
    /// The exclusive or of a hash of each record's key and [`Summary`].
    pub hash: u64,
}

/// One thing asked of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The cells under a key; a value of several pieces bare.
    Get(Key),
    /// Only their versions.
    Versions(Key),
    /// One piece of the value that is stored under a key at that version, or is put by for it.
    Piece {
        /// The key.
        key: Key,
        /// The version of the value; what is stored at another one does not count.
        version: Version,
        /// Which piece, from 0.
        index: u32,
    },
    /// Put a piece of a value by that will be merged bare once all its pieces are here. Not visible, and
    /// gone after a restart.
    Stage {
        /// The key.
        key: Key,
        /// The version the value will have.
        version: Version,
        /// Which piece, from 0. One that was put by before is replaced.
        index: u32,
        /// The piece.
        bytes: Bytes,
    },
    /// Forget the pieces that were put by for that value.
    Unstage(Key, Version),
    /// Keep the greater of each cell. The record's value must be whole, or bare with all its pieces put by
    /// ([`StoreError::Bare`]); those are used up by it.
    Merge(Record),
    /// The same, if the guard admits it; otherwise nothing is stored ([`Done::Below`]).
    Guarded(Record, Guard),
    /// A page of whole records. A record's pieces beyond the first stay away: it comes bare.
    Scan(Page),
    /// A page of versions only.
    List(Page),
    /// The digests of `parts` equal parts of a span, in clockwise order.
    Digests {
        /// The span that is cut up.
        span: Span,
        /// Into how many parts: 1 to 256.
        parts: u16,
    },
    /// Drop every record in these spans.
    Discard(Vec<Span>),
    /// How much of each of these spans could be collected at that floor.
    Garbage(Vec<Span>, Stamp),
    /// Drop what was deleted or had expired by that floor ([`Summary::collected`]).
    Collect {
        /// Where.
        span: Span,
        /// Up to which stamp.
        floor: Stamp,
        /// At most so many records at once.
        max_records: usize,
    },
    /// Put every record in these spans on the shelf: out of sight of all operations but the next three, and not
    /// counted in [`Usage`]. Always synced.
    Shelve(Vec<Span>),
    /// If a source has this digest of the span, and so has the shelf, its records there are in sight again.
    Confirm {
        /// Where.
        span: Span,
        /// What the source has there.
        like: Digest,
    },
    /// What the shelf holds in these spans was not confirmed. What is known, or older than what is known, goes; the
    /// rest stays set aside, as long as at most so many records lie there in all.
    Review(Vec<Span>, u64),
    /// A page of what lies on the shelf.
    Aside(Page),
    /// Keep a small value durably; always synced.
    Set(Setting, Bytes),
}

/// What a store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// To [`Op::Get`].
    Cells(Option<Cells>),
    /// To [`Op::Piece`]; none if that version is neither stored nor put by here, or has no such piece.
    Piece(Option<Bytes>),
    /// To [`Op::Stage`] and [`Op::Unstage`].
    Staged,
    /// To [`Op::Versions`]; default where there is nothing.
    Versions(Summary),
    /// To [`Op::Merge`] and [`Op::Guarded`]: what is held now.
    Held(Summary),
    /// To [`Op::Guarded`]: refused. This is held.
    Below(Summary),
    /// To [`Op::Scan`]: records in order, and whether more follow.
    Page(Vec<Record>, bool),
    /// To [`Op::List`]: keys and versions in order, and whether more follow.
    List(Vec<(Key, Summary)>, bool),
    /// To [`Op::Digests`].
    Digests(Vec<Digest>),
    /// To [`Op::Discard`]: how many records went.
    Discarded(u64),
    /// To [`Op::Garbage`], span by span.
    Garbage(Vec<Garbage>),
    /// To [`Op::Collect`]: how many records went, and whether there are more.
    Collected(u64, bool),
    /// To [`Op::Shelve`]: how many records.
    Shelved(u64),
    /// To [`Op::Confirm`].
    Confirmed {
        /// Whether what is in sight there is now all that the source has.
        covered: bool,
        /// How many records came back from the shelf.
        reused: u64,
        /// How many others lie there.
        left: u64,
        /// How many were in sight.
        here: u64,
    },
    /// To [`Op::Review`].
    Reviewed {
        /// Records that stay set aside.
        kept: u64,
        /// Records for which there was no room.
        dropped: u64,
    },
    /// To [`Op::Set`].
    Set,
    /// The operation was not carried out, and nothing changed.
    Failed(StoreError),
}

/// Why a store refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store's limit of bytes is reached: reads and deletes go on.
    #[error("the store is full: {used} of {limit} bytes; delete something or add a host")]
    Full {
        /// Bytes in use.
        used: u64,
        /// The limit.
        limit: u64,
    },
    /// The disk is nearly full: reads and deletes go on.
    #[error(
        "the disk is full: {free} bytes are free and {reserve} are kept back; free some space or add a host"
    )]
    NoSpace {
        /// Bytes that are free.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// More waits for the store than it takes at once.
    #[error("the store is busy: {waiting} operations wait for it; try again")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// A value without all its pieces: whoever sent it must be asked for the rest first.
    #[error("only {have} of the {len} bytes of this value are here: pull its other pieces first")]
    Bare {
        /// Bytes that are here.
        have: u64,
        /// Bytes the whole value has.
        len: u64,
    },
    /// The device failed.
    #[error("the store failed: {0}")]
    Device(String),
}

impl StoreError {
    /// Whether new values are refused for want of room: by the store's limit, or because the disk has none.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, StoreError::Full { .. } | StoreError::NoSpace { .. })
    }
}

/// What a store is in use for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Records, tombstones included.
    pub records: u64,
    /// Those of them that hold no value: the key was deleted.
    pub absent: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

impl Usage {
    /// Keys that have a value. One that has expired counts until it is collected.
    #[must_use]
    pub const fn keys(&self) -> u64 {
        self.records.saturating_sub(self.absent)
    }
}

/// 1 for a record that holds no value, else 0.
pub(crate) fn absent(summary: &Summary) -> u64 {
    u64::from(summary.value.is_none_or(|version| version.delete))
}

/// What of a span is there for a while only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Records that are a delete, or have an expiry.
    pub mortal: u64,
    /// Those that may be dropped now.
    pub collectable: u64,
}

/// A place to keep records and settings.
pub trait Store {
    /// Carries out one operation.
    fn apply(&mut self, op: Op) -> Done;

    /// A durable value, if it was ever set: read once, when a host starts.
    fn setting(&self, name: Setting) -> Option<Bytes>;

    /// How much is kept.
    fn usage(&self) -> Usage;

    /// Its process has ended and begins again: what was put by belongs to nobody. A store that was opened anew
    /// has nothing put by.
    fn begin_again(&mut self) {}

    /// Reads a word here and there, `depth` pointers away from itself, and returns a number that means nothing.
    /// Who knows that many stores will be asked soon lets the memory of all of them be fetched at once so. A
    /// store that is not in memory has nothing to read.
    fn glance(&self, _depth: u8) -> u64 {
        0
    }
}
