//! One record in memory, small.
//!
//! As structs, a key and its cells take some 230 bytes before the first byte of key or value, and their
//! [`Bytes`] may keep a whole received frame alive. So a record of ordinary size is packed into one
//! allocation of its own; a large value stays as it came, since copying it would cost more:
//!
//! ```text
//! flags  key length  version (stamp host start)  [expiry]  [media type]  key          value
//!  03     03000000    …20 bytes…                   -          -          63 61 74     6d 65 6f 77
//!                                                                        c  a  t      m  e  o  w
//! ```

use std::sync::Arc;

use bytes::{BufMut, Bytes};

use crate::keyspace::Id;
use crate::placement::HostId;
use crate::record::{
    Body, Cells, ExpiryCell, Key, Record, Stamp, Summary, ValueCell, Version, WallMs,
};

/// Values up to this many bytes are packed (copied); longer ones are shared with whoever brought them.
const PACK_BYTES: usize = 16 * 1024;

/// A version: stamp, host, start.
const VERSION_BYTES: usize = 20;

const VALUE: u8 = 1;
const BODY: u8 = 1 << 1;
const DELETE: u8 = 1 << 2;
const EXPIRY: u8 = 1 << 3;
const DEADLINE: u8 = 1 << 4;
const OF_DELETE: u8 = 1 << 5;
const SET_DELETE: u8 = 1 << 6;
const MEDIA_TYPE: u8 = 1 << 7;

/// A record as it lies in memory.
pub(crate) enum Slot {
    /// One allocation, laid out as drawn above.
    Packed(Box<[u8]>),
    /// A large value, or an unusual one, as it came.
    Loose(Box<Record>),
}

impl Slot {
    pub(crate) fn new(record: Record) -> Slot {
        match pack(&record) {
            Some(packed) => Slot::Packed(packed),
            None => Slot::Loose(Box::new(record)),
        }
    }

    /// Whether it lies in memory of its own.
    #[cfg(feature = "server")]
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self, Slot::Packed(_))
    }

    /// Something of the record itself: see [`Store::glance`](super::Store::glance).
    pub(super) fn glance(&self) -> u64 {
        match self {
            Slot::Packed(packed) => packed.first().copied().map_or(0, u64::from),
            Slot::Loose(record) => record.key.id().top(),
        }
    }

    pub(crate) fn key_bytes(&self) -> &[u8] {
        match self {
            Slot::Packed(packed) => key_of(packed),
            Slot::Loose(record) => record.key.bytes(),
        }
    }

    /// Its versions, and the bytes of its key and value.
    pub(super) fn known(&self) -> (Summary, u64) {
        match self {
            Slot::Packed(packed) => {
                let parts = Parts::of(packed);
                (parts.summary, (parts.key.len() + parts.body.len()) as u64)
            }
            Slot::Loose(_) => (self.summary(), self.bytes()),
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        match self {
            Slot::Packed(packed) => Parts::of(packed).summary,
            Slot::Loose(record) => record.cells.summary(),
        }
    }

    pub(super) fn key(&self, id: Id) -> Key {
        match self {
            Slot::Packed(packed) => Key::known(id, Bytes::copy_from_slice(Parts::of(packed).key)),
            Slot::Loose(record) => record.key.clone(),
        }
    }

    pub(crate) fn cells(&self) -> Cells {
        match self {
            Slot::Packed(packed) => Parts::of(packed).cells(),
            Slot::Loose(record) => record.cells.clone(),
        }
    }

    /// The cells as they travel: with a value of several pieces bare.
    pub(super) fn cells_for_travel(&self) -> Cells {
        match self {
            // One piece at most, and freshly copied: nothing to leave out, nothing to share.
            Slot::Packed(packed) => Parts::of(packed).cells(),
            Slot::Loose(record) => record.cells.for_travel(),
        }
    }

    /// Bytes of key and value.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Slot::Packed(packed) => {
                let parts = Parts::of(packed);
                (parts.key.len() + parts.body.len()) as u64
            }
            Slot::Loose(record) => record.key.bytes().len() as u64 + record.cells.value_bytes(),
        }
    }
}

/// The key of a packed record, without looking at the rest: it is what most records are asked for that are passed by.
fn key_of(packed: &[u8]) -> &[u8] {
    let flags = packed[0];
    let is = |flag: u8| usize::from(flags & flag != 0);
    let versions = is(VALUE) + 2 * is(EXPIRY);
    let mut begin = 5 + VERSION_BYTES * versions + 8 * is(DEADLINE);
    if flags & MEDIA_TYPE != 0 {
        begin += 1 + usize::from(packed[begin]);
    }
    let mut len = Rest(&packed[1..]);
    let len = u32::from_le_bytes(len.array()) as usize;
    &packed[begin..begin + len]
}

