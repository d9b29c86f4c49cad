//! The pieces of large values: put by one after the other, then used by the record that is merged, or forgotten.

use bytes::Bytes;

use super::engine::{DiskStore, Staged};
use super::layout::{Head, Place, piece_name};
use crate::record::{Body, Key, Version};
use crate::store::StoreError;

impl DiskStore {
    /// The pieces put by become the value's.
    pub(super) fn use_staged(&mut self, key: &Key, version: Option<Version>) -> Place {
        let place = version.map(|version| (key.clone(), version));
        let staged = place.and_then(|place| self.staged.remove(&place));
        let number = staged.unwrap_or_default().number;
        if let Some(tables) = &self.tables {
            let batch = self.group.batch(tables);
            batch.remove(&tables.staged, &number.to_be_bytes()[..]);
        }
        Place::Apart(number)
    }

    pub(super) const fn draw_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    pub(super) fn put_piece(&mut self, number: u64, index: u32, bytes: Bytes) {
        self.group.grow(bytes.len());
        self.group.wrote_piece();
        if let Some(tables) = &self.tables {
            let batch = self.group.batch(tables);
            batch.insert(&tables.pieces, &piece_name(number, index)[..], &bytes[..]);
        }
    }

    /// The pieces of a value that goes.
    pub(super) fn remove_pieces(&mut self, old: Option<&Head>) {
        let body = old.and_then(|head| head.body.as_ref());
        if let Some(body) = body
            && let Some(number) = body.apart()
            && let Some(tables) = &self.tables
        {
            let batch = self.group.batch(tables);
            let count = u32::try_from(body.bare().piece_count()).unwrap_or(u32::MAX);
            for index in 0..count {
                batch.remove(&tables.pieces, &piece_name(number, index)[..]);
            }
        }
    }

    pub(super) fn stage(
        &mut self,
        place: (Key, Version),
        index: u32,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let staged = self
            .staged
            .values()
            .flat_map(|staged| staged.pieces.values());
        let used = self.runs.usage().bytes + staged.sum::<u64>();
        let len = bytes.len() as u64;
        if used.saturating_add(len) > self.config.limit_bytes {
            let limit = self.config.limit_bytes;
            return Err(StoreError::Full { used, limit });
        }
        self.may_write(Some(len))?;
        if !self.staged.contains_key(&place) {
            let number = self.draw_number();
            let staged = Staged {
                number,
                ..Staged::default()
            };
            self.staged.insert(place.clone(), staged);
            if let Some(tables) = &self.tables {
                let batch = self.group.batch(tables);
                batch.insert(&tables.staged, &number.to_be_bytes()[..], &[][..]);
            }
        }
        let number = self.staged.get_mut(&place).map(|staged| {
            staged.pieces.insert(index, len);
            staged.number
        });
        if let Some(number) = number {
            self.put_piece(number, index, bytes);
        }
        self.group.staged.push(place);
        Ok(())
    }

    pub(super) fn unstage(&mut self, place: (Key, Version)) -> Result<(), StoreError> {
        if !self.staged.contains_key(&place) {
            return Ok(());
        }
        self.may_write(None)?;
        if let Some(staged) = self.staged.remove(&place)
            && let Some(tables) = &self.tables
        {
            let batch = self.group.batch(tables);
            for index in staged.pieces.keys() {
                batch.remove(&tables.pieces, &piece_name(staged.number, *index)[..]);
            }
            batch.remove(&tables.staged, &staged.number.to_be_bytes()[..]);
        }
        Ok(())
    }
}

impl Staged {
    /// Whether all pieces of that value are put by, each as long as it must be.
    pub(super) fn is_whole(&self, body: &Body) -> bool {
        let wanted = (0u32..).zip(0..body.piece_count());
        self.pieces.len() as u64 == body.piece_count()
            && wanted
                .map(|(index, place)| (index, body.piece_len(place)))
                .eq(self.pieces.iter().map(|(index, len)| (*index, *len)))
    }
}
