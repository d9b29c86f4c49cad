//! An answer in which large values may stand: of several keys, or of one that is checked on its way.
//!
//! ```text
//! MGET a film b     a "x", film 300 MiB in pieces, b "y"     *3 | $1 x | $314572800 piece by piece … | $1 y
//! ```
//!
//! It is begun when every value is found, so that a key that cannot be read is told instead of the whole. What fails
//! later stands in the place of its value, as long as nothing of that was said.

use std::sync::Arc;

use super::commands::Answer;
use super::resp::Value;
use crate::message::{Large, Outcome};
use crate::record::WallMs;

/// A part of such an answer.
pub(super) enum Part {
    /// It is here.
    Value(Value),
    /// It is said as it comes; found by the request at that place.
    Large(usize, Arc<Large>, Check),
}

/// What is looked at while a value passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing.
    Nothing,
    /// Whether it is the value that its key names. Else its last piece is not said, and the connection closed.
    Content,
}

/// What is said.
pub(super) enum Spoken {
    One(Part),
    Array(Vec<Part>),
}

/// Makes such an answer of the answers to its requests.
pub(super) type OfRow = Box<dyn FnOnce(Vec<Answer>, WallMs) -> Spoken>;

/// An answer that may be begun.
pub(super) struct Row {
    /// The number of its first request.
    pub(super) first: u64,
    pub(super) spoken: Spoken,
    /// Requests that found large values: nothing else is done with their keys yet.
    pub(super) found: Vec<u64>,
}

impl Row {
    pub(super) fn new(first: u64, answers: Vec<Answer>, shape: OfRow, wall: WallMs) -> Row {
        let large = |answer: &Answer| matches!(answer, Ok(Outcome::Large(_)));
        let numbered = (first..).zip(&answers);
        let found = numbered.filter(|(_, answer)| large(answer));
        let found = found.map(|(number, _)| number).collect();
        Row {
            first,
            found,
            spoken: shape(answers, wall),
        }
    }
}
