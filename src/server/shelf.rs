//! A host's store, wherever it is: in memory at once, on disk by its thread.
//!
//! ```text
//! life 1   Merge a   Merge b   Set roster      a part of the host panics: it wants none of this any more
//!          but a life that began now would read a roster that is about to change, so it waits for all three
//! life 2                                 ──>   begins with the settings as they are now; then Unstage what life 1 put by
//! ```
//!
//! Small records that were read or written lately are known on this side of the thread, too (`disk::Recent`).
//!
//! *Hold these true*: what was asked in one life of the host is never told to another; a new life begins only when
//! all that was asked before is done; a store that panicked is not used again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::disk::{DiskStore, Passing, Recent, Worker, WorkerConfig};
use crate::keep::Then;
use crate::record::{Key, Version};
use crate::store::{Done, MemoryStore, Op, Setting, Store, Usage};

/// So many groups of results may wait to be taken up by the host; then the disk waits.
const RESULTS: usize = 256;

/// Results on their way from the store's thread to the host.
pub(super) type Results = mpsc::Receiver<Vec<(Done, Asked)>>;

/// What is remembered of an operation while the store's thread has it.
pub(super) struct Asked {
    /// In which life of the host.
    life: u32,
    /// The setting that is as it says once it is done.
    set: Option<(Setting, Bytes)>,
    /// What may be known once it is done.
    passing: Passing,
    /// How the host goes on; none if nobody waits for it.
    then: Option<Then>,
}

/// Where the records are.
enum Place {
    Memory(MemoryStore),
    Disk {
        worker: Worker<Asked>,
        /// As they are on the disk.
        settings: BTreeMap<Setting, Bytes>,
        /// Records that have passed by.
        recent: Recent,
        /// Operations whose results have not come yet.
        open: u64,
        /// Told when there are none.
        empty: Vec<oneshot::Sender<()>>,
    },
}

/// Either store.
pub(super) struct Shelf {
    place: Place,
    /// It is in the middle of an operation; after a panic it remains there.
    busy: bool,
    /// Which life of the host asks.
    life: u32,
    /// Values of which this life has put pieces by.
    staged: BTreeSet<(Key, Version)>,
}

/// The store as the host's surroundings and its end share it; none once it is closed.
pub(super) type Shared = Rc<RefCell<Option<Shelf>>>;

/// All settings a host can have.
const SETTINGS: [Setting; 6] = [
    Setting::Life,
    Setting::Acceptor,
    Setting::Move,
    Setting::Places,
    Setting::Marks,
    Setting::Roster,
];

impl Shelf {
    pub(super) fn memory(limit_bytes: u64) -> Shelf {
        Shelf::new(Place::Memory(MemoryStore::with_limit(limit_bytes)))
    }

    /// A store on disk with its thread, and where its results come from.
    ///
    /// So many bytes of records that have passed by are kept, to answer reads of them at once.
    pub(super) fn disk(store: DiskStore, recent_bytes: u64) -> io::Result<(Shelf, Results)> {
        let settings = SETTINGS.into_iter();
        let settings = settings.filter_map(|name| Some((name, store.setting(name)?)));
        let settings = settings.collect();
        let (tell, results) = mpsc::channel(RESULTS);
        let deliver = move |group| {
            // A host that has ended needs no results.
            let _ = tell.blocking_send(group);
        };
        let worker = Worker::start(store, WorkerConfig::default(), deliver)?;
        let place = Place::Disk {
            worker,
            settings,
            recent: Recent::new(recent_bytes),
            open: 0,
            empty: Vec::new(),
        };
        Ok((Shelf::new(place), results))
    }

    fn new(place: Place) -> Shelf {
        Shelf {
            place,
            busy: false,
            life: 0,
            staged: BTreeSet::new(),
        }
    }

    /// Carries an operation out: with the result if it is there at once.
    pub(super) fn ask(&mut self, op: Op, then: Then) -> Option<(Done, Then)> {
        self.note_staged(&op);
        let (done, then) = self.carry_out(op, Some(then))?;
        Some((done, then?))
    }

