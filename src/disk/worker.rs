//! The thread that works on a store, so that no node ever waits for a disk.
//!
//! ```text
//! asked    Merge a   Merge b   Get c   Merge d                     Merge e   …
//! group    [ Merge a   Merge b   Get c   Merge d ] fsync           [ Merge e …
//! told                                              a b c d        in the order asked
//! ```
//!
//! What waits when the thread comes back from a sync is the next group: the slower the disk, the larger the
//! groups, and nobody waits for company when nobody else writes.
//!
//! Two threads beside it do what takes long and can be done beside: reading pages ([`pages`](super::pages)), and syncing
//! what need not be synced before it is told ([`sync`](super::sync)). What must be done here and takes long, digests for
//! instance, begins when all before it is told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::engine::DiskStore;
use super::group::now;
use super::pages::Pages;
use super::recent::Known;
use super::sync::Syncer;
use super::tables::panicked;
use crate::store::{Done, Op, Page, Store, StoreError, SyncPolicy, Usage};

/// How much may wait for a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// At most so many operations wait; one more is refused at once. Settings are always taken.
    pub max_waiting: usize,
    /// At most so many bytes wait.
    pub max_bytes: u64,
    /// At most so many operations make a group.
    pub group_ops: usize,
}

impl Default for WorkerConfig {
    fn default() -> WorkerConfig {
        WorkerConfig {
            max_waiting: 65_536,
            max_bytes: 128 * 1024 * 1024,
            group_ops: 1_024,
        }
    }
}

/// How often the operating system is told to sync, with [`SyncPolicy::EverySecond`].
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What is to be done, what is known of what it will find, and how the asker goes on; `None`: the end.
type Job<T> = Option<(Op, Option<Known>, T)>;

/// What both sides know.
#[derive(Default)]
struct Waiting {
    ops: AtomicUsize,
    bytes: AtomicU64,
    /// What the store keeps, after the last group.
    usage: Mutex<Usage>,
    /// What was found to be damaged.
    damage: OnceLock<String>,
}

/// A store with a thread of its own. With each operation it keeps a `T`: how the asker goes on.
pub struct Worker<T> {
    config: WorkerConfig,
    jobs: Sender<Job<T>>,
    waiting: Arc<Waiting>,
    thread: Option<JoinHandle<DiskStore>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread. Results are handed to `deliver` there, in the order of the operations, a group at a
    /// time; pages by a thread of their own, when they are read.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn start(
        store: DiskStore,
        config: WorkerConfig,
        deliver: impl FnMut(Vec<(Done, T)>) + Clone + Send + 'static,
    ) -> std::io::Result<Worker<T>> {
        let (jobs, queue) = channel();
        let waiting = Arc::new(Waiting::default());
        *waiting.usage.lock().expect("nobody else has it yet") = store.usage();
        let pages = Pages::start(deliver.clone(), {
            let waiting = Arc::clone(&waiting);
            move |why| {
                log::error!("the store is damaged: {why}");
                waiting.damage.get_or_init(|| why);
            }
        })?;
        let desk = Desk {
            syncer: Syncer::start(&store)?,
            pages,
            store,
            group_ops: config.group_ops,
            waiting: Arc::clone(&waiting),
            group: Vec::new(),
            deliver,
        };
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || desk.work(&queue))?;
        Ok(Worker {
            config,
            jobs,
            waiting,
            thread: Some(thread),
        })
    }

    /// Hands an operation over.
    ///
    /// # Errors
    /// If too much waits already, or the thread has ended: with what was to be handed back.
    pub fn ask(&self, op: Op, then: T) -> Result<(), (StoreError, T)> {
        self.ask_knowing(op, None, then)
    }

    /// The same, with what is known of what it will find.
    pub(crate) fn ask_knowing(
        &self,
        op: Op,
        known: Option<Known>,
        then: T,
    ) -> Result<(), (StoreError, T)> {
        let bytes = weight(&op);
        let ops = self.waiting.ops.fetch_add(1, Ordering::Relaxed);
        let before = self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let full = ops >= self.config.max_waiting || before + bytes > self.config.max_bytes;
        let refused = if full && ops > 0 && !matches!(op, Op::Set(..)) {
            Err((StoreError::Busy { waiting: ops }, then))
        } else {
            self.jobs.send(Some((op, known, then))).map_err(|job| {
                let (.., then) = job.0.expect("what could not be sent is what was sent");
                (StoreError::Device("its thread has ended".into()), then)
            })
        };
        if refused.is_err() {
            self.waiting.ops.fetch_sub(1, Ordering::Relaxed);
            self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        refused
    }

    /// How many operations wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.ops.load(Ordering::Relaxed)
    }

    /// What the store keeps, after the last group.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.waiting
            .usage
            .lock()
            .map_or_else(|_| Usage::default(), |usage| *usage)
    }

    /// What was found to be damaged, if anything: see [`Home::note_damage`](super::Home::note_damage).
    #[must_use]
    pub fn damage(&self) -> Option<String> {
        self.waiting.damage.get().cloned()
    }

    /// Lets everything that waits be done, and gives the store back, all of it synced; none if the thread
    /// failed.
    pub fn end(mut self) -> Option<DiskStore> {
        self.join()
    }
}

impl<T> Worker<T> {
    fn join(&mut self) -> Option<DiskStore> {
        let thread = self.thread.take()?;
        // If it has gone already, there is nobody to be told.
        let _ = self.jobs.send(None);
        thread.join().ok()
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        drop(self.join());
    }
}

