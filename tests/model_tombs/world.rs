//! What may happen next: every step of a write, a round, a move, a repair, a read, in any order.

use roundelay::record::{Guard, Mark, Stamp, Summary, Version};
use stateright::{Model, Property};

use super::case::{Case, Start};
use super::state::{
    E, Get, HOSTS, Host, Round, State, Write, bit, each, expiry, quorum, replicas, stamp, value,
    version,
};

pub(crate) struct World {
    pub(crate) case: Case,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A client's write begins.
    Begin(Summary),
    /// A write reaches a replica and is acknowledged; or a late copy of it, or a hint, arrives.
    Arrive(usize, usize),
    /// A coordinator goes on under the newest roster.
    Again(usize),
    /// A replica takes from another what it has newer.
    Repair(usize, usize),
    /// A repair message leaves a replica, and arrives some time.
    Leave(usize),
    Reach(usize),
    Round,
    Fence(usize),
    Pass,
    Floor(usize),
    Hop,
    Choose,
    Adopt(usize),
    Learn(usize),
    Merge(usize, usize),
    Settle,
    Read,
    Ask(usize),
    Back(usize),
    Tick,
    Drop(usize),
}

impl World {
    pub(crate) fn new(case: Case) -> World {
        World { case }
    }

    /// The first value.
    pub(crate) fn first(&self) -> Version {
        version(1, false, false)
    }

