//! What came of a seed, and of many.

use std::collections::BTreeMap;
use std::fmt;

use super::faults::Fault;
use crate::lab::check::Violation;

/// The faults that last now, each as often as it does.
#[derive(Clone, Debug, Default)]
pub(super) struct Active(BTreeMap<Fault, u32>);

impl Active {
    pub(super) fn add(&mut self, fault: Fault) {
        *self.0.entry(fault).or_default() += 1;
    }

    pub(super) fn remove(&mut self, fault: Fault) {
        if let Some(count) = self.0.get_mut(&fault) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&fault);
            }
        }
    }

    /// A bit for each kind that lasts.
    pub(super) fn bits(&self) -> u32 {
        self.0.keys().fold(0, |bits, fault| bits | bit(*fault))
    }
}

fn bit(fault: Fault) -> u32 {
    let place = Fault::ALL.iter().position(|other| *other == fault);
    1 << place.unwrap_or(0)
}

/// The bit of operations asked while spans moved.
pub(super) const MOVING: u32 = 1 << Fault::ALL.len();

/// How many operations were asked, and how many succeeded, by what went wrong meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(BTreeMap<u32, (u64, u64)>);

impl Rates {
    /// An operation ended, asked while these bits stood.
    pub(super) fn count(&mut self, during: u32, succeeded: bool) {
        let (asked, done) = self.0.entry(during).or_default();
        *asked += 1;
        *done += u64::from(succeeded);
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Rates) {
        for (during, (asked, done)) in &other.0 {
            let sum = self.0.entry(*during).or_default();
            *sum = (sum.0 + asked, sum.1 + done);
        }
    }

    /// For each kind of fault, in a fixed order: its name, how many operations were asked while it
    /// lasted, and how many of them succeeded.
    #[must_use]
    pub fn table(&self) -> Vec<(&'static str, u64, u64)> {
        let sum = |fits: &dyn Fn(u32) -> bool| {
            let fitting = self.0.iter().filter(|(during, _)| fits(**during));
            fitting.fold((0, 0), |sum, (_, (asked, done))| {
                (sum.0 + asked, sum.1 + done)
            })
        };
        let kinds = Fault::ALL
            .into_iter()
            .map(|fault| (fault.name(), bit(fault)));
        let mut rows = vec![("no fault", sum(&|during| during == 0))];
        rows.extend(kinds.map(|(name, bit)| (name, sum(&|during| during & bit != 0))));
        rows.push(("moving", sum(&|during| during & MOVING != 0)));
        rows.into_iter()
            .map(|(name, (asked, done))| (name, asked, done))
            .collect()
    }
}

/// How often what was drawn came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Hosts that were sure again of a store that had been in doubt.
    pub sure: u64,
    /// Hosts whose removal was wished for because they were silent.
    pub silent: u64,
    /// Hosts that stopped because they were granted it.
    pub drained: u64,
    /// Hosts that had been members and came in again.
    pub again: u64,
    /// Times that a host dropped copies it had.
    pub dropped: u64,
}

/// What came of one seed, or of several.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many seeds.
    pub seeds: u64,
    /// What the seed meant, in one line.
    pub plan: String,
    /// Operations asked of the ring.
    pub operations: u64,
    /// Those that were answered without a failure.
    pub succeeded: u64,
    /// Puts, deletes and expiries that were acknowledged.
    pub writes: u64,
    /// Rosters that were lived by.
    pub rosters: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// Records of what was deleted or had expired that went for good, at each replica.
    pub collected: u64,
    /// Keys that lost something which the harness had destroyed.
    pub excused: u64,
    /// Large values that went in piece by piece and were ended.
    pub uploads: u64,
    /// Those that were opened and read to the end.
    pub downloads: u64,
    /// Uploads that broke off before their end.
    pub broken_off: u64,
    /// How often what was drawn came about.
    pub counts: Counts,
    /// How many succeeded, by what went wrong meanwhile.
    pub rates: Rates,
    /// The rules that were broken.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Adds what came of another seed; its violations are counted elsewhere.
    pub fn add(&mut self, other: &Report) {
        self.seeds += other.seeds;
        self.operations += other.operations;
        self.succeeded += other.succeeded;
        self.writes += other.writes;
        self.rosters += other.rosters;
        self.virtual_ms += other.virtual_ms;
        self.messages += other.messages;
        self.collected += other.collected;
        self.excused += other.excused;
        self.uploads += other.uploads;
        self.downloads += other.downloads;
        self.broken_off += other.broken_off;
        self.counts.sure += other.counts.sure;
        self.counts.silent += other.counts.silent;
        self.counts.drained += other.counts.drained;
        self.counts.again += other.counts.again;
        self.counts.dropped += other.counts.dropped;
        self.rates.add(&other.rates);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds, {} operations, {} succeeded, {} writes acknowledged, {} rosters, {} messages, {} virtual s; \
             {} records collected, {} keys excused",
            self.seeds,
            self.operations,
            self.succeeded,
            self.writes,
            self.rosters,
            self.messages,
            self.virtual_ms / 1000,
            self.collected,
            self.excused
        )?;
        let Counts {
            sure,
            silent,
            drained,
            again,
            dropped,
        } = self.counts;
        writeln!(
            f,
            "hosts: {sure} sure again, {silent} silent and to go, {drained} stopped by a grant, {again} in again; copies dropped {dropped} times"
        )?;
        writeln!(
            f,
            "{:<12} {:>10} {:>10} {:>7}",
            "asked during", "operations", "succeeded", "rate"
        )?;
        for (name, asked, done) in self.rates.table().into_iter().filter(|row| row.1 > 0) {
            let hundredths = done * 10_000 / asked;
            let rate = format!("{}.{:02}%", hundredths / 100, hundredths % 100);
            writeln!(f, "{name:<12} {asked:>10} {done:>10} {rate:>7}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counted_by_what_lasted() {
        let mut active = Active::default();
        let mut rates = Rates::default();
        rates.count(active.bits(), true);
        active.add(Fault::Kill);
        active.add(Fault::Kill);
        active.add(Fault::Loss);
        active.remove(Fault::Kill);
        rates.count(active.bits() | MOVING, false);
        active.remove(Fault::Kill);
        rates.count(active.bits(), true);
        let table = rates.table();
        let row = |name| *table.iter().find(|row| row.0 == name).unwrap();
        assert_eq!(row("no fault"), ("no fault", 1, 1));
        assert_eq!(row("kill"), ("kill", 1, 0));
        assert_eq!(row("loss"), ("loss", 2, 1));
        assert_eq!(row("moving"), ("moving", 1, 0));
    }
}
