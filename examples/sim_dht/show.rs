//! Tables and pictures.

use std::fmt::{self, Display};
use std::io::{self, Write};

use anyhow::Result;
use roundelay::message::Route;
use roundelay::placement::draw;
use roundelay::sim::Traffic;

use crate::play::Play;

/// Larger rings are shown by their extremes.
const SHOWN: usize = 32;

/// Standard output. Who reads it from a pipe may stop early, as in `sim_dht | head -3`: then the program ends
/// at once, and without complaint.
pub(crate) struct Screen;

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(io::stdout().flush())
    }
}

fn unless_closed<T>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Ok(_) | Err(_) => result,
    }
}

/// Prints, or ends the program if that cannot be.
pub(crate) fn print(words: fmt::Arguments<'_>) {
    if let Err(error) = Screen.write_fmt(words) {
        eprintln!("error: cannot write to standard output: {error}");
        std::process::exit(1);
    }
}

/// Prints a line, as `println!` does.
macro_rules! tell {
    () => { $crate::show::print(format_args!("\n")) };
    ($format:literal $($rest:tt)*) => { $crate::show::print(format_args!("{}\n", format_args!($format $($rest)*))) };
}

/// A headline.
pub(crate) fn title(text: impl Display) {
    tell!("\n== {text}\n");
}

/// The circle, with every token on it.
pub(crate) fn ring(play: &Play) -> Result<()> {
    print(format_args!("{}", draw::ring(&play.placement()?)));
    Ok(())
}

/// What each host has: tokens, share, keys, copies; and what it said since `before`.
pub(crate) fn hosts(play: &Play, before: &[Traffic]) -> Result<()> {
    let placement = play.placement()?;
    tell!(
        "{:>6} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>11}",
        "host",
        "tokens",
        "share",
        "owns",
        "copies",
        "bytes",
        "messages",
        "bytes sent"
    );
    let owners: Vec<_> = play
        .keys
        .iter()
        .filter_map(|(key, _)| placement.owner(key.id()).ok().map(|token| token.host))
        .collect();
    for (i, host) in play.hosts.iter().enumerate().take(SHOWN) {
        let tokens = placement
            .member(*host)
            .map_or(0, |member| member.tokens.len());
        let owns = owners.iter().filter(|owner| *owner == host).count();
        let usage = play.stage.usage(*host);
        let since = before.get(i).copied().unwrap_or_default();
        let now = play.stage.traffic(*host);
        tell!(
            "{:>6} {:>7} {:>6.1}% {:>7} {:>7} {:>9} {:>9} {:>11}",
            host.to_string(),
            tokens,
            100.0 * placement.share(*host),
            owns,
            usage.records,
            usage.bytes,
            now.sent - since.sent,
            now.bytes_sent - since.bytes_sent,
        );
    }
    if play.hosts.len() > SHOWN {
        tell!("   and {} hosts more", play.hosts.len() - SHOWN);
    }
    Ok(())
}

/// A lookup, relay by relay.
pub(crate) fn route(how: &str, route: &Route) {
    let relays = route.path.len().saturating_sub(1);
    let plural = if relays == 1 { "" } else { "s" };
    tell!("{how}: {relays} relay{plural}, {}", route.direction);
    let mut line = String::from("   ");
    for (i, peer) in route.path.iter().enumerate() {
        let step = format!(
            "{}<{}>@{}",
            if i == 0 { " " } else { " -> " },
            peer.id.short(),
            peer.host
        );
        if line.len() + step.len() > 100 {
            tell!("{line}");
            line = String::from("   ");
        }
        line += &step;
    }
    tell!("{line}");
}
