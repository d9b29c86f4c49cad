//! The memory engine: everything a host keeps, until its process ends.
//!
//! ```text
//!   table      key -> cells, in the order of ids            what is stored, and asked for
//!   staged     (key, version) -> pieces                     put by for a value that comes bare
//!   shelf      key -> cells, out of sight                   from before: nobody has confirmed it yet
//!   settings   name -> bytes                                roster, promises, marks
//! ```
//!
//! *Hold these true*: it answers as the plainest store does (`model`); at the limit a new value is
//! refused, while a delete, an expiry and a setting always have room.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::run::Entry;
use super::shelf::Shelf;
use super::slot::Slot;
use super::table::Table;
use super::whole::is_whole;
use super::{Done, Op, Page, Setting, Store, StoreError, Usage, absent, cut};
use crate::keyspace::{Id, Span};
use crate::record::{Body, Cells, Guard, Key, Record, Summary, Version};

/// A store in memory.
///
/// A record of ordinary size costs some 100 bytes beyond its key and value. It may be given a limit of
/// bytes (keys and values): at the limit new values are refused, while reads, deletes and expiries go on.
///
/// ```
/// use roundelay::record::{Body, Cells, Key, Record, Stamp, ValueCell, Version};
/// use roundelay::placement::HostId;
/// use roundelay::store::{Done, MemoryStore, Op, Store};
///
/// let mut store = MemoryStore::new();
/// let key = Key::new("cat")?;
/// let version = Version { stamp: Stamp(7), delete: false, host: HostId(1), start: 1 };
/// let value = Some(ValueCell { version, body: Some(Body::new("meow")) });
/// store.apply(Op::Merge(Record { key: key.clone(), cells: Cells { value, expiry: None } }));
/// let Done::Cells(Some(cells)) = store.apply(Op::Get(key)) else { panic!("it was stored") };
/// assert_eq!(cells.value.unwrap().body.unwrap().to_bytes(), "meow");
/// # Ok::<(), roundelay::record::KeyError>(())
/// ```
pub struct MemoryStore {
    pub(super) table: Table,
    /// Pieces put by for values that will be merged bare.
    staged: Staged,
    pub(super) shelf: Shelf,
    settings: BTreeMap<Setting, Bytes>,
    pub(super) usage: Usage,
    /// Bytes of keys and values that may be kept.
    limit: u64,
}

/// Pieces by the values they are for, and their numbers.
type Staged = BTreeMap<(Key, Version), BTreeMap<u32, Bytes>>;

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// An empty store without a limit.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::with_limit(u64::MAX)
    }

    /// An empty store that takes new values only up to so many bytes of keys and values.
    #[must_use]
    pub fn with_limit(limit: u64) -> MemoryStore {
        MemoryStore {
            table: Table::new(),
            staged: BTreeMap::new(),
            shelf: Shelf::new(),
            settings: BTreeMap::new(),
            usage: Usage::default(),
            limit,
        }
    }

    /// Every record it holds, in the order of ids: for checks, dumps and drawings.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let whole = Span::whole(Id::MAX);
        self.table.walk(whole, None).map(|entry| Record {
            key: entry.slot.key(entry.id),
            cells: entry.slot.cells(),
        })
    }

    pub(super) fn versions(&self, key: &Key) -> Summary {
        self.table
            .get(key)
            .map_or_else(Summary::default, Slot::summary)
    }

    fn piece(&self, key: &Key, version: Version, index: u32) -> Option<Bytes> {
        let at_it = |slot: &&Slot| slot.summary().value == Some(version);
        let Some(slot) = self.table.get(key).filter(at_it) else {
            let staged = self.staged.get(&(key.clone(), version))?;
            return staged.get(&index).cloned();
        };
        let body = slot.cells().value?.body?;
        body.pieces.get(usize::try_from(index).ok()?).cloned()
    }

    fn stage(&mut self, place: (Key, Version), index: u32, bytes: Bytes) -> Done {
        let staged = self.staged.values().flat_map(BTreeMap::values);
        let staged: u64 = staged.map(|piece| piece.len() as u64).sum();
        let used = self.usage.bytes + staged;
        if used.saturating_add(bytes.len() as u64) > self.limit {
            return Done::Failed(StoreError::Full {
                used,
                limit: self.limit,
            });
        }
        self.staged.entry(place).or_default().insert(index, bytes);
        Done::Staged
    }

    /// Merges a record with what is held, if the guard admits it.
    fn merge(&mut self, mut record: Record, guard: Option<&Guard>) -> Done {
        let place = self.table.place(&record.key);
        let (before, old_bytes) = place.slot().map_or_else(Default::default, Slot::known);
        let theirs = record.cells.summary();
        let admitted = guard.is_none_or(|guard| guard.admits(&before, &theirs));
        if admitted && theirs.value > before.value {
            if let Err(error) = complete(&mut self.staged, &mut record) {
                return Done::Failed(error);
            }
        } else if let Some(version) = theirs.value
            && !self.staged.is_empty()
        {
            self.staged.remove(&(record.key.clone(), version));
        }
        if !admitted {
            return Done::Below(before);
        }
        if before.covers(&theirs) {
            return Done::Held(before);
        }
        // The old value is only unpacked if it stays.
        let stays = before.value >= theirs.value && before.value.is_some();
        let old = place.slot().filter(|_| stays);
        let fresh = Cells {
            value: None,
            expiry: before.expiry,
        };
        let mut cells = old.map_or(fresh, Slot::cells);
        let grows =
            theirs.value > before.value && !theirs.value.is_some_and(|version| version.delete);
        cells.merge(std::mem::take(&mut record.cells));
        record.cells = cells;
        let held = record.cells.summary();
        let usage = &mut self.usage;
        let bytes = record.key.bytes().len() as u64 + record.cells.value_bytes();
        let used = usage.bytes - old_bytes + bytes;
        if grows && used > self.limit && used > usage.bytes {
            let (used, limit) = (usage.bytes, self.limit);
            return Done::Failed(StoreError::Full { used, limit });
        }
        match old_bytes {
            0 => usage.records += 1,
            _ => usage.absent -= absent(&before),
        }
        usage.absent += absent(&held);
        usage.bytes = used;
        let entry = Entry::known(record.key.id(), &held, Slot::new(record));
        let upper = place.put(entry);
        self.table.add(upper);
        Done::Held(held)
    }

    fn scan(table: &Table, page: &Page) -> Done {
        let mut records = Vec::new();
        let mut room = Room::of(page);
        let mut entries = table.walk(page.span, page.after.as_ref()).peekable();
        while room.is_left()
            && let Some(entry) = entries.next()
        {
            let record = Record {
                key: entry.slot.key(entry.id),
                cells: entry.slot.cells_for_travel(),
            };
            room.use_up(record.key.bytes().len() as u64 + record.cells.value_bytes());
            records.push(record);
        }
        Done::Page(records, entries.peek().is_some())
    }

    fn list(&self, page: &Page) -> Done {
        let mut keys = Vec::new();
        let mut room = Room::of(page);
        let mut entries = self.table.walk(page.span, page.after.as_ref()).peekable();
        while room.is_left()
            && let Some(entry) = entries.next()
        {
            let key = entry.slot.key(entry.id);
            room.use_up(key.bytes().len() as u64);
            keys.push((key, entry.slot.summary()));
        }
        Done::List(keys, entries.peek().is_some())
    }

    pub(super) fn discard(&mut self, spans: &[Span]) -> u64 {
        let mut gone = 0;
        for span in spans {
            let went = self.table.discard(*span);
            gone += went.records;
            self.usage.records -= went.records;
            self.usage.absent -= went.absent;
            self.usage.bytes -= went.bytes;
        }
        gone
    }
}