    /// Takes an operation and carries it out, if that needs nobody else.
    pub(super) fn ask_at_once(&mut self, op: &mut Option<Op>) -> Option<Done> {
        match &mut self.place {
            Place::Memory(_) => {
                let op = op.take()?;
                self.note_staged(&op);
                self.carry_out(op, None).map(|(done, _)| done)
            }
            Place::Disk { recent, .. } => {
                let done = recent.answer(op.as_ref()?)?;
                *op = None;
                Some(done)
            }
        }
    }

    fn carry_out(&mut self, op: Op, then: Option<Then>) -> Option<(Done, Option<Then>)> {
        let (worker, recent, open) = match &mut self.place {
            Place::Memory(store) => {
                self.busy = true;
                let done = store.apply(op);
                self.busy = false;
                return Some((done, then));
            }
            Place::Disk {
                worker,
                recent,
                open,
                ..
            } => (worker, recent, open),
        };
        if let Some(done) = recent.answer(&op) {
            return Some((done, then));
        }
        let known = recent.known(&op);
        let passing = recent.asked(&op);
        let set = if let Op::Set(name, bytes) = &op {
            Some((*name, bytes.clone()))
        } else {
            None
        };
        let life = self.life;
        let asked = Asked {
            life,
            set,
            passing,
            then,
        };
        match worker.ask_knowing(op, known, asked) {
            Ok(()) => {
                *open += 1;
                None
            }
            Err((error, asked)) => {
                let failed = Done::Failed(error);
                recent.told(asked.passing, &failed);
                Some((failed, asked.then))
            }
        }
    }

    /// Which values have pieces that nobody but this life of the host knows of.
    fn note_staged(&mut self, op: &Op) {
        if let Op::Stage { key, version, .. } = op {
            self.staged.insert((key.clone(), *version));
        } else if let Op::Unstage(key, version) = op {
            self.staged.remove(&(key.clone(), *version));
        } else if let Op::Merge(record) | Op::Guarded(record, _) = op
            && let Some(value) = &record.cells.value
            && !self.staged.is_empty()
        {
            self.staged.remove(&(record.key.clone(), value.version));
        }
    }

    /// A result has come from the store's thread: how the host goes on, if it is still in the life that asked.
    pub(super) fn came(&mut self, done: Done, asked: Asked) -> Option<(Done, Then)> {
        if let Place::Disk {
            settings,
            recent,
            open,
            empty,
            ..
        } = &mut self.place
        {
            recent.told(asked.passing, &done);
            *open = open.saturating_sub(1);
            if let (Done::Set, Some((name, bytes))) = (&done, asked.set) {
                settings.insert(name, bytes);
            }
            if *open == 0 {
                // Who does not wait any more need not be told.
                for waits in empty.drain(..) {
                    let _ = waits.send(());
                }
            }
        }
        let then = asked.then.filter(|_| asked.life == self.life)?;
        Some((done, then))
    }

    /// The host's life is over. What tells when all that it asked is done; none if the store panicked in the middle of an operation.
    pub(super) fn next_life(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.busy {
            return None;
        }
        self.life += 1;
        for (key, version) in std::mem::take(&mut self.staged) {
            self.carry_out(Op::Unstage(key, version), None);
        }
        let (tell, told) = oneshot::channel();
        match &mut self.place {
            Place::Disk { open, empty, .. } if *open > 0 => empty.push(tell),
            // Nobody can have gone yet.
            Place::Memory(_) | Place::Disk { .. } => {
                let _ = tell.send(());
            }
        }
        Some(told)
    }

    /// Forgets the ring the host is in, the roster last: should the process end in between, it is in it still.
    pub(super) fn forget_ring(&mut self) {
        for name in SETTINGS.into_iter().filter(|name| *name != Setting::Life) {
            self.carry_out(Op::Set(name, Bytes::new()), None);
        }
    }

