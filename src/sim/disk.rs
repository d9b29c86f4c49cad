//! What is left on a disk after a power cut?
//!
//! ```text
//! merge a   merge b   sync   merge c   merge d   power cut
//! ────────────────────┘      └──────────────── some suffix of c, d is gone, d before c
//! ```
//!
//! A disk stands in front of any [`Store`]. It carries operations out in order, each after a delay, and
//! reports them done; what was reported but not yet synced may be lost in a crash, the youngest first.
//! Settings are always synced before they are reported. What was asked but not reported may be on disk
//! or not, as on real ones: a random part of the queue is carried out at the crash.
//!
//! Left out: torn or damaged records. A host that finds such is a new host (see `store`).

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::keyspace::{Id, Span};
use crate::record::{Cells, Key, Record};
use crate::store::{Done, Op, Setting, Store, StoreError, SyncPolicy};

/// A reported write older than this, in milliseconds, is on the disk.
const fn exposed_ms(policy: SyncPolicy) -> u64 {
    match policy {
        SyncPolicy::Always => 0,
        SyncPolicy::EverySecond => 1_000,
        SyncPolicy::Never => 30_000,
    }
}

/// How a disk behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// When it syncs.
    pub policy: SyncPolicy,
    /// What an operation without a sync takes, in milliseconds.
    pub access_ms: u64,
    /// What a sync adds, in milliseconds.
    pub sync_ms: u64,
    /// Whether an operation that takes no time, with nothing before it, is done before its asker goes on: a store in
    /// memory.
    pub at_once: bool,
}

impl Default for DiskConfig {
    /// Everything synced, a millisecond each.
    fn default() -> DiskConfig {
        DiskConfig {
            policy: SyncPolicy::Always,
            access_ms: 0,
            sync_ms: 1,
            at_once: false,
        }
    }
}

/// A reported merge that a crash may still undo.
struct Exposed {
    at: u64,
    key: Key,
    before: Option<Cells>,
}

/// A disk in front of a store. With each operation it keeps a `T`: how the asker goes on.
pub(super) struct Disk<T> {
    pub(super) config: DiskConfig,
    /// Whether there is no room for new values: then they are refused, while all else goes on.
    pub(super) full: bool,
    /// Records it was asked to keep and has not kept, until somebody takes them out.
    pub(super) not_kept: Vec<Op>,
    pub(super) store: Box<dyn Store>,
    /// Boxed, so that what is asked lies in memory that was in use just now, whichever disk used it.
    waiting: VecDeque<Box<(Op, T)>>,
    /// When the last one waiting will be done.
    busy_until: u64,
    exposed: VecDeque<Exposed>,
    /// The power went, and not all was synced: whoever starts on this disk must know it, until it has had the time
    /// to write that down.
    was_cut: bool,
}

impl<T> Disk<T> {
    pub(super) fn new(config: DiskConfig, store: Box<dyn Store>) -> Disk<T> {
        Disk {
            config,
            full: false,
            not_kept: Vec::new(),
            store,
            waiting: VecDeque::new(),
            busy_until: 0,
            exposed: VecDeque::new(),
            was_cut: false,
        }
    }

    /// Whether what was reported by an earlier life may be gone.
    pub(super) const fn may_have_lost(&self) -> bool {
        self.was_cut
    }

    /// A value that was set in an earlier life.
    pub(super) fn setting(&self, name: Setting) -> Option<bytes::Bytes> {
        self.store.setting(name)
    }

    /// See [`Store::glance`]: of the disk's own memory.
    pub(super) fn glance(&self) -> u64 {
        self.busy_until ^ self.exposed.len() as u64 ^ self.waiting.len() as u64
    }

    /// When all that waits will be done.
    pub(super) const fn busy_until(&self) -> u64 {
        self.busy_until
    }

    /// Whether an operation that is asked for now may be done now.
    pub(super) fn is_at_once(&self) -> bool {
        let DiskConfig {
            policy: _,
            access_ms,
            sync_ms,
            at_once,
        } = self.config;
        at_once && access_ms + sync_ms == 0 && self.waiting.is_empty()
    }

    /// Queues an operation; returns when it will be done.
    pub(super) fn ask(&mut self, now: u64, op: Op, then: T) -> u64 {
        let synced = match &op {
            Op::Merge(_) | Op::Guarded(..) | Op::Discard(_) | Op::Collect { .. } => {
                self.config.policy == SyncPolicy::Always
            }
            Op::Set(..) | Op::Shelve(_) | Op::Confirm { .. } | Op::Review(..) => true,
            // Pieces put by are synced with the merge that uses them.
            Op::Stage { .. } | Op::Unstage(..) | Op::Piece { .. } => false,
            Op::Get(_)
            | Op::Versions(_)
            | Op::Scan(_)
            | Op::List(_)
            | Op::Digests { .. }
            | Op::Garbage(..)
            | Op::Aside(_) => false,
        };
        let takes = self.config.access_ms + if synced { self.config.sync_ms } else { 0 };
        self.busy_until = self.busy_until.max(now) + takes;
        self.waiting.push_back(Box::new((op, then)));
        self.busy_until
    }

