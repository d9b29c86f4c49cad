//! What lies under which name on the disk.
//!
//! ```text
//! heads    9d989e8d…(20 bytes of id) "cat"        versions, length, media type, a small value itself
//! pieces   00000000000000a7 00000002              piece 2 of the large value number a7
//! runs     9c00…(20 bytes of id)                  how many heads from here on, their digest, their bytes
//! ```
//!
//! Ids are stored with their greatest byte first, so the order of names is the order of the circle.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use sha2::{Digest as _, Sha256};

use crate::keyspace::Id;
use crate::placement::HostId;
use crate::record::{Body, Cells, ExpiryCell, Key, Stamp, Summary, ValueCell, Version, WallMs};

/// A value of at most so many bytes lies in its head; a longer one apart, in pieces.
pub(super) const INLINE_BYTES: u64 = 2 * 1024;

/// The engine's names have an end, our longest keys lie beyond it: of a longer key only so much is in the name.
const NAME_KEY_BYTES: usize = 60_000;

const VALUE: u16 = 1;
const BODY: u16 = 1 << 1;
const DELETE: u16 = 1 << 2;
const EXPIRY: u16 = 1 << 3;
const DEADLINE: u16 = 1 << 4;
const OF_DELETE: u16 = 1 << 5;
const SET_DELETE: u16 = 1 << 6;
const MEDIA_TYPE: u16 = 1 << 7;
const APART: u16 = 1 << 8;
const TAIL: u16 = 1 << 9;

/// What is known of a record without its large value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: Key,
    pub(super) summary: Summary,
    pub(super) body: Option<Stored>,
}

/// A value as it lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) len: u64,
    pub(super) content_type: Option<Arc<str>>,
    pub(super) place: Place,
}

/// Where the bytes of a value are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the head.
    Inline(Bytes),
    /// In pieces, under this number.
    Apart(u64),
}

impl Stored {
    /// The same value without its bytes.
    pub(super) fn bare(&self) -> Body {
        Body {
            len: self.len,
            content_type: self.content_type.clone(),
            pieces: Vec::new(),
        }
    }

    /// The number of its pieces, if they lie apart.
    pub(super) const fn apart(&self) -> Option<u64> {
        match &self.place {
            Place::Inline(_) => None,
            Place::Apart(number) => Some(*number),
        }
    }
}

impl Head {
    /// Bytes of key and value, as they count against the limit.
    pub(super) fn bytes(&self) -> u64 {
        self.key.bytes().len() as u64 + self.body.as_ref().map_or(0, |body| body.len)
    }

    /// The cells around a body.
    pub(super) fn cells(&self, body: Option<Body>) -> Cells {
        let value = self.summary.value;
        Cells {
            value: value.map(|version| ValueCell { version, body }),
            expiry: self.summary.expiry,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let key = self.key.bytes();
        let tail = key.get(NAME_KEY_BYTES..).filter(|tail| !tail.is_empty());
        let inline = self.body.as_ref().map_or(0, |body| match &body.place {
            Place::Inline(bytes) => bytes.len(),
            Place::Apart(_) => 0,
        });
        let mut out = Vec::with_capacity(96 + inline);
        out.put_u16_le(self.flags() | if tail.is_some() { TAIL } else { 0 });
        if let Some(version) = self.summary.value {
            put_version(&mut out, version);
        }
        if let Some(cell) = &self.summary.expiry {
            put_version(&mut out, cell.of);
            put_version(&mut out, cell.version);
            cell.deadline
                .into_iter()
                .for_each(|deadline| out.put_u64_le(deadline.0));
        }
        if let Some(tail) = tail {
            put_short(&mut out, tail);
        }
        if let Some(body) = &self.body {
            out.put_u64_le(body.len);
            if let Some(text) = &body.content_type {
                put_short(&mut out, text.as_bytes());
            }
            match &body.place {
                Place::Inline(bytes) => out.extend_from_slice(bytes),
                Place::Apart(number) => out.put_u64_le(*number),
            }
        }
        out
    }

    fn flags(&self) -> u16 {
        let body = self.body.as_ref();
        let expiry = self.summary.expiry.as_ref();
        let delete = |version: Option<Version>| version.is_some_and(|version| version.delete);
        [
            (VALUE, self.summary.value.is_some()),
            (DELETE, delete(self.summary.value)),
            (EXPIRY, expiry.is_some()),
            (DEADLINE, expiry.is_some_and(|cell| cell.deadline.is_some())),
            (OF_DELETE, delete(expiry.map(|cell| cell.of))),
            (SET_DELETE, delete(expiry.map(|cell| cell.version))),
            (BODY, body.is_some()),
            (
                MEDIA_TYPE,
                body.is_some_and(|body| body.content_type.is_some()),
            ),
            (APART, body.is_some_and(|body| body.apart().is_some())),
        ]
        .into_iter()
        .filter(|(_, set)| *set)
        .fold(0, |all, (flag, _)| all | flag)
    }

    /// Reads a head back; none if that is not one.
    pub(super) fn decode(name: &[u8], bytes: &[u8]) -> Option<Head> {
        let (id, key) = name.split_first_chunk::<{ Id::BYTES }>()?;
        let mut rest = Rest(bytes);
        let flags = u16::from_le_bytes(rest.array()?);
        let has = |flag: u16| flags & flag != 0;
        let value = rest.when(has(VALUE), |rest| rest.version(has(DELETE)))?;
        let expiry = rest.when(has(EXPIRY), |rest| {
            Some(ExpiryCell {
                of: rest.version(has(OF_DELETE))?,
                version: rest.version(has(SET_DELETE))?,
                deadline: rest.when(has(DEADLINE), |rest| rest.u64().map(WallMs))?,
            })
        })?;
        let key = if has(TAIL) {
            let start = key.get(..NAME_KEY_BYTES)?;
            Bytes::from([start, rest.short()?].concat())
        } else {
            Bytes::copy_from_slice(key)
        };
        let body = rest.when(has(BODY), |rest| {
            let len = rest.u64()?;
            let text = rest.when(has(MEDIA_TYPE), |rest| {
                Some(Arc::from(std::str::from_utf8(rest.short()?).ok()?))
            })?;
            let place = if has(APART) {
                Place::Apart(rest.u64()?)
            } else if rest.0.len() as u64 == len {
                Place::Inline(Bytes::copy_from_slice(rest.0))
            } else {
                return None;
            };
            Some(Stored {
                len,
                content_type: text,
                place,
            })
        })?;
        Some(Head {
            key: Key::known(Id::from_bytes(*id), key),
            summary: Summary { value, expiry },
            body,
        })
    }
}

/// The name of a record: its id, then its key, or what fits of that and a hash of the rest.
///
/// Two keys of one id that first differ beyond their 60,000th byte stand in the order of those hashes.
pub(super) fn head_name(key: &Key) -> Vec<u8> {
    let bytes = key.bytes();
    let shown = bytes.len().min(NAME_KEY_BYTES);
    let mut name = Vec::with_capacity(Id::BYTES + shown + 32);
    name.extend_from_slice(&key.id().to_bytes());
    name.extend_from_slice(&bytes[..shown]);
    if shown < bytes.len() {
        name.extend_from_slice(&Sha256::digest(&bytes[shown..]));
    }
    name
}

/// The name of a piece.
pub(super) fn piece_name(number: u64, index: u32) -> [u8; 12] {
    let mut name = [0; 12];
    name[..8].copy_from_slice(&number.to_be_bytes());
    name[8..].copy_from_slice(&index.to_be_bytes());
    name
}

/// The number in a piece's name.
pub(super) fn piece_number(name: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*name.first_chunk()?))
}

