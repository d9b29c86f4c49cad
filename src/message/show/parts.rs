//! The parts of a line: keys, hosts, rosters, versions, spans.
//!
//! ```text
//! "cat"   h1 h2 h3   v5 settled(h1 h2 h3)   12.0/h1.1, 4 bytes   (0a1b2c3d, 4e5f6071] after "cat", more follow
//! ```
//!
//! What may be long is cut: a key after 32 bytes, a roster of more than eight hosts to their number.

use std::fmt;

use crate::keyspace::Span;
use crate::message::Peer;
use crate::placement::HostId;
use crate::record::{Body, Cells, Key, Summary};
use crate::roster::{Change, Phase, Roster};

/// How much of a key a line shows.
const SHOWN: usize = 32;

/// A key in quotes, cut off where it is long.
pub(super) struct Quoted<'a>(pub(super) &'a Key);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.bytes();
        let cut = bytes.len() > SHOWN;
        let shown = bytes.get(..SHOWN).unwrap_or(bytes);
        write!(
            f,
            "\"{}{}\"",
            shown.escape_ascii(),
            if cut { "…" } else { "" }
        )
    }
}

/// Hosts with spaces between.
pub(super) struct Hosts<'a>(pub(super) &'a [HostId]);

impl fmt::Display for Hosts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, host) in self.0.iter().enumerate() {
            write!(f, "{}{host}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// A roster by its version and what it does; small ones with their hosts.
pub(super) struct Brief<'a>(pub(super) &'a Roster);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = |hosts: Vec<HostId>| match hosts.len() {
            0..=8 => format!("{}", Hosts(&hosts)),
            n => format!("{n} hosts"),
        };
        let version = self.0.version;
        match &self.0.phase {
            Phase::Settled(all) => {
                write!(
                    f,
                    "{version} settled({})",
                    members(all.placement.hosts().collect())
                )
            }
            Phase::Moving { old, new } => {
                let (old, new) = (old.placement.hosts(), new.placement.hosts());
                write!(
                    f,
                    "{version} moving({} -> {})",
                    members(old.collect()),
                    members(new.collect())
                )
            }
        }
    }
}

/// The versions under a key.
pub(super) struct Versions<'a>(pub(super) &'a Summary);

impl fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.value {
            Some(version) => write!(f, "{version}")?,
            None => write!(f, "nothing")?,
        }
        match self.0.expiry {
            Some(cell) => write!(f, ", expiry set at {}", cell.version),
            None => Ok(()),
        }
    }
}

/// The versions under a key, and how many bytes of value come along.
pub(super) struct Contents<'a>(pub(super) &'a Cells);

impl fmt::Display for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Versions(&self.0.summary()))?;
        match self.0.value.as_ref().and_then(|cell| cell.body.as_ref()) {
            Some(body) => write!(f, ", {body}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Body {
    /// `5 bytes`, with `bare` where the pieces are to be fetched.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.len == 1 { "byte" } else { "bytes" };
        write!(
            f,
            "{} {unit}{}",
            self.len,
            if self.is_whole() { "" } else { ", bare" }
        )
    }
}

/// A span by the first digits of its ends.
pub(super) struct ShortSpan(pub(super) Span);

impl fmt::Display for ShortSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.0.from.short(), self.0.to.short())
    }
}

/// Where a page goes on.
pub(super) struct After<'a>(pub(super) Option<&'a Key>);

impl fmt::Display for After<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |key| write!(f, " after {}", Quoted(key)))
    }
}

/// A batch of changes, each after a space.
pub(super) struct Wishes<'a>(pub(super) &'a [Change]);

impl fmt::Display for Wishes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|change| match change {
            Change::Join(host, member) => {
                write!(f, " join({host}, {} tokens)", member.tokens.len())
            }
            Change::Remove(host) => write!(f, " remove({host})"),
            Change::Tokens(host, tokens) => write!(f, " tokens({host}, {})", tokens.len()),
            Change::Replicas(replicas) => write!(f, " replicas({replicas})"),
            Change::Zone(host, Some(zone)) => write!(f, " zone({host}, {zone})"),
            Change::Zone(host, None) => write!(f, " zone({host}, none)"),
            Change::Weight(host, weight) => write!(f, " weight({host}, {weight})"),
            Change::Drain(host) => write!(f, " drain({host})"),
            Change::EndDrain(host) => write!(f, " end-drain({host})"),
            Change::AcceptLoss(hosts) => write!(f, " accept-loss({})", Hosts(hosts)),
        })
    }
}

/// Some peers, each after a space.
pub(super) struct Peers<'a>(pub(super) &'a [Peer]);

impl fmt::Display for Peers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|peer| write!(f, " {peer}"))
    }
}

/// A peer, or a dash.
pub(super) struct Maybe(pub(super) Option<Peer>);

impl fmt::Display for Maybe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(peer) => write!(f, "{peer}"),
            None => write!(f, "-"),
        }
    }
}

/// What a page ends with.
pub(super) const fn more_of(more: bool) -> &'static str {
    if more { ", more follow" } else { "" }
}
