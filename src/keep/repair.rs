//! Replicas compare their spans and heal what differs, without anybody reading it.
//!
//! ```text
//! h1 -> h2   DigestAsk (from, to] in 16 parts      two parts differ
//! h1 -> h2   DigestAsk one of them in 16 parts     … until a part is small
//! h1 -> h2   ListAsk that part                     keys and versions
//! h1 <-> h2  Ask what h2 has newer, Write what h1 has newer
//! ```
//!
//! One comparison at a time, one span and one peer drawn at random each period, and only between replicas
//! that are whole, under one settled roster. Whoever has the lower fence or floor raises it first, and drops
//! what that allows; otherwise one side would go on sending what the other has collected.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use crate::keyspace::{Id, Span};
use crate::message::{KeepMessage, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::{Key, Marks, Summary, Time};
use crate::roster::{Roster, RosterVersion};
use crate::store::{Digest, Done, Op, cut};

use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// Into how many parts a differing span is cut.
const PARTS: u16 = 16;

/// A part of at most so many records is listed instead of cut up further.
const LIST_RECORDS: u64 = 64;

/// One comparison with one peer.
#[derive(Debug)]
struct Session {
    peer: HostId,
    at: RosterVersion,
    since: Time,
    /// The question under way.
    req: ReqId,
    span: Span,
    /// Of a list: only keys after this one.
    after: Option<Key>,
    /// What is still to be compared.
    todo: Vec<Span>,
    mine: Option<Answer>,
    theirs: Option<Answer>,
}

/// Who waits for a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// A round of collection.
    Round,
    /// Somebody asked for all spans to be compared now.
    Balance,
}

/// A comparison that somebody waits for.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) waits: Waits,
    /// Records that were newer at the peer and are here now, and the other way round.
    pub(super) brought: (u64, u64),
    pub(super) peer: HostId,
    /// What was found to differ and is not durably equal yet.
    pub(super) open: BTreeSet<ReqId>,
    /// Whether all of the span was compared.
    pub(super) compared: bool,
    pub(super) failed: bool,
    /// Whether anything came since this was last asked.
    pub(super) moved: bool,
    /// Whether anything came from the peer since this was last asked.
    pub(super) heard: bool,
}

/// One side's answer to the present question.
#[derive(Debug)]
enum Answer {
    Digests(Vec<Digest>),
    /// Keys and versions in order, and whether more follow.
    List(Vec<(Key, Summary)>, bool),
}

/// Everything about repair.
#[derive(Debug, Default)]
pub(super) struct Repair {
    session: Option<Session>,
    /// Records asked of a peer, and under which roster.
    pub(super) fetching: BTreeMap<ReqId, (HostId, Key, RosterVersion)>,
    /// Records sent to a peer.
    pub(super) sending: BTreeMap<ReqId, Key>,
    pub(super) pass: Option<Pass>,
    /// Records brought up since this host started, here and elsewhere.
    pub(super) healed: u64,
}

impl Repair {
    /// Whether an answer belongs to repair.
    pub(super) fn wants(&self, req: ReqId) -> bool {
        self.fetching.contains_key(&req)
    }

    /// The round is over: nothing waits for this comparison any more.
    pub(super) fn end_pass(&mut self, waits: Waits) {
        if self.pass.take_if(|pass| pass.waits == waits).is_some() {
            self.session = None;
        }
    }

    /// Whether the comparison of a round got on since this was last asked.
    pub(super) fn take_moved(&mut self, waits: Waits) -> bool {
        let pass = self.pass.as_mut().filter(|pass| pass.waits == waits);
        pass.is_some_and(|pass| std::mem::take(&mut pass.moved))
    }
}

impl Repair {
    /// Whether the peer of such a comparison said anything since this was last asked.
    pub(super) fn take_heard(&mut self, waits: Waits) -> bool {
        let pass = self.pass.as_mut().filter(|pass| pass.waits == waits);
        pass.is_some_and(|pass| std::mem::take(&mut pass.heard))
    }
}

