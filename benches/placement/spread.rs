//! How evenly keys spread, beside the numbers that Chord and Dynamo published.

use std::collections::BTreeMap;

use roundelay::keyspace::Id;
use roundelay::placement::{HostId, Member, Placement, even, moved, pieces, random, rebalance};

/// Chord, figure 8 (b): 10^4 nodes, 10^6 keys, r virtual nodes each; 1st and 99th percentile, read off.
const CHORD: [(usize, usize, usize); 5] = [
    (1, 0, 477),
    (2, 7, 347),
    (5, 24, 220),
    (10, 38, 186),
    (20, 50, 161),
];

fn at_random(hosts: u64, tokens: usize, seed: u64) -> Placement {
    let member = |n| (HostId(n), Member::new(random(seed * 1_000_000 + n, tokens)));
    Placement::from_members((0..hosts).map(member)).expect("random tokens differ")
}

fn join_evenly(placement: &mut Placement, host: u64, tokens: usize) {
    let chosen = even(placement, 1, tokens);
    placement
        .insert(HostId(host), Member::new(chosen))
        .expect("even tokens are free");
}

/// Keys per node for several numbers of virtual nodes.
pub(crate) fn load() {
    println!("Keys per host: 10,000 hosts, 1,000,000 keys, r random tokens a host; percentiles\n");
    println!(
        "{:>12} {:>6} {:>6} {:>6} {:>6}   Chord, 1st / 99th",
        "r", "1st", "50th", "99th", "max"
    );
    let keys = random(7, 1_000_000);
    for (r, low, high) in CHORD {
        let [p1, p50, p99, max] = percentiles(&at_random(10_000, r, 1), &keys);
        println!("{r:>12} {p1:>6} {p50:>6} {p99:>6} {max:>6}   {low} / {high}");
    }
    let mut placement = Placement::new();
    (0..1_000).for_each(|host| join_evenly(&mut placement, host, 16));
    let [p1, p50, p99, max] = percentiles(&placement, &keys[..100_000]);
    println!(
        "{:>12} {p1:>6} {p50:>6} {p99:>6} {max:>6}   77 / 124 with perfectly equal shares",
        "16 even"
    );
    println!(
        "{:>12} 1,000 hosts and 100,000 keys here: joining one by one 10,000 takes a while\n",
        ""
    );
}

fn percentiles(placement: &Placement, keys: &[Id]) -> [usize; 4] {
    let mut counts: BTreeMap<HostId, usize> = placement.hosts().map(|host| (host, 0)).collect();
    for key in keys {
        let owner = placement.owner(*key).expect("the ring has tokens");
        *counts.entry(owner.host).or_insert(0) += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable();
    let at = |percent: usize| counts[(counts.len() - 1) * percent / 100];
    [at(1), at(50), at(99), at(100)]
}

/// Even tokens while a ring grows, and `rebalance` after leaves.
pub(crate) fn even_tokens() {
    println!("Even tokens, 16 a host, beside random ones: max/mean of the shares of the circle\n");
    println!(
        "{:>6} {:>8} {:>8} {:>14}",
        "hosts", "even", "random", "a join moved"
    );
    let (mut placement, mut worst, mut worst_at) = (Placement::new(), 0.0, 0);
    for host in 0..1_000 {
        let before = placement.clone();
        join_evenly(&mut placement, host, 16);
        let (size, now) = (placement.len(), placement.max_over_mean());
        if size >= 3 && now > worst {
            (worst, worst_at) = (now, size);
        }
        if [3, 4, 5, 8, 10, 16, 17, 20, 33, 50, 100, 200, 500, 1_000].contains(&size) {
            let share = moved(&before, &placement)
                .iter()
                .map(|m| m.span.fraction())
                .sum::<f64>();
            let chance = at_random(size as u64, 16, 3).max_over_mean();
            println!(
                "{size:>6} {now:>8.3} {chance:>8.3} {share:>13.4} = {:.3}/{size}",
                share * size as f64
            );
        }
    }
    println!("worst from 3 to 1,000 hosts: {worst:.4}, at {worst_at} hosts\n");
    println!(
        "{:>22} {:>8} {:>8} {:>14} {:>12}",
        "after leaves", "before", "after", "tokens moved", "share moved"
    );
    for (gone, name) in [
        (1, "1 of 1,000"),
        (100, "100 of 1,000"),
        (300, "300 of 1,000"),
        (900, "900 of 1,000"),
    ] {
        let mut left = placement.clone();
        (0..gone).for_each(|n| drop(left.remove(HostId(n * 7 % 1_000))));
        let r = rebalance(&left);
        let (tokens, share) = (r.tokens_moved, r.share_moved());
        println!(
            "{name:>22} {:>8.3} {:>8.3} {tokens:>14} {share:>12.4}",
            r.before, r.after
        );
    }
    println!();
}

/// Dynamo, figure 8: mean load / max load of 30 hosts with 3 copies of each key, read off the figure.
const DYNAMO: [(usize, f64, f64); 5] = [
    (60, 0.52, 0.86),
    (240, 0.69, 0.90),
    (960, 0.82, 0.94),
    (3840, 0.91, 0.97),
    (30_720, 0.96, 0.99),
];

/// The efficiency of three ways to place, all 3 copies counted.
pub(crate) fn dynamo() {
    println!(
        "Mean load / max load, 30 hosts, 3 copies of each key, by tokens in all (Dynamo, figure 8)\n"
    );
    println!(
        "{:>7} {:>8} {:>8} {:>18} {:>18}",
        "tokens", "random", "even", "Dynamo: random", "equal partitions"
    );
    for (units, random_tokens, equal) in DYNAMO {
        let runs = 20;
        let chance = (0..runs)
            .map(|seed| efficiency(&at_random(30, units / 30, seed)))
            .sum::<f64>();
        let mut evenly = Placement::new();
        (0..30).for_each(|host| join_evenly(&mut evenly, host, units / 30));
        let (chance, evenly) = (chance / runs as f64, efficiency(&evenly));
        println!("{units:>7} {chance:>8.2} {evenly:>8.2} {random_tokens:>18.2} {equal:>18.2}");
    }
    println!();
}

fn efficiency(placement: &Placement) -> f64 {
    let mut loads: BTreeMap<HostId, f64> = BTreeMap::new();
    for piece in pieces(placement, 3, placement, 3) {
        for host in piece.new {
            *loads.entry(host).or_insert(0.0) += piece.span.fraction();
        }
    }
    let max = loads.values().copied().fold(0.0, f64::max);
    3.0 / 30.0 / max
}
