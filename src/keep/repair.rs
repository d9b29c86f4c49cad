//! Replicas compare their spans and heal what differs, without anybody reading it.
//!
//! ```text
//! h1 -> h2   DigestAsk (from, to] in 16 parts      two parts differ
//! h1 -> h2   DigestAsk one of them in 16 parts     … until a part is small
//! h1 -> h2   ListAsk that part                     keys and versions
//! h1 <-> h2  Ask what h2 has newer, Write what h1 has newer
//! ```
//!
//! One comparison at a time, one span and one peer drawn at random each period, and only while the roster
//! is settled and this host complete.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::keyspace::{Id, Span};
use crate::message::{Answered, Event, KeepMessage, Refusal, ReqId, Road, Want};
use crate::placement::HostId;
use crate::record::{Key, Record, Summary, Time};
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
    /// Records asked of a peer.
    fetching: BTreeMap<ReqId, (HostId, Key)>,
    /// Records sent to a peer.
    sending: BTreeMap<ReqId, Key>,
}

impl Repair {
    /// Whether an answer belongs to repair.
    pub(super) fn wants(&self, req: ReqId) -> bool {
        self.fetching.contains_key(&req)
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
            || !self.mover.progress().is_complete()
        {
            return;
        }
        self.repair.fetching.clear();
        self.repair.sending.clear();
        if let Some((span, peer)) = self.draw_span(&roster) {
            self.compare(cx, peer, roster.version, vec![span]);
        }
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
            return;
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
        result: Result<Vec<Digest>, Refusal>,
    ) {
        match result {
            Ok(digests) => self.said(cx, req, false, Answer::Digests(digests)),
            Err(refusal) => self.repair_refused(cx, req, refusal),
        }
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
        match refusal {
            Refusal::Behind(theirs) => self.offer_roster(cx, session.peer, theirs),
            Refusal::Ahead(roster) => self.roster_is(cx, Some(session.peer), roster),
            Refusal::NotMine | Refusal::Store(_) => {}
        }
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
        self.heal_listed(cx, &session, mine, theirs);
        session.after = reached.map(|(_, key)| key);
        if session.after.is_some() {
            self.list(cx, session)
        } else {
            self.compare(cx, session.peer, session.at, session.todo)
        }
    }

    fn heal_listed(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session,
        mine: Vec<(Key, Summary)>,
        theirs: Vec<(Key, Summary)>,
    ) {
        let mut sides: BTreeMap<Key, (Summary, Summary)> = BTreeMap::new();
        for (key, summary) in mine {
            sides.entry(key).or_default().0 = summary;
        }
        for (key, summary) in theirs {
            sides.entry(key).or_default().1 = summary;
        }
        for (key, (mine, theirs)) in sides {
            if !mine.covers(&theirs) {
                let req = self.draw_req();
                self.repair
                    .fetching
                    .insert(req, (session.peer, key.clone()));
                let message = KeepMessage::Ask {
                    req,
                    at: session.at,
                    key: key.clone(),
                    want: Want::Value,
                };
                self.send(cx, session.peer, message);
            }
            if !theirs.covers(&mine) {
                let req = self.draw_req();
                self.store(
                    cx,
                    Op::Get(key.clone()),
                    Next::Send {
                        to: session.peer,
                        req,
                        key,
                    },
                );
            }
        }
    }

    pub(super) fn repair_answered(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        result: Result<Answered, Refusal>,
    ) {
        let Some((peer, key)) = self.repair.fetching.remove(&req) else {
            return;
        };
        if let Ok(Answered::Cells(cells)) = result {
            let host = self.me;
            self.note(
                cx,
                Event::Repaired {
                    key: key.clone(),
                    host,
                },
            );
            self.keep(cx, peer, req, Record { key, cells }, Next::Nothing);
        }
    }

    pub(super) fn send_own(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (to, req): (HostId, ReqId),
        key: Key,
    ) {
        if let Done::Cells(Some(cells)) = done {
            self.repair.sending.insert(req, key.clone());
            let record = Record {
                key,
                cells: cells.for_travel(),
            };
            let at = self.version();
            self.send(
                cx,
                to,
                KeepMessage::Write {
                    req,
                    at,
                    record,
                    road: Road::Repair,
                },
            );
        }
    }

    /// A confirmation that belongs neither to a request nor to a hint.
    pub(super) fn repair_wrote(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        result: Result<Summary, Refusal>,
    ) {
        if let Some(key) = self.repair.sending.remove(&req)
            && result.is_ok()
        {
            self.note(cx, Event::Repaired { key, host: from });
        }
    }
}