impl Keeper {
    /// Begins a comparison, unless one is under way.
    pub(super) fn repair_due(&mut self, cx: &mut Context<'_>) {
        self.timers
            .set(Wake::Repair, cx.now.at + self.config.repair);
        let Some(roster) = self.roster.clone().filter(|roster| !roster.is_moving()) else {
            return;
        };
        let stuck = |session: &Session| cx.now.at.since(session.since) >= self.config.deadline;
        if self
            .repair
            .session
            .as_ref()
            .is_some_and(|session| !stuck(session))
            || self.repair.pass.is_some()
            || !self.is_whole()
        {
            return;
        }
        self.repair.fetching.clear();
        self.repair.sending.clear();
        if let Some((span, peer)) = self.draw_span(&roster) {
            self.compare(cx, peer, roster.version, vec![span]);
        }
    }

    /// Compares a span for somebody who waits, instead of what was being compared.
    pub(super) fn begin_pass(
        &mut self,
        cx: &mut Context<'_>,
        waits: Waits,
        peer: HostId,
        at: RosterVersion,
        span: Span,
    ) {
        self.repair.fetching.clear();
        self.repair.sending.clear();
        self.repair.pass = Some(Pass {
            waits,
            brought: (0, 0),
            peer,
            open: BTreeSet::new(),
            compared: false,
            failed: false,
            moved: false,
            heard: false,
        });
        self.compare(cx, peer, at, vec![span]);
    }

    /// One of the spans this host holds, and another holder of it.
    fn draw_span(&mut self, roster: &Roster) -> Option<(Span, HostId)> {
        let membership = roster.new();
        let mine = &membership.placement.member(self.me)?.tokens;
        let mut token = *mine.get(self.rng.random_range(0..mine.len()))?;
        for _ in 0..self.rng.random_range(0..membership.r()) {
            let before: Id = membership.placement.prev(token).ok()?.id;
            if membership.holders(before).contains(&self.me) {
                token = before;
            }
        }
        let others: Vec<HostId> = membership
            .holders(token)
            .into_iter()
            .filter(|host| *host != self.me)
            .collect();
        if others.is_empty() {
            return None;
        }
        let peer = others[self.rng.random_range(0..others.len())];
        Some((membership.placement.span_of(token)?, peer))
    }

    fn compare(
        &mut self,
        cx: &mut Context<'_>,
        peer: HostId,
        at: RosterVersion,
        mut todo: Vec<Span>,
    ) {
        let Some(span) = todo.pop() else {
            self.repair.session = None;
            return self.compared(cx);
        };
        let req = self.draw_req();
        let since = cx.now.at;
        self.repair.session = Some(Session {
            peer,
            at,
            since,
            req,
            span,
            after: None,
            todo,
            mine: None,
            theirs: None,
        });
        self.send(
            cx,
            peer,
            KeepMessage::DigestAsk {
                req,
                at,
                span,
                parts: PARTS,
                marks: self.marks.only(span),
            },
        );
        self.store(
            cx,
            Op::Digests { span, parts: PARTS },
            Next::OwnDigests(req),
        );
    }

    pub(super) fn own_digests(&mut self, cx: &mut Context<'_>, done: Done, req: ReqId) {
        if let Done::Digests(digests) = done {
            self.said(cx, req, true, Answer::Digests(digests));
        }
    }

    pub(super) fn own_list(&mut self, cx: &mut Context<'_>, done: Done, req: ReqId) {
        if let Done::List(list, more) = done {
            self.said(cx, req, true, Answer::List(list, more));
        }
    }

    pub(super) fn digests_are(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        marks: &Marks,
        result: Result<Vec<Digest>, Refusal>,
    ) {
        match result {
            Ok(_) if self.floors_rose(cx, req, marks) => {}
            Ok(digests) => self.said(cx, req, false, Answer::Digests(digests)),
            Err(refusal) => self.repair_refused(cx, req, refusal),
        }
    }

    /// The peer had the higher marks: ours are raised, and what we said of that span is out of date.
    fn floors_rose(&mut self, cx: &mut Context<'_>, req: ReqId, theirs: &Marks) -> bool {
        let session = self.repair.session.as_ref();
        let Some(span) = session.filter(|s| s.req == req).map(|s| s.span) else {
            return false;
        };
        if !self.marks_heard(cx, span, theirs) {
            return false;
        }
        if let Some(mut session) = self.repair.session.take() {
            session.todo.push(span);
            self.compare(cx, session.peer, session.at, session.todo);
        }
        true
    }

    pub(super) fn list_is(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        result: Result<(Vec<(Key, Summary)>, bool), Refusal>,
    ) {
        match result {
            Ok((list, more)) => self.said(cx, req, false, Answer::List(list, more)),
            Err(refusal) => self.repair_refused(cx, req, refusal),
        }
    }

