//! What changes hands when hosts come and go.

use std::{collections::BTreeMap, io::Write};

use roundelay::keyspace::Id;
use roundelay::placement::{
    HostId, Member, Placement, by_name,
    draw::{self, Mark},
    moved,
};

use super::{Options, keys};

/// Hosts 1 to `count`, each standing where its name hashes to.
fn named(count: u32, tokens: u32) -> anyhow::Result<Placement> {
    let member = |n: u32| {
        let host = HostId(u64::from(n));
        (
            host,
            Member::new(by_name(&host.to_string(), tokens as usize)),
        )
    };
    Ok(Placement::from_members((1..=count).map(member))?)
}

/// How many keys change hands when one more host joins: by modulo, and on the circle.
pub(crate) fn modulo(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let (hosts, keys) = (options.hosts, keys(options));
    let (before, after) = (
        named(hosts, options.tokens)?,
        named(hosts + 1, options.tokens)?,
    );
    let rest = |key: &Id, n: u32| key.top() % u64::from(n);
    let by_modulo = keys
        .iter()
        .filter(|key| rest(key, hosts) != rest(key, hosts + 1))
        .count();
    let newcomer = HostId(u64::from(hosts) + 1);
    let (mut on_ring, mut to_newcomer) = (0, 0);
    for key in &keys {
        let (old, new) = (before.owner(*key)?.host, after.owner(*key)?.host);
        on_ring += usize::from(old != new);
        to_newcomer += usize::from(old != new && new == newcomer);
    }
    let share = |count: usize| 100.0 * count as f64 / keys.len() as f64;
    let fair = 1.0 / f64::from(hosts + 1);
    writeln!(
        out,
        "# {newcomer} joins {hosts} hosts: which of {} keys change hands?\n",
        keys.len()
    )?;
    writeln!(
        out,
        "  hash modulo N     {by_modulo:>8} {:>6.1} %",
        share(by_modulo)
    )?;
    writeln!(
        out,
        "  the circle        {on_ring:>8} {:>6.1} %",
        share(on_ring)
    )?;
    writeln!(out, "  of these to {newcomer:<5} {to_newcomer:>8}")?;
    writeln!(
        out,
        "  its fair share    {:>8.0} {:>6.1} %\n",
        fair * keys.len() as f64,
        fair * 100.0
    )?;
    Ok(())
}

/// The places at which a key is stored.
const STORED: [u64; 3] = [1, 2, 6];

/// A circle that has room for eight: place k lies k eighths clockwise from zero.
fn eighth(place: u64) -> Id {
    Id::from_top(place << 61)
}

fn nodes(places: &[u64]) -> anyhow::Result<Placement> {
    let member = |place: &u64| (HostId(*place), Member::new([eighth(*place)]));
    Ok(Placement::from_members(places.iter().map(member))?)
}

