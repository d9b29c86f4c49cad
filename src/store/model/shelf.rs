//! The shelf of the plainest store: records that are there and out of sight, until somebody confirms them.

use super::Model;
use crate::keyspace::{Id, Span};
use crate::record::{Cells, Record};
use crate::store::{Digest, Done, Op};

impl Model {
    /// What lies in these spans goes on the shelf; how much it was.
    pub(super) fn shelve(&mut self, spans: &[Span]) -> u64 {
        let there = std::mem::take(&mut self.shelf);
        let (gone, stay): (Vec<Record>, Vec<Record>) = std::mem::take(&mut self.records)
            .into_iter()
            .partition(|record| spans.iter().any(|span| span.contains(record.key.id())));
        let count = gone.len() as u64;
        self.shelf = together(there, gone);
        self.records = stay;
        count
    }

    /// A digest cannot be drawn: half of those to be confirmed become the shelf's own.
    pub(crate) fn aim(&self, op: &mut Op) {
        if let Op::Confirm { span, like } = op
            && like.records == 1
        {
            *like = self.on_shelf().digest(*span);
        }
    }

    /// The shelf as a store of its own.
    pub(crate) fn on_shelf(&self) -> Model {
        Model {
            records: self.shelf.clone(),
            ..Model::default()
        }
    }

    fn take_from_shelf(&mut self, span: Span) -> Vec<Record> {
        let all = std::mem::take(&mut self.shelf);
        let (mut taken, stay): (Vec<Record>, Vec<Record>) = all
            .into_iter()
            .partition(|record| span.contains(record.key.id()));
        self.shelf = stay;
        let first = span.from.wrapping_add(Id::from_u64(1));
        taken.sort_by_key(|r| (first.distance(r.key.id()), r.key.bytes().clone()));
        taken
    }

    pub(super) fn confirm(&mut self, span: Span, like: Digest) -> Done {
        let left = self.on_shelf().digest(span);
        let mut reused = 0;
        let own = self.digest(span);
        let mut covered = own == like;
        if !covered && left == like {
            let back = self.take_from_shelf(span);
            reused = back.len() as u64;
            self.records = together(std::mem::take(&mut self.records), back);
            covered = true;
        }
        Done::Confirmed {
            covered,
            reused,
            left: if covered { 0 } else { left.records },
            here: own.records,
        }
    }

    pub(super) fn review(&mut self, spans: &[Span], most: u64) -> Done {
        let (mut kept, mut dropped) = (0, 0);
        for span in spans {
            for record in self.take_from_shelf(*span) {
                let known = self.cells(&record.key).map(Cells::summary);
                if known.unwrap_or_default().covers(&record.cells.summary()) {
                } else if (self.shelf.len() as u64) < most {
                    self.shelf.push(record);
                    kept += 1;
                } else {
                    dropped += 1;
                }
            }
        }
        Done::Reviewed { kept, dropped }
    }
}

/// Both lists; of two records under one key the newer cells.
fn together(there: Vec<Record>, more: Vec<Record>) -> Vec<Record> {
    let mut both = Model {
        records: there,
        ..Model::default()
    };
    more.into_iter().for_each(|record| drop(both.merge(record)));
    both.records
}
