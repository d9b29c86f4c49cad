//! Digests of stretches of records, kept ready.
//!
//! As in memory, the circle is cut into *runs*, here of at most some hundred records; of each only the digest is
//! in memory, and on disk beside the records, written with them in one batch (see `checkpoint`). To digest a span, the
//! runs within it are added up unread; only of the two at its ends the heads are read.
//!
//! ```text
//! runs    00… [412 records, 3f2a…]   04… [388, 91c0…]   09… [507, 77e1…]   0d… [290, d40b…] …
//! span          (------------------------------------------------]
//!               heads read          added up            heads read
//! ```
//!
//! *Hold these true*: a run counts the records with ids from its own name up to the next run's; the first begins
//! at zero and stays; no other is empty.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::Change;
use crate::keyspace::Id;
use crate::store::{Digest, Usage};

/// A run is split when it holds more records than this.
pub(super) const RUN_RECORDS: u64 = 512;

/// What is known of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) digest: Digest,
    /// Bytes of keys and values.
    pub(super) bytes: u64,
    /// How many of the records are a delete, or have an expiry.
    pub(super) mortal: u64,
    /// How many of them hold no value.
    absent: u64,
}

impl Run {
    /// So many bytes it takes on the disk.
    pub(super) const BYTES: usize = 32;

    /// A record's share.
    pub(super) const fn of(digest: Digest, bytes: u64, (mortal, absent): (u64, u64)) -> Run {
        Run {
            digest,
            bytes,
            mortal,
            absent,
        }
    }

    pub(super) fn add(&mut self, other: Run) {
        self.digest.add(other.digest);
        self.bytes += other.bytes;
        self.mortal += other.mortal;
        self.absent += other.absent;
    }

    pub(super) fn take(&mut self, other: Run) {
        self.digest.take(other.digest);
        self.bytes -= other.bytes;
        self.mortal -= other.mortal;
        self.absent -= other.absent;
    }

    pub(super) fn encode(&self) -> [u8; Run::BYTES] {
        let words = [
            self.digest.records,
            self.digest.hash,
            self.bytes,
            // Both are far below 2^32: a run has some hundred records.
            self.mortal | self.absent << 32,
        ];
        let mut out = [0; Run::BYTES];
        for (place, word) in out.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Run> {
        let bytes: &[u8; Run::BYTES] = bytes.try_into().ok()?;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let digest = Digest {
            records: word(0),
            hash: word(8),
        };
        let (mortal, absent) = (word(24) & u64::from(u32::MAX), word(24) >> 32);
        Some(Run::of(digest, word(16), (mortal, absent)))
    }
}

/// All runs, by the first id each counts, and their sum.
pub(super) struct Runs {
    map: BTreeMap<Id, Run>,
    sum: Run,
    /// Those that were changed since the last commit, as they were then; `None`: not there.
    before: BTreeMap<Id, Option<Run>>,
    /// Those that were changed by groups since the last checkpoint.
    noted: BTreeSet<Id>,
}

impl Runs {
    /// These runs, of which those named differ from their table.
    pub(super) fn new(mut map: BTreeMap<Id, Run>, noted: BTreeSet<Id>) -> Runs {
        map.entry(Id::ZERO).or_default();
        let mut sum = Run::default();
        map.values().for_each(|run| sum.add(*run));
        Runs {
            map,
            sum,
            before: BTreeMap::new(),
            noted,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            records: self.sum.digest.records,
            absent: self.sum.absent,
            bytes: self.sum.bytes,
        }
    }

    /// The run an id is counted in.
    pub(super) fn name_of(&self, id: Id) -> Id {
        let run = self.map.range(..=id).next_back();
        run.map_or(Id::ZERO, |(name, _)| *name)
    }

    /// Instead of `old` there is now `new` at that id.
    pub(super) fn replace(&mut self, id: Id, old: Option<Run>, new: Option<Run>) {
        let (name, run) = match self.map.range_mut(..=id).next_back() {
            Some((name, run)) => (*name, run),
            None => (Id::ZERO, self.map.entry(Id::ZERO).or_default()),
        };
        self.before.entry(name).or_insert(Some(*run));
        if let Some(part) = new {
            run.add(part);
            self.sum.add(part);
        }
        if let Some(part) = old {
            run.take(part);
            self.sum.take(part);
        }
        if run.digest.records == 0 && name != Id::ZERO {
            self.map.remove(&name);
        }
    }

    /// The upper part of a run becomes a run of its own.
    pub(super) fn split(&mut self, name: Id, at: Id, upper: Run) {
        let Some(lower) = self.map.get_mut(&name) else {
            return;
        };
        self.before.entry(name).or_insert(Some(*lower));
        self.before.entry(at).or_insert(None);
        lower.take(upper);
        self.map.insert(at, upper);
    }

