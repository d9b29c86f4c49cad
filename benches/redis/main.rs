//! The same load on Redis and here, by turns: how many requests a second?
//!
//! ```console
//! $ cargo bench --profile release --bench redis                      # all parts, about five minutes
//! $ cargo bench --profile release --bench redis -- memory everysec   # some: memory, everysec, always, cluster
//! $ cargo bench --profile release --bench redis -- --rounds 3 --requests 20000
//! ```
//!
//! ```text
//! memory      redis-server                        roundelay serve --replicas 1
//! everysec    the same, --appendfsync everysec    the same, --data-dir, --fsync everysec
//! always      the same, --appendfsync always      the same, --data-dir, --fsync always
//! cluster     three primaries, three replicas     three hosts, three copies of each key
//! ```
//!
//! What is compared runs at the same time on the same machine, the one idle while the other is asked, and what is told
//! is the median of the rounds. The client, `redis-benchmark`, takes its part of the cores, so on a small machine a
//! server is measured by what is left. Redis must be installed; all else is started here, in a directory that goes.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod cluster;
mod load;
#[allow(dead_code, reason = "of the process tests' helpers few are needed")]
#[allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#[path = "../../tests/processes/host.rs"]
mod process;
mod servers;
mod single;

use std::process::ExitCode;

/// How much is asked.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    /// Requests of one command in one round, in memory, one in flight for each client.
    requests: usize,
}

const PARTS: [&str; 4] = ["memory", "everysec", "always", "cluster"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|flag| flag == "--bench") {
        println!("redis: nothing measured; figures come from `cargo bench --bench redis`");
        return ExitCode::SUCCESS;
    }
    let asked = read(&args).and_then(|asked| servers::are_here().map(|()| asked));
    let (effort, parts) = match asked {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("redis: {why}");
            return ExitCode::from(2);
        }
    };
    println!("load average: {}", load_average());
    for part in parts {
        let done = match part {
            "cluster" => cluster::measure(effort),
            policy => single::measure(policy, effort),
        };
        if let Err(why) = done {
            eprintln!("redis: {part}: {why:#}");
            return ExitCode::FAILURE;
        }
    }
    println!("load average: {}", load_average());
    ExitCode::SUCCESS
}

/// What is asked for: how much, and which parts.
fn read(args: &[String]) -> Result<(Effort, Vec<&'static str>), String> {
    let mut effort = Effort {
        rounds: 5,
        requests: 60_000,
    };
    let mut parts = Vec::new();
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let number = match word {
            "--bench" => continue,
            "--rounds" => &mut effort.rounds,
            "--requests" => &mut effort.requests,
            other => {
                let part = PARTS.into_iter().find(|part| *part == other);
                parts.push(part.ok_or_else(|| {
                    let all = PARTS.join(", ");
                    format!("no part {other:?}: there are {all}; and --rounds N, --requests N")
                })?);
                continue;
            }
        };
        let said = words.next().unwrap_or_default();
        *number = said
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("{word} wants a number above 0, not {said:?}"))?;
    }
    if parts.is_empty() {
        parts.extend(PARTS);
    }
    Ok((effort, parts))
}

fn load_average() -> String {
    let said = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = said.split(' ').take(3).collect();
    words.join(" ")
}

/// How a figure stands beside what was to be reached.
fn verdict(ratio: f64, least: f64) -> String {
    let reached = if ratio >= least { "reached" } else { "missed" };
    format!("{least}: {reached}")
}

/// The middle one.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
