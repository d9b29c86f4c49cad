//! The shelf of a store on disk: records from before, out of sight until a source confirms them.
//!
//! A table of heads like that of the records in sight; a head moves from one to the other, and the pieces of
//! its value stay where they are. See [`Op::Shelve`](crate::store::Op::Shelve).

use super::engine::DiskStore;
use super::layout::{Head, head_name};
use super::read::Bad;
use super::tables::Tables;
use crate::keyspace::Span;
use crate::store::{Digest, Done, Page, StoreError};

/// So many records are moved in one group.
const GROUP_RECORDS: usize = 1_000;

impl DiskStore {
    pub(super) fn shelve(&mut self, spans: &[Span]) -> Result<Done, StoreError> {
        self.may_write(None)?;
        let mut shelved = 0;
        for span in spans {
            loop {
                let heads = self.tables()?.walk(*span, None).take(GROUP_RECORDS);
                let heads: Result<Vec<Head>, Bad> = heads.collect();
                let heads = heads.map_err(|bad| self.bad(bad))?;
                for head in &heads {
                    self.put_on_shelf(head)?;
                    self.put_head(head_name(&head.key), Some(head), None);
                }
                shelved += heads.len() as u64;
                self.commit()?;
                if heads.len() < GROUP_RECORDS {
                    break;
                }
            }
        }
        Ok(Done::Shelved(shelved))
    }

    pub(super) fn confirm(&mut self, span: Span, like: Digest) -> Result<Done, StoreError> {
        let left = self.shelf_digest(span)?;
        let own = self.digests(span, 1)?;
        let here = own.iter().map(|digest| digest.records).sum();
        let mut covered = own == [like];
        let mut reused = 0;
        if !covered && left == like {
            self.may_write(None)?;
            loop {
                let heads = self.on_shelf(span, GROUP_RECORDS)?;
                for head in &heads {
                    self.put_back(head)?;
                }
                reused += heads.len() as u64;
                self.commit()?;
                if heads.len() < GROUP_RECORDS {
                    break;
                }
            }
            covered = true;
        }
        Ok(Done::Confirmed {
            covered,
            reused,
            left: if covered { 0 } else { left.records },
            here,
        })
    }

    pub(super) fn review(&mut self, spans: &[Span], most: u64) -> Result<Done, StoreError> {
        self.may_write(None)?;
        let (mut kept, mut dropped) = (0, 0);
        for span in spans {
            let heads = self.on_shelf(*span, usize::MAX)?;
            let all = self.tables()?.shelf.iter().count() as u64;
            let mut there = all.saturating_sub(heads.len() as u64);
            for head in &heads {
                let own = self.head(&head_name(&head.key))?;
                let known = own.is_some_and(|own| own.summary.covers(&head.summary));
                if !known && there < most {
                    (kept, there) = (kept + 1, there + 1);
                    continue;
                }
                dropped += u64::from(!known);
                self.remove_pieces(Some(head));
                self.off_shelf(head);
            }
            self.commit()?;
        }
        Ok(Done::Reviewed { kept, dropped })
    }

    pub(super) fn aside(&mut self, page: &Page) -> Result<Done, StoreError> {
        let tables = self.tables()?;
        let read = tables.look(&tables.shelf).scan(page);
        read.map_err(|bad| self.bad(bad))
    }

    fn on_shelf(&mut self, span: Span, most: usize) -> Result<Vec<Head>, StoreError> {
        let tables = self.tables()?;
        let heads = tables.look(&tables.shelf).walk(span, None).take(most);
        let heads: Result<Vec<Head>, Bad> = heads.collect();
        heads.map_err(|bad| self.bad(bad))
    }

    fn shelf_digest(&mut self, span: Span) -> Result<Digest, StoreError> {
        let sum = |tables: &Tables| {
            let mut sum = Digest::default();
            for head in tables.look(&tables.shelf).walk(span, None) {
                let head = head?;
                sum.add(Digest::of(head.key.id(), &head.summary));
            }
            Ok(sum)
        };
        sum(self.tables()?).map_err(|bad| self.bad(bad))
    }

    /// A head joins those on the shelf; of two under one key the newer value stays.
    fn put_on_shelf(&mut self, head: &Head) -> Result<(), StoreError> {
        let name = head_name(&head.key);
        let there = Tables::head_in(&self.tables()?.shelf, &name);
        let there = there.map_err(|bad| self.bad(bad))?;
        let both = self.newer_of(there.as_ref(), head);
        if let Some(tables) = &self.tables {
            let bytes = both.encode();
            self.group.grow(name.len() + bytes.len());
            let batch = self.group.batch(tables);
            batch.insert(&tables.shelf, name, bytes);
        }
        Ok(())
    }

    /// A head of the shelf is in sight again.
    fn put_back(&mut self, head: &Head) -> Result<(), StoreError> {
        let name = head_name(&head.key);
        let own = self.head(&name)?;
        let both = self.newer_of(own.as_ref(), head);
        self.put_head(name, own.as_ref(), Some(both));
        self.off_shelf(head);
        Ok(())
    }

    fn off_shelf(&mut self, head: &Head) {
        if let Some(tables) = &self.tables {
            let batch = self.group.batch(tables);
            batch.remove(&tables.shelf, head_name(&head.key));
        }
    }

    /// Both heads of a key as one; the pieces of the older value go.
    fn newer_of(&mut self, there: Option<&Head>, head: &Head) -> Head {
        let Some(there) = there else {
            return head.clone();
        };
        let stays = there.summary.value >= head.summary.value;
        self.remove_pieces(Some(if stays { head } else { there }));
        let mut summary = there.summary;
        summary.merge(head.summary);
        let body = if stays { &there.body } else { &head.body };
        Head {
            key: head.key.clone(),
            summary,
            body: body.clone(),
        }
    }
}
