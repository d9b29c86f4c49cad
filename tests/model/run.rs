//! Searching a case breadth first, and saying what came of it.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use super::case::Case;
use super::check;
use super::paxos::{self, Ballots, Election, Vote};
use super::state::{Phase, State, bit, each};
use super::world::World;

/// What a search found.
pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) depth: usize,
    pub(crate) took: Duration,
    /// Whether every state was seen.
    pub(crate) exhaustive: bool,
    /// The rules that broke, and the shortest way there.
    pub(crate) broken: Vec<&'static str>,
    pub(crate) trace: Vec<String>,
}

impl Outcome {
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.broken.is_empty(), self.exhaustive) {
            (false, _) => "VIOLATED",
            (true, true) => "holds, exhaustive",
            (true, false) => "holds so far, not exhausted",
        }
    }

    pub(crate) fn print(&self, name: &str) {
        let (states, depth, took) = (self.states, self.depth, self.took.as_secs_f64());
        println!(
            "{name:62} {states:>10} {depth:>4} {took:>7.1}s  {}",
            self.verdict()
        );
    }

    /// The trace in lines.
    pub(crate) fn story(&self) -> String {
        format!("{}\n  {}", self.broken.join("; "), self.trace.join("\n  "))
    }
}

/// Searches any model; `broken` names what a bad state breaks, `show` writes one down.
pub(crate) fn search<M>(
    model: M,
    limit: Duration,
    broken: fn(&M::State) -> Vec<&'static str>,
    show: impl Fn(&M, &M::State) -> String,
) -> Outcome
where
    M: Model + Send + Sync + 'static,
    M::State: std::hash::Hash + Send + Sync + Clone + PartialEq + std::fmt::Debug + 'static,
    M::Action: std::fmt::Debug + Clone + PartialEq,
{
    #[allow(clippy::disallowed_methods)] // how long a search took
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
    let builder = model.checker().threads(threads).timeout(limit);
    let checker = builder
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let took = start.elapsed();
    let found = checker.discoveries().into_values().next();
    let mut outcome = Outcome {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took,
        exhaustive: found.is_none() && took < limit,
        broken: vec![],
        trace: vec![],
    };
    if let Some(path) = found {
        outcome.broken = broken(path.last_state());
        for (state, action) in path.into_vec() {
            outcome.trace.push(show(checker.model(), &state));
            outcome
                .trace
                .extend(action.map(|action| format!("  {action:?}")));
        }
    }
    outcome
}

/// Searches a case of the data model.
pub(crate) fn case(case: Case, limit: Duration) -> Outcome {
    search(
        World::new(case),
        limit,
        |state| check::words(state.broken),
        World::show,
    )
}

/// Searches a case of the agreement model.
pub(crate) fn vote(vote: Vote, limit: Duration) -> Outcome {
    let words = |state: &Ballots| paxos::words(state.broken);
    search(Election::new(vote), limit, words, Election::show)
}

/// A set of hosts by their letters.
pub(crate) fn letters(set: u8) -> String {
    each(set)
        .map(|host| char::from(b'A' + host as u8))
        .collect()
}

impl World {
    /// One state in one line.
    pub(crate) fn show(&self, state: &State) -> String {
        let view = state.view(&self.rosters, state.newest);
        let mut line = format!("v{} {}", state.newest, letters(view.old));
        if view.moving() {
            line += &format!(">{}", letters(view.new));
        }
        for (i, host) in state
            .hosts
            .iter()
            .enumerate()
            .filter(|(_, h)| h.at > 0 || h.held > 0)
        {
            let gone = if state.lost & bit(i) != 0 {
                "(lost)"
            } else {
                ""
            };
            let held = self.words.show(host.held);
            line += &format!(" {}{gone}:v{} {held}", letters(bit(i)), host.at);
            if host.merged != 0 {
                line += &format!(" merged {}", letters(host.merged));
            }
        }
        for (i, op) in state
            .ops
            .iter()
            .enumerate()
            .filter(|(_, op)| op.phase != Phase::Idle)
        {
            let kind = self.case.ops[i];
            let (cells, acks) = (self.words.show(op.cells), letters(op.acks));
            let heard = letters(op.heard);
            line += &format!(" | {i} {kind:?} {:?} v{} {cells}", op.phase, op.at);
            line += &format!(" heard {heard} acks {acks}");
        }
        line + &format!(" | promised {}", self.words.show(state.promised))
    }
}