/// The parts of a packed record.
struct Parts<'a> {
    flags: u8,
    summary: Summary,
    media_type: &'a [u8],
    key: &'a [u8],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(packed: &'a [u8]) -> Parts<'a> {
        let mut rest = Rest(packed);
        let [flags] = rest.array();
        let key_len = u32::from_le_bytes(rest.array()) as usize;
        let value = (flags & VALUE != 0).then(|| rest.version(flags & DELETE != 0));
        let expiry = (flags & EXPIRY != 0).then(|| ExpiryCell {
            of: rest.version(flags & OF_DELETE != 0),
            version: rest.version(flags & SET_DELETE != 0),
            deadline: (flags & DEADLINE != 0).then(|| WallMs(u64::from_le_bytes(rest.array()))),
        });
        let media_type = if flags & MEDIA_TYPE != 0 {
            let [len] = rest.array();
            rest.take(usize::from(len))
        } else {
            &[]
        };
        let key = rest.take(key_len);
        Parts {
            flags,
            summary: Summary { value, expiry },
            media_type,
            key,
            body: rest.0,
        }
    }

    fn cells(&self) -> Cells {
        let body = (self.flags & BODY != 0).then(|| {
            let mut body = Body::new(Bytes::copy_from_slice(self.body));
            if self.flags & MEDIA_TYPE != 0 {
                body.content_type = Some(Arc::from(String::from_utf8_lossy(self.media_type)));
            }
            body
        });
        let value = self
            .summary
            .value
            .map(|version| ValueCell { version, body });
        Cells {
            value,
            expiry: self.summary.expiry,
        }
    }
}

/// What is still to be read of a packed record.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self
            .0
            .split_first_chunk()
            .expect("a record is packed with all its parts");
        self.0 = rest;
        *head
    }

    fn version(&mut self, delete: bool) -> Version {
        let stamp = Stamp(u64::from_le_bytes(self.array()));
        let host = HostId(u64::from_le_bytes(self.array()));
        Version {
            stamp,
            delete,
            host,
            start: u32::from_le_bytes(self.array()),
        }
    }
}

/// Packs a record, unless it is of a kind better left loose.
fn pack(record: &Record) -> Option<Box<[u8]>> {
    let value = record.cells.value.as_ref();
    let body = value.and_then(|cell| cell.body.as_ref());
    let media_type = body.and_then(|body| body.content_type.as_deref());
    let media_len = u8::try_from(media_type.map_or(0, str::len)).ok()?;
    let bytes: &[u8] = match body.map_or(&[][..], |body| &body.pieces) {
        [] => &[],
        [one] if one.len() <= PACK_BYTES => one,
        _ => return None,
    };
    let key = record.key.bytes();
    let expiry = record.cells.expiry.as_ref();
    let expiry_len = expiry.map_or(0, |cell| {
        2 * VERSION_BYTES + 8 * usize::from(cell.deadline.is_some())
    });
    let value_len = VERSION_BYTES * usize::from(value.is_some());
    let media = media_type.map_or(0, |text| 1 + text.len());
    // Exactly as much as is written: giving spare room back would cost another copy.
    let len = 1 + 4 + value_len + expiry_len + media + key.len() + bytes.len();
    let mut out = Vec::with_capacity(len);
    out.push(flags(&record.cells));
    out.put_u32_le(u32::try_from(key.len()).ok()?);
    if let Some(cell) = value {
        put_version(&mut out, cell.version);
    }
    if let Some(cell) = expiry {
        put_version(&mut out, cell.of);
        put_version(&mut out, cell.version);
        cell.deadline
            .into_iter()
            .for_each(|deadline| out.put_u64_le(deadline.0));
    }
    if let Some(text) = media_type {
        out.push(media_len);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(key);
    out.extend_from_slice(bytes);
    debug_assert_eq!(out.len(), len);
    Some(out.into_boxed_slice())
}

fn flags(cells: &Cells) -> u8 {
    let value = cells.value.as_ref();
    let body = value.and_then(|cell| cell.body.as_ref());
    let expiry = cells.expiry.as_ref();
    [
        (VALUE, value.is_some()),
        (BODY, body.is_some()),
        (DELETE, value.is_some_and(|cell| cell.version.delete)),
        (EXPIRY, expiry.is_some()),
        (DEADLINE, expiry.is_some_and(|cell| cell.deadline.is_some())),
        (OF_DELETE, expiry.is_some_and(|cell| cell.of.delete)),
        (SET_DELETE, expiry.is_some_and(|cell| cell.version.delete)),
        (
            MEDIA_TYPE,
            body.is_some_and(|body| body.content_type.is_some()),
        ),
    ]
    .into_iter()
    .filter(|(_, set)| *set)
    .fold(0, |all, (flag, _)| all | flag)
}

fn put_version(out: &mut Vec<u8>, version: Version) {
    out.put_u64_le(version.stamp.0);
    out.put_u64_le(version.host.0);
    out.put_u32_le(version.start);
}
