//! The one step the data model takes on trust: that the hosts agree on the next roster.
//!
//! Single-decree Paxos for each roster version, by the hosts of the version before (by those of Old while
//! moving), with two proposers who want different things. A promise may be the last thing a proposer does; a
//! proposal, once sent, may reach any host, late or twice. Rosters are real ones, what follows what is
//! `Roster::moved`, `finished` and `given_up`, a majority is `Membership::majority`.
//!
//! *Hold these true*: a version never has two rosters; when leavers stop and joiners die as the rules allow, the
//! hosts that are left can still choose the next one.

use stateright::{Model, Property};

use super::case::Case;
use super::places::{View, rosters};
use super::run::letters;
use super::state::{HOSTS, bit, each};

pub(crate) const TWO_ROSTERS: u8 = 1;
pub(crate) const STUCK: u8 = 2;
pub(crate) const NOT_NEXT: u8 = 4;
const BALLOTS: usize = 4; // 1 and 3 are the first proposer's, 2 and 4 the second's
const LAST: usize = 3; // versions 1 and 2 are chosen here

/// Who must agree while moving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Electorate {
    /// A majority of Old: the design.
    Old,
    /// A majority of Old and one of New.
    Both,
    /// A majority of either.
    Either,
}

/// When a host that is no longer in stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    Never,
    /// When a majority of New has adopted Settled: the design.
    Served,
    /// As soon as it has adopted Settled itself.
    AtOnce,
}

