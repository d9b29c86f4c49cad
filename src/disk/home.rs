//! A data directory: whose it is, and what its host may have lost.
//!
//! ```text
//! DIR/lock              held by the process that uses it
//! DIR/host              format 2, host h3fa9…, cluster roundelay, incarnation 7, boot 6e3c…, fsync everysec, not closed
//! DIR/store/            the engine's files
//! DIR/set-aside-1/      a damaged store with its host file: kept, never read again
//! ```
//!
//! A host id names a store, so it lives beside it. What the directory says of the last life decides how the
//! host begins the next one:
//!
//! ```text
//! closed, or the machine kept running, or fsync always      Whole        nothing acknowledged is lost
//! the machine was started anew meanwhile                    MayHaveLost  what was not synced may be gone
//! damaged                                                   SetAside     a new id, and all is to be fetched
//! ```
//!
//! *Hold these true*: one process at a time; a host of one cluster is never started in another; an incarnation is on the disk before it is used, and never used
//! twice; a damaged directory is renamed, never deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::FORMAT;
use super::engine::{DiskConfig, DiskStore};
use super::mark::check;
use super::tables::OpenError;
use crate::placement::HostId;
use crate::store::SyncPolicy;

const LOCK: &str = "lock";
const HOST: &str = "host";
const STORE: &str = "store";
const DAMAGED: &str = "damaged";
const SET_ASIDE: &str = "set-aside-";
const NEW_HOST: &str = "host.new";

/// What may lie in a directory without a host. A disk of its own has `lost+found`.
const OURS: [&str; 6] = [LOCK, HOST, NEW_HOST, STORE, DAMAGED, "lost+found"];

/// What the directory says about the store in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Made now: there was none.
    New,
    /// All that was ever acknowledged is there.
    Whole,
    /// The machine was started anew since, and this was the policy: what was acknowledged last may be gone.
    MayHaveLost(SyncPolicy),
    /// What was there is damaged, and has been renamed; the host begins anew with an empty store.
    SetAside {
        /// Who the host was, if that could be read.
        was: Option<HostId>,
        /// What was found.
        why: String,
        /// Where it lies now.
        to: PathBuf,
    },
}

/// An open data directory. It stays locked until it is dropped.
pub struct Home {
    path: PathBuf,
    identity: Identity,
    standing: Standing,
    _lock: File,
}

/// What is written in the file `host`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    host: HostId,
    /// The cluster's name, escaped; none in a directory of before it was noted.
    cluster: Option<String>,
    incarnation: u64,
    boot: String,
    sync: SyncPolicy,
    closed: bool,
}

impl Home {
    /// Opens a data directory and the store in it; makes them if there are none. `config.path` is the
    /// directory; `cluster` the name of the host's cluster; `draw` gives the id of a new host.
    ///
    /// # Errors
    /// If another process has it, it holds something else or a host of another cluster, or the system refuses. What is damaged is no error:
    /// see [`Standing::SetAside`].
    pub fn open(
        config: &DiskConfig,
        cluster: &str,
        draw: &mut dyn FnMut() -> HostId,
    ) -> Result<(Home, DiskStore), OpenError> {
        let path = config.path.clone();
        fs::create_dir_all(&path).map_err(|error| OpenError::refused(&path, &error))?;
        // Before anything is written there.
        if is_foreign(&path).map_err(|error| OpenError::refused(&path, &error))? {
            return Err(OpenError::Foreign { path });
        }
        let lock = lock(&path)?;
        let cluster = cluster.escape_default().to_string();
        is_of(&path, &cluster)?;
        let store_config = DiskConfig {
            path: path.join(STORE),
            ..config.clone()
        };
        let (was, standing, store) = match look(&path, &store_config) {
            Ok((was, standing, store)) => (was, standing, store),
            Err(OpenError::Damaged { why, .. }) => {
                let was = read(&path).ok().flatten().map(|identity| identity.host);
                let to = set_aside(&path).map_err(|error| OpenError::refused(&path, &error))?;
                let store = DiskStore::open(store_config)?;
                (None, Standing::SetAside { was, why, to }, store)
            }
            Err(error) => return Err(error),
        };
        let identity = Identity {
            host: was.as_ref().map_or_else(draw, |was| was.host),
            cluster: Some(cluster),
            incarnation: was.map_or(0, |was| was.incarnation) + 1,
            boot: boot_id().unwrap_or_default(),
            sync: config.sync,
            closed: false,
        };
        write(&path, &identity).map_err(|error| OpenError::refused(&path, &error))?;
        let home = Home {
            path,
            identity,
            standing,
            _lock: lock,
        };
        Ok((home, store))
    }

    /// The host whose store this is.
    #[must_use]
    pub const fn host(&self) -> HostId {
        self.identity.host
    }

    /// How often the directory was opened, this time included.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.identity.incarnation
    }

    /// What the directory said when it was opened.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store begins a new life under a new id: the old one may have lost what it confirmed.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn rename(&mut self, host: HostId) -> std::io::Result<()> {
        self.identity.host = host;
        write(&self.path, &self.identity)
    }

    /// The store was found to be damaged while in use: it is set aside when it is next opened.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn note_damage(&self, why: &str) -> std::io::Result<()> {
        fs::write(self.path.join(DAMAGED), why)
    }

    /// Says that all is synced. The store must be closed: see [`Worker::end`](super::Worker::end).
    ///
    /// # Errors
    /// If the disk refuses: then the next life counts as one after a crash.
    pub fn close(mut self, store: DiskStore) -> std::io::Result<()> {
        let whole = store.broken.is_none() && store.damage().is_none();
        drop(store);
        self.identity.closed = whole;
        write(&self.path, &self.identity)
    }
}