impl Store for MemoryStore {
    fn apply(&mut self, op: Op) -> Done {
        match op {
            Op::Get(key) => Done::Cells(self.table.get(&key).map(Slot::cells_for_travel)),
            Op::Piece {
                key,
                version,
                index,
            } => Done::Piece(self.piece(&key, version, index)),
            Op::Stage {
                key,
                version,
                index,
                bytes,
            } => self.stage((key, version), index, bytes),
            Op::Unstage(key, version) => {
                self.staged.remove(&(key, version));
                Done::Staged
            }
            Op::Versions(key) => Done::Versions(self.versions(&key)),
            Op::Merge(record) => self.merge(record, None),
            Op::Guarded(record, guard) => self.merge(record, Some(&guard)),
            Op::Scan(page) => MemoryStore::scan(&self.table, &page),
            Op::List(page) => self.list(&page),
            Op::Digests { span, parts } => Done::Digests(
                cut(span, parts)
                    .into_iter()
                    .map(|part| self.table.digest(part))
                    .collect(),
            ),
            Op::Discard(spans) => Done::Discarded(self.discard(&spans)),
            Op::Garbage(spans, floor) => Done::Garbage(self.garbage(&spans, floor)),
            Op::Collect {
                span,
                floor,
                max_records,
            } => {
                let (gone, more) = self.collect(span, floor, max_records);
                Done::Collected(gone, more)
            }
            Op::Shelve(spans) => self.shelve(&spans),
            Op::Confirm { span, like } => self.confirm(span, like),
            Op::Review(spans, most) => self.review(&spans, most),
            Op::Aside(page) => MemoryStore::scan(&self.shelf.table, &page),
            Op::Set(name, value) => {
                self.settings.insert(name, value);
                Done::Set
            }
        }
    }

    fn setting(&self, name: Setting) -> Option<Bytes> {
        self.settings.get(&name).cloned()
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn begin_again(&mut self) {
        self.staged.clear();
    }

    fn glance(&self, depth: u8) -> u64 {
        self.usage.bytes ^ self.table.glance(depth)
    }
}

/// Gives a bare value the pieces that were put by for it.
fn complete(staged: &mut Staged, record: &mut Record) -> Result<(), StoreError> {
    let Some(cell) = record.cells.value.as_mut() else {
        return Ok(());
    };
    let Some(body) = cell.body.as_mut().filter(|body| !is_whole(body)) else {
        return Ok(());
    };
    let place = (record.key.clone(), cell.version);
    let whole = Body {
        pieces: staged
            .get(&place)
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect(),
        ..body.clone()
    };
    if !is_whole(&whole) {
        let have = body.pieces.iter().chain(&whole.pieces);
        return Err(StoreError::Bare {
            have: have.map(|piece| piece.len() as u64).sum(),
            len: body.len,
        });
    }
    *body = whole;
    staged.remove(&place);
    Ok(())
}

/// What may still be put on a page.
pub(crate) struct Room {
    records: usize,
    bytes: u64,
}

impl Room {
    /// A page holds at least one record, or its reader would never get on.
    pub(crate) fn of(page: &Page) -> Room {
        Room {
            records: page.max_records.max(1),
            bytes: page.max_bytes.max(1),
        }
    }

    pub(crate) const fn is_left(&self) -> bool {
        self.records > 0 && self.bytes > 0
    }

    pub(crate) fn use_up(&mut self, bytes: u64) {
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