    pub(crate) fn serves(&self, state: &State, host: usize) -> bool {
        let marked = state.hosts[E].learned.count_ones() >= 2 || self.case.rules.newcomer_unmarked;
        host != E || (state.hosts[E].at > 0 && marked)
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
        let here = |host: usize| state.hosts[host].at == at;
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

    /// The next comparison of a round: A from both others, then both from A.
    fn pass(&self, state: &State) -> (usize, usize) {
        let last = if state.round.at == 2 { E } else { 2 };
        let order = if self.case.rules.quorum_collects {
            [(0, 1), (1, 0), (0, 1), (0, 1)]
        } else {
            [(0, 1), (0, last), (1, 0), (last, 0)]
        };
        order[usize::from(state.round.passed.min(3))]
    }

    fn repair_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let hosts = &state.hosts;
        for to in 0..HOSTS {
            for from in 0..HOSTS {
                let at = hosts[to].at;
                let settled =
                    at != 1 && replicas(at) & bit(to) != 0 && replicas(at) & bit(from) != 0;
                if to != from && at == hosts[from].at && settled {
                    steps.push(Step::Repair(to, from));
                }
            }
            if !self.case.copies || !self.serves(state, to) {
                continue;
            }
            let settled = hosts[to].at != 1 && replicas(hosts[to].at) & bit(to) != 0;
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
        let whole = |host: usize| {
            let own = if host == E { 0 } else { bit(host) };
            (hosts[host].merged | own).count_ones() >= 2
        };
        if each(0b1011).all(whole) && self.serves(state, E) {
            steps.push(Step::Settle);
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
            return self.start_over(state);
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

    fn start_over(&self, state: &mut State) {
        state.get = Get {
            begun: true,
            need: state.get.need,
            ..Get::default()
        };
    }

    fn back(&self, state: &mut State, host: usize) {
        let newest = state.get.newest;
        let guard = self.back_guard(&state.hosts[host]);
        if state.hosts[host].take(guard, &newest) {
            state.get.acks |= bit(host);
            return self.maybe_answer(state);
        }
        let stamped = newest
            .value
            .filter(|version| !version.delete && version.start == 1);
        let Some(_) = stamped.filter(|_| self.case.rules.write_back_stamped) else {
            state.get = Get {
                begun: true,
                need: state.get.need,
                ..Get::default()
            };
            return;
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

    fn back_guard(&self, host: &Host) -> Guard {
        self.write_back(host.mark)
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

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let first = value(self.first());
        let delete = value(version(2, true, false));
        let begun = |new| Write {
            new,
            at: 0,
            acks: 0b111,
            done: true,
        };
        let mut hosts = [Host::default(); HOSTS];
        let mut writes = vec![begun(first)];
        hosts[..3].iter_mut().for_each(|host| host.held = first);
        match self.case.start {
            Start::Equal => {}
            Start::Missed => {
                hosts[..2].iter_mut().for_each(|host| host.held = delete);
                writes.push(begun(delete));
            }
            Start::Parted => {
                let half = |new, acks| Write {
                    acks,
                    done: false,
                    ..begun(new)
                };
                (hosts[0].held, hosts[2].held) = (
                    value(version(2, false, false)),
                    value(version(3, true, false)),
                );
                writes.push(half(hosts[0].held, 0b001));
                writes.push(half(hosts[2].held, 0b100));
            }
        }
        if self.case.rules.leftovers {
            hosts[E].held = first;
        }
        let done = writes.iter().filter(|write| write.done);
        let promised = done.filter_map(|write| write.new.value).max();
        vec![State {
            hosts,
            writes,
            round: Round::default(),
            copy: None,
            newest: 0,
            promised,
            kept: false,
            time: 0,
            get: Get::default(),
            broken: None,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
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

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Begin(new) => {
                let at = state.newest;
                state.writes.push(Write {
                    new,
                    at,
                    acks: 0,
                    done: false,
                });
            }
            Step::Arrive(write, host) => self.arrive(&mut state, write, host),
            Step::Again(write) => {
                (state.writes[write].at, state.writes[write].acks) = (state.newest, 0)
            }
            Step::Repair(to, from) => self.pull(&mut state.hosts, to, from),
            Step::Leave(host) => state.copy = Some((state.hosts[host].held, state.hosts[host].at)),
            Step::Reach(host) => {
                let (held, _) = state.copy?;
                let guard = Guard::repair(state.hosts[host].mark);
                state.hosts[host].take(guard, &held);
            }
            Step::Round => {
                let (upto, at) = (self.case.upto, state.newest);
                let fenced = if self.case.rules.no_fence {
                    replicas(at)
                } else {
                    0
                };
                state.round = Round {
                    upto,
                    at,
                    fenced,
                    ..Round::default()
                };
            }
            Step::Fence(host) => {
                state.hosts[host].raise(Mark::fence(stamp(state.round.upto)));
                state.round.fenced |= bit(host);
            }
            Step::Pass => {
                let (to, from) = self.pass(&state);
                self.pull(&mut state.hosts, to, from);
                state.round.passed += 1;
            }
            Step::Floor(host) => {
                state.hosts[host].raise(Mark::floor(stamp(state.round.upto)));
                state.round.floored |= bit(host);
            }
            Step::Hop => {
                state.round.at = 2;
                state.round.fenced = if state.round.fenced == 0b0111 {
                    0b1011
                } else {
                    0b0011 & state.round.fenced
                };
            }
            Step::Choose => state.newest = 1,
            Step::Adopt(host) => self.adopt(&mut state, host),
            Step::Learn(from) => {
                let mark = state.hosts[from].mark;
                if !self.case.rules.marks_stay {
                    state.hosts[E].raise(mark);
                }
                state.hosts[E].learned |= bit(from);
            }
            Step::Merge(to, from) => self.merge(&mut state.hosts, to, from),
            Step::Settle => state.newest = 2,
            Step::Read => {
                state.get = Get {
                    begun: true,
                    need: state.promised,
                    floor: Stamp(0),
                    ..Get::default()
                }
            }
            Step::Ask(host) => self.ask(&mut state, host),
            Step::Back(host) => self.back(&mut state, host),
            Step::Tick => state.time += 1,
            Step::Drop(host) => {
                let held = &mut state.hosts[host].held;
                if held.deadline().is_some() {
                    *held = Summary::default();
                }
            }
        }
        if state == *last {
            return None;
        }
        // What a moment promises hangs on these alone.
        let matters = |state: &State| {
            (
                state.hosts,
                state.promised,
                state.kept,
                state.time,
                state.newest,
            )
        };
        if matters(&state) != matters(last) || state.writes.len() != last.writes.len() {
            state.broken = state.broken.or_else(|| self.check(&state));
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<World>> {
        vec![Property::always("every rule holds", |_, state: &State| {
            state.broken.is_none()
        })]
    }
}
