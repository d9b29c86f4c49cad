//! The store on disk: as every engine, over restarts, damaged, full, and behind its thread.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "in a test any other answer is a failure"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::*;
use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{Key, PIECE_BYTES, Record};
use crate::store::model::{self, Model, op, put, record, span};
use crate::store::{Done, Op, Page, Setting, Store, StoreError, SyncPolicy};

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

fn all() -> Page {
    Page {
        span: Span::whole(Id::MAX),
        after: None,
        max_records: usize::MAX,
        max_bytes: u64::MAX,
    }
}

/// Everything a store can be asked about what it holds.
fn contents(store: &mut dyn Store) -> Vec<Done> {
    let parts = Op::Digests {
        span: Span::whole(Id::from_u64(3)),
        parts: 16,
    };
    vec![
        store.apply(Op::Scan(all())),
        store.apply(Op::List(all())),
        store.apply(parts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn disk_answers_as_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let (_dir, mut store) = fresh();
        model::answers_as_the_model_does(&mut store, ops)?;
    }

    #[test]
    fn pages_put_together_are_the_span(
        records in prop::collection::vec(record(), 0..60), span in span(), max_records in 1usize..7,
    ) {
        let (_dir, mut store) = fresh();
        model::pages_put_together_are_the_span(&mut store, records, span, max_records)?;
    }

    /// A store that was closed and opened again, anywhere between two operations, is the same store; but for
    /// pieces that were put by.
    #[test]
    fn opened_again_it_is_the_same(ops in prop::collection::vec(op(), 1..60), more in prop::collection::vec(op(), 1..20)) {
        let (dir, mut store) = fresh();
        let mut model = Model::default();
        let stages = |op: &Op| matches!(op, Op::Stage { .. });
        for mut op in ops.into_iter().filter(|op| !stages(op)) {
            model.aim(&mut op);
            prop_assert_eq!(store.apply(op.clone()), model.apply(op));
        }
        let before = contents(&mut store);
        drop(store);
        let mut store = DiskStore::open(config(dir.path())).unwrap();
        prop_assert_eq!(contents(&mut store), before);
        prop_assert_eq!(store.usage(), model.usage());
        for op in more.into_iter().filter(|op| !stages(op)) {
            prop_assert_eq!(store.apply(op.clone()), model.apply(op));
        }
    }
}

#[test]
fn digests_of_many_records_are_those_of_the_model() {
    let (dir, mut store) = fresh();
    model::digests_of_many_records_are_those_of_the_model(&mut store);
    let before = contents(&mut store);
    assert!(
        store.runs.between(Id::ZERO, Id::MAX).count() > 3,
        "runs were split"
    );
    drop(store);
    let mut store = DiskStore::open(config(dir.path())).unwrap();
    assert_eq!(contents(&mut store), before);
}

#[test]
fn a_full_store_refuses_new_values_and_still_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let config = DiskConfig {
        limit_bytes: 100,
        ..config(dir.path())
    };
    let mut store = DiskStore::open(config).unwrap();
    model::a_full_store_refuses_new_values_and_still_deletes(&mut store);
}

#[test]
fn a_value_without_its_pieces_is_refused_and_with_them_it_is_stored() {
    let (_dir, mut store) = fresh();
    model::a_bare_value_needs_its_pieces(&mut store);
}

#[test]
fn pieces_put_by_are_gone_after_a_restart_and_leave_nothing() {
    let (dir, mut store) = fresh();
    let record = put(1, PIECE_BYTES);
    let stage = Op::Stage {
        key: record.key.clone(),
        version: record.cells.value.as_ref().unwrap().version,
        index: 0,
        bytes: vec![1; PIECE_BYTES].into(),
    };
    assert_eq!(store.apply(stage), Done::Staged);
    drop(store);
    let store = DiskStore::open(config(dir.path())).unwrap();
    assert!(store.tables().unwrap().pieces.is_empty().unwrap());
    assert!(store.tables().unwrap().staged.is_empty().unwrap());
}

#[test]
fn ten_times_the_cache_is_stored_and_read_back() {
    let (dir, mut store) = fresh();
    for n in 0..20 {
        assert!(matches!(
            store.apply(Op::Merge(put(n, PIECE_BYTES / 2))),
            Done::Held(_)
        ));
    }
    drop(store);
    let mut store = DiskStore::open(config(dir.path())).unwrap();
    for n in (0..20).rev() {
        let record = put(n, PIECE_BYTES / 2);
        let found = store.apply(Op::Get(record.key));
        assert_eq!(found, Done::Cells(Some(record.cells)));
    }
    let tables = store.tables().unwrap();
    assert!(tables.db.cache_size() <= tables.db.cache_capacity());
}

