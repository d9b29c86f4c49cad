//! Records in the order of their ids, with digests of whole stretches kept ready.
//!
//! An ordered map of *runs*: each run is a short sorted array of records and the digest of them all. To
//! digest a span among a million records only the two runs at its ends are looked through; those
//! between are added up unread.
//!
//! ```text
//! runs    00… [96 records, 3f2a…]   04… [71, 91c0…]   09… [120, 77e1…]   0d… [88, d40b…] …
//! span          (------------------------------------------------]
//!               looked through      added up          looked through
//! ```
//!
//! *Hold these true*: a run's records have ids from its own name up to, not including, the next run's;
//! its digest is that of its records; no run but the first is empty.

use std::collections::BTreeMap;

use super::run::{Entry, RUN_RECORDS, RUN_STEP, Run};
use super::slot::Slot;
use super::{Digest, Usage, absent};
use crate::keyspace::{Id, Span};
use crate::record::Key;

/// Of how many records of a small table a glance is taken.
const GLANCE_RECORDS: usize = 8;

/// All records of a store.
#[derive(Default)]
pub(super) struct Table {
    /// The run that begins at zero. It lies here and not in the map: where it is the only one, it is
    /// found without fetching a leaf of a tree.
    first: Run,
    /// The others, by the ids they begin at.
    later: BTreeMap<Id, Run>,
}

impl Table {
    pub(super) fn new() -> Table {
        Table::default()
    }

    /// See [`Store::glance`](super::Store::glance). Of a large table nobody knows which run will be asked
    /// for: then reading the first would help nobody.
    pub(super) fn glance(&self, depth: u8) -> u64 {
        let few = self.first.entries.iter().take(GLANCE_RECORDS);
        match depth {
            _ if !self.later.is_empty() => 0,
            0 => self.first.digest.hash ^ self.first.entries.len() as u64,
            1 => few.fold(0, |sum, entry| sum ^ entry.id.top()),
            2.. => few.fold(0, |sum, entry| sum ^ entry.slot.glance()),
        }
    }

    /// The run in which an id lies.
    fn run(&self, id: Id) -> &Run {
        let later = self.later.range(..=id).next_back();
        later.map_or(&self.first, |(_, run)| run)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Slot> {
        let run = self.run(key.id());
        let at = run.position(key.id(), key.bytes()).ok()?;
        Some(&run.entries[at].slot)
    }

    /// Where a key is, or belongs.
    pub(super) fn place(&mut self, key: &Key) -> Place<'_> {
        let later = self.later.range_mut(..=key.id()).next_back();
        let run = later.map_or(&mut self.first, |(_, run)| run);
        let at = run.position(key.id(), key.bytes());
        Place { run, at }
    }

    /// Takes the upper half of a run that [`Place::put`] has split.
    pub(super) fn add(&mut self, upper: Option<(Id, Run)>) {
        if let Some((name, run)) = upper {
            self.later.insert(name, run);
        }
    }

    /// Stores a record under its key, instead of what was there.
    pub(super) fn put(&mut self, key: &Key, slot: Slot) {
        let entry = Entry::new(key.id(), slot);
        let upper = self.place(key).put(entry);
        self.add(upper);
    }

