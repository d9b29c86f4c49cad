//! The key of a value by its content, found while the value passes, piece by piece.

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::keyspace::Id;
use crate::record::Key;

/// The SHA-1 of what has passed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Content(Sha1);

impl Content {
    /// The next piece.
    pub(super) fn add(&mut self, piece: &Bytes) {
        self.0.update(piece);
    }

    /// All of it has passed: the key it names.
    pub(super) fn key(self) -> Key {
        let hex = Id::from_bytes(self.0.finalize().into()).to_string();
        Key::new(hex).expect("forty digits are a key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_by_piece_it_is_the_key_of_the_whole() {
        let pieces = [
            Bytes::from_static(b"This is a "),
            Bytes::from_static(b"test."),
        ];
        let mut content = Content::default();
        pieces.iter().for_each(|piece| content.add(piece));
        assert_eq!(content.key(), Key::of_content(&pieces));
    }
}
