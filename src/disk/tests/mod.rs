//! The store on disk: as every engine, over restarts, damaged, full, and behind its thread.
//!
//! | room | what is asked |
//! |---|---|
//! | `engine` | does it answer as the model of all stores does, opened again, too? |
//! | `checkpoint` | are digests those of the records, wherever it was killed? |
//! | `directory` | whose is a directory, and may the last life have lost something? |
//! | `damage` | are flipped bits and cut files noticed? |
//! | `full` | what if the disk is full? |
//! | `behind` | do results come in order from the thread, and is what was acknowledged there? |

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "in a test any other answer is a failure"
)]

mod behind;
mod checkpoint;
mod damage;
mod directory;
mod engine;
mod full;

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::placement::HostId;
use crate::store::SyncPolicy;

fn config(path: &Path) -> DiskConfig {
    DiskConfig {
        sync: SyncPolicy::Never,
        cache_bytes: 1024 * 1024,
        ..DiskConfig::new(path)
    }
}

/// In memory where there is such a place: what is tested there is not whether it is synced.
fn quick_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn fresh() -> (TempDir, DiskStore) {
    let dir = quick_dir();
    let store = DiskStore::open(config(dir.path())).unwrap();
    (dir, store)
}

fn home(dir: &Path, sync: SyncPolicy) -> Result<(Home, DiskStore), OpenError> {
    home_of("roundelay", dir, sync)
}

fn home_of(cluster: &str, dir: &Path, sync: SyncPolicy) -> Result<(Home, DiskStore), OpenError> {
    let mut next = 0;
    let config = DiskConfig {
        sync,
        ..config(dir)
    };
    Home::open(&config, cluster, &mut || {
        next += 1;
        HostId(0x3fa9 + next)
    })
}

fn length(n: u64) -> usize {
    usize::try_from(n).unwrap()
}
