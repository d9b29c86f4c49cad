//! A store on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;

use super::checkpoint::NOTES;
use super::group::Group;
use super::layout::{head_name, piece_number};
use super::mark::Mark;
use super::read::Bad;
use super::recent::Known;
use super::runs::Runs;
use super::tables::{OpenError, Tables, failed, is_damage, is_full};
use crate::record::{Key, Version};
use crate::store::{Done, Op, Setting, Store, StoreError, SyncPolicy, Usage};

/// The name under which the number of the last checkpoint's group lies among the settings.
pub(super) const COMMITS: &str = "commits";

/// How a store on disk is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// Where its files lie.
    pub path: PathBuf,
    /// When a write is safe.
    pub sync: SyncPolicy,
    /// At most so many bytes of what was read are kept in memory.
    pub cache_bytes: u64,
    /// At most so many bytes of keys and values; beyond it new values are refused.
    pub limit_bytes: u64,
    /// So many bytes of the disk are kept free, for deletes and for the engine's own work; with fewer, new
    /// values are refused.
    pub reserve_bytes: u64,
}

impl DiskConfig {
    /// The usual settings: synced always, 32 MiB of cache, no limit but the disk, 64 MiB kept free.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> DiskConfig {
        DiskConfig {
            path: path.into(),
            sync: SyncPolicy::Always,
            cache_bytes: 32 * 1024 * 1024,
            limit_bytes: u64::MAX,
            reserve_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Pieces that are put by for a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Staged {
    pub(super) number: u64,
    /// Their lengths.
    pub(super) pieces: BTreeMap<u32, u64>,
}

/// A store on disk. It must be told by [`DiskStore::commit`] when a group of operations ends, and then
/// acknowledges them all at once; as a [`Store`], each operation is a group of its own.
///
/// ```
/// use roundelay::disk::{DiskConfig, DiskStore};
/// use roundelay::store::{Done, Op, Setting, Store};
///
/// let dir = tempfile::tempdir()?;
/// let mut store = DiskStore::open(DiskConfig::new(dir.path()))?;
/// assert_eq!(store.apply(Op::Set(Setting::Life, "7".into())), Done::Set);
/// drop(store);
/// let store = DiskStore::open(DiskConfig::new(dir.path()))?;
/// assert_eq!(store.setting(Setting::Life).unwrap(), "7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DiskStore {
    pub(super) config: DiskConfig,
    /// None after they could not be opened again.
    pub(super) tables: Option<Tables>,
    pub(super) runs: Runs,
    pub(super) settings: BTreeMap<Setting, Bytes>,
    pub(super) staged: BTreeMap<(Key, Version), Staged>,
    /// The number the next large value gets.
    pub(super) next_number: u64,
    /// How many groups were committed, ever.
    pub(super) commits: u64,
    /// Which of them was the last checkpoint.
    pub(super) checkpoint: u64,
    /// A checkpoint is due after so many groups without.
    pub(super) most_notes: u64,
    /// Bytes of the notes that this process has written since the last checkpoint.
    pub(super) note_bytes: usize,
    pub(super) mark: Mark,
    pub(super) group: Group,
    /// Why nothing can be written since some time.
    pub(super) broken: Option<StoreError>,
    /// When writing failed last.
    pub(super) failed_at: Option<Instant>,
    /// What was found to be damaged.
    pub(super) damage: Option<String>,
}

impl DiskStore {
    /// Opens the store in that directory, or makes a new one.
    ///
    /// # Errors
    /// If another process has it, it is damaged, or the system refuses.
    pub fn open(config: DiskConfig) -> Result<DiskStore, OpenError> {
        let tables = Tables::open(&config.path, config.cache_bytes)?;
        let mark = Mark::open(&config.path)?;
        let mut store = DiskStore {
            config,
            tables: Some(tables),
            runs: Runs::new(BTreeMap::new(), BTreeSet::new()),
            settings: BTreeMap::new(),
            staged: BTreeMap::new(),
            next_number: 0,
            commits: 0,
            checkpoint: 0,
            most_notes: NOTES.into(),
            note_bytes: 0,
            mark,
            group: Group::default(),
            broken: None,
            failed_at: None,
            damage: None,
        };
        store.load()?;
        Ok(store)
    }

