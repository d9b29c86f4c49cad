//! What is known on the host's side is what the thread would say, and find.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::placement::HostId;
use crate::record::{Body, Stamp, ValueCell, Version};
use crate::store::{MemoryStore, Store, StoreError, model};

/// A store behind a thread that has not come to the last operations yet.
struct Behind {
    recent: Recent,
    /// As it will be when all is done.
    store: MemoryStore,
    under_way: VecDeque<(Passing, Done)>,
    answered: usize,
    known: usize,
}

impl Behind {
    fn new(most_bytes: u64) -> Behind {
        Behind {
            recent: Recent::new(most_bytes),
            store: MemoryStore::new(),
            under_way: VecDeque::new(),
            answered: 0,
            known: 0,
        }
    }

    fn ask(&mut self, op: Op) {
        if let Some(done) = self.recent.answer(&op) {
            self.answered += 1;
            assert_eq!(
                done,
                self.store.apply(op),
                "it is what the thread would say"
            );
            return;
        }
        if let Some(known) = self.recent.known(&op) {
            self.known += 1;
            assert_eq!(known, self.found(&op), "it is what the thread would find");
        }
        let passing = self.recent.asked(&op);
        let done = self.store.apply(op);
        self.under_way.push_back((passing, done));
    }

    /// What the thread would find under the key of a write.
    fn found(&mut self, op: &Op) -> Known {
        let (Op::Merge(record) | Op::Guarded(record, _)) = op else {
            panic!("not a write: {op:?}");
        };
        let Done::Cells(cells) = self.store.apply(Op::Get(record.key.clone())) else {
            panic!("it is in memory");
        };
        let cells = cells.unwrap_or_default();
        let body = cells.value.as_ref().and_then(|cell| cell.body.as_ref());
        Known {
            summary: cells.summary(),
            value_bytes: body.map_or(0, |body| body.len),
        }
    }

    fn tell(&mut self, most: usize) {
        for _ in 0..most {
            let Some((passing, done)) = self.under_way.pop_front() else {
                break;
            };
            self.recent.told(passing, &done);
            assert!(self.recent.bytes <= self.recent.most_bytes);
        }
    }
}

proptest! {
    #[test]
    fn what_is_answered_here_is_what_the_thread_would_say(
        steps in prop::collection::vec((model::op(), 0usize..3), 0..80),
        most_bytes in prop_oneof![Just(300u64), Just(1 << 20)],
    ) {
        let mut behind = Behind::new(most_bytes);
        for (op, told) in steps {
            behind.ask(op);
            behind.tell(told);
        }
        behind.tell(usize::MAX);
        let idle = behind.recent.sets.iter().all(|set| set.writes == 0);
        prop_assert!(idle && behind.recent.wide == 0);
    }
}

fn record(key: &str, stamp: u64, value: &'static [u8]) -> Record {
    let version = Version {
        stamp: Stamp(stamp),
        delete: false,
        host: HostId(1),
        start: 1,
    };
    let body = Some(Body::new(value));
    let value = Some(ValueCell { version, body });
    let key = Key::new(key.to_owned()).unwrap();
    let expiry = None;
    Record {
        key,
        cells: Cells { value, expiry },
    }
}

#[test]
fn a_read_is_answered_here_once_what_it_reads_has_passed_by() {
    let mut behind = Behind::new(1 << 20);
    let get = |key: &str| Op::Get(Key::new(key.to_owned()).unwrap());
    behind.ask(Op::Merge(record("cat", 7, b"meow")));
    behind.ask(get("cat"));
    assert_eq!(behind.answered, 0, "the write is under way");
    behind.tell(usize::MAX);
    behind.ask(get("cat"));
    behind.ask(get("dog"));
    assert_eq!(behind.answered, 1, "nobody has asked for a dog yet");
    behind.tell(usize::MAX);
    behind.ask(get("dog"));
    assert_eq!(behind.answered, 2, "there is none");
    behind.ask(Op::Shelve(Vec::new()));
    behind.tell(usize::MAX);
    behind.ask(get("cat"));
    assert_eq!(behind.answered, 2, "anything may have changed");
}

#[test]
fn what_a_write_will_find_is_known_once_the_last_one_is_told() {
    let mut behind = Behind::new(1 << 20);
    behind.ask(Op::Merge(record("cat", 7, b"meow")));
    behind.ask(Op::Merge(record("cat", 8, b"purr")));
    assert_eq!(behind.known, 0, "the other write is under way");
    behind.tell(usize::MAX);
    let again = Op::Merge(record("cat", 9, b"hiss"));
    let known = behind.recent.known(&again).unwrap();
    assert_eq!(known.summary, record("cat", 8, b"purr").cells.summary());
    assert_eq!(known.value_bytes, 4);
    behind.ask(again);
    behind.ask(Op::Get(Key::new("dog").unwrap()));
    behind.tell(usize::MAX);
    behind.ask(Op::Merge(record("dog", 9, b"woof")));
    assert_eq!(behind.known, 2, "that there is none is known, too");
    let large: &[u8] = &[7; 3 * 1024];
    behind.ask(Op::Merge(record("cow", 7, large)));
    behind.tell(usize::MAX);
    behind.ask(Op::Merge(record("cow", 8, b"moo")));
    assert_eq!(behind.known, 2, "its pieces lie apart");
}

#[test]
fn after_a_write_that_failed_nothing_is_known() {
    let mut behind = Behind::new(1 << 20);
    behind.ask(Op::Merge(record("cat", 7, b"meow")));
    behind.tell(usize::MAX);
    let dog = Op::Merge(record("dog", 8, b"woof"));
    let passing = behind.recent.asked(&dog);
    let failed = Done::Failed(StoreError::Device("it is wet".into()));
    behind.recent.told(passing, &failed);
    let cat = Op::Get(Key::new("cat").unwrap());
    assert_eq!(behind.recent.answer(&cat), None);
    assert_eq!(behind.recent.bytes, 0);
}

#[test]
fn large_values_are_not_kept() {
    let mut behind = Behind::new(1 << 20);
    let value: &[u8] = &[7; 4 * 1024 + 1];
    behind.ask(Op::Merge(record("cat", 7, value)));
    behind.tell(usize::MAX);
    behind.ask(Op::Get(Key::new("cat").unwrap()));
    behind.tell(usize::MAX);
    behind.ask(Op::Get(Key::new("cat").unwrap()));
    assert_eq!((behind.answered, behind.recent.bytes), (0, 0));
}
