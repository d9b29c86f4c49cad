//! Syncs beside the store's thread, so that no request waits for the device.
//!
//! ```text
//! store    group 7   group 8   group 9   group 10   …          each with the operating system once it is committed
//! sync               the journal is synced ────┐
//! store                                        the mark says: synced up to 7
//! ```
//!
//! With `everysec` that is what syncs: once a second, and whenever [`SYNC_BYTES`] were written. For the engine syncs its
//! journal, too, at each file that it makes of new records, and whoever writes meanwhile waits: little shall be left to be
//! synced then.
//!
//! *Hold this true*: what is called synced was committed before the sync began, and the file it went to was synced, by
//! this thread or by the engine when it began the next one.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::engine::DiskStore;
use super::tables::failed;
use crate::store::StoreError;

/// Bytes written after which a sync begins.
const SYNC_BYTES: u64 = 4 * 1024 * 1024;

/// What came of a sync: so many commits are safe, or why not.
type Outcome = Result<u64, io::Error>;

/// A thread that syncs a store's journal when it is told to.
pub(super) struct Syncer {
    /// Up to which commit.
    ask: Option<Sender<u64>>,
    told: Arc<Mutex<Option<Outcome>>>,
    busy: bool,
    /// Bytes written since the last sync began.
    written: u64,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread.
    pub(super) fn start(store: &DiskStore) -> io::Result<Syncer> {
        let (ask, asked) = channel();
        let told = Arc::default();
        let (path, tell) = (store.config.path.clone(), Arc::clone(&told));
        let thread = std::thread::Builder::new()
            .name("sync".into())
            .spawn(move || serve(&path, &asked, &tell))?;
        Ok(Syncer {
            ask: Some(ask),
            told,
            busy: false,
            written: 0,
            thread: Some(thread),
        })
    }

    /// So many bytes more are about to be written.
    pub(super) const fn wrote(&mut self, bytes: u64) {
        self.written += bytes;
    }

    /// Whether so much was written that a sync is due.
    pub(super) const fn has_much(&self) -> bool {
        self.written >= SYNC_BYTES && !self.busy
    }

    /// Begins to sync all that is committed. Not if it is at it, all is synced, or nothing is written any more.
    pub(super) fn begin(&mut self, store: &DiskStore) -> bool {
        if self.busy || store.broken.is_some() || store.mark.is_synced(store.commits) {
            return false;
        }
        self.busy = self
            .ask
            .as_ref()
            .is_some_and(|ask| ask.send(store.commits).is_ok());
        if self.busy {
            self.written = 0;
        }
        self.busy
    }

    /// What has come of the last one is told to the store.
    pub(super) fn take_up(&mut self, store: &mut DiskStore) {
        let told = self.told.lock();
        let Some(outcome) = told.unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        self.busy = false;
        match outcome {
            Ok(commits) => store.mark.synced_up_to(commits),
            Err(error) => {
                let error = store.not_synced(error);
                log::error!("the store could not be synced: {error}");
            }
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // Its end is all that matters.
            let _ = thread.join();
        }
    }
}

impl DiskStore {
    /// What was acknowledged since the last sync may be lost by a power cut: nothing is written any more before the
    /// engine is opened anew.
    fn not_synced(&mut self, error: io::Error) -> StoreError {
        let error = failed(&fjall::Error::Io(error));
        self.broken.get_or_insert_with(|| error.clone());
        error
    }
}

fn serve(path: &Path, asked: &Receiver<u64>, tell: &Mutex<Option<Outcome>>) {
    for commits in asked {
        let outcome = sync_journal(path).map(|()| commits);
        let mut told = tell.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some(outcome);
    }
}

/// Syncs the file that the journal goes on in. What went to an older one was synced when this one began.
fn sync_journal(path: &Path) -> io::Result<()> {
    loop {
        let Some(newest) = newest_journal(path)? else {
            return Err(ErrorKind::NotFound.into());
        };
        match File::open(newest) {
            Ok(file) => return file.sync_data(),
            // Another one has begun, and all of it is in tables already.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

fn newest_journal(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let number = file.extension().filter(|end| *end == "jnl");
        let number = number.and_then(|_| file.file_stem()?.to_str()?.parse().ok());
        if let Some(number) = number
            && newest.as_ref().is_none_or(|(other, _)| *other < number)
        {
            newest = Some((number, file));
        }
    }
    Ok(newest.map(|(_, file)| file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::DiskConfig;
    use crate::store::model::put;
    use crate::store::{Done, Op, Store, SyncPolicy};

    fn store(path: &Path) -> DiskStore {
        let config = DiskConfig {
            sync: SyncPolicy::EverySecond,
            ..DiskConfig::new(path)
        };
        DiskStore::open(config).unwrap()
    }

    #[test]
    fn what_was_committed_before_a_sync_is_called_synced_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path());
        let mut syncer = Syncer::start(&store).unwrap();
        let write = |store: &mut DiskStore, n| {
            let done = store.apply(Op::Merge(put(n, 100)));
            assert!(matches!(done, Done::Held(_)), "{done:?}");
        };
        write(&mut store, 1);
        write(&mut store, 2);
        let before = store.commits;
        assert!(syncer.begin(&store));
        write(&mut store, 3);
        while !store.mark.is_synced(before) {
            syncer.take_up(&mut store);
            std::thread::yield_now();
        }
        assert!(!store.mark.is_synced(store.commits));
    }

    #[test]
    fn a_journal_that_cannot_be_synced_stops_the_writing() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(&dir.path().join("store"));
        let mut syncer = Syncer::start(&store).unwrap();
        // As after a removed disk: the directory is not where it was.
        std::fs::rename(dir.path().join("store"), dir.path().join("gone")).unwrap();
        store.apply(Op::Merge(put(1, 100)));
        assert!(syncer.begin(&store));
        while store.broken.is_none() {
            syncer.take_up(&mut store);
            std::thread::yield_now();
        }
        assert!(!store.mark.is_synced(store.commits));
    }

    #[test]
    fn the_newest_journal_is_that_of_the_greatest_number() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["9.jnl", "10.jnl", "11.tmp", "x.jnl"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let newest = newest_journal(dir.path()).unwrap();
        assert_eq!(newest, Some(dir.path().join("10.jnl")));
    }
}
