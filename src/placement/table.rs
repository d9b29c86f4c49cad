//! The placement itself: members, the tree of their tokens, and the questions it answers.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::keyspace::{Id, Span};

use super::index::Index;
use super::{HostId, Member, Token};

/// Nobody is on the ring, so nobody owns the id that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring is empty: no host has a token; add a host first")]
pub struct EmptyRing;

/// Why a host cannot be placed. The placement is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Two hosts cannot stand on one place of the circle.
    #[error("token {token} of {wanted_by} is already held by {held_by}: choose another token")]
    TokenTaken {
        /// The place.
        token: Id,
        /// Who stands there.
        held_by: HostId,
        /// Who wanted to.
        wanted_by: HostId,
    },
    /// A weight of 0 asks for no share, but says so nowhere a reader would look: leave the host out.
    #[error("{0} has weight 0: give it at least 1, or leave it out")]
    NoWeight(HostId),
    /// A host named twice in one list of members.
    #[error("{0} is listed twice")]
    ListedTwice(HostId),
}

/// Which hosts hold which ids: an ordered tree of tokens over the members of the ring.
///
/// A pure value: the same members give the same answers everywhere, in whatever order they came.
/// Edits go to the tree; the first question after an edit lays the tokens flat (about a millisecond per
/// 10,000 tokens), and further questions are answered from there. To share one, finish editing and
/// put it in an `Arc`.
#[derive(Clone, Default)]
// region: placement
pub struct Placement {
    members: BTreeMap<HostId, Member>,
    tokens: BTreeMap<Id, HostId>,
    /// The tokens laid flat; empty after an edit, until somebody asks.
    index: OnceLock<Index>,
}
// endregion: placement

impl Placement {
    /// An empty ring.
    pub fn new() -> Placement {
        Placement::default()
    }

    /// The placement of these members.
    pub fn from_members(
        members: impl IntoIterator<Item = (HostId, Member)>,
    ) -> Result<Placement, PlacementError> {
        let mut placement = Placement::new();
        let mut tokens: Vec<(Id, HostId)> = Vec::new();
        for (host, mut member) in members {
            member.check(host)?;
            tokens.extend(member.tokens.iter().map(|token| (*token, host)));
            if placement.members.insert(host, member).is_some() {
                return Err(PlacementError::ListedTwice(host));
            }
        }
        // Sorted first, the tree is built in one go instead of token by token.
        tokens.sort_unstable();
        for pair in tokens.windows(2) {
            let [(token, held_by), (next, wanted_by)] = [pair[0], pair[1]];
            if token == next {
                return Err(PlacementError::TokenTaken {
                    token,
                    held_by,
                    wanted_by,
                });
            }
        }
        placement.tokens = tokens.into_iter().collect();
        Ok(placement)
    }

    /// Adds a host, or replaces what is known of it. Returns whether anything changed: adding the same
    /// member again changes nothing.
    pub fn insert(&mut self, host: HostId, mut member: Member) -> Result<bool, PlacementError> {
        member.check(host)?;
        if self.members.get(&host) == Some(&member) {
            return Ok(false);
        }
        let taken = |token: &Id| self.tokens.get(token).filter(|held_by| **held_by != host);
        if let Some((&token, &held_by)) = member
            .tokens
            .iter()
            .find_map(|token| Some((token, taken(token)?)))
        {
            return Err(PlacementError::TokenTaken {
                token,
                held_by,
                wanted_by: host,
            });
        }
        self.remove(host);
        self.tokens
            .extend(member.tokens.iter().map(|token| (*token, host)));
        self.members.insert(host, member);
        self.index = OnceLock::new();
        Ok(true)
    }

    /// Takes a host away and returns what was known of it; `None`, and no change, if it was not there.
    pub fn remove(&mut self, host: HostId) -> Option<Member> {
        let member = self.members.remove(&host)?;
        for token in &member.tokens {
            self.tokens.remove(token);
        }
        self.index = OnceLock::new();
        Some(member)
    }

    /// The token that owns `id`: the first at or after it going clockwise. An id exactly on a token
    /// belongs to that token.
    // region: owner
    pub fn owner(&self, id: Id) -> Result<Token, EmptyRing> {
        let index = self.index();
        index
            .at_or_after(id)
            .map(|place| index.tokens()[place])
            .ok_or(EmptyRing)
    }
    // endregion: owner

