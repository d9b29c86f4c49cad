//! Which far nodes does a node know, and how does it keep them up to date?
//!
//! At each distance 1, 2, 4, 8 … 2^159, both ways, the first node at or after that point. So whatever the
//! target, some finger leaves at most half of the way; in a ring of N nodes about 2 log2 N fingers differ.
//!
//! ```text
//!   fingers of <10> on a circle of 64, nodes 10 22 37 51:   +1 +2 +4 +8 -> 22    +16 -> 37   +32 -> 51
//!                                                           -1 -> 10     -16 -> 51  …
//! ```

use crate::keyspace::{Id, Span};
use crate::message::Peer;
use crate::record::Time;

use super::lookup::Purpose;
use super::{Alarm, FindOut, Finder, Role, Routes};

/// Distances of fingers: digit by digit, `bits` bits each, all values of a digit but zero.
fn offset(number: u32, bits: u32) -> Id {
    let values = (1 << bits) - 1;
    let (digit, value) = (number / values, number % values + 1);
    let mut sum = Id::ZERO;
    for bit in (0..bits).filter(|bit| value >> bit & 1 == 1) {
        sum = sum.wrapping_add(Id::power_of_two(digit * bits + bit));
    }
    sum
}

/// How many fingers there are on one side: all distances up to half the circle.
fn count(bits: u32) -> u32 {
    let half = Id::power_of_two(Id::BITS - 1);
    let all = Id::BITS.div_ceil(bits) * ((1 << bits) - 1);
    let mut last = all;
    // The distances grow with their numbers until the highest digit runs over the circle.
    while last > 0 && (offset(last - 1, bits) > half || offset(last - 1, bits) == Id::ZERO) {
        last -= 1;
    }
    last
}

/// The greatest `bit` for which 2^bit is at most `distance`; 0 for a distance of zero.
fn highest_bit(distance: Id) -> u32 {
    let bytes = distance.to_bytes();
    let above = bytes.iter().take_while(|byte| **byte == 0).count();
    let zeros = bytes.get(above).map_or(8, |byte| byte.leading_zeros());
    let above = u32::try_from(above * 8).expect("an id has 160 bits");
    (Id::BITS - 1).saturating_sub(above + zeros)
}

impl Finder {
    /// The point of a finger: even numbers lie clockwise, odd ones anti-clockwise, far ones first.
    fn finger_point(&self, number: u32) -> (Id, Id, Id) {
        let bits = self.config.finger_bits;
        let step = number / 2;
        let (low, high) = (offset(step, bits), offset(step + 1, bits));
        let high = if step + 1 >= count(bits) {
            Id::power_of_two(Id::BITS - 1)
        } else {
            high
        };
        let lower = if step == 0 {
            Id::ZERO
        } else {
            offset(step - 1, bits)
        };
        if number.is_multiple_of(2) {
            (self.me.id.wrapping_add(low), low, high)
        } else {
            let turned = |id: Id| Id::ZERO.wrapping_sub(id);
            (self.me.id.wrapping_sub(low), turned(low), turned(lower))
        }
    }

    /// Looks up the next finger, from the farthest to the nearest that its neighbours do not cover.
    pub(super) fn fix_finger(&mut self, now: Time, out: &mut Vec<FindOut>) {
        if self.role != Role::Member || self.fed {
            return;
        }
        let pause = self.about(self.config.fix_finger_every);
        self.alarms.set(now + pause, Alarm::FixFinger);
        let all = 2 * count(self.config.finger_bits);
        for _ in 0..all {
            self.next_finger = self.next_finger.checked_sub(1).unwrap_or(all - 1);
            let (point, _, _) = self.finger_point(self.next_finger);
            if !self.is_near(point) {
                let purpose = Purpose::Finger(self.next_finger);
                return self.begin_lookup(now, purpose, point, None, out);
            }
        }
    }

    /// Whether its own span or its successor list shows who owns that point.
    fn is_near(&self, point: Id) -> bool {
        let last = self.successors.last().map_or(self.me.id, |peer| peer.id);
        self.holds(point) || Span::new(self.me.id, last).contains(point)
    }

    /// The owner of a finger's point answered: it replaces what was known on that stretch.
    pub(super) fn got_finger(&mut self, number: u32, owner: Peer) {
        let (_, from, to) = self.finger_point(number);
        let me = self.me.id;
        self.fingers.retain(|peer| {
            let at = me.distance(peer.id);
            at < from || (at >= to && to != Id::ZERO) || peer.id == owner.id
        });
        let at = me.distance(owner.id);
        let place = self
            .fingers
            .partition_point(|peer| me.distance(peer.id) < at);
        let known = self
            .fingers
            .get(place)
            .is_some_and(|peer| peer.id == owner.id);
        if owner.id != self.me.id && !known {
            self.fingers.insert(place, owner);
        }
    }

    /// Another member was heard: worth keeping if nothing is known at such a distance. So the routes of a
    /// newcomer fill with what passes by, before it has looked up all its fingers.
    pub(super) fn learn(&mut self, peer: Peer) {
        if self.fed || peer.id == self.me.id || self.config.routes == Routes::Neighbours {
            return;
        }
        let me = self.me.id;
        let at = me.distance(peer.id);
        let ahead = at <= Id::power_of_two(Id::BITS - 1);
        let far = if ahead { at } else { peer.id.distance(me) };
        let bit = highest_bit(far);
        let (low, high) = (Id::power_of_two(bit), Id::power_of_two(bit + 1));
        let place = self
            .fingers
            .partition_point(|finger| me.distance(finger.id) < at);
        let distance = |finger: &Peer| {
            let other = if ahead {
                me.distance(finger.id)
            } else {
                finger.id.distance(me)
            };
            low <= other && (other < high || high == Id::ZERO)
        };
        let before = place
            .checked_sub(1)
            .and_then(|place| self.fingers.get(place));
        let known = before
            .into_iter()
            .chain(self.fingers.get(place))
            .any(distance);
        if !known {
            self.fingers.insert(place, peer);
        }
    }

    /// All fingers, from a list of all nodes in order of id.
    pub(super) fn fingers_of(&self, ring: &[Peer]) -> Vec<Peer> {
        let mut found = Vec::new();
        for number in 0..2 * count(self.config.finger_bits) {
            let (point, _, _) = self.finger_point(number);
            let place = ring.partition_point(|peer| peer.id < point);
            found.push(ring[place % ring.len()]);
        }
        self.in_order(found)
    }

    /// Peers in clockwise order from here, without doubles and without itself.
    pub(super) fn in_order(&self, mut peers: Vec<Peer>) -> Vec<Peer> {
        peers.retain(|peer| peer.id != self.me.id);
        peers.sort_unstable_by_key(|peer| self.me.id.distance(peer.id));
        peers.dedup_by_key(|peer| peer.id);
        peers.shrink_to_fit();
        peers
    }
}
