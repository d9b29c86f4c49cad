//! Every order in which messages, crashes and reports can come, in rings of three and four: the real
//! `Finder` is driven through all of them, within a bound on how often nodes look after their links.
//!
//! What must hold at every moment (Zave 2017): each member's successor list has a live member in it, and
//! the members' first live successors form exactly one ring, in order of id; and nobody adopts a next that
//! is dead already. Assumed, as there: whoever is alive
//! answers, whoever crashed is reported, what it had sent is lost with it, and a crash takes no
//! member's last live successor. (Late answers of the dead, loss and doubles: the random lives in
//! `tests/links`.)
//!
//! ```text
//!   state    one moment: the finders, what is under way, what may still happen
//!   steps    what may happen next, and what comes of it
//!   holds    what must be true at every moment
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod holds;
mod state;
mod steps;

use stateright::{Checker, Model};

use state::Bounds;

fn explore(bounds: Bounds) -> Vec<&'static str> {
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, {} of them different",
        checker.state_count(),
        checker.unique_state_count()
    );
    let mut broken = Vec::new();
    for (name, path) in checker.discoveries() {
        if name != "the newcomer is in" {
            println!("{name}: {:?}", path.into_actions());
            broken.push(name);
        }
    }
    broken.sort_unstable();
    broken
}

/// `MODEL_WAKES=1` looks one wake further than usual.
fn wakes(usual: u8) -> u8 {
    let more = std::env::var("MODEL_WAKES").ok();
    usual
        + more.map_or(0, |n| {
            n.parse::<u8>().expect("MODEL_WAKES is a small number")
        })
}

fn ring_of_three() -> Bounds {
    Bounds {
        principals: vec![10, 20, 30],
        joiners: vec![(15, 20)],
        leaver: None,
        successors: 2,
        crashes: 0,
        wakes: wakes(1),
        merciful: true,
    }
}

/// One joins a ring of three; any one node crashes, at any time. With two entries in a list one crash is
/// always survived.
#[test]
fn one_join_and_one_crash() {
    let bounds = Bounds {
        crashes: 1,
        merciful: false,

        ..ring_of_three()
    };
    assert!(explore(bounds).is_empty());
}

/// One joins, any two nodes crash, as long as no member loses its last live successor by that.
#[test]
fn one_join_and_two_crashes() {
    let bounds = Bounds {
        crashes: 2,

        ..ring_of_three()
    };
    assert!(explore(bounds).is_empty());
}

/// Two join at the same place at once.
#[test]
fn two_joins_at_one_place() {
    let bounds = Bounds {
        joiners: vec![(15, 20), (17, 20)],

        ..ring_of_three()
    };
    assert!(explore(bounds).is_empty());
}

/// One leaves a ring of three. (Joins and leaves together have too many orders for this; the random lives in
/// `tests/links` draw some.)
#[test]
fn one_leave() {
    let bounds = Bounds {
        leaver: Some(20),
        joiners: Vec::new(),
        ..ring_of_three()
    };
    assert!(explore(bounds).is_empty());
}

/// Fewer nodes than list entries plus one: then a newcomer the others do not know yet is not enough.
#[test]
fn a_start_too_small_is_not_safe() {
    let bounds = Bounds {
        principals: vec![10, 20],
        crashes: 1,
        merciful: false,
        joiners: vec![(15, 10)],
        ..ring_of_three()
    };
    assert!(explore(bounds).contains(&"every list has a live entry"));
}
