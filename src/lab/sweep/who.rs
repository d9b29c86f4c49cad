//! Who is up, who is in, whose store may be destroyed?
//!
//! ```text
//! R 3, roster h1 h2 h3 h4      h2 is gone: each group that has it keeps two of three
//! may h4 be destroyed, too?    not while a group has both h2 and h4, nor while h3 lacks what came to it in a move
//! ```

use rand::RngExt;

use super::run::{Run, State};
use crate::lab::check::stores;
use crate::placement::HostId;
use crate::record::{Key, Summary};
use crate::roster::{Roster, RosterVersion};

impl Run {
    pub(super) fn all(&self, state: State) -> Vec<HostId> {
        let hosts = self.hosts.iter().filter(|(_, known)| **known == state);
        hosts.map(|(host, _)| *host).collect()
    }

    pub(super) fn up_at_random(&mut self) -> Option<HostId> {
        let up = self.all(State::Up);
        (!up.is_empty()).then(|| up[self.rng.random_range(0..up.len())])
    }

    /// A host that is up and lives by a roster with itself in it.
    pub(super) fn member_at_random(&mut self) -> Option<HostId> {
        let up = self.members_up();
        (!up.is_empty()).then(|| up[self.rng.random_range(0..up.len())])
    }

    /// Hosts that are up and live by a roster with themselves in it.
    pub(super) fn members_up(&self) -> Vec<HostId> {
        let mut up = self.all(State::Up);
        up.retain(|host| {
            let roster = self.world.host(*host).and_then(|host| host.roster());
            roster.is_some_and(|roster| roster.has(*host))
        });
        up
    }

    /// Under which roster a host has all it should have; none while something is on its way to it, or in doubt.
    fn whole_under(&self, host: HostId) -> Option<RosterVersion> {
        let host = self.world.host(host).filter(|host| !host.is_late())?;
        host.roster().map(|roster| roster.version)
    }

    /// A host is about to stop: what it has is as it is now when it comes back.
    pub(super) fn falls_asleep(&mut self, host: HostId) {
        let whole = self.whole_under(host);
        self.asleep.insert(host, whole);
    }

    /// Whether a store is there, and holds what this roster gives it: one that slept through a move does not.
    fn is_intact(&self, host: HostId, roster: &Roster) -> bool {
        let whole = match self.hosts.get(&host) {
            _ if self.checker.lost_writes_at(host).is_some() => None,
            Some(State::Up) => self.whole_under(host),
            Some(State::Down) => self.asleep.get(&host).copied().flatten(),
            Some(State::Gone | State::Left) | None => None,
        };
        whole == Some(roster.version)
    }

    /// Whether a quorum of every group, and a majority of the roster, would be left without that store.
    pub(super) fn can_spare(&self, host: HostId) -> bool {
        let Some(roster) = self.checker.roster() else {
            return false;
        };
        keeps_quorums(&roster, |other| {
            other != host && self.is_intact(other, &roster)
        })
    }

    /// Whether no store of the ring is destroyed, or in doubt.
    pub(super) fn all_are_there(&self) -> bool {
        let roster = self.checker.roster();
        roster.is_some_and(|roster| {
            let there = |host: &HostId| {
                let known = matches!(self.hosts.get(host), Some(State::Up | State::Down));
                known && self.checker.lost_writes_at(*host).is_none()
            };
            roster.hosts().iter().all(there)
        })
    }

    fn all_keys(&self) -> Vec<Key> {
        self.keys
            .iter()
            .chain(&self.keys_asked_once)
            .cloned()
            .collect()
    }

    /// What of each key a quorum of some group holds.
    pub(super) fn on_quorums(&mut self) -> Vec<(Key, Vec<HostId>, Summary)> {
        let Some(roster) = self.checker.roster() else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for key in self.all_keys() {
            for group in roster.groups(key.id()).groups {
                for host in &group {
                    let has = stores::held(&mut self.world, *host, &key);
                    if self.is_on_a_quorum(&group, &key, &has) {
                        all.push((key.clone(), group.clone(), has));
                    }
                }
            }
        }
        all
    }

    fn is_on_a_quorum(&mut self, group: &[HostId], key: &Key, has: &Summary) -> bool {
        let group = [group.to_vec()];
        stores::on_a_quorum(&mut self.world, &group, key, has, |_| false).is_ok()
    }

    /// Keys of which a quorum does not hold any more what it held are excused from now on.
    pub(super) fn excuse_lost(&mut self, held: Vec<(Key, Vec<HostId>, Summary)>) {
        let now = self.world.now();
        for (key, group, has) in held {
            if !self.is_on_a_quorum(&group, &key, &has) {
                self.checker.excuse(key, now);
            }
        }
    }

    /// Keys of which fewer than a quorum of stores is left are excused from now on.
    pub(super) fn excuse_keys(&mut self) {
        let Some(roster) = self.checker.roster() else {
            return;
        };
        let now = self.world.now();
        let gone = |host: &&HostId| matches!(self.hosts.get(host), Some(State::Gone));
        for key in self.all_keys() {
            let group = roster.old().holders(key.id());
            let left = group.len() - group.iter().filter(gone).count();
            if left < group.len() / 2 + 1 {
                self.checker.excuse(key.clone(), now);
            }
        }
    }
}

/// Whether of every group a quorum of hosts is of use, and of the roster a majority.
pub(super) fn keeps_quorums(roster: &Roster, of_use: impl Fn(HostId) -> bool) -> bool {
    let count = |hosts: &[HostId]| hosts.iter().filter(|host| of_use(**host)).count();
    let most_of = |hosts: &[HostId]| count(hosts) > hosts.len() / 2;
    let mut memberships = [roster.old(), roster.new()].into_iter();
    most_of(&roster.hosts())
        && memberships.all(|membership| {
            let mut tokens = membership.placement.tokens();
            let hosts: Vec<HostId> = membership.placement.hosts().collect();
            count(&hosts) >= membership.majority()
                && tokens.all(|token| most_of(&membership.holders(token.id)))
        })
}
