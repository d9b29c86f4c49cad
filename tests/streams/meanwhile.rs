//! What happens meanwhile: crashes, overwriting, deletes, other members.

use std::time::Duration;

use bytes::Bytes;
use roundelay::message::{Consistency, Failure, KeyOp, Options, Outcome, Request};
use roundelay::record::PIECE_BYTES;
use roundelay::roster::Change;
use roundelay::sim::World;

use crate::client::{
    LEN, LIMIT, absent, ask, end, is_put_by, key, later, open, places, put, put_by, read,
    read_piece, reply, value, world,
};

#[test]
fn a_replica_that_crashes_while_it_is_written_or_read_is_gone_round() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    let first = value(1, LEN);
    let upload = put_by(&mut world, other, &first);
    let ticket = world.request(other, end(upload), Options::default());
    // In the midst of its pieces.
    world.run_until(world.now() + Duration::from_millis(6));
    assert!(world.answer(ticket).is_none(), "it takes longer");
    world.crash(replicas[0]);
    world.run_while(LIMIT, |world| world.answer(ticket).is_none());
    let told = reply(world.take_answer(ticket));
    assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
    world.restart(replicas[0]);
    let told = ask(&mut world, other, Request::Balance);
    assert!(matches!(told, Ok(Outcome::Balanced(_))), "{told:?}");
    assert!(
        world.holds(replicas[0], &key()),
        "it is brought what it missed"
    );

    let large = open(&mut world, other);
    assert!(large.holders.len() >= 2, "a quorum said so");
    let mut pieces = vec![read_piece(&mut world, other, &large, 0).unwrap()];
    for gone in [replicas[0], replicas[1]] {
        world.crash(gone);
        let index = u32::try_from(pieces.len()).unwrap();
        pieces.push(read_piece(&mut world, other, &large, index).unwrap());
    }
    for index in 3..6 {
        pieces.push(read_piece(&mut world, other, &large, index).unwrap());
    }
    assert!(pieces.concat() == first, "from the one that is left");
    world.crash(replicas[2]);
    let silent = read_piece(&mut world, other, &large, 5);
    assert!(
        matches!(silent, Err(Failure::NoQuorum { .. })),
        "{silent:?}"
    );
}

#[test]
fn a_coordinator_that_crashes_amid_an_upload_leaves_nothing_behind() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    for host in [other, replicas[1]] {
        let upload = put_by(&mut world, host, &value(1, LEN));
        world.crash(host);
        world.restart(host);
        later(&mut world, 10);
        assert!(!is_put_by(&mut world, host, upload), "{host} forgets it");
        let told = ask(&mut world, host, end(upload));
        assert!(
            matches!(&told, Err(Failure::Limit(why)) if why.contains("begin again")),
            "{told:?}"
        );
        assert!(absent(&mut world, replicas[0]) && absent(&mut world, host));
    }
    // When its write is under way, it is on a quorum in the end or nowhere to be seen; what was read stays.
    let upload = put_by(&mut world, other, &value(2, LEN));
    let _ = world.request(other, end(upload), Options::default());
    world.run_until(world.now() + Duration::from_millis(6));
    world.crash(other);
    later(&mut world, 30);
    assert!(absent(&mut world, replicas[0]), "no replica had all of it");
    let whole = put(&mut world, replicas[0], &value(3, LEN));
    assert!(matches!(whole, Ok(Outcome::Stored(_))), "{whole:?}");
    assert!(read(&mut world, replicas[1]) == value(3, LEN));
}

#[test]
fn what_is_overwritten_or_deleted_while_it_is_read_ends_the_reading() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    put(&mut world, other, &value(1, LEN)).unwrap();
    let large = open(&mut world, other);
    assert!(read_piece(&mut world, other, &large, 0).unwrap() == value(1, PIECE_BYTES));
    // One replica misses the next value: from it the old one can still be read, to its end.
    world.cut(&[replicas[2]], &[replicas[0], replicas[1]]);
    put(&mut world, replicas[0], &value(100, LEN)).unwrap();
    let rest: Vec<Bytes> = (0..6)
        .map(|n| read_piece(&mut world, other, &large, n).unwrap())
        .collect();
    assert!(rest.concat() == value(1, LEN), "all of one version");
    world.heal();
    later(&mut world, 30);
    assert_eq!(
        read_piece(&mut world, other, &large, 1),
        Err(Failure::Replaced)
    );
    assert!(read(&mut world, other) == value(100, LEN));

    let large = open(&mut world, other);
    let delete = ask(&mut world, other, Request::One(key(), KeyOp::Delete));
    assert!(matches!(delete, Ok(Outcome::Deleted(_, true))));
    later(&mut world, 10);
    assert_eq!(
        read_piece(&mut world, other, &large, 1),
        Err(Failure::Replaced)
    );
    assert!(absent(&mut world, other));
}

#[test]
fn a_write_that_begins_and_ends_during_an_upload_is_overwritten_by_it() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    let upload = put_by(&mut world, other, &value(1, LEN));
    put(&mut world, replicas[0], &value(50, LEN)).unwrap();
    assert!(read(&mut world, other) == value(50, LEN));
    ask(&mut world, other, end(upload)).unwrap();
    assert!(read(&mut world, replicas[0]) == value(1, LEN));
}

#[test]
fn members_may_change_while_it_is_written_and_read() {
    let mut world = world(6);
    let (replicas, other) = places(&mut world);
    let upload = put_by(&mut world, other, &value(1, LEN));
    let change = Request::Change(vec![Change::Remove(replicas[0])]);
    let moved = world.request(other, change, Options::default());
    let ticket = world.request(other, end(upload), Options::default());
    let done = |world: &World| world.answer(ticket).is_some() && world.answer(moved).is_some();
    assert!(world.run_while(LIMIT, |world| !done(world)));
    let told = reply(world.take_answer(ticket));
    assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
    assert!(read(&mut world, other) == value(1, LEN));
    let large = open(&mut world, other);
    // All who held it go, one after the other.
    for gone in &large.holders {
        let change = Request::Change(vec![Change::Remove(*gone)]);
        assert!(matches!(
            ask(&mut world, other, change),
            Ok(Outcome::Settled(_))
        ));
    }
    later(&mut world, 10);
    let pieces = (0..6).map(|index| read_piece(&mut world, other, &large, index).unwrap());
    assert!(pieces.collect::<Vec<Bytes>>().concat() == value(1, LEN));
}

#[test]
fn what_only_one_replica_is_known_to_hold_is_brought_to_a_quorum_without_being_held_here() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    // Repair is slower than what follows.
    let one = Options {
        consistency: Some(Consistency::One),
        replicas: Some(1),
        ..Options::default()
    };
    let upload = put_by(&mut world, other, &value(1, LEN));
    let ticket = world.request(other, end(upload), one);
    world.run_while(LIMIT, |world| world.answer(ticket).is_none());
    let held = |world: &mut World| {
        replicas
            .iter()
            .filter(|host| world.holds(**host, &key()))
            .count()
    };
    assert_eq!(held(&mut world), 1);
    let large = open(&mut world, other);
    assert!(held(&mut world) >= 2, "before it is answered");
    world.crash(replicas[0]);
    let pieces = (0..6).map(|index| read_piece(&mut world, other, &large, index).unwrap());
    assert!(pieces.collect::<Vec<Bytes>>().concat() == value(1, LEN));
}