// ── directories ──

fn home(dir: &Path, sync: SyncPolicy) -> Result<(Home, DiskStore), OpenError> {
    let mut next = 0;
    let config = DiskConfig {
        sync,
        ..config(dir)
    };
    Home::open(&config, &mut || {
        next += 1;
        HostId(0x3fa9 + next)
    })
}

#[test]
fn a_directory_belongs_to_one_process_and_keeps_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let (first, store) = home(dir.path(), SyncPolicy::Always).unwrap();
    assert_eq!((first.standing(), first.incarnation()), (&Standing::New, 1));
    let locked = home(dir.path(), SyncPolicy::Always).err();
    assert!(
        matches!(locked, Some(OpenError::Locked { .. })),
        "{locked:?}"
    );
    let host = first.host();
    first.close(store).unwrap();
    let (again, _store) = home(dir.path(), SyncPolicy::Always).unwrap();
    assert_eq!(
        (again.standing(), again.incarnation()),
        (&Standing::Whole, 2)
    );
    assert_eq!(again.host(), host);
}

#[test]
fn somebody_elses_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let error = home(dir.path(), SyncPolicy::Always).err();
    assert!(
        matches!(error, Some(OpenError::Foreign { .. })),
        "{error:?}"
    );
}

/// As if the machine had been started anew since.
fn power_cut(dir: &Path) {
    let name = dir.join("host");
    let text = fs::read_to_string(&name).unwrap();
    let (lines, _) = text.rsplit_once("check ").unwrap();
    let boot = lines.lines().find(|line| line.starts_with("boot")).unwrap();
    let lines = lines.replace(boot, "boot another");
    fs::write(&name, format!("{lines}check {}\n", mark::check(&lines))).unwrap();
}

