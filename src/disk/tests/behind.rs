//! Behind its thread, and in a process that is killed.

use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::checkpoint::digests_are_those_of_the_records;
use super::*;
use crate::keyspace::{Id, Span};
use crate::record::{Key, Record};
use crate::store::model::{Model, op, put};
use crate::store::{Done, Op, Page, Setting, Store, StoreError};

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
fn a_page_shows_what_was_there_when_it_was_asked_for_and_nobody_waits_for_it() {
    let (_dir, store) = fresh();
    let (tell, told) = channel();
    let (go, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let deliver = move |results: Vec<(Done, u8)>| {
        if matches!(results.first(), Some((Done::Page(..), _))) {
            wait.lock().unwrap().recv().unwrap();
        }
        tell.send(results).unwrap();
    };
    let worker = Worker::start(store, WorkerConfig::default(), deliver).unwrap();
    let span = Span::whole(Id::ZERO);
    let all = Page {
        span,
        after: None,
        max_records: 100,
        max_bytes: 1 << 20,
    };
    let mut asked = (0..3).map(|n| Op::Merge(put(n, 5_000))).collect::<Vec<_>>();
    asked.extend([Op::Scan(all), Op::Discard(vec![span])]);
    asked.push(Op::Merge(put(7, 5_000)));
    for (op, tag) in asked.into_iter().zip(0..) {
        worker.ask(op, tag).unwrap();
    }
    let mut tags = Vec::new();
    while tags.len() < 5 {
        tags.extend(told.recv().unwrap().into_iter().map(|(_, tag)| tag));
    }
    assert_eq!(tags, [0, 1, 2, 4, 5], "all but the page");
    go.send(()).unwrap();
    let Some((Done::Page(records, false), 3)) = told.recv().unwrap().pop() else {
        panic!("it is the page");
    };
    let mut there: Vec<Record> = (0..3).map(|n| put(n, 5_000)).collect();
    there.sort_by_key(|record| record.key.id());
    assert_eq!(records, there, "what was dropped since is in it, and whole");
    assert_eq!(worker.end().unwrap().usage().records, 1);
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
    let wait = Arc::new(Mutex::new(wait));
    let deliver = move |_: Vec<(Done, u8)>| wait.lock().unwrap().iter().next().unwrap_or_default();
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Writes that need not look up what they find, since it is known on the other side of the thread.
    #[test]
    fn what_is_known_of_a_write_is_not_looked_up(
        ops in prop::collection::vec((op(), any::<bool>()), 1..120),
    ) {
        let (_dir, mut store) = fresh();
        let (mut model, mut recent) = (Model::default(), Recent::new(1 << 20));
        let mut group = Vec::new();
        for (mut op, ends) in ops {
            model.aim(&mut op);
            let expected = model.apply(op.clone());
            if let Some(done) = recent.answer(&op) {
                prop_assert_eq!(done, expected);
                continue;
            }
            let known = recent.known(&op);
            let passing = recent.asked(&op);
            if store.must_commit_before(&op) {
                store.commit().unwrap();
            }
            let done = store.enter_knowing(op, known);
            prop_assert_eq!(&done, &expected);
            group.push((passing, done));
            if ends {
                store.commit().unwrap();
                for (passing, done) in group.drain(..) {
                    recent.told(passing, &done);
                }
            }
        }
        store.commit().unwrap();
        digests_are_those_of_the_records(&store);
        prop_assert_eq!(store.usage(), model.usage());
    }
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
            .arg("disk::tests::behind::a_killed_writer_loses_nothing_it_acknowledged")
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
