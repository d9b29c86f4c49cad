//! A large value on its way out: its pieces are asked for as the client takes them.
//!
//! ```text
//! GET film            <─ Large, 300 MiB    ─> Piece 0 … Piece 3
//!   $314572800        <─ piece 0           written, and the next one asked for when there is room
//! ```
//!
//! Nothing is said before the first piece is here, so that an error can still be told. After that there is no way in the
//! protocol to take back what was begun: if the value is overwritten while it is read, and nobody holds this version
//! any more, the connection is closed, and the client sees that it is cut.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::commands::{Answer, Before};
use super::content::Content;
use super::resp::{Out, Proto, Value};
use super::row::Check;
use crate::message::{Large, Outcome, Request};

/// So many pieces of a value are on their way from the host, or wait to be written.
const WINDOW: u32 = 4;

/// One value.
pub(super) struct Outflow {
    large: Arc<Large>,
    before: Before,
    proto: Proto,
    /// The number of the request that found it: until its end nothing else is done with its key.
    pub(super) number: u64,
    asked: u32,
    written: u32,
    here: BTreeMap<u32, Bytes>,
    failed: Option<Value>,
    /// What has passed of a value that its key names.
    content: Option<Content>,
}

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// More is to come.
    On,
    /// All of it is written, or an error in its place.
    Done,
    /// It broke off in the midst.
    Cut,
}

impl Outflow {
    pub(super) fn new((number, large): (u64, Arc<Large>), before: Before, proto: Proto) -> Outflow {
        Outflow {
            large,
            before,
            proto,
            number,
            asked: 0,
            written: 0,
            here: BTreeMap::new(),
            failed: None,
            content: None,
        }
    }

    /// The same, looked at while it passes.
    pub(super) fn checked(self, check: Check) -> Outflow {
        let content = (check == Check::Content).then(Content::default);
        Outflow { content, ..self }
    }

    /// Whether the next piece may be said: not the last one of a value that is another than its key names.
    fn passes(&mut self, piece: &Bytes) -> bool {
        let Some(content) = &mut self.content else {
            return true;
        };
        content.add(piece);
        let is_last = self.written + 1 == self.count();
        !is_last || self.content.take().map(Content::key).as_ref() == Some(&self.large.key)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.large.found.body.piece_count()).unwrap_or(u32::MAX)
    }

    /// How many bytes of it are in memory, or will be soon.
    pub(super) fn held(&self) -> usize {
        usize::try_from(self.asked - self.written).unwrap_or(0) * crate::record::PIECE_BYTES
    }

    /// What to ask now: which piece, and how.
    pub(super) fn ask(&mut self) -> Option<(u32, Request)> {
        let more = self.failed.is_none()
            && self.asked < self.count()
            && self.asked - self.written < WINDOW;
        more.then(|| {
            let index = self.asked;
            self.asked += 1;
            (index, Request::Piece(Arc::clone(&self.large), index))
        })
    }

    /// A piece, or why it is none.
    pub(super) fn told(&mut self, index: u32, answer: Answer) {
        match answer {
            Ok(Outcome::Piece(bytes)) => drop(self.here.insert(index, bytes)),
            Ok(other) => {
                self.failed = Some(Value::error(format!("ERR no piece, but {other}")));
            }
            Err(why) => drop(self.failed.get_or_insert(why)),
        }
    }

    /// Writes what is here, up to so many bytes that wait.
    pub(super) fn write(&mut self, out: &mut Out, pause_bytes: usize) -> Gone {
        while out.len() < pause_bytes
            && let Some(piece) = self.here.remove(&self.written)
        {
            if !self.passes(&piece) {
                log::warn!(
                    "{}: another value stands there than the key names",
                    self.large.key
                );
                return Gone::Cut;
            }
            if self.written == 0 {
                (self.before)(&self.large, self.proto, out);
                out.begin_bulk(self.large.found.body.len);
            }
            out.piece(&piece);
            self.written += 1;
            if self.written == self.count() {
                out.end_bulk();
                return Gone::Done;
            }
        }
        match self
            .failed
            .take_if(|_| !self.here.contains_key(&self.written))
        {
            None => Gone::On,
            Some(why) if self.written == 0 => {
                why.write(self.proto, out);
                Gone::Done
            }
            Some(why) => {
                log::warn!("a value broke off amid its answer: {why:?}");
                Gone::Cut
            }
        }
    }
}
