//! What a store held before, and nobody has confirmed since.
//!
//! A host that comes to hold a span again may still have its records of then. They are old: some were
//! deleted meanwhile, and the tombstones collected, so that showing them would bring deletes back. So they
//! are put on the *shelf*, out of sight of every other operation, and come back only where a source's digest
//! says that it holds the very same:
//!
//! ```text
//! Shelve (a, q]                        20 records leave the table for the shelf
//! Confirm (a, h], as the source says   the same 12 there: back in the table, nothing was sent
//! Confirm (h, q]                       it differs: 8 on the shelf; the source's records are pulled
//! Review (a, q]                        5 of the 8 are old or the same: gone; 3 nobody else had: set aside
//! ```
//!
//! *Hold these true*: what lies on the shelf is in no get, scan, list or digest; it comes back only with all
//! its neighbours in a span whose digest a source has; what stays after a review is bounded.

use super::slot::Slot;
use super::table::Table;
use super::{Digest, Done, MemoryStore, Usage, absent};
use crate::keyspace::Span;
use crate::record::Record;

/// The shelf, and how much lies there.
pub(super) struct Shelf {
    pub(super) table: Table,
    pub(super) usage: Usage,
}

impl Shelf {
    pub(super) fn new() -> Shelf {
        Shelf {
            table: Table::new(),
            usage: Usage::default(),
        }
    }

    /// Puts a record there; of two under one key the newer cells stay.
    fn put(&mut self, mut record: Record) {
        if let Some(there) = self.table.get(&record.key) {
            self.usage.records -= 1;
            self.usage.bytes -= there.bytes();
            record.cells.merge(there.cells());
        }
        self.usage.records += 1;
        self.usage.bytes += record.key.bytes().len() as u64 + record.cells.value_bytes();
        self.table.put(&record.key.clone(), Slot::new(record));
    }

    /// Takes all records of a span.
    fn take(&mut self, span: Span) -> Vec<Record> {
        let all = records(&self.table, span);
        let Usage { records, bytes, .. } = self.table.discard(span);
        self.usage.records -= records;
        self.usage.bytes -= bytes;
        all
    }
}

fn records(table: &Table, span: Span) -> Vec<Record> {
    let entries = table.walk(span, None).map(|entry| Record {
        key: entry.slot.key(entry.id),
        cells: entry.slot.cells(),
    });
    entries.collect()
}

impl MemoryStore {
    pub(super) fn shelve(&mut self, spans: &[Span]) -> Done {
        let mut shelved = 0;
        for span in spans {
            for record in records(&self.table, *span) {
                self.shelf.put(record);
                shelved += 1;
            }
            self.discard(std::slice::from_ref(span));
        }
        Done::Shelved(shelved)
    }

    pub(super) fn confirm(&mut self, span: Span, like: Digest) -> Done {
        let left = self.shelf.table.digest(span);
        let mut reused = 0;
        let own = self.table.digest(span);
        let mut covered = own == like;
        if !covered && left == like {
            for record in self.shelf.take(span) {
                self.put_back(record);
                reused += 1;
            }
            covered = true;
        }
        Done::Confirmed {
            covered,
            reused,
            left: if covered { 0 } else { left.records },
            here: own.records,
        }
    }

    /// A record of the shelf is in sight again: it took its room before, so no limit is asked.
    fn put_back(&mut self, mut record: Record) {
        if let Some(there) = self.table.get(&record.key) {
            self.usage.records -= 1;
            self.usage.absent -= absent(&there.summary());
            self.usage.bytes -= there.bytes();
            record.cells.merge(there.cells());
        }
        self.usage.records += 1;
        self.usage.absent += absent(&record.cells.summary());
        self.usage.bytes += record.key.bytes().len() as u64 + record.cells.value_bytes();
        self.table.put(&record.key.clone(), Slot::new(record));
    }

    pub(super) fn review(&mut self, spans: &[Span], most: u64) -> Done {
        let (mut kept, mut dropped) = (0, 0);
        for span in spans {
            for record in self.shelf.take(*span) {
                let known = self.versions(&record.key).covers(&record.cells.summary());
                if known {
                    continue;
                }
                if self.shelf.usage.records < most {
                    self.shelf.put(record);
                    kept += 1;
                } else {
                    dropped += 1;
                }
            }
        }
        Done::Reviewed { kept, dropped }
    }
}
