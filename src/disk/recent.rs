//! What was read or written lately, on the host's side of the store's thread.
//!
//! To ask a thread and to be told costs more than a small record is worth. So who asks keeps records that have passed
//! by, and answers a read of them itself:
//!
//! ```text
//!            asked                          known here                 told
//! Get a      to the thread                  -                          a 7 meow, and from now on known
//! Get a      answered here                  a 7 meow
//! Merge a 8  to the thread                  nothing of a               held
//! Get a      to the thread, behind Merge a  nothing of a
//!            both told                      a 8 purr
//! Shelve     to the thread                  nothing at all, until it is told
//! ```
//!
//! A read that is answered here overtakes what waits for the thread, but nothing that could change its answer: as long as a
//! write of its key (or of one of its neighbours here) is under way, and as long as an operation on whole spans is, reads go
//! the long way. So a reader sees only what is committed as the policy says, and the results about one key
//! stay in order.
//!
//! For the same reason what is known here is what the thread will find when it comes to a write: it is told along with
//! the write, and need not be looked up.
//!
//! *Hold these true*: what is known is what the thread would answer; it takes at most so many bytes; after a write that failed
//! nothing is known any more.
//!
//! Left out on purpose: large values, for they are read once; and keeping what is read often rather than what was
//! read lately.

use super::layout::INLINE_BYTES;
use crate::keyspace::Id;
use crate::record::{Cells, Key, Record, Summary};
use crate::store::{Done, Op, Slot, is_whole};

/// Values of more bytes are not kept.
const MOST_VALUE_BYTES: u64 = 4 * 1024;

/// What a record takes beside its key and its value.
const BESIDE_BYTES: u64 = 96;

/// A set holds about so many bytes when all are full.
const SET_BYTES: u64 = 1024;

/// No set holds more records: they are looked through one by one.
const SET_RECORDS: usize = 16;

/// Records whose ids have the same remainder.
#[derive(Default)]
struct Set {
    /// Writes about any of them that are under way.
    writes: u32,
    /// The oldest first.
    records: Vec<(Id, Slot)>,
}

/// What was asked, as far as it matters when it is told.
pub(crate) enum Passing {
    /// Nothing of this changes a record, or says what one is.
    Nothing,
    /// It says what is held.
    Read(Key),
    /// If it is stored so, this is held.
    Write(Key, Option<Record>),
    /// It may change anything.
    Wide,
}

/// What the thread will find under the key of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) summary: Summary,
    /// Bytes of the value, which is a small one.
    pub(crate) value_bytes: u64,
}

/// The records that are known.
pub(crate) struct Recent {
    sets: Vec<Set>,
    /// Operations under way that may change anything.
    wide: u32,
    bytes: u64,
    most_bytes: u64,
    /// Which set gives way next.
    hand: usize,
}

impl Recent {
    /// One that keeps at most so many bytes.
    pub(crate) fn new(most_bytes: u64) -> Recent {
        let sets = (most_bytes / SET_BYTES).clamp(1, 1 << 20);
        Recent {
            sets: (0..sets).map(|_| Set::default()).collect(),
            wide: 0,
            bytes: 0,
            most_bytes,
            hand: 0,
        }
    }

    fn place(&self, key: &Key) -> usize {
        let sets = self.sets.len() as u64;
        usize::try_from(key.id().top() % sets).unwrap_or_default()
    }

    fn set(&mut self, key: &Key) -> &mut Set {
        let place = self.place(key);
        &mut self.sets[place]
    }

    /// The answer, if it is known.
    pub(crate) fn answer(&self, op: &Op) -> Option<Done> {
        let (Op::Get(key) | Op::Versions(key)) = op else {
            return None;
        };
        let slot = self.slot(key)?;
        if let Op::Versions(_) = op {
            return Some(Done::Versions(slot.summary()));
        }
        let cells = slot.cells();
        Some(Done::Cells((cells != Cells::default()).then_some(cells)))
    }

    /// What the thread will find when it comes to this write. It is still to be [`asked`](Recent::asked).
    pub(crate) fn known(&self, op: &Op) -> Option<Known> {
        let (Op::Merge(record) | Op::Guarded(record, _)) = op else {
            return None;
        };
        let slot = self.slot(&record.key)?;
        let value_bytes = slot.bytes() - record.key.bytes().len() as u64;
        let summary = slot.summary();
        (value_bytes <= INLINE_BYTES).then_some(Known {
            summary,
            value_bytes,
        })
    }

