//! The plainest store there could be: a list of records, looked through from end to end for every operation.
//! Every engine must answer as it does.

mod checks;
mod draw;
mod shelf;

use bytes::Bytes;

use super::whole::is_whole;
use super::{Digest, Done, Garbage, Op, Page, Setting, StoreError, Usage, absent, cut};
use crate::keyspace::{Id, Span};
use crate::record::{Body, Cells, Guard, Key, Record, Stamp, Summary, Version};

pub(crate) use checks::*;
pub(crate) use draw::*;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) records: Vec<Record>,
    /// What lies on the shelf.
    shelf: Vec<Record>,
    staged: Vec<(Key, Version, u32, Bytes)>,
    settings: Vec<(Setting, Bytes)>,
}

impl Model {
    fn cells(&self, key: &Key) -> Option<&Cells> {
        self.records
            .iter()
            .find(|record| record.key == *key)
            .map(|record| &record.cells)
    }

    fn piece(&self, key: &Key, version: Version, index: u32) -> Option<Bytes> {
        let cell = self.cells(key).and_then(|cells| cells.value.as_ref());
        let Some(cell) = cell.filter(|cell| cell.version == version) else {
            let place = (key, version, index);
            let mut staged = self.staged.iter();
            let found = staged.find(|(k, v, i, _)| (k, *v, *i) == place);
            return found.map(|(.., bytes)| bytes.clone());
        };
        let body = cell.body.as_ref()?;
        body.pieces.get(usize::try_from(index).ok()?).cloned()
    }

    fn unstage(&mut self, key: &Key, version: Version) {
        self.staged.retain(|(k, v, ..)| (k, *v) != (key, version));
    }

    /// The value of a record with all its pieces, its own or those put by; or why not.
    fn complete(&mut self, record: &mut Record) -> Result<(), StoreError> {
        let mine = self
            .cells(&record.key)
            .map(Cells::summary)
            .unwrap_or_default();
        let Some(cell) = record.cells.value.as_mut() else {
            return Ok(());
        };
        if mine.value < Some(cell.version)
            && let Some(body) = cell.body.as_mut().filter(|body| !is_whole(body))
        {
            let mut staged: Vec<_> = self
                .staged
                .iter()
                .filter(|(k, v, ..)| (k, *v) == (&record.key, cell.version))
                .collect();
            staged.sort_by_key(|(_, _, index, _)| *index);
            let pieces: Vec<Bytes> = staged
                .into_iter()
                .map(|(.., bytes)| bytes.clone())
                .collect();
            let have = body
                .pieces
                .iter()
                .chain(&pieces)
                .map(|piece| piece.len() as u64)
                .sum();
            let whole = Body {
                pieces,
                ..body.clone()
            };
            if !is_whole(&whole) {
                return Err(StoreError::Bare {
                    have,
                    len: body.len,
                });
            }
            *body = whole;
            let version = cell.version;
            self.unstage(&record.key.clone(), version);
        } else if mine.value >= Some(cell.version) {
            let version = cell.version;
            self.unstage(&record.key.clone(), version);
        }
        Ok(())
    }

    fn merge(&mut self, mut record: Record) -> Done {
        let key = record.key.clone();
        if let Err(error) = self.complete(&mut record) {
            return Done::Failed(error);
        }
        match self.records.iter_mut().find(|mine| mine.key == key) {
            Some(mine) => mine.cells.merge(record.cells),
            None if record.cells == Cells::default() => {}
            None => self.records.push(record),
        }
        Done::Held(
            self.cells(&key)
                .map_or_else(Default::default, Cells::summary),
        )
    }

    fn guarded(&mut self, record: Record, guard: Guard) -> Done {
        let own = self.versions(&record.key);
        if guard.admits(&own, &record.cells.summary()) {
            self.merge(record)
        } else {
            Done::Below(own)
        }
    }

    fn scan(&self, page: &Page) -> Done {
        let (records, more) = self.page(page);
        Done::Page(records, more)
    }

    /// The page, by its definition: sort by the steps from the span's beginning, then filter.
    fn page(&self, page: &Page) -> (Vec<Record>, bool) {
        let first = page.span.from.wrapping_add(Id::from_u64(1));
        let place = |key: &Key| (first.distance(key.id()), key.bytes().clone());
        let mut all: Vec<&Record> = self
            .records
            .iter()
            .filter(|record| page.span.contains(record.key.id()))
            .collect();
        all.sort_by_key(|record| place(&record.key));
        all.retain(|record| {
            page.after
                .as_ref()
                .is_none_or(|after| place(&record.key) > place(after))
        });
        let mut taken = Vec::new();
        let mut bytes = 0;
        for record in &all {
            if taken.len() >= page.max_records.max(1)
                || (!taken.is_empty() && bytes >= page.max_bytes)
            {
                break;
            }
            let record = Record {
                key: record.key.clone(),
                cells: record.cells.for_travel(),
            };
            bytes += record.key.bytes().len() as u64 + record.cells.value_bytes();
            taken.push(record);
        }
        let more = taken.len() < all.len();
        (taken, more)
    }