/// How many bytes an operation keeps in memory while it waits.
fn weight(op: &Op) -> u64 {
    match op {
        Op::Merge(record) | Op::Guarded(record, _) => {
            record.key.bytes().len() as u64 + record.cells.value_bytes()
        }
        Op::Stage { bytes, .. } | Op::Set(_, bytes) => bytes.len() as u64,
        Op::Get(_) | Op::Piece { .. } | Op::Unstage(..) | Op::Versions(_) => 0,
        Op::Scan(_) | Op::List(_) | Op::Digests { .. } | Op::Discard(_) => 0,
        Op::Garbage(..) | Op::Collect { .. } => 0,
        Op::Shelve(_) | Op::Confirm { .. } | Op::Review(..) | Op::Aside(_) => 0,
    }
}

/// Whether an operation reads or writes so much here that nobody's result shall wait for it.
const fn is_long(op: &Op) -> bool {
    match op {
        Op::Scan(_) | Op::List(_) | Op::Digests { .. } | Op::Aside(_) => true,
        Op::Discard(_) | Op::Garbage(..) | Op::Collect { .. } => true,
        Op::Shelve(_) | Op::Confirm { .. } | Op::Review(..) => true,
        Op::Get(_) | Op::Versions(_) | Op::Piece { .. } | Op::Merge(_) | Op::Guarded(..) => false,
        Op::Stage { .. } | Op::Unstage(..) | Op::Set(..) => false,
    }
}

/// The thread's side.
struct Desk<T, D> {
    store: DiskStore,
    pages: Pages<T>,
    syncer: Syncer,
    group_ops: usize,
    waiting: Arc<Waiting>,
    /// Results of the present group, and whether they hold only if it is committed.
    group: Vec<(Done, T, bool)>,
    deliver: D,
}

impl<T: Send + 'static, D: FnMut(Vec<(Done, T)>)> Desk<T, D> {
    fn work(mut self, queue: &Receiver<Job<T>>) -> DiskStore {
        let mut synced_at = now();
        loop {
            let ended = match queue.recv_timeout(SYNC_EVERY) {
                Ok(Some(job)) => {
                    self.take(job);
                    self.take_more(queue)
                }
                Ok(None) | Err(RecvTimeoutError::Disconnected) => true,
                Err(RecvTimeoutError::Timeout) => false,
            };
            self.finish();
            if ended {
                // Nothing that was handed over is left undone.
                while let Ok(Some(job)) = queue.try_recv() {
                    self.take(job);
                }
                self.finish();
            }
            self.sync_beside(&mut synced_at);
            if ended {
                if let Err(error) = self.store.sync() {
                    log::error!("the store could not be synced: {error}");
                }
                return self.store;
            }
        }
    }

    /// Begins a sync once a second, or earlier if much was written, if that is the policy.
    fn sync_beside(&mut self, synced_at: &mut Instant) {
        self.syncer.take_up(&mut self.store);
        if self.store.config.sync != SyncPolicy::EverySecond {
            return;
        }
        let due = self.syncer.has_much() || now().duration_since(*synced_at) >= SYNC_EVERY;
        if due && self.syncer.begin(&self.store) {
            *synced_at = now();
        }
    }

    /// Takes what else waits already. Whether the end was among it.
    fn take_more(&mut self, queue: &Receiver<Job<T>>) -> bool {
        while self.group.len() < self.group_ops {
            match queue.try_recv() {
                Ok(Some(job)) => self.take(job),
                Ok(None) => return true,
                Err(_) => break,
            }
        }
        false
    }

    fn take(&mut self, (op, known, then): (Op, Option<Known>, T)) {
        self.waiting.ops.fetch_sub(1, Ordering::Relaxed);
        let bytes = weight(&op);
        self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.syncer.wrote(bytes);
        if is_long(&op) || self.store.must_commit_before(&op) {
            self.finish();
        }
        let (op, then) = if let Op::Scan(page) = op {
            match self.read_beside(page, then) {
                Some((page, then)) => (Op::Scan(page), then),
                None => return,
            }
        } else {
            (op, then)
        };
        // A damaged table may end in a panic instead of an error.
        let done = catch_unwind(AssertUnwindSafe(|| self.store.enter_knowing(op, known)));
        let done = done.unwrap_or_else(|panic| Done::Failed(self.store.damaged(&panicked(&panic))));
        let depends = !self.store.group.is_empty();
        self.group.push((done, then, depends));
    }

    /// Hands a page over to be read beside; given back if that cannot be.
    fn read_beside(&self, page: Page, then: T) -> Option<(Page, T)> {
        let Ok(look) = self.store.look() else {
            return Some((page, then));
        };
        let left = self.pages.ask(look, page.clone(), then).err();
        left.map(|then| (page, then))
    }

    fn tell_state(&self) {
        if let Ok(mut usage) = self.waiting.usage.lock() {
            *usage = self.store.usage();
        }
        if let Some(why) = self.store.damage() {
            self.waiting.damage.get_or_init(|| why.into());
        }
    }

    /// Commits the group and tells its results.
    fn finish(&mut self) {
        if self.group.is_empty() {
            return;
        }
        let committed = catch_unwind(AssertUnwindSafe(|| self.store.commit()));
        let committed =
            committed.unwrap_or_else(|panic| Err(self.store.damaged(&panicked(&panic))));
        self.tell_state();
        // The next group will be about as large.
        let next = Vec::with_capacity(self.group.len());
        let results = std::mem::replace(&mut self.group, next).into_iter();
        let results = results.map(|(done, then, depends)| match &committed {
            Err(error) if depends => (Done::Failed(error.clone()), then),
            Ok(()) | Err(_) => (done, then),
        });
        (self.deliver)(results.collect());
    }
}
