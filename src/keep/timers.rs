//! One queue of deadlines, so that a host needs one timer only.
//!
//! Two short arrays, kept in order:
//!
//! ```text
//! queue   0.200 open 7 │ 0.203 open 8 │ 1.000 gossip       the first is the next
//! at      open 7: 0.200 │ open 8: 0.203 │ gossip: 1.000    where to find one that is taken back
//! ```
//!
//! A host mostly has a handful of deadlines, and a large ring has thousands of hosts whose memory is cold
//! when their turn comes: an array is one place to fetch where a tree is three. With thousands of requests
//! under way it still does well, because what is set is mostly late and what is taken back mostly early: both
//! lie near an end, and an array that is open at both ends only moves the shorter side.
//!
//! *Hold this true*: both arrays name the same deadlines, each [`Wake`] once.

use std::collections::VecDeque;

use crate::message::{ReqId, UploadId};
use crate::record::Time;

/// What waits for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wake {
    /// A request we coordinate: ask again, give a hint, or fail.
    Open(ReqId),
    /// A large value we pull.
    Pull(ReqId),
    /// A client's upload.
    Upload(UploadId),
    /// A piece for a client.
    Download(ReqId),
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
    /// See whether a silent host is to be removed.
    Suspect,
    /// Wait no longer for the others before this host may stop.
    Drain,
    /// See whether there is anything to collect.
    Collect,
    /// Ask the replicas again that a round of collection waits for.
    Round,
    /// Ask again what an operation waits for.
    Ops,
}

/// The queue. Each [`Wake`] stands in it at most once.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: VecDeque<(Time, Wake)>,
    at: VecDeque<(Wake, Time)>,
}

impl Timers {
    /// Sets a deadline, in place of an earlier one of the same kind.
    pub(super) fn set(&mut self, wake: Wake, at: Time) {
        match self.at.binary_search_by_key(&wake, |(wake, _)| *wake) {
            Ok(place) => {
                let before = std::mem::replace(&mut self.at[place].1, at);
                self.unqueue(before, wake);
            }
            Err(place) => self.at.insert(place, (wake, at)),
        }
        // What is set is mostly the last.
        if self.queue.back().is_none_or(|last| *last < (at, wake)) {
            return self.queue.push_back((at, wake));
        }
        let place = self.queue.partition_point(|other| *other < (at, wake));
        self.queue.insert(place, (at, wake));
    }

    /// Sets a deadline, unless an earlier one of the same kind stands.
    pub(super) fn set_sooner(&mut self, wake: Wake, at: Time) {
        let set = self.at.iter().find(|(other, _)| *other == wake);
        if set.is_none_or(|(_, set)| at < *set) {
            self.set(wake, at);
        }
    }

    /// Whether a deadline of that kind stands.
    pub(super) fn is_set(&self, wake: Wake) -> bool {
        self.at
            .binary_search_by_key(&wake, |(wake, _)| *wake)
            .is_ok()
    }

    /// Takes a deadline back.
    pub(super) fn clear(&mut self, wake: Wake) {
        if let Some(at) = self.forget(wake) {
            self.unqueue(at, wake);
        }
    }

    /// The next deadline that has passed, taken out.
    pub(super) fn due(&mut self, now: Time) -> Option<Wake> {
        let (at, wake) = *self.queue.front()?;
        if at > now {
            return None;
        }
        self.queue.pop_front();
        self.forget(wake);
        Some(wake)
    }

    /// When the next deadline passes.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// How many deadlines are set.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// What is taken back is mostly the first.
    fn forget(&mut self, wake: Wake) -> Option<Time> {
        if let Some((first, at)) = self.at.front().copied()
            && first == wake
        {
            self.at.pop_front();
            return Some(at);
        }
        let place = self
            .at
            .binary_search_by_key(&wake, |(wake, _)| *wake)
            .ok()?;
        self.at.remove(place).map(|(_, at)| at)
    }

    fn unqueue(&mut self, at: Time, wake: Wake) {
        if self.queue.front() == Some(&(at, wake)) {
            self.queue.pop_front();
            return;
        }
        if let Ok(place) = self.queue.binary_search(&(at, wake)) {
            self.queue.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    use std::collections::BTreeMap;

    #[test]
    fn deadlines_come_in_order_each_once_and_only_the_last_one_set() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut timers, mut oracle) = (Timers::default(), BTreeMap::new());
        let kinds = [Wake::Gossip, Wake::Hints, Wake::Repair];
        for step in 0..5_000u64 {
            let dice = rng.next_u64();
            let wake = match dice % 5 {
                0 => kinds[usize::try_from(dice >> 32).unwrap() % kinds.len()],
                _ => Wake::Open(ReqId(step - (dice >> 40) % 20.min(step + 1))),
            };
            if dice.is_multiple_of(3) {
                timers.clear(wake);
                oracle.remove(&wake);
            } else {
                let at = Time(step + (dice >> 57));
                timers.set(wake, at);
                oracle.insert(wake, at);
            }
            let due = |oracle: &BTreeMap<Wake, Time>| {
                let first = oracle.iter().map(|(wake, at)| (*at, *wake)).min();
                first.filter(|(at, _)| at.0 <= step)
            };
            while let Some((_, wake)) = due(&oracle) {
                oracle.remove(&wake);
                assert_eq!(timers.due(Time(step)), Some(wake));
            }
            assert_eq!(timers.due(Time(step)), None);
            assert_eq!(timers.next(), oracle.values().min().copied());
        }
        assert!(!oracle.is_empty(), "something is still to come");
    }
}
