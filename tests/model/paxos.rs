//! The one step the data model takes on trust: that the hosts agree on the next roster.
//!
//! Single-decree Paxos for each roster version, by the hosts of the version before (by those of Old while
//! moving), with two proposers who want different things. A promise may be the last thing a proposer does; a
//! proposal, once sent, may reach any host, late or twice. Rosters are real ones, what follows what is
//! `Roster::moved`, `finished` and `given_up`, a majority is `Membership::majority`.
//!
//! *Hold these true*: a version never has two rosters; when leavers stop and joiners die as the rules allow, the
//! hosts that are left can still choose the next one.

use super::case::Case;
use super::places::{View, rosters};
use super::run::letters;
use super::state::{HOSTS, bit, each};

pub(crate) const TWO_ROSTERS: u8 = 1;
pub(crate) const STUCK: u8 = 2;
pub(crate) const NOT_NEXT: u8 = 4;
pub(crate) const BALLOTS: usize = 4; // 1 and 3 are the first proposer's, 2 and 4 the second's
pub(crate) const LAST: usize = 3; // versions 1 and 2 are chosen here

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
    pub(crate) known: u8,
    pub(crate) promised: u8,
    /// Ballot and roster; ballot 0 is none.
    pub(crate) accepted: (u8, u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Proposer {
    pub(crate) version: u8,
    pub(crate) ballot: u8,
    pub(crate) promises: u8,
    pub(crate) bound: (u8, u8),
    pub(crate) preparing: bool,
}

/// A proposal sent: its roster and who accepted it.
type Sent = Option<(u8, u8)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ballots {
    pub(crate) hosts: [Acceptor; HOSTS],
    pub(crate) proposers: [Proposer; 2],
    pub(crate) sent: [[Sent; BALLOTS + 1]; LAST],
    pub(crate) chosen: [Option<u8>; LAST],
    pub(crate) gone: u8,
    pub(crate) deaths: u8,
    pub(crate) broken: u8,
}

pub(crate) struct Election {
    pub(crate) vote: Vote,
    pub(crate) rosters: Vec<View>,
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

    pub(crate) fn view(&self, state: &Ballots, version: u8) -> &View {
        let id = state.chosen[usize::from(version)].expect("only chosen versions are looked at");
        &self.rosters[usize::from(id)]
    }

    /// The hosts of Old and of New, whatever key they hold.
    pub(crate) fn members(&self, state: &Ballots, version: u8) -> [u8; 2] {
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

    pub(crate) fn electors(&self, state: &Ballots, version: u8) -> u8 {
        let [old, new] = self.members(state, version);
        let all = if self.vote.electorate == Electorate::Old {
            old
        } else {
            old | new
        };
        all & !state.gone
    }

    pub(crate) fn adopt(&self, state: &mut Ballots, host: usize, version: u8) {
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
    pub(crate) fn promise(&self, state: &mut Ballots, p: usize, host: usize) {
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

    pub(crate) fn accept(
        &self,
        state: &mut Ballots,
        version: u8,
        ballot: u8,
        host: usize,
    ) -> Option<()> {
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
    pub(crate) fn look_stuck(&self, state: &mut Ballots) {
        let live = !state.gone & 31;
        let newest = each(live).map(|host| state.hosts[host].known).max();
        if !newest.is_some_and(|newest| self.majority(state, newest, live)) {
            state.broken |= STUCK;
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
