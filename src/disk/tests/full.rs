//! On a full disk: new values are refused with the reason, all else goes on.

use std::fs;
use std::process::Command;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::record::Record;
use crate::store::model::put;
use crate::store::{Done, Op, Store, StoreError};

/// A small disk of its own, or none where this test may not mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(bytes: u64) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(dir.path())
            .output();
        let mounted = mount.is_ok_and(|done| done.status.success());
        if !mounted {
            eprintln!("SKIPPED: a small disk cannot be mounted here; run as root");
        }
        mounted.then_some(SmallDisk(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(done.is_ok_and(|done| done.success()));
    }
}

#[test]
fn on_a_full_disk_writes_are_refused_with_the_reason_and_reads_and_deletes_go_on() {
    let Some(disk) = SmallDisk::new(24 << 20) else {
        return;
    };
    let config = DiskConfig {
        reserve_bytes: 4 << 20,
        ..config(disk.0.path())
    };
    let mut store = DiskStore::open(config).unwrap();
    let (taken, refused) = fill(&mut store);
    assert!(
        matches!(refused, Done::Failed(StoreError::NoSpace { .. })),
        "{refused:?}"
    );
    assert!(taken.len() > 20);
    all_are_there(&mut store, &taken);
    let mut gone = taken[0].clone();
    let cell = gone.cells.value.as_mut().unwrap();
    cell.version.delete = true;
    cell.body = None;
    assert!(matches!(store.apply(Op::Merge(gone)), Done::Held(_)));
}

/// The engine itself runs out of space: what was acknowledged stays, and when there is space again, it goes on.
#[test]
fn a_disk_that_ran_out_of_space_is_used_again_once_there_is_some() {
    let Some(disk) = SmallDisk::new(16 << 20) else {
        return;
    };
    let store_dir = disk.0.path().join("store");
    let config = DiskConfig {
        reserve_bytes: 0,
        ..config(&store_dir)
    };
    let mut store = DiskStore::open(config).unwrap();
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![1; 8 << 20]).unwrap();
    let (taken, refused) = fill(&mut store);
    let reason = format!("{refused:?}");
    assert!(matches!(refused, Done::Failed(_)), "{reason}");
    all_are_there(&mut store, &taken);
    fs::remove_file(&ballast).unwrap();
    // The first write may still hear of the engine's own trouble; then it is opened anew.
    let more = put(1_000_000, 100_000);
    drop(store.apply(Op::Merge(more.clone())));
    store.failed_at = None;
    let again = store.apply(Op::Merge(more));
    assert!(matches!(again, Done::Held(_)), "{again:?} after {reason}");
    all_are_there(&mut store, &taken);
}

/// A value that no compression makes smaller.
fn noise(record: &mut Record, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let body = record.cells.value.as_mut().unwrap().body.as_mut().unwrap();
    let bytes: Vec<u8> = (0..body.len).map(|_| rng.random::<u8>()).collect();
    body.pieces = vec![bytes.into()];
}

/// Writes until it is refused: what was taken, and the refusal.
fn fill(store: &mut DiskStore) -> (Vec<Record>, Done) {
    let mut taken = Vec::new();
    loop {
        let mut record = put(taken.len() as u64, 200_000);
        noise(&mut record, taken.len() as u64);
        match store.apply(Op::Merge(record.clone())) {
            Done::Held(_) => taken.push(record),
            other => return (taken, other),
        }
    }
}

fn all_are_there(store: &mut DiskStore, records: &[Record]) {
    for record in records {
        let found = store.apply(Op::Get(record.key.clone()));
        assert_eq!(found, Done::Cells(Some(record.cells.clone())));
    }
}
