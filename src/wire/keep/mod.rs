//! Messages between hosts, as header and body.
//!
//! All kinds share one header, of which each uses some fields: what is not used costs no byte.
//!
//! ```text
//! Ask   "cat", versions, question 9, v3      req 9 · at 3 · key_len 3 · code 0         body: cat
//! Wrote question 9, v3, behind at v2         req 9 · at 3 · refusal behind 2           body: nothing
//! ```
//!
//! `write` makes them of messages, `read` messages of them, `ops` has what people ask.
//!
//! *Hold this true*: a field keeps its tag and its meaning for ever; a field that is absent is zero or nothing.

mod ops;
mod read;
mod status;
mod write;

use prost::Message;

use super::body::RecordPb;
use super::schema::{BallotPb, SpanPb, SummaryPb, VersionPb};

pub(super) use read::Reader;
pub(super) use write::write;

/// The longest text in a message, in bytes: the reason of a refusal. Longer ones are cut when written.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The header of every message between hosts; each kind uses some of it. Tags 1 and 2 are everyone's.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeepHeader {
    #[prost(fixed64, tag = "1")]
    pub(super) from: u64,
    #[prost(fixed64, tag = "2")]
    pub(super) to: u64,
    #[prost(fixed64, tag = "3")]
    req: u64,
    /// The roster version.
    #[prost(uint64, tag = "4")]
    at: u64,
    /// How long the key is with which the body begins; absent if it begins with none.
    #[prost(uint32, optional, tag = "5")]
    key_len: Option<u32>,
    /// Which of a few: what is wanted, by which road.
    #[prost(uint32, tag = "6")]
    code: u32,
    #[prost(message, optional, tag = "7")]
    summary: Option<SummaryPb>,
    #[prost(message, optional, tag = "8")]
    record: Option<RecordPb>,
    #[prost(message, optional, tag = "9")]
    refusal: Option<RefusalPb>,
    #[prost(message, optional, tag = "10")]
    version: Option<VersionPb>,
    /// Which piece.
    #[prost(uint32, tag = "11")]
    index: u32,
    /// Whether more follows, or whether there is anything.
    #[prost(bool, tag = "12")]
    more: bool,
    #[prost(uint64, tag = "13")]
    wall: u64,
    #[prost(message, optional, tag = "14")]
    ballot: Option<BallotPb>,
    /// The ballot of the roster that was accepted before; the roster is the body.
    #[prost(message, optional, tag = "15")]
    accepted: Option<BallotPb>,
    #[prost(message, optional, tag = "16")]
    span: Option<SpanPb>,
    #[prost(uint32, tag = "17")]
    parts: u32,
    #[prost(message, optional, tag = "18")]
    progress: Option<ProgressPb>,
    /// Why a change cannot be.
    #[prost(string, optional, tag = "19")]
    text: Option<String>,
    /// Whom it is about.
    #[prost(fixed64, tag = "40")]
    host: u64,
    #[prost(uint64, tag = "20")]
    fence: u64,
    #[prost(uint64, tag = "21")]
    floor: u64,
    /// How a host sees the ring: its roster's hash, and that of the hosts it takes for down.
    #[prost(fixed64, tag = "44")]
    view_roster: u64,
    #[prost(fixed64, tag = "45")]
    view_routes: u64,
    #[prost(bool, tag = "47")]
    view_late: bool,
    /// What is to be done.
    #[prost(message, optional, tag = "46")]
    chore: Option<ops::ChorePb>,
}

#[derive(Clone, PartialEq, Message)]
struct RefusalPb {
    #[prost(oneof = "RefusalCase", tags = "1, 2, 3, 4, 5, 6, 7")]
    case: Option<RefusalCase>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum RefusalCase {
    #[prost(uint64, tag = "1")]
    Behind(u64),
    /// The roster is the body.
    #[prost(bool, tag = "2")]
    Ahead(bool),
    #[prost(bool, tag = "3")]
    NotMine(bool),
    #[prost(string, tag = "4")]
    Store(String),
    #[prost(bool, tag = "5")]
    Below(bool),
    #[prost(bool, tag = "6")]
    Incomplete(bool),
    #[prost(bool, tag = "7")]
    Doubts(bool),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ProgressPb {
    #[prost(uint32, tag = "1")]
    pieces: u32,
    #[prost(uint32, tag = "2")]
    complete: u32,
    #[prost(uint64, tag = "3")]
    records: u64,
    #[prost(uint64, tag = "4")]
    bytes: u64,
    #[prost(fixed64, optional, tag = "5")]
    waiting_for: Option<u64>,
    #[prost(bool, tag = "6")]
    full: bool,
}
