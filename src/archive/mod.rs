//! How do values leave one ring, and come into another, as a file?
//!
//! ```text
//! ROUNDELAY-EXPORT | 1 | 0                              what it is, its layout, bytes of a longer head that follow
//! 1 | 24 | key "cat", 4 bytes, text/plain | check       a value begins: its head
//! 2 |  4 | meow                           | check       its pieces, 1 MiB at most each
//! 1 | 19 | key "dog", 4 bytes, until …    | check
//! 2 |  4 | woof                           | check
//! 1 | 21 | key "film", 300 MiB            | check
//! 2 | 1 MiB | …                           | check
//! 4 |  0 |                                | check       it was overwritten while it was read: it is none, and comes again
//! 3 | 28 | 2 values, SHA-1 of all before  | check       the end
//! ```
//!
//! Numbers are big-endian. A block is its kind (1 byte), its length (4), its payload, and the first 8 bytes of the
//! SHA-1 of those three: so a damaged block is refused before anything of it is used. The last block holds the number
//! of values (8) and the SHA-1 (20) of the whole file before it: so a file that was cut off, or put together from two,
//! is no archive.
//!
//! A later version may add fields to the head of a value, which is a protobuf message, bytes to the head of the file,
//! and blocks of the kinds 128 to 255: this version skips them all. Whatever it must not skip, it refuses.
//!
//! This part only turns values into bytes and back: [`Writer`] and [`Reader`]. It opens no file.
//!
//! ```
//! use roundelay::archive::{Part, Reader, Writer};
//! use roundelay::message::Item;
//! use roundelay::record::{Body, Key};
//!
//! let item = Item { key: Key::new("cat")?, body: Body::new("meow"), deadline: None };
//! let mut writer = Writer::new();
//! let mut file = writer.begin();
//! file.extend(writer.item(&item));
//! file.extend(writer.end());
//!
//! let mut reader = Reader::new();
//! reader.feed(&file);
//! assert_eq!(reader.next()?, Some(Part::Item(item)));
//! assert_eq!(reader.next()?, Some(Part::End { items: 1 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Hold these true*: what was written is read back; nothing is taken for a value that was not written whole; what is
//! kept while reading is one block, and one value of at most a piece: a longer one is given piece by piece.

mod read;
mod write;

use prost::Message;
use sha1::{Digest, Sha1};

pub use read::{Part, Reader};
pub use write::Writer;

/// What an archive begins with.
pub const MAGIC: &[u8; 16] = b"ROUNDELAY-EXPORT";

/// The layout described here.
pub const LAYOUT: u16 = 1;

/// The longest payload of a block, in bytes; a longer one is refused. A head has a key (64 KiB) and little more, a piece
/// has 1 MiB.
pub const MAX_BLOCK_BYTES: usize = 1024 * 1024 + 128 * 1024;

/// The longest value, in bytes; one whose head says that it is longer is refused.
pub const MAX_VALUE_BYTES: u64 = 1 << 32;

const ITEM: u8 = 1;
const PIECE: u8 = 2;
const END: u8 = 3;
const BROKEN: u8 = 4;

/// Blocks of this kind and above are skipped by who does not know them.
const MAY_BE_SKIPPED: u8 = 128;

/// Bytes of a block's kind and length.
const FRONT_BYTES: usize = 5;

/// Bytes of a block's check.
const CHECK_BYTES: usize = 8;

/// What stands before a value.
#[derive(Clone, PartialEq, Message)]
struct ItemPb {
    #[prost(bytes = "bytes", tag = "1")]
    key: bytes::Bytes,
    #[prost(uint64, tag = "2")]
    len: u64,
    #[prost(string, optional, tag = "3")]
    content_type: Option<String>,
    #[prost(uint64, optional, tag = "4")]
    deadline_ms: Option<u64>,
}

/// Why bytes are no archive. Values read before it were whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It begins otherwise.
    #[error("this is no archive of roundelay: it begins otherwise")]
    Magic,
    /// Its layout is of a later version.
    #[error("this archive has layout {0}, this program reads layout {LAYOUT}: use a later one")]
    Layout(u16),
    /// A block that must not be skipped is not known.
    #[error("value {item}: a block of kind {kind} is not known here: a later program wrote it")]
    Kind {
        /// After how many values.
        item: u64,
        /// Its kind.
        kind: u8,
    },
    /// A block is not what was written.
    #[error("value {item}: {what}: the archive is damaged from here on; what came before is whole")]
    Damaged {
        /// After how many values.
        item: u64,
        /// What does not fit.
        what: String,
    },
    /// The whole is not what was written, though each block is.
    #[error(
        "the checksum of the whole archive does not fit: blocks are missing, doubled or foreign"
    )]
    Checksum,
    /// It ends before its end.
    #[error("the archive ends after {item} values, without its last block: it was cut off")]
    Cut {
        /// After how many values.
        item: u64,
    },
}

/// What stands behind a block's payload.
fn check(front: &[u8], payload: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hash = Sha1::new();
    hash.update(front);
    hash.update(payload);
    let hash = hash.finalize();
    std::array::from_fn(|at| hash[at])
}
