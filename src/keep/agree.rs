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

use bytes::Bytes;
use rand::RngExt;

use crate::message::{Ballot, Event, Failure, KeepMessage, Outcome, ReqId, Ticket};
use crate::placement::HostId;
use crate::roster::{Change, ChangeError, Membership, Roster, RosterVersion};
use crate::store::{Op, Setting};

use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// Who wants a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asker {
    /// A client of this host.
    Local(Ticket),
    /// Another host.
    Remote(HostId, ReqId),
}

/// A batch of changes somebody wants.
#[derive(Clone, Debug)]
struct Wish {
    changes: Vec<Change>,
    asker: Asker,
}

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

/// A roster accepted at a ballot.
type Vote = (Ballot, Arc<Roster>);

#[derive(Clone, Debug)]
enum Stage {
    Preparing(Vec<(HostId, Option<Vote>)>),
    Proposing(Arc<Roster>, Vec<HostId>),
}

#[derive(Clone, Debug)]
struct Proposal {
    goal: Goal,
    version: RosterVersion,
    ballot: Ballot,
    stage: Stage,
}

/// What we promised and accepted, for one version.
#[derive(Clone, Debug, Default)]
struct Acceptor {
    version: RosterVersion,
    promised: Ballot,
    accepted: Option<Vote>,
}

/// Everything about choosing rosters.
#[derive(Debug)]
pub(super) struct Agree {
    acceptor: Acceptor,
    /// The greatest round heard of.
    round: u32,
    proposal: Option<Proposal>,
    wishes: VecDeque<Wish>,
    /// What the present move is to be ended with, once it can be.
    ending: Option<Goal>,
    /// Clients that wait for a move to settle, and what it should settle to.
    settling: Vec<(Ticket, Arc<Membership>)>,
}

/// At most so many batches of changes wait at one host; one more is refused.
const MAX_WISHES: usize = 1_000;

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

impl Acceptor {
    fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.version.0.to_be_bytes());
        put_ballot(&mut bytes, self.promised);
        if let Some((ballot, roster)) = &self.accepted {
            put_ballot(&mut bytes, *ballot);
            bytes.extend_from_slice(&roster.encode());
        }
        bytes.into()
    }

    fn decode(bytes: &[u8]) -> Option<Acceptor> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (promised, rest) = take_ballot(rest)?;
        let accepted = match take_ballot(rest) {
            Some((ballot, roster)) => Some((ballot, Arc::new(Roster::decode(roster).ok()?))),
            None => None,
        };
        Some(Acceptor {
            version: RosterVersion(u64::from_be_bytes(*version)),
            promised,
            accepted,
        })
    }
}

fn put_ballot(bytes: &mut Vec<u8>, ballot: Ballot) {
    bytes.extend_from_slice(&ballot.round.to_be_bytes());
    bytes.extend_from_slice(&ballot.host.0.to_be_bytes());
}

fn take_ballot(bytes: &[u8]) -> Option<(Ballot, &[u8])> {
    let (round, rest) = bytes.split_first_chunk::<4>()?;
    let (host, rest) = rest.split_first_chunk::<8>()?;
    Some((
        Ballot {
            round: u32::from_be_bytes(*round),
            host: HostId(u64::from_be_bytes(*host)),
        },
        rest,
    ))
}

/// The acceptor's half.
impl Keeper {
    /// A proposer asks for a promise.
    pub(super) fn prepare(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) {
        if self.votes_on(cx, from, version, ballot) {
            self.agree.acceptor.promised = ballot;
            let state = self.agree.acceptor.encode();
            self.store(
                cx,
                Op::Set(Setting::Acceptor, state),
                Next::Promised {
                    to: from,
                    version,
                    ballot,
                },
            );
        }
    }

    /// The promise is on disk; if a greater one was made meanwhile, this one is not given.
    pub(super) fn promise_is_durable(
        &mut self,
        cx: &mut Context<'_>,
        to: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) {
        let acceptor = &self.agree.acceptor;
        if acceptor.version == version && acceptor.promised == ballot {
            let accepted = acceptor.accepted.clone();
            self.send(
                cx,
                to,
                KeepMessage::Promise {
                    version,
                    ballot,
                    accepted,
                },
            );
        }
    }

