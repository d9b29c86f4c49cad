//! Whole lives of rings, drawn from seeds, keep every rule; and a seed tells the same twice.
//!
//! `SEEDS` (how many) and `SEED` (the first) try others than these, `FIRST` more whole ones. A mutant of `tests/mutants` names the test
//! here that notices it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use roundelay::lab::sweep::{Plan, Report, sweep, why};

/// Lives through seeds, on two threads, and stops at the first that fails.
fn hold(plans: &[Plan]) -> Report {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Report::default());
    let worker = || {
        while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = sweep(plan.clone());
            if let Some(violation) = report.violations.first() {
                next.store(plans.len(), Ordering::Relaxed);
                panic!("\n{}", why(plan, violation));
            }
            sum.lock().expect("no worker panics with it").add(&report);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
    sum.into_inner().expect("no worker panicked")
}

/// The first worlds that take little time even without optimisation, and are like that.
fn short_ones(
    draw: fn(u64) -> Plan,
    first: u64,
    count: usize,
    like: fn(&Plan) -> bool,
) -> Vec<Plan> {
    let fits = |plan: &Plan| plan.operations < 600 && like(plan);
    (first..).map(draw).filter(fits).take(count).collect()
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

/// Whole worlds, as `roundelay sim sweep --seeds FIRST` draws them. With this the mutants are tried that a sweep notices.
#[test]
fn the_first_seeds_hold() {
    let count = number("FIRST").unwrap_or(2);
    let report = hold(&(1..=count).map(Plan::draw).collect::<Vec<Plan>>());
    assert_eq!(report.seeds, count);
}

#[test]
fn twenty_short_seeds_hold() {
    let (first, count) = (number("SEED").unwrap_or(1), number("SEEDS").unwrap_or(20));
    let count = usize::try_from(count).expect("a number of seeds");
    println!("{}", hold(&short_ones(Plan::draw, first, count, |_| true)));
}

/// In such worlds large values come and go piece by piece, too, and break off in the middle.
#[test]
fn nine_short_seeds_with_large_values_hold() {
    let report = hold(&short_ones(Plan::draw, 1, 9, |plan| plan.large));
    assert!(report.uploads > 50 && report.downloads > 10, "{report:?}");
    assert!(report.broken_off > 5, "{report:?}");
}

/// What is drawn in every second world comes about: disks lose writes, hosts are silent, stopped by a grant, purged.
#[test]
fn forty_short_seeds_in_which_more_happens_hold() {
    let more = |plan: &Plan| plan.returns || plan.removes.is_some();
    let counts = hold(&short_ones(Plan::draw, 1, 40, more)).counts;
    let all = [counts.sure, counts.silent, counts.drained, counts.dropped];
    assert!(all.iter().all(|count| *count > 0), "{counts:?}");
}

/// Zones go at once, disks are full or slow, hosts have a detector.
#[test]
fn twenty_short_wide_seeds_hold() {
    let report = hold(&short_ones(Plan::draw_wide, 1, 20, |_| true));
    let asked = report
        .rates
        .table()
        .into_iter()
        .filter(|(_, asked, _)| *asked > 0);
    let during: Vec<&str> = asked.map(|(name, ..)| name).collect();
    let wide = ["zone", "full-disk", "slow-disk"];
    assert!(wide.iter().all(|name| during.contains(name)), "{during:?}");
}

/// Seeds that failed once, and what each taught.
#[test]
fn seeds_that_failed_once_hold() {
    let seeds = [
        // A round of collection lets no new deadline in until it ends: then one was refused for good that could wait.
        34, 297, 631, 18542,
        // Of one who had left or was down, a word that came late was believed: the clocks of the others seemed to be ahead.
        4171, 8578, 8467, 8708,
        // A clock that jumps ahead, in a ring of one, ends what has a deadline: the checker asked what it showed later.
        1706, 6218,
        // Each question that a host refused which had slept brought all open questions to it anew.
        10640,
        // Acknowledged under a roster that the others had left: the checker looked there alone.
        10072, 15165,
        // With one copy of each key a host slept through two moves, and put aside what nobody else could confirm.
        5748,
        // A large value that a move of the last roster was bringing came when the next one gave its place to others.
        2225, 5218,
        // One of three holders was lost for good, one was late: it waited for marks of both others for ever.
        15333,
        // A read was refused what it wrote back, twice: the second refusal was taken for one of what it wrote next.
        8972,
        // All members that a joining host had heard of left: it never again asked whom it had been told to ask.
        8541,
        // Two hosts were complete, fell, and came back with their spans closed to each other: whose marks are on disk
        // is on disk, too.
        238,
        // Two hosts lacked marks, each for another span, and refused each other's for everything.
        260,
        // A process that ends on a machine that runs on has lost nothing: it must not doubt its store.
        16, 246,
    ];
    hold(&seeds.map(Plan::draw));
}
