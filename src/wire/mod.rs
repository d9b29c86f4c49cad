//! How does a message look as bytes, and what if the bytes are bad?
//!
//! Every message is one *frame*. Here h1 stores "meow" under "cat" at h2, question 9 under roster v3:
//!
//! ```text
//! length           00 00 00 47                   71 bytes follow
//! layout, kind     01 03                         frames of this page; a write
//! header           3d                            its length: 61 bytes
//!   from           09 01 00 00 00 00 00 00 00    field 1: h1
//!   to             11 02 00 00 00 00 00 00 00    field 2: h2
//!   question       19 09 00 00 00 00 00 00 00    field 3: 9
//!   roster         20 03                         field 4: v3
//!   record         42 1e 08 03                   field 8, 30 bytes: a key of 3 bytes,
//!     versions     12 16 0a 14                   of 22 bytes: the value's, of 20:
//!       stamp      09 00 00 07 00 00 00 00 00    millisecond 7, count 0
//!       host       19 01 00 00 00 00 00 00 00    stamped by h1
//!       start      20 02                         in its second life
//!     value        1a 02 08 04                   of 2 bytes: 4 bytes long
//! body             63 61 74                      cat
//!                  6d 65 6f 77                   meow
//! ```
//!
//! The header's schema can grow (protobuf): a field keeps its tag for ever, a later build may add some, an
//! earlier one skips them. The body is never copied on reading: key and value are slices of the frame.
//!
//! *Hold these true*: what [`encode`] wrote, [`decode`] reads back equal, but that a value of more than one
//! piece travels bare; whatever arrives, `decode` gives a message or a [`WireError`], never a panic; nothing
//! is allocated because of a length that was only announced; every number that is counted on later
//! (stamps, versions, rounds, relays) has room left.
//!
//! | limit | value | of what |
//! |---|---|---|
//! | [`MAX_FRAME_BYTES`] | 1 MiB and some | a frame with one key and one piece |
//! | [`MAX_LIST_FRAME_BYTES`] | twice that | a frame with records, versions or peers |
//! | [`MAX_ROSTER_FRAME_BYTES`] | 8 MiB and some | a frame that may carry a roster |
//! | [`MAX_HEADER_BYTES`] | 8 KiB | a header |
//! | [`MAX_LIST_RECORDS`], [`MAX_DIGESTS`] | 65,536, 256 | records or versions, digests in a list |
//! | [`MAX_PEERS`], [`MAX_PATH`] | 4,096, 65,536 | successors or routes, nodes in a trace |
//! | [`MAX_VALUE_BYTES`] | 1 TiB | a value, all its pieces together |
//! | [`MAX_MEDIA_TYPE_BYTES`](crate::record::MAX_MEDIA_TYPE_BYTES), [`MAX_TEXT_BYTES`] | 1 KiB each | a media type, the reason of a refusal |
//! | [`MAX_WALL_MS`], [`MAX_ROUND`], [`MAX_RELAYS`] | 2^47, 2^31, 2^31 | a time, a Paxos round, relays |
//!
//! Left out: compression and checksums (the transport has one). How a long frame is cut on a link, and who may
//! speak at all, is `remote`'s affair.

#[cfg(test)]
pub(crate) mod arbitrary;
mod body;
mod error;
mod find;
mod frame;
mod keep;
mod kind;
mod schema;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use prost::Message as _;

use body::Body;
use kind::{Kind, Speaker};

use crate::message::{Envelope, Message};
use crate::placement::HostId;

pub use body::{MAX_DIGESTS, MAX_LIST_RECORDS, MAX_VALUE_BYTES};
pub use error::WireError;
pub use find::{MAX_PATH, MAX_PEERS, MAX_RELAYS};
pub use frame::{
    MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_LIST_FRAME_BYTES, MAX_ROSTER_FRAME_BYTES, PREFIX_BYTES,
    frame_len,
};
pub use keep::MAX_TEXT_BYTES;
pub use schema::{MAX_ROUND, MAX_WALL_MS};

/// The header of a detector's packet. Tags 1 and 2 are everyone's.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct DetectHeader {
    #[prost(fixed64, tag = "1")]
    from: u64,
    #[prost(fixed64, tag = "2")]
    to: u64,
}

/// A message as a frame.
#[must_use]
pub fn encode(envelope: &Envelope) -> Bytes {
    let mut frame = Vec::new();
    let _all_is_inside = encode_onto(envelope, &mut frame, usize::MAX);
    frame.into()
}

/// Writes a message as a frame behind what `out` has. If the frame ends with a piece of a value of at least
/// `apart` bytes, these are not copied: they are returned, and belong behind what was written.
#[must_use]
pub fn encode_onto(envelope: &Envelope, out: &mut Vec<u8>, apart: usize) -> Option<Bytes> {
    let (host_from, host_to) = (envelope.from.0, envelope.to.0);
    match &envelope.body {
        Message::Find { from, to, message } => {
            let (kind, mut header, body) = find::write(message);
            (header.from, header.to) = (host_from, host_to);
            (header.from_node, header.to_node) = (Some((*from).into()), Some((*to).into()));
            frame::seal(kind, &header, &body, out, apart)
        }
        Message::Keep(message) => {
            let (kind, mut header, body) = keep::write(message);
            (header.from, header.to) = (host_from, host_to);
            frame::seal(kind, &header, &body, out, apart)
        }
        Message::Detect(bytes) => {
            let header = DetectHeader {
                from: host_from,
                to: host_to,
            };
            frame::seal(Kind::Detect, &header, &Body::Bytes(bytes), out, apart)
        }
    }
}

/// Reads a whole frame, from its length on.
///
/// # Errors
/// [`WireError`] says what is wrong. No bytes whatever make this panic.
pub fn decode(frame: Bytes) -> Result<Envelope, WireError> {
    let (kind, header, body) = frame::open(frame)?;
    match kind.speaker() {
        Speaker::Find => {
            let header = find::FindHeader::decode(header)?;
            let (host_from, host_to) = (HostId(header.from), HostId(header.to));
            let (from, to, message) = find::Reader::new(header, body).read(kind)?;
            Ok(Envelope {
                from: host_from,
                to: host_to,
                body: Message::Find { from, to, message },
            })
        }
        Speaker::Keep => {
            let header = keep::KeepHeader::decode(header)?;
            let (from, to) = (HostId(header.from), HostId(header.to));
            let message = keep::Reader::new(header, body).read(kind)?;
            Ok(Envelope {
                from,
                to,
                body: Message::Keep(message),
            })
        }
        Speaker::Detect => {
            let header = DetectHeader::decode(header)?;
            Ok(Envelope {
                from: HostId(header.from),
                to: HostId(header.to),
                body: Message::Detect(body),
            })
        }
    }
}