/// What is still to be read of a head.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_le_bytes(self.array()?);
        self.take(usize::from(len))
    }

    fn version(&mut self, delete: bool) -> Option<Version> {
        Some(Version {
            stamp: Stamp(self.u64()?),
            delete,
            host: HostId(self.u64()?),
            start: u32::from_le_bytes(self.array()?),
        })
    }

    /// Reads a part that is only there sometimes; `None` only if it should be there and is not.
    fn when<T>(
        &mut self,
        there: bool,
        read: impl FnOnce(&mut Rest<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        if there {
            read(self).map(Some)
        } else {
            Some(None)
        }
    }
}

fn put_version(out: &mut Vec<u8>, version: Version) {
    out.put_u64_le(version.stamp.0);
    out.put_u64_le(version.host.0);
    out.put_u32_le(version.start);
}

/// At most 64 KiB with their length before them: the ends of keys and media types, both shorter.
fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16_le(len);
    out.extend_from_slice(&bytes[..usize::from(len)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MAX_KEY_BYTES;

    fn head(key_bytes: usize, place: Place) -> Head {
        let version = |stamp: u64, delete: bool| Version {
            stamp: Stamp(stamp),
            delete,
            host: HostId(9),
            start: 3,
        };
        Head {
            key: Key::new(vec![b'k'; key_bytes]).unwrap(),
            summary: Summary {
                value: Some(version(7, false)),
                expiry: Some(ExpiryCell {
                    of: version(7, false),
                    version: version(8, true),
                    deadline: Some(WallMs(99)),
                }),
            },
            body: Some(Stored {
                len: 4,
                content_type: Some("text/plain".into()),
                place,
            }),
        }
    }

    #[test]
    fn heads_are_read_back_and_cut_short_they_are_not_heads() {
        for place in [Place::Inline("meow".into()), Place::Apart(77)] {
            for len in [1, 300, NAME_KEY_BYTES, NAME_KEY_BYTES + 1, MAX_KEY_BYTES] {
                let head = head(len, place.clone());
                let (name, bytes) = (head_name(&head.key), head.encode());
                assert!(name.len() < usize::from(u16::MAX));
                assert_eq!(Head::decode(&name, &bytes).as_ref(), Some(&head));
                for cut in 0..bytes.len().min(60) {
                    assert_eq!(Head::decode(&name, &bytes[..cut]), None, "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn two_long_keys_have_two_names() {
        let mut other = vec![b'k'; MAX_KEY_BYTES];
        other[MAX_KEY_BYTES - 1] = b'x';
        let id = Id::from_u64(1);
        let names = [vec![b'k'; MAX_KEY_BYTES], other]
            .map(|bytes| head_name(&Key::known(id, bytes.into())));
        assert_ne!(names[0], names[1]);
    }
}
