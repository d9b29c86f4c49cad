//! Who comes back: with an empty store it is not who it was, after a leave it is welcome. And a change of who is in, with
//! too few there to agree on it, is refused and not forgotten.

use std::time::Duration;

use bytes::Bytes;
use roundelay::message::{Failure, KeyOp, Options, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::Key;
use roundelay::roster::Change;
use roundelay::sim::Answer;
use roundelay::store::MemoryStore;

use crate::quorums::{roster, world};
use crate::still::{ask, go_on, join};

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
