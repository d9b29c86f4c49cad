//! A command as it came: its name and its arguments, any bytes.

use bytes::Bytes;

use crate::record::Body;

/// One string of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// Up to [`SHORT_BYTES`](super::SHORT_BYTES): a slice of what was read.
    Short(Bytes),
    /// A longer one, in pieces as a [`Body`] has them.
    Long(Vec<Bytes>),
    /// One of so many bytes whose pieces were given out before: see [`Parser::apart`](super::Parser::apart).
    Apart(usize),
}

impl Arg {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Arg::Short(bytes) => bytes.len(),
            Arg::Long(pieces) => pieces.iter().map(Bytes::len).sum(),
            Arg::Apart(len) => *len,
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes if it is short: no word of a command is long.
    #[must_use]
    pub fn short(&self) -> &[u8] {
        match self {
            Arg::Short(bytes) => bytes,
            Arg::Long(_) | Arg::Apart(_) => &[],
        }
    }

    /// Whether it is that word, in upper or lower case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.short().eq_ignore_ascii_case(word.as_bytes())
    }

    /// All its bytes in one buffer; copies if there are several pieces. None of one that was taken apart.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Arg::Short(bytes) => bytes,
            Arg::Long(mut pieces) if pieces.len() == 1 => pieces.remove(0),
            Arg::Long(pieces) => pieces.concat().into(),
            Arg::Apart(_) => Bytes::new(),
        }
    }

    /// As a value, without copying; of one that was taken apart, bare.
    #[must_use]
    pub fn into_body(self) -> Body {
        match self {
            Arg::Short(bytes) => Body::new(bytes),
            Arg::Long(pieces) => Body {
                len: pieces.iter().map(|piece| piece.len() as u64).sum(),
                content_type: None,
                pieces,
            },
            Arg::Apart(len) => Body {
                len: len as u64,
                ..Body::default()
            },
        }
    }

    /// As text, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        const SHOWN: usize = 64;
        let bytes = self.short();
        let cut = bytes.get(..SHOWN).unwrap_or(bytes);
        cut.escape_ascii().to_string()
    }
}

/// A command: its name first, then its arguments; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The strings.
    pub args: Vec<Arg>,
}
