//! What lies behind the header: keys, values and lists, as raw bytes.
//!
//! ```text
//! Write            key | value
//! Chunk            head key value | head key value | …       a head says how long its key and value are
//! ListIs           head key | head key | …
//! ChangeAsk        head | head | …
//! DigestsAre       records hash | records hash | … | marks   8 bytes each
//! MarksAre         from to | … | end fence floor | …         20 and 20 bytes; 20, 8 and 8 bytes
//! RosterIs         the roster
//! ```

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use prost::Message;

use super::WireError;
use super::error::within;
use super::find::peer_bytes;
use super::frame::{take, take_delimited};
use super::schema::{MAX_WALL_MS, SummaryPb};
use crate::keyspace::{Id, Span};
use crate::message::Peer;
use crate::placement::HostId;
use crate::record::{
    Body as Value, Cells, Key, MAX_MEDIA_TYPE_BYTES, Marks, PIECE_BYTES, Record, Summary, ValueCell,
};
use crate::roster::{
    Change, MAX_HOSTS, MAX_TOKENS, MemberPb, Roster, tokens_from_bytes, tokens_to_bytes,
};
use crate::store::Digest;

/// Records, or keys with their versions, in one list.
pub const MAX_LIST_RECORDS: u64 = 64 * 1024;

/// Digests in one list.
pub const MAX_DIGESTS: u64 = 256;

/// The longest value a record may claim to have, in bytes, all pieces together: 1 TiB.
pub const MAX_VALUE_BYTES: u64 = 1 << 40;

