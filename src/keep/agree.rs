//! Which roster comes next? Single-decree Paxos, once per version (Lamport, *Paxos Made Simple*, 2001).
//!
//! ```text
//! v7 Settled(h1 h2 h3): v8 is chosen by two of h1 h2 h3
//! h1 -> h1 h2 h3   Prepare v8, ballot 1.h1      promised, and on disk, before it is answered
//! h1 -> h1 h2 h3   Propose v8 = Moving(h1 h2 h3 -> h1 h2 h3 h4)
//! h2 h3 -> h1      Accepted                     v8 is chosen; whoever hears of it adopts it
//! ```
//!
//! The electorate is the hosts of Old while moving, so that Old alone can give up on a joiner that died.
//! Acceptor state belongs to one version and is always synced. Competing proposers back off at random.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;

use crate::message::{Ballot, Event, KeepMessage, Ticket};
use crate::placement::HostId;
use crate::roster::{Change, Membership, Roster, RosterVersion};

use super::accept::{Acceptor, Vote};
use super::timers::Wake;
use super::wish::Wish;
use super::{Context, Keeper};

/// What a proposal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The first wish in the queue.
    Change,
    /// Every span is where it belongs: settle.
    Finish,
    /// The move cannot end: back to Old.
    GiveUp,
}

#[derive(Clone, Debug)]
enum Stage {
    Preparing(Vec<(HostId, Option<Vote>)>),
    Proposing(Arc<Roster>, Vec<HostId>),
}

#[derive(Clone, Debug)]
pub(super) struct Proposal {
    goal: Goal,
    pub(super) version: RosterVersion,
    pub(super) ballot: Ballot,
    /// Whether our own disk has the ballot. Nothing is proposed before: a later life that did not know it
    /// could propose something else at the same ballot.
    noted: bool,
    stage: Stage,
}

/// Everything about choosing rosters.
#[derive(Debug)]
pub(super) struct Agree {
    pub(super) acceptor: Acceptor,
    /// The greatest round heard of.
    pub(super) round: u32,
    pub(super) proposal: Option<Proposal>,
    pub(super) wishes: VecDeque<Wish>,
    /// What the present move is to be ended with, once it can be.
    pub(super) ending: Option<Goal>,
    /// Clients that wait for a move to settle, and what it should settle to.
    pub(super) settling: Vec<(Ticket, Arc<Membership>)>,
}

impl Agree {
    /// With what the disk holds of earlier promises.
    pub(super) fn new(setting: Option<&[u8]>) -> Agree {
        let acceptor = setting.and_then(Acceptor::decode).unwrap_or_default();
        let round = acceptor.promised.round;
        Agree {
            acceptor,
            round,
            proposal: None,
            wishes: VecDeque::new(),
            ending: None,
            settling: Vec::new(),
        }
    }
}

/// The hosts that the first wish gives up, if it is what is proposed.
fn given_up(wishes: &VecDeque<Wish>, goal: Goal) -> Option<&[HostId]> {
    match wishes.front()?.changes.as_slice() {
        [Change::AcceptLoss(hosts)] if goal == Goal::Change => Some(hosts),
        _ => None,
    }
}

/// Whether these hosts' votes choose a roster: a majority of Old. If an operator gives up so many that no majority
/// is left, all that are left: then whatever else was proposed so meets it.
fn is_enough(
    roster: &Roster,
    lost: Option<&[HostId]>,
    votes: impl Iterator<Item = HostId>,
) -> bool {
    let old = roster.old();
    let votes: Vec<HostId> = votes.collect();
    let all_left = |lost: &[HostId]| {
        let mut left = old.left().filter(|host| !lost.contains(host));
        left.all(|host| votes.contains(&host))
    };
    votes.len() >= old.majority() || lost.is_some_and(all_left)
}

/// The proposer's half.
impl Keeper {
    /// The move is to be ended so, as soon as the others agree.
    pub(super) fn end_move(&mut self, cx: &mut Context<'_>, goal: Goal) {
        if self.agree.ending != Some(Goal::GiveUp) {
            self.agree.ending = Some(goal);
        }
        self.try_propose(cx);
    }

