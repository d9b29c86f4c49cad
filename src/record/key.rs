//! Keys: any bytes, one at least, 64 KiB at most.

use std::fmt;

use bytes::Bytes;

use crate::keyspace::Id;

/// The longest key, in bytes. A longer one is refused.
pub const MAX_KEY_BYTES: usize = 64 * 1024;

/// A key and its place on the circle.
///
/// Records are kept under id *and* key, so two keys that share a SHA-1 are both kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    id: Id,
    bytes: Bytes,
}

/// Why some bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The empty key.
    #[error("a key needs at least one byte")]
    Empty,
    /// Longer than [`MAX_KEY_BYTES`].
    #[error(
        "a key of {0} bytes is too long: at most {MAX_KEY_BYTES} bytes; store the long part in the value"
    )]
    TooLong(usize),
}

impl Key {
    /// A key of these bytes; its id is their SHA-1.
    ///
    /// # Errors
    /// None of zero bytes, nor of more than [`MAX_KEY_BYTES`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Key, KeyError> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(KeyError::Empty),
            n if n > MAX_KEY_BYTES => Err(KeyError::TooLong(n)),
            _ => Ok(Key {
                id: Id::of(&bytes),
                bytes,
            }),
        }
    }

    /// The content-addressed key of a value: the SHA-1 of the value in 40 hexadecimal digits.
    #[must_use]
    pub fn of_content(pieces: &[Bytes]) -> Key {
        let hex = Id::of_pieces(pieces).to_string();
        Key {
            id: Id::of(hex.as_bytes()),
            bytes: Bytes::from(hex),
        }
    }

    /// A key whose id is known already, read back from where it was kept: hashing it again would be waste.
    pub(crate) const fn known(id: Id, bytes: Bytes) -> Key {
        Key { id, bytes }
    }

    /// Where the key lies on the circle.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// The key itself.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl fmt::Display for Key {
    /// As text where it is printable, with `\x..` for the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes.escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_limits() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert!(Key::new(vec![0; MAX_KEY_BYTES]).is_ok());
        assert_eq!(
            Key::new(vec![0; MAX_KEY_BYTES + 1]),
            Err(KeyError::TooLong(65_537))
        );
    }

    #[test]
    fn a_content_key_is_the_hash_of_the_value() {
        let text = Bytes::from_static(b"This is a test document.");
        let key = Key::of_content(&[text.slice(..4), text.slice(4..)]);
        assert_eq!(key.to_string(), "cb80455993111c16fd13e70125852aefc911f31e");
        assert_eq!(key, Key::new(key.bytes().clone()).unwrap());
    }
}
