//! A host's store, wherever it is: in memory at once, on disk by its thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::disk::{DiskStore, Worker, WorkerConfig};
use crate::keep::Then;
use crate::store::{Done, MemoryStore, Op, Setting, Store, Usage};

/// So many groups of results may wait to be taken up by the host; then the disk waits.
const RESULTS: usize = 256;

/// Results on their way from the store's thread to the host.
pub(super) type Results = mpsc::Receiver<Vec<(Done, Then)>>;

/// Either store.
pub(super) enum Shelf {
    Memory(MemoryStore),
    Disk {
        worker: Worker<Then>,
        /// As they were when the store was opened.
        settings: BTreeMap<Setting, Bytes>,
    },
}

/// The store as the host's surroundings and its end share it; none once it is closed.
pub(super) type Shared = Rc<RefCell<Option<Shelf>>>;

/// All settings a host can have.
const SETTINGS: [Setting; 5] = [
    Setting::Life,
    Setting::Roster,
    Setting::Acceptor,
    Setting::Move,
    Setting::Marks,
];

impl Shelf {
    pub(super) fn memory(limit_bytes: u64) -> Shelf {
        Shelf::Memory(MemoryStore::with_limit(limit_bytes))
    }

    /// A store on disk with its thread, and where its results come from.
    pub(super) fn disk(store: DiskStore) -> io::Result<(Shelf, Results)> {
        let settings = SETTINGS.into_iter();
        let settings = settings.filter_map(|name| Some((name, store.setting(name)?)));
        let settings = settings.collect();
        let (tell, results) = mpsc::channel(RESULTS);
        let deliver = move |group| {
            // A host that has ended needs no results.
            let _ = tell.blocking_send(group);
        };
        let worker = Worker::start(store, WorkerConfig::default(), deliver)?;
        Ok((Shelf::Disk { worker, settings }, results))
    }

    /// Carries an operation out: with the result if it is there at once.
    pub(super) fn ask(&mut self, op: Op, then: Then) -> Option<(Done, Then)> {
        match self {
            Shelf::Memory(store) => Some((store.apply(op), then)),
            Shelf::Disk { worker, .. } => {
                let asked = worker.ask(op, then);
                asked.err().map(|(error, then)| (Done::Failed(error), then))
            }
        }
    }

    /// A setting as it was when the store was opened.
    pub(super) fn setting(&self, name: Setting) -> Option<Bytes> {
        match self {
            Shelf::Memory(store) => store.setting(name),
            Shelf::Disk { settings, .. } => settings.get(&name).cloned(),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        match self {
            Shelf::Memory(store) => store.usage(),
            Shelf::Disk { worker, .. } => worker.usage(),
        }
    }

    /// What was found to be damaged.
    pub(super) fn damage(&self) -> Option<String> {
        match self {
            Shelf::Memory(_) => None,
            Shelf::Disk { worker, .. } => worker.damage(),
        }
    }
}

/// Why a server must end by itself, once there is a reason.
pub(super) type Reason = Rc<Cell<Option<String>>>;