    /// A proposer asks us to accept a roster.
    pub(super) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        ballot: Ballot,
        roster: Arc<Roster>,
    ) {
        let version = roster.version;
        let same_ring = self
            .roster
            .as_ref()
            .is_some_and(|mine| mine.ring == roster.ring);
        if same_ring && self.votes_on(cx, from, version, ballot) {
            self.agree.acceptor.promised = ballot;
            self.agree.acceptor.accepted = Some((ballot, roster));
            let state = self.agree.acceptor.encode();
            self.store(
                cx,
                Op::Set(Setting::Acceptor, state),
                Next::Accepted {
                    to: from,
                    version,
                    ballot,
                },
            );
        }
    }

    /// Whether we vote on that version at that ballot; whoever is behind is helped on.
    fn votes_on(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) -> bool {
        let Some(roster) = self.roster.clone() else {
            return false;
        };
        if version <= roster.version {
            self.offer_roster(cx, from, RosterVersion::NONE);
            return false;
        }
        if version > roster.version.next() {
            self.send(
                cx,
                from,
                KeepMessage::RosterAsk {
                    have: roster.version,
                },
            );
            return false;
        }
        if self.adopting.is_some() || !roster.old().has(self.me) {
            return false;
        }
        self.agree.round = self.agree.round.max(ballot.round);
        let acceptor = &mut self.agree.acceptor;
        if acceptor.version != version {
            *acceptor = Acceptor {
                version,
                ..Acceptor::default()
            };
        }
        if ballot < acceptor.promised {
            let promised = acceptor.promised;
            self.send(cx, from, KeepMessage::Rejected { version, promised });
            return false;
        }
        true
    }
}

/// The proposer's half.
impl Keeper {
    /// A client of this host wants a batch of changes.
    pub fn change(&mut self, cx: &mut Context<'_>, ticket: Ticket, changes: Vec<Change>) {
        self.wish(
            cx,
            Wish {
                changes,
                asker: Asker::Local(ticket),
            },
        );
        self.settle_loopback(cx);
    }

    /// A client wants the present move given up.
    pub fn cancel_move(&mut self, cx: &mut Context<'_>, ticket: Ticket) {
        let Some(roster) = self.roster.clone().filter(|roster| roster.is_moving()) else {
            return self.answer(
                cx,
                ticket,
                Err(Failure::Change(ChangeError::Settled.to_string())),
            );
        };
        self.agree.settling.push((ticket, Arc::clone(roster.old())));
        self.end_move(cx, Goal::GiveUp);
        self.settle_loopback(cx);
    }

    /// Another host wants a batch of changes; asked twice, it waits once.
    pub(super) fn change_asked(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        changes: Vec<Change>,
    ) {
        let asker = Asker::Remote(from, req);
        if !self.agree.wishes.iter().any(|wish| wish.asker == asker) {
            self.wish(cx, Wish { changes, asker });
        }
    }