    /// Reads what is kept in memory: runs, settings, counters.
    pub(super) fn load(&mut self) -> Result<(), OpenError> {
        let path = self.config.path.clone();
        let error = |error: fjall::Error| {
            if is_damage(&error) {
                OpenError::damaged(&path, error.to_string())
            } else {
                OpenError::device(&path, &error)
            }
        };
        let bad = |what: &str| OpenError::damaged(&path, format!("{what} cannot be read"));
        let Some(tables) = &self.tables else {
            return Err(OpenError::damaged(&path, "it was closed"));
        };
        self.settings.clear();
        self.checkpoint = 0;
        for entry in tables.settings.iter() {
            let (name, value) = entry.into_inner().map_err(error)?;
            if *name == *COMMITS.as_bytes() {
                let bytes = <[u8; 8]>::try_from(&value[..]).map_err(|_| bad("a counter"))?;
                self.checkpoint = u64::from_le_bytes(bytes);
            } else {
                let setting = setting_named(&name).ok_or_else(|| bad("a setting"))?;
                let value = Bytes::copy_from_slice(&value);
                self.settings.insert(setting, value);
            }
        }
        let runs = tables.runs_since(self.checkpoint);
        (self.runs, self.commits) = runs.map_err(|why| match why {
            Bad::Engine(why) => error(why),
            Bad::Head | Bad::Run => bad("the digest of a run"),
        })?;
        self.mark.check(self.commits, &path)?;
        self.next_number = last_number(tables).map_err(error)?.map_or(0, |n| n + 1);
        self.staged.clear();
        self.forget_staged().map_err(error)
    }

    /// Pieces put by in an earlier life belong to nobody.
    fn forget_staged(&mut self) -> fjall::Result<()> {
        let Some(tables) = &self.tables else {
            return Ok(());
        };
        for entry in tables.staged.iter() {
            let number = entry.key()?;
            let mut batch = tables.db.batch();
            for piece in tables.pieces.prefix(&number) {
                batch.remove(&tables.pieces, piece.key()?);
            }
            batch.remove(&tables.staged, number);
            batch.commit()?;
        }
        Ok(())
    }

    /// What was found to be damaged while it was in use, if anything: the directory should be set aside.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    pub(super) fn tables(&self) -> Result<&Tables, StoreError> {
        self.tables.as_ref().ok_or_else(|| {
            let why = self.broken.clone();
            why.unwrap_or_else(|| StoreError::Device("it is closed".into()))
        })
    }

    /// Notes an error of the engine and says what it means for whoever asked.
    pub(super) fn trouble(&mut self, error: &fjall::Error) -> StoreError {
        if is_damage(error) {
            self.damaged(&error.to_string());
        }
        if is_full(error) {
            let (free, reserve) = (self.free_bytes(), self.config.reserve_bytes);
            return StoreError::NoSpace { free, reserve };
        }
        failed(error)
    }

    pub(super) fn damaged(&mut self, why: &str) -> StoreError {
        if self.damage.is_none() {
            log::error!(
                "the store in {} is damaged: {why}",
                self.config.path.display()
            );
            self.damage = Some(why.into());
        }
        StoreError::Device(format!("damaged: {why}"))
    }

