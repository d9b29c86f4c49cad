//! What can go wrong with a request, and what is stored then.

use crate::message::{Failure, Outcome};
use crate::placement::HostId;
use crate::record::{Key, KeyError};

/// Why a request was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DhtError {
    /// The key is not one. Nothing was sent.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The host refused or failed; [`Failure`] says what is stored.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The host ended before it answered: a write may be stored or not.
    #[error(
        "host {0} has gone before it answered; ask another one, and read before you write again"
    )]
    Gone(HostId),
    /// The value under that key is not the one whose SHA-1 it is.
    #[error("what is stored under {0} is not the value it names: somebody put it there by hand")]
    NotContent(Key),
    /// More or fewer bytes than were promised to [`Dht::put_stream`](super::Dht::put_stream). Nothing was stored.
    #[error(
        "this value has another length than was promised: {left} bytes were still to come; nothing was stored"
    )]
    Length {
        /// Bytes still to come by what was promised.
        left: u64,
    },
    /// An archive could not be written.
    #[error("the archive cannot be written: {0}")]
    Archive(String),
    /// An import ended early. So many values were taken: written, or left alone because they were there.
    #[error("the import stopped after {taken} values: {why}; import it again, passing over these")]
    Import {
        /// Values taken, those passed over included.
        taken: u64,
        /// Why it stopped.
        why: String,
    },
    /// The host answered something else than was asked: a mistake in this program.
    #[error("the host answered something else than was asked: {0}")]
    Unexpected(String),
}

impl DhtError {
    pub(super) fn unexpected(outcome: &Outcome) -> DhtError {
        DhtError::Unexpected(outcome.to_string())
    }
}
