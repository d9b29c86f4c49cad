//! An archive becomes values, if it is one.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use sha1::{Digest, Sha1};

use super::{
    ArchiveError, BROKEN, CHECK_BYTES, END, FRONT_BYTES, ITEM, ItemPb, LAYOUT, MAGIC,
    MAX_BLOCK_BYTES, MAX_VALUE_BYTES, MAY_BE_SKIPPED, PIECE, check,
};
use crate::message::Item;
use crate::record::{Body, Key, MAX_MEDIA_TYPE_BYTES, PIECE_BYTES, WallMs};

/// What comes next in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A value of at most a piece.
    Item(Item),
    /// A longer one begins, bare. Its pieces follow; it is whole when they are as many bytes as it says.
    Large(Item),
    /// The next piece of it.
    Piece(Bytes),
    /// No more of it comes, and it is none: it could not be read to its end when the archive was written.
    Broken,
    /// Its end: all of it was read, and its checksum fits.
    End {
        /// How many values it holds.
        items: u64,
    },
}

/// Reads one archive: [`Reader::feed`] it bytes as they come, and take what is whole with [`Reader::next`].
#[derive(Debug)]
pub struct Reader {
    bytes: BytesMut,
    began: bool,
    ended: bool,
    /// A value whose pieces have not all come.
    coming: Option<Item>,
    /// How many bytes of it have come, if it is given out piece by piece.
    given: u64,
    items: u64,
    hash: Sha1,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new()
    }
}

impl Reader {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Reader {
        Reader {
            bytes: BytesMut::new(),
            began: false,
            ended: false,
            coming: None,
            given: 0,
            items: 0,
            hash: Sha1::new(),
        }
    }

