//! What is written down of a run?
//!
//! One line for each thing that happened, in the order it happened:
//!
//! ```text
//! 0.012 h1 -> h2 ask v3 "cat" versions        a message arrived
//! 0.012 h1 -x h2 …                            a message was lost
//! 0.015 h2 adopts v4, moving                  a host decided something
//! 0.020 client -> h3 #7 put "cat" 5 bytes     a client asked
//! 2.000 h3 crashes                            the world did something
//! ```
//!
//! The same seed gives the same bytes.

use std::fmt;
use std::io::Write;

use crate::record::Time;

/// Where the lines go, if anywhere.
#[derive(Default)]
pub(super) struct Trace {
    out: Option<Box<dyn Write>>,
}

impl Trace {
    /// Writes further lines there.
    pub(super) fn set(&mut self, out: Option<Box<dyn Write>>) {
        self.out = out;
    }

    /// Whether anybody reads: only then is a line worth making.
    pub(super) fn on(&self) -> bool {
        self.out.is_some()
    }

    /// Writes one line.
    pub(super) fn line(&mut self, now_ms: u64, what: fmt::Arguments<'_>) {
        let Some(out) = &mut self.out else { return };
        if let Err(error) = writeln!(out, "{} {what}", Time::from_ms(now_ms)) {
            log::error!("the trace ends here, it could not be written: {error}");
            self.out = None;
        }
    }
}

/// A place that several owners can write to and read from: a trace kept in memory.
#[derive(Clone, Default)]
pub struct Lines(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Lines {
    /// All that was written, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }

    /// Takes what was written and begins anew.
    #[must_use]
    pub fn take(&self) -> String {
        String::from_utf8_lossy(&self.0.take()).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
