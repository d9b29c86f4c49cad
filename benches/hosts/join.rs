//! A fourth host joins three that hold much: how fast do its copies come, and what do clients feel of it?

use std::time::{Duration, Instant};

use redis::Value;

use crate::host::{Hosts, PATIENCE, connect, wait_for};
use crate::requests::{Client, Seen};
use crate::{percentile, verdict};

/// Bytes of one value.
const VALUE_BYTES: usize = 16 << 10;
const PER_MIB: usize = (1 << 20) / VALUE_BYTES;
/// How many are stored at once.
const BATCH: usize = 32;

/// Copies of each key, the usual number.
const REPLICAS: u32 = 3;

/// To reach: MB/s, how many times the latency, and how many times R K/N bytes.
const LEAST_MB_S: f64 = 150.0;
const MOST_TIMES_P99: f64 = 2.0;
const MOST_TIMES_BYTES: f64 = 1.05;

pub(crate) fn measure(mib: usize) {
    let mut hosts = Hosts::start(3, &[]);
    hosts.wait_until_agreed(&[0, 1, 2], 3);
    fill(&hosts, mib);
    let urls: Vec<String> = (0..3).map(|host| hosts.url(host)).collect();
    let client = Client::start(urls.clone());
    std::thread::sleep(Duration::from_secs(15));
    let before = client.end();
    let client = Client::start(urls);
    let fourth = hosts.add(|_| ());
    wait_for("the move to begin", || {
        (hosts.state(0)? == "moving").then_some(())
    });
    let begin = Instant::now();
    while hosts.state(0).as_deref() != Some("settled") {
        assert!(begin.elapsed() < 3 * PATIENCE, "the move does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = begin.elapsed();
    let during = client.end();
    hosts.wait_until_in(fourth);
    let received = received_bytes(hosts.pid(fourth));
    say(mib, took, received, before, during);
}

/// Stores that much, every value another one.
fn fill(hosts: &Hosts, mib: usize) {
    let mut connection = connect(&hosts.url(0)).expect("a host that listens");
    for first in (0..mib * PER_MIB).step_by(BATCH) {
        let mut pipe = redis::pipe();
        for number in first..first + BATCH {
            pipe.cmd("SET").arg(format!("kept:{number}"));
            pipe.arg(value(number));
        }
        // A disk that is busy with other things may be too slow for a request's deadline.
        wait_for("a batch to be stored", || {
            let stored: redis::RedisResult<Vec<Value>> = pipe.query(&mut connection);
            stored.ok()
        });
    }
}

/// Bytes that no engine can press together.
fn value(number: usize) -> Vec<u8> {
    let mut state = number as u64 + 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..VALUE_BYTES / 8).flat_map(|_| word()).collect()
}

/// What has come over a process's TCP connections, as the kernel counts it; `ss` is part of iproute2.
fn received_bytes(pid: u32) -> Option<f64> {
    let told = std::process::Command::new("ss")
        .args(["-tinpH"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let mut sum = 0.0;
    let mut mine = false;
    for line in text.lines() {
        if line.starts_with(char::is_whitespace) {
            let count = |word: &str| word.strip_prefix("bytes_received:")?.parse::<f64>().ok();
            sum += line
                .split_whitespace()
                .find_map(count)
                .filter(|_| mine)
                .unwrap_or(0.0);
        } else {
            mine = line.contains(&format!("pid={pid},"));
        }
    }
    Some(sum)
}

fn say(mib: usize, took: Duration, received: Option<f64>, before: Seen, during: Seen) {
    let stored = mib as f64 * 1.048_576;
    let due = stored * f64::from(REPLICAS) / 4.0;
    let came = received.map_or(due, |bytes| bytes / 1e6);
    let rate = came / took.as_secs_f64();
    println!("join: a fourth host, {stored:.0} MB of values stored three times");
    println!(
        "  {came:.0} MB came to it in {took:.1?}: {rate:.0} MB/s, at least {LEAST_MB_S}: {}",
        verdict(rate >= LEAST_MB_S)
    );
    if received.is_some() {
        let times = came / due;
        let reached = verdict(times <= MOST_TIMES_BYTES);
        println!(
            "  of {due:.0} MB, R K/N, that is {times:.3}, at most {MOST_TIMES_BYTES}: {reached}"
        );
    } else {
        println!("  what came is not known without `ss` (iproute2): taken for R K/N");
    }
    let p99 = |mut seen: Seen| {
        seen.took.sort_unstable();
        (percentile(&seen.took, 99), seen.failed.len())
    };
    let ((quiet, _), (busy, failed)) = (p99(before), p99(during));
    let times = busy.as_secs_f64() / quiet.as_secs_f64();
    println!(
        "  99th percentile of requests: {quiet:.1?} before, {busy:.1?} meanwhile, {times:.1} times, at most {MOST_TIMES_P99}: {}",
        verdict(times <= MOST_TIMES_P99)
    );
    println!("  {failed} requests failed twice");
}