#[test]
fn a_killed_process_has_lost_nothing_and_a_power_cut_without_always_may_have() {
    for (sync, cut, standing) in [
        (SyncPolicy::EverySecond, false, Standing::Whole),
        (
            SyncPolicy::EverySecond,
            true,
            Standing::MayHaveLost(SyncPolicy::EverySecond),
        ),
        (
            SyncPolicy::Never,
            true,
            Standing::MayHaveLost(SyncPolicy::Never),
        ),
        (SyncPolicy::Always, true, Standing::Whole),
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(home(dir.path(), sync).unwrap());
        if cut {
            power_cut(dir.path());
        }
        let (home, _store) = home(dir.path(), SyncPolicy::Always).unwrap();
        assert_eq!(home.standing(), &standing, "{sync:?}, power cut: {cut}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (first, store) = home(dir.path(), SyncPolicy::Never).unwrap();
    first.close(store).unwrap();
    power_cut(dir.path());
    let (second, _store) = home(dir.path(), SyncPolicy::Never).unwrap();
    assert_eq!(second.standing(), &Standing::Whole, "it was closed before");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A copy of a directory.
fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let name = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        fs::copy(&file, &name).unwrap();
    }
}

fn length(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// A directory with records in tables and in the journal, as a killed process leaves it; and what is in it.
fn well_filled(dir: &Path) -> Vec<Record> {
    let (_home, mut store) = home(dir, SyncPolicy::Always).unwrap();
    let records: Vec<Record> = (0..300).map(|n| put(n, length(40 * (n % 100)))).collect();
    for (n, record) in records.iter().enumerate() {
        assert!(matches!(
            store.apply(Op::Merge(record.clone())),
            Done::Held(_)
        ));
        if n == 200 {
            store
                .tables()
                .unwrap()
                .heads
                .rotate_memtable_and_wait()
                .unwrap();
            store
                .tables()
                .unwrap()
                .pieces
                .rotate_memtable_and_wait()
                .unwrap();
        }
    }
    store.mark.put();
    drop(store);
    for file in files(dir) {
        // The journal is written ahead with zeros. Without them all is said, and quicker copied.
        let mut bytes = fs::read(&file).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        bytes.truncate(used);
        fs::write(&file, bytes).unwrap();
    }
    records
}

/// What becomes of a directory that was damaged: it is set aside, or says so when it is read, or all is there.
/// It never gives something else than was stored, nor forgets it silently.
fn never_lies(dir: &Path, records: &[Record], what: &str) -> &'static str {
    let (opened, mut store) = home(dir, SyncPolicy::Always).unwrap();
    if let Standing::SetAside { to, .. } = opened.standing() {
        assert!(to.join("store").exists(), "{what}: nothing is deleted");
        assert_eq!(store.usage().records, 0);
        assert_eq!(store.apply(Op::Set(Setting::Life, "1".into())), Done::Set);
        return "set aside";
    }
    for record in records {
        match store.apply(Op::Get(record.key.clone())) {
            Done::Cells(Some(cells)) => assert_eq!(cells, record.cells, "{what}"),
            Done::Failed(_) => {
                assert!(store.damage().is_some(), "{what}");
                opened.note_damage("noticed").unwrap();
                drop((opened, store));
                let (again, _store) = home(dir, SyncPolicy::Always).unwrap();
                assert!(
                    matches!(again.standing(), Standing::SetAside { .. }),
                    "{what}"
                );
                return "noticed";
            }
            other => panic!("{what}: {} gave {other:?}", record.key),
        }
    }
    "whole"
}

#[test]
fn flipped_bits_and_cut_files_are_noticed() {
    let original = quick_dir();
    let records = well_filled(original.path());
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut told = std::collections::BTreeMap::new();
    for n in 0..45 {
        let dir = quick_dir();
        copy(original.path(), dir.path());
        let all: Vec<PathBuf> = files(dir.path());
        let file = &all[rng.random_range(0..all.len())];
        let mut bytes = fs::read(file).unwrap();
        let at = rng.random_range(0..bytes.len());
        let what = match n % 3 {
            0 => {
                bytes[at] ^= 1 << rng.random_range(0..8u32);
                "a flipped bit"
            }
            1 => {
                bytes.truncate(at);
                "a cut"
            }
            _ => {
                let end = (at + 4096).min(bytes.len());
                bytes[at..end].fill(0);
                "a zeroed page"
            }
        };
        fs::write(file, bytes).unwrap();
        let what = format!("{n}: {what} at {at} of {}", file.display());
        *told
            .entry(never_lies(dir.path(), &records, &what))
            .or_insert(0) += 1;
    }
    assert!(told.contains_key("set aside"), "{told:?}");
}

#[test]
fn a_host_file_that_cannot_be_read_is_damage_and_a_later_format_is_not() {
    let dir = tempfile::tempdir().unwrap();
    drop(home(dir.path(), SyncPolicy::Always).unwrap());
    let name = dir.path().join("host");
    let text = fs::read_to_string(&name).unwrap();
    fs::write(&name, text.replace("host h3faa", "host h3fab")).unwrap();
    let (again, store) = home(dir.path(), SyncPolicy::Always).unwrap();
    assert!(matches!(
        again.standing(),
        Standing::SetAside { was: None, .. }
    ));
    again.close(store).unwrap();
    let text = fs::read_to_string(&name).unwrap();
    let (lines, _) = text.rsplit_once("check ").unwrap();
    let lines = lines.replace("format 1", "format 2");
    fs::write(&name, format!("{lines}check {}\n", mark::check(&lines))).unwrap();
    let newer = home(dir.path(), SyncPolicy::Always).err();
    assert!(
        matches!(newer, Some(OpenError::Newer { found: 2, .. })),
        "{newer:?}"
    );
}

// ── a full disk ──

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
    let mut taken = Vec::new();
    let refused = loop {
        let mut record = put(taken.len() as u64, 200_000);
        noise(&mut record, taken.len() as u64);
        match store.apply(Op::Merge(record.clone())) {
            Done::Held(_) => taken.push(record),
            other => break other,
        }
    };
    assert!(
        matches!(refused, Done::Failed(StoreError::NoSpace { .. })),
        "{refused:?}"
    );
    assert!(taken.len() > 20);
    for record in &taken {
        let found = store.apply(Op::Get(record.key.clone()));
        assert_eq!(found, Done::Cells(Some(record.cells.clone())));
    }
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
    let mut taken = Vec::new();
    let refused = loop {
        let mut record = put(taken.len() as u64, 200_000);
        noise(&mut record, taken.len() as u64);
        match store.apply(Op::Merge(record.clone())) {
            Done::Held(_) => taken.push(record),
            other => break other,
        }
    };
    let reason = format!("{refused:?}");
    assert!(matches!(refused, Done::Failed(_)), "{reason}");
    for record in &taken {
        let found = store.apply(Op::Get(record.key.clone()));
        assert_eq!(found, Done::Cells(Some(record.cells.clone())));
    }
    fs::remove_file(&ballast).unwrap();
    // The first write may still hear of the engine's own trouble; then it is opened anew.
    let more = put(1_000_000, 100_000);
    drop(store.apply(Op::Merge(more.clone())));
    store.failed_at = None;
    let again = store.apply(Op::Merge(more));
    assert!(matches!(again, Done::Held(_)), "{again:?} after {reason}");
    for record in &taken {
        let found = store.apply(Op::Get(record.key.clone()));
        assert_eq!(found, Done::Cells(Some(record.cells.clone())));
    }
}

