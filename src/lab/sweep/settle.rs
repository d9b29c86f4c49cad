//! Act two: faults have ended. Does the ring come to rest, and has it kept everything?
//!
//! ```text
//! all faults end, hosts that were down start, hosts that are gone are removed
//! within a bound    all agree, nothing moves
//! then              every request succeeds, at every host
//!                   every host reads every key: nothing acknowledged is gone
//!                   every replica's disk holds the same; links, owners and roster fit
//! ```

use std::time::Duration;

use super::run::{Run, State, Wish};
use super::who::keeps_quorums;
use crate::lab::check::{Rule, ring, stores};
use crate::message::{KeyOp, Request};
use crate::node::Host;
use crate::placement::HostId;
use crate::record::{Key, Time};
use crate::roster::Change;

/// So long the ring may take to come to rest, beside what its own settings make it wait.
const REST: Duration = Duration::from_secs(60);

/// How long it must stay at rest to be believed.
const STILL: Duration = Duration::from_secs(1);

/// Requests that are asked of the ring at rest, beside a get of each key at each host.
const CALM_REQUESTS: usize = 100;

impl Run {
    /// The second act, to its end.
    pub(super) fn settle(&mut self) {
        self.end_faults(Time(u64::MAX));
        let over = self.world.now();
        let calm = self.plan.calm();
        *self.world.network() = calm;
        self.clients
            .iter_mut()
            .for_each(|client| client.next = None);
        self.stop_streams();
        if !self.can_come_to_rest() {
            return;
        }
        if !self.come_to_rest(over) {
            let words = self.why_restless();
            return self.blame(Rule::RingSettles, None, words);
        }
        self.quiet = true;
        self.clients
            .iter_mut()
            .for_each(|client| client.next = None);
        self.wait_for_answers();
        self.calm = true;
        self.calm_requests();
        self.calm_streams();
        self.replicas_agree();
        self.read_everything();
        let settled = ring::settled(&self.world);
        if let Some(Err(words)) = settled.map(|roster| ring::closes(&self.world, &roster)) {
            self.blame(Rule::RingSettles, None, words);
        }
    }

    /// Only if harshness left a majority, and a quorum of every group.
    fn can_come_to_rest(&self) -> bool {
        let there =
            |host: HostId| !matches!(self.hosts.get(&host), Some(State::Gone | State::Left));
        let sure = |host: HostId| there(host) && self.checker.lost_writes_at(host).is_none();
        let roster = self.checker.roster();
        !self.plan.harsh
            // Where too few are sure, one that lost writes may wait for one that slept through moves, and that one for it.
            || roster.is_some_and(|roster| keeps_quorums(&roster, sure))
    }

    /// Clients go on asking meanwhile; what they asked while there were faults must have ended.
    fn come_to_rest(&mut self, over: Time) -> bool {
        let limit = self.world.now() + REST + self.plan.paced(Duration::from_secs(600));
        while self.world.now() < limit {
            self.remove_those_gone();
            let until = self.world.now() + Duration::from_secs(2);
            self.go_on(until);
            if self.is_at_rest(over) {
                self.go_on(until + STILL);
                if self.is_at_rest(over) {
                    return true;
                }
            }
        }
        false
    }

    fn is_at_rest(&self, over: Time) -> bool {
        let Some(roster) = ring::settled(&self.world) else {
            return false;
        };
        let gone = self
            .hosts
            .iter()
            .any(|(host, state)| matches!(state, State::Gone | State::Left) && roster.has(*host));
        let late = |host: &HostId| self.world.host(*host).is_some_and(Host::is_late);
        let whole = !roster.hosts().iter().any(late);
        !gone
            && whole
            && self.catching_up.is_empty()
            && self.open.values().all(|waiting| waiting.since > over)
            && !self.changes.values().any(|wish| self.can_come(wish))
    }

    /// Whether a change will be answered: a joiner may know nobody but a host that has gone.
    fn can_come(&self, wish: &Wish) -> bool {
        wish.via
            .is_none_or(|via| self.hosts.get(&via) == Some(&State::Up))
    }

    fn why_restless(&self) -> String {
        let lives_by = |host: &HostId| {
            let roster = self.world.host(*host).and_then(|host| host.roster());
            let shown = roster.map(|roster| {
                let moving = if roster.is_moving() { ", moving" } else { "" };
                format!("{host} {}{moving}", roster.version)
            });
            shown.unwrap_or_else(|| format!("{host} {:?}", self.hosts.get(host)))
        };
        let shown: Vec<String> = self.hosts.keys().map(lives_by).collect();
        format!(
            "{}; {} requests and {} changes are open",
            shown.join(", "),
            self.open.len(),
            self.changes.len()
        )
    }

    /// What an operator does: hosts whose stores are destroyed are taken out.
    fn remove_those_gone(&mut self) {
        let Some(roster) = ring::settled(&self.world) else {
            return;
        };
        let gone = self.hosts.iter().filter(|(host, state)| {
            matches!(state, State::Gone | State::Left) && roster.has(**host)
        });
        let changes: Vec<Change> = gone.map(|(host, _)| Change::Remove(*host)).collect();
        if !changes.is_empty() {
            self.change(changes);
        }
    }

    /// Everyone is served.
    fn calm_requests(&mut self) {
        for _ in 0..CALM_REQUESTS.div_ceil(self.clients.len()) {
            let now = self.world.now();
            self.clients
                .iter_mut()
                .for_each(|client| client.next = Some(now));
            self.wait_for_answers();
        }
    }

    fn wait_for_answers(&mut self) {
        let limit =
            self.world.now() + self.plan.paced(Duration::from_secs(5)) + Duration::from_secs(2);
        let mut until = self.world.now();
        while until < limit {
            until = until + Duration::from_millis(20);
            self.go_on(until);
            if self.open.is_empty() {
                return;
            }
        }
        let words = format!("{} requests are not answered in time", self.open.len());
        self.blame(Rule::Serves, None, words);
    }

    /// Every key at every host: the checker compares it with all that was ever acknowledged.
    fn read_everything(&mut self) {
        let Some(roster) = ring::settled(&self.world) else {
            return;
        };
        let mut hosts = self.all(State::Up);
        hosts.retain(|host| roster.has(*host));
        for host in hosts {
            for key in self.keys.clone() {
                self.send(usize::MAX, host, Request::One(key, KeyOp::Get), None);
            }
            self.wait_for_answers();
        }
    }

    /// Replicas come to hold the same, by repair; where nothing heals by itself, a quorum of them is enough,
    /// and that is looked at with each acknowledgement.
    fn replicas_agree(&mut self) {
        if !self.plan.heals {
            return;
        }
        // A host compares one span with one replica each ten seconds, drawn at random out of a hundred pairs or so.
        let limit = self.world.now() + REST + self.plan.paced(Duration::from_secs(2_000));
        let mut keys = self.keys.clone();
        keys.retain(|key| !self.checker.is_excused(key));
        loop {
            let Some(roster) = ring::settled(&self.world) else {
                return;
            };
            let mut wrong: Option<(Key, String)> = None;
            keys.retain(|key| match stores::agree(&mut self.world, &roster, key) {
                Ok(()) => false,
                Err(words) => {
                    wrong = Some((key.clone(), words));
                    true
                }
            });
            let Some((key, words)) = wrong else { return };
            if self.world.now() >= limit {
                return self.blame(Rule::ReplicasAgree, Some(key), words);
            }
            let until = self.world.now() + self.plan.paced(Duration::from_secs(10));
            self.go_on(until);
        }
    }
}
