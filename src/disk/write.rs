//! What is written to a store on disk: all of it goes into the present group, and nothing is written before
//! all that could fail has been tried.

use bytes::Bytes;

use super::engine::{DiskStore, setting_name};
use super::layout::{Head, INLINE_BYTES, Place, Stored, head_name};
use super::read::{Bad, share};
use super::recent::Known;
use crate::keyspace::Span;
use crate::record::{Body, Guard, Key, Record, Stamp, Summary, Version};
use crate::store::{Done, Setting, StoreError, is_whole};

/// So many records are dropped in one group.
const DISCARD_RECORDS: usize = 1_000;

impl DiskStore {
    /// A merge that fences and floors may refuse: with what is held instead.
    pub(super) fn guarded(
        &mut self,
        record: Record,
        guard: Guard,
        known: Option<Known>,
    ) -> Result<Done, StoreError> {
        let name = head_name(&record.key);
        let old = self.held(&name, &record, known)?;
        let own = old.as_ref().map(|head| head.summary).unwrap_or_default();
        if guard.admits(&own, &record.cells.summary()) {
            self.merge_over(name, old.as_ref(), record).map(Done::Held)
        } else {
            Ok(Done::Below(own))
        }
    }

    /// Drops what the floor lets go, of at most so many records; how many, and whether there are more.
    pub(super) fn collect(
        &mut self,
        span: Span,
        floor: Stamp,
        max_records: usize,
    ) -> Result<Done, StoreError> {
        self.may_write(None)?;
        self.tables()?;
        let goes = |head: &Head| head.summary.collected(floor) != head.summary;
        let heads = self.mortal(self.tables.as_ref(), span);
        let heads = heads.filter(|head| !matches!(head, Ok(head) if !goes(head)));
        let heads: Result<Vec<Head>, Bad> = heads.take(max_records.saturating_add(1)).collect();
        let mut heads = heads.map_err(|bad| self.bad(bad))?;
        let more = heads.len() > max_records;
        heads.truncate(max_records);
        for old in &heads {
            let summary = old.summary.collected(floor);
            let kept = summary.value.is_some();
            if !kept {
                self.remove_pieces(Some(old));
            }
            let new = (summary != Summary::default()).then(|| Head {
                key: old.key.clone(),
                summary,
                body: old.body.clone().filter(|_| kept),
            });
            self.put_head(head_name(&old.key), Some(old), new);
        }
        Ok(Done::Collected(heads.len() as u64, more))
    }

    pub(super) fn merge(
        &mut self,
        record: Record,
        known: Option<Known>,
    ) -> Result<Summary, StoreError> {
        let name = head_name(&record.key);
        let old = self.held(&name, &record, known)?;
        self.merge_over(name, old.as_ref(), record)
    }

    /// What is held under that name. If it is known, and its value gives way to the record's, it comes without the bytes of
    /// that value and is not looked up.
    fn held(
        &mut self,
        name: &[u8],
        record: &Record,
        known: Option<Known>,
    ) -> Result<Option<Head>, StoreError> {
        let gives_way = |known: &Known| record.cells.summary().value > known.summary.value;
        let Some(known) = known.filter(gives_way) else {
            return self.head(name);
        };
        let there = known.summary != Summary::default();
        let head = there.then(|| Head {
            key: record.key.clone(),
            summary: known.summary,
            body: Some(Stored {
                len: known.value_bytes,
                content_type: None,
                place: Place::Inline(Bytes::new()),
            }),
        });
        if cfg!(debug_assertions) {
            let found = self.head(name)?;
            assert_eq!(found.as_ref().map(share), head.as_ref().map(share));
        }
        Ok(head)
    }

    /// The same, where `old` is what is held under that name.
    fn merge_over(
        &mut self,
        name: Vec<u8>,
        old: Option<&Head>,
        record: Record,
    ) -> Result<Summary, StoreError> {
        let Record { key, cells } = record;
        let before = old.map(|head| head.summary).unwrap_or_default();
        let theirs = cells.summary();
        let newer = theirs.value > before.value;
        if let Some(version) = theirs.value.filter(|_| !newer) {
            self.unstage((key.clone(), version))?;
        }
        if before.covers(&theirs) {
            return Ok(before);
        }
        let mut summary = before;
        summary.merge(theirs);
        let body = if newer {
            let body = cells.value.and_then(|cell| cell.body);
            self.check_room(&key, old, theirs.value, body.as_ref())?;
            body.map(|body| self.put_body(&key, theirs.value, body))
        } else {
            self.may_write(None)?;
            old.and_then(|head| head.body.clone())
        };
        if newer {
            self.remove_pieces(old);
        }
        let head = Head { key, summary, body };
        self.put_head(name, old, Some(head));
        Ok(summary)
    }

