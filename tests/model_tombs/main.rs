//! Does a deleted key stay deleted, although deletes are collected?
//!
//! One key on three hosts, a fourth that may take the place of one; a put, a delete, an expiry; one round of
//! collection; writes and repair messages that arrive late, often, or never. *Every* order of events is tried.
//!
//! ```text
//! A d2   B d2   C a1     a round up to 2: all fence 2            hint a1 to C: it has a1
//! A d2   B d2   C d2     A takes from B and C, they take from A  hint a1 to B: it has d2, which is newer
//! A -    B d2   C d2     A raises its floor and drops d2         hint a1 to A: below the floor, refused
//! ```
//!
//! What a replica takes and refuses is [`Guard::admits`], what a floor drops is [`Summary::collected`], what is
//! newer is [`Summary::merge`]: the model decides nothing that the nodes decide by code of their own. At every moment
//! each quorum that could answer is asked, then all is let come to rest and each pair of replicas is asked.
//!
//! *Can it fail at all?* Each rule left out must yield a counterexample, or the test fails.
//!
//! `cargo test --test model_tombs` searches the small cases. All: `MODEL=full cargo test --release --test
//! model_tombs -- --nocapture`; `SECS` limits each.
//!
//! *Left out*: two rounds one after the other.
//!
//! [`Guard::admits`]: roundelay::record::Guard::admits
//! [`Summary::collected`]: roundelay::record::Summary::collected
//! [`Summary::merge`]: roundelay::record::Summary::merge

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::needless_range_loop, reason = "a host is a number here")]

mod case;
mod check;
mod does;
mod may;
mod state;
mod world;

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use case::Case;
use world::World;

struct Outcome {
    states: usize,
    ended: bool,
    broken: Option<&'static str>,
    story: String,
}

fn search(case: Case, limit: Duration) -> Outcome {
    #[allow(clippy::disallowed_methods)] // how long a search took
    let start = Instant::now();
    let builder = World::new(case).checker().threads(2).timeout(limit);
    let checker = builder
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let took = start.elapsed();
    let found = checker.discoveries().into_values().next();
    let mut outcome = Outcome {
        states: checker.unique_state_count(),
        ended: found.is_some() || took < limit,
        broken: None,
        story: String::new(),
    };
    if let Some(path) = found {
        outcome.broken = path.last_state().broken;
        for (state, step) in path.into_vec() {
            for host in state.hosts {
                outcome.story += &format!("  {:?} {:?}\n", host.held, host.mark);
            }
            outcome.story += &format!("{step:?}\n");
        }
    }
    let (states, secs) = (outcome.states, took.as_secs_f64());
    let verdict = outcome.broken.unwrap_or("holds");
    println!("{:50} {states:>9} {secs:>6.1}s  {verdict}", case.name);
    outcome
}

const SMALL: Duration = Duration::from_secs(120);

#[test]
fn a_deleted_key_stays_deleted() {
    for case in case::small() {
        let outcome = search(case, SMALL);
        assert_eq!(outcome.broken, None, "{}:\n{}", case.name, outcome.story);
        assert!(outcome.ended, "{} did not end", case.name);
    }
}

#[test]
fn each_rule_left_out_breaks_a_promise() {
    for case in case::mutants() {
        let outcome = search(case, SMALL);
        assert!(outcome.broken.is_some(), "{}: nothing broke", case.name);
    }
}

#[test]
fn the_large_cases_hold_as_far_as_they_were_searched() {
    if std::env::var_os("MODEL").is_none() {
        return;
    }
    let secs = std::env::var("SECS")
        .ok()
        .and_then(|secs| secs.parse().ok());
    let only = std::env::var("MODEL").ok().filter(|only| only != "full");
    let named = |case: &Case| only.as_ref().is_none_or(|only| case.name.contains(only));
    for case in case::large().into_iter().chain(case::late()).filter(named) {
        let outcome = search(case, Duration::from_secs(secs.unwrap_or(100)));
        assert_eq!(outcome.broken, None, "{}:\n{}", case.name, outcome.story);
    }
    let mutants = case::large_mutants().into_iter().filter(named);
    // One whose search ran out of time is printed as what held so far.
    let missed: Vec<&str> = mutants
        .filter(|case| {
            let outcome = search(*case, Duration::from_secs(secs.unwrap_or(100)));
            outcome.ended && outcome.broken.is_none()
        })
        .map(|case| case.name)
        .collect();
    assert!(missed.is_empty(), "nothing broke: {missed:?}");
}
