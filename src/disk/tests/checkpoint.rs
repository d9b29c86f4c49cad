//! Digests between two checkpoints, in a store that is killed between any two groups, or in the middle of one.

use std::fs;
use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::disk::checkpoint::{NOTE_BYTES, NOTES, note_name};
use crate::keyspace::{Id, Span};
use crate::store::model::{op, put};
use crate::store::{Done, Op, Store};

/// A journal is written ahead with zeros: where so many follow, nothing else does.
const ZEROS: usize = 256 * 1024;

/// What a killed process leaves: the files as the operating system has them now, but for the zeros at the end.
fn left_behind(dir: &Path) -> TempDir {
    let copy = quick_dir();
    copy_files(dir, copy.path());
    copy
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&name).unwrap();
            copy_files(&path, &name);
        } else {
            // The engine removes what it has merged at any time.
            if let Ok(file) = fs::File::open(&path) {
                fs::write(name, used_part(file)).unwrap();
            }
        }
    }
}

fn used_part(mut file: fs::File) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        let part = Read::by_ref(&mut file).take(ZEROS as u64);
        part.take(ZEROS as u64).read_to_end(&mut bytes).unwrap();
        if bytes[before..].iter().all(|byte| *byte == 0) {
            bytes.truncate(before);
            return bytes;
        }
    }
}

/// Each run is the sum of its records, counted again.
pub(super) fn digests_are_those_of_the_records(store: &DiskStore) {
    let tables = store.tables().unwrap();
    let mut records = 0;
    for (first, last, run) in store.runs.between(Id::ZERO, Id::MAX) {
        let counted = tables.sum(first, last);
        assert_eq!(counted.ok(), Some(run), "the run from {first} to {last}");
        assert!(first == Id::ZERO || run.digest.records > 0);
        records += run.digest.records;
    }
    assert_eq!(store.usage().records, records);
}

fn runs_of(store: &DiskStore) -> Vec<(Id, Id, runs::Run)> {
    store.runs.between(Id::ZERO, Id::MAX).collect()
}

/// With a checkpoint after so many notes.
fn open(dir: &Path, most_notes: u64) -> DiskStore {
    let mut store = DiskStore::open(config(dir)).unwrap();
    store.most_notes = most_notes;
    store
}

/// Opens what is left and looks whether it is all of it.
fn is_left_whole(dir: &Path, store: &DiskStore) {
    let left = left_behind(dir);
    let again = open(left.path(), 1);
    digests_are_those_of_the_records(&again);
    assert_eq!(again.commits, store.commits);
    assert_eq!(again.usage(), store.usage());
    assert_eq!(again.settings, store.settings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn killed_between_two_groups_it_has_the_digests_of_its_records(
        ops in prop::collection::vec((op(), any::<bool>()), 1..40), most_notes in 0u64..5,
    ) {
        let dir = quick_dir();
        let mut store = open(dir.path(), most_notes);
        for (op, ends) in ops {
            if store.must_commit_before(&op) {
                store.commit().unwrap();
                is_left_whole(dir.path(), &store);
            }
            store.enter(op);
            if ends {
                store.commit().unwrap();
                is_left_whole(dir.path(), &store);
            }
        }
    }

    /// A journal that ends anywhere: the group it ends in is gone, and so is its note.
    #[test]
    fn killed_within_a_group_it_has_the_digests_of_its_records(
        ops in prop::collection::vec(op(), 1..30), most_notes in 0u64..5, cuts in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let dir = quick_dir();
        let mut store = open(dir.path(), most_notes);
        let groups = store.commits;
        for op in ops {
            store.apply(op);
        }
        let all = groups..=store.commits;
        for cut in cuts {
            let left = left_behind(dir.path());
            fs::remove_file(left.path().join("mark")).unwrap();
            let files = fs::read_dir(left.path()).unwrap().map(|entry| entry.unwrap().path());
            let journal = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "jnl")).unwrap();
            let bytes = fs::read(&journal).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            fs::write(&journal, &bytes[..cut.index(used + 1)]).unwrap();
            let mut again = DiskStore::open(config(left.path())).unwrap();
            prop_assert!(all.contains(&again.commits));
            digests_are_those_of_the_records(&again);
            again.apply(Op::Merge(put(1, 10)));
            digests_are_those_of_the_records(&again);
        }
    }
}