    /// The oldest operation is done.
    pub(super) fn done(&mut self, now: u64) -> Option<(Done, T)> {
        let (op, then) = *self.waiting.pop_front()?;
        self.was_cut &= !self.waiting.is_empty();
        Some((self.apply(now, op), then))
    }

    pub(super) fn apply(&mut self, now: u64, op: Op) -> Done {
        if self.full && self.takes_room(&op) {
            let (free, reserve) = (0, 1);
            self.not_kept.push(op);
            return Done::Failed(StoreError::NoSpace { free, reserve });
        }
        let exposed_ms = exposed_ms(self.config.policy);
        if exposed_ms > 0 {
            while self
                .exposed
                .front()
                .is_some_and(|write| write.at + exposed_ms <= now)
            {
                self.exposed.pop_front();
            }
            match &op {
                Op::Merge(record) | Op::Guarded(record, _) => self.expose(now, record.key.clone()),
                // Undoing a discard would need all it dropped: take it as synced, and all before it.
                Op::Discard(_)
                | Op::Collect { .. }
                | Op::Shelve(_)
                | Op::Confirm { .. }
                | Op::Review(..) => self.exposed.clear(),
                Op::Set(..) | Op::Get(_) | Op::Piece { .. } | Op::Versions(_) => {}
                Op::Stage { .. } | Op::Unstage(..) => {}
                Op::Scan(_) | Op::List(_) | Op::Digests { .. } | Op::Garbage(..) | Op::Aside(_) => {
                }
            }
        }
        let guarded = matches!(op, Op::Guarded(..)).then(|| op.clone());
        let done = self.store.apply(op);
        let refused = guarded.filter(|_| matches!(done, Done::Below(_) | Done::Failed(_)));
        self.not_kept.extend(refused);
        done
    }

    /// Whether it brings a value that is not held.
    fn takes_room(&mut self, op: &Op) -> bool {
        if let Op::Merge(record) | Op::Guarded(record, _) = op {
            let held = self.store.apply(Op::Versions(record.key.clone()));
            let value = record.cells.value.as_ref();
            let brought = value.filter(|cell| cell.body.is_some());
            brought.is_some_and(
                |cell| !matches!(held, Done::Versions(held) if held.value >= Some(cell.version)),
            )
        } else {
            matches!(op, Op::Stage { .. })
        }
    }

    fn expose(&mut self, at: u64, key: Key) {
        // A store that cannot be read keeps what it has: nothing to go back to.
        if let Some(before) = self.read(&key) {
            self.exposed.push_back(Exposed { at, key, before });
        }
    }

    /// The cells under a key, with all pieces; none if they cannot be read.
    fn read(&mut self, key: &Key) -> Option<Option<Cells>> {
        let Done::Cells(cells) = self.store.apply(Op::Get(key.clone())) else {
            return None;
        };
        let Some(mut cells) = cells else {
            return Some(None);
        };
        if let Some(cell) = cells.value.as_mut()
            && let Some(body) = cell.body.as_mut()
        {
            while !body.is_whole() {
                let piece = Op::Piece {
                    key: key.clone(),
                    version: cell.version,
                    index: u32::try_from(body.pieces.len()).ok()?,
                };
                let Done::Piece(Some(bytes)) = self.store.apply(piece) else {
                    return None;
                };
                body.pieces.push(bytes);
            }
        }
        Some(Some(cells))
    }

    /// The process ends: returns how many reported writes were lost; none unless the power goes, too.
    pub(super) fn crash(&mut self, now: u64, power_cut: bool, rng: &mut ChaCha8Rng) -> usize {
        let reached = pick(rng, self.waiting.len());
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        for asked in waiting.by_ref().take(reached) {
            self.apply(now, asked.0);
        }
        let dropped = waiting.map(|asked| asked.0);
        self.not_kept
            .extend(dropped.filter(|op| matches!(op, Op::Merge(_) | Op::Guarded(..))));
        self.busy_until = now;
        self.store.begin_again();
        if !power_cut {
            return 0;
        }
        self.was_cut = self.config.policy != SyncPolicy::Always;
        let exposed_ms = exposed_ms(self.config.policy);
        self.exposed.retain(|write| write.at + exposed_ms > now);
        let lost = pick(rng, self.exposed.len());
        for _ in 0..lost {
            if let Some(write) = self.exposed.pop_back() {
                self.undo(write);
            }
        }
        self.exposed.clear();
        lost
    }

