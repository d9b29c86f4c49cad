//! Operations that become durable together.
//!
//! ```text
//! Merge a    in the batch; a reader of the same group sees it here already
//! Merge b
//! Get a      from the group
//! commit     one write to the journal, and one fsync if the policy or a setting wants it; then tables and
//!            runs show all of it, or nothing
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode};

use super::checkpoint::{CHECKPOINT_RUNS, NOTE_BYTES, note, note_name};
use super::engine::{COMMITS, DiskStore};
use super::layout::Head;
use super::tables::Tables;
use crate::keyspace::Id;
use crate::record::{Key, Version};
use crate::store::{Setting, StoreError, SyncPolicy};

/// A group is committed before it would hold more bytes than this.
const GROUP_BYTES: u64 = 8 * 1024 * 1024;

/// A group of puts from some tens of clients has about so many entries: there is room for them from the beginning.
const USUAL_ENTRIES: usize = 16;

/// After the engine ran out of space it is opened again once so many bytes are free: with fewer it would only fail
/// again, at every try.
const LEAST_FREE_BYTES: u64 = 1024 * 1024;

/// A disk that refused is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What is written but not committed yet.
#[derive(Default)]
pub(super) struct Group {
    batch: Option<OwnedWriteBatch>,
    /// Heads as they will be; `None`: removed.
    pub(super) heads: BTreeMap<Vec<u8>, Option<Head>>,
    pub(super) settings: Vec<(Setting, Bytes)>,
    /// Values of which pieces were put by.
    pub(super) staged: Vec<(Key, Version)>,
    bytes: u64,
    pieces: bool,
    /// How many bytes were free when the first of it was written: asking the system for each costs more than writing.
    free: Option<u64>,
}

impl Group {
    pub(super) const fn is_empty(&self) -> bool {
        self.batch.is_none()
    }

    pub(super) const fn is_large(&self) -> bool {
        self.bytes > GROUP_BYTES
    }

    pub(super) const fn has_pieces(&self) -> bool {
        self.pieces
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// So many more bytes will be written.
    pub(super) fn grow(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn wrote_piece(&mut self) {
        self.pieces = true;
    }

    /// The batch all of it goes into.
    pub(super) fn batch(&mut self, tables: &Tables) -> &mut OwnedWriteBatch {
        let new = || OwnedWriteBatch::with_capacity(tables.db.clone(), USUAL_ENTRIES);
        self.batch.get_or_insert_with(new)
    }
}

impl DiskStore {
    /// Ends the group: all of it is on the disk as the policy says, or nothing of it is there.
    ///
    /// # Errors
    /// If the disk refuses. Reads go on; whether it takes writes again is tried from time to time.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        let sync = self.config.sync == SyncPolicy::Always || !self.group.settings.is_empty();
        self.group.free = None;
        if self.group.is_empty() {
            return Ok(());
        }
        let checkpoint = self.is_checkpoint_due();
        let done = self.write_group(sync, checkpoint);
        let group = std::mem::take(&mut self.group);
        if let Err(error) = done {
            self.runs.roll_back();
            for place in group.staged {
                self.staged.remove(&place);
            }
            self.failed_at = Some(now());
            if self.broken.replace(error.clone()).is_none() {
                let path = self.config.path.display();
                log::error!("the store in {path} takes no writes: {error}");
            }
            return Err(error);
        }
        let long = self.runs.long();
        self.runs.committed(checkpoint);
        self.settings.extend(group.settings);
        self.commits += 1;
        if checkpoint {
            self.checkpoint = self.commits;
            self.note_bytes = 0;
        }
        if sync {
            self.mark.synced(self.commits);
        } else {
            self.mark.written(self.commits);
        }
        for name in long {
            self.split_run(name);
        }
        Ok(())
    }

    /// Whether the next group writes the runs that were noted, instead of one more note.
    fn is_checkpoint_due(&self) -> bool {
        self.commits - self.checkpoint >= self.most_notes
            || self.runs.noted() >= CHECKPOINT_RUNS
            || self.note_bytes >= NOTE_BYTES
    }

    fn write_group(&mut self, sync: bool, checkpoint: bool) -> Result<(), StoreError> {
        let Some(tables) = &self.tables else {
            return Err(StoreError::Device("it is closed".into()));
        };
        let Some(mut batch) = self.group.batch.take() else {
            return Ok(());
        };
        let number = self.commits + 1;
        if checkpoint {
            self.write_runs(tables, &mut batch);
            batch.insert(&tables.settings, COMMITS, &number.to_le_bytes()[..]);
        } else {
            let note = note(number, self.runs.changed());
            self.note_bytes += note.len();
            batch.insert(&tables.notes, &note_name(number)[..], note);
        }
        let mode = if sync {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        let done = batch.durability(Some(mode)).commit();
        if self.group.pieces {
            tables.wait_for_room();
        }
        done.map_err(|error| self.trouble(&error))
    }

    /// Syncs what was committed without it: once a second with [`SyncPolicy::EverySecond`], and at the end.
    ///
    /// # Errors
    /// If the disk refuses: what was acknowledged since the last sync may be lost by a power cut.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if self.mark.is_synced(self.commits) || self.broken.is_some() {
            return Ok(());
        }
        let done = self.tables()?.db.persist(PersistMode::SyncData);
        if let Err(error) = done {
            let error = self.trouble(&error);
            self.broken = Some(error.clone());
            return Err(error);
        }
        self.mark.synced(self.commits);
        Ok(())
    }

