//! The outer shape of a message: lengths, kind, header, body.
//!
//! ```text
//! u32 length | u8 layout | u8 kind | header's length, header | body
//! └──────── prefix: 6 bytes ──────┘└──── of the kind's limit at most ────┘
//! ```
//!
//! *Hold this true*: whoever reads from a stream knows after the prefix how much to wait for, or that it is too much.

use bytes::{Buf, BufMut, Bytes};
use prost::Message;

use super::WireError;
use super::body::Body;
use super::kind::Kind;
use crate::record::{MAX_KEY_BYTES, PIECE_BYTES};
use crate::roster::MAX_ROSTER_BYTES;

/// The layout of frames described here.
pub(super) const LAYOUT: u8 = 1;

/// Bytes before the header's length: u32 length, u8 layout, u8 kind.
pub const PREFIX_BYTES: usize = 6;

/// Bytes of most headers, at most: so much room is made.
const USUAL_HEADER_BYTES: usize = 96;

/// Bytes a header may have.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The largest ordinary frame: one key and one piece of a value, and their header.
pub const MAX_FRAME_BYTES: usize =
    PREFIX_BYTES + 4 + MAX_HEADER_BYTES + MAX_KEY_BYTES + PIECE_BYTES;

/// The largest frame that holds a list: of records, of versions, of peers. A chunk of a move ends once it
/// has collected a certain number of bytes, so it may hold that many and one record more.
pub const MAX_LIST_FRAME_BYTES: usize = 2 * MAX_FRAME_BYTES;

/// The largest frame that holds a roster.
pub const MAX_ROSTER_FRAME_BYTES: usize = PREFIX_BYTES + 4 + MAX_HEADER_BYTES + MAX_ROSTER_BYTES;

/// How many bytes the frame that begins so has, the prefix included: what a reader of a stream must wait
/// for, and no more than it may safely make room for.
///
/// # Errors
/// If no frame can begin so, or it is larger than its kind may be.
pub fn frame_len(prefix: [u8; PREFIX_BYTES]) -> Result<usize, WireError> {
    let [a, b, c, d, layout, kind] = prefix;
    if layout != LAYOUT {
        return Err(WireError::Layout(layout));
    }
    let kind = Kind::of(kind)?;
    let declared = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let len = declared.saturating_add(4);
    if len > kind.limit() {
        return Err(WireError::TooLarge {
            len,
            limit: kind.limit(),
        });
    }
    Ok(len)
}

/// Writes a frame behind what `out` has, in one go: nothing is copied twice, but a long header by a byte. A piece of a value of at least
/// `apart` bytes with which the frame ends is not copied at all, but returned.
pub(super) fn seal(
    kind: Kind,
    header: &impl Message,
    body: &Body<'_>,
    out: &mut Vec<u8>,
    apart: usize,
) -> Option<Bytes> {
    let tail = body.tail().filter(|tail| tail.len() >= apart);
    let tail_len = tail.map_or(0, Bytes::len);
    let body_len = body.len_hint().saturating_sub(tail_len);
    out.reserve(PREFIX_BYTES + 1 + USUAL_HEADER_BYTES + body_len);
    let start = out.len();
    out.put_u32(0);
    out.put_u8(LAYOUT);
    out.put_u8(kind as u8);
    put_delimited(header, out);
    match tail {
        Some(_) => body.write_head(out),
        None => body.write(out),
    }
    // A frame beyond 4 GiB would be refused by every reader; so is one that says it has 4 GiB.
    let len = u32::try_from(out.len() - start - 4 + tail_len).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    tail.cloned()
}

/// Writes a header behind its length. Mostly that is one byte, so one is left free for it: to compute the length first
/// would go through all fields once more.
fn put_delimited(header: &impl Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.put_u8(0);
    header.encode(out).expect("a Vec grows as needed");
    let len = out.len() - start - 1;
    match u8::try_from(len).ok().filter(|len| *len <= 0x7f) {
        Some(len) => out[start] = len,
        None => {
            let mut says = Vec::with_capacity(prost::length_delimiter_len(len));
            prost::encode_length_delimiter(len, &mut says).expect("a Vec grows as needed");
            out.splice(start..=start, says);
        }
    }
}

/// Takes a frame apart into its kind, header and body. The parts share its memory.
pub(super) fn open(mut frame: Bytes) -> Result<(Kind, Bytes, Bytes), WireError> {
    let have = frame.len();
    let prefix = frame.first_chunk().ok_or(WireError::Short {
        need: PREFIX_BYTES,
        have,
    })?;
    let kind = prefix[PREFIX_BYTES - 1];
    let len = frame_len(*prefix)?;
    if have < len {
        return Err(WireError::Short { need: len, have });
    }
    if have > len {
        return Err(WireError::Extra(have - len));
    }
    frame.advance(PREFIX_BYTES);
    let header = take_delimited(&mut frame, MAX_HEADER_BYTES)?;
    Ok((Kind::of(kind)?, header, frame))
}

/// Takes as many bytes from the front as the number there says, at most `limit`.
pub(super) fn take_delimited(bytes: &mut Bytes, limit: usize) -> Result<Bytes, WireError> {
    let len = prost::decode_length_delimiter(&mut *bytes)?;
    if len > limit {
        return Err(WireError::TooLarge { len, limit });
    }
    take(bytes, len)
}

/// Takes so many bytes from the front.
pub(super) fn take(bytes: &mut Bytes, len: usize) -> Result<Bytes, WireError> {
    if len > bytes.len() {
        return Err(WireError::Short {
            need: len,
            have: bytes.len(),
        });
    }
    Ok(bytes.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_tells_the_length_or_why_not() {
        assert_eq!(frame_len([0, 0, 1, 0, LAYOUT, Kind::Ask as u8]), Ok(260));
        assert_eq!(frame_len([0, 0, 1, 0, 9, 1]), Err(WireError::Layout(9)));
        let huge = frame_len([255, 255, 255, 255, LAYOUT, Kind::Ask as u8]);
        assert!(matches!(
            huge,
            Err(WireError::TooLarge {
                limit: MAX_FRAME_BYTES,
                ..
            })
        ));
    }
}
