//! Hosts that dial at once, die, come back, move, and meet their own past.

use crate::said;
use crate::world::{Seat, World, at, seconds};
use roundelay::placement::HostId;

/// Two that speak to each other, and a third pair beside them that must not notice anything.
fn pairs(seed: u64, tick_ms: u64) -> World {
    let mut world = World::new(seed, tick_ms);
    world.add(Seat::new(1).speaking_to(&[2, 3]));
    world.add(Seat::new(2).speaking_to(&[1]));
    world.add(Seat::new(3).speaking_to(&[1]));
    world
}

/// The links between h1 and h3 never broke.
#[track_caller]
fn others_are_undisturbed(world: &World) {
    assert_eq!(
        (world.told(1, 3), world.told(3, 1)),
        (String::new(), String::new())
    );
    assert!(world.heard_lately(3, 1, seconds(1)) >= 9);
    let ledger = world.ledger.borrow();
    for (from, to) in [(1, 3), (3, 1)] {
        let numbers = ledger.numbers(from, to);
        let last = numbers.len() as u64;
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{from} to {to}");
    }
    ledger.check_order();
}

#[test]
fn two_hosts_that_dial_each_other_at_once_have_one_connection_each_way() {
    for seed in 0..20 {
        let mut world = pairs(seed, 1);
        world.run(seconds(3));
        assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
        assert!(world.heard_lately(2, 1, seconds(1)) >= 9);
        for host in [1, 2, 3] {
            let status = world.with_links(host, |links| links.status());
            assert!(
                status
                    .iter()
                    .all(|link| link.is_up && link.sent.connections == 1),
                "{status:?}"
            );
        }
        assert_eq!(said::lines("WARN"), Vec::<String>::new());
        assert_eq!(said::lines("link to h1: up, incarnation 1").len(), 2);
        assert!(world.ledger.borrow().told.is_empty());
        others_are_undisturbed(&world);
    }
}

#[test]
fn a_host_killed_and_back_after_five_seconds_is_reported_down_and_up() {
    let mut world = pairs(1, 1);
    world.run(seconds(3));
    world.sim.crash("h2");
    world.run(seconds(5));
    assert_eq!(world.told(1, 2), "d");
    said::once("link to h2: down, ");
    assert_eq!(
        said::lines("link to h2: no connection").len(),
        1,
        "however often it is tried"
    );
    world.sim.bounce("h2");
    world.run(seconds(11));
    assert_eq!(world.told(1, 2), "du");
    said::once("INFO link to h2: up, incarnation 2");
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
    assert!(world.heard_lately(2, 1, seconds(1)) >= 9);
    others_are_undisturbed(&world);
    world.ledger.borrow().check_losses();
}

#[test]
fn a_host_back_after_five_minutes_is_found_within_the_longest_pause() {
    let mut world = pairs(2, 10);
    world.run(seconds(3));
    world.sim.crash("h2");
    world.run(seconds(300));
    assert_eq!(world.told(1, 2), "d");
    assert_eq!(said::lines("link to h2: no connection").len(), 1);
    let dialled = world.with_links(1, |links| links.status()[0].sent);
    assert_eq!(dialled.connections, 1);
    world.sim.bounce("h2");
    world.run(seconds(11));
    assert_eq!(world.told(1, 2), "du");
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
    others_are_undisturbed(&world);
    world.ledger.borrow().check_losses();
}

/// The dead host's disk is started elsewhere: nobody was told the new address. It says so itself.
#[test]
fn a_host_whose_address_changed_while_it_was_down_is_found_when_it_dials() {
    let mut world = pairs(3, 1);
    world.run(seconds(3));
    world.sim.crash("h2");
    world.run(seconds(5));
    let mut moved = Seat::new(2).speaking_to(&[1]);
    moved.name = "elsewhere".into();
    moved.life.set(2);
    world.add(moved);
    world.run(seconds(2));
    assert_eq!(world.told(1, 2), "du");
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
    let status = world.with_links(1, |links| links.status()[0].clone());
    assert_eq!((status.host, status.incarnation), (HostId(2), 2));
    assert_eq!(status.addresses, [at("elsewhere"), at("h2")]);
    others_are_undisturbed(&world);
    world.ledger.borrow().check_losses();
}