    /// Whether something may be written now; with `grows`, whether there is room for so many more bytes.
    pub(super) fn may_write(&mut self, grows: Option<u64>) -> Result<(), StoreError> {
        let reserve = self.config.reserve_bytes;
        let least = match self.broken {
            Some(StoreError::NoSpace { .. }) => LEAST_FREE_BYTES,
            Some(_) | None => 0,
        };
        let wanted = grows.map_or(least, |bytes| bytes + self.group.bytes() + reserve);
        if grows.is_some() || self.broken.is_some() {
            let free = self.group.free.unwrap_or_else(|| self.free_bytes());
            self.group.free = Some(free);
            if free < wanted {
                return Err(StoreError::NoSpace { free, reserve });
            }
        }
        match self.broken.clone() {
            Some(error) => self.try_again(error),
            None => Ok(()),
        }
    }

    /// Bytes of the disk that are free; if the system does not say, enough.
    pub(super) fn free_bytes(&self) -> u64 {
        rustix::fs::statvfs(&self.config.path)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The engine takes no writes after one has failed: opened anew, it shows what really is on the disk.
    fn try_again(&mut self, error: StoreError) -> Result<(), StoreError> {
        let early = |failed: Instant| now().duration_since(failed) < TRY_AGAIN;
        if self.failed_at.is_some_and(early) {
            return Err(error);
        }
        self.group = Group::default();
        self.failed_at = Some(now());
        self.tables = None;
        let opened = Tables::open(&self.config.path, self.config.cache_bytes);
        let loaded = opened.and_then(|tables| {
            self.tables = Some(tables);
            self.load()
        });
        match loaded {
            Ok(()) => {
                log::warn!(
                    "the store in {} takes writes again",
                    self.config.path.display()
                );
                self.broken = None;
                self.failed_at = None;
                Ok(())
            }
            Err(error) => {
                let error = StoreError::Device(error.to_string());
                self.broken = Some(error.clone());
                Err(error)
            }
        }
    }

    /// A run that has grown too long is cut in two, if that does not part two keys of one id. The disk hears of it with
    /// the next group; until then it counts both parts as one.
    fn split_run(&mut self, name: Id) {
        if let Some((at, upper)) = self.upper_half(name) {
            self.runs.split(name, at, upper);
        }
    }

    fn write_runs(&self, tables: &Tables, batch: &mut OwnedWriteBatch) {
        for (name, run) in self.runs.unwritten() {
            match run {
                Some(run) => batch.insert(&tables.runs, &name.to_bytes()[..], &run.encode()[..]),
                None => batch.remove(&tables.runs, &name.to_bytes()[..]),
            }
        }
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        if let Err(error) = self.commit().and_then(|()| self.sync()) {
            log::error!("the store could not be synced at its end: {error}");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a disk that refuses is outside: when to try it again goes by the real clock"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