/// The longest head of one thing in a list, in bytes: a host with all its tokens.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// What is to be written behind a header.
pub(super) enum Body<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// A piece of a value.
    Piece(&'a Bytes),
    /// Bytes made for this message.
    Owned(Vec<u8>),
    Record(&'a Key, &'a Cells),
    /// A value without its key.
    Cells(&'a Cells),
    Records(&'a [Record]),
    Versions(&'a [(Key, Summary)]),
    Digests(&'a [Digest], &'a Marks),
    Marks(&'a Marks),
    /// Spans without marks, then marks.
    Lacking(&'a [Span], &'a Marks),
    Changes(&'a [Change]),
    Roster(&'a Roster),
    /// Ids, then peers of three sorts.
    Peers(&'a [Id], [&'a [Peer]; 3]),
}

impl Body<'_> {
    /// How many bytes it will take; only a guess for those that are rarely sent.
    pub(super) fn len_hint(&self) -> usize {
        match self {
            Body::Nothing | Body::Changes(_) | Body::Roster(_) => 0,
            Body::Bytes(bytes) => bytes.len(),
            Body::Piece(bytes) => bytes.len(),
            Body::Record(key, cells) => key.bytes().len() + piece_len(cells),
            Body::Cells(cells) => piece_len(cells),
            Body::Owned(bytes) => bytes.len(),
            Body::Records(records) => records
                .iter()
                .map(|r| 128 + r.key.bytes().len() + piece_len(&r.cells))
                .sum(),
            Body::Versions(keys) => keys.iter().map(|(key, _)| 112 + key.bytes().len()).sum(),
            Body::Digests(digests, marks) => digests.len() * 16 + marks.len() * 36,
            Body::Marks(marks) => marks.len() * 36,
            Body::Lacking(spans, marks) => spans.len() * SPAN_BYTES + marks.len() * 36,
            Body::Peers(ids, peers) => {
                ids.len() * 20 + peers.iter().map(|list| list.len() * 28).sum::<usize>()
            }
        }
    }

    /// The piece of a value with which it ends, if it does.
    pub(super) fn tail(&self) -> Option<&Bytes> {
        match self {
            Body::Piece(bytes) => Some(bytes),
            Body::Record(_, cells) | Body::Cells(cells) => piece(cells),
            Body::Nothing
            | Body::Bytes(_)
            | Body::Owned(_)
            | Body::Records(_)
            | Body::Versions(_)
            | Body::Digests(..)
            | Body::Marks(_)
            | Body::Lacking(..)
            | Body::Changes(_)
            | Body::Roster(_)
            | Body::Peers(..) => None,
        }
    }

    /// Writes all but the [`tail`](Body::tail).
    pub(super) fn write_head(&self, out: &mut Vec<u8>) {
        if let Body::Record(key, _) = self {
            out.put_slice(key.bytes());
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Body::Nothing => {}
            Body::Bytes(bytes) => out.put_slice(bytes),
            Body::Piece(bytes) => out.put_slice(bytes),
            Body::Owned(bytes) => out.put_slice(bytes),
            Body::Record(key, cells) => {
                out.put_slice(key.bytes());
                out.put_slice(piece(cells).map_or(&[], |piece| piece));
            }
            Body::Cells(cells) => out.put_slice(piece(cells).map_or(&[], |piece| piece)),
            Body::Records(records) => records.iter().for_each(|record| {
                put_delimited(out, &RecordPb::new(record));
                Body::Record(&record.key, &record.cells).write(out);
            }),
            Body::Versions(keys) => keys.iter().for_each(|(key, summary)| {
                put_delimited(
                    out,
                    &ListedPb {
                        key_len: len_u32(key.bytes().len()),
                        summary: Some(summary.into()),
                    },
                );
                out.put_slice(key.bytes());
            }),
            Body::Digests(digests, marks) => {
                digests.iter().for_each(|digest| {
                    out.put_u64(digest.records);
                    out.put_u64(digest.hash);
                });
                out.put_slice(&marks.encode());
            }
            Body::Marks(marks) => out.put_slice(&marks.encode()),
            Body::Lacking(spans, marks) => {
                let ends = spans.iter().flat_map(|span| [span.from, span.to]);
                ends.for_each(|end| out.put_slice(&end.to_bytes()));
                out.put_slice(&marks.encode());
            }
            Body::Changes(changes) => changes
                .iter()
                .for_each(|change| put_delimited(out, &ChangePb::from(change))),
            Body::Roster(roster) => out.put_slice(&roster.encode()),
            Body::Peers(ids, peers) => {
                ids.iter().for_each(|id| out.put_slice(&id.to_bytes()));
                peers
                    .iter()
                    .copied()
                    .flatten()
                    .for_each(|peer| out.put_slice(&peer_bytes(peer)));
            }
        }
    }
}

fn put_delimited(out: &mut Vec<u8>, head: &impl Message) {
    head.encode_length_delimited(out)
        .expect("a Vec grows as needed");
}

/// A length as written. None of ours comes near 4 GiB; a reader would refuse it.
pub(super) fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The bytes of value that travel with a record: all or, of a value of several pieces, none.
fn piece(cells: &Cells) -> Option<&Bytes> {
    let body = cells.value.as_ref().and_then(|cell| cell.body.as_ref());
    match body.map(|body| (body.len, body.pieces.as_slice())) {
        Some((len, [one])) if one.len() as u64 == len && one.len() <= PIECE_BYTES => Some(one),
        Some(_) | None => None,
    }
}

fn piece_len(cells: &Cells) -> usize {
    piece(cells).map_or(0, Bytes::len)
}

/// A record's head; its key and value follow.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RecordPb {
    #[prost(uint32, tag = "1")]
    key_len: u32,
    #[prost(message, optional, tag = "2")]
    summary: Option<SummaryPb>,
    /// The value; absent in a tombstone.
    #[prost(message, optional, tag = "3")]
    value: Option<ValuePb>,
}

#[derive(Clone, PartialEq, Message)]
struct ValuePb {
    #[prost(uint64, tag = "1")]
    len: u64,
    /// Whether its bytes stayed behind, to be asked for piece by piece.
    #[prost(bool, tag = "2")]
    bare: bool,
    #[prost(string, optional, tag = "3")]
    media_type: Option<String>,
}

impl RecordPb {
    pub(super) fn new(record: &Record) -> RecordPb {
        RecordPb::of(record.key.bytes().len(), &record.cells)
    }

    pub(super) fn of(key_len: usize, cells: &Cells) -> RecordPb {
        let body = cells.value.as_ref().and_then(|cell| cell.body.as_ref());
        let value = body.map(|body| ValuePb {
            len: body.len,
            bare: piece_len(cells) as u64 != body.len,
            media_type: body.content_type.as_deref().map(str::to_owned),
        });
        RecordPb {
            key_len: len_u32(key_len),
            summary: Some(cells.into()),
            value,
        }
    }

    /// Reads what follows the head: the value's bytes are those of the frame.
    pub(super) fn read(self, bytes: &mut Bytes) -> Result<Record, WireError> {
        let key = read_key(bytes, self.key_len)?;
        Ok(Record {
            key,
            cells: read_cells(self.summary, self.value, bytes)?,
        })
    }

    /// Reads cells without a key.
    pub(super) fn read_cells(self, bytes: &mut Bytes) -> Result<Cells, WireError> {
        read_cells(self.summary, self.value, bytes)
    }
}

fn read_cells(
    summary: Option<SummaryPb>,
    value: Option<ValuePb>,
    bytes: &mut Bytes,
) -> Result<Cells, WireError> {
    let summary = summary.map_or(Ok(Summary::default()), SummaryPb::read)?;
    let body = value.map(|value| read_value(value, bytes)).transpose()?;
    if body.is_some() && summary.value.is_none() {
        return Err(WireError::Missing("version of a value"));
    }
    let value = summary.value.map(|version| ValueCell { version, body });
    Ok(Cells {
        value,
        expiry: summary.expiry,
    })
}

fn read_value(value: ValuePb, bytes: &mut Bytes) -> Result<Value, WireError> {
    let len = within("the length of a value", value.len, MAX_VALUE_BYTES)?;
    let media_type = value.media_type.as_deref();
    within(
        "the length of a media type",
        len_u32(media_type.map_or(0, str::len)),
        MAX_MEDIA_TYPE_BYTES as u64,
    )?;
    let content_type = media_type.map(Arc::from);
    let mut pieces = Vec::new();
    if !value.bare && len > 0 {
        let len = within("the length of a piece", len, PIECE_BYTES as u64)?;
        pieces.push(take(bytes, usize::try_from(len).unwrap_or(usize::MAX))?);
    }
    Ok(Value {
        len,
        content_type,
        pieces,
    })
}

pub(super) fn read_key(bytes: &mut Bytes, len: u32) -> Result<Key, WireError> {
    let key = take(bytes, usize::try_from(len).unwrap_or(usize::MAX))?;
    Ok(Key::new(key)?)
}

/// Reads heads, each with what follows it, until the bytes are used up.
fn read_list<H: Message + Default, T>(
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

pub(super) fn read_records(bytes: &mut Bytes) -> Result<Vec<Record>, WireError> {
    read_list(bytes, MAX_LIST_RECORDS, RecordPb::read)
}

/// A key's place in a list of versions; the key follows.
#[derive(Clone, PartialEq, Message)]
struct ListedPb {
    #[prost(uint32, tag = "1")]
    key_len: u32,
    #[prost(message, optional, tag = "2")]
    summary: Option<SummaryPb>,
}

pub(super) fn read_versions(bytes: &mut Bytes) -> Result<Vec<(Key, Summary)>, WireError> {
    read_list(bytes, MAX_LIST_RECORDS, |head: ListedPb, bytes| {
        let summary = head
            .summary
            .map_or(Ok(Summary::default()), SummaryPb::read)?;
        Ok((read_key(bytes, head.key_len)?, summary))
    })
}

pub(super) fn read_digests(bytes: &mut Bytes) -> Result<Vec<Digest>, WireError> {
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
pub(super) const SPAN_BYTES: usize = 2 * Id::BYTES;

/// Spans, one behind the other.
pub(super) fn read_spans(bytes: &[u8]) -> Vec<Span> {
    let (spans, _) = bytes.as_chunks::<SPAN_BYTES>();
    let half =
        |span: &[u8; SPAN_BYTES], at: usize| Id::from_bytes(std::array::from_fn(|i| span[at + i]));
    let span = |span| Span::new(half(span, 0), half(span, Id::BYTES));
    spans.iter().map(span).collect()
}

/// The marks that are all the rest of a body.
pub(super) fn read_marks(bytes: &mut Bytes) -> Result<Marks, WireError> {
    let all = std::mem::take(bytes);
    let marks = Marks::decode(&all).ok_or(WireError::Missing("sound marks"))?;
    let greatest = marks.greatest().fence.wall().0;
    within("the wall time of a fence", greatest, MAX_WALL_MS)?;
    Ok(marks)
}

/// One wish about who is in.
#[derive(Clone, PartialEq, Message)]
struct ChangePb {
    #[prost(oneof = "ChangeCase", tags = "1, 2, 3, 4, 5, 6, 7")]
    case: Option<ChangeCase>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ChangeCase {
    #[prost(message, tag = "1")]
    Join(MemberPb),
    #[prost(fixed64, tag = "2")]
    Remove(u64),
    #[prost(message, tag = "3")]
    Tokens(TokensPb),
    #[prost(uint32, tag = "4")]
    Replicas(u32),
    #[prost(fixed64, tag = "5")]
    Drain(u64),
    #[prost(fixed64, tag = "6")]
    EndDrain(u64),
    #[prost(message, tag = "7")]
    AcceptLoss(HostsPb),
}

#[derive(Clone, PartialEq, Message)]
struct HostsPb {
    #[prost(fixed64, repeated, tag = "1")]
    hosts: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct TokensPb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    /// 20 bytes each.
    #[prost(bytes = "bytes", tag = "2")]
    tokens: Bytes,
}

impl From<&Change> for ChangePb {
    fn from(change: &Change) -> ChangePb {
        let case = match change {
            Change::Join(host, member) => ChangeCase::Join(MemberPb::new(*host, member)),
            Change::Remove(host) => ChangeCase::Remove(host.0),
            Change::Tokens(host, tokens) => ChangeCase::Tokens(TokensPb {
                host: host.0,
                tokens: tokens_to_bytes(tokens),
            }),
            Change::Replicas(replicas) => ChangeCase::Replicas(u32::from(*replicas)),
            Change::Drain(host) => ChangeCase::Drain(host.0),
            Change::EndDrain(host) => ChangeCase::EndDrain(host.0),
            Change::AcceptLoss(hosts) => ChangeCase::AcceptLoss(HostsPb {
                hosts: hosts.iter().map(|host| host.0).collect(),
            }),
        };
        ChangePb { case: Some(case) }
    }
}

pub(super) fn read_changes(bytes: &mut Bytes) -> Result<Vec<Change>, WireError> {
    read_list(bytes, MAX_HOSTS as u64, |head: ChangePb, _| {
        match head.case {
            Some(ChangeCase::Join(member)) => {
                let (host, member) = member.read()?;
                Ok(Change::Join(host, member))
            }
            Some(ChangeCase::Remove(host)) => Ok(Change::Remove(HostId(host))),
            Some(ChangeCase::Tokens(TokensPb { host, tokens })) => {
                let host = HostId(host);
                Ok(Change::Tokens(host, tokens_from_bytes(host, &tokens)?))
            }
            Some(ChangeCase::Replicas(replicas)) => {
                let value = within("a number of copies", replicas, u64::from(u8::MAX))?;
                Ok(Change::Replicas(u8::try_from(value).unwrap_or(u8::MAX)))
            }
            Some(ChangeCase::Drain(host)) => Ok(Change::Drain(HostId(host))),
            Some(ChangeCase::EndDrain(host)) => Ok(Change::EndDrain(HostId(host))),
            Some(ChangeCase::AcceptLoss(lost)) => Ok(Change::AcceptLoss(
                lost.hosts.into_iter().map(HostId).collect(),
            )),
            None => Err(WireError::Missing("kind of a change")),
        }
    })
}

/// So that a host with the most tokens can ask to join.
const _: () = assert!(Id::BYTES * MAX_TOKENS + 1024 < MAX_HEAD_BYTES);
