//! What is read from a store on disk: heads one by one or in stretches, values a piece at a time.

use bytes::Bytes;
use fjall::Keyspace;

use super::engine::DiskStore;
use super::layout::{Head, Place, head_name, piece_name};
use super::look::{Heads, Look, cells};
use super::runs::{RUN_RECORDS, Run};
use super::tables::Tables;
use crate::keyspace::{Id, Span};
use crate::record::{Cells, Key, Stamp, Version};
use crate::store::{Digest, Done, Garbage, Page, Room, StoreError, absent, cut, stretches};

/// Why something could not be read.
pub(super) enum Bad {
    Engine(fjall::Error),
    Head,
    /// A run, or the note of a group.
    Run,
}

impl From<fjall::Error> for Bad {
    fn from(error: fjall::Error) -> Bad {
        Bad::Engine(error)
    }
}

impl Tables {
    /// The head under that name.
    pub(super) fn head(&self, name: &[u8]) -> Result<Option<Head>, Bad> {
        Tables::head_in(&self.heads, name)
    }

    pub(super) fn head_in(table: &Keyspace, name: &[u8]) -> Result<Option<Head>, Bad> {
        let Some(value) = table.get(name)? else {
            return Ok(None);
        };
        Head::decode(name, &value).map(Some).ok_or(Bad::Head)
    }

    /// The heads with ids from `first` to `last`.
    fn between(&self, first: Id, last: Id) -> Heads {
        self.look(&self.heads).between(first, last)
    }

    /// The heads of a span in clockwise order from its beginning; with `after`, only those behind it.
    pub(super) fn walk(&self, span: Span, after: Option<&Key>) -> Heads {
        self.look(&self.heads).walk(span, after)
    }

    /// The sum over the heads with ids from `first` to `last`.
    pub(super) fn sum(&self, first: Id, last: Id) -> Result<Run, Bad> {
        let mut sum = Run::default();
        for head in self.between(first, last) {
            sum.add(share(&head?));
        }
        Ok(sum)
    }

    /// One piece of a large value.
    pub(super) fn piece(&self, number: u64, index: u32) -> fjall::Result<Option<Bytes>> {
        let piece = self.pieces.get(piece_name(number, index))?;
        Ok(piece.map(Bytes::from_owner))
    }

    fn cells(&self, head: &Head) -> Result<Cells, Bad> {
        cells(head, |number| self.piece(number, 0))
    }
}

/// What a head adds to its run.
pub(super) fn share(head: &Head) -> Run {
    let delete = head.summary.value.is_some_and(|version| version.delete);
    let mortal = u64::from(delete || head.summary.expiry.is_some());
    Run::of(
        Digest::of(head.key.id(), &head.summary),
        head.bytes(),
        (mortal, absent(&head.summary)),
    )
}

impl DiskStore {
    pub(super) fn bad(&mut self, bad: Bad) -> StoreError {
        match bad {
            Bad::Engine(error) => self.trouble(&error),
            Bad::Head => self.damaged("a record cannot be read"),
            Bad::Run => self.damaged("the digest of a run cannot be read"),
        }
    }

    /// The head of a key, as the present group has left it.
    pub(super) fn head(&mut self, name: &[u8]) -> Result<Option<Head>, StoreError> {
        if let Some(head) = self.group.heads.get(name) {
            return Ok(head.clone());
        }
        let head = self.tables()?.head(name);
        head.map_err(|bad| self.bad(bad))
    }

    pub(super) fn get(&mut self, key: &Key) -> Result<Option<Cells>, StoreError> {
        let name = head_name(key);
        let Some(head) = self.head(&name)? else {
            return Ok(None);
        };
        let cells = self.tables()?.cells(&head);
        cells.map(Some).map_err(|bad| self.bad(bad))
    }

    pub(super) fn piece(
        &mut self,
        key: &Key,
        version: Version,
        index: u32,
    ) -> Result<Option<Bytes>, StoreError> {
        let head = self.head(&head_name(key))?;
        let Some(head) = head.filter(|head| head.summary.value == Some(version)) else {
            let Some(staged) = self.staged.get(&(key.clone(), version)) else {
                return Ok(None);
            };
            let piece = self.tables()?.piece(staged.number, index);
            return piece.map_err(|error| self.trouble(&error));
        };
        let piece = match head.body.map(|body| body.place) {
            None => Ok(None),
            Some(Place::Inline(bytes)) => Ok((index == 0 && !bytes.is_empty()).then_some(bytes)),
            Some(Place::Apart(number)) => self.tables()?.piece(number, index),
        };
        piece.map_err(|error| self.trouble(&error))
    }