    pub(crate) fn digest(&self, span: Span) -> Digest {
        let mut sum = Digest::default();
        for record in self
            .records
            .iter()
            .filter(|record| span.contains(record.key.id()))
        {
            sum.add(Digest::of(record.key.id(), &record.cells.summary()));
        }
        sum
    }

    fn digests(&self, span: Span, parts: u16) -> Vec<Digest> {
        let parts = cut(span, parts).into_iter();
        parts.map(|part| self.digest(part)).collect()
    }

    fn in_span(&self, span: Span) -> Vec<Key> {
        let all = Page {
            span,
            after: None,
            max_records: usize::MAX,
            max_bytes: u64::MAX,
        };
        let (records, _) = self.page(&all);
        records.into_iter().map(|record| record.key).collect()
    }

    fn versions(&self, key: &Key) -> Summary {
        self.cells(key).map(Cells::summary).unwrap_or_default()
    }

    fn garbage(&self, span: Span, floor: Stamp) -> Garbage {
        let mut garbage = Garbage::default();
        for key in self.in_span(span) {
            let summary = self.versions(&key);
            let delete = summary.value.is_some_and(|version| version.delete);
            garbage.mortal += u64::from(delete || summary.expiry.is_some());
            garbage.collectable += u64::from(summary.collected(floor) != summary);
        }
        garbage
    }

    fn garbage_of(&self, spans: &[Span], floor: Stamp) -> Vec<Garbage> {
        spans
            .iter()
            .map(|span| self.garbage(*span, floor))
            .collect()
    }

    fn collect(&mut self, span: Span, floor: Stamp, max_records: usize) -> Done {
        let mut keys = self.in_span(span);
        keys.retain(|key| {
            let summary = self.versions(key);
            summary.collected(floor) != summary
        });
        let more = keys.len() > max_records;
        keys.truncate(max_records);
        for record in &mut self.records {
            if keys.contains(&record.key) {
                record.cells.collect(floor);
            }
        }
        self.records
            .retain(|record| record.cells != Cells::default());
        Done::Collected(keys.len() as u64, more)
    }

    fn list(&self, page: &Page) -> Done {
        // No values are listed, so only keys count against the limit of bytes.
        let bare = |record: &Record| Record {
            key: record.key.clone(),
            cells: Cells::default(),
        };
        let keys = Model {
            records: self.records.iter().map(bare).collect(),
            ..Model::default()
        };
        let (records, more) = keys.page(page);
        let keys = records.into_iter().map(|record| record.key);
        let list = keys.map(|key| (key.clone(), self.versions(&key)));
        Done::List(list.collect(), more)
    }

    fn discard(&mut self, spans: &[Span]) -> u64 {
        let before = self.records.len();
        self.records
            .retain(|record| !spans.iter().any(|span| span.contains(record.key.id())));
        (before - self.records.len()) as u64
    }

    fn stage(&mut self, place: (Key, Version), index: u32, bytes: Bytes) -> Done {
        let (key, version) = place;
        self.staged
            .retain(|(k, v, i, _)| (k, *v, *i) != (&key, version, index));
        self.staged.push((key, version, index, bytes));
        Done::Staged
    }

    pub(crate) fn apply(&mut self, op: Op) -> Done {
        match op {
            Op::Get(key) => Done::Cells(self.cells(&key).map(Cells::for_travel)),
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
                self.unstage(&key, version);
                Done::Staged
            }
            Op::Versions(key) => Done::Versions(self.versions(&key)),
            Op::Merge(record) => self.merge(record),
            Op::Guarded(record, guard) => self.guarded(record, guard),
            Op::Garbage(spans, floor) => Done::Garbage(self.garbage_of(&spans, floor)),
            Op::Collect {
                span,
                floor,
                max_records,
            } => self.collect(span, floor, max_records),
            Op::Scan(page) => self.scan(&page),
            Op::List(page) => self.list(&page),
            Op::Digests { span, parts } => Done::Digests(self.digests(span, parts)),
            Op::Discard(spans) => Done::Discarded(self.discard(&spans)),
            Op::Shelve(spans) => Done::Shelved(self.shelve(&spans)),
            Op::Confirm { span, like } => self.confirm(span, like),
            Op::Review(spans, most) => self.review(&spans, most),
            Op::Aside(page) => self.on_shelf().scan(&page),
            Op::Set(name, value) => {
                self.settings.retain(|(other, _)| *other != name);
                self.settings.push((name, value));
                Done::Set
            }
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        let bytes = self
            .records
            .iter()
            .map(|r| r.key.bytes().len() as u64 + r.cells.value_bytes())
            .sum();
        Usage {
            records: self.records.len() as u64,
            absent: self
                .records
                .iter()
                .map(|r| absent(&r.cells.summary()))
                .sum(),
            bytes,
        }
    }
}
