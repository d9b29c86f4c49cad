//! Does what a host merges fit together?

use super::ensure;
use crate::keep::task::{Mover, Task};
use crate::placement::HostId;

impl Task {
    fn check(&self, me: HostId) -> Result<(), String> {
        let (span, done, needed) = (self.piece.span, self.done.len(), self.sources(me));
        let mut distinct = self.done.clone();
        distinct.sort_unstable();
        distinct.dedup();
        ensure(distinct.len() == done && !distinct.contains(&me), || {
            format!("{span:#} is merged twice from one host: {:?}", self.done)
        })?;
        if !self.complete {
            return Ok(());
        }
        ensure(done >= needed && self.active.is_empty(), || {
            format!("{span:#} is complete from {done} of {needed} sources")
        })?;
        let (marked, marks) = (self.marked.len(), self.marks_needed);
        ensure(marked >= marks, || {
            format!("{span:#} is complete with the marks of {marked} of {marks}")
        })
    }
}

impl Mover {
    /// A complete span has what it needs and asks nobody; each question belongs to one source of one span.
    pub(in crate::keep) fn check(&self, me: HostId, window: usize) -> Result<(), String> {
        for task in &self.tasks {
            task.check(me)?;
        }
        let asked = self.tasks.iter().map(|task| task.active.len()).sum();
        let reqs = self.reqs.len();
        ensure(reqs == asked && reqs <= window, || {
            format!("{reqs} questions to {asked} sources of a move, at most {window}")
        })?;
        for (req, (index, host)) in &self.reqs {
            let task = self.tasks.get(*index);
            let source = task.and_then(|task| task.active.get(host));
            ensure(source.is_some_and(|source| source.req == *req), || {
                format!("{req:?} asks {host}, which is no source of its span")
            })?;
        }
        let closed = self.tasks.iter().any(Task::is_closed);
        ensure(closed == self.closed, || {
            let noted = self.closed;
            format!("spans closed to writes: {closed}, noted {noted}")
        })
    }
}
