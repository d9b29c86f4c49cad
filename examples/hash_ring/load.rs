//! How even the load is.

use std::{collections::BTreeMap, io::Write};

use roundelay::keyspace::Id;
use roundelay::placement::{HostId, Member, Placement, even, random};

use super::{Options, keys};

/// Virtual nodes: the more tokens, the more even the shares; chosen with care, sixteen are enough.
pub(crate) fn load(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let (hosts, keys) = (options.hosts, keys(options));
    writeln!(
        out,
        "# {hosts} hosts, {} keys: what do virtual nodes do?\n",
        keys.len()
    )?;
    writeln!(
        out,
        "  tokens a host        least keys    most   max/mean of the circle"
    )?;
    // One small ring says more about its seed than about virtual nodes.
    let rings = (1_000 / hosts).clamp(1, 20);
    for tokens in [1, 2, 5, 10, 20, 100] {
        let ring = |seed: u64| {
            let seed = options.seed.wrapping_add(seed << 32);
            grown(hosts, |host, _| {
                random(seed.wrapping_add(u64::from(host)), tokens)
            })
        };
        let rings = (0..u64::from(rings))
            .map(ring)
            .collect::<anyhow::Result<Vec<_>>>()?;
        line(out, &format!("{tokens} at random"), &keys, &rings)?;
    }
    let tokens = options.tokens as usize;
    let evenly = grown(hosts, |_, placement| even(placement, 1, tokens))?;
    line(out, &format!("{tokens} even"), &keys, &[evenly])?;
    writeln!(
        out,
        "\n  keys: of the first ring; max/mean: mean of {rings} random rings, and of the even one"
    )?;
    Ok(())
}

/// Hosts that join one by one, with tokens chosen when the others are known.
fn grown(hosts: u32, choose: impl Fn(u32, &Placement) -> Vec<Id>) -> anyhow::Result<Placement> {
    let mut placement = Placement::new();
    for host in 1..=hosts {
        let tokens = choose(host, &placement);
        placement.insert(HostId(u64::from(host)), Member::new(tokens))?;
    }
    Ok(placement)
}

fn line(out: &mut impl Write, what: &str, keys: &[Id], rings: &[Placement]) -> anyhow::Result<()> {
    let Some(first) = rings.first() else {
        return Ok(());
    };
    let mut counts: BTreeMap<HostId, u32> = first.hosts().map(|host| (host, 0)).collect();
    for key in keys {
        *counts.entry(first.owner(*key)?.host).or_insert(0) += 1;
    }
    let least = counts.values().min().copied().unwrap_or(0);
    let most = counts.values().max().copied().unwrap_or(0);
    let ratio = rings.iter().map(Placement::max_over_mean).sum::<f64>() / rings.len() as f64;
    writeln!(out, "  {what:<20} {least:>10} {most:>7} {ratio:>12.2}")?;
    Ok(())
}
