//! The world of a case: how it begins, and what follows from a state by a step.
//!
//! What may happen next stands in `may`, what a step does in `does`, and what must hold at every moment in `check`.

use roundelay::record::{Summary, Version};
use stateright::{Model, Property};

use super::case::{Case, Start};
use super::state::{E, Get, HOSTS, Host, Round, State, Write, bit, value, version};

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

    /// Whether a host takes writes: a newcomer has marks of two of A, B and C, or, once settled without it, of one of
    /// A and B, which with itself are a quorum.
    pub(crate) fn serves(&self, state: &State, host: usize) -> bool {
        let newcomer = state.hosts[E];
        let late = state.late & bit(E) != 0 && newcomer.at == 2;
        let enough = if late {
            newcomer.learned & 0b0011 != 0
        } else {
            newcomer.learned.count_ones() >= 2
        };
        let rules = self.case.rules;
        let unmarked = rules.newcomer_unmarked || (late && rules.late_unmarked);
        host != E || (newcomer.at > 0 && (enough || unmarked))
    }

    /// Whether a host answers who reads: a newcomer does before it has marks, but it says so.
    pub(crate) fn answers(&self, state: &State, host: usize) -> bool {
        host != E || state.hosts[E].at > 0
    }

    /// Whether a host has merged the span from a quorum, itself counted if it held it before, and has its marks.
    pub(crate) fn is_whole(&self, state: &State, host: usize) -> bool {
        let own = if host == E && state.newest < 2 {
            0
        } else {
            bit(host)
        };
        let merged = (state.hosts[host].merged | own).count_ones() >= 2;
        merged && self.serves(state, host)
    }

    /// Whether it may repair and collect: a late one may not.
    pub(crate) fn is_ready(&self, state: &State, host: usize) -> bool {
        self.case.rules.late_collects || state.late & bit(host) == 0
    }

    /// The next comparison of a round: A from both others, then both from A.
    pub(crate) fn pass(&self, state: &State) -> (usize, usize) {
        let last = if state.round.at == 2 { E } else { 2 };
        let order = if self.case.rules.quorum_collects {
            [(0, 1), (1, 0), (0, 1), (0, 1)]
        } else {
            [(0, 1), (0, last), (1, 0), (last, 0)]
        };
        order[usize::from(state.round.passed.min(3))]
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
            late: 0,
            promised,
            kept: false,
            time: 0,
            get: Get::default(),
            broken: None,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.may(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        self.does(&mut state, step);
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
                state.late,
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
