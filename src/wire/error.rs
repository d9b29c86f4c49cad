//! Why bytes are not a message.
//!
//! ```text
//! "the frame ends early: 71 more bytes were announced, 12 are here"        what, where, how much
//! "a road 9 is out of range: at most 3"
//! ```

use crate::record::KeyError;
use crate::roster::RosterCodecError;

/// Why a frame is refused. Whoever reads it from a link closes that link: nothing after it can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than it says it has.
    #[error("the frame ends early: {need} more bytes were announced, {have} are here")]
    Short {
        /// Bytes announced.
        need: usize,
        /// Bytes left.
        have: usize,
    },
    /// Bytes left over behind the last part.
    #[error("{0} bytes are left over at the end of the frame")]
    Extra(usize),
    /// Larger than frames of its kind may be.
    #[error("a frame of {len} bytes is too large: at most {limit} for one of this kind")]
    TooLarge {
        /// Bytes it says it has, its length field included.
        len: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// Another version of the frame's layout.
    #[error("frames of layout {0} are not known here: the sender runs another build")]
    Layout(u8),
    /// A kind of message that is not known.
    #[error("messages of kind {0} are not known here: the sender runs another build")]
    Kind(u8),
    /// The header does not follow its schema.
    #[error("the header cannot be read: {0}")]
    Header(String),
    /// A part that this kind of message must have.
    #[error("the message has no {0}")]
    Missing(&'static str),
    /// A number beyond what it can mean.
    #[error("{what} {value} is out of range: at most {limit}")]
    Range {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: u64,
        /// The greatest it may be.
        limit: u64,
    },
    /// Bytes that are not a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Bytes that are not a roster, or not a member of one.
    #[error(transparent)]
    Roster(#[from] RosterCodecError),
}

impl From<prost::DecodeError> for WireError {
    fn from(error: prost::DecodeError) -> WireError {
        WireError::Header(error.to_string())
    }
}

/// The number, if it is within its limit.
pub(super) fn within<N: Into<u64> + Copy>(
    what: &'static str,
    value: N,
    limit: u64,
) -> Result<N, WireError> {
    let number = value.into();
    if number <= limit {
        Ok(value)
    } else {
        Err(WireError::Range {
            what,
            value: number,
            limit,
        })
    }
}
