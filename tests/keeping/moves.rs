//! A span goes to other hosts: they take it from a quorum of those who have it, it settles once a quorum of them is
//! complete, and who had it keeps it until all are. Meanwhile hosts die, come back, or hear of it late.

use std::time::Duration;

use bytes::Bytes;
use roundelay::message::{KeyOp, Options, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::{Key, Time, Version};
use roundelay::roster::{Change, RosterVersion};
use roundelay::sim::{Answer, Fate, Rule, World};

use crate::quorums::{check_quorums, held, put_keys, roster, world};
use crate::still::{add, ask, go_on, join};

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
