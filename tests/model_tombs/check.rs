//! What must hold at every moment, for whoever asks now and for whoever asks once all has come to rest.

use roundelay::record::{Guard, Mark, Stamp, Summary, Version};

use super::state::{E, HOSTS, Host, State, bit, each, quorum, replicas, stamp};
use super::world::World;

pub(crate) const BACK: &str = "a deleted or expired value is back";
pub(crate) const STALE: &str = "a read is older than what was promised";
pub(crate) const LOST: &str = "a promised value is gone";
pub(crate) const UNANSWERED: &str = "a read of a quorum cannot be written back";
pub(crate) const REFUSED: &str = "a read is refused for ever";
pub(crate) const DIFFER: &str = "replicas differ for ever";
pub(crate) const STAYS: &str = "a delete outlives a whole round";

/// What a read of a quorum at one instant comes to.
enum Read {
    Says(Summary),
    /// Some answered from before a collection and some from after it.
    StartsOver,
    /// What it found is not taken by a quorum.
    Refused,
}

impl World {
    /// What a read of these hosts, all at one instant, is answered.
    fn read(&self, hosts: &mut [Host; HOSTS], at: u8, set: u8) -> Read {
        let floors = each(set).map(|host| hosts[host].mark.floor);
        let floor = floors.max().unwrap_or(Stamp(0));
        let mut newest = Summary::default();
        each(set).for_each(|host| newest.merge(hosts[host].held));
        if newest.collected(floor) != newest {
            return Read::Says(Summary::default());
        }
        let said = each(set).map(|host| hosts[host].held.value);
        if self.mixed(&newest, floor, said) {
            return Read::StartsOver;
        }
        let mut holds = 0;
        for host in each(replicas(at)) {
            let asked = set & bit(host) != 0;
            let host_is = &mut hosts[host];
            let took = asked && host_is.take(self.write_back(host_is.mark), &newest);
            if took || host_is.held.covers(&newest) {
                holds |= bit(host);
            }
        }
        if quorum(at, holds) {
            Read::Says(newest)
        } else {
            Read::Refused
        }
    }

    /// By which rule a replica takes what a read writes back.
    pub(crate) fn write_back(&self, mark: Mark) -> Guard {
        if self.case.rules.write_back_fenced {
            Guard::fenced(mark)
        } else {
            Guard::repair(mark)
        }
    }

    /// Whether that is a lawful answer, `need` having been promised.
    pub(crate) fn lawful(
        &self,
        state: &State,
        need: Option<Version>,
        said: &Summary,
    ) -> Option<&'static str> {
        let Some(version) = said.value else {
            let deleted = state
                .writes
                .iter()
                .any(|write| write.new.value.is_some_and(|v| v.delete && Some(v) >= need));
            let expired = state.time > 0 && !state.kept && self.expires(state, need);
            return (need.is_some() && !deleted && !expired).then_some(LOST);
        };
        let first = self.first();
        let newer = |p: Version| p.delete || (p.start == 1 && p > first);
        let copied = version.start == 2 && state.promised.is_some_and(newer);
        let hidden = said.deadline().is_some() && state.time > 0 && state.kept;
        match need {
            _ if copied => Some(BACK),
            Some(need) if version < need && need.delete => Some(BACK),
            Some(need) if version < need => Some(STALE),
            _ if hidden => Some(LOST),
            _ => None,
        }
    }

    /// Whether an expiry of the promised value was begun.
    fn expires(&self, state: &State, need: Option<Version>) -> bool {
        let cells = state.writes.iter().filter_map(|write| write.new.expiry);
        let mut ends = cells.filter(|cell| cell.deadline.is_some());
        ends.any(|cell| Some(cell.of) >= need)
    }

    /// Checks a moment: every quorum that could answer now, then all of them at rest.
    pub(crate) fn check(&self, state: &State) -> Option<&'static str> {
        for at in 0..=state.newest {
            for set in 1..1u8 << HOSTS {
                let ready = |host: usize| state.hosts[host].at == at && self.answers(state, host);
                if set & !replicas(at) != 0 || !quorum(at, set) || !each(set).all(ready) {
                    continue;
                }
                let mut hosts = state.hosts;
                let bad = match self.read(&mut hosts, at, set) {
                    Read::Says(said) => self.lawful(state, state.promised, &said),
                    Read::StartsOver => None,
                    Read::Refused => Some(UNANSWERED),
                };
                if bad.is_some() {
                    return bad;
                }
            }
        }
        self.at_rest(state)
    }

    /// Lets the move end, repair run, and one more round.
    fn at_rest(&self, state: &State) -> Option<&'static str> {
        let mut rest = state.clone();
        if rest.newest == 1 {
            self.end_move(&mut rest);
        }
        for late in each(rest.late) {
            let whole = each(0b1011 & !rest.late);
            whole.for_each(|from| self.merge(&mut rest.hosts, late, from));
        }
        rest.late = 0;
        let at = rest.newest;
        let all: Vec<usize> = each(replicas(at)).collect();
        all.iter().for_each(|host| rest.hosts[*host].at = at);
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                let mut two = rest.clone();
                for _ in 0..2 {
                    self.pull(&mut two.hosts, *a, *b);
                    self.pull(&mut two.hosts, *b, *a);
                }
                match self.read(&mut two.hosts, at, bit(*a) | bit(*b)) {
                    Read::StartsOver | Read::Refused => return Some(REFUSED),
                    Read::Says(said) => {
                        let bad = self.lawful(state, state.promised, &said);
                        if bad.is_some() {
                            return bad;
                        }
                    }
                }
            }
        }
        self.last_round(rest, &all)
    }

    fn last_round(&self, mut rest: State, all: &[usize]) -> Option<&'static str> {
        for _ in 0..3 {
            for a in all {
                all.iter().for_each(|b| self.pull(&mut rest.hosts, *a, *b));
            }
        }
        let first = rest.hosts[all[0]].held;
        if all.iter().any(|host| rest.hosts[*host].held != first) {
            return Some(DIFFER);
        }
        let end = Stamp(stamp(9).0);
        for host in all {
            let held = &mut rest.hosts[*host].held;
            // What has not expired on all clocks lies above the stamp of any round.
            let expiring = held.deadline().is_some() && rest.time < 2;
            *held = if expiring { *held } else { held.collected(end) };
        }
        let held = rest.hosts[all[0]].held;
        if held.value.is_some_and(|version| version.delete) {
            return Some(STAYS);
        }
        self.lawful(&rest, rest.promised, &held)
    }

    fn end_move(&self, rest: &mut State) {
        rest.hosts.iter_mut().for_each(|host| host.at = 1);
        for (to, from) in [(E, 0), (E, 1), (0, 1), (1, 0)] {
            self.merge(&mut rest.hosts, to, from);
        }
        rest.newest = 2;
    }
}