/// Which boot of the machine this is; none if the system does not say.
pub(super) fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_string())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let name = path.join(LOCK);
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name);
    let file = open.map_err(|error| OpenError::refused(&name, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.to_path_buf(),
        }),
        Err(fs::TryLockError::Error(error)) => Err(OpenError::refused(&name, &error)),
    }
}

/// Whether its host, as far as that can be read, is of that cluster.
fn is_of(path: &Path, cluster: &str) -> Result<(), OpenError> {
    let identity = read(path).ok().flatten();
    match identity.and_then(|identity| identity.cluster) {
        Some(was) if was != cluster => Err(OpenError::OtherCluster {
            path: path.to_path_buf(),
            was,
            now: cluster.to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Reads who the host is and opens its store.
fn look(
    path: &Path,
    config: &DiskConfig,
) -> Result<(Option<Identity>, Standing, DiskStore), OpenError> {
    if let Ok(why) = fs::read_to_string(path.join(DAMAGED)) {
        return Err(OpenError::damaged(path, why));
    }
    let Some(identity) = read(path)? else {
        if config.path.exists() {
            return Err(OpenError::damaged(path, "nothing says whose store it is"));
        }
        return Ok((None, Standing::New, DiskStore::open(config.clone())?));
    };
    if !config.path.exists() {
        return Err(OpenError::damaged(path, "its store has gone"));
    }
    let store = DiskStore::open(config.clone())?;
    let same_boot = boot_id().is_some_and(|boot| boot == identity.boot);
    let whole = identity.closed || same_boot || identity.sync == SyncPolicy::Always;
    let standing = if whole {
        Standing::Whole
    } else {
        Standing::MayHaveLost(identity.sync)
    };
    Ok((Some(identity), standing, store))
}

/// Whether there is something of others, and no host of ours.
fn is_foreign(path: &Path) -> std::io::Result<bool> {
    let mut foreign = false;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        foreign |= !OURS.contains(&name.as_str()) && !name.starts_with(SET_ASIDE);
    }
    // Last: another process may be writing it.
    Ok(foreign && !path.join(HOST).exists() && !path.join(DAMAGED).exists())
}

/// Renames what is there. Nothing is deleted.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let place = (1u32..).map(|n| path.join(format!("{SET_ASIDE}{n}")));
    let to = place
        .into_iter()
        .find(|place| !place.exists())
        .unwrap_or_else(|| path.join(SET_ASIDE));
    fs::create_dir(&to)?;
    for name in [STORE, HOST, DAMAGED] {
        if path.join(name).exists() {
            fs::rename(path.join(name), to.join(name))?;
        }
    }
    File::open(path)?.sync_all()?;
    Ok(to)
}

fn read(path: &Path) -> Result<Option<Identity>, OpenError> {
    let name = path.join(HOST);
    let mut bytes = Vec::new();
    match File::open(&name) {
        Ok(mut file) => file
            .read_to_end(&mut bytes)
            .map_err(|error| OpenError::refused(&name, &error))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::refused(&name, &error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let damaged = || OpenError::damaged(path, format!("its file `{HOST}` cannot be read"));
    let (lines, sum) = text.rsplit_once("check ").ok_or_else(damaged)?;
    if check(lines) != sum.trim_end() {
        return Err(damaged());
    }
    let value = |name: &str| {
        let mut words = lines.lines().filter_map(|line| line.split_once(' '));
        words
            .find(|(word, _)| *word == name)
            .map(|(_, value)| value)
    };
    let found: u32 = value("format")
        .and_then(|format| format.parse().ok())
        .ok_or_else(damaged)?;
    if found > FORMAT {
        return Err(OpenError::Newer {
            path: path.to_path_buf(),
            found,
        });
    }
    let parse = || {
        Some(Identity {
            host: HostId(u64::from_str_radix(value("host")?.strip_prefix('h')?, 16).ok()?),
            cluster: value("cluster").map(str::to_owned),
            incarnation: value("incarnation")?.parse().ok()?,
            boot: value("boot")?.to_string(),
            sync: SyncPolicy::named(value("fsync")?)?,
            closed: value("closed")? == "yes",
        })
    };
    parse().map(Some).ok_or_else(damaged)
}

/// Written beside, synced, then renamed: a crash leaves the old file or the new one.
fn write(path: &Path, identity: &Identity) -> std::io::Result<()> {
    let closed = if identity.closed { "yes" } else { "no" };
    let cluster = identity.cluster.iter();
    let cluster: String = cluster.map(|name| format!("cluster {name}\n")).collect();
    let lines = format!(
        "roundelay data\nformat {FORMAT}\nhost {}\n{cluster}incarnation {}\nboot {}\nfsync {}\nclosed {closed}\n",
        identity.host,
        identity.incarnation,
        identity.boot,
        identity.sync.name(),
    );
    let text = format!("{lines}check {}\n", check(&lines));
    let new = path.join(NEW_HOST);
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path.join(HOST))?;
    File::open(path)?.sync_all()
}
