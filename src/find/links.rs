//! The links of a node and the span it holds: how they change, and what must hold whenever they have.

use std::sync::Arc;

use crate::keyspace::{Id, Span};
use crate::message::Peer;
use crate::record::Time;

use super::{Alarm, FindEvent, FindOut, Finder, Role, Routes};

impl Finder {
    /// Its next; itself if it is alone.
    pub(super) fn next(&self) -> Peer {
        self.successors.first().copied().unwrap_or(self.me)
    }

    /// Whether `id` lies strictly between this node and `end`, going clockwise.
    pub(super) fn before(&self, id: Id, end: Id) -> bool {
        id != end && id != self.me.id && Span::new(self.me.id, end).contains(id)
    }

    /// Whether `id` lies inside the span it holds, where only a hand-over may put another node.
    pub(super) fn inside(&self, id: Id) -> bool {
        self.held
            .is_some_and(|span| id != span.to && span.contains(id))
    }

    // region: adopt
    /// Adopts `first`, which has just answered, and its list after it, without nodes reported down.
    pub(super) fn adopt(&mut self, first: Peer, list: &[Peer], out: &mut Vec<FindOut>) {
        let mut chain: Vec<Peer> = Vec::with_capacity(self.config.successors);
        let mut reached = Id::ZERO;
        for peer in std::iter::once(&first).chain(list) {
            let distance = self.me.id.distance(peer.id);
            if distance <= reached || chain.len() == self.config.successors {
                break; // once round, or long enough
            }
            reached = distance;
            if !self.down.contains(&peer.host) {
                chain.push(*peer);
            }
        }
        self.cut_off = false;
        self.set_successors(chain, out);
    }
    // endregion: adopt

    pub(super) fn set_successors(&mut self, chain: Vec<Peer>, out: &mut Vec<FindOut>) {
        if chain == self.successors {
            return;
        }
        let before = self.next();
        self.successors = chain;
        self.successors.shrink_to_fit();
        if self.next() != before {
            out.push(FindOut::Note(FindEvent::NextIs(self.next())));
        }
        out.push(FindOut::LinksChanged);
    }

    /// Drops a node that is dead or no member from the list. If that was the last entry, it goes round the
    /// other way and starts from its prev; if there is none, the entry stays, to be asked again, until
    /// its ground may be taken over: only then is this node alone.
    pub(super) fn drop_successor(&mut self, now: Time, gone: Peer, out: &mut Vec<FindOut>) {
        let mut chain = self.successors.clone();
        chain.retain(|peer| *peer != gone);
        if chain.is_empty()
            && let Some(prev) = self.prev.filter(|prev| *prev != gone && *prev != self.me)
        {
            chain.push(prev);
        }
        if chain.is_empty() && self.successors == [gone] {
            self.cut_off = true;
            return self.mourn(now);
        }
        self.set_successors(chain, out);
    }

    pub(super) fn set_prev(&mut self, now: Time, prev: Option<Peer>, out: &mut Vec<FindOut>) {
        let prev = prev.filter(|prev| *prev != self.me);
        self.prev_heard = now;
        if prev == self.prev {
            return;
        }
        self.prev = prev;
        out.push(FindOut::Note(FindEvent::PrevIs(prev)));
        out.push(FindOut::LinksChanged);
        if self.held.map(|span| span.from) == prev.map(|prev| prev.id) {
            self.alarms.cancel(Alarm::Takeover); // the owner of that ground is back
        }
    }

    /// The prev is dead or no member. What it held is nobody's until the takeover.
    pub(super) fn prev_died(&mut self, now: Time, prev: Peer, out: &mut Vec<FindOut>) {
        if self.prev != Some(prev) {
            return;
        }
        out.push(FindOut::Note(FindEvent::Dead(prev)));
        self.set_prev(now, None, out);
        self.mourn(now);
    }

    /// Starts the wait before the ground of the dead is taken over.
    pub(super) fn mourn(&mut self, now: Time) {
        if !self.alarms.is_set(Alarm::Takeover) {
            self.alarms
                .set(now + self.config.takeover_after, Alarm::Takeover);
        }
    }

    // region: take_over
    /// Every lease on the ground of the dead prev has run out: take it over, up to the node that says it
    /// is the prev now. If nobody said so yet, wait on; if nobody can, this node is alone.
    pub(super) fn take_over(&mut self, now: Time, out: &mut Vec<FindOut>) {
        let Some(held) = self.held.filter(|_| self.is_member()) else {
            return;
        };
        self.alarms.cancel(Alarm::Takeover);
        let from = match self.prev {
            Some(prev) => prev.id,
            None if self.cut_off || self.successors.is_empty() => self.me.id,
            None => {
                let pause = self.config.stabilize_every;
                return self.alarms.set(now + pause, Alarm::Takeover);
            }
        };
        if self.prev.is_none() {
            self.set_successors(Vec::new(), out);
            self.alarms.cancel(Alarm::Lease);
            (self.cut_off, self.lapsed) = (false, false);
        }
        if held.from != from {
            let span = Span::new(from, self.me.id);
            self.held = Some(span);
            out.push(FindOut::Note(FindEvent::TookOver(span)));
        }
    }
    // endregion: take_over

