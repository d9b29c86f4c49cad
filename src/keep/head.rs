//! Records from before: a head start, until a source confirms them.
//!
//! A host that comes to hold a span (again) may have records of it: it was removed and returns, its move was given
//! up, its store was damaged and has a new id now, or it slept. They are old. So they go to the shelf
//! ([`Op::Shelve`]) before the roster that makes them matter is adopted, and come back only where a source has the same:
//!
//! ```text
//! h4 -> h2   DigestAsk (from, to] in 16 parts       of each part: does the store, or the shelf, have the very same?
//! h4 -> h2   DigestAsk one that differs, if it is large and something of it lies on the shelf
//! h4 -> h2   Pull a part that differs               sent as in any move
//! ```
//!
//! *Hold these true*: what was held before is in no get, write-back or merge before a source's digest has
//! confirmed it; what nobody confirms stays set aside, bounded, and is told.

use crate::keyspace::Span;
use crate::message::{Event, KeepMessage, Refusal, ReqId};
use crate::placement::{HostId, Piece, pieces};
use crate::record::Marks;
use crate::roster::Roster;
use crate::store::{Digest, Done, Op, cut};

use super::doubt::Doubt;
use super::then::Next;
use super::{Context, Keeper};

/// Into how many parts a span is cut to be compared.
const PARTS: u16 = 16;

/// A part of at most so many records is sent rather than cut up further.
const SMALL: u64 = 64;

impl Keeper {
    /// Before a roster is adopted: what this host has of spans that it does not hold by the present one goes to
    /// the shelf.
    pub(super) fn shelve_before(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        if !roster.has(self.me) {
            return;
        }
        let spans = match self.roster.clone() {
            None if roster.is_moving() || self.starting > 1 => self.spans_in(roster),
            None => return, // A ring is founded on a store of which this is the first life.
            Some(mine) if !mine.has(self.me) => self.spans_in(roster),
            Some(mine) if mine.may_have_lapsed(self.me, roster) => {
                self.unfinished.doubt = Doubt::Slept;
                self.note(cx, Event::Doubts);
                self.save_unfinished(cx);
                self.shared_in(roster)
            }
            Some(mine) => self.gained(&mine, roster),
        };
        if !spans.is_empty() {
            self.store(cx, Op::Shelve(spans), Next::Shelved);
        }
    }

    /// All spans it holds by Old or New.
    fn spans_in(&self, roster: &Roster) -> Vec<Span> {
        self.spans_where(roster, |_| true)
    }

    /// The same, less those that nobody else has. No move that gave it one of these can have settled while it slept, for
    /// that takes a holder that is complete; and nobody else could confirm what it has of them.
    fn shared_in(&self, roster: &Roster) -> Vec<Span> {
        self.spans_where(roster, |piece| piece.old != [self.me])
    }

    fn spans_where(&self, roster: &Roster, is_it: impl Fn(&Piece) -> bool) -> Vec<Span> {
        let (old, new) = (roster.old(), roster.new());
        let all = pieces(&old.placement, old.r(), &new.placement, new.r()).into_iter();
        let mine = all.filter(|piece| piece.old.contains(&self.me) || piece.new.contains(&self.me));
        mine.filter(is_it).map(|piece| piece.span).collect()
    }

    /// Spans that it holds by the next roster and not by the present one.
    fn gained(&self, mine: &Roster, roster: &Roster) -> Vec<Span> {
        let slept = mine.version.next() != roster.version;
        if !slept && !roster.is_moving() {
            return Vec::new();
        }
        let (old, new) = (mine.held_until(roster), roster.new());
        let all = pieces(&old.placement, old.r(), &new.placement, new.r()).into_iter();
        let gained =
            all.filter(|piece| piece.new.contains(&self.me) && !piece.old.contains(&self.me));
        gained.map(|piece| piece.span).collect()
    }

    pub(super) fn shelved(&mut self, cx: &mut Context<'_>, done: &Done) {
        if matches!(done, Done::Shelved(1..)) {
            self.unfinished.shelf = true;
            self.save_unfinished(cx);
        }
    }