/// A value that no compression makes smaller.
fn noise(record: &mut Record, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let body = record.cells.value.as_mut().unwrap().body.as_mut().unwrap();
    let bytes: Vec<u8> = (0..body.len).map(|_| rng.random::<u8>()).collect();
    body.pieces = vec![bytes.into()];
}

// ── behind its thread ──

#[test]
fn results_come_in_order_and_what_was_written_is_seen_by_what_comes_after() {
    for sync in [SyncPolicy::Always, SyncPolicy::EverySecond] {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(DiskConfig {
            sync,
            ..config(dir.path())
        });
        let (tell, told) = channel();
        let deliver = move |results: Vec<(Done, u64)>| tell.send(results).unwrap();
        let worker = Worker::start(store.unwrap(), WorkerConfig::default(), deliver).unwrap();
        for n in 0..300 {
            let record = put(n, if n % 7 == 0 { 5_000 } else { 10 });
            let key: Key = record.key.clone();
            worker.ask(Op::Merge(record), 2 * n).unwrap();
            worker.ask(Op::Get(key), 2 * n + 1).unwrap();
        }
        let store = worker.end().unwrap();
        assert_eq!(store.usage().records, 300);
        let groups: Vec<Vec<(Done, u64)>> = told.iter().collect();
        assert!(groups.len() < 600, "what waited was done in groups");
        let results: Vec<(Done, u64)> = groups.into_iter().flatten().collect();
        assert_eq!(results.len(), 600);
        for (n, (done, tag)) in (0..).zip(results) {
            assert_eq!(tag, n);
            match done {
                Done::Held(held) => assert_eq!(held, put(n / 2, 10).cells.summary()),
                Done::Cells(Some(cells)) => assert!(cells.is_whole()),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn too_much_that_waits_is_refused_but_settings_are_not() {
    let (_dir, store) = fresh();
    let (go, wait) = channel::<()>();
    let config = WorkerConfig {
        max_waiting: 3,
        ..WorkerConfig::default()
    };
    // The first delivery holds the thread up until it is told to go on.
    let deliver = move |_: Vec<(Done, u8)>| wait.iter().next().unwrap_or_default();
    let worker = Worker::start(store, config, deliver).unwrap();
    let mut refused = 0;
    for n in 0..20 {
        if let Err((error, 7)) = worker.ask(Op::Merge(put(n, 10)), 7) {
            assert!(matches!(error, StoreError::Busy { .. }), "{error}");
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused} of 20 were refused");
    assert!(worker.ask(Op::Set(Setting::Life, "7".into()), 8).is_ok());
    drop(go);
    let store = worker.end().unwrap();
    assert_eq!(store.setting(Setting::Life).unwrap(), "7");
}

/// Writes and says so, until it is killed; what it said is there.
#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    const CHILD: &str = "ROUNDELAY_TEST_WRITE_TO";
    if let Ok(dir) = std::env::var(CHILD) {
        let (_home, mut store) = home(Path::new(&dir), SyncPolicy::EverySecond).unwrap();
        for n in store.usage().records.. {
            let done = store.apply(Op::Merge(put(n, length(n % 50 * 200))));
            assert!(matches!(done, Done::Held(_)));
            println!("\nstored {n}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut said = 0;
    for _ in 0..3 {
        use std::io::{BufRead, BufReader};
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("disk::tests::a_killed_writer_loses_nothing_it_acknowledged")
            .env(CHILD, dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stored = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("stored ")
                .and_then(|n| n.parse::<u64>().ok())
        });
        said = stored.take(400).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let (home, mut store) = home(dir.path(), SyncPolicy::EverySecond).unwrap();
        assert_eq!(home.standing(), &Standing::Whole);
        for n in 0..=said {
            let record = put(n, length(n % 50 * 200));
            let found = store.apply(Op::Get(record.key));
            assert_eq!(found, Done::Cells(Some(record.cells)), "{n} of {said}");
        }
    }
    assert!(said >= 1100, "three times 400 were written: {said}");
}
