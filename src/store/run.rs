//! One run of a table: some records that are neighbours, and the digest of them all.
//!
//! *Hold these true*: the records lie in the order of their ids, and of their keys where two have one id; the digest is
//! theirs; all ids lie within the run's reach.

use std::cmp::Ordering;

use super::Digest;
use super::slot::Slot;
use crate::keyspace::Id;
use crate::record::Summary;

/// A run is split when it would hold more records than this.
pub(super) const RUN_RECORDS: usize = 128;

/// A run's array grows by so many records at a time: less spare room than doubling would leave.
pub(super) const RUN_STEP: usize = 16;

/// A record, with what is asked of it most often close at hand.
pub(super) struct Entry {
    pub(super) id: Id,
    /// Whether it is there for a while only: a delete, or something with an expiry.
    pub(super) mortal: bool,
    hash: u64,
    pub(super) slot: Slot,
}

impl Entry {
    pub(super) fn new(id: Id, slot: Slot) -> Entry {
        Entry::known(id, &slot.summary(), slot)
    }

    /// The same, if its versions are known already.
    pub(super) fn known(id: Id, summary: &Summary, slot: Slot) -> Entry {
        Entry {
            id,
            mortal: summary.expiry.is_some() || summary.value.is_some_and(|version| version.delete),
            hash: Digest::of(id, summary).hash,
            slot,
        }
    }

    pub(super) fn digest(&self) -> Digest {
        Digest {
            records: 1,
            hash: self.hash,
        }
    }
}

/// Neighbours, and the digest of them all.
#[derive(Default)]
pub(super) struct Run {
    pub(super) entries: Vec<Entry>,
    pub(super) digest: Digest,
    /// How many of the records are there for a while only.
    pub(super) mortal: usize,
    /// The upper parts of the least and the greatest id that it has or had: between them a record is looked for.
    reach: (u64, u64),
}

impl Run {
    fn of(entries: Vec<Entry>) -> Run {
        let tops = entries.first().zip(entries.last());
        let reach = tops.map(|(first, last)| (first.id.top(), last.id.top()));
        let mut digest = Digest::default();
        entries.iter().for_each(|entry| digest.add(entry.digest()));
        let mortal = entries.iter().filter(|entry| entry.mortal).count();
        Run {
            entries,
            digest,
            mortal,
            reach: reach.unwrap_or_default(),
        }
    }

    /// A record is about to come in.
    pub(super) fn count_in(&mut self, entry: &Entry) {
        self.digest.add(entry.digest());
        self.mortal += usize::from(entry.mortal);
        let top = entry.id.top();
        self.reach = if self.entries.is_empty() {
            (top, top)
        } else {
            (self.reach.0.min(top), self.reach.1.max(top))
        };
    }

    /// A record has gone.
    pub(super) fn count_out(&mut self, entry: &Entry) {
        self.digest.take(entry.digest());
        self.mortal -= usize::from(entry.mortal);
    }

    /// Where a key is, or where it belongs. Two keys with one id are told apart by their bytes.
    ///
    /// Ids are spread evenly, so it is looked for around its share of the way (interpolation search: Peterson, 1957),
    /// in ever wider steps: of the records in between most are in no cache, and none is touched in vain.
    pub(super) fn position(&self, id: Id, key: &[u8]) -> Result<usize, usize> {
        let order = |entry: &Entry| {
            let by_id = entry.id.cmp(&id);
            by_id.then_with(|| entry.slot.key_bytes().cmp(key))
        };
        let (mut low, mut high) = (0, self.entries.len());
        let (mut at, mut step) = (self.guess(id), 1);
        while let Some(entry) = self.entries[..high].get(at).filter(|_| at >= low) {
            match order(entry) {
                Ordering::Equal => return Ok(at),
                Ordering::Less => low = at + 1,
                Ordering::Greater => high = at,
            }
            if low > 0 && high < self.entries.len() {
                break;
            }
            at = if low > 0 {
                at + step
            } else {
                at.wrapping_sub(step)
            };
            step *= 2;
        }
        let place = self.entries[low..high].binary_search_by(order);
        place.map(|at| low + at).map_err(|at| low + at)
    }

    /// Its share of the way from the least to the greatest id.
    fn guess(&self, id: Id) -> usize {
        let (least, most) = self.reach;
        let way = u128::from(id.top().clamp(least, most) - least);
        let steps = self.entries.len().saturating_sub(1);
        let at = way * steps as u128 / u128::from(most - least).max(1);
        usize::try_from(at).unwrap_or(steps)
    }

    /// The records with ids from `first` to `last`.
    pub(super) fn between(&self, first: Id, last: Id) -> &[Entry] {
        let begin = self.entries.partition_point(|entry| entry.id < first);
        let end = self.entries.partition_point(|entry| entry.id <= last);
        &self.entries[begin..end]
    }

    /// Cuts off the upper half, if that does not part two keys of one id.
    pub(super) fn split(&mut self) -> Option<(Id, Run)> {
        let half = self.entries.len() / 2;
        let at = self.entries[half].id;
        let cut = self.entries.partition_point(|entry| entry.id < at);
        if cut == 0 {
            return None;
        }
        let upper = Run::of(self.entries.split_off(cut));
        self.digest.take(upper.digest);
        self.mortal -= upper.mortal;
        self.entries.shrink_to(cut + RUN_STEP);
        if let Some(last) = self.entries.last() {
            self.reach.1 = last.id.top();
        }
        Some((at, upper))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Cells, Key, Record};

    /// Somewhere on the circle, or near all the others, or the very place of many.
    fn id() -> impl Strategy<Value = Id> {
        let near = (0u64..40).prop_map(|n| Id::power_of_two(159).wrapping_add(Id::from_u64(n)));
        let far = any::<u64>().prop_map(|n| Id::of(&n.to_be_bytes()));
        prop_oneof![near, far, Just(Id::ZERO), Just(Id::MAX)]
    }

    fn entry(id: Id, name: u8) -> Entry {
        let key = Key::new(vec![name]).unwrap();
        let cells = Cells::default();
        Entry::new(id, Slot::new(Record { key, cells }))
    }

    proptest! {
        #[test]
        fn a_record_is_where_an_ordinary_search_finds_it(
            places in prop::collection::vec((id(), 0u8..3), 0..80),
            goes in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            asked in prop::collection::vec((id(), 0u8..3), 1..40),
        ) {
            let mut run = Run::default();
            for (id, name) in places {
                let new = entry(id, name);
                if let Err(at) = run.position(id, &[name]) {
                    run.count_in(&new);
                    run.entries.insert(at, new);
                }
            }
            for at in goes {
                if run.entries.len() > 1 {
                    let old = run.entries.remove(at.index(run.entries.len()));
                    run.count_out(&old);
                }
            }
            let upper = if run.entries.len() > 8 { run.split() } else { None };
            for run in [Some(run), upper.map(|(_, run)| run)].into_iter().flatten() {
                let own = run.entries.iter().map(|entry| (entry.id, entry.slot.key_bytes()[0]));
                let all: Vec<(Id, u8)> = own.collect();
                prop_assert!(all.is_sorted());
                for (id, name) in all.iter().chain(&asked) {
                    prop_assert_eq!(run.position(*id, &[*name]), all.binary_search(&(*id, *name)));
                }
            }
        }
    }
}
