//! What is damaged is noticed and set aside, never taken for what was stored.

use std::fs;
use std::path::PathBuf;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::record::Record;
use crate::store::model::put;
use crate::store::{Done, Op, Setting, Store};

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
    let lines = lines.replace("format 2", "format 3");
    fs::write(&name, format!("{lines}check {}\n", mark::check(&lines))).unwrap();
    let newer = home(dir.path(), SyncPolicy::Always).err();
    assert!(
        matches!(newer, Some(OpenError::Newer { found: 3, .. })),
        "{newer:?}"
    );
}