    /// The next bytes of the archive.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole part; none if it has not come yet.
    ///
    /// # Errors
    /// If this is no archive, or not the one that was written. Nothing further can be read then.
    #[expect(
        clippy::should_implement_trait,
        reason = "none means: feed it more, not that there is no more"
    )]
    pub fn next(&mut self) -> Result<Option<Part>, ArchiveError> {
        if !self.began && !self.head()? {
            return Ok(None);
        }
        while !self.ended
            && let Some((kind, payload)) = self.block()?
        {
            if let Some(part) = self.take(kind, &payload)? {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// No more bytes will come.
    ///
    /// # Errors
    /// If the archive has not ended.
    pub const fn close(&self) -> Result<(), ArchiveError> {
        if self.ended {
            Ok(())
        } else {
            Err(ArchiveError::Cut { item: self.items })
        }
    }

    /// How many values were read.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.items
    }

    fn damaged(&self, what: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged {
            item: self.items,
            what: what.into(),
        }
    }

    /// The head of the file: whether it is here.
    fn head(&mut self) -> Result<bool, ArchiveError> {
        let seen = self.bytes.len().min(MAGIC.len());
        if self.bytes[..seen] != MAGIC[..seen] {
            return Err(ArchiveError::Magic);
        }
        let fixed = MAGIC.len() + 4;
        let Some(mut numbers) = self.bytes.get(MAGIC.len()..fixed) else {
            return Ok(false);
        };
        let (layout, more) = (numbers.get_u16(), usize::from(numbers.get_u16()));
        if layout != LAYOUT {
            return Err(ArchiveError::Layout(layout));
        }
        if self.bytes.len() < fixed + more {
            return Ok(false);
        }
        let head = self.bytes.split_to(fixed + more);
        self.hash.update(&head);
        self.began = true;
        Ok(true)
    }

    /// The next block, if it is here.
    fn block(&mut self) -> Result<Option<(u8, Bytes)>, ArchiveError> {
        let Some(mut front) = self.bytes.get(..FRONT_BYTES) else {
            return Ok(None);
        };
        let (kind, len) = (front.get_u8(), front.get_u32());
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > MAX_BLOCK_BYTES {
            let most = MAX_BLOCK_BYTES;
            return Err(self.damaged(format!("a block of {len} bytes, at most {most} there are")));
        }
        let all = FRONT_BYTES + len + CHECK_BYTES;
        if self.bytes.len() < all {
            return Ok(None);
        }
        let block = self.bytes.split_to(all).freeze();
        let payload = block.slice(FRONT_BYTES..FRONT_BYTES + len);
        if check(&block[..FRONT_BYTES], &payload) != block[FRONT_BYTES + len..] {
            return Err(self.damaged("a block's check does not fit"));
        }
        if kind != END {
            self.hash.update(&block);
        }
        Ok(Some((kind, payload)))
    }

    /// What a block means: a value, a part of one, the end, or nothing yet.
    fn take(&mut self, kind: u8, payload: &Bytes) -> Result<Option<Part>, ArchiveError> {
        match kind {
            ITEM if self.coming.is_some() => {
                Err(self.damaged("a value ends before its last piece"))
            }
            ITEM => {
                let item = self.item(payload)?;
                self.coming = Some(item.clone());
                self.given = 0;
                Ok(match item.body.piece_count() {
                    0 | 1 => self.whole(),
                    _ => Some(Part::Large(item)),
                })
            }
            PIECE => {
                let Some(item) = self.coming.as_mut().filter(|_| !payload.is_empty()) else {
                    return Err(self.damaged("a piece of no value"));
                };
                let index = self.given / PIECE_BYTES as u64;
                if payload.len() as u64 != item.body.piece_len(index) {
                    return Err(self.damaged("a piece of another length than its value says"));
                }
                if item.body.piece_count() <= 1 {
                    item.body.pieces.push(payload.clone());
                    return Ok(self.whole());
                }
                self.given += payload.len() as u64;
                if self.given == item.body.len {
                    self.coming = None;
                    self.items += 1;
                }
                Ok(Some(Part::Piece(payload.clone())))
            }
            BROKEN => match self.coming.take() {
                Some(item) if payload.is_empty() && item.body.piece_count() > 1 => {
                    Ok(Some(Part::Broken))
                }
                Some(_) | None => Err(self.damaged("no value is here to be broken off")),
            },
            END => self.end(payload).map(Some),
            kind if kind >= MAY_BE_SKIPPED => Ok(None),
            kind => Err(ArchiveError::Kind {
                item: self.items,
                kind,
            }),
        }
    }

    fn item(&self, payload: &Bytes) -> Result<Item, ArchiveError> {
        let read = ItemPb::decode(payload.clone());
        let read = read.map_err(|error| self.damaged(error.to_string()))?;
        let key = Key::new(read.key).map_err(|error| self.damaged(error.to_string()))?;
        if read.len > MAX_VALUE_BYTES {
            return Err(self.damaged(format!("a value of {} bytes", read.len)));
        }
        let content_type = read.content_type;
        if content_type
            .as_ref()
            .is_some_and(|text| text.len() > MAX_MEDIA_TYPE_BYTES)
        {
            return Err(self.damaged("a media type that is too long"));
        }
        Ok(Item {
            key,
            body: Body {
                len: read.len,
                content_type: content_type.map(Into::into),
                pieces: Vec::new(),
            },
            deadline: read.deadline_ms.map(WallMs),
        })
    }

    /// The value whose pieces were coming, if they are all here.
    fn whole(&mut self) -> Option<Part> {
        let item = self.coming.take_if(|item| item.body.is_whole())?;
        self.items += 1;
        Some(Part::Item(item))
    }

    fn end(&mut self, mut payload: &[u8]) -> Result<Part, ArchiveError> {
        if self.coming.is_some() || payload.len() != 28 {
            return Err(self.damaged("the last block does not fit"));
        }
        let items = payload.get_u64();
        if items != self.items || *payload != *self.hash.clone().finalize() {
            return Err(ArchiveError::Checksum);
        }
        self.ended = true;
        Ok(Part::End { items })
    }
}

#[cfg(test)]
mod tests;