    /// Whether a value may be stored: it is whole, or its pieces are put by; and there is room for it.
    fn check_room(
        &mut self,
        key: &Key,
        old: Option<&Head>,
        version: Option<Version>,
        body: Option<&Body>,
    ) -> Result<(), StoreError> {
        let Some(body) = body else {
            return self.may_write(None);
        };
        let place = version.map(|version| (key.clone(), version));
        let staged = place.and_then(|place| self.staged.get(&place));
        if !is_whole(body) && !staged.is_some_and(|staged| staged.is_whole(body)) {
            let here: u64 = body.pieces.iter().map(|piece| piece.len() as u64).sum();
            let staged: u64 = staged.map_or(0, |staged| staged.pieces.values().sum());
            return Err(StoreError::Bare {
                have: here + staged,
                len: body.len,
            });
        }
        let usage = self.runs.usage().bytes;
        let used = usage - old.map_or(0, Head::bytes) + key.bytes().len() as u64 + body.len;
        if used > self.config.limit_bytes && used > usage {
            return Err(StoreError::Full {
                used: usage,
                limit: self.config.limit_bytes,
            });
        }
        self.may_write(Some(body.len))
    }

    fn put_body(&mut self, key: &Key, version: Option<Version>, body: Body) -> Stored {
        let place = if !is_whole(&body) {
            self.use_staged(key, version)
        } else if body.len <= INLINE_BYTES {
            Place::Inline(body.to_bytes())
        } else {
            let number = self.draw_number();
            for (index, piece) in (0u32..).zip(body.pieces) {
                self.put_piece(number, index, piece);
            }
            Place::Apart(number)
        };
        Stored {
            len: body.len,
            content_type: body.content_type,
            place,
        }
    }

    /// Instead of `old` there is now `new` under that name.
    pub(super) fn put_head(&mut self, name: Vec<u8>, old: Option<&Head>, new: Option<Head>) {
        let Some(id) = old.or(new.as_ref()).map(|head| head.key.id()) else {
            return;
        };
        let bytes = new.as_ref().map(Head::encode);
        self.group
            .grow(name.len() + bytes.as_ref().map_or(0, Vec::len));
        if let Some(tables) = &self.tables {
            let batch = self.group.batch(tables);
            match bytes {
                Some(bytes) => batch.insert(&tables.heads, &name[..], bytes),
                None => batch.remove(&tables.heads, &name[..]),
            }
        }
        let share_of = |head: Option<&Head>| head.map(share);
        self.runs.replace(id, share_of(old), share_of(new.as_ref()));
        self.group.heads.insert(name, new);
    }

    /// Drops what lies in these spans, group by group: if the disk refuses in between, a part has gone.
    pub(super) fn discard(&mut self, spans: &[Span]) -> Result<u64, StoreError> {
        self.may_write(None)?;
        let mut gone = 0;
        for span in spans {
            let mut after: Option<Key> = None;
            loop {
                let heads = self.tables()?.walk(*span, after.as_ref());
                let heads: Result<Vec<Head>, Bad> = heads.take(DISCARD_RECORDS).collect();
                let heads = heads.map_err(|bad| self.bad(bad))?;
                after = heads.last().map(|head| head.key.clone());
                for head in &heads {
                    self.remove_pieces(Some(head));
                    self.put_head(head_name(&head.key), Some(head), None);
                }
                gone += heads.len() as u64;
                self.commit()?;
                if heads.len() < DISCARD_RECORDS {
                    break;
                }
            }
        }
        Ok(gone)
    }

    pub(super) fn set(&mut self, name: Setting, value: Bytes) -> Result<(), StoreError> {
        self.may_write(None)?;
        if let Some(tables) = &self.tables {
            let batch = self.group.batch(tables);
            batch.insert(&tables.settings, setting_name(name), &value[..]);
        }
        self.group.settings.push((name, value));
        Ok(())
    }
}
