//! Bringing the loads back to level after hosts have left.
//!
//! A host that leaves gives each of its spans to whoever comes next, which is nobody's fair choice: a
//! neighbour may be handed two of them, and others none. [`rebalance`] moves single tokens until no host
//! owns more than [`GOAL`] times its due. One step:
//!
//! ```text
//!   the host with the least, h2, gives up the token of its shortest span   -h1-- h2 ---h3-
//!   and takes its part of the longest span of the host with the most, h9   ---h2|    h9 --
//! ```
//!
//! The part is as much as leaves either of the two at its due, so nearly every step settles one
//! host. Where a ring has too few tokens for this (one a host, say), all tokens are set anew at their due
//! distances, in the order in which they stand now; then the report is longer.

use std::collections::{BTreeMap, BTreeSet};

use crate::keyspace::{Id, Span};

use super::load::{CIRCLE, Weighed, weighed};
use super::{HostId, Moved, Placement, moved};

/// What a host may own for each share that is due to it, at most, once rebalanced.
pub const GOAL: f64 = 1.10;

/// A placement with its loads back to level, and what that takes.
#[derive(Clone, Debug)]
pub struct Rebalanced {
    /// The same hosts with their new tokens, as many for each as before.
    pub placement: Placement,
    /// The spans that change hands, in clockwise order from zero.
    pub moved: Vec<Moved>,
    /// How many tokens stand elsewhere now.
    pub tokens_moved: usize,
    /// [`Placement::max_over_mean`] before.
    pub before: f64,
    /// [`Placement::max_over_mean`] after: at most [`GOAL`], or equal to `before` if nothing was to do.
    pub after: f64,
}

impl Rebalanced {
    /// The share of the circle that changes hands, 0 to 1.
    pub fn share_moved(&self) -> f64 {
        self.moved
            .iter()
            .fold(0.0, |sum, moved| sum + moved.span.fraction())
    }
}

/// Moves tokens until no host owns more than [`GOAL`] times what its weight entitles it to. Hosts without
/// tokens stay without. Nothing moves if the loads are level enough already.
pub fn rebalance(old: &Placement) -> Rebalanced {
    let before = old.max_over_mean();
    let placement = if before <= GOAL {
        old.clone()
    } else {
        let mut scales = Scales::new(old);
        if scales.settle() {
            scales.placement(old)
        } else {
            set_anew(old)
        }
    };
    let stays = |token: &super::Token| old.owner(token.id) == Ok(*token);
    Rebalanced {
        moved: moved(old, &placement),
        tokens_moved: placement.tokens().filter(|token| !stays(token)).count(),
        before,
        after: placement.max_over_mean(),
        placement,
    }
}

/// The tokens and loads while they are being moved about.
struct Scales {
    tokens: BTreeMap<Id, HostId>,
    hosts: BTreeMap<HostId, (Weighed, BTreeSet<Id>)>,
    /// All hosts with tokens, by load for their weight.
    order: BTreeSet<(u128, HostId)>,
    /// What is due to a host for each unit of weight, in 2^64ths of the circle.
    due: u128,
}

impl Scales {
    fn new(placement: &Placement) -> Scales {
        let hosts: BTreeMap<HostId, (Weighed, BTreeSet<Id>)> = weighed(placement)
            .into_iter()
            .map(|weighed| {
                let tokens = placement
                    .member(weighed.host)
                    .map(|member| member.tokens.iter());
                (
                    weighed.host,
                    (weighed, tokens.into_iter().flatten().copied().collect()),
                )
            })
            .collect();
        let weights: u128 = hosts.values().map(|(host, _)| host.weight).sum();
        Scales {
            tokens: placement
                .tokens()
                .map(|token| (token.id, token.host))
                .collect(),
            order: hosts
                .values()
                .map(|(host, _)| (host.level(), host.host))
                .collect(),
            hosts,
            due: CIRCLE / weights.max(1),
        }
    }

    /// Moves one token at a time until the goal is reached; false if that takes too long.
    fn settle(&mut self) -> bool {
        // One step settles one host if all goes well; far beyond that it goes round in circles.
        let steps = 8 * self.tokens.len();
        (0..steps).any(|_| self.reached() || !self.step()) && self.reached()
    }

    fn reached(&self) -> bool {
        let most = self.order.last().map_or(0, |(level, _)| *level);
        most as f64 <= (self.due << 32) as f64 * GOAL
    }

