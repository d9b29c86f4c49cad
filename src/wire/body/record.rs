//! A record as head, key and value.
//!
//! ```text
//! head  key 3 · value's version · 4 bytes, "text/plain"       key  cat       value  meow
//! head  key 3 · value's version · 5 MiB, bare                 key  cat       (asked for piece by piece)
//! ```
//!
//! *Hold this true*: the bytes of a value of more than one piece never travel with its record.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::len_u32;
use crate::record::{
    Body, Cells, Key, MAX_MEDIA_TYPE_BYTES, PIECE_BYTES, Record, Summary, ValueCell,
};
use crate::wire::WireError;
use crate::wire::error::within;
use crate::wire::frame::take;
use crate::wire::schema::SummaryPb;

/// The longest value a record may claim to have, in bytes, all pieces together: 1 TiB.
pub const MAX_VALUE_BYTES: u64 = 1 << 40;

/// The bytes of value that travel with a record: all or, of a value of several pieces, none.
pub(super) fn piece(cells: &Cells) -> Option<&Bytes> {
    let body = cells.value.as_ref().and_then(|cell| cell.body.as_ref());
    match body.map(|body| (body.len, body.pieces.as_slice())) {
        Some((len, [one])) if one.len() as u64 == len && one.len() <= PIECE_BYTES => Some(one),
        Some(_) | None => None,
    }
}

pub(super) fn piece_len(cells: &Cells) -> usize {
    piece(cells).map_or(0, Bytes::len)
}

/// A record's head; its key and value follow.
#[derive(Clone, PartialEq, Message)]
pub(in crate::wire) struct RecordPb {
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
    pub(in crate::wire) fn new(record: &Record) -> RecordPb {
        RecordPb::of(record.key.bytes().len(), &record.cells)
    }

    pub(in crate::wire) fn of(key_len: usize, cells: &Cells) -> RecordPb {
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
    pub(in crate::wire) fn read(self, bytes: &mut Bytes) -> Result<Record, WireError> {
        let key = read_key(bytes, self.key_len)?;
        Ok(Record {
            key,
            cells: read_cells(self.summary, self.value, bytes)?,
        })
    }

    /// Reads cells without a key.
    pub(in crate::wire) fn read_cells(self, bytes: &mut Bytes) -> Result<Cells, WireError> {
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

fn read_value(value: ValuePb, bytes: &mut Bytes) -> Result<Body, WireError> {
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
    Ok(Body {
        len,
        content_type,
        pieces,
    })
}

pub(in crate::wire) fn read_key(bytes: &mut Bytes, len: u32) -> Result<Key, WireError> {
    let key = take(bytes, usize::try_from(len).unwrap_or(usize::MAX))?;
    Ok(Key::new(key)?)
}
