//! Where does a lookup go from here?
//!
//! Clockwise it goes to the node nearest before the target, and the last step is to the first node at or
//! after it; anti-clockwise it goes to the node nearest after the target, and the last one there is the
//! owner. Either way each hop has less to go than the one before:
//!
//! ```text
//!   target 30, clockwise from <10>:       <10> ──> <22> ──> <37>        left 20, 8, then at the owner
//!   target 30, anti-clockwise from <51>:  <51> ──> <37>                 left 21, 7: the owner
//! ```
//!
//! A node with no less to go than the one before lies past the target. It holds the target, or it knows
//! a nearer node and says so, or nobody holds it just now.

use crate::keyspace::Id;
use crate::message::{FindMessage, Lookup, LookupAnswer, Manner, Peer};
use crate::record::Time;
use crate::ring::Direction;

use super::{FindEvent, FindOut, Finder, Routes, send};

/// What a node knows to do about a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It holds the target.
    Mine,
    /// On to that node, with so much left to go.
    On(Peer, Id),
    /// Past the target: that node lies nearer, and should be the owner.
    Nearer(Peer),
    /// Nobody it knows of holds the target now.
    Nowhere,
}

/// How far it is from `at` to `target`, going that way.
pub(super) fn left(at: Id, target: Id, direction: Direction) -> Id {
    match direction {
        Direction::Clockwise => at.distance(target),
        Direction::AntiClockwise => target.distance(at),
    }
}

impl Finder {
    // region: way
    /// Decides about a lookup for `target` that had `before` to go at the node before.
    pub(super) fn way(&self, now: Time, ask: &Ask<'_>) -> Way {
        if self.holds(ask.target) {
            return Way::Mine;
        }
        let usable = |peer: &Peer| self.usable(now, peer, ask.avoid);
        let mine = left(self.me.id, ask.target, ask.direction);
        let arrived = mine >= ask.before || mine == Id::ZERO;
        if let Some(owner) = self.owner_if_known(ask.target, usable).filter(|_| !arrived) {
            return Way::On(owner, Id::ZERO);
        }
        let hop = match ask.direction {
            Direction::Clockwise | Direction::AntiClockwise if arrived => None,
            Direction::Clockwise => self.hop_clockwise(ask.target, usable),
            Direction::AntiClockwise => self.hop_anti_clockwise(ask.target, usable),
        };
        match (hop, self.prev) {
            (Some(hop), _) => Way::On(hop, mine),
            // At or past the target: only a prev that lies between can know more.
            (None, Some(prev)) if self.lies_back(ask.target, prev.id) && usable(&prev) => {
                Way::Nearer(prev)
            }
            (None, Some(_) | None) => Way::Nowhere,
        }
    }
    // endregion: way

    /// Whether `id` lies at or after `target` and before this node.
    fn lies_back(&self, target: Id, id: Id) -> bool {
        target.distance(id) < target.distance(self.me.id)
    }

    /// Whether a node may be asked: it is not reported down, was not silent lately, and not to be avoided.
    pub(super) fn usable(&self, now: Time, peer: &Peer, avoid: &[Id]) -> bool {
        let suspected = self
            .suspects
            .get(&peer.id)
            .is_some_and(|until| *until > now);
        *peer != self.me
            && !suspected
            && !self.down.contains(&peer.host)
            && !avoid.contains(&peer.id)
    }

    /// With all nodes known: the first usable one at or after the target.
    fn owner_if_known(&self, target: Id, usable: impl Fn(&Peer) -> bool) -> Option<Peer> {
        let all = self.config.routes == Routes::All || !self.is_member();
        let ring = self.everyone.as_ref().filter(|_| all)?;
        let place = ring.partition_point(|peer| peer.id < target);
        let (before, after) = ring.split_at(place);
        after
            .iter()
            .chain(before)
            .take(ring.len())
            .find(|peer| usable(peer))
            .copied()
    }

