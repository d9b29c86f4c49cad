//! Lists: records, keys with versions, digests, spans, marks.
//!
//! ```text
//! head cat meow | head dog woof | …        until the body ends: the frame's length is the list's
//! ```
//!
//! *Hold this true*: a list grows only by what is there. Nothing is reserved for a count that somebody announced.

use bytes::Bytes;
use prost::Message;

use super::len_u32;
use super::record::{RecordPb, read_key};
use crate::keyspace::{Id, Span};
use crate::record::{Key, Marks, Record, Summary};
use crate::store::Digest;
use crate::wire::WireError;
use crate::wire::error::within;
use crate::wire::frame::take_delimited;
use crate::wire::schema::{MAX_WALL_MS, SummaryPb};

/// Records, or keys with their versions, in one list.
pub const MAX_LIST_RECORDS: u64 = 64 * 1024;

/// Digests in one list.
pub const MAX_DIGESTS: u64 = 256;

/// The longest head of one thing in a list, in bytes: a host with all its tokens.
pub(super) const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Reads heads, each with what follows it, until the bytes are used up.
pub(super) fn read_list<H: Message + Default, T>(
    bytes: &mut Bytes,
    limit: u64,
    read: impl Fn(H, &mut Bytes) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let head = H::decode(take_delimited(bytes, MAX_HEAD_BYTES)?)?;
        list.push(read(head, bytes)?);
        within("the length of a list", list.len() as u64, limit)?;
    }
    Ok(list)
}

pub(in crate::wire) fn read_records(bytes: &mut Bytes) -> Result<Vec<Record>, WireError> {
    read_list(bytes, MAX_LIST_RECORDS, RecordPb::read)
}

/// A key's place in a list of versions; the key follows.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ListedPb {
    #[prost(uint32, tag = "1")]
    key_len: u32,
    #[prost(message, optional, tag = "2")]
    summary: Option<SummaryPb>,
}

impl ListedPb {
    pub(super) fn new(key: &Key, summary: &Summary) -> ListedPb {
        ListedPb {
            key_len: len_u32(key.bytes().len()),
            summary: Some(summary.into()),
        }
    }
}

pub(in crate::wire) fn read_versions(bytes: &mut Bytes) -> Result<Vec<(Key, Summary)>, WireError> {
    read_list(bytes, MAX_LIST_RECORDS, |head: ListedPb, bytes| {
        let summary = head
            .summary
            .map_or(Ok(Summary::default()), SummaryPb::read)?;
        Ok((read_key(bytes, head.key_len)?, summary))
    })
}

pub(in crate::wire) fn read_digests(bytes: &mut Bytes) -> Result<Vec<Digest>, WireError> {
    let all = std::mem::take(bytes);
    let (digests, rest) = all.as_chunks::<16>();
    within("the number of digests", digests.len() as u64, MAX_DIGESTS)?;
    if !rest.is_empty() {
        return Err(WireError::Extra(rest.len()));
    }
    let word =
        |half: &[u8; 16], at: usize| u64::from_be_bytes(std::array::from_fn(|i| half[at + i]));
    Ok(digests
        .iter()
        .map(|both| Digest {
            records: word(both, 0),
            hash: word(both, 8),
        })
        .collect())
}

/// Bytes of a span in a list.
pub(in crate::wire) const SPAN_BYTES: usize = 2 * Id::BYTES;

/// Spans, one behind the other.
pub(in crate::wire) fn read_spans(bytes: &[u8]) -> Vec<Span> {
    let (spans, _) = bytes.as_chunks::<SPAN_BYTES>();
    let half =
        |span: &[u8; SPAN_BYTES], at: usize| Id::from_bytes(std::array::from_fn(|i| span[at + i]));
    let span = |span| Span::new(half(span, 0), half(span, Id::BYTES));
    spans.iter().map(span).collect()
}

/// The marks that are all the rest of a body.
pub(in crate::wire) fn read_marks(bytes: &mut Bytes) -> Result<Marks, WireError> {
    let all = std::mem::take(bytes);
    let marks = Marks::decode(&all).ok_or(WireError::Missing("sound marks"))?;
    let greatest = marks.greatest().fence.wall().0;
    within("the wall time of a fence", greatest, MAX_WALL_MS)?;
    Ok(marks)
}
