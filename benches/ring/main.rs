//! What does a hop cost, and a process? Our ring beside bare actix, bare tokio channels and Erlang.
//!
//! ```sh
//! cargo bench --bench ring
//! cargo bench --bench ring -- --sizes 1000 --hops 100000 --repetitions 3
//! ```
//!
//! Every run of every ring is a process of its own, so memory is counted from zero; the rings take
//! turns, so that a busy moment of the machine hits them alike. Times are times on the processor. The
//! tables show medians, as they stand in `docs/performance.md`.

mod rings;

use std::{
    io::{self, Write},
    num::NonZeroU32,
    path::Path,
    process::Command,
};

use anyhow::{Context, bail, ensure};
use clap::{Parser, ValueEnum};
use rings::Figures;

/// The allocator of the program `roundelay`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares process rings.
#[derive(Parser)]
struct Options {
    /// How many processes
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    sizes: Vec<NonZeroU32>,
    /// How many hops the message makes
    #[arg(long, default_value = "2000000", value_parser = clap::value_parser!(u32).range(1..))]
    hops: u32,
    /// How often each is run
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..100))]
    repetitions: u32,
    /// Run only this ring, once, with the first size, and print bare figures
    #[arg(long, value_enum, hide = true)]
    only: Option<Kind>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Kind {
    Ours,
    Actix,
    Channels,
    Erlang,
}

/// Resident memory comes in pages of up to 2 MiB: below so many processes it says nothing of one.
const LEAST_FOR_BYTES: u32 = 50_000;

/// What is measured, and what our figure may be: (times Erlang's, times that of bare actix).
struct Measure {
    name: &'static str,
    /// In smaller rings it is not told.
    least: u32,
    of: fn(&Figures) -> u64,
    of_erlang: fn(u32) -> f64,
    of_actix: Option<f64>,
}

const MEASURES: [Measure; 3] = [
    Measure {
        name: "ns per hop",
        least: 1,
        of: |figures| figures.ns_per_hop,
        of_erlang: |size| if size <= 100_000 { 0.4 } else { 0.6 },
        of_actix: Some(1.15),
    },
    Measure {
        name: "ns to start and link one process",
        least: 1,
        of: |figures| figures.ns_to_start,
        of_erlang: |_| 0.4,
        of_actix: None,
    },
    Measure {
        name: "bytes per process",
        least: LEAST_FOR_BYTES,
        of: |figures| figures.bytes,
        of_erlang: |_| 0.5,
        of_actix: None,
    },
];

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(kind) = options.only {
        let size = *options.sizes.first().context("--sizes is empty")?;
        let figures = run_here(kind, size, options.hops)?;
        println!(
            "{} {} {}",
            figures.ns_per_hop, figures.ns_to_start, figures.bytes
        );
        return Ok(());
    }
    let erlang = erlang();
    let mut kinds = vec![Kind::Ours, Kind::Actix, Kind::Channels];
    match &erlang {
        Ok(version) => {
            println!(
                "{} hops, medians of {}; {version}",
                options.hops, options.repetitions
            );
            kinds.push(Kind::Erlang);
        }
        Err(why) => println!("NO ERLANG COLUMN, its targets are not judged: {why:#}"),
    }
    let mut results = Vec::new();
    for size in &options.sizes {
        results.push((*size, measure(&kinds, *size, &options)?));
    }
    for measure in &MEASURES {
        print_table(measure, &kinds, &results);
    }
    Ok(())
}