    /// From now on it holds `span`.
    pub(super) fn hold(&mut self, span: Span, out: &mut Vec<FindOut>) {
        self.held = Some(span);
        self.lapsed = false;
        out.push(FindOut::Note(FindEvent::Holds(span)));
        out.push(FindOut::LinksChanged);
    }

    /// Its next said, in answer to a question asked at `asked_at`, that this node is its prev.
    pub(super) fn renew_lease(&mut self, asked_at: Time, now: Time, out: &mut Vec<FindOut>) {
        if self.fed || self.held.is_none() {
            return;
        }
        let until = asked_at + self.config.lease;
        if until <= now {
            return;
        }
        self.alarms.set(until, Alarm::Lease);
        if self.lapsed {
            self.lapsed = false;
            out.push(FindOut::Note(FindEvent::Confirmed));
        }
    }

    pub(super) fn lease_ran_out(&mut self, out: &mut Vec<FindOut>) {
        if self.held.is_some() && !self.successors.is_empty() && !self.lapsed {
            self.lapsed = true;
            out.push(FindOut::Note(FindEvent::LeaseRanOut));
        }
    }

    /// Sets the deadlines of a member that looks after its links itself.
    pub(super) fn keep_house(&mut self, now: Time) {
        let pause = self.about(self.config.stabilize_every);
        self.alarms.set(now + pause, Alarm::Stabilize);
        if self.config.routes != Routes::Neighbours {
            let pause = self.about(self.config.fix_finger_every);
            self.alarms.set(now + pause, Alarm::FixFinger);
        }
    }

    /// Takes its place in a list of all nodes in order of id.
    pub(super) fn take_place(&mut self, ring: &Arc<[Peer]>, out: &mut Vec<FindOut>) {
        debug_assert!(
            ring.is_sorted_by(|a, b| a.id < b.id),
            "the nodes of a ring stand in order of id"
        );
        self.everyone = Some(Arc::clone(ring));
        let Ok(place) = ring.binary_search_by_key(&self.me.id, |peer| peer.id) else {
            self.role = Role::Outside;
            (self.held, self.prev) = (None, None);
            self.successors.clear();
            return;
        };
        let len = ring.len();
        let at = |step: usize| ring[(place + step) % len];
        self.role = Role::Member;
        self.prev = Some(at(len - 1)).filter(|prev| *prev != self.me);
        self.successors = (1..len.min(self.config.successors + 1)).map(at).collect();
        self.fingers = if self.config.routes == Routes::Fingers {
            self.fingers_of(ring)
        } else {
            Vec::new()
        };
        let span = Span::new(at(len - 1).id, self.me.id);
        if self.held != Some(span) {
            self.hold(span, out);
        }
    }

    /// Forgets the ring it was in, and every question about it.
    pub(super) fn forget_ring(&mut self) {
        self.role = Role::Outside;
        self.fed = false;
        (self.prev, self.held) = (None, None);
        (self.lapsed, self.cut_off) = (false, false);
        (self.errand, self.transfer, self.given) = (None, None, None);
        self.successors.clear();
        self.fingers.clear();
        self.everyone = None;
        self.suspects.clear();
        self.alarms.keep_lookups();
    }

    /// Asserts the invariants of [`Finder`].
    ///
    /// # Panics
    /// If one does not hold.
    pub fn check(&self) {
        let me = self.me;
        let distances = || self.successors.iter().map(|peer| me.id.distance(peer.id));
        assert!(
            distances().is_sorted_by(|a, b| a < b) && distances().all(|d| d != Id::ZERO),
            "{me}: successors in clockwise order, without itself: {:?}",
            self.successors
        );
        assert!(
            self.successors.len() <= self.config.successors,
            "{me}: successor list too long"
        );
        assert!(
            self.prev.is_none_or(|prev| !self.inside(prev.id)),
            "{me}: prev {:?} inside its span {:?}",
            self.prev,
            self.held
        );
        assert!(
            self.held
                .is_none_or(|span| span.to == me.id && self.is_member()),
            "{me}: only a member holds a span, and it ends in itself"
        );
        if let Some(held) = self.held {
            let settled = held.from == self.links().prev.id;
            assert!(
                settled || self.alarms.is_set(Alarm::Takeover),
                "{me}: holds {held:#} after prev {:?}, and waits for nothing",
                self.prev
            );
        }
        assert_eq!(
            self.errand.is_some(),
            self.alarms.is_set(Alarm::Errand),
            "{me}: an errand has a deadline"
        );
        assert!(
            self.transfer.is_none() || self.alarms.is_set(Alarm::Transfer),
            "{me}: a transfer has a deadline"
        );
        let fingers = || self.fingers.iter().map(|peer| me.id.distance(peer.id));
        assert!(
            fingers().is_sorted_by(|a, b| a < b) && fingers().all(|d| d != Id::ZERO),
            "{me}: fingers in clockwise order, without itself"
        );
    }
}
