//! What can happen next: every step any host, coordinator or message may take.
//!
//! One step is what one host does at one time: a coordinator that has heard enough goes on in the same
//! step. A host adopts a roster in the step that touches it under that roster: had it adopted earlier, it
//! would only have missed older messages, and those may be lost anyway.

use std::fmt;

use stateright::{Model, Property};

use super::case::{Case, Kind};
use super::check;
use super::places::{View, host, renamings, rosters};
use super::state::{HOSTS, Op, Phase, State, bit, each};
use super::table::{Words, ghost};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A request's question is answered: request, host, roster version.
    Ask(u8, u8, u8),
    /// A write under way arrives and is stored: host, roster version, cells. Whoever waits for it hears of it.
    Arrive(u8, u8, u8),
    /// A coordinator starts again under the next roster (a write in its second phase), or gives up (any other).
    Again(u8),
    /// The roster agreed on next: a move, its success, its end without success.
    Move(u8),
    Finish,
    GiveUp,
    /// A replica of New merges what a source held when it was sealed (or holds now).
    Merge(u8, u8, bool),
    /// A store is gone for good.
    Lose(u8),
    /// Mutants only: a host forgets a roster; a replica drops what has expired.
    Forget(u8),
    Drop(u8),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host: &u8| char::from(b'A' + host);
        match self {
            Step::Ask(op, h, at) => write!(f, "{} answers request {op} at v{at}", host(h)),
            Step::Arrive(h, at, cells) => write!(f, "{} stores cells {cells} at v{at}", host(h)),
            Step::Again(op) => write!(f, "request {op} starts again"),
            Step::Move(wish) => write!(f, "move {wish} begins"),
            Step::Finish => write!(f, "the move has succeeded"),
            Step::GiveUp => write!(f, "the move is given up"),
            Step::Merge(h, from, sealed) => {
                let what = if *sealed { "sealed" } else { "present" };
                write!(f, "{} merges the {what} cells of {}", host(h), host(from))
            }
            Step::Lose(h) => write!(f, "{} loses its store", host(h)),
            Step::Forget(h) => write!(f, "{} forgets its roster", host(h)),
            Step::Drop(h) => write!(f, "{} drops what has expired", host(h)),
        }
    }
}

/// A case with its tables.
pub(crate) struct World {
    pub(crate) case: Case,
    pub(crate) words: Words,
    pub(crate) rosters: Vec<View>,
    renamings: Vec<[u8; HOSTS]>,
}

impl World {
    pub(crate) fn new(case: Case) -> World {
        let rosters = rosters(&case);
        let renamings = renamings(&rosters);
        World {
            words: Words::new(&case),
            case,
            rosters,
            renamings,
        }
    }

    /// The state before anything has happened.
    pub(crate) fn first(&self) -> State {
        let mut state = State::first();
        if self.case.rules.ghost {
            state.hosts[host('D')].held = self.words.find_value(ghost()).unwrap();
        }
        if self.case.written {
            let put = self.words.find_value(self.case.version(0, 1, 0)).unwrap();
            (state.hosts[host('A')].held, state.hosts[host('C')].held) = (put, put);
            state.ops[0].phase = Phase::Done;
            state.promised = put;
            state.send(0, put);
        }
        state
    }

    /// The replicas that would serve this version: in it, not ahead of it, and not among `but`.
    fn serving(&self, state: &State, version: u8, but: u8) -> impl Iterator<Item = u8> {
        let view = state.view(&self.rosters, version);
        each(view.all() & state.behind_or_at(version) & !but).map(|host| host as u8)
    }

    fn request_steps(&self, state: &State, i: u8, op: &Op, out: &mut Vec<Step>) {
        match op.phase {
            // It begins with the first answer: beginning earlier would bind it to less.
            Phase::Idle => {
                for version in 0..=state.newest {
                    let hosts = self.serving(state, version, 0);
                    out.extend(hosts.map(|host| Step::Ask(i, host, version)));
                }
            }
            Phase::Asking => {
                let hosts = self.serving(state, op.at, op.heard);
                out.extend(hosts.map(|host| Step::Ask(i, host, op.at)));
                out.push(Step::Again(i));
            }
            Phase::Writing => {
                let read = self.case.ops[usize::from(i)] == Kind::Get;
                if read || op.at < state.newest {
                    out.push(Step::Again(i));
                }
            }
            Phase::Done => {}
        }
    }

