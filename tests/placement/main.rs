//! Who owns a key, checked against the definition: slow, obvious answers on small rings.
//!
//! ```text
//!   definition   rings drawn at random: owners, replicas, spans and what moves are what the definition says
//!   circle       rings chosen by hand: exact hits, past the end, nobody there, one alone, who is refused
//!   shares       how much each host gets: tokens cut evenly, weights, rebalancing, what a join moves
//! ```

#![allow(clippy::unwrap_used)] // a test may stop at a surprise

mod circle;
mod definition;
mod shares;

use roundelay::keyspace::Id;
use roundelay::placement::{HostId, Member, Placement};

fn id(n: u64) -> Id {
    Id::from_u64(n)
}

fn host(n: u64) -> HostId {
    HostId(n)
}

/// A ring of hosts with one token each, all given as small numbers.
fn ring<const N: usize>(tokens: [(u64, u64); N]) -> Placement {
    Placement::from_members(tokens.map(|(h, t)| (host(h), Member::new([id(t)])))).unwrap()
}