#[test]
fn runs_that_are_split_and_go_are_noted_and_written() {
    let dir = quick_dir();
    let mut store = open(dir.path(), 7);
    for n in 0..1_500 {
        store.enter(Op::Merge(put(n, 10)));
        if n % 20 == 19 {
            store.commit().unwrap();
        }
        if n % 300 == 299 {
            is_left_whole(dir.path(), &store);
        }
    }
    assert!(runs_of(&store).len() > 2, "runs were split");
    is_left_whole(dir.path(), &store);
    let half = Span {
        from: Id::from_top(1 << 62),
        to: Id::from_top(3 << 62),
    };
    store.apply(Op::Discard(vec![half]));
    is_left_whole(dir.path(), &store);
    let before = runs_of(&store);
    drop(store);
    let mut store = open(dir.path(), 7);
    assert_eq!(runs_of(&store), before);
    store.apply(Op::Discard(vec![Span::whole(Id::MAX)]));
    is_left_whole(dir.path(), &store);
    assert_eq!((store.usage().records, runs_of(&store).len()), (0, 1));
}

/// Between two checkpoints a put writes no run, and no more notes are kept than follow a checkpoint.
#[test]
fn runs_are_written_by_checkpoints_only() {
    let dir = quick_dir();
    let mut store = open(dir.path(), 3);
    let written = |store: &DiskStore| {
        let tables = store.tables().unwrap();
        let (runs, notes) = (tables.runs.iter().count(), tables.notes.iter().count());
        (runs, notes, store.checkpoint)
    };
    let mut seen = Vec::new();
    for n in 0..9 {
        store.apply(Op::Merge(put(n, 10)));
        seen.push(written(&store));
    }
    let all = [
        (0, 1, 0),
        (0, 2, 0),
        (0, 3, 0),
        (1, 3, 4),
        (1, 4, 4),
        (1, 5, 4),
        (1, 6, 4),
        (1, 6, 8),
        (1, 7, 8),
    ];
    assert_eq!(seen, all);
    store.most_notes = NOTES.into();
    for n in 0..2 * u64::from(NOTES) {
        store.enter(Op::Merge(put(n % 10, 10)));
        store.enter(Op::Set(crate::store::Setting::Life, n.to_string().into()));
        store.commit().unwrap();
    }
    let (_, notes, checkpoint) = written(&store);
    assert!(notes <= usize::from(NOTES));
    assert!(store.commits - checkpoint <= u64::from(NOTES));
    assert!(store.note_bytes < NOTE_BYTES);
    (store.most_notes, store.note_bytes) = (u64::MAX, NOTE_BYTES);
    store.apply(Op::Merge(put(100, 10)));
    assert_eq!((store.checkpoint, store.note_bytes), (store.commits, 0));
    is_left_whole(dir.path(), &store);
}

/// Before there were notes each group was a checkpoint.
#[test]
fn a_store_of_before_there_were_notes_is_opened() {
    let dir = quick_dir();
    let mut store = open(dir.path(), 0);
    for n in 0..30 {
        store.apply(Op::Merge(put(n, 10)));
    }
    assert!(store.tables().unwrap().notes.is_empty().unwrap());
    let before = (runs_of(&store), store.commits);
    drop(store);
    let mut store = open(dir.path(), 5);
    assert_eq!((runs_of(&store), store.commits), before);
    for n in 20..40 {
        assert!(matches!(store.apply(Op::Merge(put(n, 10))), Done::Held(_)));
        is_left_whole(dir.path(), &store);
    }
}

#[test]
fn a_note_that_is_missing_is_damage() {
    let dir = quick_dir();
    let mut store = open(dir.path(), 100);
    for n in 0..9 {
        store.apply(Op::Merge(put(n, 10)));
    }
    let notes = store.tables().unwrap().notes.clone();
    notes.remove(note_name(4)).unwrap();
    drop((notes, store));
    let error = DiskStore::open(config(dir.path())).err();
    assert!(
        matches!(error, Some(OpenError::Damaged { .. })),
        "{error:?}"
    );
}