    /// A record that is known, while nothing is under way that could change it.
    fn slot(&self, key: &Key) -> Option<&Slot> {
        let set = &self.sets[self.place(key)];
        if self.wide > 0 || set.writes > 0 {
            return None;
        }
        let found = set.records.iter().find(is_of(key));
        found.map(|(_, slot)| slot)
    }

    /// An operation goes to the thread. What comes back belongs to [`Recent::told`].
    pub(crate) fn asked(&mut self, op: &Op) -> Passing {
        match op {
            Op::Get(key) => Passing::Read(key.clone()),
            Op::Merge(record) | Op::Guarded(record, _) => {
                self.set(&record.key).writes += 1;
                self.forget(&record.key);
                let small = record.cells.value_bytes() <= MOST_VALUE_BYTES;
                Passing::Write(record.key.clone(), small.then(|| record.clone()))
            }
            Op::Discard(_)
            | Op::Collect { .. }
            | Op::Shelve(_)
            | Op::Confirm { .. }
            | Op::Review(..) => {
                self.wide += 1;
                self.clear();
                Passing::Wide
            }
            Op::Versions(_) | Op::Scan(_) | Op::List(_) | Op::Digests { .. } => Passing::Nothing,
            Op::Garbage(..) | Op::Aside(_) | Op::Set(..) => Passing::Nothing,
            Op::Piece { .. } | Op::Stage { .. } | Op::Unstage(..) => Passing::Nothing,
        }
    }

    /// And is told, in the order of the operations.
    pub(crate) fn told(&mut self, passing: Passing, done: &Done) {
        match (passing, done) {
            (Passing::Nothing, _) => {}
            (Passing::Wide, _) => self.wide = self.wide.saturating_sub(1),
            (Passing::Read(key), Done::Cells(cells)) => {
                let cells = cells.clone().unwrap_or_default();
                self.learn(Record { key, cells });
            }
            (Passing::Read(_), _) => {}
            (Passing::Write(key, record), done) => {
                let set = self.set(&key);
                set.writes = set.writes.saturating_sub(1);
                match (record, done) {
                    (Some(record), Done::Held(held)) if *held == record.cells.summary() => {
                        self.learn(record);
                    }
                    // Who knows what is on the disk now.
                    (_, Done::Failed(_)) => self.clear(),
                    (_, _) => {}
                }
            }
        }
    }

    /// Keeps a record, if nothing is under way that could change it.
    fn learn(&mut self, record: Record) {
        let value = record.cells.value.as_ref();
        let body = value.and_then(|cell| cell.body.as_ref());
        let small = record.cells.value_bytes() <= MOST_VALUE_BYTES;
        if self.wide > 0 || self.set(&record.key).writes > 0 || !small || !body.is_none_or(is_whole)
        {
            return;
        }
        self.forget(&record.key);
        let id = record.key.id();
        let place = self.place(&record.key);
        let slot = Slot::new(record);
        if !slot.is_packed() {
            return; // It would keep all that was read from a client at once.
        }
        self.bytes += weight(&slot);
        self.sets[place].records.push((id, slot));
        if self.sets[place].records.len() > SET_RECORDS {
            self.drop_oldest(place);
        }
        while self.bytes > self.most_bytes {
            self.hand = (self.hand + 1) % self.sets.len();
            self.drop_oldest(self.hand);
        }
    }

    fn drop_oldest(&mut self, place: usize) {
        let records = &mut self.sets[place].records;
        if !records.is_empty() {
            let (_, slot) = records.remove(0);
            self.bytes -= weight(&slot);
        }
    }

    fn forget(&mut self, key: &Key) {
        let records = &mut self.set(key).records;
        if let Some(at) = records.iter().position(|known| is_of(key)(&known)) {
            let (_, slot) = records.remove(at);
            self.bytes -= weight(&slot);
        }
    }

    /// Nothing is known any more.
    fn clear(&mut self) {
        // A move asks for much that may change anything: what is empty is not emptied again each time.
        if self.bytes == 0 {
            return;
        }
        for set in &mut self.sets {
            set.records = Vec::new();
        }
        self.bytes = 0;
    }
}

fn is_of(key: &Key) -> impl Fn(&&(Id, Slot)) -> bool {
    move |(id, slot)| *id == key.id() && slot.key_bytes() == &key.bytes()[..]
}

fn weight(slot: &Slot) -> u64 {
    slot.bytes() + BESIDE_BYTES
}

#[cfg(test)]
mod tests;
