//! What happened in that seed?
//!
//! ```text
//! roundelay sim replay 17                 the plan, the verdict
//! roundelay sim replay 17 --trace         every message and decision, a line each, as in any trace
//! roundelay sim replay 17 --until 4.2     … up to that virtual second
//! roundelay sim replay 17 --wide          the wide world of that seed
//! ```
//!
//! A run that failed is lived through once more, this time written down; of what is written, only the last
//! lines that have to do with the broken rule are shown.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use super::plan::Plan;
use super::run::Run;
use super::{live, report, said};
use crate::lab::check::Violation;
use crate::record::Time;

/// How many of the last lines that matter are shown.
const LAST_LINES: usize = 40;

/// What is done with each line of a trace.
pub type OnLine = Box<dyn FnMut(&str)>;

/// Lives through a seed again. Every line of its trace up to the virtual time `until` (none: all) is given to
/// `line`, without its end. Returns what came of it, in words.
///
/// # Errors
/// What came of it, if a rule was broken.
pub fn replay(plan: Plan, until: Option<Time>, line: Option<OnLine>) -> Result<String, String> {
    let mut text = format!("{plan}\n");
    let trace = line.map(|line| {
        let part = Vec::new();
        let lines: Box<dyn Write> = Box::new(ByLine { part, until, line });
        lines
    });
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut run = Run::traced(plan, trace);
        live(&mut run);
        report(&run)
    }));
    let report = match lived {
        Ok(report) => report,
        Err(panic) => return Err(format!("{text}{}\n", said(panic.as_ref()))),
    };
    let _ = write!(text, "{report}");
    for violation in &report.violations {
        let _ = writeln!(text, "{violation}");
    }
    if report.violations.is_empty() {
        Ok(text)
    } else {
        Err(text)
    }
}

/// A broken rule with the last events that matter, and the command that replays it.
#[must_use]
pub fn why(plan: &Plan, violation: &Violation) -> String {
    let lines = Rc::new(RefCell::new(Relevant::new(violation)));
    let until = (violation.at > Time::ZERO).then(|| violation.at + Duration::from_millis(1));
    let keep = Rc::clone(&lines);
    let _ = replay(
        plan.clone(),
        until,
        Some(Box::new(move |line| keep.borrow_mut().line(line))),
    );
    let mut text = format!("{plan}\n{violation}\n");
    let last = &lines.borrow().last;
    if !last.is_empty() {
        let _ = writeln!(text, "the last of what matters:");
    }
    for line in last {
        let _ = writeln!(text, "  {line}");
    }
    let (seed, wide) = (plan.seed, if plan.wide { " --wide" } else { "" });
    let _ = writeln!(text, "replay it: roundelay sim replay {seed}{wide} --trace");
    text
}

/// The last lines that have to do with a violation.
struct Relevant {
    key: Option<String>,
    last: VecDeque<String>,
}

impl Relevant {
    fn new(violation: &Violation) -> Relevant {
        Relevant {
            key: violation.key.as_ref().map(|key| format!("\"{key}\"")),
            last: VecDeque::new(),
        }
    }

    fn matters(&self, line: &str) -> bool {
        let world = [
            "adopts", "crashes", "starts", "cut", "healed", "complete", "giving", "up",
        ];
        let happened = !line.contains("->") && !line.contains("-x");
        let of_key = self
            .key
            .as_ref()
            .is_some_and(|key| line.contains(key.as_str()));
        of_key || (happened && world.iter().any(|word| line.contains(word)))
    }

    fn line(&mut self, line: &str) {
        if self.matters(line) {
            if self.last.len() == LAST_LINES {
                self.last.pop_front();
            }
            self.last.push_back(line.to_owned());
        }
    }
}

/// Hands a trace on line by line, up to a time.
struct ByLine {
    part: Vec<u8>,
    until: Option<Time>,
    line: Box<dyn FnMut(&str)>,
}

impl ByLine {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.part);
        let at = line.split(' ').next().and_then(|at| at.parse::<f64>().ok());
        let until = self
            .until
            .map(|until| Duration::from_millis(until.as_ms()).as_secs_f64());
        let late = at.zip(until).is_some_and(|(at, until)| at > until);
        if !late {
            (self.line)(&line);
        }
        self.part.clear();
    }
}

impl Write for ByLine {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line();
            } else {
                self.part.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
