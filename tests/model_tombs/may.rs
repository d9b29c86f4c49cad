//! What may happen next?
//!
//! ```text
//!   a write    Begin ─> Arrive at A, B, C in any order, and often
//!   a round    Round ─> Fence each ─> Pass × 4 ─> Floor each
//!   a move     Choose ─> Adopt each ─> Learn, Merge ─> Settle
//!   a read     Read ─> Ask two ─> Back to those who lack it
//! ```
//!
//! Each step is there as soon as the rules of the nodes allow it, whatever else is under way.

use roundelay::record::Summary;

use super::case::Case;
use super::state::{E, HOSTS, Host, Round, State, bit, each, expiry, replicas, value, version};
use super::world::{Step, World};

impl World {
    /// Every step that is possible in a state.
    pub(crate) fn may(&self, state: &State, steps: &mut Vec<Step>) {
        self.begins(state, steps);
        for write in 0..state.writes.len() {
            let holders = each(replicas(state.newest));
            steps.extend(
                holders
                    .filter(|host| self.serves(state, *host))
                    .map(|h| Step::Arrive(write, h)),
            );
            if !state.writes[write].done && state.writes[write].at < state.newest {
                steps.push(Step::Again(write));
            }
        }
        self.round_steps(state, steps);
        self.repair_steps(state, steps);
        if self.case.moves {
            self.move_steps(state, steps);
        }
        if self.case.gets {
            self.read_steps(state, steps);
        }
        if self.case.expire && state.time < 2 && state.writes.iter().any(|w| w.new.expiry.is_some())
        {
            steps.push(Step::Tick);
        }
        if self.case.rules.drops_by_clock && state.time > 0 {
            steps.extend((0..3).map(Step::Drop));
        }
    }

    fn begins(&self, state: &State, steps: &mut Vec<Step>) {
        let begun = |new: &Summary| state.writes.iter().any(|write| write.new == *new);
        let mut begin = |new: Summary| {
            if !begun(&new) {
                steps.push(Step::Begin(new));
            }
        };
        let Case { delete, put, .. } = self.case;
        if delete > 0 {
            begin(value(version(delete, true, false)));
        }
        if put > 0 {
            begin(value(version(put, false, false)));
        }
        let first = self.first();
        let seen = |host: &Host| host.held.value == Some(first);
        let found = state.hosts[..3].iter().filter(|host| seen(host)).count() >= 2;
        if self.case.expire && state.time < 2 && found {
            let ends = self.expiry();
            begin(ends);
            if begun(&ends) && !self.case.rules.rewrites {
                begin(expiry(first, 2, None));
            }
        }
    }

    /// The expiry of the first value: set at 1, it ends at 3.
    fn expiry(&self) -> Summary {
        if self.case.rules.rewrites {
            let rewritten = version(3, false, true);
            let cell = expiry(rewritten, 3, Some(3)).expiry;
            return Summary {
                expiry: cell,
                ..value(rewritten)
            };
        }
        expiry(self.first(), 1, Some(3))
    }

    fn round_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let Round {
            upto,
            at,
            fenced,
            passed,
            floored,
        } = state.round;
        if upto == 0 {
            let late = self.case.expire && state.time < 2 && !self.case.rules.no_lag;
            if !late && state.newest != 1 {
                steps.push(Step::Round);
            }
            return;
        }
        let all = replicas(at);
        let here = |host: usize| state.hosts[host].at == at && self.is_ready(state, host);
        let ended = passed
            >= if self.case.rules.quorum_collects {
                2
            } else {
                4
            };
        for host in each(all).filter(|host| here(*host)) {
            if fenced & bit(host) == 0 && fenced != all {
                steps.push(Step::Fence(host));
            } else if ended && floored & bit(host) == 0 {
                steps.push(Step::Floor(host));
            }
        }
        let (to, from) = self.pass(state);
        if fenced == all && !ended && here(to) && here(from) {
            steps.push(Step::Pass);
        }
        if self.case.rules.round_outlives_roster && at == 0 && state.newest == 2 {
            steps.push(Step::Hop);
        }
    }

    fn repair_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let hosts = &state.hosts;
        for to in 0..HOSTS {
            for from in 0..HOSTS {
                let at = hosts[to].at;
                let settled =
                    at != 1 && replicas(at) & bit(to) != 0 && replicas(at) & bit(from) != 0;
                let ready = self.is_ready(state, to) && self.is_ready(state, from);
                if to != from && at == hosts[from].at && settled && ready {
                    steps.push(Step::Repair(to, from));
                }
            }
            if !self.case.copies || !self.serves(state, to) {
                continue;
            }
            let settled = hosts[to].at != 1
                && replicas(hosts[to].at) & bit(to) != 0
                && self.is_ready(state, to);
            if state.copy.is_none() && settled && hosts[to].held != Summary::default() {
                steps.push(Step::Leave(to));
            }
            let same = state.copy.is_some_and(|(_, at)| at == hosts[to].at) && settled;
            if same || (state.copy.is_some() && self.case.rules.repair_outlives_roster) {
                steps.push(Step::Reach(to));
            }
        }
    }

    fn move_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let hosts = &state.hosts;
        if state.newest == 0 {
            steps.push(Step::Choose);
        }
        for host in 0..HOSTS {
            if hosts[host].at < state.newest {
                steps.push(Step::Adopt(host));
            }
        }
        if state.newest == 2 {
            self.late_steps(state, steps);
        }
        if state.newest != 1 {
            return;
        }
        for from in each(0b0111).filter(|from| hosts[*from].at == 1) {
            if hosts[E].at == 1 && hosts[E].learned & bit(from) == 0 {
                steps.push(Step::Learn(from));
            }
            for to in each(0b1011).filter(|to| *to != from && hosts[*to].at == 1) {
                if hosts[to].merged & bit(from) == 0 {
                    steps.push(Step::Merge(to, from));
                }
            }
        }
        let whole = each(0b1011).filter(|host| self.is_whole(state, *host));
        if whole.count() >= if self.case.late { 2 } else { 3 } {
            steps.push(Step::Settle);
        }
    }

    /// Settled without it, a host merges from those who hold the span now, and learns their marks.
    fn late_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let here = |host: &usize| state.hosts[*host].at == 2;
        for to in each(state.late).filter(here) {
            for from in each(0b1011 & !bit(to)).filter(here) {
                if to == E && state.hosts[E].learned & bit(from) == 0 {
                    steps.push(Step::Learn(from));
                }
                if state.hosts[to].merged & bit(from) == 0 {
                    steps.push(Step::Merge(to, from));
                }
            }
        }
    }

    fn read_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let get = state.get;
        if !get.begun {
            return steps.push(Step::Read);
        }
        for host in 0..3 {
            if get.heard.count_ones() < 2 && get.heard & bit(host) == 0 {
                steps.push(Step::Ask(host));
            } else if get.heard.count_ones() == 2 && get.acks & bit(host) == 0 {
                steps.push(Step::Back(host));
            }
        }
    }
}
