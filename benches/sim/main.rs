//! What does a simulated message cost, and how large may a world be?
//!
//! ```sh
//! cargo bench --bench sim -- --stats
//! cargo bench --bench sim -- --stats --only plain --nodes 1000
//! ```
//!
//! The load is the same everywhere: one request per host and second, half puts and half gets of 20
//! bytes, while hosts stabilise and gossip every second. Each measurement is a process of its own, so
//! memory is counted from zero. Times are processor time.

mod worlds;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

/// The allocator of the program `roundelay`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures simulated worlds.
#[derive(Parser)]
struct Options {
    /// Print every figure of a run, not only the one that was to be reached
    #[arg(long)]
    stats: bool,
    /// Only this measurement, in this process
    #[arg(long, value_enum)]
    only: Option<Kind>,
    /// With --only: another number of hosts
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..1_000_000))]
    nodes: Option<u32>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The plain loop, encoding off
    Plain,
    /// The plain loop, every message encoded and decoded
    Encoded,
    /// By actors under the paused clock
    Actors,
    /// Virtual time against real time
    Speed,
    /// A quorum put, every message encoded and decoded
    Puts,
    /// Hosts with data
    Memory,
    /// Joining by the links protocol
    Joins,
}

impl Kind {
    const EACH: [Kind; 7] = [
        Kind::Plain,
        Kind::Encoded,
        Kind::Actors,
        Kind::Speed,
        Kind::Puts,
        Kind::Memory,
        Kind::Joins,
    ];

    fn nodes(self) -> u32 {
        match self {
            Kind::Plain | Kind::Encoded | Kind::Actors | Kind::Memory => 10_000,
            Kind::Speed => 100,
            Kind::Puts => 5,
            Kind::Joins => 100_000,
        }
    }
}

/// One line of the table.
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// What came out.
    pub(crate) got: String,
    /// What was to be reached.
    pub(crate) goal: &'static str,
    /// Everything else about the run.
    pub(crate) stats: String,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(only) = options.only {
        let figure = worlds::measure(only, options.nodes.unwrap_or(only.nodes()))?;
        println!("| {} | {} | {} |", figure.what, figure.got, figure.goal);
        if options.stats {
            println!("  {}", figure.stats);
        }
        return Ok(());
    }
    println!("| | measured | to reach |\n|---|---|---|");
    let me = std::env::current_exe().context("a bench knows its own program")?;
    for kind in Kind::EACH {
        let name = kind.to_possible_value().context("no kind is hidden")?;
        let mut command = Command::new(&me);
        command.args(["--only", name.get_name()]);
        if options.stats {
            command.arg("--stats");
        }
        ensure!(command.status()?.success(), "{kind:?} failed");
    }
    Ok(())
}