/// It is told the new address by somebody else, and the host itself says nothing.
#[test]
fn a_new_address_is_dialled_at_once() {
    let mut world = pairs(4, 1);
    world.run(seconds(3));
    world.sim.crash("h2");
    world.run(seconds(60));
    let mut moved = Seat::new(2);
    moved.name = "elsewhere".into();
    moved.life.set(2);
    world.add(moved);
    world.with_links(1, |links| links.know(HostId(2), &at("elsewhere"), 2));
    world.run(seconds(1));
    assert_eq!(world.told(1, 2), "du");
    others_are_undisturbed(&world);
}

/// Somebody else has got the address since: he is not taken for its former owner.
#[test]
fn an_address_used_again_by_another_host_is_not_taken_for_the_first() {
    let mut world = World::new(5, 1);
    let mut mistaken = Seat::new(1).speaking_to(&[3]);
    mistaken.knows.push((2, "h7".into()));
    mistaken.speaks_to.push(2);
    world.add(mistaken);
    world.add(Seat::new(3).speaking_to(&[1]));
    world.add(Seat::new(7));
    world.run(seconds(30));
    assert_eq!(world.ledger.borrow().numbers(1, 7), Vec::<u64>::new());
    assert_eq!(world.told(1, 2), "d");
    said::once("WARN link to h2: no connection, h7 lives there, not h2");
    let refused = said::once("refused h1: it wants another host, which is not here");
    assert!(refused.starts_with("WARN connection from "), "{refused}");
    others_are_undisturbed(&world);
    world.ledger.borrow().check_losses();
}

/// A copy of an old disk is started: a life that others have seen the end of.
#[test]
fn an_older_incarnation_is_refused_and_a_newer_one_takes_over() {
    let mut world = World::new(6, 1);
    world.add(Seat::new(1).speaking_to(&[3]));
    world.add(Seat::new(3).speaking_to(&[1]));
    let second = Seat::new(2).speaking_to(&[1]);
    second.life.set(5);
    world.add(second);
    world.run(seconds(3));
    let mut old = Seat::new(2).speaking_to(&[1]);
    old.name = "copy".into();
    old.life.set(4);
    world.add(old.clone());
    world.run(seconds(20));
    let lives = |world: &World| {
        let ledger = world.ledger.borrow();
        let from_2 = ledger.heard.iter().filter(|h| (h.from, h.to) == (2, 1));
        from_2.map(|h| h.life).collect::<Vec<_>>()
    };
    assert!(lives(&world).iter().all(|life| *life == 5));
    said::once("refused h2: a newer incarnation of it is known");
    said::once(
        "WARN link to h1: no connection, refused: it knows a newer incarnation of this host",
    );
    // The same disk, started once more: now it is the newest, and the one before is shut out.
    old.life.set(6);
    world.sim.bounce("copy");
    world.run(seconds(20));
    assert_eq!(old.life.get(), 7);
    assert_eq!(lives(&world).last(), Some(&6));
    said::once("link from h2: ended, a newer connection has taken its place");
    let ledger = world.ledger.borrow();
    ledger.check_order();
}

#[test]
fn a_host_that_was_forgotten_is_not_dialled_and_has_no_line() {
    let mut world = pairs(7, 1);
    world.run(seconds(3));
    world.with_links(1, |links| links.forget(HostId(2)));
    let status = world.with_links(1, |links| links.status());
    assert_eq!(
        status.iter().map(|link| link.host).collect::<Vec<_>>(),
        [HostId(3)]
    );
    world.sim.crash("h2");
    world.run(seconds(5));
    assert_eq!(world.heard_lately(1, 2, seconds(4)), 0);
    said::once("INFO link to h2: closed, it is in the ring no more");
    others_are_undisturbed(&world);
}
