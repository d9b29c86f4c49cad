//! What can happen next while hosts agree on a roster: see `paxos` for what each step does.

use stateright::{Model, Property};

use super::paxos::{Acceptor, BALLOTS, Ballots, Election, LAST, Leaving, Proposer};
use super::state::{HOSTS, bit, each};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Proposer, version, ballot.
    Prepare(u8, u8, u8),
    /// Proposer, host.
    Promise(u8, u8),
    /// Version, ballot, host.
    Accept(u8, u8, u8),
    /// Host, version.
    Adopt(u8, u8),
    Leave(u8),
    Die(u8),
    Forget(u8),
}

impl Election {
    fn votes(&self, state: &Ballots, out: &mut Vec<Act>) {
        for version in self.vote.first..=self.vote.last {
            if state.chosen[usize::from(version) - 1].is_none() {
                continue;
            }
            let electors = self.electors(state, version - 1);
            let votes = |host: &usize| state.hosts[*host].known < version;
            for (p, proposer) in (0u8..).zip(state.proposers) {
                for ballot in [p + 1, p + 3]
                    .into_iter()
                    .filter(|b| *b <= self.vote.ballots)
                {
                    if (version, ballot) > (proposer.version, proposer.ballot) {
                        out.push(Act::Prepare(p, version, ballot));
                    }
                }
                if proposer.preparing && proposer.version == version {
                    let asks = |host: &usize| state.hosts[*host].promised <= proposer.ballot;
                    let new = each(electors & !proposer.promises)
                        .filter(votes)
                        .filter(asks);
                    out.extend(new.map(|host| Act::Promise(p, host as u8)));
                }
            }
            for ballot in 1..=BALLOTS {
                let Some((_, by)) = state.sent[usize::from(version)][ballot] else {
                    continue;
                };
                let takes = |host: &usize| usize::from(state.hosts[*host].promised) <= ballot;
                let new = each(electors & !by).filter(votes).filter(takes);
                out.extend(new.map(|host| Act::Accept(version, ballot as u8, host as u8)));
            }
        }
    }

    fn faults(&self, state: &Ballots, out: &mut Vec<Act>) {
        for host in each(!state.gone & 31) {
            let Acceptor {
                known, promised, ..
            } = state.hosts[host];
            let view = self.view(state, known);
            let [_, new] = self.members(state, known);
            let adopted = each(new & !state.gone).filter(|h| state.hosts[*h].known >= known);
            let served = adopted.count() > new.count_ones() as usize / 2;
            let leaves = match self.vote.leaving {
                Leaving::Never => false,
                Leaving::Served => served,
                Leaving::AtOnce => true,
            };
            if leaves && known > 0 && !view.moving() && new & bit(host) == 0 {
                out.push(Act::Leave(host as u8));
            }
            let joining = state.chosen[1].is_some() && state.chosen[2].is_none();
            let first = self.rosters[0].old;
            if joining && first & bit(host) == 0 && state.deaths < self.vote.deaths {
                out.push(Act::Die(host as u8));
            }
            if self.vote.forgets && promised > 0 {
                out.push(Act::Forget(host as u8));
            }
        }
    }
}

impl Model for Election {
    type State = Ballots;
    type Action = Act;

    fn init_states(&self) -> Vec<Ballots> {
        let begun = (self.vote.first == 2).then(|| self.rosters[0].moves[0]);
        vec![Ballots {
            hosts: [Acceptor::default(); HOSTS],
            proposers: [Proposer::default(); 2],
            sent: [[None; BALLOTS + 1]; LAST],
            chosen: [Some(0), begun, None],
            gone: 0,
            deaths: 0,
            broken: 0,
        }]
    }

    fn actions(&self, state: &Ballots, out: &mut Vec<Act>) {
        if state.broken != 0 {
            return;
        }
        self.votes(state, out);
        for version in (1..LAST as u8).filter(|v| state.chosen[usize::from(*v)].is_some()) {
            let told = self
                .members(state, version - 1)
                .into_iter()
                .chain(self.members(state, version));
            let told = told.fold(0, |all, set| all | set) & !state.gone;
            let behind = each(told).filter(|host| state.hosts[*host].known < version);
            out.extend(behind.map(|host| Act::Adopt(host as u8, version)));
        }
        self.faults(state, out);
    }

    fn next_state(&self, state: &Ballots, act: Act) -> Option<Ballots> {
        let mut next = *state;
        match act {
            Act::Prepare(p, version, ballot) => {
                let begun = Proposer {
                    version,
                    ballot,
                    preparing: true,
                    ..Proposer::default()
                };
                next.proposers[usize::from(p)] = begun;
            }
            Act::Promise(p, host) => self.promise(&mut next, p.into(), host.into()),
            Act::Accept(version, ballot, host) => {
                self.accept(&mut next, version, ballot, host.into())?
            }
            Act::Adopt(host, version) => self.adopt(&mut next, host.into(), version),
            Act::Leave(host) => next.gone |= bit(host.into()),
            Act::Die(host) => {
                next.gone |= bit(host.into());
                next.deaths += 1;
            }
            Act::Forget(host) => {
                let known = state.hosts[usize::from(host)].known;
                next.hosts[usize::from(host)] = Acceptor {
                    known,
                    ..Acceptor::default()
                };
            }
        }
        self.look_stuck(&mut next);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Election>> {
        vec![Property::always(
            "one roster, and a next one",
            |_, state: &Ballots| state.broken == 0,
        )]
    }
}
