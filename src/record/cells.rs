//! What is kept under a key: two cells that only grow.
//!
//! ```text
//! value   version 7   "hello"            the newest put or delete
//! expiry  of 7, set at 9, until 12:00    bound to the version it was set for
//! ```
//!
//! [`Cells::merge`] keeps the greater of each, so it does not matter in which order, how often, or by
//! which road two replicas hear of a write: they end equal. That is what lets hints, repair, moves and
//! late messages all be the same operation. Expiry is a cell of its own because a value must never be
//! rewritten to change its time to live: that would give one value two versions.
//!
//! *Hold these true*: merge is commutative, associative and idempotent; an expiry cell has no effect on
//! any version but its own; an expired value stays, as absent, and never uncovers an older one.

use std::sync::Arc;

use bytes::Bytes;

use super::{Key, Version, WallMs};

/// A value travels and is stored in pieces of at most this many bytes.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// The longest media type, in bytes. A longer one is refused.
pub const MAX_MEDIA_TYPE_BYTES: usize = 1024;

/// A value: any bytes in pieces, and what it says it is.
///
/// A body is *whole* when all its pieces are here. A large one travels *bare*: its length only, and the
/// receiver pulls the pieces one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The length of the whole value in bytes.
    pub len: u64,
    /// The media type the writer gave, if any.
    pub content_type: Option<Arc<str>>,
    /// Its pieces, each [`PIECE_BYTES`] long but the last; none if the body is bare (or empty).
    pub pieces: Vec<Bytes>,
}

impl Body {
    /// A whole body of these bytes, cut into pieces without copying.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Body {
        let mut rest: Bytes = bytes.into();
        let len = rest.len() as u64;
        let mut pieces = Vec::with_capacity(rest.len().div_ceil(PIECE_BYTES));
        while !rest.is_empty() {
            pieces.push(rest.split_to(rest.len().min(PIECE_BYTES)));
        }
        Body {
            len,
            content_type: None,
            pieces,
        }
    }

    /// How many pieces the whole value has.
    #[must_use]
    pub const fn piece_count(&self) -> u64 {
        self.len.div_ceil(PIECE_BYTES as u64)
    }

    /// How long piece `index` is: [`PIECE_BYTES`], less for the last one, 0 beyond it.
    #[must_use]
    pub const fn piece_len(&self, index: u64) -> u64 {
        let rest = self
            .len
            .saturating_sub(index.saturating_mul(PIECE_BYTES as u64));
        if rest < PIECE_BYTES as u64 {
            rest
        } else {
            PIECE_BYTES as u64
        }
    }

    /// Whether every piece is here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.pieces.len() as u64 == self.piece_count()
    }

    /// The same body without its pieces, unless it fits into one.
    #[must_use]
    pub fn for_travel(&self) -> Body {
        let pieces = if self.piece_count() <= 1 {
            self.pieces.clone()
        } else {
            Vec::new()
        };
        Body {
            len: self.len,
            content_type: self.content_type.clone(),
            pieces,
        }
    }

    /// All bytes in one buffer; copies if there are several pieces.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            many => many.concat().into(),
        }
    }
}

/// The newest put or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCell {
    /// Its version.
    pub version: Version,
    /// The value; `None` is a tombstone: the key was deleted at this version.
    pub body: Option<Body>,
}

/// Until when a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpiryCell {
    /// The version of the value it was set for: it has no effect on any other.
    pub of: Version,
    /// When it was set; the later setting wins.
    pub version: Version,
    /// From this wall time on the value is absent; `None`: it lives for ever.
    pub deadline: Option<WallMs>,
}

/// What a replica holds under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// The newest put or delete that was heard of, if any.
    pub value: Option<ValueCell>,
    /// The newest expiry that was heard of, if any.
    pub expiry: Option<ExpiryCell>,
}

/// The versions of [`Cells`], without the value: what a query returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Summary {
    /// The version of the value cell.
    pub value: Option<Version>,
    /// The expiry cell.
    pub expiry: Option<ExpiryCell>,
}

impl Summary {
    /// Keeps the greater of each cell.
    pub fn merge(&mut self, other: Summary) {
        self.value = self.value.max(other.value);
        self.expiry = self.expiry.max(other.expiry);
    }

    /// Whether what `other` says is already known here.
    #[must_use]
    pub fn covers(&self, other: &Summary) -> bool {
        self.value >= other.value && self.expiry >= other.expiry
    }

    /// The greatest stamp in it: a new write must lie above.
    #[must_use]
    pub fn greatest(&self) -> Option<Version> {
        self.value.max(self.expiry.map(|cell| cell.version))
    }

    // region: deadline
    /// The value's deadline, if an expiry cell for just this version sets one.
    #[must_use]
    pub fn deadline(&self) -> Option<WallMs> {
        let cell = self.expiry?;
        if Some(cell.of) == self.value {
            cell.deadline
        } else {
            None
        }
    }
    // endregion: deadline

    /// The version a reader would see now: none if deleted, expired or never written.
    #[must_use]
    pub fn live(&self, wall: WallMs) -> Option<Version> {
        let version = self.value.filter(|version| !version.delete)?;
        if self.deadline().is_some_and(|deadline| deadline <= wall) {
            None
        } else {
            Some(version)
        }
    }
}

impl Cells {
    /// The versions of both cells.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            value: self.value.as_ref().map(|cell| cell.version),
            expiry: self.expiry,
        }
    }

    /// Keeps the greater of each cell. Of two equal versions the one whose body is whole stays.
    pub fn merge(&mut self, other: Cells) {
        if let Some(theirs) = other.value {
            let newer = self
                .value
                .as_ref()
                .is_none_or(|mine| theirs.version > mine.version);
            if newer {
                self.value = Some(theirs);
            }
        }
        self.expiry = self.expiry.max(other.expiry);
    }

    /// The body a reader would see now.
    #[must_use]
    pub fn live(&self, wall: WallMs) -> Option<(Version, &Body)> {
        let version = self.summary().live(wall)?;
        let body = self.value.as_ref()?.body.as_ref()?;
        Some((version, body))
    }

    /// The same cells with large values bare.
    #[must_use]
    pub fn for_travel(&self) -> Cells {
        let value = self.value.as_ref().map(|cell| ValueCell {
            version: cell.version,
            body: cell.body.as_ref().map(Body::for_travel),
        });
        Cells {
            value,
            expiry: self.expiry,
        }
    }

    /// Whether the value, if there is one, is here with all its pieces.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let body = self.value.as_ref().and_then(|cell| cell.body.as_ref());
        body.is_none_or(Body::is_whole)
    }

    /// The length of the value, here or not.
    #[must_use]
    pub fn value_len(&self) -> u64 {
        self.value
            .as_ref()
            .and_then(|cell| cell.body.as_ref())
            .map_or(0, |body| body.len)
    }

    /// The bytes of value held here.
    #[must_use]
    pub fn value_bytes(&self) -> u64 {
        let body = self.value.as_ref().and_then(|cell| cell.body.as_ref());
        body.map_or(0, |body| {
            body.pieces.iter().map(|piece| piece.len() as u64).sum()
        })
    }
}

/// A key with what is kept under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Key,
    /// Its cells.
    pub cells: Cells,
}
