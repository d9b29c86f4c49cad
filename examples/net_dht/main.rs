//! Stage three: the DHT over TCP. This program starts itself as three processes, stores a text, kills one of
//! them, and reads everything again; then a fourth joins, and the dead one comes back.
//!
//! ```sh
//! cargo run --example net_dht
//! ```
//!
//! Each process embeds a host by `Dht::builder()` and does what it is told on its standard input, a line each. It ends
//! when that is closed, so none outlives this program.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes have a real clock"
)]

mod child;
mod host;
mod tidy;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, ensure};
use child::Child;

const HELP: &str = "\
A DHT of three processes over TCP: a text is stored, one process is killed, and nothing is lost

Usage: net_dht

It takes no arguments, some ten seconds, free ports of this machine, and a directory of its own under that
for temporary files. When it ends, the processes have ended and the directory is gone.";

/// What is stored: a line under each number.
const TEXT: &str = "\
The Walrus and the Carpenter
  Were walking close at hand;
They wept like anything to see
  Such quantities of sand:
If this were only cleared away,
  They said, it would be grand!
If seven maids with seven mops
  Swept it for half a year,
Do you suppose, the Walrus said,
  That they could get it clear?
I doubt it, said the Carpenter,
  And shed a bitter tear.";

fn main() -> ExitCode {
    if std::env::var_os(host::DIRECTORY).is_some() {
        return host::run();
    }
    if let Some(argument) = std::env::args().nth(1) {
        if matches!(argument.as_str(), "-h" | "--help") {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        eprintln!("net_dht: it takes no arguments, got {argument:?}; --help says what it does");
        return ExitCode::from(2);
    }
    match play() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("net_dht: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A line of the story. Who reads from a pipe may stop early; the play goes on to clean up.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn play() -> anyhow::Result<()> {
    let begin = Instant::now();
    let dir = tempfile::tempdir().context("no place for the hosts' data")?;
    tidy::when_told_to_end(dir.path());
    let place = |name: &str| dir.path().join(name);
    let mut h1 = Child::start("h1", &place("h1"), &[])?;
    h1.wait_until_it_is_in()?;
    let seeds = [h1.address().to_string()];
    let mut h2 = Child::start("h2", &place("h2"), &seeds)?;
    let mut h3 = Child::start("h3", &place("h3"), &seeds)?;
    h2.wait_until_it_is_in()?;
    h3.wait_until_it_is_in()?;
    say("three processes form a ring");

    for (n, line) in (1..).zip(TEXT.lines()) {
        h1.ask(&format!("put {n} {line}"))?;
    }
    say(&format!("{} lines are stored at h1", TEXT.lines().count()));
    read_all(&mut h3)?;

    h2.kill()?;
    say("h2 is killed (SIGKILL)");
    read_all(&mut h1)?;
    read_all(&mut h3)?;

    let mut h4 = Child::start("h4", &place("h4"), &seeds)?;
    h4.wait_until_it_is_in_while(|progress| say(&format!("  h4 {progress}")))?;
    say("a fourth has joined and holds its share");
    read_all(&mut h4)?;

    let seeds = [h1.address().to_string(), h3.address().to_string()];
    let mut h2 = Child::start("h2", &place("h2"), &seeds)?;
    h2.wait_until_it_is_in()?;
    say("h2 is back, with what its disk kept");
    read_all(&mut h2)?;
    let seconds = begin.elapsed().as_secs_f64();
    say(&format!("nothing was lost; {seconds:.0} seconds in all"));
    Ok(())
}

/// Reads every line at one host, and compares.
fn read_all(at: &mut Child) -> anyhow::Result<()> {
    for (n, line) in (1..).zip(TEXT.lines()) {
        let read = at.ask(&format!("get {n}"))?;
        ensure!(
            read == line,
            "{} read {read:?} for line {n}, not {line:?}",
            at.name()
        );
    }
    say(&format!("all lines are read at {}", at.name()));
    Ok(())
}
