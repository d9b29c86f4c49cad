//! Who is up, who is in, whose store may be destroyed?
//!
//! ```text
//! R 3, roster h1 h2 h3 h4      h2 is gone: each group that has it keeps two of three
//! may h4 be destroyed, too?    not while a group has both h2 and h4
//! ```

use rand::RngExt;

use super::run::{Run, State};
use crate::placement::HostId;

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
        let mut up = self.all(State::Up);
        up.retain(|host| {
            let roster = self.world.host(*host).and_then(|host| host.roster());
            roster.is_some_and(|roster| roster.has(*host))
        });
        (!up.is_empty()).then(|| up[self.rng.random_range(0..up.len())])
    }

    /// Whether a quorum of every group, and a majority of the roster, would be left without that store.
    pub(super) fn can_spare(&self, host: HostId) -> bool {
        let Some(roster) = self.checker.roster() else {
            return false;
        };
        let intact = |other: &HostId| {
            *other != host && !matches!(self.hosts.get(other), Some(State::Gone | State::Left))
        };
        let members = roster.hosts();
        if members.iter().filter(|other| intact(other)).count() < members.len() / 2 + 1 {
            return false;
        }
        [roster.old(), roster.new()].into_iter().all(|membership| {
            let majority = membership
                .placement
                .hosts()
                .filter(|other| intact(other))
                .count()
                >= membership.majority();
            let mut tokens = membership.placement.tokens();
            majority
                && tokens.all(|token| {
                    let group = membership.holders(token.id);
                    group.iter().filter(|other| intact(other)).count() > group.len() / 2
                })
        })
    }

    /// Keys of which fewer than a quorum of stores is left are excused from now on.
    pub(super) fn excuse_keys(&mut self) {
        let Some(roster) = self.checker.roster() else {
            return;
        };
        let now = self.world.now();
        let gone = |host: &&HostId| matches!(self.hosts.get(host), Some(State::Gone));
        for key in &self.keys {
            let group = roster.old().holders(key.id());
            let left = group.len() - group.iter().filter(gone).count();
            if left < group.len() / 2 + 1 {
                self.checker.excuse(key.clone(), now);
            }
        }
    }
}
