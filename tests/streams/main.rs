//! Large values in and out, piece by piece, while hosts crash, keys are overwritten and stores fill up. Simulated:
//! the same each time.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod client;
mod limits;
mod meanwhile;

use std::time::Duration;

use roundelay::actor::Input;
use roundelay::keyspace::Id;
use roundelay::message::{Failure, KeyOp, Outcome, Peer, Request};
use roundelay::placement::HostId;
use roundelay::record::PIECE_BYTES;
use roundelay::sim::{NetworkConfig, RingPlan, World};
use roundelay::store::MemoryStore;

use client::{LEN, ask, end, is_put_by, key, later, open, places, put, put_by, read, value, world};

#[test]
fn by_a_replica_or_another_host_it_goes_in_and_comes_out_as_it_was() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    for (seed, host) in [(1, other), (2, replicas[0]), (3, replicas[2])] {
        let value = value(seed, LEN);
        let upload = put_by(&mut world, host, &value);
        assert!(is_put_by(&mut world, host, upload));
        let told = ask(&mut world, host, end(upload));
        assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
        for reader in [other, replicas[0], replicas[1]] {
            assert!(read(&mut world, reader) == value, "at {reader}");
        }
        let large = open(&mut world, other);
        assert_eq!(large.found.body.content_type.as_deref(), Some("image/png"));
        assert_eq!(large.found.body.len, LEN as u64);
        later(&mut world, 5);
        assert!(!is_put_by(&mut world, host, upload), "it is not needed");
        for replica in &replicas {
            assert!(world.holds(*replica, &key()), "{replica} has it, too");
        }
    }
    // A whole get finds the same.
    let got = ask(&mut world, other, Request::One(key(), KeyOp::Get));
    assert!(
        matches!(got, Ok(Outcome::Value(Some(found))) if found.body.to_bytes() == value(3, LEN))
    );
}

#[test]
fn short_and_empty_values_may_come_that_way_and_are_found_whole() {
    let mut world = world(4);
    for len in [0, 1, PIECE_BYTES] {
        let value = value(9, len);
        assert!(matches!(
            put(&mut world, HostId(2), &value),
            Ok(Outcome::Stored(_))
        ));
        let found = ask(&mut world, HostId(3), Request::One(key(), KeyOp::Open));
        assert!(
            matches!(&found, Ok(Outcome::Value(Some(found))) if found.body.to_bytes() == value),
            "{len} bytes"
        );
    }
}

#[test]
fn by_links_alone_the_owner_of_the_key_keeps_it() {
    let plan = RingPlan::new(2, 5);
    let mut world = World::new(plan.seed, NetworkConfig::default());
    for host in plan.ids() {
        world.add_host(plan.config(host), Box::new(MemoryStore::new()));
    }
    let (first, second) = (HostId(1), HostId(2));
    // In no ring yet, it cannot be stored, and what was put by goes.
    let early = put_by(&mut world, first, &value(9, LEN));
    assert_eq!(ask(&mut world, first, end(early)), Err(Failure::NoRing));
    assert!(!is_put_by(&mut world, first, early));

    let at = Id::from_u64(7);
    world.tell(first, Input::LinkAlone(at));
    world.run_until(world.now() + Duration::from_secs(1));
    let via = Peer {
        id: at,
        host: first,
    };
    world.tell(
        second,
        Input::LinkJoin {
            id: key().id(),
            via,
        },
    );
    later(&mut world, 10);
    for (seed, host) in [(1, first), (2, second)] {
        let told = put(&mut world, host, &value(seed, LEN));
        assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
        assert!(world.holds(second, &key()) && !world.holds(first, &key()));
        for reader in [first, second] {
            assert!(read(&mut world, reader) == value(seed, LEN), "at {reader}");
        }
    }
}