    /// Begins a proposal if there is something to propose and none is under way.
    pub(super) fn try_propose(&mut self, cx: &mut Context<'_>) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        if self.agree.proposal.is_some() || self.adopting.is_some() {
            return;
        }
        if !roster.has(self.me) {
            return self.drop_all(cx, &roster);
        }
        let goal = if roster.is_moving() && self.accepts_loss(cx, &roster) {
            Some(Goal::Change)
        } else if roster.is_moving() {
            self.agree.ending
        } else {
            self.drop_impossible(cx, &roster);
            (!self.agree.wishes.is_empty()).then_some(Goal::Change)
        };
        if let Some(goal) = goal {
            self.new_round(cx, &roster, goal);
        }
    }

    /// Whether the first wish gives hosts up, and may: that goes before ending a move.
    fn accepts_loss(&mut self, cx: &mut Context<'_>, roster: &Roster) -> bool {
        if given_up(&self.agree.wishes, Goal::Change).is_some() {
            self.drop_impossible(cx, roster);
        }
        given_up(&self.agree.wishes, Goal::Change).is_some()
    }

    pub(super) fn new_round(&mut self, cx: &mut Context<'_>, roster: &Roster, goal: Goal) {
        self.agree.round = self.agree.round.saturating_add(1);
        let ballot = Ballot {
            round: self.agree.round,
            host: self.me,
        };
        let version = roster.version.next();
        self.agree.proposal = Some(Proposal {
            goal,
            version,
            ballot,
            noted: false,
            stage: Stage::Preparing(Vec::new()),
        });
        if !roster.old().has(self.me) {
            self.note_ballot(cx, version, ballot);
        }
        for host in roster.old().placement.hosts() {
            self.send(cx, host, KeepMessage::Prepare { version, ballot });
        }
        self.retry_proposal(cx, 1000);
    }

    /// Asks an acceptor again that has just caught up with our roster.
    pub(super) fn prepare_again(&mut self, cx: &mut Context<'_>, host: HostId) {
        if let Some(Proposal {
            version,
            ballot,
            stage: Stage::Preparing(promises),
            ..
        }) = &self.agree.proposal
            && !promises.iter().any(|(other, _)| *other == host)
        {
            let message = KeepMessage::Prepare {
                version: *version,
                ballot: *ballot,
            };
            self.send(cx, host, message);
        }
    }

    /// Tries again after `ms`, give or take half of it.
    pub(super) fn retry_proposal(&mut self, cx: &mut Context<'_>, ms: u64) {
        let jitter = self.rng.random_range(ms / 2..=ms + ms / 2);
        self.timers
            .set(Wake::Agree, cx.now.at + Duration::from_millis(jitter));
    }

    pub(super) fn agree_due(&mut self, cx: &mut Context<'_>) {
        self.agree.proposal = None;
        self.try_propose(cx);
    }

    /// A promise: with a majority of them, the roster to propose is the one already accepted at the
    /// greatest ballot, or, if there is none, ours.
    pub(super) fn promised(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        ballot: Ballot,
        accepted: Option<Vote>,
    ) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let agree = &mut *self.agree;
        let Some(proposal) = agree.proposal.as_mut() else {
            return;
        };
        let lost = given_up(&agree.wishes, proposal.goal);
        if proposal.version != version || proposal.ballot != ballot {
            return;
        }
        proposal.noted |= from == self.me;
        let Stage::Preparing(promises) = &mut proposal.stage else {
            return;
        };
        if roster.old().has(from) && !promises.iter().any(|(host, _)| *host == from) {
            promises.push((from, accepted));
        }
        // region: bound
        if !proposal.noted || !is_enough(&roster, lost, promises.iter().map(|(host, _)| *host)) {
            return;
        }
        let goal = proposal.goal;
        let bound = promises
            .iter()
            .filter_map(|(_, accepted)| accepted.as_ref())
            .max_by_key(|(ballot, _)| *ballot);
        let value = bound
            .map(|(_, roster)| Arc::clone(roster))
            .or_else(|| self.own_value(&roster, goal));
        match value {
            Some(value) => self.propose(cx, &roster, ballot, value),
            None => self.agree.proposal = None,
        }
        // endregion: bound
    }

    pub(super) fn own_value(&self, roster: &Roster, goal: Goal) -> Option<Arc<Roster>> {
        let next = match goal {
            Goal::Change => roster.moved(self.me, &self.agree.wishes.front()?.changes),
            Goal::Finish => roster.finished(self.me),
            Goal::GiveUp => roster.given_up(self.me),
        };
        next.ok().map(Arc::new)
    }

    pub(super) fn propose(
        &mut self,
        cx: &mut Context<'_>,
        roster: &Roster,
        ballot: Ballot,
        value: Arc<Roster>,
    ) {
        if let Some(proposal) = self.agree.proposal.as_mut() {
            proposal.stage = Stage::Proposing(Arc::clone(&value), Vec::new());
        }
        for host in roster.old().placement.hosts() {
            self.send(
                cx,
                host,
                KeepMessage::Propose {
                    ballot,
                    roster: Arc::clone(&value),
                },
            );
        }
        self.retry_proposal(cx, 1000);
    }

    /// An acceptance: with a majority of them the roster is chosen, for ever.
    pub(super) fn accepted(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let agree = &mut *self.agree;
        let Some(proposal) = agree.proposal.as_mut() else {
            return;
        };
        let Stage::Proposing(value, accepted) = &mut proposal.stage else {
            return;
        };
        if proposal.version != version
            || proposal.ballot != ballot
            || !roster.old().has(from)
            || accepted.contains(&from)
        {
            return;
        }
        accepted.push(from);
        let lost = given_up(&agree.wishes, proposal.goal);
        if is_enough(&roster, lost, accepted.iter().copied()) {
            let chosen = Arc::clone(value);
            self.agree.proposal = None;
            self.timers.clear(Wake::Agree);
            self.spread(chosen.version);
            self.roster_is(cx, None, chosen);
        }
    }

    /// Somebody has promised a greater ballot: wait a little, then try above it.
    pub(super) fn rejected(
        &mut self,
        cx: &mut Context<'_>,
        version: RosterVersion,
        promised: Ballot,
    ) {
        self.agree.round = self.agree.round.max(promised.round);
        if self
            .agree
            .proposal
            .as_ref()
            .is_some_and(|proposal| proposal.version == version && proposal.ballot < promised)
        {
            self.retry_proposal(cx, 400);
        }
    }

    /// Notes that a move is to be given up.
    pub(super) fn give_move_up(&mut self, cx: &mut Context<'_>) {
        let version = self.version();
        self.note(cx, Event::GivingUp { version });
        self.end_move(cx, Goal::GiveUp);
    }
}
