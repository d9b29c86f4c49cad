//! `roundelay sim`: many seeds at once, or one again.
//!
//! The laboratory lives through one seed in one thread. Here are the threads and the terminal: results are
//! printed in the order of seeds, whichever thread was done first, so that the same command prints the same
//! bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use roundelay::lab::sweep::{Plan, Report, replay, sweep, why};
use roundelay::record::Time;

/// What is done in the laboratory.
#[derive(clap::Subcommand)]
pub(super) enum Sim {
    /// Live through many seeds: rings, clients and faults are drawn from each, and every rule is checked
    Sweep {
        /// How many seeds
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// The first one
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Threads; each lives through one seed at a time [default: one a core]
        #[arg(long)]
        threads: Option<usize>,
        /// End with the first seed that fails
        #[arg(long)]
        stop: bool,
        /// Wide worlds: zones go at once, disks are full or slow, hosts have a detector
        #[arg(long)]
        wide: bool,
    },
    /// Live through one seed again
    Replay {
        /// The seed
        seed: u64,
        /// Trace only up to this virtual second
        #[arg(long, value_name = "SECONDS")]
        until: Option<f64>,
        /// Print a line for everything that happens
        #[arg(long)]
        trace: bool,
        /// The wide world of that seed
        #[arg(long)]
        wide: bool,
    },
}

/// Does it; exit code 1 if a rule was broken.
pub(super) fn run(sim: &Sim) -> anyhow::Result<ExitCode> {
    let held = match sim {
        Sim::Sweep {
            seeds,
            seed,
            threads,
            stop,
            wide,
        } => {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let seeds = Seeds {
                first: *seed,
                count: *seeds,
                draw: draw(*wide),
                stop: *stop,
            };
            sweep_all(&seeds, threads.unwrap_or(cores))?
        }
        Sim::Replay {
            seed,
            until,
            trace,
            wide,
        } => again(draw(*wide)(*seed), *until, *trace)?,
    };
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The seeds of a sweep.
struct Seeds {
    first: u64,
    count: u64,
    /// What a seed means.
    draw: fn(u64) -> Plan,
    /// Whether it ends with the first that fails.
    stop: bool,
}

fn draw(wide: bool) -> fn(u64) -> Plan {
    if wide { Plan::draw_wide } else { Plan::draw }
}

fn sweep_all(seeds: &Seeds, threads: usize) -> anyhow::Result<bool> {
    anyhow::ensure!(threads > 0, "--threads 0: at least one thread is needed");
    let Seeds { first, count, .. } = seeds;
    let end = first.checked_add(*count);
    let end = end
        .ok_or_else(|| anyhow::anyhow!("--seed {first}: with {count} seeds that is beyond 2^64"))?;
    let next = AtomicU64::new(*first);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (next, tell) = (&next, tell.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || tell.send((seed, sweep((seeds.draw)(seed)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        print_in_order(seeds, told)
    })
}

fn print_in_order(seeds: &Seeds, told: mpsc::Receiver<(u64, Report)>) -> anyhow::Result<bool> {
    let bar = ProgressBar::new(seeds.count);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} seeds, {eta} left {msg}",
    )?);
    let mut early = BTreeMap::new();
    let (mut sum, mut next, mut failed) = (Report::default(), seeds.first, Vec::new());
    // Whoever still lives through a seed when this ends early finds that nobody listens, and ends too.
    'told: for (seed, report) in told {
        early.insert(seed, report);
        while let Some(report) = early.remove(&next) {
            sum.add(&report);
            if let Some(violation) = report.violations.first() {
                failed.push(next);
                bar.set_message(format!("{} failed", failed.len()));
                let text = format!(
                    "seed {next} failed\n{}",
                    why(&(seeds.draw)(next), violation)
                );
                bar.suspend(|| print(&format!("{text}\n")))?;
            }
            next += 1;
            bar.inc(1);
            if seeds.stop && !failed.is_empty() {
                break 'told;
            }
        }
    }
    bar.finish_and_clear();
    print(&sum.to_string())?;
    let list: Vec<String> = failed.iter().map(u64::to_string).collect();
    match list.is_empty() {
        true => print("no rule was broken\n")?,
        false => print(&format!(
            "{} of {} seeds failed: {}\n",
            list.len(),
            sum.seeds,
            list.join(" ")
        ))?,
    }
    Ok(list.is_empty())
}

fn again(plan: Plan, until: Option<f64>, trace: bool) -> anyhow::Result<bool> {
    let until = match until.map(Duration::try_from_secs_f64) {
        None => None,
        Some(Ok(until)) => Some(Time::ZERO + until),
        Some(Err(error)) => anyhow::bail!("--until: {error}"),
    };
    let trace = trace || until.is_some();
    let line: Option<roundelay::lab::sweep::OnLine> = trace.then(|| {
        let mut out = std::io::BufWriter::new(std::io::stdout());
        let line: roundelay::lab::sweep::OnLine = Box::new(move |line| {
            let _ = writeln!(out, "{line}"); // Whoever reads from a pipe may stop early.
        });
        line
    });
    let told = replay(plan, until, line);
    let held = told.is_ok();
    print(&told.unwrap_or_else(|text| text))?;
    if held {
        print("no rule was broken\n")?;
    }
    Ok(held)
}

fn print(text: &str) -> anyhow::Result<()> {
    super::print(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use roundelay::lab::check::{Rule, Violation};

    use super::*;

    fn seeds(count: u64, stop: bool) -> Seeds {
        Seeds {
            first: 1,
            count,
            draw: Plan::draw,
            stop,
        }
    }

    #[test]
    fn one_seed_that_failed_is_enough() {
        let told = |stop, reports: Vec<(u64, Report)>| {
            let (tell, told) = mpsc::channel();
            let count = reports.len() as u64;
            reports
                .into_iter()
                .for_each(|told| tell.send(told).unwrap());
            drop(tell);
            print_in_order(&seeds(count, stop), told).unwrap()
        };
        let violation = Violation {
            rule: Rule::Serves,
            at: Time::ZERO,
            key: None,
            words: "nobody answered".to_owned(),
        };
        let failed = Report {
            violations: vec![violation],
            ..Report::default()
        };
        // Done out of order, as threads are.
        let well = Report::default;
        assert!(told(false, vec![(2, well()), (1, well())]));
        assert!(!told(false, vec![(2, well()), (1, failed.clone())]));
        assert!(told(true, vec![(1, well()), (2, well())]));
        assert!(!told(true, vec![(2, well()), (1, failed.clone())]));
        // Nobody is waited for after it: this would be without an end.
        let (tell, told) = mpsc::channel();
        tell.send((1, failed)).unwrap();
        assert!(!print_in_order(&seeds(2, true), told).unwrap());
        assert!(tell.send((2, well())).is_err(), "nobody listens");
    }
}