    /// A source's digests of the parts of a span: each is compared with the store and the shelf.
    pub(super) fn walked(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        result: Result<Vec<Digest>, Refusal>,
    ) {
        let Some((index, host)) = self.mover.reqs.get(&req).copied() else {
            return;
        };
        if host != from {
            return;
        }
        let digests = match result {
            Ok(digests) => digests,
            Err(refusal @ (Refusal::Behind(_) | Refusal::Ahead(_))) => {
                return self.source_refused(cx, (index, host), refusal);
            }
            Err(_) => return self.pull_instead(cx, index, host),
        };
        let at = self.mover.at;
        let task = self.mover.tasks.get_mut(index);
        let Some(source) = task.and_then(|task| task.active.get_mut(&host)) else {
            return;
        };
        if !source.walks || source.more.is_some() {
            return; // They came twice.
        }
        source.since = cx.now.at;
        source.more = Some(true);
        let parts = cut(source.span, PARTS).into_iter().zip(digests);
        let parts: Vec<(Span, Digest)> = parts.filter(|(_, like)| like.records > 0).collect();
        source.checking = parts.len();
        for (part, like) in parts {
            let records = like.records;
            let next = Next::Confirmed {
                at,
                task: index,
                from: host,
                req,
                part,
                records,
            };
            self.store(cx, Op::Confirm { span: part, like }, next);
        }
        self.walk_on(cx, index, host);
    }

    /// A source that does not compare may still send: everything, then.
    fn pull_instead(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        let span = task.piece.span;
        if let Some(source) = task.active.get_mut(&host).filter(|source| source.walks) {
            (source.walks, source.todo, source.pulls) = (false, Vec::new(), vec![span]);
            self.next_pull(cx, index, host);
        }
    }

    /// One part was compared.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else the store says, the part is sent"
    )]
    pub(super) fn confirmed_part(
        &mut self,
        cx: &mut Context<'_>,
        done: &Done,
        (index, host, req): (usize, HostId, ReqId),
        (part, records): (Span, u64),
    ) {
        let mover = &mut *self.mover;
        let task = mover.tasks.get_mut(index);
        let source = task.and_then(|task| task.active.get_mut(&host));
        let Some(source) = source.filter(|source| source.req == req) else {
            return;
        };
        source.checking = source.checking.saturating_sub(1);
        source.since = cx.now.at;
        match done {
            Done::Confirmed {
                covered: true,
                reused,
                ..
            } => mover.reused += reused,
            // So little of it is here that most would have to be sent anyway: it is sent at once.
            Done::Confirmed { left, here, .. }
                if records > SMALL && (left + here) * 4 > records && part != source.span =>
            {
                source.todo.push(part);
            }
            _ => source.pulls.push(part),
        }
        self.walk_on(cx, index, host);
    }

    /// The next part to compare; then the first to be sent.
    fn walk_on(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let task = self.mover.tasks.get_mut(index);
        let source = task.and_then(|task| task.active.get_mut(&host));
        let Some(source) = source.filter(|source| source.checking == 0) else {
            return;
        };
        if let Some(span) = source.todo.pop() {
            (source.span, source.more) = (span, None);
            self.ask_next(cx, index, host);
        } else {
            source.walks = false;
            self.next_pull(cx, index, host);
        }
    }

    /// Everything is merged: what was not confirmed is set aside.
    pub(super) fn review_shelf(&mut self, cx: &mut Context<'_>) {
        if self.unfinished.shelf {
            self.unfinished.shelf = false;
            let tasks = self.mover.tasks.iter();
            let spans = tasks.map(|task| task.piece.span).collect();
            let most = self.config.max_aside;
            self.store(cx, Op::Review(spans, most), Next::Reviewed);
            self.save_unfinished(cx);
        }
    }

    pub(super) fn reviewed(&mut self, cx: &mut Context<'_>, done: &Done) {
        if let Done::Reviewed { kept, dropped } = *done {
            let reused = std::mem::take(&mut self.mover.reused);
            if kept > 0 {
                log::warn!(
                    "{}: {kept} records from before that no replica confirms are set aside, out of sight",
                    self.me
                );
            }
            let told = Event::HeadStart {
                reused,
                aside: kept,
                dropped,
            };
            if reused + kept + dropped > 0 {
                self.note(cx, told);
            }
        }
    }

    pub(super) fn digests_wanted(
        req: ReqId,
        span: Span,
        at: crate::roster::RosterVersion,
    ) -> KeepMessage {
        KeepMessage::DigestAsk {
            req,
            at,
            span,
            parts: PARTS,
            marks: Marks::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keep::config::KeepConfig;
    use crate::keyspace::Id;
    use crate::placement::Member;
    use crate::roster::RingId;

    #[test]
    fn what_nobody_else_has_is_not_put_aside_after_a_sleep() {
        let member = |host: u64| (HostId(host), Member::new([Id::from_u64(host)]));
        let keeper = Keeper::new(HostId(2), KeepConfig::default(), 1, &|_| None);
        for (copies, aside) in [(1, 0), (2, 2), (3, 3)] {
            let members: BTreeMap<_, _> = (1..=3).map(member).collect();
            let roster = Roster::settled(RingId(1), members, copies).unwrap();
            assert_eq!(keeper.spans_in(&roster).len(), usize::from(copies));
            assert_eq!(keeper.shared_in(&roster).len(), aside, "{copies} copies");
        }
    }
}
