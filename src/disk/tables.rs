//! The engine's files, opened; and what its errors mean.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, LsmError};

use super::patient::be_patient;
use crate::store::StoreError;

/// All journals together take at most so many bytes; beyond it, older ones are made superfluous first.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;

/// So many bytes of new records are collected in memory, at least, before they become a file.
const LEAST_MEMTABLE_BYTES: u64 = 4 * 1024 * 1024;

/// And at most.
const MOST_MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;

/// Why a directory cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process: stop that one, or choose another --data-dir", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} is not empty and holds no data of roundelay: choose another --data-dir", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Its host is of another cluster.
    #[error("{} holds a host of the cluster {was}, and this one is of {now}: say --cluster {was}, or choose another --data-dir", path.display())]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// The name of the cluster that its host was in.
        was: String,
        /// The name that was given now.
        now: String,
    },
    /// Written by a later version of this program.
    #[error("{} is written in format {found}, this program reads {}: use a newer one", path.display(), super::FORMAT)]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// What is there cannot be trusted.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The system refuses.
    #[error("cannot use {}: {why}", path.display())]
    Device {
        /// The directory or file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

impl OpenError {
    pub(super) fn device(path: &Path, why: &impl fmt::Display) -> OpenError {
        OpenError::Device {
            path: path.to_path_buf(),
            why: why.to_string(),
        }
    }

    /// The system's own words, in plain ones where what to do is known.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the list of errors is open: of others the system's own words are said"
    )]
    pub(super) fn refused(path: &Path, error: &std::io::Error) -> OpenError {
        let why = match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                "it is a file, a directory is wanted"
            }
            ErrorKind::PermissionDenied => {
                "permission denied: let the user that this program runs as write there, or choose another --data-dir"
            }
            _ => return OpenError::device(path, error),
        };
        OpenError::device(path, &why)
    }

    pub(super) fn damaged(path: &Path, why: impl Into<String>) -> OpenError {
        OpenError::Damaged {
            path: path.to_path_buf(),
            why: why.into(),
        }
    }
}

/// New records in memory may take so many times what becomes a file: with more, writes wait until some is in one.
const MOST_MEMTABLES: u64 = 6;

/// Of large values, so many halves of that become a file: each file costs some syncs, for which whoever writes waits, and
/// one that is full and one that is being written are less than what may be in memory.
const HALVES_OF_LARGE: u64 = 5;

/// A write waits for that no longer than this.
const MOST_WAIT: Duration = Duration::from_millis(500);

/// Threads of the engine's own, which write memtables out and merge tables. Of several the first leaves merging to the
/// others, and turns round and round while a merge waits for them: a core is lost for as long as merges last.
const ENGINE_THREADS: usize = 1;

/// The tables of one store.
pub(super) struct Tables {
    pub(super) db: Database,
    /// Bytes of new records in memory beyond which writes wait.
    most_buffered: u64,
    /// Records without large values.
    pub(super) heads: Keyspace,
    /// Large values, in pieces.
    pub(super) pieces: Keyspace,
    /// Digests of stretches of heads, as of the last checkpoint.
    pub(super) runs: Keyspace,
    /// Which runs each group since has changed.
    pub(super) notes: Keyspace,
    /// Numbers of values whose pieces are put by, not merged yet.
    pub(super) staged: Keyspace,
    /// Heads of records from before, out of sight.
    pub(super) shelf: Keyspace,
    /// Settings, and the number of the group that was the last checkpoint.
    pub(super) settings: Keyspace,
}

impl Tables {
    /// Opens what is there, or makes it.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Tables, OpenError> {
        // The engine's threads are as patient as the one that starts them.
        let opened = std::thread::scope(|scope| {
            let open = || {
                be_patient();
                Tables::try_open(path, cache_bytes)
            };
            let opening = std::thread::Builder::new().spawn_scoped(scope, open);
            opening.map(|opening| opening.join())
        });
        // A damaged file may end in a panic instead of an error: either way it is damaged.
        match opened.unwrap_or_else(|error| Ok(Err(error.into()))) {
            Ok(Ok(tables)) => Ok(tables),
            Ok(Err(error)) => Err(why_not(path, &error)),
            Err(panic) => Err(OpenError::damaged(path, panicked(&panic))),
        }
    }

    fn try_open(path: &Path, cache_bytes: u64) -> fjall::Result<Tables> {
        let memtable = (cache_bytes / 4).clamp(LEAST_MEMTABLE_BYTES, MOST_MEMTABLE_BYTES);
        let db = Database::builder(path)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .manual_journal_persist(true)
            .worker_threads(ENGINE_THREADS)
            .open()?;
        let small = || {
            KeyspaceCreateOptions::default()
                .manual_journal_persist(true)
                .max_memtable_size(memtable)
        };
        let large = || {
            small()
                .max_memtable_size(HALVES_OF_LARGE * memtable / 2)
                .with_kv_separation(Some(KvSeparationOptions::default()))
        };
        Ok(Tables {
            most_buffered: MOST_MEMTABLES * memtable,
            heads: db.keyspace("heads", small)?,
            pieces: db.keyspace("pieces", large)?,
            runs: db.keyspace("runs", small)?,
            notes: db.keyspace("notes", small)?,
            staged: db.keyspace("staged", small)?,
            shelf: db.keyspace("shelf", small)?,
            settings: db.keyspace("settings", small)?,
            db,
        })
    }
}

impl Tables {
    /// Waits while too much is in memory only. The engine has a limit of its own for each table, but counts what is
    /// full already, and lets a table that is not grow while its threads are late: large values would make that much.
    pub(super) fn wait_for_room(&self) {
        const LOOK: Duration = Duration::from_millis(2);
        let mut left = MOST_WAIT;
        while self.db.write_buffer_size() > self.most_buffered && !left.is_zero() {
            std::thread::sleep(LOOK);
            left = left.saturating_sub(LOOK);
        }
    }
}

/// What a panic said.
pub(super) fn panicked(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into())
}

fn why_not(path: &Path, error: &fjall::Error) -> OpenError {
    if matches!(error, fjall::Error::Locked) {
        let path = path.to_path_buf();
        OpenError::Locked { path }
    } else if is_damage(error) {
        OpenError::damaged(path, error.to_string())
    } else if let fjall::Error::Io(io) | fjall::Error::Storage(LsmError::Io(io)) = error {
        OpenError::refused(path, io)
    } else {
        OpenError::device(path, error)
    }
}

/// Whether an error says that files are not as they were written, rather than that they cannot be used now.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine's list of errors is open: what is new in it is damage until known better"
)]
pub(super) fn is_damage(error: &fjall::Error) -> bool {
    match error {
        fjall::Error::Io(io) | fjall::Error::Storage(LsmError::Io(io)) => matches!(
            io.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::NotFound
        ),
        fjall::Error::Locked | fjall::Error::Poisoned | fjall::Error::KeyspaceDeleted => false,
        _ => true,
    }
}

/// Whether the disk has no room.
pub(super) fn is_full(error: &fjall::Error) -> bool {
    matches!(error, fjall::Error::Io(io) | fjall::Error::Storage(LsmError::Io(io))
        if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// What an error of the engine means to whoever asked.
pub(super) fn failed(error: &fjall::Error) -> StoreError {
    let text = if let fjall::Error::Io(io) | fjall::Error::Storage(LsmError::Io(io)) = error {
        io.to_string()
    } else if matches!(error, fjall::Error::Poisoned) {
        "it takes no writes since the disk refused one".into()
    } else {
        error.to_string()
    };
    StoreError::Device(text)
}
