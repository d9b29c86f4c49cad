//! What can be asked of the example, and what cannot.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use roundelay::find::Routes;

/// A DHT of actors in one process: it grows, is used, loses hosts, and loses no data.
#[derive(Debug, Parser)]
#[command(name = "sim_dht", allow_negative_numbers = true)]
pub(crate) struct Options {
    /// How many hosts form the ring
    #[arg(long, default_value = "10", value_parser = |text: &str| number(text, 1, 100_000))]
    pub(crate) nodes: u32,
    /// How many tokens each of them has
    #[arg(long, default_value = "3", value_parser = |text: &str| number(text, 1, 256))]
    pub(crate) tokens: u32,
    /// How many keys are stored; without it, one for each line of the text
    #[arg(long, value_parser = |text: &str| number(text, 1, 10_000_000))]
    pub(crate) keys: Option<u32>,
    /// The text whose lines are stored; without it, The Hunting of the Snark
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// How many copies of each key are kept
    #[arg(long, default_value = "5", value_parser = |text: &str| number(text, 1, 16))]
    pub(crate) replicas: u32,
    /// How far a host sees
    #[arg(long, value_enum, default_value_t = Sight::All)]
    pub(crate) routes: Sight,
    /// The same seed gives the same run
    #[arg(long, default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Print every message and every decision
    #[arg(long)]
    pub(crate) trace: bool,
    /// Fill each value up to so many bytes
    #[arg(long, default_value = "0", value_parser = |text: &str| number(text, 0, 16 * 1024 * 1024))]
    pub(crate) value_size: u32,
    /// Let so many hosts crash, one after the other, waiting each time until all copies are back
    #[arg(long, value_parser = |text: &str| number(text, 1, 99_999))]
    pub(crate) kill: Option<u32>,
    /// With --kill: all together, without waiting
    #[arg(long, requires = "kill")]
    pub(crate) at_once: bool,
}

/// How far a host sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sight {
    /// Its next and its prev
    Neighbours,
    /// Some nodes at growing distances
    Fingers,
    /// Everyone
    All,
}

impl Sight {
    /// From the shortest to the furthest.
    pub(crate) const EACH: [Sight; 3] = [Sight::Neighbours, Sight::Fingers, Sight::All];

    /// The setting of the library.
    pub(crate) fn routes(self) -> Routes {
        match self {
            Sight::Neighbours => Routes::Neighbours,
            Sight::Fingers => Routes::Fingers,
            Sight::All => Routes::All,
        }
    }

    /// How a lookup by it is called.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Sight::Neighbours => "by neighbours",
            Sight::Fingers => "by fingers",
            Sight::All => "in one hop",
        }
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        Ok(_) | Err(_) => Err(format!("give a whole number from {least} to {most}")),
    }
}

impl Options {
    /// What no single option shows to be wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (kill, nodes) = (self.kill.unwrap_or(0), self.nodes);
        if kill >= nodes {
            return Err(format!(
                "--kill {kill} of --nodes {nodes}: at least one host must stay; kill fewer, or start more"
            ));
        }
        if kill == 0 || self.at_once {
            return Ok(());
        }
        // Whoever dies is removed, and that needs a majority of the hosts and of each key's copies.
        if kill + 2 > nodes {
            return Err(format!(
                "--kill {kill} of --nodes {nodes}: one after the other two hosts must stay, for of two neither can \
                 remove the other; kill fewer, start more, or add --at-once"
            ));
        }
        if self.replicas < 3 {
            return Err(format!(
                "--kill {kill} with --replicas {}: one after the other takes 3 copies or more, of which one can be \
                 spared; keep more, or add --at-once",
                self.replicas
            ));
        }
        Ok(())
    }
}
