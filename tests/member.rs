//! Who is in, in cases made so that breaking a rule shows: each is named by a patch in `tests/mutants`.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test they are the shortest way to fail"
)]

mod still;

use std::sync::Arc;

use bytes::Bytes;
use roundelay::actor::Collected;
use roundelay::keep::{Context, KeepConfig, Keeper};
use roundelay::keyspace::Id;
use roundelay::message::{
    Ballot, Consistency, Failure, KeepMessage, KeyOp, Message, Options, Outcome, Request,
};
use roundelay::placement::{HostId, Member};
use roundelay::record::{Key, Now};
use roundelay::roster::{Change, RingId, Roster, RosterVersion};
use roundelay::sim::{Fate, NetworkConfig, Rule, World};
use roundelay::store::{Done, MemoryStore, Op, Store};

use still::{add, ask, go_on, join, try_ask};

/// Three copies.
fn world(hosts: u64) -> World {
    still::world(5, hosts, 3, NetworkConfig::default())
}

fn key(name: &str) -> Key {
    Key::new(name.to_owned()).unwrap()
}

fn put(world: &mut World, host: u64, name: &str, value: &'static str) -> Result<Outcome, Failure> {
    let op = KeyOp::from(Bytes::from_static(value.as_bytes()));
    try_ask(world, host, Request::One(key(name), op))
}

fn get(world: &mut World, host: u64, name: &str) -> Option<Bytes> {
    match ask(world, host, Request::One(key(name), KeyOp::Get)) {
        Outcome::Value(found) => found.map(|found| found.body.to_bytes()),
        other => panic!("{other:?}"),
    }
}

fn holds(world: &mut World, host: u64, name: &str) -> bool {
    match world.store(HostId(host)).apply(Op::Versions(key(name))) {
        Done::Versions(summary) => summary.value.is_some(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_coordinator_counts_the_rosters_replicas_not_those_it_sees() {
    let mut world = world(3);
    world.crash(HostId(2));
    world.crash(HostId(3));
    go_on(&mut world, 5); // h1 has heard that both are down
    let alone = put(&mut world, 1, "cat", "meow");
    assert!(
        matches!(alone, Err(Failure::NoQuorum { needed: 2, .. })),
        "{alone:?}"
    );
}

#[test]
fn what_a_move_completed_is_lost_when_it_is_given_up() {
    let mut world = world(3);
    // Nobody hears how far h4 is, so the move does not settle.
    world.add_rule(Rule {
        name: "MoveIs".into(),
        from: None,
        to: None,
        fate: Fate::Drop,
        times: 1000,
    });
    add(&mut world, 4);
    world.request(HostId(4), join(4), Options::default());
    go_on(&mut world, 5);
    ask(&mut world, 1, Request::CancelMove);
    world.clear_rules();
    go_on(&mut world, 5);
    let names: Vec<String> = (0..40).map(|n| format!("key {n}")).collect();
    for name in &names {
        put(&mut world, 1, name, "later").unwrap();
    }
    ask(&mut world, 4, join(4));
    let roster = Arc::clone(world.host(HostId(4)).unwrap().roster().unwrap());
    for name in names {
        if roster.holds(HostId(4), key(&name).id()) {
            assert!(holds(&mut world, 4, &name), "h4 lacks {name}");
        }
    }
}

#[test]
fn a_roster_is_on_disk_before_it_is_lived_by() {
    let mut world = world(4);
    let settled = ask(
        &mut world,
        1,
        Request::Change(vec![Change::Remove(HostId(4))]),
    );
    assert_eq!(settled, Outcome::Settled(RosterVersion(3)));
    go_on(&mut world, 5);
    for host in 1..=3 {
        world.crash(HostId(host));
    }
    world.restart(HostId(2));
    let version = |world: &World| world.host(HostId(2)).unwrap().roster().unwrap().version;
    assert_eq!(version(&world), RosterVersion(3));
}

#[test]
fn records_from_before_are_out_of_sight_until_confirmed() {
    let mut world = world(4);
    let name = (0..100)
        .map(|n| format!("key {n}"))
        .find(|name| {
            let roster = world.host(HostId(1)).unwrap().roster().unwrap();
            roster.holds(HostId(2), key(name).id())
        })
        .unwrap();
    put(&mut world, 1, &name, "agreed").unwrap();
    let (others, own) = ([HostId(1), HostId(3), HostId(4)], [HostId(2)]);
    world.cut(&own, &others);
    let op = KeyOp::from(Bytes::from_static(b"unconfirmed"));
    let one = Options {
        consistency: Some(Consistency::One),
        ..Options::default()
    };
    world.request(HostId(2), Request::One(key(&name), op), one);
    go_on(&mut world, 3);
    world.crash(HostId(2));
    world.heal();
    ask(
        &mut world,
        1,
        Request::Change(vec![Change::Remove(HostId(2))]),
    );
    world.restart(HostId(2));
    go_on(&mut world, 5);
    ask(&mut world, 2, join(2));
    go_on(&mut world, 5);
    for host in 1..=4 {
        assert_eq!(
            get(&mut world, host, &name).as_deref(),
            Some(&b"agreed"[..]),
            "h{host}"
        );
    }
}

/// One keeper without a world: it is told what happened, and what it says is looked at.
struct Acceptor {
    disk: MemoryStore,
}

impl Acceptor {
    /// A life of h2 in the ring h1 h2 h3: hears these, and says what to h1.
    fn hears(&mut self, messages: Vec<KeepMessage>) -> Vec<KeepMessage> {
        let mut keeper = Keeper::new(HostId(2), KeepConfig::default(), 1, &|name| {
            self.disk.setting(name)
        });
        let (mut fx, now) = (Collected::default(), Now::default());
        keeper.start(&mut Context { now, fx: &mut fx }, false);
        if keeper.roster().is_none() {
            let at = |n: u64| (HostId(n), Member::new([Id::from_u64(n)]));
            let members = (1..=3).map(at).collect();
            let roster = Roster::settled(RingId(1), members, 3).unwrap();
            keeper.enter(&mut Context { now, fx: &mut fx }, Arc::new(roster));
        }
        let mut said = Vec::new();
        for message in std::iter::once(None).chain(messages.into_iter().map(Some)) {
            if let Some(message) = message {
                keeper.receive(&mut Context { now, fx: &mut fx }, HostId(1), message);
            }
            while !fx.stores.is_empty() {
                let (op, then) = fx.stores.remove(0);
                let done = self.disk.apply(op);
                keeper.stored(&mut Context { now, fx: &mut fx }, done, then);
            }
            for envelope in fx.sends.drain(..) {
                if let Message::Keep(message) = envelope.body {
                    said.push(message);
                }
            }
        }
        said
    }
}

#[test]
fn an_acceptor_remembers_its_promise_over_a_restart() {
    let mut acceptor = Acceptor {
        disk: MemoryStore::new(),
    };
    let (version, one) = (RosterVersion(2), HostId(1));
    let prepare = |round: u32| KeepMessage::Prepare {
        version,
        ballot: Ballot { round, host: one },
    };
    let said = acceptor.hears(vec![prepare(5)]);
    let promised = |message: &KeepMessage| matches!(message, KeepMessage::Promise { .. });
    assert!(said.iter().any(promised), "{said:?}");
    let said = acceptor.hears(vec![prepare(3)]);
    let rejected = |message: &KeepMessage| matches!(message, KeepMessage::Rejected { promised, .. } if promised.round == 5);
    assert!(said.iter().any(rejected), "{said:?}");
    assert!(!said.iter().any(promised), "{said:?}");
}
