//! What does a step do?
//!
//! A replica decides by the rules of the nodes ([`Guard`], [`Summary::merge`]); what else a step does is written here
//! as the nodes do it, or, in a case that breaks a rule, as they must not.

use roundelay::record::{Guard, Mark, Stamp, Summary, Version};

use super::state::{
    E, Get, HOSTS, Host, Round, State, Write, bit, each, quorum, replicas, stamp, value, version,
};
use super::world::{Step, World};

impl World {
    /// The step happens.
    pub(crate) fn does(&self, state: &mut State, step: Step) {
        match step {
            Step::Begin(new) => state.writes.push(Write {
                new,
                at: state.newest,
                acks: 0,
                done: false,
            }),
            Step::Arrive(write, host) => self.arrive(state, write, host),
            Step::Again(write) => {
                (state.writes[write].at, state.writes[write].acks) = (state.newest, 0);
            }
            Step::Repair(to, from) => self.pull(&mut state.hosts, to, from),
            Step::Leave(host) => state.copy = Some((state.hosts[host].held, state.hosts[host].at)),
            Step::Reach(host) => {
                let Some((held, _)) = state.copy else { return };
                let guard = Guard::repair(state.hosts[host].mark);
                state.hosts[host].take(guard, &held);
            }
            Step::Round => state.round = self.round(state.newest),
            Step::Fence(host) => {
                state.hosts[host].raise(Mark::fence(stamp(state.round.upto)));
                state.round.fenced |= bit(host);
            }
            Step::Pass => {
                let (to, from) = self.pass(state);
                self.pull(&mut state.hosts, to, from);
                state.round.passed += 1;
            }
            Step::Floor(host) => {
                state.hosts[host].raise(Mark::floor(stamp(state.round.upto)));
                state.round.floored |= bit(host);
            }
            Step::Hop => hop(&mut state.round),
            Step::Choose => state.newest = 1,
            Step::Adopt(host) => self.adopt(state, host),
            Step::Learn(from) => {
                self.learn(state, from);
                self.maybe_whole(state, E);
            }
            Step::Merge(to, from) => {
                self.merge(&mut state.hosts, to, from);
                self.maybe_whole(state, to);
            }
            Step::Settle => self.settle(state),
            Step::Read => state.get = begun(state.promised),
            Step::Ask(host) => self.ask(state, host),
            Step::Back(host) => self.back(state, host),
            Step::Tick => state.time += 1,
            Step::Drop(host) => drop_expiring(&mut state.hosts[host].held),
        }
    }

    fn round(&self, at: u8) -> Round {
        let no_fence = self.case.rules.no_fence;
        Round {
            upto: self.case.upto,
            at,
            fenced: if no_fence { replicas(at) } else { 0 },
            ..Round::default()
        }
    }

    fn learn(&self, state: &mut State, from: usize) {
        let mark = state.hosts[from].mark;
        if !self.case.rules.marks_stay {
            state.hosts[E].raise(mark);
        }
        state.hosts[E].learned |= bit(from);
    }

    /// `to` takes from `from`: first the marks, then what is newer.
    pub(crate) fn pull(&self, hosts: &mut [Host; HOSTS], to: usize, from: usize) {
        let source = hosts[from];
        if !self.case.rules.floor_stays {
            hosts[to].raise(source.mark);
        }
        let guard = Guard::repair(hosts[to].mark);
        hosts[to].take(guard, &source.held.collected(hosts[to].mark.floor));
    }

    /// `to` merges for a move: nothing is refused.
    pub(crate) fn merge(&self, hosts: &mut [Host; HOSTS], to: usize, from: usize) {
        let source = hosts[from];
        if !self.case.rules.marks_stay {
            hosts[to].raise(source.mark);
        }
        hosts[to].held.merge(source.held);
        hosts[to].held = hosts[to].held.collected(hosts[to].mark.floor);
        hosts[to].merged |= bit(from);
    }

    fn settle(&self, state: &mut State) {
        let late = each(0b1011).filter(|host| !self.is_whole(state, *host));
        state.late = late.map(bit).sum();
        state.newest = 2;
    }

    /// A late host has all it needs: it is late no more.
    fn maybe_whole(&self, state: &mut State, host: usize) {
        if state.hosts[host].at == 2 && self.is_whole(state, host) {
            state.late &= !bit(host);
        }
    }

