//! A host alone in its ring: the rules of any other request, without a message.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::keep::config::KeepConfig;
use crate::keep::wanted::Wanted;
use crate::keyspace::{Id, Span};
use crate::message::{
    Envelope, Expiry, Failure, Item, KeepMessage, Message, Options, Outcome, Ticket,
};
use crate::placement::Member;
use crate::record::{Body, Cells, Mark, Now, Stamp, ValueCell, Version, WallMs};
use crate::roster::{RingId, Roster};
use crate::store::{MemoryStore, Setting, Store, StoreError};

const ME: HostId = HostId(1);

fn roster(version: u64, hosts: u64) -> Arc<Roster> {
    let member = |host: u64| (HostId(host), Member::new([Id::from_u64(host)]));
    let members: BTreeMap<_, _> = (1..=hosts).map(member).collect();
    let mut roster = Roster::settled(RingId(1), members, 3).unwrap();
    roster.version = RosterVersion(version);
    Arc::new(roster)
}

/// A host alone in its ring, with a store in memory.
struct Alone {
    keeper: Keeper,
    store: MemoryStore,
    wanted: Wanted,
    now: Now,
}

impl Alone {
    fn new() -> Alone {
        let mut keeper = Keeper::new(ME, KeepConfig::default(), 1, &|_| None);
        keeper.start = keeper.starting;
        keeper.clock.reserve(Stamp(u64::MAX / 2));
        let roster = roster(1, 1);
        keeper.mover.at = roster.version;
        keeper.roster = Some(roster);
        Alone {
            keeper,
            store: MemoryStore::new(),
            wanted: Wanted::default(),
            now: Now {
                at: Time::ZERO,
                wall: WallMs(1_000),
            },
        }
    }

