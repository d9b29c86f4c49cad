//! Who wants a change, and what they are told.
//!
//! Wishes wait in a queue at the host that was asked, one batch to a move. A wish is granted when a Moving
//! roster does what it asks for, whoever proposed it, and answered when that move has settled.

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Failure, KeepMessage, Outcome, ReqId, Ticket};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::{Change, ChangeError, Loss, Roster, RosterVersion};

use super::agree::Goal;
use super::timers::Wake;
use super::{Context, Keeper};

/// At most so many batches of changes wait at one host; one more is refused.
pub(super) const MAX_WISHES: usize = 1_000;

/// Who wants a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A client of this host.
    Local(Ticket),
    /// Another host.
    Remote(HostId, ReqId),
    /// This host itself: nobody waits for an answer.
    Myself,
}

/// A batch of changes somebody wants.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) changes: Vec<Change>,
    pub(super) asker: Asker,
    /// If it has not begun by then, whoever asked is told so, and it is dropped.
    pub(super) due: Time,
    /// It is void under any other roster than this.
    pub(super) only_at: Option<RosterVersion>,
}

impl Keeper {
    /// A client of this host wants a batch of changes; they must begin within `deadline`, or the usual time.
    pub fn change(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        changes: Vec<Change>,
        deadline: Option<Duration>,
    ) {
        let due = cx.now.at + deadline.unwrap_or(self.config.change_deadline);
        let asker = Asker::Local(ticket);
        self.wish(
            cx,
            Wish {
                changes,
                asker,
                due,
                only_at: None,
            },
        );
        self.settle_loopback(cx);
    }

    /// Changes that have not begun in time are dropped, and whoever asked is told.
    pub(super) fn wishes_due(&mut self, cx: &mut Context<'_>) {
        let wishes = std::mem::take(&mut self.agree.wishes).into_iter();
        let (late, waiting): (Vec<Wish>, Vec<Wish>) =
            wishes.partition(|wish| wish.due <= cx.now.at);
        self.agree.wishes = waiting.into();
        for wish in late {
            let why = "the change has not begun in time: another move is under way, or too few hosts of the \
                       roster answer; it may still begin, the status tells";
            self.refuse(cx, &wish.asker, why);
        }
        self.arm_wishes();
    }

    fn arm_wishes(&mut self) {
        if let Some(due) = self.agree.wishes.iter().map(|wish| wish.due).min() {
            self.timers.set(Wake::Wishes, due);
        }
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
        if self.agree.settling.len() >= MAX_WISHES {
            let why = format!("{MAX_WISHES} others wait for the end of a move already");
            return self.answer(cx, ticket, Err(Failure::Change(why)));
        }
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
            let due = cx.now.at + self.config.change_deadline;
            let wish = Wish {
                changes,
                asker,
                due,
                only_at: None,
            };
            self.wish(cx, wish);
        }
    }

    pub(super) fn wish(&mut self, cx: &mut Context<'_>, wish: Wish) {
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
        if matches!(wish.changes[..], [Change::AcceptLoss(_)]) {
            self.agree.wishes.push_front(wish); // Whatever else waits, waits for this.
        } else {
            self.agree.wishes.push_back(wish);
        }
        self.arm_wishes();
        self.try_propose(cx);
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
        self.tell_settled(cx, roster);
        let ours = self
            .agree
            .wishes
            .front()
            .is_some_and(|wish| fulfils(roster, &wish.changes));
        let version = roster.version;
        if ours && let Some(wish) = self.agree.wishes.pop_front() {
            match wish.asker {
                Asker::Local(ticket) if roster.is_moving() => {
                    self.agree.settling.push((ticket, Arc::clone(roster.new())));
                }
                Asker::Local(ticket) => self.answer(cx, ticket, Ok(Outcome::Settled(version))),
                Asker::Myself => {}
                Asker::Remote(host, req) => {
                    self.send(
                        cx,
                        host,
                        KeepMessage::ChangeIs {
                            req,
                            result: Ok(version),
                        },
                    );
                }
            }
        }
    }

    /// Those who waited for a move to settle. If the next one has begun already, theirs ended as its Old.
    pub(super) fn tell_settled(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        let lost = roster
            .notes
            .losses
            .last()
            .filter(|loss| loss.at == roster.version);
        if lost.is_some() {
            return; // The move goes on in another way: perhaps to the same end.
        }
        for (ticket, wanted) in std::mem::take(&mut self.agree.settling) {
            if *wanted != **roster.old() {
                let silent: Vec<String> = self.silent().iter().map(HostId::to_string).collect();
                let who = match silent.is_empty() {
                    true => "a host that was to take part".to_owned(),
                    false => silent.join(" "),
                };
                let why = format!(
                    "the move was given up: {who} did not answer; start it again, or remove it"
                );
                self.answer(cx, ticket, Err(Failure::Change(why)));
            } else if roster.has(self.me) {
                self.answer(cx, ticket, Ok(Outcome::Settled(roster.version)));
            } else {
                self.leave_when_known(cx, ticket, roster);
            }
        }
    }

    /// This host is out, and proposes nothing any more: those who wait here are told to ask another.
    pub(super) fn drop_all(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        for wish in std::mem::take(&mut self.agree.wishes) {
            match (roster.moved(self.me, &wish.changes), wish.asker) {
                (Err(ChangeError::Nothing), Asker::Local(ticket)) => {
                    self.leave_when_known(cx, ticket, roster);
                }
                (_, asker) => {
                    self.refuse(cx, &asker, "this host is in the ring no more: ask another");
                }
            }
        }
    }

    /// Wishes that cannot be, or that are fulfilled already, are answered and dropped.
    pub(super) fn drop_impossible(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        while let Some(wish) = self.agree.wishes.front() {
            let void = wish.only_at.is_some_and(|at| at != roster.version);
            let why = match roster.moved(self.me, &wish.changes) {
                _ if void => ChangeError::Void,
                Err(why) => why,
                Ok(_) => return,
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

    pub(super) fn refuse(&mut self, cx: &mut Context<'_>, asker: &Asker, why: &str) {
        match asker {
            Asker::Local(ticket) => self.answer(cx, *ticket, Err(Failure::Change(why.into()))),
            Asker::Myself => log::info!("{}: {why}", self.me),
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
}

/// Whether a Moving roster carries these changes out: whatever they ask for is so in New. Of a drain grant, whether
/// a settled one does.
fn fulfils(roster: &Roster, changes: &[Change]) -> bool {
    let new = roster.new();
    let noted = matches!(changes, [Change::Drain(_) | Change::EndDrain(_)]);
    if roster.is_moving() == noted {
        return false;
    }
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
        Change::Zone(host, zone) => {
            let member = new.placement.member(*host);
            member.is_some_and(|member| member.zone == *zone)
        }
        Change::Weight(host, weight) => {
            let member = new.placement.member(*host);
            member.is_some_and(|member| member.weight == *weight)
        }
        Change::Drain(host) => roster.notes.drain == Some(*host),
        Change::EndDrain(_) => roster.notes.drain.is_none(),
        Change::AcceptLoss(hosts) => {
            let now = |loss: &&Loss| loss.at == roster.version;
            let loss = roster.notes.losses.last().filter(now);
            loss.is_some_and(|loss| hosts.iter().all(|host| loss.hosts.contains(host)))
        }
    })
}
