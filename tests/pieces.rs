//! Large values travel in pieces. Many at once must not be mixed up, and a move must bring each whole.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use roundelay::message::{KeyOp, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::{Key, PIECE_BYTES, Time};
use roundelay::roster::Change;
use roundelay::sim::{Answer, NetworkConfig, RingPlan, World};

const LIMIT: Time = Time::from_ms(600_000);

fn outcome(answer: Option<Answer>) -> Outcome {
    match answer {
        Some(Answer::Reply(Ok(outcome))) => outcome,
        other => panic!("no outcome but {other:?}"),
    }
}

#[test]
fn pieces_of_many_large_values_are_not_mixed_up_when_hosts_come_and_go() {
    let plan = RingPlan::new(6, 3);
    let mut world = World::ring(&plan, NetworkConfig::default()).unwrap();
    world.run_until(Time::from_ms(100));
    let keys: Vec<Key> = (0..6)
        .map(|n| Key::new(format!("large {n}")).unwrap())
        .collect();
    // Each piece of each value is filled with a byte of its own.
    let value = |n: u8| {
        let pieces = (0..3u8).flat_map(|piece| vec![n * 16 + piece; PIECE_BYTES]);
        bytes::Bytes::from(pieces.take(2 * PIECE_BYTES + 5).collect::<Vec<u8>>())
    };
    for (n, key) in (0..).zip(&keys) {
        let put = Request::One(key.clone(), KeyOp::from(value(n)));
        outcome(world.ask(HostId(u64::from(n) % 6 + 1), put, LIMIT));
    }
    for gone in [HostId(6), HostId(5)] {
        let change = Request::Change(vec![Change::Remove(gone)]);
        assert!(matches!(
            outcome(world.ask(HostId(1), change, LIMIT)),
            Outcome::Settled(_)
        ));
        for (n, key) in (0..).zip(&keys) {
            let get = Request::One(key.clone(), KeyOp::Get);
            let Outcome::Value(Some(found)) = outcome(world.ask(HostId(2), get, LIMIT)) else {
                panic!("{key} is not there after {gone} left");
            };
            assert!(
                found.body.to_bytes() == value(n),
                "{key} has another value after {gone} left"
            );
        }
    }
}
