//! Does a host keep only what is its to keep, by rosters that follow one another?
//!
//! ```text
//! v6 Settled(A)   v7 Moving(A -> B)   v8 Settled(B), or Settled(A) if it was given up      and nothing else
//! h2 lives by v7 and stores k1: h2 holds k1's place in A or in B
//! h2 lives by v8 and stores k1: h2 holds it in B
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::keyspace::Id;
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::{Membership, Phase, Roster, RosterVersion, same_hosts};

/// The rosters that were written down anywhere, and who lives by which.
#[derive(Debug, Default)]
pub(super) struct Places {
    rosters: BTreeMap<RosterVersion, Arc<Roster>>,
    /// When each of them was.
    since: BTreeMap<RosterVersion, Time>,
    lives_by: BTreeMap<HostId, Arc<Roster>>,
    /// Who is writing one down to live by it.
    writing: BTreeSet<HostId>,
}

impl Places {
    /// A version is written down for the first time.
    ///
    /// # Errors
    /// Why it cannot follow the one before it, or be followed by the one after it, in words.
    pub(super) fn written(&mut self, now: Time, roster: Arc<Roster>) -> Result<(), String> {
        let version = roster.version;
        self.since.entry(version).or_insert(now);
        let before = RosterVersion(version.0.saturating_sub(1));
        let mut pairs: Vec<(&Roster, &Roster)> = Vec::new();
        if let Some(before) = self.rosters.get(&before) {
            pairs.push((before, &roster));
        }
        if let Some(after) = self.rosters.get(&version.next()) {
            pairs.push((&roster, after));
        }
        let wrong = pairs.iter().find(|(before, after)| !follows(before, after));
        let wrong = wrong.map(|(before, after)| {
            let (from, to) = (before.version, after.version);
            let (old, new) = (&before.phase, &after.phase);
            format!("{to} cannot follow {from}: {new:?} after {old:?}")
        });
        self.rosters.insert(version, roster);
        wrong.map_or(Ok(()), Err)
    }

    /// When the last move began that had succeeded by that version and gave this place to others; none if there was none,
    /// or if a version is unknown.
    pub(super) fn last_move(&self, by: RosterVersion, id: Id) -> Option<Time> {
        let mut after = self.rosters.get(&by)?;
        loop {
            let before = self
                .rosters
                .get(&RosterVersion(after.version.0.checked_sub(1)?))?;
            let moved = before.is_moving() && !after.is_moving() && same(before.new(), after.new());
            let (old, new) = (before.old().holders(id), before.new().holders(id));
            if moved && !same_hosts(&old, &new) {
                return self.since.get(&before.version).copied();
            }
            after = before;
        }
    }

    /// A host is writing a roster down, to live by it.
    pub(super) fn writes(&mut self, host: HostId) {
        self.writing.insert(host);
    }

    /// A host lives by that version from now on.
    pub(super) fn adopted(&mut self, host: HostId, version: RosterVersion) {
        self.writing.remove(&host);
        if let Some(roster) = self.rosters.get(&version) {
            self.lives_by.insert(host, Arc::clone(roster));
        }
    }

    /// A host begins a life. It lives by the roster it lived by, unless it fell while it wrote the next one down: then
    /// its disk may hold either, and which one shows when it adopts another.
    pub(super) fn began(&mut self, host: HostId) {
        if self.writing.remove(&host) {
            self.lives_by.remove(&host);
        }
    }

    /// The roster a host lives by.
    pub(super) fn roster_of(&self, host: HostId) -> Option<&Arc<Roster>> {
        self.lives_by.get(&host)
    }

    /// A host stores something at that place.
    ///
    /// # Errors
    /// That it is not its to store, in words.
    pub(super) fn stored(&self, host: HostId, id: Id) -> Result<(), String> {
        match self.lives_by.get(&host) {
            Some(roster) if !roster.holds(host, id) => {
                let (version, holders) = (roster.version, roster.groups(id).hosts());
                Err(format!(
                    "{host} stores it, and by {version} {holders:?} hold it"
                ))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The same hosts in the same places, as many copies; who is given up may differ.
fn same(one: &Membership, other: &Membership) -> bool {
    one.replicas == other.replicas && one.placement.members() == other.placement.members()
}

fn follows(before: &Roster, after: &Roster) -> bool {
    let from_old = same(before.old(), after.old());
    let steps = match (&before.phase, &after.phase) {
        // A move begins; or a note is made, and nothing moves.
        (Phase::Settled(_), Phase::Settled(_) | Phase::Moving { .. }) => from_old,
        // It ends either way.
        (Phase::Moving { .. }, Phase::Settled(_)) => from_old || same(before.new(), after.new()),
        // A loss is accepted meanwhile: it goes from what is left to what is left.
        (Phase::Moving { .. }, Phase::Moving { .. }) => from_old,
    };
    steps && before.ring == after.ring
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Member;
    use crate::roster::{Change, RingId};

    fn rosters() -> [Arc<Roster>; 3] {
        let member = |id| Member::new([Id::from_u64(id)]);
        let members = BTreeMap::from([(HostId(1), member(10)), (HostId(2), member(20))]);
        let settled = Roster::settled(RingId(1), members, 1).unwrap();
        let join = [Change::Join(HostId(3), member(30))];
        let moving = settled.moved(HostId(1), &join).unwrap();
        let done = moving.finished(HostId(1)).unwrap();
        [settled, moving, done].map(Arc::new)
    }

    #[test]
    fn a_version_follows_its_predecessor_only() {
        let [settled, moving, done] = rosters();
        let given_up = Arc::new(moving.given_up(HostId(1)).unwrap());
        for end in [&done, &given_up] {
            let mut places = Places::default();
            for roster in [&settled, &moving, end] {
                assert_eq!(places.written(Time::ZERO, Arc::clone(roster)), Ok(()));
            }
        }
        let mut skipped = (*done).clone();
        skipped.version = moving.version;
        for order in [
            [&settled, &Arc::new(skipped.clone())],
            [&Arc::new(skipped.clone()), &settled],
        ] {
            let mut places = Places::default();
            assert_eq!(places.written(Time::ZERO, Arc::clone(order[0])), Ok(()));
            let wrong = places
                .written(Time::ZERO, Arc::clone(order[1]))
                .unwrap_err();
            assert!(wrong.contains("v2 cannot follow v1"), "{wrong}");
        }
    }

    #[test]
    fn who_stores_what_another_holds_is_found_out() {
        let [settled, moving, done] = rosters();
        let mut places = Places::default();
        let (place, host) = (Id::from_u64(25), HostId(1));
        for roster in [settled, moving, done] {
            places.written(Time::ZERO, roster).unwrap();
        }
        assert_eq!(places.stored(host, place), Ok(()), "nothing is known of it");
        for version in [1, 2] {
            places.adopted(host, RosterVersion(version));
            assert_eq!(places.stored(host, place), Ok(()), "v{version}");
        }
        places.adopted(host, RosterVersion(3));
        // A new life changes nothing, if it did not fall while it wrote a roster down.
        for _ in 0..2 {
            let wrong = places.stored(host, place).unwrap_err();
            assert!(wrong.contains("h1 stores it, and by v3"), "{wrong}");
            places.began(host);
        }
        places.writes(host);
        places.began(host);
        assert_eq!(places.stored(host, place), Ok(()), "it may live by either");
    }
}