#[derive(Clone)]
pub(crate) struct Vote {
    pub(crate) name: &'static str,
    /// What each proposer wants of a settled roster. Of a moving one the first wants success, the second to give up.
    pub(crate) wishes: [&'static str; 2],
    /// Versions chosen from: 1 (the move) or 2 (its end; the first wish is being carried out).
    pub(crate) first: u8,
    pub(crate) last: u8,
    pub(crate) ballots: u8,
    pub(crate) electorate: Electorate,
    pub(crate) leaving: Leaving,
    /// Joiners that may die while they join; the move is then given up.
    pub(crate) deaths: u8,
    /// Mutants: an acceptor forgets; a proposer ignores what was accepted; votes outlive their version.
    pub(crate) forgets: bool,
    pub(crate) ignores_accepted: bool,
    pub(crate) keeps_votes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Acceptor {
    known: u8,
    promised: u8,
    /// Ballot and roster; ballot 0 is none.
    accepted: (u8, u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Proposer {
    version: u8,
    ballot: u8,
    promises: u8,
    bound: (u8, u8),
    preparing: bool,
}

/// A proposal sent: its roster and who accepted it.
type Sent = Option<(u8, u8)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ballots {
    hosts: [Acceptor; HOSTS],
    proposers: [Proposer; 2],
    sent: [[Sent; BALLOTS + 1]; LAST],
    chosen: [Option<u8>; LAST],
    gone: u8,
    deaths: u8,
    pub(crate) broken: u8,
}

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

pub(crate) struct Election {
    vote: Vote,
    rosters: Vec<View>,
}

impl Election {
    pub(crate) fn new(vote: Vote) -> Election {
        let case = Case {
            versions: LAST,
            ..Case::settled(vote.name, &[]).or_given_up()
        };
        let rosters = rosters(&Case {
            moves: vote.wishes.to_vec(),
            ..case
        });
        Election { vote, rosters }
    }

    fn view(&self, state: &Ballots, version: u8) -> &View {
        let id = state.chosen[usize::from(version)].expect("only chosen versions are looked at");
        &self.rosters[usize::from(id)]
    }

    /// The hosts of Old and of New, whatever key they hold.
    fn members(&self, state: &Ballots, version: u8) -> [u8; 2] {
        let roster = &self.view(state, version).roster;
        [roster.old(), roster.new()].map(|membership| {
            let hosts = membership.placement.hosts().map(|host| host.0 as usize);
            let set: u8 = hosts.map(bit).sum();
            assert_eq!(membership.majority(), set.count_ones() as usize / 2 + 1);
            set
        })
    }

    fn majority(&self, state: &Ballots, version: u8, hosts: u8) -> bool {
        let most = self
            .members(state, version)
            .map(|set| (hosts & set).count_ones() > set.count_ones() / 2);
        match self.vote.electorate {
            Electorate::Old => most[0],
            Electorate::Both => most[0] && most[1],
            Electorate::Either => most[0] || most[1],
        }
    }

    fn electors(&self, state: &Ballots, version: u8) -> u8 {
        let [old, new] = self.members(state, version);
        let all = if self.vote.electorate == Electorate::Old {
            old
        } else {
            old | new
        };
        all & !state.gone
    }

    fn adopt(&self, state: &mut Ballots, host: usize, version: u8) {
        let acceptor = &mut state.hosts[host];
        if acceptor.known < version {
            let kept = if self.vote.keeps_votes {
                *acceptor
            } else {
                Acceptor::default()
            };
            *acceptor = Acceptor {
                known: version,
                ..kept
            };
        }
    }

    fn wanted(&self, state: &Ballots, proposer: usize, version: u8) -> Option<u8> {
        let view = self.view(state, version - 1);
        if !view.moving() {
            return view.moves.get(proposer).copied();
        }
        let give_up = proposer == 1 || self.vote.deaths > 0;
        if give_up {
            view.given_up
        } else {
            view.finished
        }
    }

    /// A promise, and with a majority of them the proposal.
    fn promise(&self, state: &mut Ballots, p: usize, host: usize) {
        let Proposer {
            version, ballot, ..
        } = state.proposers[p];
        self.adopt(state, host, version - 1);
        state.hosts[host].promised = ballot;
        let accepted = state.hosts[host].accepted;
        let proposer = &mut state.proposers[p];
        proposer.promises |= bit(host);
        proposer.bound = proposer.bound.max(accepted);
        let Proposer {
            promises, bound, ..
        } = *proposer;
        if !self.majority(state, version - 1, promises) {
            return;
        }
        let bound = (bound.0 > 0 && !self.vote.ignores_accepted).then_some(bound.1);
        if let Some(roster) = bound.or_else(|| self.wanted(state, p, version)) {
            state.sent[usize::from(version)][usize::from(ballot)] = Some((roster, 0));
        }
        state.proposers[p] = Proposer {
            version,
            ballot,
            ..Proposer::default()
        };
    }

    fn accept(&self, state: &mut Ballots, version: u8, ballot: u8, host: usize) -> Option<()> {
        self.adopt(state, host, version - 1);
        let (v, b) = (usize::from(version), usize::from(ballot));
        let (roster, by) = state.sent[v][b]?;
        let by = by | bit(host);
        state.sent[v][b] = Some((roster, by));
        let acceptor = &mut state.hosts[host];
        (acceptor.promised, acceptor.accepted) = (ballot, (ballot, roster));
        if self.majority(state, version - 1, by) {
            match state.chosen[v] {
                Some(other) if other != roster => state.broken |= TWO_ROSTERS,
                Some(_) | None => state.chosen[v] = Some(roster),
            }
            // Numbers in the model begin at 0, those of real rosters at 1.
            if self.rosters[usize::from(roster)].roster.version.0 != u64::from(version) + 1 {
                state.broken |= NOT_NEXT;
            }
        }
        Some(())
    }

    /// Can the hosts that are left choose what follows the newest roster one of them has?
    fn look_stuck(&self, state: &mut Ballots) {
        let live = !state.gone & 31;
        let newest = each(live).map(|host| state.hosts[host].known).max();
        if !newest.is_some_and(|newest| self.majority(state, newest, live)) {
            state.broken |= STUCK;
        }
    }

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

    pub(crate) fn show(&self, state: &Ballots) -> String {
        let host = |(i, acceptor): (usize, &Acceptor)| {
            let Acceptor {
                known,
                promised,
                accepted,
            } = acceptor;
            format!(
                "{}:v{known} promised {promised} accepted {accepted:?}",
                letters(bit(i))
            )
        };
        let hosts: Vec<String> = state.hosts.iter().enumerate().map(host).collect();
        format!(
            "{} | chosen {:?} gone {}",
            hosts.join("  "),
            state.chosen,
            letters(state.gone)
        )
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

/// The broken rules in words.
pub(crate) fn words(broken: u8) -> Vec<&'static str> {
    let all = [
        (TWO_ROSTERS, "a version has two rosters"),
        (STUCK, "those left cannot go on"),
        (NOT_NEXT, "a roster of another version is chosen"),
    ];
    all.into_iter()
        .filter(|(bit, _)| broken & bit != 0)
        .map(|(_, words)| words)
        .collect()
}
