//! Tables and pictures.

use std::fmt::Display;

use anyhow::Result;
use roundelay::message::Route;
use roundelay::placement::draw;
use roundelay::sim::Traffic;

use crate::play::Play;

/// Larger rings are shown by their extremes.
const SHOWN: usize = 32;

/// A headline.
pub(crate) fn title(text: impl Display) {
    println!("\n== {text}\n");
}

/// The circle, with every token on it.
pub(crate) fn ring(play: &Play) -> Result<()> {
    print!("{}", draw::ring(&play.placement()?));
    Ok(())
}

/// What each host has: tokens, share, keys, copies; and what it said since `before`.
pub(crate) fn hosts(play: &Play, before: &[Traffic]) -> Result<()> {
    let placement = play.placement()?;
    println!(
        "{:>6} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>11}",
        "host", "tokens", "share", "owns", "copies", "bytes", "messages", "bytes sent"
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
        println!(
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
        println!("   and {} hosts more", play.hosts.len() - SHOWN);
    }
    Ok(())
}

/// A lookup, relay by relay.
pub(crate) fn route(how: &str, route: &Route) {
    let relays = route.path.len().saturating_sub(1);
    let plural = if relays == 1 { "" } else { "s" };
    println!("{how}: {relays} relay{plural}, {}", route.direction);
    let mut line = String::from("   ");
    for (i, peer) in route.path.iter().enumerate() {
        let step = format!(
            "{}<{}>@{}",
            if i == 0 { " " } else { " -> " },
            peer.id.short(),
            peer.host
        );
        if line.len() + step.len() > 100 {
            println!("{line}");
            line = String::from("   ");
        }
        line += &step;
    }
    println!("{line}");
}
