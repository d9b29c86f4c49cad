//! What hosts do when one joins, when one stops answering, and when nothing is asked of them. Real processes, on
//! loopback, as people start them.
//!
//! ```console
//! $ cargo bench --bench hosts                        # all three, about five minutes and 6 GB of disk
//! $ cargo bench --bench hosts -- join --mib 256      # one of them: idle, stopped, join
//! $ cargo bench --bench hosts -- stopped --rounds 21
//! ```
//!
//! Times are by the clock on the wall: here it is the waiting that counts. On a machine that does other things as well
//! they are longer.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot go on says why and ends"
)]

#[allow(dead_code, reason = "the process tests use the rest of it")]
#[path = "../../tests/processes/host.rs"]
mod host;
mod idle;
mod join;
mod requests;
mod stopped;

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|flag| flag == "--bench") {
        println!("hosts: nothing measured; figures come from `cargo bench --bench hosts`");
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, usual: usize| -> Result<usize, String> {
        let Some(at) = args.iter().position(|arg| arg == name) else {
            return Ok(usual);
        };
        let said = args.get(at + 1).map(String::as_str).unwrap_or_default();
        let number = said.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| format!("{name} wants a number above 0, not {said:?}"))
    };
    let (mib, rounds) = match (number("--mib", 1024), number("--rounds", 11)) {
        (Ok(mib), Ok(rounds)) => (mib, rounds),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("hosts: {error}");
            return ExitCode::from(2);
        }
    };
    let named = |name: &str| args.iter().any(|arg| arg == name);
    let all = !["idle", "stopped", "join"].into_iter().any(named);
    if all || named("idle") {
        idle::measure();
    }
    if all || named("stopped") {
        stopped::measure(rounds);
    }
    if all || named("join") {
        join::measure(mib);
    }
    ExitCode::SUCCESS
}

/// The value below which that share of them lies; of few values the 99th percentile is the greatest.
fn percentile(sorted: &[Duration], hundredths: usize) -> Duration {
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// Resident memory of a process, in MB.
fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: f64 = kib.and_then(|kib| kib.parse().ok()).expect("a size");
    kib * 1024.0 / 1e6
}

/// How a figure stands beside what was to be reached.
fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "missed" }
}
