//! What a roster says beside who is in: who may stop for a while, and what was lost for good.
//!
//! ```text
//! v7 Settled(h1 h2 h3)                          a drain grant is a roster of its own:
//! v8 Settled(h1 h2 h3), h2 may stop             same hosts, same spans, nothing moves
//! v9 Settled(h1 h2 h3)                          h2 is back, and gave it back
//!
//! v9 Settled(h1 h2 h3)                          h2 and h3 burnt down: no quorum of theirs is left
//! v10 Moving(h1 (h2 h3 lost) -> h1)             an operator gave them up; it goes on with what h1 has
//! v11 Settled(h1), lost in v10: h2 h3           and that is on record
//! ```
//!
//! *Hold these true*: at most one host holds the grant; a grant is given only to a settled roster; a loss
//! is accepted only where a quorum of some span, or a majority of all hosts, is gone without the lost ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{Change, ChangeError, Membership, Phase, Roster, RosterVersion};
use crate::placement::{HostId, Piece, Placement};

/// Accepted losses a roster remembers; the earliest are forgotten.
pub const MAX_LOSSES: usize = 16;

/// What a roster says beside who is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The host that may stop for a while: nobody else may meanwhile, and nobody removes it for that.
    pub drain: Option<HostId>,
    /// Losses that operators accepted, the latest last; at most [`MAX_LOSSES`].
    pub losses: Vec<Loss>,
    /// The Moving versions of the last two moves that succeeded, the later last: by them a host that slept
    /// knows whether it can have lost a span and got it back meanwhile.
    pub moves: [RosterVersion; 2],
    /// The Moving version of the last move in which each host came to a span; none for a host that holds what it
    /// was founded with. Whoever has not come to one since it fell asleep cannot have got one back.
    pub gained: BTreeMap<HostId, RosterVersion>,
}

/// Hosts that were given up although what they held was on too few others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The version that gave them up.
    pub at: RosterVersion,
    /// The host whose operator said so.
    pub by: HostId,
    /// Whom.
    pub hosts: Vec<HostId>,
}

impl fmt::Display for Loss {
    /// `the loss of h2 h3 in v10, by h1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the loss of ")?;
        self.hosts
            .iter()
            .try_for_each(|host| write!(f, "{host} "))?;
        write!(f, "in {}, by {}", self.at, self.by)
    }
}

impl Notes {
    /// The same after one more move that succeeded, in which these pieces went to others.
    pub(super) fn after_move(&self, version: RosterVersion, pieces: &[Piece]) -> Notes {
        let [_, last] = self.moves;
        let mut gained = self.gained.clone();
        for piece in pieces {
            let newcomers = piece.new.iter().filter(|host| !piece.old.contains(host));
            gained.extend(newcomers.map(|host| (*host, version)));
        }
        Notes {
            moves: [last, version],
            gained,
            ..self.clone()
        }
    }

    /// The same for a ring without these hosts: whoever is not in holds no grant.
    pub(super) fn for_hosts(&self, is_in: impl Fn(HostId) -> bool) -> Notes {
        let mut gained = self.gained.clone();
        gained.retain(|host, _| is_in(*host));
        Notes {
            drain: self.drain.filter(|host| is_in(*host)),
            gained,
            ..self.clone()
        }
    }
}

impl Roster {
    /// A change that is a roster of its own and moves nothing, or not by the usual rules; `None`: another.
    pub(super) fn noted(
        &self,
        by: HostId,
        changes: &[Change],
    ) -> Option<Result<Roster, ChangeError>> {
        match changes {
            [Change::Drain(host)] => Some(self.drained(by, *host)),
            [Change::EndDrain(host)] => Some(self.end_of_drain(by, *host)),
            [Change::AcceptLoss(hosts)] => Some(self.without_lost(by, hosts)),
            _ => None,
        }
    }

