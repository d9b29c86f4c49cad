//! A put is stamped above whatever was there, whatever the clocks say; a get returns only what a later one will find.

use std::time::Duration;

use bytes::Bytes;
use roundelay::message::{Failure, KeyOp, Options, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::Key;
use roundelay::sim::{Answer, Fate, Rule};

use crate::quorums::{held, world};
use crate::still::{ask, go_on};

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
