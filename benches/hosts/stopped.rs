//! A process stands still (SIGSTOP): how soon do all others know, and what do clients see meanwhile?

use std::time::{Duration, Instant};

use crate::host::{Hosts, wait_for};
use crate::requests::Client;
use crate::{percentile, verdict};

const HOSTS: usize = 5;

/// To reach.
const MEDIAN: Duration = Duration::from_secs(6);
const P99: Duration = Duration::from_secs(10);

pub(crate) fn measure(rounds: usize) {
    let hosts = Hosts::start(HOSTS, &[]);
    let everyone: Vec<usize> = hosts.all().collect();
    hosts.wait_until_agreed(&everyone, HOSTS);
    let (mut times, mut asked, mut retried, mut failed) = (Vec::new(), 0, 0, Vec::new());
    for round in 0..rounds {
        let victim = round % HOSTS;
        let others: Vec<usize> = hosts.all().filter(|host| *host != victim).collect();
        let client = Client::start(others.iter().map(|host| hosts.url(*host)).collect());
        std::thread::sleep(Duration::from_secs(1));
        hosts.signal(victim, "STOP");
        times.push(until(&hosts, &others, 1));
        hosts.signal(victim, "CONT");
        until(&hosts, &everyone, 0);
        let seen = client.end();
        asked += seen.took.len();
        retried += seen.retried;
        failed.extend(seen.failed);
    }
    times.sort_unstable();
    let (median, p99) = (percentile(&times, 50), percentile(&times, 99));
    let reached = verdict(median <= MEDIAN && p99 <= P99);
    println!("stopped: one of {HOSTS} hosts, {rounds} times; until all others know");
    println!(
        "  median {median:.1?}, 99th percentile {p99:.1?}, at most {MEDIAN:?} and {P99:?}: {reached}"
    );
    println!(
        "  {asked} requests at the others: {retried} asked again, {} failed twice: {}",
        failed.len(),
        verdict(failed.is_empty())
    );
    for why in failed {
        println!("    {why}");
    }
}

/// How long until each of these hosts takes so many for down.
fn until(hosts: &Hosts, these: &[usize], down: usize) -> Duration {
    let begin = Instant::now();
    let mut left = these.to_vec();
    wait_for("all to know", || {
        left.retain(|host| hosts.down(*host) != Some(down));
        left.is_empty().then_some(())
    });
    begin.elapsed()
}
