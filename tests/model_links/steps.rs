//! What may happen next, and what comes of it: a message arrives, a node looks after its links, somebody joins, leaves
//! or crashes, a crash is reported. In any order.

use std::sync::Arc;

use roundelay::find::Finder;
use roundelay::message::Peer;
use roundelay::record::Time;
use stateright::{Model, Property};

use crate::state::{Bounds, NEVER, State, peer};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Deliver(usize),
    Wake(usize),
    Join(u64, u64),
    Leave(u64),
    Crash(usize),
    Report(usize),
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut ids = self.principals.clone();
        ids.extend(self.joiners.iter().map(|(n, _)| n));
        ids.sort_unstable();
        let mut state = State {
            nodes: ids
                .iter()
                .map(|n| (peer(*n), Some(self.finder(*n))))
                .collect(),
            network: Vec::new(),
            reports: Vec::new(),
            crashes: self.crashes,
            wakes: self.wakes,
            to_join: self.joiners.clone(),
            to_leave: self.leaver,
            adopted_dead: false,
        };
        let ring: Arc<[Peer]> = self.principals.iter().map(|n| peer(*n)).collect();
        for n in &self.principals {
            let at = state.place(*n);
            state.call(at, |f, out| f.start_in_ring(Time::ZERO, &ring, out));
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, message) in state.network.iter().enumerate() {
            if i == 0 || state.network[i - 1] != *message {
                actions.push(Action::Deliver(i));
            }
        }
        for (i, (_, finder)) in state.nodes.iter().enumerate() {
            let due = finder.as_ref().and_then(Finder::next_wake);
            if state.wakes > 0 && due.is_some_and(|at| at < Time::ZERO + NEVER / 2) {
                actions.push(Action::Wake(i));
            }
            if state.crashes > 0 && finder.is_some() {
                actions.push(Action::Crash(i));
            }
        }
        actions.extend(state.to_join.iter().map(|(n, via)| Action::Join(*n, *via)));
        actions.extend(state.to_leave.map(Action::Leave));
        actions.extend((0..state.reports.len()).map(Action::Report));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Deliver(i) => {
                let (from, to, message) = state.network.remove(i);
                let at = state.nodes.iter().position(|(p, _)| *p == to)?;
                state.call(at, |f, out| f.receive(Time::ZERO, from, message, out));
            }
            Action::Wake(at) => {
                state.wakes -= 1;
                let due = state.nodes[at].1.as_ref()?.next_wake()?;
                state.call(at, |f, out| {
                    f.wake(due, out);
                    f.rebase(due);
                });
            }
            Action::Join(n, via) => {
                state.to_join.retain(|(joiner, _)| *joiner != n);
                let at = state.place(n);
                state.call(at, |f, out| f.join(Time::ZERO, peer(via), out));
            }
            Action::Leave(n) => {
                state.to_leave = None;
                let at = state.place(n);
                state.call(at, |f, out| f.leave(Time::ZERO, out));
            }
            Action::Crash(who) => {
                state.crashes -= 1;
                let dead = state.nodes[who].0;
                state.nodes[who].1 = None;
                state
                    .network
                    .retain(|(from, to, _)| *to != dead && *from != dead);
                state.reports.retain(|(at, _)| *at != who);
                let alive = (0..state.nodes.len()).filter(|at| state.nodes[*at].1.is_some());
                let news: Vec<_> = alive.map(|at| (at, dead)).collect();
                state.reports.extend(news);
                if self.merciful && !state.has_live_entries() {
                    return None;
                }
            }
            Action::Report(i) => {
                let (at, dead) = state.reports.remove(i);
                state.call(at, |f, out| f.host_down(Time::ZERO, dead.host, out));
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every list has a live entry", |_, s: &State| {
                s.has_live_entries()
            }),
            Property::always("one ring, in order", |_, s: &State| s.is_one_ordered_ring()),
            Property::always("whoever is adopted is alive", |_, s: &State| {
                !s.adopted_dead
            }),
            Property::always("nobody shares an id", |_, s: &State| s.nobody_shares()),
            Property::sometimes("the newcomer is in", |m: &Bounds, s: &State| {
                m.joiners.iter().all(|(n, _)| s.is_member(&peer(*n)))
            }),
        ]
    }
}