    /// Whether a host that lives by this roster, and now hears of a later one, may have lost a span and got it
    /// back in between: two moves or more have succeeded since, and it came to a span in one of them. What it held
    /// all the time it holds like any replica that was down. If it fell asleep in the middle of a move, it may not
    /// have had what it came to in that one either.
    #[must_use]
    pub fn may_have_lapsed(&self, host: HostId, later: &Roster) -> bool {
        let gained = later.notes.gained.get(&host).copied();
        let gained = gained.unwrap_or(RosterVersion::NONE);
        let since = match self.is_moving() {
            true => gained >= self.version,
            false => gained > self.version,
        };
        since && self.missed_two_moves(later)
    }

    /// Whether two moves or more have succeeded since this roster, its own among them if it moves: then a span may have gone
    /// to others and come back to whom this one gives it.
    #[must_use]
    pub fn missed_two_moves(&self, later: &Roster) -> bool {
        let [last_but_one, last] = later.notes.moves;
        let then = if self.is_moving() { last } else { last_but_one };
        then > self.version
    }

    /// What a host that lives by this roster holds when it hears of a later one, having slept in between: what the
    /// move gives it that it fell asleep in, if that move has succeeded since.
    #[must_use]
    pub fn held_until(&self, later: &Roster) -> &Arc<Membership> {
        if later.notes.moves.contains(&self.version) {
            self.new()
        } else {
            self.old()
        }
    }

    fn drained(&self, by: HostId, host: HostId) -> Result<Roster, ChangeError> {
        match self.notes.drain {
            _ if self.is_moving() => Err(ChangeError::Moving),
            _ if !self.old().has(host) => Err(ChangeError::Unknown(host)),
            Some(other) if other == host => Err(ChangeError::Nothing),
            Some(other) => Err(ChangeError::Drained(other)),
            None => Ok(self.with_drain(by, Some(host))),
        }
    }

    fn end_of_drain(&self, by: HostId, host: HostId) -> Result<Roster, ChangeError> {
        match self.notes.drain {
            Some(other) if other != host => Err(ChangeError::Drained(other)),
            None => Err(ChangeError::Nothing),
            Some(_) if self.is_moving() => Err(ChangeError::Moving),
            Some(_) => Ok(self.with_drain(by, None)),
        }
    }

    fn with_drain(&self, by: HostId, drain: Option<HostId>) -> Roster {
        let notes = Notes {
            drain,
            ..self.notes.clone()
        };
        self.next(by, self.phase.clone(), notes)
    }

    /// The ring goes on with what is left of Old when these hosts are gone for good.
    fn without_lost(&self, by: HostId, hosts: &[HostId]) -> Result<Roster, ChangeError> {
        let old = self.old();
        if let Some(stranger) = hosts.iter().find(|host| !old.has(**host)) {
            return Err(ChangeError::Unknown(*stranger));
        }
        let mut lost = old.lost.clone();
        lost.extend(hosts);
        let left = old.without(lost);
        if !left.has_lost_a_quorum() {
            return Err(ChangeError::NotLost);
        }
        let stays = |members: &Membership| {
            let mut members = members.placement.members().clone();
            members.retain(|host, _| !left.lost.contains(host));
            members
        };
        let mut members = stays(self.new());
        if members.is_empty() {
            members = stays(old);
        }
        if members.is_empty() {
            return Err(ChangeError::Empty);
        }
        let new = Membership::new(self.new().replicas, Placement::from_members(members)?);
        let mut notes = self.notes.for_hosts(|host| new.has(host));
        let mut hosts = hosts.to_vec();
        hosts.sort_unstable();
        hosts.dedup();
        let at = self.version.next();
        notes.losses.push(Loss { at, by, hosts });
        let spare = notes.losses.len().saturating_sub(MAX_LOSSES);
        notes.losses.drain(..spare);
        let phase = Phase::Moving {
            old: Arc::new(left),
            new: Arc::new(new),
        };
        Ok(self.next(by, phase, notes))
    }
}

