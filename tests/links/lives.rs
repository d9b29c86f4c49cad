//! Who comes, goes and dies, at random, while messages are lost, doubled and overtaken. Then there is peace, and all who
//! live are one ring.

use std::time::Duration;

use rand::RngExt;
use roundelay::find::{FindConfig, FindEvent};
use roundelay::message::Peer;
use roundelay::placement::HostId;

use crate::world::{Faults, World, peer};

fn seeds() -> u64 {
    let asked = std::env::var("LINKS_SEEDS").ok();
    asked.map_or(40, |n| n.parse().expect("LINKS_SEEDS is a number"))
}

/// A random life: joins, leaves, crashes and returns, then peace; in the end one ring of all who live.
fn random_life(seed: u64, faults: Faults) {
    let config = FindConfig {
        successors: 4,
        ..FindConfig::default()
    };
    let mut world = World::new(seed, faults, config);
    let principals: Vec<Peer> = (1..=5).map(|n| peer(n * 100)).collect();
    world.settled(&principals);
    for _ in 0..world.rng.random_range(3..9) {
        let alive: Vec<HostId> = world.nodes.keys().copied().collect();
        let some = alive[world.rng.random_range(0..alive.len())];
        let members = world.nodes.values().filter(|f| f.is_member()).count();
        match world.rng.random_range(0..10) {
            0..=4 => {
                let n = world.rng.random_range(0..60) * 10 + 5;
                let via = world.nodes.values().find(|f| f.is_member()).unwrap().me();
                if !world.nodes.contains_key(&HostId(n)) && alive.len() < 12 {
                    world.join(peer(n), via);
                }
            }
            5..=6 if members > 3 => world.leave(some),
            7..=9 if members > 3 => world.crash(some),
            _ => {}
        }
        // Often close together, and sometimes with time to heal.
        let pause = if world.rng.random_bool(0.6) {
            300
        } else {
            20_000
        };
        let pause = Duration::from_millis(world.rng.random_range(0..pause));
        world.run(pause);
    }
    world.calm();
    world.run(Duration::from_secs(40));
    world.join_afresh();
    world.run(Duration::from_secs(90));
    world.assert_settled();
    let outside = |f: &&roundelay::find::Finder| f.is_outside();
    let gone = world.nodes.values().filter(outside).count();
    let left = world
        .notes
        .iter()
        .filter(|(_, _, n)| matches!(n, FindEvent::Left { .. }))
        .count();
    assert!(
        gone <= left,
        "seed {seed}: somebody gave up joining\n{}",
        world.tail()
    );
}

#[test]
fn random_lives_end_in_one_ring_when_crashes_are_reported() {
    for seed in 0..seeds() {
        random_life(
            seed,
            Faults {
                loss: 0.05,
                duplicate: 0.05,
                delay: (1, 120),
                reports: true,
            },
        );
    }
}

#[test]
fn random_lives_end_in_one_ring_when_only_silence_tells() {
    for seed in 1_000_000..1_000_000 + seeds() {
        random_life(
            seed,
            Faults {
                loss: 0.02,
                duplicate: 0.05,
                delay: (1, 120),
                reports: false,
            },
        );
    }
}
