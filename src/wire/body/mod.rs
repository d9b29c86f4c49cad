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
//!
//! Here bodies are written; how their parts are read again stands with the heads of each sort: `record`, `list`,
//! `change`.

mod change;
mod list;
mod record;

use bytes::{BufMut, Bytes};
use prost::Message;

use super::find::peer_bytes;
use crate::keyspace::{Id, Span};
use crate::message::Peer;
use crate::record::{Cells, Key, Marks, Record, Summary};
use crate::roster::{Change, Roster};
use crate::store::Digest;

use change::ChangePb;
use list::ListedPb;
use record::{piece, piece_len};

pub(super) use change::read_changes;
pub use list::{MAX_DIGESTS, MAX_LIST_RECORDS};
pub(super) use list::{
    SPAN_BYTES, read_digests, read_marks, read_records, read_spans, read_versions,
};
pub use record::MAX_VALUE_BYTES;
pub(super) use record::{RecordPb, read_key};

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
                put_delimited(out, &ListedPb::new(key, summary));
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