    /// A write may arrive under the roster it was sent at, or as a hint under any later one.
    fn arrivals(&self, state: &State, out: &mut Vec<Step>) {
        for (sent, cells) in state.messages() {
            for version in sent..=state.newest {
                for host in self.serving(state, version, 0) {
                    let held = state.held_at(&self.rosters, host.into(), version);
                    if !self.words.covers(held, cells) {
                        out.push(Step::Arrive(host, version, cells));
                    }
                }
            }
        }
    }

    fn roster_steps(&self, state: &State, out: &mut Vec<Step>) {
        let top = state.view(&self.rosters, state.newest);
        for (wish, next) in top.moves.iter().enumerate() {
            let new = self.rosters[usize::from(*next)].new;
            let joins = new & !top.old;
            if joins & state.lost == 0 && top_live(&self.rosters[usize::from(*next)], state.lost) {
                out.push(Step::Move(wish as u8));
            }
        }
        if let Some(next) = top.finished {
            let complete = each(top.new).filter(|host| self.complete(state, *host));
            let complete: u8 = complete.map(bit).sum();
            let enough = self.rosters[usize::from(next)].quorum(complete);
            if enough || (self.case.rules.settles_early && complete != 0) {
                out.push(Step::Finish);
            }
        }
        if top.given_up.is_some() {
            out.push(Step::GiveUp);
        }
    }

    /// Whether a New replica has merged a quorum of Old, itself included if it is in Old.
    pub(crate) fn complete(&self, state: &State, host: usize) -> bool {
        let top = state.view(&self.rosters, state.newest);
        let itself = bit(host) & top.old;
        let rules = &self.case.rules;
        if state.hosts[host].at != state.newest {
            return rules.staying_rest && itself != 0;
        }
        let sources = state.hosts[host].merged | itself;
        top.quorum_of_old(sources)
            || (rules.staying_rest && itself != 0)
            || (rules.one_source && sources != 0)
    }

    fn merges(&self, state: &State, out: &mut Vec<Step>) {
        let top = state.view(&self.rosters, state.newest);
        if !top.moving() {
            return;
        }
        for to in each(top.new & !state.lost) {
            if self.complete(state, to) {
                continue;
            }
            for from in each(top.old & !bit(to) & !state.hosts[to].merged) {
                let source = state.hosts[from];
                let gone = state.lost & bit(from) != 0;
                let sealed = source.at == state.newest;
                // The snapshot of a store that is gone may still be on its way.
                if sealed && (gone || source.seal != source.held) {
                    out.push(Step::Merge(to as u8, from as u8, true));
                }
                if !gone {
                    out.push(Step::Merge(to as u8, from as u8, false));
                }
            }
        }
    }

    fn faults(&self, state: &State, out: &mut Vec<Step>) {
        let top = state.view(&self.rosters, state.newest);
        if state.losses < self.case.losses {
            for host in each(top.all() & !state.lost) {
                if top_live(top, state.lost | bit(host)) {
                    out.push(Step::Lose(host as u8));
                }
            }
        }
        for host in 0..HOSTS {
            if self.case.rules.forgets_roster && state.hosts[host].at > 0 {
                out.push(Step::Forget(host as u8));
            }
            let held = state.hosts[host].held;
            if self.case.rules.drops_expired && self.words.value(held) != 0 {
                let deleted = self
                    .words
                    .version(held)
                    .is_some_and(|version| version.delete);
                if !deleted && !self.words.shown[usize::from(held)] {
                    out.push(Step::Drop(host as u8));
                }
            }
        }
    }
}

impl World {
    /// The state after a step and all that follows from it at once, under its own names.
    pub(crate) fn after(&self, state: &State, step: Step) -> Option<State> {
        let mut next = self.take(state, step)?;
        self.complete_requests(&mut next);
        next.settle_down(&self.case, &self.words, &self.rosters);
        self.complete_requests(&mut next);
        check::stores(self, &mut next);
        Some(next)
    }
}

/// The promise is made while Old and New keep a quorum of their stores.
fn top_live(view: &View, lost: u8) -> bool {
    view.quorum(!lost & 31)
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, out: &mut Vec<Step>) {
        if state.broken != 0 {
            return;
        }
        for (i, op) in state.ops[..self.case.ops.len()].iter().enumerate() {
            self.request_steps(state, i as u8, op, out);
        }
        self.arrivals(state, out);
        self.roster_steps(state, out);
        self.merges(state, out);
        self.faults(state, out);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let next = self
            .after(state, step)?
            .smallest(&self.case, &self.renamings);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<World>> {
        vec![Property::always("every rule holds", |_, state: &State| {
            state.broken == 0
        })]
    }
}
