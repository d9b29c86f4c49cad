//! What happens next?
//!
//! One queue for the whole world, ordered by (due, sequence): what is due earlier comes first, and of
//! what is due in the same millisecond, what was put in first.
//!
//! ```text
//! now = 12     12: a b      13: c      14: –    …   16395: d  │ later: 20000: e
//!              └─ a wheel of 16,384 milliseconds ───────────┘ │ an ordered map
//! ```
//!
//! Almost everything falls due within seconds, so putting in and taking out cost a few nanoseconds
//! however much is waiting. What lies beyond the wheel waits in a map and is moved in the moment its
//! millisecond comes into reach, before anything newer can be put there: so the order holds.
//!
//! What is due in one millisecond lies together, so the one after the next is fetched with the next.
//!
//! *Hold these true*: time never goes back; nothing is due before now.

use std::collections::{BTreeMap, VecDeque};

/// Milliseconds the wheel reaches ahead; a power of two.
const REACH: u64 = 16_384;

/// How many milliseconds [`Queue::coming`] looks through for one with something in it.
const SOON: u64 = 4;

/// So many empty millisecond's worths of memory are kept to be used again, while they are warm.
const SPARE: usize = 64;

/// Things that fall due, in order of (due, sequence).
pub(super) struct Queue<T> {
    now: u64,
    wheel: Vec<VecDeque<T>>,
    later: BTreeMap<u64, VecDeque<T>>,
    spare: Vec<VecDeque<T>>,
    /// How many wait in the wheel.
    turning: usize,
    len: usize,
}

impl<T> Queue<T> {
    /// An empty queue at time zero.
    pub(super) fn new() -> Queue<T> {
        let mut wheel = Vec::new();
        wheel.resize_with(slot(REACH - 1) + 1, VecDeque::new);
        Queue {
            now: 0,
            wheel,
            later: BTreeMap::new(),
            spare: Vec::new(),
            turning: 0,
            len: 0,
        }
    }

    /// The present millisecond.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// How many things wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts something in, due at that millisecond, or now if that is past.
    pub(super) fn push(&mut self, due: u64, thing: T) {
        let due = due.max(self.now);
        self.len += 1;
        if due - self.now >= REACH {
            self.later.entry(due).or_default().push_back(thing);
            return;
        }
        self.turning += 1;
        let waiting = &mut self.wheel[slot(due)];
        if waiting.capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            *waiting = spare;
        }
        waiting.push_back(thing);
    }

    /// Takes out the next thing that is due at `limit` or before; time goes on to its millisecond.
    /// With nothing left to do until then, time goes on to `limit`.
    pub(super) fn pop(&mut self, limit: u64) -> Option<T> {
        loop {
            if self.now > limit {
                return None;
            }
            if let Some(thing) = self.wheel[slot(self.now)].pop_front() {
                self.len -= 1;
                self.turning -= 1;
                return Some(thing);
            }
            if self.now == limit {
                return None;
            }
            self.advance(limit);
        }
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        if self.turning > 0 {
            let mut ahead = self.now..self.now + REACH;
            return ahead.find(|due| !self.wheel[slot(*due)].is_empty());
        }
        self.later.keys().next().copied()
    }

    /// What comes next, in order, as far as it is due in one millisecond: this one, or else one of the next few.
    pub(super) fn coming(&self) -> impl Iterator<Item = &T> {
        let mut soon = (self.now..self.now + SOON).map(|due| &self.wheel[slot(due)]);
        soon.find(|waiting| !waiting.is_empty())
            .into_iter()
            .flatten()
    }

    /// One millisecond on, or more where nothing lies between.
    fn advance(&mut self, limit: u64) {
        let past = &mut self.wheel[slot(self.now)];
        if past.capacity() > 0 {
            let spare = std::mem::take(past);
            if self.spare.len() < SPARE {
                self.spare.push(spare);
            }
        }
        let step = if self.turning == 0 {
            // Nothing in the wheel: jump to where the first of the later ones comes into reach.
            let first = self.later.keys().next().copied().unwrap_or(u64::MAX);
            first.saturating_sub(REACH - 1).max(self.now + 1)
        } else {
            self.now + 1
        };
        self.now = step.min(limit);
        while let Some(entry) = self.later.first_entry() {
            if *entry.key() - self.now >= REACH {
                break;
            }
            let (due, waiting) = entry.remove_entry();
            self.turning += waiting.len();
            self.wheel[slot(due)] = waiting;
        }
    }
}

fn slot(due: u64) -> usize {
    usize::try_from(due % REACH).expect("the wheel is smaller than any address space")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    #[test]
    fn order_is_due_then_sequence_as_in_a_sorted_map() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut queue = Queue::new();
        let mut oracle: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for seq in 0..20_000u64 {
            let far = if rng.next_u32() % 10 == 0 {
                60_000
            } else {
                300
            };
            let due = queue.now() + u64::from(rng.next_u32()) % far;
            queue.push(due, seq);
            oracle.insert((due, seq), seq);
            if rng.next_u32() % 2 == 0 {
                let ((due, _), want) = oracle.pop_first().unwrap();
                assert_eq!(queue.next_due(), Some(due));
                assert_eq!(queue.pop(u64::MAX), Some(want));
                assert_eq!(queue.now(), due);
            }
        }
        while let Some((_, want)) = oracle.pop_first() {
            assert_eq!(queue.pop(u64::MAX), Some(want));
        }
        assert_eq!(queue.len(), 0);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn what_comes_is_what_is_taken_out_and_looking_takes_nothing_out() {
        let mut queue = Queue::new();
        for (due, thing) in [(3, "a"), (4, "c"), (3, "b"), (30, "d")] {
            queue.push(due, thing);
        }
        assert_eq!(queue.coming().copied().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(queue.pop(100), Some("a"));
        assert_eq!(queue.coming().copied().collect::<Vec<_>>(), ["b"]);
        assert_eq!((queue.pop(100), queue.pop(100)), (Some("b"), Some("c")));
        assert_eq!(
            queue.coming().count(),
            0,
            "what comes later is not known yet"
        );
        assert_eq!(queue.pop(100), Some("d"));
    }

    #[test]
    fn time_stops_at_the_limit() {
        let mut queue = Queue::new();
        queue.push(50_000, "late");
        assert_eq!(queue.pop(10), None);
        assert_eq!(queue.now(), 10);
        assert_eq!(queue.pop(49_999), None);
        assert_eq!(queue.pop(50_000), Some("late"));
        assert_eq!(queue.pop(50_000), None);
        queue.push(3, "past is now");
        assert_eq!(queue.pop(50_000), Some("past is now"));
    }
}