    // region: hop
    /// The usable node nearest before the target or at it; otherwise the first after this one.
    fn hop_clockwise(&self, target: Id, usable: impl Fn(&Peer) -> bool) -> Option<Peer> {
        let far = self.me.id.distance(target);
        let nearest = |list: &[Peer]| {
            let end = list.partition_point(|peer| self.me.id.distance(peer.id) <= far);
            list[..end].iter().rev().find(|peer| usable(peer)).copied()
        };
        let first = self.successors.iter().find(|peer| usable(peer)).copied();
        if self.config.routes == Routes::Neighbours {
            return first;
        }
        let near = nearest(&self.successors)
            .into_iter()
            .chain(nearest(&self.fingers));
        near.max_by_key(|peer| self.me.id.distance(peer.id))
            .or(first)
    }
    // endregion: hop

    /// The usable node nearest after the target or at it, if it lies before this one.
    fn hop_anti_clockwise(&self, target: Id, usable: impl Fn(&Peer) -> bool) -> Option<Peer> {
        let prev = self
            .prev
            .filter(|prev| self.lies_back(target, prev.id) && usable(prev));
        if self.config.routes == Routes::Neighbours {
            return prev;
        }
        let nearest = |list: &[Peer]| {
            let far = self.me.id.distance(target);
            let start = list.partition_point(|peer| self.me.id.distance(peer.id) < far);
            list[start..].iter().find(|peer| usable(peer)).copied()
        };
        let near = prev
            .into_iter()
            .chain(nearest(&self.fingers))
            .chain(nearest(&self.successors));
        near.min_by_key(|peer| target.distance(peer.id))
    }

    /// A lookup has come by.
    pub(super) fn relay(&mut self, now: Time, mut lookup: Lookup, out: &mut Vec<FindOut>) {
        if let Some(path) = lookup
            .path
            .as_mut()
            .filter(|path| path.last() != Some(&self.me))
        {
            path.push(self.me);
        }
        let ask = Ask {
            target: lookup.target,
            direction: lookup.direction,
            before: lookup.left,
            avoid: &lookup.avoid,
        };
        let way = match self.successors.first() {
            _ if self.is_member() => self.way(now, &ask),
            // Gone, but it knows who came after it; unless that is who sent the asker back here, while the
            // ground changes hands.
            Some(next) if lookup.left != Id::ZERO => Way::On(*next, lookup.left),
            Some(_) | None => Way::Nowhere,
        };
        match way {
            Way::On(to, left)
                if lookup.manner == Manner::PassOn && lookup.relays < lookup.limit =>
            {
                let relays = lookup.relays + 1;
                let passed = Lookup {
                    left,
                    relays,
                    ..lookup
                };
                send(to, FindMessage::Lookup(passed), out);
            }
            Way::Mine | Way::On(..) | Way::Nearer(_) | Way::Nowhere => {
                self.conclude(way, lookup, out);
            }
        }
    }

    /// Tells the asker what became of its lookup here.
    fn conclude(&self, way: Way, lookup: Lookup, out: &mut Vec<FindOut>) {
        let Lookup {
            question,
            asker,
            target,
            relays,
            limit,
            path,
            ..
        } = lookup;
        let answer = match way {
            Way::Mine => LookupAnswer::Found {
                relays,
                prev: self.prev,
                successors: self.successors.clone(),
                path,
            },
            Way::Nowhere => LookupAnswer::Unsettled,
            Way::On(..) | Way::Nearer(_) if relays >= limit => {
                out.push(FindOut::Note(FindEvent::DroppedAtLimit { target, relays }));
                LookupAnswer::Dropped { relays }
            }
            Way::On(to, left) => LookupAnswer::GoOn {
                to,
                left,
                relays,
                path,
            },
            Way::Nearer(to) => LookupAnswer::GoOn {
                to,
                left: Id::ZERO,
                relays,
                path,
            },
        };
        send(asker, FindMessage::Answer { question, answer }, out);
    }
}

/// What decides the way of a lookup.
pub(super) struct Ask<'a> {
    pub(super) target: Id,
    pub(super) direction: Direction,
    /// What the node before had still to go.
    pub(super) before: Id,
    pub(super) avoid: &'a [Id],
}