    /// A setting as it is now.
    pub(super) fn setting(&self, name: Setting) -> Option<Bytes> {
        match &self.place {
            Place::Memory(store) => store.setting(name),
            Place::Disk { settings, .. } => settings.get(&name).cloned(),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        match &self.place {
            Place::Memory(store) => store.usage(),
            Place::Disk { worker, .. } => worker.usage(),
        }
    }

    /// What was found to be damaged.
    pub(super) fn damage(&self) -> Option<String> {
        match &self.place {
            Place::Memory(_) => None,
            Place::Disk { worker, .. } => worker.damage(),
        }
    }

    /// The thread of a store on disk, to be ended.
    pub(super) fn into_worker(self) -> Option<Worker<Asked>> {
        match self.place {
            Place::Disk { worker, .. } => Some(worker),
            Place::Memory(_) => None,
        }
    }
}

/// Why a server must end by itself, once there is a reason.
pub(super) type Reason = Rc<Cell<Option<String>>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::DiskConfig;
    use crate::record::{Body, Cells, PIECE_BYTES, Record, Stamp, ValueCell};
    use crate::store::{StoreError, SyncPolicy};

    fn key() -> Key {
        Key::new("key").unwrap()
    }

    fn version() -> Version {
        Version {
            stamp: Stamp(1),
            delete: false,
            host: crate::placement::HostId(1),
            start: 1,
        }
    }

    /// A value of two pieces, and what puts them by.
    fn in_two() -> (Record, [Op; 2]) {
        let body = Body::new(vec![7; PIECE_BYTES + 1]);
        let stage = |index: u32| Op::Stage {
            key: key(),
            version: version(),
            index,
            bytes: body.pieces[index as usize].clone(),
        };
        let value = ValueCell {
            version: version(),
            body: Some(body.for_travel()),
        };
        let cells = Cells {
            value: Some(value),
            expiry: None,
        };
        let record = Record { key: key(), cells };
        (record, [stage(0), stage(1)])
    }

    #[tokio::test]
    async fn a_new_life_begins_when_all_that_the_old_one_asked_is_done_and_hears_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = DiskConfig {
            path: dir.path().join("store"),
            sync: SyncPolicy::Never,
            cache_bytes: 1 << 20,
            limit_bytes: u64::MAX,
            reserve_bytes: 0,
        };
        let (mut shelf, mut results) =
            Shelf::disk(DiskStore::open(config).unwrap(), 1 << 20).unwrap();
        let then = Then::default;
        let (_, [stage, _]) = in_two();
        assert!(shelf.ask(stage, then()).is_none());
        let roster = Op::Set(Setting::Roster, Bytes::from_static(b"roster"));
        assert!(shelf.ask(roster, then()).is_none());
        let mut told = shelf.next_life().unwrap();
        assert!(told.try_recv().is_err(), "nothing has come back yet");
        assert_eq!(shelf.setting(Setting::Roster), None);
        let mut came = 0;
        while came < 3 {
            for (done, asked) in results.recv().await.unwrap() {
                assert!(shelf.came(done, asked).is_none(), "nobody waits for it");
                came += 1;
            }
        }
        told.try_recv().unwrap();
        assert_eq!(
            shelf.setting(Setting::Roster).unwrap(),
            Bytes::from_static(b"roster")
        );
        assert!(shelf.ask(Op::Get(key()), then()).is_none());
        let (done, asked) = results.recv().await.unwrap().remove(0);
        assert!(shelf.came(done, asked).is_some(), "this life asked");
        drop(results);
        drop(shelf.into_worker());
    }

    #[test]
    fn pieces_that_an_old_life_put_by_are_gone_in_the_new_one() {
        let merged = |lives: u32| {
            let mut shelf = Shelf::memory(u64::MAX);
            let (record, pieces) = in_two();
            for piece in pieces {
                shelf.ask(piece, Then::default()).unwrap();
            }
            (0..lives).for_each(|_| drop(shelf.next_life().unwrap()));
            shelf.ask(Op::Merge(record), Then::default()).unwrap().0
        };
        assert!(matches!(merged(0), Done::Held(_)), "{:?}", merged(0));
        let bare = matches!(merged(1), Done::Failed(StoreError::Bare { have: 0, .. }));
        assert!(bare, "{:?}", merged(1));
    }

    #[test]
    fn a_ring_is_forgotten_and_the_life_is_not() {
        let mut shelf = Shelf::memory(u64::MAX);
        for name in SETTINGS {
            shelf.ask(Op::Set(name, Bytes::from_static(b"x")), Then::default());
        }
        shelf.forget_ring();
        let left = SETTINGS.map(|name| shelf.setting(name).unwrap().len());
        assert_eq!(left, [1, 0, 0, 0, 0, 0]);
    }
}
