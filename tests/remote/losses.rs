//! Whatever is cut, and whenever: order is kept, nothing arrives twice, and no loss goes unreported.

use std::time::Duration;

use crate::said;
use crate::world::{Seat, World, seconds};

fn trio(seed: u64) -> World {
    let mut world = World::new(seed, 2);
    for host in 1..=3u64 {
        let others: Vec<u64> = (1..=3).filter(|other| *other != host).collect();
        world.add(Seat::new(host).speaking_to(&others));
    }
    world
}

#[test]
fn a_partition_is_noticed_within_five_seconds_and_mended_within_the_longest_pause() {
    let mut world = trio(1);
    world.run(seconds(3));
    world.sim.partition("h1", "h2");
    world.run(seconds(5));
    assert_eq!(
        (world.told(1, 2), world.told(2, 1)),
        ("d".into(), "d".into())
    );
    said::once("link to h2: down, nothing was heard for 4");
    world.run(seconds(30));
    world.sim.repair("h1", "h2");
    world.run(seconds(15));
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
    assert!(world.heard_lately(2, 1, seconds(1)) >= 9);
    assert_eq!(world.told(1, 3) + &world.told(3, 1) + &world.told(2, 3), "");
    let ledger = world.ledger.borrow();
    ledger.check_order();
    ledger.check_losses();
}

/// Only one direction is cut: what h1 sends is lost, though it hears h2 well.
#[test]
fn a_one_way_partition_is_noticed_by_who_sends() {
    let mut world = trio(2);
    world.run(seconds(3));
    world.sim.partition_oneway("h1", "h2");
    world.run(seconds(6));
    assert!(world.told(1, 2).starts_with('d'), "{}", world.told(1, 2));
    world.sim.repair_oneway("h1", "h2");
    world.run(seconds(15));
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
    let ledger = world.ledger.borrow();
    ledger.check_order();
    ledger.check_losses();
}

/// Faults drawn from a seed: partitions, one-way cuts, crashes, restarts, each for a while.
#[test]
fn no_loss_goes_unreported_whatever_breaks_when() {
    for seed in 0..12u64 {
        let mut world = trio(seed);
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        world.run(seconds(1));
        for _ in 0..8 {
            let (a, b) =
                [("h1", "h2"), ("h2", "h3"), ("h3", "h1")][usize::try_from(roll(3)).unwrap()];
            let (for_ms, then_ms) = (roll(9_000), roll(4_000));
            match roll(3) {
                0 => world.sim.partition(a, b),
                1 => world.sim.partition_oneway(a, b),
                _ => world.sim.crash(a),
            }
            world.run(Duration::from_millis(for_ms));
            world.sim.repair(a, b);
            if !world.sim.is_host_running(a) {
                world.sim.bounce(a);
            }
            world.run(Duration::from_millis(then_ms));
        }
        world.run(seconds(30));
        for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)] {
            assert!(
                world.heard_lately(from, to, seconds(1)) >= 9,
                "seed {seed}: {from} to {to}"
            );
        }
        // What has been on its way for a moment only is not lost yet.
        let settled = world.sim.elapsed() - seconds(1);
        let mut ledger = world.ledger.borrow_mut();
        ledger.sent.retain(|sent| sent.at < settled);
        ledger.check_order();
        ledger.check_losses();
    }
}
