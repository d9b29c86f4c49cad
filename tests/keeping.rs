//! What must hold of the stores themselves, in cases made so that breaking a rule shows.
//!
//! Method: no hints and no repair, so that nothing heals by itself; one replica misses writes behind a cut;
//! then the roster changes. After that the stores are opened and the copies counted: every acknowledged
//! version must be on so many holders that every quorum meets it.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test they are the shortest way to fail"
)]

mod still;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roundelay::message::{Failure, KeyOp, Options, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::{Key, Time, Version};
use roundelay::roster::{Change, Roster, RosterVersion};
use roundelay::sim::{Answer, Fate, NetworkConfig, Rule, World};
use roundelay::store::{Done, MemoryStore, Op};

use still::{add, ask, go_on, join};

/// A world without healing, in which nobody is told that a host is down.
fn world(hosts: u64, replicas: u8) -> World {
    let network = NetworkConfig {
        link_down_ms: None,
        ..NetworkConfig::default()
    };
    still::world(7, hosts, replicas, network)
}

/// Puts so many keys at one host, and returns them with the versions they were acknowledged at.
fn put_keys(world: &mut World, at: u64, count: usize) -> Vec<(Key, Version)> {
    let put = |index: usize| {
        let key = Key::new(format!("key {index}")).unwrap();
        let value = Bytes::from(format!("value {index}"));
        match ask(world, at, Request::One(key.clone(), KeyOp::from(value))) {
            Outcome::Stored(version) => (key, version),
            other => panic!("a put was answered by {other:?}"),
        }
    };
    (0..count).map(put).collect()
}

fn held(world: &mut World, host: HostId, key: &Key) -> Option<Version> {
    match world.store(host).apply(Op::Versions(key.clone())) {
        Done::Versions(summary) => summary.value,
        other => panic!("{other:?}"),
    }
}

/// The newest roster any host lives by.
fn roster(world: &World) -> Arc<Roster> {
    let rosters = world.hosts().filter_map(|host| host.roster());
    Arc::clone(rosters.max_by_key(|roster| roster.version).unwrap())
}

/// Every quorum of every key's holders meets its acknowledged version.
fn check_quorums(world: &mut World, written: &[(Key, Version)]) {
    let roster = roster(world);
    for (key, version) in written {
        let holders = roster.old().holders(key.id());
        let have = holders
            .iter()
            .filter(|host| held(world, **host, key) >= Some(*version))
            .count();
        let quorum = holders.len() / 2 + 1;
        assert!(
            have + quorum > holders.len(),
            "{key} at {version}: only {have} of {holders:?} have it, so a quorum of them may not"
        );
    }
}

#[test]
fn new_replicas_merge_from_a_quorum_of_old() {
    let mut world = world(5, 3);
    let missing = [HostId(3)];
    let others = [1, 2, 4, 5].map(HostId);
    world.cut(&missing, &others);
    let written = put_keys(&mut world, 1, 100);
    world.heal();
    check_quorums(&mut world, &written);
    let removed = ask(
        &mut world,
        1,
        Request::Change(vec![Change::Remove(HostId(5))]),
    );
    assert_eq!(removed, Outcome::Settled(RosterVersion(3)));
    check_quorums(&mut world, &written);
}

#[test]
fn a_source_adopts_the_moving_roster_before_it_answers() {
    // h2 and h3 hear of the move late; h1's puts go on under the old roster until they do.
    let mut world = world(3, 2);
    add(&mut world, 4);
    let join = join(4);
    let joining = world.request(HostId(4), join, Options::default());
    let mut written = Vec::new();
    for index in 0..300 {
        let key = Key::new(format!("key {index}")).unwrap();
        let op = KeyOp::from(Bytes::from_static(b"value"));
        let at = HostId(1 + index % 3);
        written.push((
            key.clone(),
            world.request(at, Request::One(key, op), Options::default()),
        ));
        world.run_until(world.now() + Duration::from_millis(10));
    }
    world.run_while(Time::from_ms(120_000), |world| {
        world.answer(joining).is_none()
    });
    let written: Vec<(Key, Version)> = written
        .into_iter()
        .filter_map(|(key, ticket)| match world.take_answer(ticket) {
            Some(Answer::Reply(Ok(Outcome::Stored(version)))) => Some((key, version)),
            _ => None,
        })
        .collect();
    assert!(
        written.len() > 250,
        "puts go on while a span moves: {} of 300",
        written.len()
    );
    assert!(!roster(&world).is_moving());
    check_quorums(&mut world, &written);
}

#[test]
fn a_copy_stays_until_every_new_holder_is_complete() {
    let mut world = world(5, 3);
    let written = put_keys(&mut world, 1, 100);
    let before = roster(&world);
    world.crash(HostId(2));
    add(&mut world, 6);
    let join = join(6);
    assert!(
        matches!(ask(&mut world, 6, join), Outcome::Settled(_)),
        "a dead host never blocks a move"
    );
    go_on(&mut world, 20);
    let after = roster(&world);
    let live = [1, 3, 4, 5, 6].map(HostId);
    let mut waiting = 0;
    for (key, version) in &written {
        let (old, new) = (
            before.new().holders(key.id()),
            after.new().holders(key.id()),
        );
        if old != new && new.contains(&HostId(2)) {
            waiting += 1;
            let copies = live
                .iter()
                .filter(|host| held(&mut world, **host, key) >= Some(*version))
                .count();
            assert_eq!(
                copies, 3,
                "{key}: h2 has not said that it is complete, so nobody drops a copy"
            );
        }
    }
    assert!(waiting > 5, "some keys of h2 changed hands: {waiting}");
    world.restart(HostId(2));
    go_on(&mut world, 20);
    for (key, _) in &written {
        let have = (1..=6)
            .filter(|host| held(&mut world, HostId(*host), key).is_some())
            .count();
        assert_eq!(
            have, 3,
            "{key}: once all are complete, those who no longer hold it let go"
        );
    }
}

#[test]
fn a_source_that_comes_back_is_asked_again() {
    let mut world = world(4, 3);
    put_keys(&mut world, 1, 50);
    add(&mut world, 5);
    let join = join(5);
    let joining = world.request(HostId(5), join, Options::default());
    let moving = |world: &World| roster(world).version == RosterVersion(2);
    assert!(world.run_while(Time::from_ms(10_000), |world| !moving(world)));
    world.crash(HostId(2));
    world.crash(HostId(3));
    go_on(&mut world, 15);
    assert!(
        roster(&world).is_moving(),
        "spans of h2 and h3 have no quorum of Old"
    );
    world.restart(HostId(2));
    go_on(&mut world, 15);
    assert!(
        matches!(world.take_answer(joining), Some(Answer::Reply(Ok(_)))),
        "with h2 they have one"
    );
}

#[test]
fn a_host_whose_clock_leads_coordinates_no_writes() {
    let mut world = world(3, 3);
    go_on(&mut world, 10);
    world.set_clock(HostId(1), 3_600_000);
    let key = Key::new("key").unwrap();
    let put = || Request::One(key.clone(), KeyOp::from(Bytes::from_static(b"value")));
    let limit = world.now() + Duration::from_secs(9);
    let refused = world.ask(HostId(1), put(), limit);
    assert!(
        matches!(refused, Some(Answer::Reply(Err(Failure::Limit(_))))),
        "{refused:?}"
    );
    assert_eq!(
        ask(&mut world, 1, Request::One(key.clone(), KeyOp::Get)),
        Outcome::Value(None)
    );
    assert!(matches!(ask(&mut world, 2, put()), Outcome::Stored(_)));
    world.set_clock(HostId(1), 0);
    assert!(
        matches!(ask(&mut world, 1, put()), Outcome::Stored(_)),
        "set again, it writes again"
    );
}

#[test]
fn a_move_settles_only_on_a_quorum_that_is_complete() {
    let mut world = world(3, 2);
    put_keys(&mut world, 1, 20);
    add(&mut world, 4);
    let join = join(4);
    let joining = world.request(HostId(4), join, Options::default());
    let moving = |world: &World| roster(world).version == RosterVersion(2);
    assert!(world.run_while(Time::from_ms(10_000), |world| !moving(world)));
    world.cut(&[HostId(4)], &[1, 2, 3].map(HostId));
    go_on(&mut world, 15);
    assert!(
        roster(&world).is_moving(),
        "h4 holds two copies of nothing: its spans may not settle"
    );
    go_on(&mut world, 60);
    let after = roster(&world);
    assert!(
        !after.is_moving() && !after.has(HostId(4)),
        "a joiner that stays silent is given up"
    );
    world.heal();
    go_on(&mut world, 5);
    let joined = world.take_answer(joining);
    assert!(
        matches!(joined, Some(Answer::Reply(Ok(Outcome::Settled(_))))),
        "it never heard of that move, asks again and comes in: {joined:?}"
    );
}

#[test]
fn a_move_that_its_newcomer_knows_of_settles_only_once_that_is_complete() {
    let mut world = world(3, 2);
    put_keys(&mut world, 1, 20);
    add(&mut world, 4);
    world.add_rule(Rule {
        name: "Chunk".into(),
        from: None,
        to: Some(HostId(4)),
        fate: Fate::Drop,
        times: u32::MAX,
    });
    world.request(HostId(4), join(4), Options::default());
    go_on(&mut world, 4);
    let knows = world.hosts().find(|host| host.id() == HostId(4));
    assert!(knows.and_then(|host| host.roster()).is_some());
    world.cut(&[HostId(4)], &[1, 2, 3].map(HostId));
    go_on(&mut world, 15);
    assert!(
        roster(&world).is_moving(),
        "h4 knows that it is to hold second copies, and has none"
    );
}

#[test]
fn what_a_get_returns_is_on_a_quorum_before_it_is_returned() {
    let mut world = world(3, 3);
    let key = Key::new("key").unwrap();
    let writes = Rule {
        name: "Write".into(),
        from: Some(HostId(1)),
        to: None,
        fate: Fate::Drop,
        times: u32::MAX,
    };
    world.add_rule(writes);
    let op = KeyOp::from(Bytes::from_static(b"on one host only"));
    let put = world.request(HostId(1), Request::One(key.clone(), op), Options::default());
    go_on(&mut world, 6);
    assert!(
        matches!(
            world.take_answer(put),
            Some(Answer::Reply(Err(Failure::Unknown { .. })))
        ),
        "one of three is no quorum"
    );
    world.heal();
    world.cut(&[HostId(3)], &[1, 2].map(HostId));
    let Outcome::Value(Some(found)) = ask(&mut world, 2, Request::One(key.clone(), KeyOp::Get))
    else {
        panic!("h1 and h2 are a quorum, and h1 has it");
    };
    let have = (1..=3)
        .filter(|host| held(&mut world, HostId(*host), &key) == Some(found.version))
        .count();
    assert_eq!(have, 2, "a later get may ask another quorum");
}

#[test]
fn a_later_put_has_the_greater_version_whatever_the_clocks_say() {
    let mut world = world(3, 3);
    world.set_clock(HostId(2), -3_600_000);
    let key = Key::new("key").unwrap();
    for (at, value) in [(1, "first"), (2, "second"), (1, "third"), (2, "fourth")] {
        ask(
            &mut world,
            at,
            Request::One(
                key.clone(),
                KeyOp::from(Bytes::from_static(value.as_bytes())),
            ),
        );
        let Outcome::Value(Some(found)) = ask(&mut world, 3, Request::One(key.clone(), KeyOp::Get))
        else {
            panic!("{value} was stored");
        };
        assert_eq!(
            found.body.to_bytes(),
            value,
            "an hour behind, h2 must still stamp above what it found"
        );
    }
}

#[test]
fn an_emptied_store_does_not_answer_for_the_one_it_replaces() {
    let mut world = world(3, 3);
    world.crash(HostId(1));
    let key = Key::new("key").unwrap();
    let put = Request::One(key.clone(), KeyOp::from(Bytes::from_static(b"value")));
    assert!(matches!(ask(&mut world, 2, put), Outcome::Stored(_)));
    world.restart(HostId(1));
    world.crash(HostId(3));
    world.replace_store(HostId(3), Box::new(MemoryStore::default()));
    world.restart(HostId(3));
    go_on(&mut world, 5);
    world.crash(HostId(2));
    let get = Request::One(key.clone(), KeyOp::Get);
    let limit = world.now() + Duration::from_secs(9);
    let answer = world.ask(HostId(1), get, limit);
    assert!(
        matches!(answer, Some(Answer::Reply(Err(Failure::NoQuorum { .. })))),
        "{answer:?}"
    );
    let join = join(3);
    let limit = world.now() + Duration::from_secs(9);
    let joined = world.ask(HostId(3), join, limit);
    assert!(
        matches!(joined, Some(Answer::Reply(Err(Failure::Change(_))))),
        "{joined:?}"
    );
}

#[test]
fn a_host_that_left_may_come_back() {
    let mut world = world(4, 3);
    assert!(matches!(
        ask(&mut world, 3, Request::Leave),
        Outcome::Settled(_)
    ));
    go_on(&mut world, 5);
    let join = join(3);
    assert!(matches!(ask(&mut world, 3, join), Outcome::Settled(_)));
    assert!(roster(&world).has(HostId(3)));
}

#[test]
fn a_change_that_cannot_begin_is_answered_all_the_same() {
    let mut world = world(3, 3);
    world.crash(HostId(2));
    world.crash(HostId(3));
    let options = Options {
        deadline: Some(Duration::from_secs(10)),
        ..Options::default()
    };
    let remove = Request::Change(vec![Change::Remove(HostId(2))]);
    let change = world.request(HostId(1), remove, options);
    go_on(&mut world, 11);
    let answer = world.take_answer(change);
    assert!(
        matches!(answer, Some(Answer::Reply(Err(Failure::Change(_))))),
        "one of three is no majority: {answer:?}"
    );
}