    fn repair_refused(&mut self, cx: &mut Context<'_>, req: ReqId, refusal: Refusal) {
        let Some(session) = self.repair.session.take_if(|session| session.req == req) else {
            return;
        };
        self.agree_on_roster(cx, session.peer, refusal);
        self.pass_failed(cx);
    }

    /// One side has answered; with both answers the comparison goes on.
    fn said(&mut self, cx: &mut Context<'_>, req: ReqId, own: bool, answer: Answer) {
        let Some(session) = self
            .repair
            .session
            .as_mut()
            .filter(|session| session.req == req)
        else {
            return;
        };
        if let Some(pass) = self.repair.pass.as_mut() {
            pass.moved = true;
            pass.heard |= !own;
        }
        if own {
            session.mine = Some(answer);
        } else {
            session.theirs = Some(answer);
        }
        if session.mine.is_none() || session.theirs.is_none() {
            return;
        }
        let Some(mut session) = self.repair.session.take() else {
            return;
        };
        match (session.mine.take(), session.theirs.take()) {
            (Some(Answer::Digests(mine)), Some(Answer::Digests(theirs))) => {
                self.narrow(cx, session, &mine, &theirs)
            }
            (Some(Answer::List(mine, more)), Some(Answer::List(theirs, more_of_theirs))) => {
                self.heal(cx, session, (mine, more), (theirs, more_of_theirs))
            }
            (_, _) => {
                // The comparison ends here; the next period draws another.
                let peer = session.peer;
                log::warn!(
                    "{}: {peer} answered with a list to digests, or the other way round",
                    self.me
                );
                self.pass_failed(cx);
            }
        }
    }

    /// Goes into the parts that differ: the small ones are listed, the large ones cut up again.
    fn narrow(
        &mut self,
        cx: &mut Context<'_>,
        mut session: Session,
        mine: &[Digest],
        theirs: &[Digest],
    ) {
        let parts = cut(session.span, PARTS);
        let all = |side: &[Digest]| side.iter().map(|digest| digest.records).sum::<u64>();
        if mine != theirs && all(mine).max(all(theirs)) <= LIST_RECORDS {
            return self.list(cx, session);
        }
        let differing = parts
            .into_iter()
            .zip(mine.iter().zip(theirs))
            .filter(|(_, (mine, theirs))| mine != theirs);
        session.todo.extend(differing.map(|(span, _)| span));
        self.compare(cx, session.peer, session.at, session.todo);
    }

    fn list(&mut self, cx: &mut Context<'_>, mut session: Session) {
        session.req = self.draw_req();
        session.since = cx.now.at;
        let (req, at, span, peer) = (session.req, session.at, session.span, session.peer);
        let after = session.after.clone();
        self.repair.session = Some(session);
        self.send(
            cx,
            peer,
            KeepMessage::ListAsk {
                req,
                at,
                span,
                after: after.clone(),
                whole: true,
            },
        );
        let page = self.page(span, after);
        self.store(cx, Op::List(page), Next::OwnList(req));
    }

    /// Fetches what the peer has newer, sends what we have newer. Long keys fill a list soon: then only what
    /// both lists reach is compared, and the next lists begin there.
    fn heal(
        &mut self,
        cx: &mut Context<'_>,
        mut session: Session,
        (mut mine, more): (Vec<(Key, Summary)>, bool),
        (mut theirs, more_of_theirs): (Vec<(Key, Summary)>, bool),
    ) {
        // In the order of the lists: of a whole circle, the id it begins after is the last.
        let first = session.span.from.wrapping_add(Id::from_u64(1));
        let place = |key: &Key| (first.distance(key.id()), key.clone());
        let end = |list: &[(Key, Summary)], more: bool| {
            list.last().filter(|_| more).map(|(key, _)| place(key))
        };
        let reached = [end(&mine, more), end(&theirs, more_of_theirs)]
            .into_iter()
            .flatten()
            .min();
        if let Some(reached) = &reached {
            mine.retain(|(key, _)| place(key) <= *reached);
            theirs.retain(|(key, _)| place(key) <= *reached);
        }
        self.heal_listed(cx, (session.peer, session.at), mine, theirs);
        session.after = reached.map(|(_, key)| key);
        if session.after.is_some() {
            self.list(cx, session)
        } else {
            self.compare(cx, session.peer, session.at, session.todo)
        }
    }
}
