//! Who could have been served?
//!
//! A store that refuses everything loses nothing. So a request that failed is looked at: could its
//! coordinator reach a quorum of each group of replicas, all living by the same roster version, from the
//! moment it was asked until it gave up? Then it must not have failed.
//!
//! ```text
//! h2 asked at 3.000, failed at 4.000     h2, h3: undisturbed since 2.1, no cut between them, both at v5
//! replicas by v5: h1 h3 h2               h2 and h3 are a quorum: refused without a reason
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::faults::Fault;
use crate::placement::HostId;
use crate::record::{Key, Time};
use crate::roster::Roster;

/// When something ends that lasts.
const FOR_NOW: Time = Time(u64::MAX);

/// A lasting cut.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) some: Vec<HostId>,
    pub(super) others: Vec<HostId>,
    pub(super) one_way: bool,
}

/// When what was last disturbed.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    hosts: BTreeMap<HostId, Time>,
    /// Who is slow, or has a disk that is slow or full, and by what.
    hampered: BTreeSet<(HostId, Fault)>,
    network: Time,
    pub(super) cuts: BTreeMap<u64, Cut>,
    /// When the last cut that has ended did so, by pair.
    ended: BTreeMap<(HostId, HostId), Time>,
}

impl Reach {
    /// A host was stopped or started, or its clock was set.
    pub(super) fn disturbed(&mut self, host: HostId, now: Time) {
        self.hosts.insert(host, now);
    }

    /// A host is hampered, whatever else disturbs it, until that ends.
    pub(super) fn hampered(&mut self, host: HostId, by: Fault) {
        self.hampered.insert((host, by));
    }

    /// That has ended.
    pub(super) fn fit(&mut self, host: HostId, by: Fault, now: Time) {
        self.hampered.remove(&(host, by));
        self.disturbed(host, now);
    }

    /// Messages are lost or late from now on.
    pub(super) fn network_bad(&mut self) {
        self.network = FOR_NOW;
    }

    /// They are no longer.
    pub(super) fn network_good(&mut self, now: Time) {
        self.network = now;
    }

    /// A cut has ended.
    pub(super) fn healed(&mut self, cut: &Cut, now: Time) {
        for some in &cut.some {
            for other in &cut.others {
                self.ended.insert((*some, *other), now);
                self.ended.insert((*other, *some), now);
            }
        }
    }

    fn quiet(&self, host: HostId, since: Time) -> bool {
        let hampered = self.hampered.iter().any(|(other, _)| *other == host);
        !hampered && self.hosts.get(&host).is_none_or(|at| *at < since)
    }

    fn linked(&self, a: HostId, b: HostId, since: Time) -> bool {
        let apart = |cut: &Cut| {
            (cut.some.contains(&a) && cut.others.contains(&b))
                || (cut.some.contains(&b) && cut.others.contains(&a))
        };
        !self.cuts.values().any(apart) && self.ended.get(&(a, b)).is_none_or(|at| *at < since)
    }

    /// Whether a coordinator could reach its quorums since then. `lives_by` says whether a host has lived
    /// by this roster all the time.
    pub(super) fn reaches(
        &self,
        coordinator: HostId,
        key: &Key,
        roster: &Roster,
        since: Time,
        all: bool,
        lives_by: impl Fn(HostId) -> bool,
    ) -> bool {
        let well = |host: HostId| {
            self.quiet(host, since) && lives_by(host) && self.linked(coordinator, host, since)
        };
        let need = |group| if all { group } else { group / 2 + 1 };
        self.network < since && well(coordinator) && roster.groups(key.id()).reached(need, well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{Member, random};
    use crate::roster::RingId;

    #[test]
    fn a_cut_or_a_fresh_start_takes_a_host_out_of_reach() {
        let member = |host: u64| (HostId(host), Member::new(random(host, 1)));
        let roster = Roster::settled(RingId(1), (1..=3).map(member).collect(), 3).unwrap();
        let key = Key::new("cat").unwrap();
        let at = Time::from_ms(100);
        let mut reach = Reach::default();
        let can = |reach: &Reach| reach.reaches(HostId(1), &key, &roster, at, false, |_| true);
        assert!(can(&reach));
        reach.disturbed(HostId(2), Time::from_ms(150));
        assert!(can(&reach), "h1 and h3 are a quorum");
        let (some, others) = (vec![HostId(3)], vec![HostId(1)]);
        reach.cuts.insert(
            1,
            Cut {
                some,
                others,
                one_way: true,
            },
        );
        assert!(!can(&reach));
        let cut = reach.cuts.remove(&1).unwrap();
        reach.healed(&cut, Time::from_ms(90));
        assert!(can(&reach));
        reach.hampered(HostId(1), Fault::Slow);
        reach.hampered(HostId(1), Fault::FullDisk);
        reach.disturbed(HostId(1), Time::from_ms(95));
        assert!(!can(&reach), "a slow host is slow, whatever its clock says");
        reach.fit(HostId(1), Fault::Slow, Time::from_ms(96));
        assert!(!can(&reach), "its disk is full, too");
        reach.fit(HostId(1), Fault::FullDisk, Time::from_ms(97));
        assert!(can(&reach));
        reach.network_bad();
        assert!(!can(&reach));
        reach.network_good(Time::from_ms(101));
        assert!(!can(&reach));
    }
}
