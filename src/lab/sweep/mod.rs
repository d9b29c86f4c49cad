//! Does it hold in ten thousand worlds?
//!
//! A world is drawn from a number, its *seed*: the ring, what clients ask, what goes wrong. It is lived
//! through in virtual time, and judged by the [checker](super::check). The same seed lives the same life, so a
//! seed that fails is a test case that needs one number.
//!
//! ```text
//! seed 17 ─> plan ─> act one: clients ask, faults begin and end ─> act two: it must come to rest ─> judged
//!   5 hosts, R 3, a disk that syncs every second; crash partition join; 2,600 operations on 4 keys
//! ```
//!
//! *Hold these true*: the same seed gives the same bytes; a run only looks from outside and by the doors that
//! clients have; what cannot be expected is not demanded: only a loss that the harness itself made sure of is
//! excused, and counted.
//!
//! Left out on purpose: threads and terminals. One call lives through one seed; whoever wants many at once
//! calls from many threads.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    reason = "faults of one kind are told from all others; a request is written down in one piece"
)]

mod change;
mod faults;
mod load;
mod plan;
mod reach;
mod replay;
mod report;
mod run;
mod settle;
mod stepped;
mod streams;
mod who;

use std::time::Duration;

use run::Run;

use super::check::{Rule, Violation};
use crate::record::Time;

pub use faults::Fault;
pub use plan::Plan;
pub use replay::{OnLine, replay, why};
pub use report::{Counts, Rates, Report};

/// Lives through what one seed means and judges it.
#[must_use]
pub fn sweep(plan: Plan) -> Report {
    let line = plan.to_string();
    let lived = std::panic::catch_unwind(move || {
        let mut run = Run::new(plan);
        live(&mut run);
        report(&run)
    });
    lived.unwrap_or_else(|panic| Report {
        seeds: 1,
        plan: line,
        violations: vec![Violation {
            rule: Rule::HostsHold,
            at: Time::ZERO,
            key: None,
            words: said(panic.as_ref()),
        }],
        ..Report::default()
    })
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a host panicked").to_owned()
}

// region: acts
/// Both acts.
fn live(run: &mut Run) {
    let until = run.world.now() + Duration::from_millis(run.plan.survive_ms);
    while run.world.now() < until {
        run.disturb_and_go_on(until);
    }
    run.settle();
}
// endregion: acts

fn report(run: &Run) -> Report {
    let judged = run.checker.judge();
    let (sure, silent, dropped) = run.checker.counts();
    let operations = run.checker.operations();
    let succeeded = operations.iter().filter(|operation| operation.succeeded());
    let writes = succeeded.clone().filter(|operation| operation.writes());
    Report {
        seeds: 1,
        plan: run.plan.to_string(),
        operations: operations.len() as u64,
        succeeded: succeeded.count() as u64,
        writes: writes.count() as u64,
        collected: run.checker.collected(),
        rosters: run.checker.roster().map_or(0, |roster| roster.version.0),
        virtual_ms: run.world.now().as_ms(),
        messages: run.world.delivered(),
        excused: judged.excused as u64,
        uploads: run.streams.counts.uploads,
        downloads: run.streams.counts.downloads,
        broken_off: run.streams.counts.broken_off,
        counts: Counts {
            sure,
            silent,
            dropped,
            ..run.counts
        },
        rates: run.rates.clone(),
        violations: judged.violations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_lives_the_same_life_twice_and_keeps_its_word() {
        let (once, again) = (sweep(Plan::draw(21)), sweep(Plan::draw(21)));
        assert_eq!(once.violations, []);
        assert_eq!(format!("{once:?}"), format!("{again:?}"));
        assert!(once.writes > 100, "{once}");
    }
}
