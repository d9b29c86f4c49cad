//! How much a client may send, and what is said of bytes that are no command.

/// How much a command may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most so many strings in a command.
    pub max_args: usize,
    /// At most so many bytes in one string.
    pub max_bulk_bytes: usize,
    /// At most so many bytes in all strings of a command together.
    pub max_command_bytes: usize,
    /// At most so many bytes in a line typed by hand.
    pub max_inline_bytes: usize,
    /// Whether these are the limits of somebody who has not given the password yet.
    pub stranger: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::of_values(512 * 1024 * 1024)
    }
}

impl Limits {
    /// The limits for values of up to so many bytes.
    #[must_use]
    pub const fn of_values(max_value_bytes: usize) -> Limits {
        Limits {
            max_args: 1024 * 1024,
            max_bulk_bytes: max_value_bytes,
            max_command_bytes: max_value_bytes.saturating_add(1024 * 1024),
            max_inline_bytes: 64 * 1024,
            stranger: false,
        }
    }

    /// What somebody may send before the password: enough to give it, too little to do harm.
    #[must_use]
    pub const fn for_strangers() -> Limits {
        Limits {
            max_args: 10,
            max_bulk_bytes: 16 * 1024,
            max_command_bytes: 64 * 1024,
            max_inline_bytes: 64 * 1024,
            stranger: true,
        }
    }
}

/// Why bytes are no command. The connection cannot go on: nobody knows where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The number of strings is none, or too great.
    #[error("Protocol error: invalid multibulk length")]
    Count,
    /// Too many strings from somebody who has not given the password.
    #[error("Protocol error: unauthenticated multibulk length")]
    StrangersCount,
    /// The length of a string is none.
    #[error("Protocol error: invalid bulk length")]
    BulkLen,
    /// It is too great.
    #[error("Protocol error: invalid bulk length: {len} bytes, a value has at most {most} here")]
    TooLong {
        /// What was announced.
        len: usize,
        /// The limit.
        most: usize,
    },
    /// Too long a string from somebody who has not given the password.
    #[error("Protocol error: unauthenticated bulk length")]
    StrangersBulkLen,
    /// Something else where a string was to begin; arrays in arrays, for instance.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0).escape_default())]
    NoBulk(u8),
    /// A string longer or shorter than announced.
    #[error("Protocol error: expected CR LF after a string")]
    NoEnd,
    /// All strings together are too long.
    #[error("Protocol error: too big a command, at most {0} bytes")]
    CommandLen(usize),
    /// A typed line without end.
    #[error("Protocol error: too big inline request")]
    InlineLen,
    /// A typed line with an open quote.
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
}