    fn guard(&self, host: &Host, new: &Summary) -> Guard {
        let mut mark = host.mark;
        if self.case.rules.late_ignores_floor {
            mark = Mark::NONE;
        }
        if self.case.rules.not_frozen && new.value.is_none() {
            // Only the cell's own stamp is looked at.
            mark = Mark::floor(mark.floor);
        }
        Guard::fenced(mark)
    }

    fn arrive(&self, state: &mut State, write: usize, host: usize) {
        let Write {
            new,
            at,
            acks,
            done,
        } = state.writes[write];
        let guard = self.guard(&state.hosts[host], &new);
        let of = new
            .expiry
            .filter(|_| new.value.is_none())
            .map(|cell| cell.of);
        let missing = of.is_some() && state.hosts[host].held.value != of;
        let took = state.hosts[host].take(guard, &new);
        if !took || missing || done || state.hosts[host].at != at {
            return;
        }
        let acks = acks | bit(host);
        state.writes[write].acks = acks;
        if quorum(at, acks) {
            state.writes[write].done = true;
            state.promised = state.promised.max(new.value);
            state.kept |= new.expiry.is_some_and(|cell| cell.deadline.is_none());
        }
    }

    fn ask(&self, state: &mut State, host: usize) {
        let Host { held, mark, .. } = state.hosts[host];
        let get = &mut state.get;
        get.heard |= bit(host);
        get.said[host] = Some(held);
        get.newest.merge(held);
        get.floor = get.floor.max(mark.floor);
        if get.heard.count_ones() < 2 {
            return;
        }
        let (newest, floor) = (get.newest, get.floor);
        if newest.collected(floor) != newest {
            return self.answer(state, Summary::default());
        }
        let said = get.said.iter().flatten();
        if self.mixed(&newest, floor, said.map(|held| held.value)) {
            return start_over(state);
        }
        for (host, held) in get.said.into_iter().enumerate() {
            if held.is_some_and(|held| held.covers(&newest)) {
                state.get.acks |= bit(host);
            }
        }
        self.maybe_answer(state);
    }

    /// Whether answers are from before a collection and from after it.
    pub(crate) fn mixed(
        &self,
        newest: &Summary,
        floor: Stamp,
        mut said: impl Iterator<Item = Option<Version>>,
    ) -> bool {
        let below = newest.value.is_some_and(|version| version.stamp <= floor);
        !self.case.rules.mixes_answers && below && said.any(|value| value < newest.value)
    }

    fn back(&self, state: &mut State, host: usize) {
        let newest = state.get.newest;
        let guard = self.write_back(state.hosts[host].mark);
        if state.hosts[host].take(guard, &newest) {
            state.get.acks |= bit(host);
            return self.maybe_answer(state);
        }
        let stamped = newest
            .value
            .filter(|version| !version.delete && version.start == 1);
        let Some(_) = stamped.filter(|_| self.case.rules.write_back_stamped) else {
            return start_over(state);
        };
        let copy = value(version(4, false, true));
        state.writes.push(Write {
            new: copy,
            at: 0,
            acks: 0,
            done: false,
        });
        (state.get.newest, state.get.acks) = (copy, 0);
    }

    fn maybe_answer(&self, state: &mut State) {
        if state.get.acks.count_ones() >= 2 {
            let said = state.get.newest;
            self.answer(state, said);
        }
    }

    fn answer(&self, state: &mut State, said: Summary) {
        state.broken = state.broken.or(self.lawful(state, state.get.need, &said));
        state.promised = state.promised.max(said.value);
        state.get = Get::default();
    }

    fn adopt(&self, state: &mut State, host: usize) {
        state.hosts[host].at += 1;
        if host == E && state.hosts[E].at == 1 && !self.case.rules.leftovers {
            state.hosts[E].held = Summary::default();
        }
        if state.hosts[host].at == 2 {
            state.hosts[host].merged = 0;
        }
    }
}

/// A read begins: it must find what was promised by then.
fn begun(need: Option<Version>) -> Get {
    Get {
        begun: true,
        need,
        floor: Stamp(0),
        ..Get::default()
    }
}

/// A read begins anew.
fn start_over(state: &mut State) {
    state.get = begun(state.get.need);
}

/// A round goes on under the roster after the move: the rule that it may not is broken.
fn hop(round: &mut Round) {
    round.at = 2;
    round.fenced = if round.fenced == 0b0111 {
        0b1011
    } else {
        0b0011 & round.fenced
    };
}

fn drop_expiring(held: &mut Summary) {
    if held.deadline().is_some() {
        *held = Summary::default();
    }
}