    /// The hosts that keep a copy of `id`: the first `r` distinct ones clockwise, beginning with the
    /// owner. Where zones are named, hosts of distinct zones come first; when there are no more zones
    /// the nearest others fill up. Shorter than `r` when there are fewer hosts with tokens.
    pub fn replicas(&self, id: Id, r: usize) -> Vec<HostId> {
        self.index().replicas(id, r)
    }

    /// Whether a host is among the [`replicas`](Placement::replicas) of `id`.
    pub fn is_replica(&self, host: HostId, id: Id, r: usize) -> bool {
        self.index().is_replica(host, id, r)
    }

    /// The first `n` distinct hosts clockwise from `id`, its owner first, zones aside. Shorter than `n`
    /// when there are fewer hosts with tokens.
    pub fn successors(&self, id: Id, n: usize) -> Vec<HostId> {
        self.index().successors(id, n)
    }

    /// The first token strictly after `id`: Next of a node that stands there. Alone on the ring, a
    /// token is its own next.
    pub fn next(&self, id: Id) -> Result<Token, EmptyRing> {
        self.owner(id.wrapping_add(Id::from_u64(1)))
    }

    /// The last token strictly before `id`: Prev of a node that stands there. Alone on the ring, a
    /// token is its own prev.
    pub fn prev(&self, id: Id) -> Result<Token, EmptyRing> {
        let index = self.index();
        let place = index.at_or_after(id).ok_or(EmptyRing)?;
        let count = index.tokens().len();
        Ok(index.tokens()[(place + count - 1) % count])
    }

    /// The span that belongs to the token at `token`: from the token before it up to itself. `None` if
    /// no token is there.
    pub fn span_of(&self, token: Id) -> Option<Span> {
        self.tokens.get(&token)?;
        self.prev(token).ok().map(|prev| Span::new(prev.id, token))
    }

    /// The spans of a host, in the order of its tokens. None if the host is not there.
    pub fn spans(&self, host: HostId) -> impl Iterator<Item = Span> {
        let tokens = self
            .member(host)
            .map(|member| member.tokens.as_slice())
            .unwrap_or_default();
        tokens.iter().filter_map(|token| self.span_of(*token))
    }

    /// Every span with its owner, in order of their tokens.
    pub fn owned_spans(&self) -> impl Iterator<Item = (Span, HostId)> {
        let mut before = self.tokens.last_key_value().map_or(Id::ZERO, |(id, _)| *id);
        self.tokens().map(move |token| {
            let from = std::mem::replace(&mut before, token.id);
            (Span::new(from, token.id), token.host)
        })
    }

    /// What each host owns, in 2^64ths of the circle and in the order of [`Placement::hosts`].
    pub(super) fn loads(&self) -> Vec<u128> {
        self.index().loads(self.members.len())
    }

    /// All tokens in order, beginning with the first at or after zero.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = Token> + ExactSizeIterator {
        self.tokens.iter().map(|(id, host)| Token {
            id: *id,
            host: *host,
        })
    }

    /// All hosts, in order of their ids.
    pub fn hosts(&self) -> impl DoubleEndedIterator<Item = HostId> + ExactSizeIterator {
        self.members.keys().copied()
    }

    /// All members, in order of their hosts' ids.
    pub fn members(&self) -> &BTreeMap<HostId, Member> {
        &self.members
    }

    /// What is known of one host.
    pub fn member(&self, host: HostId) -> Option<&Member> {
        self.members.get(&host)
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no host.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The tokens laid flat, built at the first question after an edit.
    fn index(&self) -> &Index {
        self.index.get_or_init(|| self.lay_flat())
    }

    fn lay_flat(&self) -> Index {
        let hosts: Vec<HostId> = self.hosts().collect();
        let (mut zones, mut named) = (Vec::new(), BTreeMap::new());
        for (member, slot) in self.members.values().zip(0u32..) {
            // A zone goes by the slot of its first host; a host without one is a zone of its own.
            let zone = member.zone.as_ref();
            zones.push(zone.map_or(slot, |zone| *named.entry(zone).or_insert(slot)));
        }
        let slot = |host| {
            let place = hosts
                .binary_search(host)
                .expect("every token is some member's");
            u32::try_from(place).expect("hosts are counted in 32 bits")
        };
        let slots = self.tokens.values().map(slot).collect();
        Index::new(self.tokens().collect(), slots, zones)
    }
}

/// Two placements are equal when they have the same members; how often they were asked does not matter.
impl PartialEq for Placement {
    fn eq(&self, other: &Placement) -> bool {
        self.members == other.members
    }
}

impl Eq for Placement {}

impl std::fmt::Debug for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(&self.members).finish()
    }
}