    fn call(&mut self, what: impl FnOnce(&mut Keeper, &mut Context<'_>)) {
        let (now, fx) = (self.now, &mut self.wanted);
        what(&mut self.keeper, &mut Context { now, fx });
        assert_eq!(self.keeper.check_all(), Ok(()));
    }

    fn ask(&mut self, op: KeyOp) {
        let (caller, key) = (Caller::One(Ticket(1)), Key::new("cat").unwrap());
        let options = Options::default();
        self.call(|keeper, cx| keeper.begin(cx, caller, (key, op), options, None));
    }

    /// The first operation that waits is done; which it was.
    fn work(&mut self) -> Op {
        let (op, then) = self.wanted.stores.remove(0);
        let done = self.store.apply(op.clone());
        self.call(|keeper, cx| keeper.stored(cx, done, then));
        op
    }

    fn work_all(&mut self) {
        while !self.wanted.stores.is_empty() {
            self.work();
        }
    }

    /// The only answer so far; nothing is left of its request.
    fn answer(&mut self) -> Reply {
        assert_eq!(self.keeper.requests(), 0, "a request is still open");
        assert_eq!(self.wanted.answers.len(), 1);
        self.wanted.answers.remove(0)
    }
}

fn put() -> KeyOp {
    KeyOp::Put(Body::new("meow"), None)
}

/// It asks before it stamps.
fn put_for_a_while() -> KeyOp {
    let hour = Expiry::In(Duration::from_secs(3_600));
    KeyOp::Put(Body::new("meow"), Some(hour))
}

fn written(op: &Op) -> Version {
    let (Op::Merge(record) | Op::Guarded(record, _)) = op else {
        panic!("{op:?} writes nothing");
    };
    record.cells.summary().value.unwrap()
}

#[test]
fn a_host_alone_asks_its_store_and_nobody_else() {
    let mut host = Alone::new();
    host.ask(put());
    let earlier = written(&host.work());
    assert_eq!(host.answer(), Ok(Outcome::Stored(earlier)));
    host.ask(put_for_a_while());
    assert!(matches!(host.work(), Op::Versions(_)), "first it asks");
    let version = written(&host.work());
    assert!(version > earlier);
    assert_eq!(host.answer(), Ok(Outcome::Stored(version)));
    host.ask(KeyOp::Get);
    host.work_all();
    let Ok(Outcome::Value(Some(found))) = host.answer() else {
        panic!("the value is there")
    };
    assert_eq!((found.version, found.body), (version, Body::new("meow")));
    host.ask(KeyOp::Delete);
    host.work_all();
    assert!(matches!(host.answer(), Ok(Outcome::Deleted(later, true)) if later > version));
    host.ask(KeyOp::Open);
    host.work_all();
    assert_eq!(host.answer(), Ok(Outcome::Value(None)));
    assert!(host.wanted.sends.is_empty());
}

/// The store holds something that this host knows nothing of.
fn hold(host: &mut Alone, stamp: Stamp) {
    let version = Version {
        stamp,
        delete: false,
        host: HostId(7),
        start: 1,
    };
    let body = Some(Body::new("from elsewhere"));
    let cells = Cells {
        value: Some(ValueCell { version, body }),
        expiry: None,
    };
    let key = Key::new("cat").unwrap();
    let merged = host.store.apply(Op::Merge(Record { key, cells }));
    assert!(matches!(merged, Done::Held(_)));
}

#[test]
fn a_stamp_that_is_not_the_greatest_is_refused_and_only_then_is_another_drawn() {
    let mut host = Alone::new();
    let theirs = Stamp(1 << 40);
    hold(&mut host, theirs);
    host.ask(put());
    let first = written(&host.work());
    assert!(first.stamp < theirs);
    let second = written(&host.wanted.stores[0].0);
    assert!(second.stamp > theirs);
    host.work();
    assert_eq!(host.answer(), Ok(Outcome::Stored(second)));
    host.ask(KeyOp::Get);
    host.work_all();
    let Ok(Outcome::Value(Some(found))) = host.answer() else {
        panic!("the value is there")
    };
    assert_eq!((found.version, found.body), (second, Body::new("meow")));
}

#[test]
fn a_new_roster_waits_for_the_store_to_say_whether_the_stamp_counts() {
    for refused in [false, true] {
        let mut host = Alone::new();
        if refused {
            hold(&mut host, Stamp(1 << 40));
        }
        host.ask(put());
        let stamped = written(&host.wanted.stores[0].0);
        host.call(|keeper, cx| keeper.enter(cx, roster(2, 3)));
        let adopted = host.wanted.stores.remove(1);
        host.call(|keeper, cx| keeper.stored(cx, Done::Set, adopted.1));
        assert!(host.wanted.sends.is_empty(), "it is not known yet");
        host.work();
        let sent = |envelope: &Envelope| match &envelope.body {
            Message::Keep(KeepMessage::Write { record, .. }) => Some(record.cells.summary().value),
            Message::Keep(KeepMessage::Ask { .. }) => Some(None),
            other @ (Message::Find { .. } | Message::Keep(_) | Message::Detect(_)) => {
                panic!("{other:?}")
            }
        };
        let sent: Vec<_> = host.wanted.sends.iter().filter_map(sent).collect();
        let wanted = if refused {
            vec![None] // A quorum is asked first: this host and one more.
        } else {
            vec![Some(stamped); 2]
        };
        assert_eq!(sent, wanted, "that stamp, or a question before another");
        assert!(host.wanted.answers.is_empty());
    }
}

#[test]
fn a_stamp_lies_above_the_fence_and_what_lies_at_the_floor_is_gone() {
    let mut host = Alone::new();
    let whole = Span::whole(Id::MAX);
    let fence = Stamp(1 << 40);
    host.keeper.marks.raise(whole, Mark::fence(fence)).unwrap();
    host.ask(KeyOp::Delete);
    host.work();
    assert!(written(&host.work()).stamp > fence);
    host.answer().unwrap();
    let floor = Stamp(1 << 41);
    host.keeper.marks.raise(whole, Mark::floor(floor)).unwrap();
    host.ask(KeyOp::Get);
    host.work_all();
    assert_eq!(host.answer(), Ok(Outcome::Value(None)));
}

#[test]
fn a_new_roster_finds_the_stamp_that_was_drawn() {
    let mut host = Alone::new();
    host.ask(put_for_a_while());
    host.work();
    let version = written(&host.wanted.stores[0].0);
    host.call(|keeper, cx| keeper.enter(cx, roster(2, 3)));
    // The roster is on the disk before the write is.
    let adopted = host.wanted.stores.remove(1);
    assert!(matches!(adopted.0, Op::Set(Setting::Roster, _)));
    host.call(|keeper, cx| keeper.stored(cx, Done::Set, adopted.1));
    let writes = |envelope: &Envelope| {
        let Message::Keep(KeepMessage::Write { at, record, .. }) = &envelope.body else {
            return None;
        };
        Some((*at, record.cells.summary().value))
    };
    let sent: Vec<_> = host.wanted.sends.iter().filter_map(writes).collect();
    assert_eq!(sent, [(RosterVersion(2), Some(version)); 2]);
    host.work();
    assert!(
        host.wanted.answers.is_empty(),
        "what the old roster's store says does not count any more"
    );
}

#[test]
fn a_store_that_refuses_says_why_and_that_nothing_is_stored() {
    let mut host = Alone::new();
    host.ask(put_for_a_while());
    host.work();
    let (_, then) = host.wanted.stores.remove(0);
    let (used, limit) = (9, 10);
    let full = Done::Failed(StoreError::Full { used, limit });
    host.call(|keeper, cx| keeper.stored(cx, full, then));
    let Err(Failure::Limit(why)) = host.answer() else {
        panic!("nothing was stored")
    };
    assert!(why.starts_with("h1: the store is full"), "{why}");
}

#[test]
fn a_store_that_is_silent_ends_a_request_by_its_deadline() {
    let deadline = KeepConfig::default().deadline;
    for (op, works) in [(put_for_a_while(), 0), (put_for_a_while(), 1), (put(), 0)] {
        let mut host = Alone::new();
        host.ask(op.clone());
        (0..works).for_each(|_| drop(host.work()));
        let stamped = works == 1 || op == put();
        let version = stamped.then(|| written(&host.wanted.stores[0].0));
        host.now.at = Time::ZERO + deadline;
        host.call(|keeper, cx| keeper.wake(cx));
        let failure = host.answer().unwrap_err();
        match version {
            None => assert!(matches!(failure, Failure::NoQuorum { .. }), "{failure}"),
            Some(version) => {
                let taken = Vec::new();
                assert_eq!(failure, Failure::Unknown { version, taken });
            }
        }
        host.work_all();
        assert!(host.wanted.answers.is_empty(), "answered once");
    }
}

#[test]
fn a_stamp_that_is_not_reserved_waits_for_the_disk() {
    let mut host = Alone::new();
    host.now.wall = WallMs(1 << 47);
    host.ask(put());
    host.work();
    assert!(
        matches!(host.wanted.stores[0].0, Op::Versions(_)),
        "it goes on like any other"
    );
    host.work();
    assert!(matches!(host.wanted.stores[0].0, Op::Set(Setting::Life, _)));
    host.work_all();
    assert!(matches!(host.answer(), Ok(Outcome::Stored(_))));
}

/// A get of any replica at h1, which is the last of the three that hold the key.
fn of_any(copies: Option<u8>) -> Alone {
    let mut host = Alone::new();
    let member = |host: u64| (HostId(host), Member::new([Id::from_u64((host + 1) % 3)]));
    let members: BTreeMap<_, _> = (1..=3).map(member).collect();
    let roster = Roster::settled(RingId(1), members, 3).unwrap();
    let holders = roster.groups(Key::new("cat").unwrap().id()).groups;
    assert_eq!(holders, [[HostId(2), HostId(3), ME]]);
    host.keeper.roster = Some(Arc::new(roster));
    let (caller, key) = (Caller::One(Ticket(1)), Key::new("cat").unwrap());
    let options = Options {
        consistency: Some(Consistency::One),
        replicas: copies,
        ..Options::default()
    };
    host.call(|keeper, cx| keeper.begin(cx, caller, (key, KeyOp::Get), options, None));
    host
}

#[test]
fn a_get_of_any_replica_is_answered_here_and_by_the_others_if_the_store_hangs() {
    let mut host = of_any(None);
    host.work_all();
    assert_eq!(host.answer(), Ok(Outcome::Value(None)));
    assert!(host.wanted.sends.is_empty());
    let mut host = of_any(None);
    host.now.at = host.now.at + host.keeper.config.retry;
    host.call(Keeper::wake);
    let asked: Vec<u64> = host.wanted.sends.iter().map(|sent| sent.to.0).collect();
    assert_eq!(asked.len(), 2, "both others, at once: {asked:?}");
}

#[test]
fn a_get_of_the_first_so_many_replicas_is_asked_of_those() {
    let host = of_any(Some(1));
    let asked: Vec<HostId> = host.wanted.sends.iter().map(|sent| sent.to).collect();
    assert_eq!(asked, [HostId(2)]);
    assert!(host.wanted.stores.is_empty());
}

/// What the same requests are told whether the store answers at once or later, and what it holds then.
fn told(at_once: bool, theirs: Stamp) -> (Vec<Reply>, Done) {
    let mut host = Alone::new();
    hold(&mut host, theirs);
    if at_once {
        host.wanted.at_once = Some(std::mem::take(&mut host.store));
    }
    let ops = [
        KeyOp::Get,
        put(),
        put(),
        KeyOp::Open,
        put_for_a_while(),
        KeyOp::Get,
        KeyOp::Delete,
        KeyOp::Get,
        KeyOp::Delete,
        put(),
    ];
    let told = ops.map(|op| {
        host.ask(op);
        if at_once {
            assert!(host.wanted.stores.is_empty(), "nothing is waited for");
            assert_eq!(host.keeper.timers.len(), 0);
        }
        host.work_all();
        host.answer()
    });
    let mut store = host.wanted.at_once.unwrap_or(host.store);
    (told.into(), store.apply(Op::Get(Key::new("cat").unwrap())))
}

#[test]
fn a_store_that_answers_at_once_gives_the_same_answers_and_leaves_nothing_behind() {
    // Below all stamps of this host, and above the first it draws.
    for theirs in [Stamp(1), Stamp(1 << 40)] {
        assert_eq!(told(true, theirs), told(false, theirs));
    }
}

#[test]
fn a_store_at_once_that_is_full_refuses_and_nothing_stays_open() {
    let mut host = Alone::new();
    host.wanted.at_once = Some(MemoryStore::with_limit(4));
    host.ask(put());
    assert!(matches!(host.answer(), Err(Failure::Limit(_))));
    assert_eq!(host.keeper.timers.len(), 0);
}

#[test]
fn a_long_import_leaves_room_for_others_though_the_store_answers_at_once() {
    let mut host = Alone::new();
    let key = |n: u64| Key::new(format!("key {n}")).unwrap();
    let mut store = MemoryStore::new();
    let items: Vec<Item> = (0..1_000)
        .map(|n| {
            let version = Version {
                stamp: Stamp(n + 1),
                delete: false,
                host: HostId(7),
                start: 1,
            };
            let body = Body::new("there");
            let value = Some(ValueCell {
                version,
                body: Some(body.clone()),
            });
            let cells = Cells {
                value,
                expiry: None,
            };
            store.apply(Op::Merge(Record { key: key(n), cells }));
            Item {
                key: key(n),
                body,
                deadline: None,
            }
        })
        .collect();
    host.wanted.at_once = Some(store);
    let options = Options::default();
    host.call(|keeper, cx| keeper.import(cx, Ticket(1), items, false, options));
    assert!(host.wanted.answers.is_empty(), "not all of it in one call");
    let waits = host.wanted.stores.len();
    assert!((1..=16).contains(&waits), "{waits} are asked for as ever");
}