    /// Drops one record; returns what it was.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Slot> {
        let name = self.run_of(key.id());
        let later = self.later.get_mut(&name);
        let run = later.unwrap_or(&mut self.first);
        let at = run.position(key.id(), key.bytes()).ok()?;
        let old = run.entries.remove(at);
        run.count_out(&old);
        if run.entries.is_empty() {
            // The first run stays.
            self.later.remove(&name);
        }
        Some(old.slot)
    }

    /// The records of a span that are there for a while only; runs without any are passed over unread.
    pub(super) fn mortal(&self, span: Span) -> impl Iterator<Item = &Entry> {
        let stretches = stretches(span).into_iter().flatten();
        stretches.flat_map(|(first, last)| {
            let runs = self.runs(first, last);
            let some = runs.filter(|(_, run)| run.mortal > 0);
            let entries = some.flat_map(move |(_, run)| run.between(first, last));
            entries.filter(|entry| entry.mortal)
        })
    }

    /// The records of a span in clockwise order from its beginning; with `after`, only those behind it.
    pub(super) fn walk<'a>(
        &'a self,
        span: Span,
        after: Option<&'a Key>,
    ) -> impl Iterator<Item = &'a Entry> {
        let (twins, rest) = match after {
            None => (None, Some(span)),
            // Whatever lies outside the span lies behind all of it.
            Some(key) if !span.contains(key.id()) => (None, None),
            Some(key) => (
                Some(key),
                (key.id() != span.to).then(|| Span::new(key.id(), span.to)),
            ),
        };
        // Keys with the very id of `after` come first, if there are any.
        let twins = twins.into_iter().flat_map(move |key| {
            let same = self.between(key.id(), key.id());
            same.filter(move |entry| entry.slot.key_bytes() > &key.bytes()[..])
        });
        let rest = rest.into_iter().flat_map(stretches).flatten();
        twins.chain(rest.flat_map(move |(first, last)| self.between(first, last)))
    }

    fn between(&self, first: Id, last: Id) -> impl Iterator<Item = &Entry> {
        let runs = self.runs(first, last);
        runs.flat_map(move |(_, run)| run.between(first, last))
    }

    /// The runs in which ids from `first` to `last` lie, each with the id it begins at.
    fn runs(&self, first: Id, last: Id) -> impl Iterator<Item = (Id, &Run)> {
        let begin = self.run_of(first);
        let from_zero = (begin == Id::ZERO).then_some((begin, &self.first));
        let later = self.later.range(begin..=last);
        from_zero
            .into_iter()
            .chain(later.map(|(name, run)| (*name, run)))
    }

    /// The digest of a span.
    pub(super) fn digest(&self, span: Span) -> Digest {
        let mut sum = Digest::default();
        for (first, last) in stretches(span).into_iter().flatten() {
            let mut runs = self.runs(first, last).peekable();
            while let Some((name, run)) = runs.next() {
                // If the next run, too, begins in the stretch, this one ends there; then none of its
                // records is looked at.
                if name >= first && runs.peek().is_some() {
                    sum.add(run.digest);
                } else {
                    let some = run.between(first, last);
                    some.iter().for_each(|entry| sum.add(entry.digest()));
                }
            }
        }
        sum
    }

    /// Drops every record of a span and says what went.
    pub(super) fn discard(&mut self, span: Span) -> Usage {
        let mut gone = Usage::default();
        for (first, last) in stretches(span).into_iter().flatten() {
            let begin = self.run_of(first);
            let from_zero = (begin == Id::ZERO).then_some(&mut self.first);
            let later = self.later.range_mut(begin..=last).map(|(_, run)| run);
            for run in from_zero.into_iter().chain(later) {
                let (digest, mortal) = (&mut run.digest, &mut run.mortal);
                run.entries.retain(|entry| {
                    let goes = first <= entry.id && entry.id <= last;
                    if goes {
                        gone.records += 1;
                        gone.absent += absent(&entry.slot.summary());
                        gone.bytes += entry.slot.bytes();
                        digest.take(entry.digest());
                        *mortal -= usize::from(entry.mortal);
                    }
                    !goes
                });
                run.entries.shrink_to_fit();
            }
        }
        self.later.retain(|_, run| !run.entries.is_empty());
        gone
    }

    /// The id at which the run begins in which an id lies.
    fn run_of(&self, id: Id) -> Id {
        let later = self.later.range(..=id).next_back();
        later.map_or(Id::ZERO, |(name, _)| *name)
    }
}

/// Where one key is, or belongs: found once, looked at, and written to.
pub(super) struct Place<'a> {
    run: &'a mut Run,
    at: Result<usize, usize>,
}

impl Place<'_> {
    /// What is there.
    pub(super) fn slot(&self) -> Option<&Slot> {
        Some(&self.run.entries[self.at.ok()?].slot)
    }

    /// Stores a record of that key, instead of what was there; the upper half of its run, if that was split: for [`Table::add`].
    pub(super) fn put(self, entry: Entry) -> Option<(Id, Run)> {
        let run = self.run;
        run.count_in(&entry);
        match self.at {
            Ok(at) => {
                let old = std::mem::replace(&mut run.entries[at], entry);
                run.count_out(&old);
                None
            }
            Err(at) => {
                if run.entries.len() == run.entries.capacity() {
                    run.entries.reserve_exact(RUN_STEP);
                }
                run.entries.insert(at, entry);
                let full = run.entries.len() > RUN_RECORDS;
                full.then(|| run.split()).flatten()
            }
        }
    }
}

/// A span as one or two stretches of the number line, both ends inclusive.
pub(crate) fn stretches(span: Span) -> [Option<(Id, Id)>; 2] {
    let after = span.from.wrapping_add(Id::from_u64(1));
    if span.from < span.to {
        return [Some((after, span.to)), None];
    }
    // Past zero, or whole. From the greatest id on, the part before zero is empty.
    [
        (after != Id::ZERO).then_some((after, Id::MAX)),
        Some((Id::ZERO, span.to)),
    ]
}