    /// Moves one token from where it helps its host least to the host with the most. False if the two
    /// are one, or no span can be cut.
    fn step(&mut self) -> bool {
        let (Some(&(_, least)), Some(&(_, most))) = (self.order.first(), self.order.last()) else {
            return false;
        };
        let Some(shortest) = self.spans(least).min_by_key(Span::parts) else {
            return false;
        };
        if least == most || self.tokens.len() < 2 {
            return false;
        }
        let heir = self.after(shortest.to);
        self.tokens.remove(&shortest.to);
        self.weigh(least, |_, tokens| tokens.remove(&shortest.to));
        self.shift(least, heir, shortest.parts());
        let Some(longest) = self.spans(most).max_by_key(Span::parts) else {
            return false;
        };
        let (over, under) = (
            self.beyond_due(most),
            self.beyond_due(least).map_or_else(|u| u, |_| 0),
        );
        let size = over
            .unwrap_or(0)
            .min(under)
            .min(longest.parts().saturating_sub(1))
            .max(1);
        let token = longest.from.wrapping_add(Id::from_parts_of_circle(size));
        self.tokens.insert(token, least);
        self.weigh(least, |_, tokens| tokens.insert(token));
        self.shift(most, least, size);
        true
    }

    /// How much a host has beyond its due; as an error, how much is missing.
    fn beyond_due(&self, host: HostId) -> Result<u128, u128> {
        let host = &self.hosts[&host].0;
        let due = self.due * host.weight;
        host.load
            .checked_sub(due)
            .ok_or(due.saturating_sub(host.load))
    }

    /// The spans of a host.
    fn spans(&self, host: HostId) -> impl Iterator<Item = Span> {
        self.hosts[&host]
            .1
            .iter()
            .map(|token| Span::new(self.before(*token), *token))
    }

    /// The place of the token before this place.
    fn before(&self, place: Id) -> Id {
        let before = self.tokens.range(..place).next_back();
        before
            .or_else(|| self.tokens.last_key_value())
            .map_or(place, |(id, _)| *id)
    }

    /// The host of the token after this place.
    fn after(&self, place: Id) -> HostId {
        let mut after = self.tokens.range(place..).filter(|(id, _)| **id != place);
        let after = after.next().or_else(|| self.tokens.first_key_value());
        *after
            .expect("a ring with two tokens has one after each of them")
            .1
    }

    /// Notes that a part of the circle goes from one host to another.
    fn shift(&mut self, from: HostId, to: HostId, parts: u128) {
        self.weigh(from, |host, _| host.load -= parts);
        self.weigh(to, |host, _| host.load += parts);
    }

    /// Changes what is known of a host and puts it in its new place in the order.
    fn weigh<T>(
        &mut self,
        host: HostId,
        change: impl FnOnce(&mut Weighed, &mut BTreeSet<Id>) -> T,
    ) {
        let (weighed, tokens) = self
            .hosts
            .get_mut(&host)
            .expect("tokens belong to known hosts");
        self.order.remove(&(weighed.level(), host));
        change(weighed, tokens);
        self.order.insert((weighed.level(), host));
    }

    /// The old placement with the tokens as they stand here.
    fn placement(self, old: &Placement) -> Placement {
        let hosts = self
            .hosts
            .into_iter()
            .map(|(host, (_, tokens))| (host, tokens));
        with_tokens(old, hosts.collect())
    }
}

/// All tokens in the order in which they stand, at distances that give every host exactly its due. The
/// first one from zero on stays.
fn set_anew(old: &Placement) -> Placement {
    let members = old.members();
    let placed = members.values().filter(|member| !member.tokens.is_empty());
    let weights: u128 = placed.map(|member| u128::from(member.weight)).sum();
    let mut place = old.tokens().next().map_or(Id::ZERO, |token| token.id);
    let mut tokens: BTreeMap<HostId, BTreeSet<Id>> = BTreeMap::new();
    for (count, token) in old.tokens().enumerate() {
        let member = &members[&token.host];
        let width = CIRCLE * u128::from(member.weight) / weights / member.tokens.len() as u128;
        if count > 0 {
            place = place.wrapping_add(Id::from_parts_of_circle(width));
        }
        tokens.entry(token.host).or_default().insert(place);
    }
    with_tokens(old, tokens)
}

/// The same members standing elsewhere.
fn with_tokens(old: &Placement, mut tokens: BTreeMap<HostId, BTreeSet<Id>>) -> Placement {
    let members = old.members().iter().map(|(host, member)| {
        let tokens = tokens
            .remove(host)
            .unwrap_or_default()
            .into_iter()
            .collect();
        (
            *host,
            super::Member {
                tokens,
                ..member.clone()
            },
        )
    });
    Placement::from_members(members).expect("each place was given to one host")
}
