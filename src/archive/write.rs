//! Values become an archive.

use bytes::Bytes;
use prost::Message;
use sha1::{Digest, Sha1};

use super::{BROKEN, CHECK_BYTES, END, FRONT_BYTES, ITEM, ItemPb, LAYOUT, MAGIC, PIECE, check};
use crate::message::Item;
use crate::record::PIECE_BYTES;

/// Writes one archive: [`Writer::begin`], any number of [`Writer::item`], [`Writer::end`]. Each gives the bytes that
/// come next. A large value is written by [`Writer::head`] and [`Writer::piece`].
#[derive(Clone, Debug)]
pub struct Writer {
    items: u64,
    hash: Sha1,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

impl Writer {
    /// Nothing is written yet.
    #[must_use]
    pub fn new() -> Writer {
        Writer {
            items: 0,
            hash: Sha1::new(),
        }
    }

    /// How an archive begins.
    pub fn begin(&mut self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&LAYOUT.to_be_bytes());
        bytes.extend_from_slice(&0_u16.to_be_bytes());
        self.hash.update(&bytes);
        bytes
    }

    /// A value. It must be whole.
    ///
    /// # Panics
    /// If it is bare: a value that was read from a ring never is.
    pub fn item(&mut self, item: &Item) -> Vec<u8> {
        assert!(item.body.is_whole(), "only whole values leave a ring");
        let mut bytes = self.head(item);
        for piece in &item.body.pieces {
            let chunks = piece.chunks(PIECE_BYTES);
            chunks.for_each(|chunk| bytes.extend(self.piece(chunk)));
        }
        bytes
    }

    /// A value begins; what is here of its bytes is not written.
    pub fn head(&mut self, item: &Item) -> Vec<u8> {
        let head = ItemPb {
            key: item.key.bytes().clone(),
            len: item.body.len,
            content_type: item.body.content_type.as_deref().map(str::to_owned),
            deadline_ms: item.deadline.map(|deadline| deadline.0),
        };
        self.items += 1;
        self.block(ITEM, &head.encode_to_vec())
    }

    /// The next piece of it: as long as a piece is, or to its end.
    pub fn piece(&mut self, piece: &[u8]) -> Vec<u8> {
        self.block(PIECE, piece)
    }

    /// The value that was begun cannot be had to its end: it is none.
    pub fn broken(&mut self) -> Vec<u8> {
        self.items -= 1;
        self.block(BROKEN, &[])
    }

    fn block(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FRONT_BYTES + payload.len() + CHECK_BYTES);
        put(&mut bytes, kind, payload);
        self.hash.update(&bytes);
        bytes
    }

    /// How it ends.
    #[must_use]
    pub fn end(self) -> Vec<u8> {
        let mut payload = self.items.to_be_bytes().to_vec();
        payload.extend_from_slice(&self.hash.finalize());
        let mut bytes = Vec::new();
        put(&mut bytes, END, &payload);
        bytes
    }

    /// How many values were written.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// The checksum of all that was written so far.
    #[must_use]
    pub fn checksum(&self) -> Bytes {
        Bytes::copy_from_slice(&self.hash.clone().finalize())
    }
}

fn put(bytes: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let len = u32::try_from(payload.len()).expect("a head and a piece are far below 4 GiB");
    let mut front = [kind; FRONT_BYTES];
    front[1..].copy_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(&front);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&check(&front, payload));
}