/// Nodes 0, 1 and 3 on a circle of eight: node 1 leaves; then, instead, a node joins at 6.
pub(crate) fn eight(out: &mut impl Write) -> anyhow::Result<()> {
    let before = nodes(&[0, 1, 3])?;
    writeln!(
        out,
        "# Nodes at 0, 1 and 3 of eight places; keys 1, 2 and 6 are stored\n"
    )?;
    let marks = (0..8).map(|place| mark(&before, place));
    let marks = marks.collect::<anyhow::Result<Vec<Mark>>>()?;
    writeln!(out, "{}", draw::circle(&marks, 13))?;
    row(out, "owners of 0 to 7", &before)?;
    for (change, places) in [
        ("node 1 leaves", &[0, 3][..]),
        ("node 6 joins", &[0, 1, 3, 6]),
    ] {
        let after = nodes(places)?;
        row(out, change, &after)?;
        for place in 0..8 {
            let (from, to) = (
                before.owner(eighth(place))?.host,
                after.owner(eighth(place))?.host,
            );
            if from != to {
                let what = if STORED.contains(&place) {
                    "key"
                } else {
                    "place"
                };
                writeln!(out, "    {what} {place} goes from {from} to {to}")?;
            }
        }
        for change in moved(&before, &after) {
            let (span, from, to) = (change.span, change.from, change.to);
            writeln!(out, "    the span {span:#} goes from {from} to {to}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

fn mark(placement: &Placement, place: u64) -> anyhow::Result<Mark> {
    let owner = placement.owner(eighth(place))?.host;
    let node = placement.member(HostId(place)).is_some();
    let (symbol, kind) = if node { ('*', "node") } else { ('o', "place") };
    let stored = if STORED.contains(&place) {
        ", holds a key"
    } else {
        ""
    };
    let label = format!("{kind} {place}, owner {owner}{stored}");
    Ok(Mark {
        at: eighth(place),
        symbol,
        label,
    })
}

fn row(out: &mut impl Write, what: &str, placement: &Placement) -> anyhow::Result<()> {
    write!(out, "  {what:<18}")?;
    for key in 0..8 {
        write!(out, "{:>4}", placement.owner(eighth(key))?.host.to_string())?;
    }
    writeln!(out)?;
    Ok(())
}

/// The cases that are easy to get wrong: an exact hit, past the greatest token, remove and add back.
pub(crate) fn cases(out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "# Tokens 0 1 3 6 10 12 15 20: who owns what?\n")?;
    let tokens = [10, 15, 3, 6, 12, 20, 1, 0];
    let member = |n: u64| (HostId(n), Member::new([Id::from_u64(n)]));
    let tree = Placement::from_members(tokens.map(member))?;
    for (id, why) in [
        (15, "an exact hit"),
        (16, "the next clockwise"),
        (21, "past the last: the first"),
    ] {
        let owner = tree.owner(Id::from_u64(id))?.host.0;
        writeln!(out, "  {id:>3} belongs to {owner:>3}   {why}")?;
    }
    writeln!(
        out,
        "\n# 1,000 keys on four hosts; one is removed, then added back\n"
    )?;
    let names = ["1.2.3.4", "3.4.5.6", "5.6.7.8", "7.8.9.10"];
    let member = |(n, name): (u64, &str)| (HostId(n), Member::new(by_name(name, 1)));
    let before = Placement::from_members((1..).zip(names).map(member))?;
    let mut placement = before.clone();
    let gone = placement
        .remove(HostId(3))
        .unwrap_or_else(|| Member::new([]));
    counts(out, "all four", &before, &before)?;
    counts(out, "without 5.6.7.8", &placement, &before)?;
    placement.remove(HostId(3));
    counts(out, "removed again", &placement, &before)?;
    placement.insert(HostId(3), gone.clone())?;
    placement.insert(HostId(3), gone)?;
    counts(out, "added back, twice", &placement, &before)?;
    let same = if placement == before {
        "exactly as before"
    } else {
        "not as before"
    };
    writeln!(out, "  the placement is {same}\n")?;
    Ok(())
}

/// Keys of each host, and how many changed hands since `before`.
fn counts(
    out: &mut impl Write,
    what: &str,
    now: &Placement,
    before: &Placement,
) -> anyhow::Result<()> {
    let mut counts: BTreeMap<HostId, u32> = BTreeMap::new();
    let mut changed = 0;
    for key in (0..1_000).map(|n| Id::of(format!("key {n}").as_bytes())) {
        let owner = now.owner(key)?.host;
        *counts.entry(owner).or_insert(0) += 1;
        changed += u32::from(owner != before.owner(key)?.host);
    }
    let list: Vec<String> = counts
        .iter()
        .map(|(host, count)| format!("{host} {count:>3}"))
        .collect();
    writeln!(
        out,
        "  {what:<18} {:<28} {changed:>3} elsewhere than at first",
        list.join("  ")
    )?;
    Ok(())
}
