//! A transaction is begun and never run.
//!
//! There are none over several commands here. But a client sends `MULTI`, commands and `EXEC` in one go, or in many
//! packets, and what stands between must not be run for itself, whenever it arrives. So it goes as in Redis with a
//! transaction that has a fault in it: it is begun, each command is refused with the reason, and its end throws it
//! away:
//!
//! ```text
//! MULTI    SET a 1                     SET b 2                     EXEC
//! OK       ERR not run: there are …    ERR not run: there are …    EXECABORT … nothing of it was run
//! ```
//!
//! *Hold these true*: between `MULTI` and `EXEC`, `DISCARD` or `RESET` nothing is run, over how many reads it ever comes;
//! client and host agree at each moment whether a transaction is under way.

use super::resp::{Arg, Value};

/// What is said to `EXEC`.
const ABORTED: &str = "EXECABORT Transaction discarded: nothing of it was run, for there are no transactions over several commands here; send them without MULTI (redis-py: pipeline(transaction=False)), each is for itself";

/// And to each command before it.
const NOT_RUN: &str = "ERR not run: there are no transactions over several commands here; send it without MULTI (redis-py: pipeline(transaction=False)), each is for itself";

/// Whether a transaction is under way.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    open: bool,
}

impl Bundle {
    /// What is said to a command that is not in the table, if it is about transactions; `words`: with its name; `known`:
    /// whether the client has given the password.
    pub(super) fn about(&mut self, name: &Arg, words: usize, known: bool) -> Option<Value> {
        let is = |wanted: &str| name.is(wanted);
        if !is("multi") && !is("exec") && !is("discard") {
            return None;
        }
        if !known {
            return Some(Value::error("NOAUTH Authentication required."));
        }
        let lower = String::from_utf8_lossy(name.short()).to_ascii_lowercase();
        if words > 1 {
            return Some(super::commands::wrong_number(&lower));
        }
        if is("multi") {
            self.open = true;
            return Some(Value::OK);
        }
        let upper = lower.to_ascii_uppercase();
        Some(Value::error(format!("ERR {upper} without MULTI")))
    }

    /// What is said instead of running a command, if one is under way.
    pub(super) fn instead(&mut self, name: &Arg) -> Option<Value> {
        if !self.open || name.is("quit") {
            return None;
        }
        if name.is("multi") {
            return Some(Value::error("ERR MULTI calls can not be nested"));
        }
        self.open = !name.is("exec") && !name.is("discard") && !name.is("reset");
        match self.open {
            true => Some(Value::error(NOT_RUN)),
            false if name.is("exec") => Some(Value::error(ABORTED)),
            false if name.is("discard") => Some(Value::OK),
            false => None,
        }
    }
}
