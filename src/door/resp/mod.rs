//! How do Redis clients write, and how are they answered?
//!
//! A command is an array of strings, each with its length before it; whoever types by hand sends a line instead.
//! `SET cat meow` in both ways, and the answer:
//!
//! ```text
//! *3 CR LF               three strings follow          set cat meow LF
//! $3 CR LF SET CR LF     one of 3 bytes
//! $3 CR LF cat CR LF
//! $4 CR LF meow CR LF    the value
//!
//! +OK CR LF
//! ```
//!
//! *Hold these true*: whatever arrives, the [`Parser`] gives a command, an error, or waits for more: it does not
//! panic, calls nothing recursively, looks at each byte once, and allocates for what has come, not for what is
//! announced. A short argument is a slice of what was read; a long one comes in pieces of its own, so that a
//! stored value keeps nothing else alive; and who reads by [`Parser::step`] may take the pieces of a large one as they
//! come, so that it is nowhere whole.
//!
//! | limit | value | beyond it |
//! |---|---|---|
//! | [`MAX_DEPTH`] | 1 | arrays in arrays are no command: the connection is told and closed, as for the next four |
//! | [`Limits::max_args`] | 1,048,576 strings; 10 before the password | `invalid multibulk length` |
//! | [`Limits::max_bulk_bytes`] | 512 MiB a string; 16 KiB before the password | `invalid bulk length` |
//! | [`Limits::max_command_bytes`] | 513 MiB a command | `too big` |
//! | [`Limits::max_inline_bytes`] | 64 KiB a typed line | `too big inline request` |
//! | [`SHORT_BYTES`] | 16 KiB | a longer argument is copied, once, into pieces |
//!
//! Left out on purpose: requests in any other type than arrays of strings; no client sends them.

mod command;
mod inline;
mod limits;
mod parse;
mod value;

pub use command::{Arg, Command};
pub use limits::{Limits, ProtocolError};
pub use parse::{MAX_DEPTH, Parser, SHORT_BYTES, Step};
pub use value::{Out, Proto, Value};
