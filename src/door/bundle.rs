//! A transaction is refused as a whole.
//!
//! Clients send `MULTI`, commands and `EXEC` in one go, and learn of the refusal when all is on its way:
//!
//! ```text
//! MULTI    SET a 1            SET b 2            EXEC           all or nothing was meant,
//! refused  not run            not run            aborted        so it is nothing
//! ```
//!
//! *Hold these true*: what was sent behind `MULTI` before its answer could be read is not run; whoever has read the
//! answer and goes on is served as always, even if it says neither `EXEC` nor `DISCARD`.
//!
//! Left out on purpose: a transaction in so many packets that the door has answered the first when the last
//! arrives. Then the rest is run, as Redis itself does after a `MULTI` that it denied.

use super::resp::{Arg, Value};

/// Whether what comes belongs to a transaction that was refused.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    refused: bool,
    /// Nothing more was here when commands were last taken.
    drained: bool,
}

impl Bundle {
    /// Commands are about to be taken; `told`: all that was answered so far is written.
    pub(super) const fn begin(&mut self, told: bool) {
        if told && self.drained {
            self.refused = false;
        }
    }

    /// They are taken; `drained`: and nothing is left.
    pub(super) const fn end(&mut self, drained: bool) {
        self.drained = drained;
    }

    /// A command that is not known here: the beginning of one?
    pub(super) fn unknown(&mut self, name: &Arg) {
        self.refused |= name.is("multi");
    }

    /// Why a command is not run, if it belongs to one.
    pub(super) fn why_not(&mut self, name: &Arg) -> Option<Value> {
        if !self.refused || name.is("multi") || name.is("quit") {
            return None;
        }
        if name.is("discard") || name.is("reset") {
            self.refused = false;
            return None;
        }
        if name.is("exec") {
            self.refused = false;
            let why =
                "EXECABORT Transaction discarded: MULTI is refused, and nothing of it was run";
            return Some(Value::error(why));
        }
        let why = "ERR not run: it was sent behind a MULTI, which is refused";
        Some(Value::error(why))
    }
}