    /// What is to be noted: name, and what the run is now; `None`: gone.
    pub(super) fn changed(&self) -> impl Iterator<Item = Change> {
        let names = self.before.keys();
        names.map(|name| (*name, self.map.get(name).copied()))
    }

    /// What a checkpoint writes: the same, and all that was noted since the last one.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = Change> {
        let noted = self.noted.iter();
        let noted = noted.filter(|name| !self.before.contains_key(name));
        let noted = noted.map(|name| (*name, self.map.get(name).copied()));
        noted.chain(self.changed())
    }

    /// How many runs were noted since the last checkpoint.
    pub(super) fn noted(&self) -> usize {
        self.noted.len()
    }

    /// Those changed now that have grown too long.
    pub(super) fn long(&self) -> Vec<Id> {
        let long = |run: &Run| run.digest.records > RUN_RECORDS;
        let changed = self.changed();
        changed
            .filter(|(_, run)| run.as_ref().is_some_and(long))
            .map(|(name, _)| name)
            .collect()
    }

    /// What was changed is on the disk: in a note, or with all else in a checkpoint.
    pub(super) fn committed(&mut self, checkpoint: bool) {
        let changed = std::mem::take(&mut self.before);
        if checkpoint {
            self.noted.clear();
        } else {
            self.noted.extend(changed.into_keys());
        }
    }

    /// What was changed is not on the disk: all is as it was.
    pub(super) fn roll_back(&mut self) {
        for (name, was) in std::mem::take(&mut self.before) {
            if let Some(now) = self.map.remove(&name) {
                self.sum.take(now);
            }
            if let Some(run) = was {
                self.sum.add(run);
                self.map.insert(name, run);
            }
        }
    }

    /// The runs that count ids from `first` to `last`: their first and last id, and what they count.
    pub(super) fn between(&self, first: Id, last: Id) -> impl Iterator<Item = (Id, Id, Run)> {
        let begin = self.name_of(first);
        self.map.range(begin..=last).map(|(name, run)| {
            let next = self.map.range(name.wrapping_add(Id::from_u64(1))..).next();
            let end = match next {
                Some((next, _)) if *next > *name => next.wrapping_sub(Id::from_u64(1)),
                Some(_) | None => Id::MAX,
            };
            (*name, end, *run)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u64) -> Run {
        let digest = Digest {
            records: 1,
            hash: n << 7 | n,
        };
        Run::of(digest, n, (n % 2, n / 4))
    }

    #[test]
    fn a_rolled_back_change_leaves_no_trace() {
        let mut runs = Runs::new(BTreeMap::new(), BTreeSet::new());
        let (a, b) = (Id::from_u64(7), Id::from_top(9));
        runs.replace(a, None, Some(record(1)));
        runs.replace(b, None, Some(record(2)));
        runs.split(Id::ZERO, b, record(2));
        runs.committed(false);
        let before = runs.map.clone();
        runs.replace(b, Some(record(2)), None);
        runs.replace(a, Some(record(1)), Some(record(5)));
        assert_eq!((runs.map.len(), runs.usage().bytes), (1, 5));
        runs.roll_back();
        assert_eq!((&runs.map, runs.usage().bytes), (&before, 3));
    }

    #[test]
    fn a_checkpoint_writes_what_was_noted_since_the_last_one() {
        let mut runs = Runs::new(BTreeMap::new(), BTreeSet::from([Id::MAX]));
        let at = Id::from_top(9);
        runs.replace(at, None, Some(record(1)));
        runs.split(Id::ZERO, at, record(1));
        assert_eq!(runs.unwritten().count(), 3);
        assert_eq!(runs.changed().count(), 2);
        runs.committed(false);
        assert_eq!((runs.noted(), runs.changed().count()), (3, 0));
        runs.replace(at, Some(record(1)), None);
        assert_eq!(runs.changed().collect::<Vec<Change>>(), [(at, None)]);
        let all: BTreeMap<Id, Option<Run>> = runs.unwritten().collect();
        assert_eq!(all.len(), runs.unwritten().count(), "each once");
        let there = Some(Run::default());
        assert_eq!(
            all,
            BTreeMap::from([(Id::ZERO, there), (at, None), (Id::MAX, None)])
        );
        runs.committed(true);
        assert_eq!((runs.noted(), runs.unwritten().count()), (0, 0));
    }

    #[test]
    fn runs_say_which_ids_they_count() {
        let mut runs = Runs::new(BTreeMap::new(), BTreeSet::new());
        let at = Id::from_top(4);
        runs.replace(at, None, Some(record(1)));
        runs.split(Id::ZERO, at, record(1));
        let all: Vec<(Id, Id)> = runs
            .between(Id::ZERO, Id::MAX)
            .map(|(first, last, _)| (first, last))
            .collect();
        let below = at.wrapping_sub(Id::from_u64(1));
        assert_eq!(all, [(Id::ZERO, below), (at, Id::MAX)]);
        assert_eq!(Run::decode(&record(3).encode()), Some(record(3)));
    }
}
