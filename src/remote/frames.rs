//! How do messages stand in a stream, and how does a large one let a ping pass?
//!
//! A message is a frame as `wire` has it. One of more than 64 KiB is cut into parts, each a frame of its own:
//!
//! ```text
//!   00 01 00 02  01 f0  00 10 00 5f 01 03 …     a part: the first 64 KiB of a write of 1 MiB
//!   00 00 00 0a  01 f1  00 00 00 00 00 00 04 d2   a ping passes between two parts
//!   00 01 00 02  01 f0  …                       the next part
//! ```
//!
//! Parts of one message follow each other with nothing but pings between them, so no number is needed to put
//! them together. How long the message will be stands at its beginning, is checked against what such a message
//! may have, and room is made for it only as it arrives.

use bytes::{Buf, Bytes, BytesMut};

use super::error::LinkError;
use crate::wire::{PREFIX_BYTES, WireError, frame_len};

/// Bytes of a message in one part.
pub(super) const PART_BYTES: usize = 64 * 1024;

/// The layout of frames, as in `wire`.
const LAYOUT: u8 = 1;

/// A part of a message that is too long to go in one piece.
pub(super) const PART: u8 = 0xf0;

/// Are you there? With eight bytes to be sent back.
pub(super) const PING: u8 = 0xf1;

/// I am, with the bytes of the ping; or unasked, while something arrives or is worked on.
pub(super) const PONG: u8 = 0xf2;

/// No more comes, on purpose.
pub(super) const BYE: u8 = 0xf3;

/// Bytes of a ping or pong.
pub(super) const PING_FRAME: usize = PREFIX_BYTES + 8;

/// A ping or a pong.
pub(super) fn ping(kind: u8, mark: u64) -> [u8; PING_FRAME] {
    let mut out = [0, 0, 0, 10, LAYOUT, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    out[PREFIX_BYTES..].copy_from_slice(&mark.to_be_bytes());
    out
}

/// What the frame is called with which a link ends on purpose.
pub(super) const fn bye() -> [u8; PREFIX_BYTES] {
    [0, 0, 0, 2, LAYOUT, BYE]
}

/// The beginning of a part with so many bytes.
pub(super) fn part_head(len: usize) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = u32::try_from(len + 2).unwrap_or(u32::MAX).to_be_bytes();
    [a, b, c, d, LAYOUT, PART]
}

/// Something whole that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A message's frame, in memory of its own.
    Frame(Bytes),
    Ping(u64),
    Pong(u64),
    Bye,
}

/// A message of which some parts are here.
struct Parts {
    need: usize,
    have: BytesMut,
}

/// Reads frames out of a stream: bytes in, whole things out. Knows no socket.
pub(super) struct Frames {
    /// Whether messages may come; on the way back only pongs do.
    control_only: bool,
    pub(super) buf: BytesMut,
    parts: Option<Parts>,
}

impl Frames {
    /// For the acceptor, who hears everything.
    pub(super) fn all() -> Frames {
        Frames {
            control_only: false,
            buf: BytesMut::new(),
            parts: None,
        }
    }

    /// For the dialler, who hears only control.
    pub(super) fn control() -> Frames {
        Frames {
            control_only: true,
            ..Frames::all()
        }
    }

    /// Bytes kept for what is not whole yet.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let parts = self.parts.as_ref().map_or(0, |parts| parts.have.capacity());
        self.buf.capacity() + parts
    }

    /// The next whole thing, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Item>, LinkError> {
        loop {
            let Some(prefix) = self.buf.first_chunk::<PREFIX_BYTES>().copied() else {
                return Ok(None);
            };
            let len = self.len(prefix)?;
            if self.buf.len() < len {
                return Ok(None);
            }
            let kind = prefix[PREFIX_BYTES - 1];
            let item = match kind {
                PART => self.part(len)?,
                PING | PONG | BYE => {
                    self.buf.advance(PREFIX_BYTES);
                    Some(match kind {
                        PING => Item::Ping(self.buf.get_u64()),
                        PONG => Item::Pong(self.buf.get_u64()),
                        _ => Item::Bye,
                    })
                }
                _ => {
                    // Copied, so that a small record that is kept does not keep all that came with it.
                    let frame = Bytes::copy_from_slice(&self.buf[..len]);
                    self.buf.advance(len);
                    Some(Item::Frame(frame))
                }
            };
            if item.is_some() {
                return Ok(item);
            }
        }
    }

    // region: len
    /// How long the frame is that begins so, its prefix included; refused before any of it is waited for.
    fn len(&self, prefix: [u8; PREFIX_BYTES]) -> Result<usize, LinkError> {
        let [a, b, c, d, layout, kind] = prefix;
        let declared = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let len = declared.saturating_add(4);
        if kind < PART {
            if self.control_only {
                return Err(LinkError::Part("only pongs come this way"));
            }
            if self.parts.is_some() {
                return Err(LinkError::Part("another message begins inside one"));
            }
            let len = frame_len(prefix)?;
            let limit = PART_BYTES;
            return if len <= limit {
                Ok(len)
            } else {
                Err(WireError::TooLarge { len, limit }.into())
            };
        }
        if layout != LAYOUT {
            return Err(WireError::Layout(layout).into());
        }
        match kind {
            PART if self.control_only => Err(LinkError::Part("only pongs come this way")),
            PART if len <= PREFIX_BYTES => Err(LinkError::Part("it is empty")),
            PART if len <= PREFIX_BYTES + PART_BYTES => Ok(len),
            PART => Err(LinkError::Part("it is too long")),
            PING | PONG if len == PING_FRAME => Ok(len),
            BYE if len == PREFIX_BYTES => Ok(len),
            PING | PONG | BYE => Err(LinkError::Part("its length is wrong")),
            other => Err(WireError::Kind(other).into()),
        }
    }
    // endregion: len

    /// Puts the part at the front to its message; the message, if that was the last.
    fn part(&mut self, len: usize) -> Result<Option<Item>, LinkError> {
        self.buf.advance(PREFIX_BYTES);
        let len = len - PREFIX_BYTES;
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => Parts {
                need: self.begin(len)?,
                have: BytesMut::new(),
            },
        };
        let missing = parts.need - parts.have.len();
        if len > missing {
            return Err(LinkError::Part("it goes on behind the end of its message"));
        }
        if parts.have.capacity() - parts.have.len() < len {
            // As much again as has arrived, and the exact rest at the end.
            let more = parts.have.len().max(4 * PART_BYTES).min(missing);
            parts.have.reserve(more.max(len));
        }
        parts.have.extend_from_slice(&self.buf[..len]);
        self.buf.advance(len);
        if parts.have.len() == parts.need {
            return Ok(Some(Item::Frame(parts.have.freeze())));
        }
        self.parts = Some(parts);
        Ok(None)
    }

    /// How long the message will be whose first part, of `len` bytes, is at the front.
    fn begin(&self, len: usize) -> Result<usize, LinkError> {
        let first = self.buf[..len].first_chunk::<PREFIX_BYTES>();
        let prefix = *first.ok_or(LinkError::Part("its message has no beginning"))?;
        let need = frame_len(prefix)?;
        if need <= PART_BYTES {
            return Err(LinkError::Part("its message needs none"));
        }
        Ok(need)
    }
}

#[cfg(test)]
mod tests;
