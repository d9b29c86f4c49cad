//! How does the memory engine find what may be dropped, without looking through everything?
//!
//! ```text
//! runs    [96 records, 0 mortal]  [71, 3 mortal]  [120, 0 mortal]  …
//!          passed over             looked through  passed over
//! ```
//!
//! *Hold this true*: what goes is decided by the floor it is given, by no clock.

use super::{Garbage, MemoryStore, absent, slot::Slot};
use crate::keyspace::Span;
use crate::record::{Cells, Key, Record, Stamp};

impl MemoryStore {
    pub(super) fn garbage(&self, spans: &[Span], floor: Stamp) -> Vec<Garbage> {
        let count = |span: &Span| {
            let mut garbage = Garbage::default();
            for entry in self.table.mortal(*span) {
                let summary = entry.slot.summary();
                garbage.mortal += 1;
                garbage.collectable += u64::from(summary.collected(floor) != summary);
            }
            garbage
        };
        spans.iter().map(count).collect()
    }

    /// Drops at most so many records; says how many went, and whether more could go.
    pub(super) fn collect(&mut self, span: Span, floor: Stamp, max_records: usize) -> (u64, bool) {
        let goes = |slot: &Slot| slot.summary().collected(floor) != slot.summary();
        let found = self.table.mortal(span).filter(|entry| goes(&entry.slot));
        let mut keys: Vec<Key> = found
            .take(max_records.saturating_add(1))
            .map(|entry| entry.slot.key(entry.id))
            .collect();
        let more = keys.len() > max_records;
        keys.truncate(max_records);
        for key in &keys {
            self.collect_one(key, floor);
        }
        (keys.len() as u64, more)
    }

    fn collect_one(&mut self, key: &Key, floor: Stamp) {
        let Some(old) = self.table.remove(key) else {
            return;
        };
        self.usage.records -= 1;
        self.usage.absent -= absent(&old.summary());
        self.usage.bytes -= old.bytes();
        let mut cells = old.cells();
        cells.collect(floor);
        if cells != Cells::default() {
            let key = key.clone();
            let slot = Slot::new(Record {
                key: key.clone(),
                cells,
            });
            self.usage.records += 1;
            self.usage.absent += absent(&slot.summary());
            self.usage.bytes += slot.bytes();
            self.table.put(&key, slot);
        }
    }
}
