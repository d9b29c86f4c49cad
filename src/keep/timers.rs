//! One queue of deadlines, so that a host needs one timer only.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::ReqId;
use crate::record::Time;

/// What waits for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wake {
    /// A request we coordinate: ask again, give a hint, or fail.
    Open(ReqId),
    /// A large value we pull.
    Pull(ReqId),
    /// Tell somebody which roster we have.
    Gossip,
    /// Prepare or propose again.
    Agree,
    /// Drop changes that have not begun in time.
    Wishes,
    /// See how far a move is.
    Drive,
    /// Ask sources again.
    Mover,
    /// Ask to be let in again.
    Join,
    /// Try hints again.
    Hints,
    /// Compare a span.
    Repair,
}

/// The queue. Each [`Wake`] stands in it at most once.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Time, Wake)>,
    at: BTreeMap<Wake, Time>,
}

impl Timers {
    /// Sets a deadline, in place of an earlier one of the same kind.
    pub(super) fn set(&mut self, wake: Wake, at: Time) {
        self.clear(wake);
        self.at.insert(wake, at);
        self.queue.insert((at, wake));
    }

    /// Takes a deadline back.
    pub(super) fn clear(&mut self, wake: Wake) {
        if let Some(at) = self.at.remove(&wake) {
            self.queue.remove(&(at, wake));
        }
    }

    /// The next deadline that has passed, taken out.
    pub(super) fn due(&mut self, now: Time) -> Option<Wake> {
        let (at, wake) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.at.remove(&wake);
        Some(wake)
    }

    /// When the next deadline passes.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }
}