    /// Whether the group so far must be committed before this operation: it reads what only a commit shows.
    #[must_use]
    pub fn must_commit_before(&self, op: &Op) -> bool {
        match op {
            Op::Scan(_) | Op::List(_) | Op::Digests { .. } | Op::Discard(_) => {
                !self.group.is_empty()
            }
            Op::Garbage(..) | Op::Collect { .. } => !self.group.is_empty(),
            Op::Shelve(_) | Op::Confirm { .. } | Op::Review(..) | Op::Aside(_) => {
                !self.group.is_empty()
            }
            Op::Get(_) | Op::Piece { .. } => self.group.has_pieces(),
            Op::Versions(_) | Op::Merge(_) | Op::Guarded(..) | Op::Set(..) => self.group.is_large(),
            Op::Stage { .. } | Op::Unstage(..) => self.group.is_large(),
        }
    }

    /// Carries out an operation as a part of the present group. Its result may be told only after
    /// [`DiskStore::commit`].
    pub fn enter(&mut self, op: Op) -> Done {
        self.enter_knowing(op, None)
    }

    /// The same, if it is known what a write will find.
    pub(super) fn enter_knowing(&mut self, op: Op, known: Option<Known>) -> Done {
        let told = match op {
            Op::Get(key) => self.get(&key).map(Done::Cells),
            Op::Piece {
                key,
                version,
                index,
            } => self.piece(&key, version, index).map(Done::Piece),
            Op::Versions(key) => self
                .head(&head_name(&key))
                .map(|head| Done::Versions(head.map(|head| head.summary).unwrap_or_default())),
            Op::Scan(page) => self.scan(&page),
            Op::List(page) => self.list(&page),
            Op::Digests { span, parts } => self.digests(span, parts).map(Done::Digests),
            Op::Merge(record) => self.merge(record, known).map(Done::Held),
            Op::Guarded(record, guard) => self.guarded(record, guard, known),
            Op::Garbage(spans, floor) => self.garbage(&spans, floor).map(Done::Garbage),
            Op::Collect {
                span,
                floor,
                max_records,
            } => self.collect(span, floor, max_records),
            Op::Stage {
                key,
                version,
                index,
                bytes,
            } => self
                .stage((key, version), index, bytes)
                .map(|()| Done::Staged),
            Op::Unstage(key, version) => self.unstage((key, version)).map(|()| Done::Staged),
            Op::Discard(spans) => self.discard(&spans).map(Done::Discarded),
            Op::Shelve(spans) => self.shelve(&spans),
            Op::Confirm { span, like } => self.confirm(span, like),
            Op::Review(spans, most) => self.review(&spans, most),
            Op::Aside(page) => self.aside(&page),
            Op::Set(name, value) => self.set(name, value).map(|()| Done::Set),
        };
        told.unwrap_or_else(Done::Failed)
    }
}

impl Store for DiskStore {
    fn apply(&mut self, op: Op) -> Done {
        let done = self.enter(op);
        match self.commit() {
            Ok(()) => done,
            Err(error) => Done::Failed(error),
        }
    }

    fn setting(&self, name: Setting) -> Option<Bytes> {
        self.settings.get(&name).cloned()
    }

    fn usage(&self) -> Usage {
        self.runs.usage()
    }
}

/// The greatest number a large value has.
fn last_number(tables: &Tables) -> fjall::Result<Option<u64>> {
    let last = tables.pieces.last_key_value().map(fjall::Guard::key);
    let name = last.transpose()?;
    Ok(name.and_then(|name| piece_number(&name)))
}

pub(super) const fn setting_name(setting: Setting) -> &'static str {
    match setting {
        Setting::Life => "life",
        Setting::Roster => "roster",
        Setting::Acceptor => "acceptor",
        Setting::Move => "move",
        Setting::Places => "places",
        Setting::Marks => "marks",
    }
}

fn setting_named(name: &[u8]) -> Option<Setting> {
    let all = [
        Setting::Life,
        Setting::Roster,
        Setting::Acceptor,
        Setting::Move,
        Setting::Places,
        Setting::Marks,
    ];
    all.into_iter()
        .find(|setting| setting_name(*setting).as_bytes() == name)
}
