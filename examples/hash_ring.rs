//! Who owns a key: modulo, the circle, and virtual nodes, in tables and drawings.
//!
//! ```console
//! $ cargo run --example hash_ring
//! $ cargo run --example hash_ring -- --hosts 30 --keys 100000 --tokens 16
//! ```
//!
//! Everything printed is computed by `roundelay::placement`; `--part` shows one part of the story.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use roundelay::keyspace::Id;

#[path = "hash_ring/circle.rs"]
mod circle;
#[path = "hash_ring/load.rs"]
mod load;
#[path = "hash_ring/story.rs"]
mod story;

/// The story of consistent hashing: what moves when a host joins or leaves, and how even the load is.
#[derive(Parser)]
#[command(allow_negative_numbers = true)]
struct Options {
    /// How many hosts there are before one more joins
    #[arg(long, default_value = "10", value_parser = |text: &str| number(text, 1, 1_000))]
    hosts: u32,
    /// How many keys are placed
    #[arg(long, default_value = "10000", value_parser = |text: &str| number(text, 1, 10_000_000))]
    keys: u32,
    /// Tokens (virtual nodes) of each host
    #[arg(long, default_value = "16", value_parser = |text: &str| number(text, 1, 1_000))]
    tokens: u32,
    /// Where chance begins
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Who stands on the circle of the first part, separated by commas
    #[arg(
        long,
        default_value = "carol,alice,frank,dave,grace",
        value_delimiter = ','
    )]
    names: Vec<String>,
    /// Which part of the story
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Everything below, in this order
    All,
    /// Names on the circle, their distances and spans
    Circle,
    /// Hash modulo N against the circle
    Modulo,
    /// Eight keys and three nodes
    Eight,
    /// An exact hit, the way past zero, remove and add back
    Cases,
    /// One token a host, several, and even ones
    Load,
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("give a whole number from {least} to {most}")),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match tell(&options, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough, as with `| head`.
        Err(error) if error.downcast_ref().is_some_and(is_closed) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn tell(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let wants = |part| options.part == Part::All || options.part == part;
    if wants(Part::Circle) {
        circle::circle(&options.names, out)?;
    }
    if wants(Part::Modulo) {
        story::modulo(options, out)?;
    }
    if wants(Part::Eight) {
        story::eight(out)?;
    }
    if wants(Part::Cases) {
        story::cases(out)?;
    }
    if wants(Part::Load) {
        load::load(options, out)?;
    }
    Ok(())
}

fn keys(options: &Options) -> Vec<Id> {
    (0..options.keys)
        .map(|n| Id::of(format!("key {n}").as_bytes()))
        .collect()
}
