//! What a caller may write where a key is wanted.

use bytes::Bytes;

use crate::record::{Key, KeyError};

/// What can be taken for a key: any bytes, or a [`Key`] already made.
pub trait IntoKey {
    /// The key.
    ///
    /// # Errors
    /// If the bytes are none or too many.
    fn into_key(self) -> Result<Key, KeyError>;
}

impl IntoKey for Key {
    fn into_key(self) -> Result<Key, KeyError> {
        Ok(self)
    }
}

impl IntoKey for &Key {
    fn into_key(self) -> Result<Key, KeyError> {
        Ok(self.clone())
    }
}

impl IntoKey for &str {
    fn into_key(self) -> Result<Key, KeyError> {
        Key::new(Bytes::copy_from_slice(self.as_bytes()))
    }
}

impl IntoKey for String {
    fn into_key(self) -> Result<Key, KeyError> {
        Key::new(self)
    }
}

impl IntoKey for Vec<u8> {
    fn into_key(self) -> Result<Key, KeyError> {
        Key::new(self)
    }
}

impl IntoKey for Bytes {
    fn into_key(self) -> Result<Key, KeyError> {
        Key::new(self)
    }
}
