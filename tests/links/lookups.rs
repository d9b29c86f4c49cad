//! Which way a question goes, how many relays it takes and may take, and how it gets round nodes that are silent.

use std::time::Duration;

use rand::RngExt;
use roundelay::find::{FindConfig, FindEvent, Found, Routes};
use roundelay::keyspace::Id;
use roundelay::message::Peer;
use roundelay::placement::HostId;
use roundelay::ring::Direction;

use crate::world::{Faults, World, id, peer, routes};

/// Neighbours as routes: the shorter way round, one relay a node, and the trace tells.
#[test]
fn a_lookup_by_neighbours_goes_the_shorter_way_relay_by_relay() {
    let top = |n: u64| Peer {
        id: roundelay::keyspace::Id::from_top(n << 56),
        host: HostId(n),
    };
    let ids: Vec<Peer> = (0..8).map(|n| top(n * 32)).collect();
    let mut world = World::new(3, Faults::NONE, routes(Routes::Neighbours));
    world.settled(&ids);
    world.assert_settled();
    for (target, path, direction) in [
        (90, vec![0, 1, 2, 3], Direction::Clockwise),
        (170, vec![0, 7, 6], Direction::AntiClockwise),
        (0, vec![0], Direction::Clockwise),
    ] {
        let ticket = world.lookup(ids[0], top(target).id);
        world.run(Duration::from_secs(1));
        let found = world.results[&ticket].as_ref().unwrap();
        let expected: Vec<Peer> = path.iter().map(|n| ids[*n]).collect();
        assert_eq!(found.path.as_ref().unwrap(), &expected);
        assert_eq!(
            (found.relays as usize, found.direction),
            (path.len() - 1, direction)
        );
    }
}

#[test]
fn a_lookup_over_the_limit_is_dropped_and_the_asker_told() {
    let config = FindConfig {
        relay_limit: 2,
        ..routes(Routes::Neighbours)
    };
    let mut world = World::new(3, Faults::NONE, config);
    world.settled(&(0..10).map(|n| peer(n * 10)).collect::<Vec<_>>());
    let ticket = world.lookup(peer(0), id(50));
    world.run(Duration::from_secs(1));
    let error = world.results[&ticket].as_ref().unwrap_err().to_string();
    assert!(
        error.starts_with("dropped after 2 relays, the limit is 2"),
        "{error}"
    );
    assert!(world.notes.iter().any(|(_, who, note)| {
        *who == peer(20) && matches!(note, FindEvent::DroppedAtLimit { relays: 2, .. })
    }));
}

/// 64 nodes at random places, settled; one lookup from each for a random id.
fn asked_by_all(config: FindConfig, crashes: usize) -> (World, Vec<Found>, usize) {
    let mut world = World::new(
        9,
        Faults {
            reports: false,
            ..Faults::NONE
        },
        config,
    );
    let random: Vec<u64> = (0..64).map(|_| world.rng.random()).collect();
    let place = |(n, top): (usize, &u64)| Peer {
        id: Id::from_top(*top),
        host: HostId(n as u64),
    };
    let peers: Vec<Peer> = random.iter().enumerate().map(place).collect();
    world.settled(&peers);
    for peer in &peers[..crashes] {
        world.crash(peer.host);
    }
    let mut tickets = Vec::new();
    for peer in &peers[crashes..] {
        let target = Id::from_top(world.rng.random());
        tickets.push((world.lookup(*peer, target), target));
    }
    world.run(Duration::from_secs(12));
    let mut found = Vec::new();
    for (ticket, target) in &tickets {
        if let Ok(answer) = &world.results[ticket] {
            let owner = &world.nodes[&answer.owner.host];
            assert!(
                owner.holds(*target),
                "{} answered for {target}",
                answer.owner
            );
            found.push(answer.clone());
        }
    }
    let unanswered = tickets.len() - found.len();
    (world, found, unanswered)
}

fn mean_relays(found: &[Found]) -> f64 {
    let sum: u32 = found.iter().map(|answer| answer.relays).sum();
    f64::from(sum) / found.len() as f64
}

/// By neighbours a quarter of the ring, by fingers about half of log2 N and the last hop, with digits of
/// four bits fewer, and one hop when everybody is known.
#[test]
fn routes_decide_how_many_relays_a_lookup_takes() {
    let relays = |config: FindConfig, most: u32| {
        let (_, found, unanswered) = asked_by_all(config, 0);
        assert_eq!(unanswered, 0);
        assert!(found.iter().all(|answer| answer.tries == 1));
        let longest = found.iter().map(|answer| answer.relays).max();
        assert!(
            longest <= Some(most),
            "{longest:?} relays, expected at most {most}"
        );
        mean_relays(&found)
    };
    let neighbours = relays(routes(Routes::Neighbours), 40);
    let fingers = relays(routes(Routes::Fingers), 7);
    let digits = relays(
        FindConfig {
            finger_bits: 4,
            ..routes(Routes::Fingers)
        },
        4,
    );
    let all = relays(routes(Routes::All), 1);
    assert!((10.0..22.0).contains(&neighbours), "{neighbours}");
    assert!((2.0..4.0).contains(&fingers), "{fingers}");
    assert!(digits < fingers && all < digits, "{digits} {all}");
}

/// A quarter of the nodes die at once and nobody is told. Lookups go round them; who asks for the ground of
/// a dead node gets no answer, and nobody gets a wrong one.
#[test]
fn lookups_go_round_the_silent_and_nobody_answers_for_the_dead() {
    let (world, found, unanswered) = asked_by_all(routes(Routes::Fingers), 16);
    let round = |note: &FindEvent| matches!(note, FindEvent::WentRound { .. });
    assert!(world.notes.iter().any(|(_, _, note)| round(note)));
    assert!(found.iter().any(|answer| answer.silent > 0));
    assert!(found.len() > 24, "{} found, {unanswered} not", found.len());
}

/// Fingers of nodes that came one by one are as good as those of a ring that was settled from the start.
#[test]
fn fingers_are_learnt_and_looked_up() {
    let config = FindConfig {
        fix_finger_every: Duration::from_secs(1),
        ..FindConfig::default()
    };
    let mut world = World::new(4, Faults::NONE, config.clone());
    let mut peers = Vec::new();
    for n in 0..24 {
        let me = Peer {
            id: Id::from_top(world.rng.random()),
            host: HostId(n),
        };
        match peers.first() {
            None => world.found(me),
            Some(first) => world.join(me, *first),
        }
        peers.push(me);
        world.run(Duration::from_secs(2));
    }
    world.run(Duration::from_secs(60));
    world.assert_settled();
    let mut best = World::new(4, Faults::NONE, config);
    best.settled(&peers);
    for peer in &peers {
        let far = |world: &World| world.nodes[&peer.host].fingers().to_vec();
        let missing = far(&best).into_iter().filter(|finger| {
            let me = &world.nodes[&peer.host];
            !far(&world).contains(finger)
                && !me.successors().contains(finger)
                && me.prev() != Some(*finger)
        });
        assert_eq!(missing.count(), 0, "{peer}");
    }
}
