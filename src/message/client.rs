//! What may a client ask of any host?
//!
//! ```text
//! client ── #7  One("cat", Put "meow")  ──> any host        it coordinates: asks the replicas, answers
//!        <─ #7  Stored(12.0/h1.1) ────────
//! ```
//!
//! Any host takes any request, whoever holds the key. What is asked about one key has a [`KeyOp`]; what is asked about
//! the ring stands behind. What a client is told stands in [`Outcome`](super::Outcome).
//!
//! *Hold these true*: a request has one ticket and is answered once; a request about keys is answered by its
//! deadline, well or badly.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::keyspace::Id;
use crate::placement::{HostId, Member};
use crate::record::{Body, Key, WallMs};
use crate::roster::Change;

use super::ops::{Item, Tuning};
use super::outcome::Large;

/// Names a client's request to one host; drawn by whoever drives the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How many replicas must agree before a request is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// One replica, in a single round. Promises nothing.
    One,
    /// A majority: get, put and delete are linearizable per key.
    #[default]
    Quorum,
    /// Every replica, alive or not.
    All,
}

/// How a request is to be carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many replicas must agree; `None`: what the ring is set to.
    pub consistency: Option<Consistency>,
    /// Only the first so many replicas take part. With fewer than the ring's R nothing is promised; the
    /// others are brought up by repair. `None`: all R.
    pub replicas: Option<u8>,
    /// After this long the request fails. `None`: what the host is set to.
    pub deadline: Option<Duration>,
}

/// Until when a value shall live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So long from now, by the coordinator's wall clock.
    In(Duration),
    /// Until this wall time.
    At(WallMs),
    /// For ever.
    Never,
}

/// One request about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOp {
    /// Store a value, with a time to live or for ever.
    Put(Body, Option<Expiry>),
    /// Fetch the value, all of it.
    Get,
    /// Find the value: one of more than a piece is answered as [`Outcome::Large`](super::Outcome::Large), to be read piece by piece.
    Open,
    /// Delete the key.
    Delete,
    /// The version, or none.
    Has,
    /// Change the time to live of the present value.
    Expire(Expiry),
    /// Until when the present value lives.
    Ttl,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// One thing about one key.
    One(Key, KeyOp),
    /// Many keys at once, each with its own result, in this order.
    Many(Vec<(Key, KeyOp)>),
    /// Store a value under the SHA-1 of itself.
    PutContent(Body),
    /// A step of storing a value piece by piece.
    Upload(Upload),
    /// A piece of a large value that was found, by its number.
    Piece(Arc<Large>, u32),
    /// Who holds this key, by the roster (or the links, if there is none)?
    WhereIs(Key),
    /// Who owns this id? Asked round the ring, hop by hop, by the routes this host has.
    Lookup(Id),
    /// Carry out a batch of changes in one move; answered when it has settled.
    Change(Vec<Change>),
    /// Move tokens until the load is even; answered when it has settled.
    Rebalance,
    /// Give up the move that is under way; answered when it has settled where it was.
    CancelMove,
    /// Let this host join the ring of which that host is a member; answered when it has settled.
    Join {
        /// Any member of the ring.
        via: HostId,
        /// A host that is gone, whose place this one takes: one move lets this one in with its tokens, and that
        /// one out.
        replaces: Option<HostId>,
        /// How many copies this host was told the ring keeps: another number is an error. `None`: any.
        replicas: Option<u8>,
        /// What this host brings; without tokens, the ring chooses even ones: so many.
        member: Member,
        /// How many tokens to choose if `member` has none.
        tokens: u16,
    },
    /// Take this host out of the ring; answered when it may stop.
    Leave,
    /// This host wants to stop for a while; answered when it may: the drain grant is its own.
    Drain,
    /// Whoever holds the drain grant is back, or will not stop.
    EndDrain,
    /// Give these hosts up for good, and what only they held; answered when the ring has settled without them.
    AcceptLoss(Vec<HostId>),
    /// What this host knows of the ring and of itself.
    Status,
    /// The roster this host lives by: who is in, with which tokens.
    Roster,
    /// The same of every host of the ring; who does not answer is named.
    StatusOfAll,
    /// Ask each host that should hold this key what it has.
    Check(Key),
    /// Why is this key where it is, and what would a get find?
    Explain(Key),
    /// Compare every span's copies now, on every host, and heal what differs.
    Balance,
    /// Drop old copies now that all current holders are known to have: on this host, or on every one.
    Purge(Option<HostId>),
    /// How many keys are in the ring? One round to all hosts that are not down.
    Count,
    /// Change settings while they run: of this host, or of every one.
    Configure(Tuning, Option<HostId>),
    /// A page of live values.
    Export {
        /// Only keys after this one, in the order of ids; `None`: from the beginning.
        after: Option<Key>,
        /// The page ends once it holds so many bytes of keys and values; one value at least is on it.
        max_bytes: u64,
    },
    /// Write values that came from elsewhere.
    Import {
        /// The values.
        items: Vec<Item>,
        /// Also where there is a value; else only absent keys are written.
        overwrite: bool,
    },
}

/// Names an upload at the host where it was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub u64);

/// A value on its way in: it is put by at this host piece by piece, then stored like any other. Nobody sees
/// anything of it before that.
///
/// ```text
/// Begin 2.5 MiB ─> Began 7      Piece 7 1 MiB ─> Taken 1      Piece 7 1 MiB ─> Taken 2
///                               Piece 7 512 KiB ─> Taken 3    End 7, "cat" ─> Stored
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upload {
    /// A value of so many bytes comes. Answered by [`Outcome::Began`](super::Outcome::Began).
    Begin(u64),
    /// The next piece: as long as a piece can be, but for the last one. Answered by [`Outcome::Taken`](super::Outcome::Taken) when it is put
    /// by; a few may be on their way at once.
    Piece(UploadId, Bytes),
    /// All pieces are taken: store them under this key. Answered like a put.
    End {
        /// Which.
        upload: UploadId,
        /// The key.
        key: Key,
        /// What the value says it is.
        content_type: Option<Arc<str>>,
        /// A time to live, or for ever.
        expiry: Option<Expiry>,
    },
    /// It will not be ended: forget it. Answered by [`Outcome::Taken`](super::Outcome::Taken) of nothing.
    Drop(UploadId),
}

/// A value as a client gives it.
impl From<Bytes> for KeyOp {
    fn from(value: Bytes) -> KeyOp {
        KeyOp::Put(Body::new(value), None)
    }
}
