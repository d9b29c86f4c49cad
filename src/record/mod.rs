//! What is stored under a key, and which of two writes is the newer one?
//!
//! ```text
//! Key "cat" -> Id 9d989e8d…            where it lies on the circle
//! Cells                                what is kept there
//!   value   Version 1700000000123.0@h3/1   "meow" in pieces of at most 1 MiB
//!   expiry  of that version, until …
//! ```
//!
//! *Hold these true*: of two writes the one with the greater [`Version`] wins, wherever they meet; a
//! version belongs to one write for ever; a key's cells only grow.
//!
//! Left out on purpose: compare-and-set and counters. A last-writer-wins register cannot honour them.

mod cells;
mod guard;
mod key;
mod marks;
mod time;
mod version;

pub use cells::{
    Body, Cells, ExpiryCell, MAX_MEDIA_TYPE_BYTES, PIECE_BYTES, Record, Summary, ValueCell,
};
pub use guard::{Guard, Mark};
pub use key::{Key, KeyError, MAX_KEY_BYTES};
pub use marks::{MAX_MARKS, Marks, MarksFull};
pub use time::{Now, Time, WallMs};
pub use version::{Clock, Stamp, Version};