impl Membership {
    /// The same membership, these hosts of which are lost for good.
    #[must_use]
    pub fn without(&self, lost: BTreeSet<HostId>) -> Membership {
        Membership {
            lost,
            ..Membership::new(self.replicas, self.placement.clone())
        }
    }

    /// The hosts of it that are not lost.
    pub fn left(&self) -> impl Iterator<Item = HostId> {
        self.placement
            .hosts()
            .filter(|host| !self.lost.contains(host))
    }

    /// Whether what is lost was more than the ring can do without: a majority, or a quorum of some span.
    #[must_use]
    pub fn has_lost_a_quorum(&self) -> bool {
        let majority = self.placement.len() / 2 + 1;
        !self.lost.is_empty()
            && (self.left().count() < majority
                || self.placement.tokens().any(|token| self.is_short(token.id)))
    }

    /// Whether fewer than a quorum of an id's holders are left.
    #[must_use]
    pub fn is_short(&self, id: crate::keyspace::Id) -> bool {
        if self.lost.is_empty() {
            return false;
        }
        let all = self.placement.replicas(id, self.r());
        let left = all.iter().filter(|host| !self.lost.contains(host)).count();
        left < all.len() / 2 + 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keyspace::Id;
    use crate::placement::Member;
    use crate::roster::RingId;

    /// h1, h2 … at 1, 2 … of the circle, three copies.
    fn roster(hosts: u64) -> Roster {
        let at = |n: u64| (HostId(n), Member::new([Id::from_u64(n)]));
        let members: BTreeMap<HostId, Member> = (1..=hosts).map(at).collect();
        Roster::settled(RingId(1), members, 3).unwrap()
    }

    fn change(roster: &Roster, change: Change) -> Result<Roster, ChangeError> {
        roster.moved(HostId(1), &[change])
    }

    #[test]
    fn one_host_at_a_time_holds_the_grant_and_nothing_moves() {
        let two = HostId(2);
        let first = change(&roster(3), Change::Drain(two)).unwrap();
        assert_eq!(first.notes.drain, Some(two));
        assert!(!first.is_moving() && first.version == RosterVersion(2));
        let (other, again) = (Change::Drain(HostId(3)), Change::Drain(two));
        assert_eq!(change(&first, other), Err(ChangeError::Drained(two)));
        assert_eq!(change(&first, again), Err(ChangeError::Nothing));
        let end = Change::EndDrain(HostId(3));
        assert_eq!(change(&first, end), Err(ChangeError::Drained(two)));
        let back = change(&first, Change::EndDrain(two)).unwrap();
        assert_eq!(back.notes.drain, None);
        let stranger = Change::Drain(HostId(9));
        assert_eq!(
            change(&back, stranger),
            Err(ChangeError::Unknown(HostId(9)))
        );
    }

    /// h1 to h4 hold spans of three; h4 sleeps while h5 comes, which takes spans from some and gives some to others.
    #[test]
    fn only_who_came_to_a_span_while_asleep_may_have_lapsed() {
        let settled = |roster: &Roster, changed| {
            let moving = change(roster, changed).unwrap();
            moving.finished(HostId(1)).unwrap()
        };
        let member = |token| Member::new([Id::from_u64(token)]);
        let before = roster(7);
        let one = settled(&before, Change::Join(HostId(8), member(8)));
        let two = settled(&one, Change::Remove(HostId(8)));
        let lapsed = |host| before.may_have_lapsed(HostId(host), &two);
        let gained = |host| two.notes.gained.contains_key(&HostId(host));
        assert!(
            (1..=7).any(lapsed),
            "somebody lost a span to h8 and has it again"
        );
        assert!(
            (1..=7).any(|host| !lapsed(host)),
            "and others never lost one"
        );
        assert!((1..=7).all(|host| lapsed(host) == gained(host)));
        assert!(
            (1..=7).all(|host| !before.may_have_lapsed(HostId(host), &one)),
            "one move"
        );
        let moving = change(&before, Change::Join(HostId(8), member(8))).unwrap();
        let later = settled(
            &settled(&one, Change::Remove(HostId(2))),
            Change::Replicas(2),
        );
        let newcomer = HostId(8);
        assert!(
            moving.may_have_lapsed(newcomer, &later),
            "what it came to may not have arrived"
        );
        let decoded = Roster::decode(&later.encode()).unwrap();
        assert_eq!(decoded.notes, later.notes);
    }

    #[test]
    fn no_grant_while_spans_move_and_none_for_whoever_is_out() {
        let moving = change(&roster(4), Change::Remove(HostId(4))).unwrap();
        let drain = Change::Drain(HostId(2));
        assert_eq!(change(&moving, drain), Err(ChangeError::Moving));
        let granted = change(&roster(4), Change::Drain(HostId(2))).unwrap();
        let gone = change(&granted, Change::Remove(HostId(2))).unwrap();
        assert_eq!(gone.notes.drain, None);
        let other = change(&granted, Change::Remove(HostId(3))).unwrap();
        assert_eq!(
            other.finished(HostId(1)).unwrap().notes.drain,
            Some(HostId(2))
        );
    }

    #[test]
    fn a_loss_is_accepted_only_where_a_quorum_is_gone() {
        let lose =
            |hosts: &[u64]| Change::AcceptLoss(hosts.iter().map(|host| HostId(*host)).collect());
        assert_eq!(change(&roster(3), lose(&[3])), Err(ChangeError::NotLost));
        assert_eq!(
            change(&roster(3), lose(&[1, 2, 3])),
            Err(ChangeError::Empty)
        );
        assert_eq!(
            change(&roster(3), lose(&[9])),
            Err(ChangeError::Unknown(HostId(9)))
        );
        // Of seven hosts h2 and h3 share the spans that end at 1 and at 2: one of their three is left.
        let moving = change(&roster(7), lose(&[3, 2])).unwrap();
        assert!(moving.is_moving() && !moving.has(HostId(2)));
        assert_eq!(
            moving.old().holders(Id::from_u64(2)),
            [HostId(4)],
            "what is left of h2 h3 h4"
        );
        let three = [HostId(3), HostId(4), HostId(5)];
        assert_eq!(
            moving.old().holders(Id::from_u64(3)),
            three,
            "a quorum of these is left"
        );
        assert_eq!(moving.old().majority(), 3, "of the five that are left");
        let loss = Loss {
            at: RosterVersion(2),
            by: HostId(1),
            hosts: vec![HostId(2), HostId(3)],
        };
        let settled = moving.finished(HostId(1)).unwrap();
        assert_eq!(settled.notes.losses, [loss]);
        assert!(settled.old().lost.is_empty() && settled.old().placement.len() == 5);
    }

    #[test]
    fn a_loss_is_accepted_while_spans_move_and_the_earliest_are_forgotten() {
        let stuck = roster(5)
            .moved(
                HostId(1),
                &[Change::Remove(HostId(2)), Change::Remove(HostId(3))],
            )
            .unwrap();
        let lost = Change::AcceptLoss(vec![HostId(2), HostId(3)]);
        let moving = change(&stuck, lost).unwrap();
        assert_eq!(moving.version, RosterVersion(3));
        assert_eq!(moving.new(), stuck.new());
        let mut roster = roster(2);
        for n in 0..20 {
            let [a, b] = [HostId(1), HostId(2)];
            let moving = roster.moved(a, &[Change::AcceptLoss(vec![b])]).unwrap();
            let alone = moving.finished(a).unwrap();
            let join = Change::Join(b, Member::new([Id::from_u64(2)]));
            roster = alone.moved(a, &[join]).unwrap().finished(a).unwrap();
            assert_eq!(roster.notes.losses.len(), MAX_LOSSES.min(n + 1));
        }
    }
}