    /// Puts one key back to what it was. A store only grows, so the key is dropped and merged again.
    fn undo(&mut self, write: Exposed) {
        let id = write.key.id();
        self.store.apply(Op::Discard(vec![Span::new(
            id.wrapping_sub(Id::from_u64(1)),
            id,
        )]));
        if let Some(cells) = write.before {
            self.store.apply(Op::Merge(Record {
                key: write.key,
                cells,
            }));
        }
    }
}

/// A number from 0 to `most`.
fn pick(rng: &mut ChaCha8Rng, most: usize) -> usize {
    let most = u64::try_from(most).unwrap_or(u64::MAX - 1);
    usize::try_from(rng.next_u64() % (most + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::HostId;
    use crate::record::{Body, Stamp, ValueCell, Version};
    use crate::store::MemoryStore;
    use rand_chacha::rand_core::SeedableRng;

    fn record(key: u64, stamp: u64) -> Record {
        let version = Version {
            stamp: Stamp(stamp),
            delete: false,
            host: HostId(1),
            start: 1,
        };
        let body = Some(Body::new(format!("{stamp}")));
        let value = Some(ValueCell { version, body });
        let cells = Cells {
            value,
            expiry: None,
        };
        Record {
            key: Key::new(format!("key {key}")).unwrap(),
            cells,
        }
    }

    /// Twenty writes to ten keys, 100 ms apart, all reported; then the power goes.
    fn survivors(policy: SyncPolicy, seed: u64) -> Vec<Option<u64>> {
        let config = DiskConfig {
            policy,
            access_ms: 1,
            sync_ms: 2,
            at_once: false,
        };
        let mut disk = Disk::new(config, Box::new(MemoryStore::new()));
        for n in 0..20 {
            let now = n * 100;
            let due = disk.ask(now, Op::Merge(record(n % 10, n + 1)), ());
            disk.done(due).unwrap();
        }
        disk.crash(1950, true, &mut ChaCha8Rng::seed_from_u64(seed));
        (0..10)
            .map(|key| {
                let done = disk.store.apply(Op::Versions(record(key, 0).key));
                let Done::Versions(summary) = done else {
                    panic!("{done:?}");
                };
                summary.value.map(|version| version.stamp.0)
            })
            .collect()
    }

    #[test]
    fn always_loses_nothing_that_was_reported() {
        let all: Vec<Option<u64>> = (11..=20).map(Some).collect();
        for seed in 0..20 {
            assert_eq!(survivors(SyncPolicy::Always, seed), all);
        }
    }

    #[test]
    fn every_second_loses_a_suffix_of_the_last_second_and_brings_the_old_values_back() {
        let mut losses = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let left = survivors(SyncPolicy::EverySecond, seed);
            // Written at 1000 ms and later: stamps 11 to 20; a suffix of them is gone.
            let kept = left
                .iter()
                .take_while(|stamp| stamp.is_some_and(|stamp| stamp > 10))
                .count();
            for (key, stamp) in left.iter().enumerate() {
                let expected = if key < kept { key + 11 } else { key + 1 };
                assert_eq!(*stamp, Some(expected as u64), "seed {seed}");
            }
            losses.insert(10 - kept);
        }
        assert!(losses.len() > 5 && losses.contains(&0), "{losses:?}");
    }

    #[test]
    fn a_process_that_ends_on_a_machine_that_runs_on_loses_nothing() {
        let config = DiskConfig {
            policy: SyncPolicy::Never,
            ..DiskConfig::default()
        };
        let mut disk = Disk::new(config, Box::new(MemoryStore::new()));
        let due = disk.ask(0, Op::Merge(record(1, 1)), ());
        disk.done(due).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(disk.crash(1, false, &mut rng), 0);
        assert_eq!(disk.store.usage().records, 1);
    }

    #[test]
    fn a_full_disk_takes_no_new_value_and_serves_what_it_holds() {
        let mut disk = Disk::new(DiskConfig::default(), Box::new(MemoryStore::new()));
        let mut told = |full, op| {
            disk.full = full;
            let due = disk.ask(0, op, ());
            disk.done(due).unwrap().0
        };
        let held = told(false, Op::Merge(record(1, 7)));
        assert_eq!(told(true, Op::Merge(record(1, 7))), held, "it has it");
        for new in [record(1, 8), record(2, 1)] {
            let refused = told(true, Op::Merge(new));
            assert!(matches!(refused, Done::Failed(error) if error.is_full()));
        }
        let mut delete = record(1, 9);
        let cell = delete.cells.value.as_mut().unwrap();
        (cell.version.delete, cell.body) = (true, None);
        assert!(matches!(told(true, Op::Merge(delete)), Done::Held(_)));
        assert!(matches!(
            told(false, Op::Merge(record(2, 1))),
            Done::Held(_)
        ));
    }

    #[test]
    fn never_may_lose_everything() {
        let worst = (0..50).map(|seed| survivors(SyncPolicy::Never, seed).iter().flatten().count());
        assert!(worst.min().unwrap() < 3);
    }
}
