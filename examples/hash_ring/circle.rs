//! Names on the circle: where they stand, how far it is from each to each, and whose span holds zero.

use std::io::Write;

use roundelay::keyspace::{Id, Span};
use roundelay::placement::draw::{self, Mark};

/// A name and where it stands.
struct Stand<'a> {
    name: &'a str,
    at: Id,
}

pub(crate) fn circle(names: &[String], out: &mut impl Write) -> anyhow::Result<()> {
    let stand = |name: &'_ String| (Id::of(name.as_bytes()), name.clone());
    let mut sorted: Vec<(Id, String)> = names.iter().map(stand).collect();
    sorted.sort();
    sorted.dedup();
    let stands: Vec<Stand> = sorted
        .iter()
        .map(|(at, name)| Stand { name, at: *at })
        .collect();
    writeln!(
        out,
        "# {} names on the circle: the SHA-1 of each is its id\n",
        stands.len()
    )?;
    let label = |stand: &Stand| format!("{} {}", stand.name, stand.at.short());
    let mark = |stand: &Stand| Mark {
        at: stand.at,
        symbol: '*',
        label: label(stand),
    };
    let marks: Vec<Mark> = stands.iter().map(mark).collect();
    writeln!(out, "{}", draw::circle(&marks, 11))?;
    spans(&stands, out)?;
    distances(&stands, out)
}

/// The span that ends at each name and begins at the one before it.
fn spans(stands: &[Stand], out: &mut impl Write) -> anyhow::Result<()> {
    let before = stands.last().into_iter().chain(stands);
    writeln!(
        out,
        "  {:<8} {:<21} {:>16}",
        "", "span that ends there", "of the circle"
    )?;
    for (before, stand) in before.zip(stands) {
        let span = Span::new(before.at, stand.at);
        let zero = if span.contains(Id::ZERO) {
            "  holds zero"
        } else {
            ""
        };
        let percent = 100.0 * span.fraction();
        writeln!(out, "  {:<8} {span:#} {percent:>14.1} %{zero}", stand.name)?;
    }
    Ok(())
}

/// How far it is clockwise from each to each.
fn distances(stands: &[Stand], out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "\n  clockwise from (row) to (column), first four of forty hex digits\n"
    )?;
    write!(out, "  {:<8}", "")?;
    for to in stands {
        write!(out, "{:>8.7}", to.name)?;
    }
    for from in stands {
        write!(out, "\n  {:<8}", from.name)?;
        for to in stands {
            write!(out, "{:>8.4}", from.at.distance(to.at))?;
        }
    }
    writeln!(out, "\n")?;
    Ok(())
}