    fn wish(&mut self, cx: &mut Context<'_>, wish: Wish) {
        if self.roster.is_none() {
            return self.refuse(cx, &wish.asker, &Failure::NoRing.to_string());
        }
        if self.agree.wishes.len() >= MAX_WISHES {
            return self.refuse(
                cx,
                &wish.asker,
                "too many changes are waiting at this host: try again",
            );
        }
        self.agree.wishes.push_back(wish);
        self.try_propose(cx);
    }

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
        if self.agree.proposal.is_some() || self.adopting.is_some() || !roster.has(self.me) {
            return;
        }
        let goal = if roster.is_moving() {
            self.agree.ending
        } else {
            self.drop_impossible(cx, &roster);
            (!self.agree.wishes.is_empty()).then_some(Goal::Change)
        };
        if let Some(goal) = goal {
            self.new_round(cx, &roster, goal);
        }
    }

    fn new_round(&mut self, cx: &mut Context<'_>, roster: &Roster, goal: Goal) {
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
            stage: Stage::Preparing(Vec::new()),
        });
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
    fn retry_proposal(&mut self, cx: &mut Context<'_>, ms: u64) {
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
        let Some(proposal) = self.agree.proposal.as_mut() else {
            return;
        };
        if proposal.version != version || proposal.ballot != ballot || !roster.old().has(from) {
            return;
        }
        let Stage::Preparing(promises) = &mut proposal.stage else {
            return;
        };
        if promises.iter().any(|(host, _)| *host == from) {
            return;
        }
        promises.push((from, accepted));
        if promises.len() < roster.old().majority() {
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
    }

    fn own_value(&self, roster: &Roster, goal: Goal) -> Option<Arc<Roster>> {
        let next = match goal {
            Goal::Change => roster.moved(self.me, &self.agree.wishes.front()?.changes),
            Goal::Finish => roster.finished(self.me),
            Goal::GiveUp => roster.given_up(self.me),
        };
        next.ok().map(Arc::new)
    }

    fn propose(
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
        let Some(proposal) = self.agree.proposal.as_mut() else {
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
        if accepted.len() >= roster.old().majority() {
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

    /// A roster was adopted: proposals for it or for earlier ones are over, and those who waited are told.
    pub(super) fn wishes_after(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        if self
            .agree
            .proposal
            .as_ref()
            .is_some_and(|proposal| proposal.version <= roster.version)
        {
            self.agree.proposal = None;
            self.timers.clear(Wake::Agree);
        }
        self.agree.ending = None;
        if !roster.is_moving() {
            return self.tell_settled(cx, roster);
        }
        let ours = self
            .agree
            .wishes
            .front()
            .is_some_and(|wish| fulfils(roster, &wish.changes));
        if ours && let Some(wish) = self.agree.wishes.pop_front() {
            match wish.asker {
                Asker::Local(ticket) => {
                    self.agree.settling.push((ticket, Arc::clone(roster.new())))
                }
                Asker::Remote(host, req) => {
                    self.send(
                        cx,
                        host,
                        KeepMessage::ChangeIs {
                            req,
                            result: Ok(roster.version),
                        },
                    );
                }
            }
        }
    }

    fn tell_settled(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        for (ticket, wanted) in std::mem::take(&mut self.agree.settling) {
            if *wanted != **roster.new() {
                let why = "the move was given up: a host that was to take part did not answer";
                self.answer(cx, ticket, Err(Failure::Change(why.into())));
            } else if roster.has(self.me) {
                self.answer(cx, ticket, Ok(Outcome::Settled(roster.version)));
            } else {
                self.leave_when_known(ticket, roster.version);
            }
        }
    }

    /// Wishes that cannot be, or that are fulfilled already, are answered and dropped.
    fn drop_impossible(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        while let Some(wish) = self.agree.wishes.front() {
            let Err(why) = roster.moved(self.me, &wish.changes) else {
                return;
            };
            let asker = wish.asker.clone();
            self.agree.wishes.pop_front();
            match (why, asker) {
                (ChangeError::Nothing, Asker::Local(ticket)) => {
                    self.answer(cx, ticket, Ok(Outcome::Settled(roster.version)));
                }
                (ChangeError::Nothing, Asker::Remote(host, req)) => {
                    self.send(
                        cx,
                        host,
                        KeepMessage::ChangeIs {
                            req,
                            result: Ok(roster.version),
                        },
                    );
                }
                (why, asker) => self.refuse(cx, &asker, &why.to_string()),
            }
        }
    }

    fn refuse(&mut self, cx: &mut Context<'_>, asker: &Asker, why: &str) {
        match asker {
            Asker::Local(ticket) => self.answer(cx, *ticket, Err(Failure::Change(why.into()))),
            Asker::Remote(host, req) => {
                self.send(
                    cx,
                    *host,
                    KeepMessage::ChangeIs {
                        req: *req,
                        result: Err(why.into()),
                    },
                );
            }
        }
    }

    /// Notes that a move is to be given up.
    pub(super) fn give_move_up(&mut self, cx: &mut Context<'_>) {
        let version = self.version();
        self.note(cx, Event::GivingUp { version });
        self.end_move(cx, Goal::GiveUp);
    }
}

/// Whether a Moving roster carries these changes out: whatever they ask for is so in New.
fn fulfils(roster: &Roster, changes: &[Change]) -> bool {
    let new = roster.new();
    changes.iter().all(|change| match change {
        Change::Join(host, member) => new.placement.member(*host) == Some(member),
        Change::Remove(host) => !new.has(*host),
        Change::Tokens(host, tokens) => {
            let mut tokens = tokens.clone();
            tokens.sort_unstable();
            new.placement
                .member(*host)
                .is_some_and(|member| member.tokens == tokens)
        }
        Change::Replicas(replicas) => new.replicas == *replicas,
    })
}