    pub(super) fn scan(&mut self, page: &Page) -> Result<Done, StoreError> {
        let read = self.look()?.scan(page);
        read.map_err(|bad| self.bad(bad))
    }

    /// How the records are now, but for what the present group has changed.
    pub(super) fn look(&self) -> Result<Look, StoreError> {
        let tables = self.tables()?;
        Ok(tables.look(&tables.heads))
    }

    pub(super) fn list(&mut self, page: &Page) -> Result<Done, StoreError> {
        let read = self.tables()?.list(page);
        read.map_err(|bad| self.bad(bad))
    }

    pub(super) fn digests(&mut self, span: Span, parts: u16) -> Result<Vec<Digest>, StoreError> {
        let parts = cut(span, parts).into_iter();
        let sums: Result<Vec<Digest>, Bad> = {
            let tables = self.tables()?;
            parts.map(|part| self.digest(tables, part)).collect()
        };
        sums.map_err(|bad| self.bad(bad))
    }

    /// Runs within the span are added up unread; of those at its ends the heads are read.
    fn digest(&self, tables: &Tables, span: Span) -> Result<Digest, Bad> {
        let mut sum = Digest::default();
        for (first, last) in stretches(span).into_iter().flatten() {
            for (begin, end, run) in self.runs.between(first, last) {
                sum.add(if first <= begin && end <= last {
                    run.digest
                } else {
                    tables.sum(begin.max(first), end.min(last))?.digest
                });
            }
        }
        Ok(sum)
    }

    pub(super) fn garbage(
        &mut self,
        spans: &[Span],
        floor: Stamp,
    ) -> Result<Vec<Garbage>, StoreError> {
        let count = |span: &Span| {
            let mut garbage = Garbage::default();
            for head in self.mortal(self.tables.as_ref(), *span) {
                let summary = head?.summary;
                garbage.mortal += 1;
                garbage.collectable += u64::from(summary.collected(floor) != summary);
            }
            Ok(garbage)
        };
        self.tables()?;
        let counted: Result<Vec<Garbage>, Bad> = spans.iter().map(count).collect();
        counted.map_err(|bad| self.bad(bad))
    }

    /// The heads of a span that are a delete, or have an expiry; runs without any are passed over unread.
    pub(super) fn mortal<'a>(
        &'a self,
        tables: Option<&'a Tables>,
        span: Span,
    ) -> impl Iterator<Item = Result<Head, Bad>> + 'a {
        let stretches = stretches(span).into_iter().flatten();
        let runs = stretches.flat_map(|(first, last)| {
            let runs = self.runs.between(first, last);
            let some = runs.filter(|(_, _, run)| run.mortal > 0);
            some.map(move |(begin, end, _)| (begin.max(first), end.min(last)))
        });
        let heads = runs.flat_map(move |(first, last)| {
            let tables = tables.into_iter();
            tables.flat_map(move |tables| tables.between(first, last))
        });
        heads.filter(|head| !matches!(head, Ok(head) if share(head).mortal == 0))
    }

    /// Where a run is to be cut, and what its upper half counts.
    pub(super) fn upper_half(&mut self, name: Id) -> Option<(Id, Run)> {
        let (begin, end, run) = self.runs.between(name, name).next()?;
        if run.digest.records <= RUN_RECORDS {
            return None;
        }
        let tables = self.tables.as_ref()?;
        // Ids are hashes: halfway lie about half of the records, and only those behind it are to be read.
        let (halfway, quarter) = (begin.midpoint(end), run.digest.records / 4);
        let upper = tables.sum(halfway, end).ok()?;
        if (quarter..=run.digest.records - quarter).contains(&upper.digest.records) {
            return Some((halfway, upper));
        }
        let half = usize::try_from(run.digest.records / 2).ok()?;
        let middle = tables.between(begin, end).nth(half)?.ok()?;
        let at = middle.key.id();
        let upper = tables.sum(at, end).ok()?;
        (at > begin && upper.digest.records < run.digest.records).then_some((at, upper))
    }
}

impl Tables {
    fn list(&self, page: &Page) -> Result<Done, Bad> {
        let mut keys = Vec::new();
        let mut room = Room::of(page);
        let mut heads = self.walk(page.span, page.after.as_ref());
        while room.is_left() {
            let Some(head) = heads.next().transpose()? else {
                return Ok(Done::List(keys, false));
            };
            room.use_up(head.key.bytes().len() as u64);
            keys.push((head.key, head.summary));
        }
        let more = heads.next().transpose()?.is_some();
        Ok(Done::List(keys, more))
    }
}
