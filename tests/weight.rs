//! What does a weight do? A host of weight 2 gets twice the keys, and gives the ring twice the room.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test they are the shortest way to fail"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use roundelay::message::{KeyOp, Outcome, Request};
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member};
use roundelay::record::{Key, Time};
use roundelay::sim::{Answer, NetworkConfig, RingPlan, World};
use roundelay::store::MemoryStore;

#[test]
fn a_host_of_weight_two_gets_twice_the_keys() {
    let mut world = World::new(1, NetworkConfig::default());
    let plan = RingPlan {
        replicas: 1,
        tokens: 32,
        ..RingPlan::new(4, 1)
    };
    world.settle(&plan).unwrap();
    let heavy = HostId(5);
    world.add_host(HostConfig::new(heavy, 5), Box::new(MemoryStore::new()));
    let join = Request::Join {
        via: HostId(1),
        replaces: None,
        replicas: Some(1),
        member: Member::new([]).weighing(2),
        tokens: 64,
    };
    ask(&mut world, heavy, join);
    ask(&mut world, heavy, Request::Rebalance);
    for number in 0..3000 {
        let key = Key::new(format!("key {number}")).unwrap();
        ask(
            &mut world,
            HostId(1),
            Request::One(key, KeyOp::from(Bytes::from_static(b"x"))),
        );
    }
    let kept: BTreeMap<HostId, u64> = (1..=5)
        .map(|host| (HostId(host), world.usage(HostId(host)).records))
        .collect();
    println!("{kept:?}");
    let others: u64 = kept
        .iter()
        .filter(|(host, _)| **host != heavy)
        .map(|(_, n)| n)
        .sum();
    let mean = others as f64 / 4.0;
    let times = kept[&heavy] as f64 / mean;
    assert!(
        (1.8..2.2).contains(&times),
        "{times:.2} times the keys of the others: {kept:?}"
    );
}

fn ask(world: &mut World, host: HostId, request: Request) -> Outcome {
    let limit = Time::from_ms(world.now().as_ms() + 60_000);
    match world.ask(host, request, limit) {
        Some(Answer::Reply(Ok(outcome))) => outcome,
        other => panic!("{host}: {other:?}"),
    }
}
