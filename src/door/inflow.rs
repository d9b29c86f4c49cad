//! A large value on its way in: its pieces go to the host as they come, and the client is read only as fast as the
//! host's store takes them.
//!
//! ```text
//! SET film 300 MiB    ─> Begin            <─ Began 7
//!   1 MiB is here     ─> Piece 7 …        two on their way: the client is not read
//!                                         <─ Taken 1: it is read on
//! EX 60, the end      ─> End 7, "film"    once all are taken
//! ```
//!
//! If the host refuses a piece, the rest of the string is read and thrown away, so that the next command is found;
//! then the client is told why.

use std::collections::VecDeque;

use bytes::Bytes;

use super::commands::Answer;
use super::content::Content;
use super::resp::Value;
use crate::message::{Outcome, Request, Upload, UploadId};
use crate::record::Key;

/// So many pieces of a value are on their way to the host at once.
const WINDOW: usize = 2;

/// One string.
#[derive(Debug, Default)]
pub(super) struct Inflow {
    upload: Option<UploadId>,
    /// Pieces that came before the upload had begun.
    waiting: VecDeque<Bytes>,
    /// What was asked and is not answered.
    open: usize,
    /// Bytes still to come.
    left: usize,
    /// Why it cannot be.
    refused: Option<Value>,
    /// What it is called by its content, if that is wanted.
    content: Option<Content>,
}

impl Inflow {
    /// A string of so many bytes that is read and thrown away.
    pub(super) fn refuse(len: usize, why: Value) -> Inflow {
        Inflow {
            left: len,
            refused: Some(why),
            ..Inflow::default()
        }
    }

    /// A string of so many bytes, and what to ask first; `named`: it is to be called by its content.
    pub(super) fn begin(len: usize, named: bool) -> (Inflow, Request) {
        let inflow = Inflow {
            open: 1,
            left: len,
            content: named.then(Content::default),
            ..Inflow::default()
        };
        (inflow, Request::Upload(Upload::Begin(len as u64)))
    }

    /// Whether more of it may be read.
    pub(super) fn has_room(&self) -> bool {
        let here = self.open + self.waiting.len();
        match self.left {
            // All of it has come: the rest of the command waits until all of it is put by.
            0 => here == 0,
            _ => here < WINDOW,
        }
    }

    /// About how many bytes of it are in memory.
    pub(super) fn held(&self) -> usize {
        (self.open + self.waiting.len()) * crate::record::PIECE_BYTES
    }

    /// A piece has come: what to ask.
    pub(super) fn piece(&mut self, bytes: Bytes) -> Option<Request> {
        self.left = self.left.saturating_sub(bytes.len());
        if self.refused.is_some() {
            return None;
        }
        if let Some(content) = &mut self.content {
            content.add(&bytes);
        }
        self.waiting.push_back(bytes);
        self.send()
    }

    fn send(&mut self) -> Option<Request> {
        let upload = self.upload?;
        let bytes = self.waiting.pop_front()?;
        self.open += 1;
        Some(Request::Upload(Upload::Piece(upload, bytes)))
    }

    /// An answer: what to ask now.
    pub(super) fn told(&mut self, answer: Answer) -> Vec<Request> {
        self.open = self.open.saturating_sub(1);
        match answer {
            Ok(Outcome::Began(upload)) => self.upload = Some(upload),
            Ok(_) => {}
            Err(why) => {
                self.refused.get_or_insert(why);
                self.waiting.clear();
            }
        }
        std::iter::from_fn(|| self.send()).collect()
    }

    /// What it has come to, all of it.
    pub(super) fn end(self) -> Apart {
        Apart {
            upload: self.upload,
            refused: self.refused,
            content: self.content.map(Content::key),
        }
    }
}

/// A string of a command that is put by at the host.
#[derive(Debug, Default)]
pub(in super::super) struct Apart {
    /// Under which name; to be ended or dropped.
    pub(super) upload: Option<UploadId>,
    /// Why it is not.
    pub(super) refused: Option<Value>,
    /// The key that it names, if that was wanted.
    pub(super) content: Option<Key>,
}
