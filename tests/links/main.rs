//! The links protocol, driven through whole lives of small rings.
//!
//! `LINKS_SEEDS=1000 cargo test --test links random` runs more lives than usual.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod world;

use std::time::Duration;

use rand::RngExt;
use roundelay::find::{FindConfig, FindEvent, FindOut, Found, Routes};
use roundelay::keyspace::Id;
use roundelay::message::{FindMessage, Peer, Question};
use roundelay::placement::HostId;
use roundelay::ring::Direction;
use world::{Faults, World, id, peer};

const SETTLE: Duration = Duration::from_secs(60);

fn routes(routes: Routes) -> FindConfig {
    FindConfig {
        routes,
        ..FindConfig::default()
    }
}

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

/// Two joins at the same place at once, the crash of two neighbours, the return of one.
#[test]
fn joins_at_one_place_crash_of_neighbours_and_return() {
    for seed in 0..20 {
        let mut world = World::new(seed, Faults::NONE, FindConfig::default());
        world.settled(&[peer(10), peer(20), peer(30), peer(40), peer(50)]);
        world.join(peer(33), peer(10));
        world.join(peer(36), peer(50));
        world.run(Duration::from_secs(8));
        world.assert_settled();
        world.crash(HostId(33));
        world.crash(HostId(36));
        world.run(SETTLE);
        world.assert_settled();
        world.join(peer(33), peer(20));
        world.run(SETTLE);
        world.assert_settled();
        assert_eq!(world.nodes.len(), 6);
    }
}

/// A node that crashed is back before anybody noticed.
#[test]
fn a_crashed_node_returns_before_it_is_missed() {
    for seed in 0..20 {
        let faults = Faults {
            reports: false,
            ..Faults::NONE
        };
        let mut world = World::new(seed, faults, FindConfig::default());
        world.settled(&[peer(10), peer(20), peer(30), peer(40)]);
        world.crash(HostId(20));
        world.join(peer(20), peer(40));
        world.run(SETTLE);
        world.assert_settled();
        assert_eq!(world.nodes.len(), 4);
    }
}

#[test]
fn neighbours_leave_at_once_and_even_all_but_one() {
    for seed in 0..20 {
        for leaving in [&[20, 30][..], &[20, 30, 40], &[10, 40], &[10, 20, 30]] {
            let mut world = World::new(seed, Faults::NONE, FindConfig::default());
            world.settled(&[peer(10), peer(20), peer(30), peer(40)]);
            for n in leaving {
                world.leave(HostId(*n));
            }
            world.run(Duration::from_secs(20));
            let left = world
                .notes
                .iter()
                .filter(|(_, _, note)| matches!(note, FindEvent::Left { handed_over: true }));
            assert_eq!(left.count(), leaving.len(), "{leaving:?}\n{}", world.tail());
            world.assert_settled();
        }
    }
}

#[test]
fn when_all_leave_the_greatest_is_the_last() {
    let mut world = World::new(7, Faults::NONE, FindConfig::default());
    world.settled(&[peer(10), peer(20), peer(30)]);
    for n in [10, 20, 30] {
        world.leave(HostId(n));
    }
    world.run(Duration::from_secs(200));
    let left = world.notes.iter().filter_map(|(_, who, note)| {
        if let FindEvent::Left { handed_over } = note {
            Some((*who, *handed_over))
        } else {
            None
        }
    });
    let left: Vec<_> = left.collect();
    assert_eq!(left.len(), 3, "{}", world.tail());
    assert!(left[0].1 && left[1].1, "{}", world.tail());
    assert_eq!(left[2], (peer(30), false), "{}", world.tail());
}

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

/// A node that asked its next is busy: to a question about its links it says only that, but it answers
/// a ping.
#[test]
fn a_node_that_awaits_an_answer_says_only_that_it_is_busy() {
    let mut world = World::new(1, Faults::NONE, FindConfig::default());
    world.settled(&[peer(10), peer(20), peer(30)]);
    let finder = world.nodes.get_mut(&HostId(20)).unwrap();
    let mut out = Vec::new();
    finder.wake(finder.next_wake().unwrap(), &mut out);
    let asks = |out: &[FindOut]| {
        out.iter().any(|o| {
            matches!(o, FindOut::Send { to, message: FindMessage::AskLinks { .. } } if *to == peer(30))
        })
    };
    assert!(asks(&out), "{out:?}");
    let (question, joining) = (Question(7), false);
    let asked = [
        FindMessage::AskLinks { question, joining },
        FindMessage::Ping { question },
    ];
    let answers = asked.map(|message| {
        out.clear();
        finder.receive(world.now, peer(10), message, &mut out);
        out.clone()
    });
    let said = |message| {
        vec![FindOut::Send {
            to: peer(10),
            message,
        }]
    };
    assert_eq!(answers[0], said(FindMessage::Busy { question }));
    assert_eq!(answers[1], said(FindMessage::Pong { question }));
}

/// After a crash the next holds only what it held; the ground of the dead node is nobody's for a while,
/// and a lookup there is told so. Then it is taken over.
#[test]
fn the_ground_of_the_dead_is_nobodys_until_every_lease_has_run_out() {
    let config = FindConfig::default();
    let (lease, takeover) = (config.lease, config.takeover_after);
    let mut world = World::new(1, Faults::NONE, config);
    world.settled(&[peer(10), peer(20), peer(30)]);
    world.run(Duration::from_secs(2));
    world.crash(HostId(20));
    world.run(lease);
    let holders = |world: &World| {
        let holds = |n: &u64| world.nodes[&HostId(*n)].holds(id(15));
        [10, 30].iter().copied().filter(holds).collect::<Vec<u64>>()
    };
    assert_eq!(holders(&world), []);
    world.run(takeover);
    assert_eq!(holders(&world), [30]);
    world.assert_settled();
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
