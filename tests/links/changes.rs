//! Who comes, goes and dies, case by case: at one place, all at once, back before anybody noticed.
//!
//! Meanwhile a node that waits for an answer says only that it is busy, and the ground of a dead one is nobody's.

use std::time::Duration;

use roundelay::find::{FindConfig, FindEvent, FindOut};
use roundelay::message::{FindMessage, Question};
use roundelay::placement::HostId;

use crate::world::{Faults, World, id, peer};

const SETTLE: Duration = Duration::from_secs(60);

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