/// The median figures of each ring at one size.
fn measure(kinds: &[Kind], size: NonZeroU32, options: &Options) -> anyhow::Result<Vec<Figures>> {
    let mut runs = vec![Vec::new(); kinds.len()];
    for repetition in 1..=options.repetitions {
        eprint!(
            "\r{size} processes, run {repetition} of {} ",
            options.repetitions
        );
        io::stderr().flush()?;
        // Who comes after another finds the memory that one gave back, so each comes after each: by turns round and back.
        for turn in 0..kinds.len() {
            let mut next = (turn + repetition as usize / 2) % kinds.len();
            if repetition % 2 == 1 {
                next = kinds.len() - 1 - next;
            }
            runs[next].push(run_apart(kinds[next], size, options.hops)?);
        }
    }
    eprintln!();
    let median = |runs: &Vec<Figures>, of: fn(&Figures) -> u64| {
        let mut values: Vec<u64> = runs.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let medians = runs.iter().map(|runs| Figures {
        ns_per_hop: median(runs, |f| f.ns_per_hop),
        ns_to_start: median(runs, |f| f.ns_to_start),
        bytes: median(runs, |f| f.bytes),
    });
    Ok(medians.collect())
}

fn run_here(kind: Kind, size: NonZeroU32, hops: u32) -> anyhow::Result<Figures> {
    match kind {
        Kind::Ours => rings::ours(size, hops),
        Kind::Actix => rings::actix(size, hops),
        Kind::Channels => rings::channels(size, hops),
        Kind::Erlang => bail!("Erlang does not run in here"),
    }
}

/// One run in a process of its own.
fn run_apart(kind: Kind, size: NonZeroU32, hops: u32) -> anyhow::Result<Figures> {
    let (size, hops) = (size.to_string(), hops.to_string());
    let mut command = match kind {
        Kind::Ours | Kind::Actix | Kind::Channels => {
            let mut command = Command::new(std::env::current_exe()?);
            let name = kind.to_possible_value().context("a ring without a name")?;
            command.args(["--sizes", &size, "--hops", &hops, "--only", name.get_name()]);
            command
        }
        Kind::Erlang => {
            let mut command = Command::new("erl");
            command.args(["+S", "1:1", "+P", "4000000", "-noshell", "-pa"]);
            command
                .arg(env!("CARGO_TARGET_TMPDIR"))
                .args(["-run", "ring", "main", &size, &hops]);
            command
        }
    };
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    ensure!(
        output.status.success() && numbers.len() >= 3,
        "{kind:?} with {size} processes: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Figures {
        ns_per_hop: numbers[0],
        ns_to_start: numbers[1],
        bytes: numbers[2],
    })
}

/// Compiles the Erlang ring; says which Erlang it is.
fn erlang() -> anyhow::Result<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ring/ring.erl");
    let mut erlc = Command::new("erlc");
    let compiled = erlc
        .arg("-o")
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .arg(source)
        .output();
    let compiled = compiled.context("`erlc` cannot be started (Debian: erlang-base)")?;
    ensure!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stdout)
    );
    let ask = "io:format(\"Erlang/OTP ~s (~s)\", [erlang:system_info(otp_release), \
               erlang:system_info(emu_flavor)]), halt().";
    let answer = Command::new("erl")
        .args(["-noshell", "-eval", ask])
        .output()?;
    Ok(String::from_utf8(answer.stdout)?)
}

fn print_table(measure: &Measure, kinds: &[Kind], results: &[(NonZeroU32, Vec<Figures>)]) {
    println!(
        "\n| {} | ours | actix | channels | Erlang | ours : Erlang | ours : actix |",
        measure.name
    );
    println!("|---|---|---|---|---|---|---|");
    let told = results
        .iter()
        .filter(|(size, _)| size.get() >= measure.least);
    for (size, figures) in told {
        let value = |kind| {
            let place = kinds.iter().position(|k| *k == kind)?;
            Some((measure.of)(&figures[place]))
        };
        let cell = |kind| value(kind).map_or("–".to_owned(), |value| value.to_string());
        let ratio = |other, limit: Option<f64>| verdict(value(Kind::Ours), value(other), limit);
        println!(
            "| {size} processes | {} | {} | {} | {} | {} | {} |",
            cell(Kind::Ours),
            cell(Kind::Actix),
            cell(Kind::Channels),
            cell(Kind::Erlang),
            ratio(Kind::Erlang, Some((measure.of_erlang)(size.get()))),
            ratio(Kind::Actix, measure.of_actix),
        );
    }
}

/// `0.31, at most 0.40: reached`.
#[allow(
    clippy::cast_precision_loss,
    reason = "ratios are shown with two digits"
)]
fn verdict(ours: Option<u64>, other: Option<u64>, limit: Option<f64>) -> String {
    let (Some(ours), Some(other)) = (ours, other) else {
        return "–".into();
    };
    let ratio = ours as f64 / other as f64;
    match limit {
        None => format!("{ratio:.2}"),
        Some(limit) if ratio <= limit => format!("{ratio:.2}, at most {limit:.2}: reached"),
        Some(limit) => format!("{ratio:.2}, at most {limit:.2}: **missed**"),
    }
}
