//! Who owns what in rings of one and three, whoever is asked, and in whatever order they came.

use std::time::Duration;

use roundelay::find::{FindConfig, Routes};
use roundelay::message::Peer;
use roundelay::placement::HostId;

use crate::world::{Faults, World, id, peer, routes};

/// A ring grown by joins, one after the other.
fn grown(ids: &[u64], config: FindConfig) -> World {
    let mut world = World::new(1, Faults::NONE, config);
    world.found(peer(ids[0]));
    for n in &ids[1..] {
        world.join(peer(*n), peer(ids[0]));
        world.run(Duration::from_secs(3));
    }
    world.run(Duration::from_secs(5));
    world.assert_settled();
    world
}

fn owner(world: &mut World, at: u64, target: u64) -> Peer {
    let ticket = world.lookup(peer(at), id(target));
    world.run(Duration::from_secs(2));
    world.results[&ticket].as_ref().unwrap().owner
}

/// The table of the Erlang tutorial's tests: in the ring of 1, 6 and 10, whoever is asked first.
#[test]
fn lookup_table_of_the_ring_1_6_10() {
    for way in [Routes::Neighbours, Routes::Fingers, Routes::All] {
        for order in [[1, 6, 10], [10, 1, 6], [6, 10, 1], [10, 6, 1]] {
            let mut world = grown(&order, routes(way));
            for at in order {
                for target in 0..=11 {
                    let expected = match target {
                        0 | 1 | 11 => 1,
                        2..=6 => 6,
                        _ => 10,
                    };
                    assert_eq!(
                        owner(&mut world, at, target),
                        peer(expected),
                        "{at} asked for {target}"
                    );
                }
            }
        }
    }
}

/// The neighbours of an id are its owner and the owner's prev.
#[test]
fn neighbour_table_of_the_ring_1_6_10() {
    let mut world = grown(&[1, 6, 10], routes(Routes::Neighbours));
    for at in [1, 6, 10] {
        for (targets, neighbours) in [
            (0..=0, (10, 1)),
            (2..=5, (1, 6)),
            (7..=9, (6, 10)),
            (11..=11, (10, 1)),
        ] {
            for target in targets {
                let ticket = world.lookup(peer(at), id(target));
                world.run(Duration::from_secs(1));
                let found = world.results[&ticket].as_ref().unwrap();
                let around = (found.prev.unwrap(), found.owner);
                assert_eq!(around, (peer(neighbours.0), peer(neighbours.1)), "{target}");
            }
        }
    }
}

#[test]
fn a_single_node_owns_every_id_and_is_its_own_neighbour() {
    let mut world = grown(&[0], FindConfig::default());
    for target in [0, 1, 10, 11] {
        assert_eq!(owner(&mut world, 0, target), peer(0));
    }
    let links = world.nodes[&HostId(0)].links();
    assert_eq!((links.prev, links.next), (peer(0), peer(0)));
}
