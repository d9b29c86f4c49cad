//! What a replica refuses, and how its fences and floors become durable and reach others.
//!
//! ```text
//! a put, a delete, a hint      above the fence only
//! repair, a read's write-back  above the floor; between the two, what a replica of this roster held
//! a move                       everything: the new replica had nothing to collect
//! ```
//!
//! Marks are kept as one small setting on disk, and held in memory as soon as they are on their way there:
//! to refuse more than was promised does no harm. They are spoken of only once they are durable. What is
//! collected by a floor that a crash then undoes had been made equal at every replica, and the fence of the
//! same round, which was durable everywhere, keeps it out.
//!
//! *Hold these true*: a replica confirms a fence or a floor only when it is on disk; a host that comes to a
//! span takes nothing for it before it durably holds the marks of a quorum of those who had it.

use std::collections::BTreeSet;

use crate::keyspace::{Id, Span};
use crate::message::{Event, KeepMessage, MAX_LACKING, Refusal, Road};
use crate::placement::HostId;
use crate::record::{Guard, Mark, Marks, MarksFull, Record, Stamp};
use crate::roster::RosterVersion;
use crate::store::{Done, Op, Setting};

use super::closed::Closed;
use super::then::Next;
use super::{Context, Keeper};

impl Keeper {
    /// Whether this host's copies are whole, under a settled roster: then it may repair and collect.
    pub(super) fn is_whole(&self) -> bool {
        let settled = |roster: &crate::roster::Roster| !roster.is_moving() && roster.has(self.me);
        self.roster.as_deref().is_some_and(settled)
            && self.adopting.is_none()
            && !self.unfinished.late
            && self.unfinished.doubt == super::doubt::Doubt::None
            && self.mover.is_complete()
    }

    // region: guarded
    /// How a record that came by some road is stored.
    pub(super) fn merge_op(&self, record: Record, next: &Next) -> Op {
        let mark = self.marks.at(record.key.id());
        let guard = match road(next) {
            Some(Road::Request | Road::Hint) => Guard::fenced(mark),
            Some(Road::WriteBack | Road::Repair) => Guard::repair(mark),
            None => return Op::Merge(record), // a move
        };
        if guard.is_open() {
            Op::Merge(record)
        } else {
            Op::Guarded(record, guard)
        }
    }
    // endregion: guarded

    /// Raises the marks of a span to those of `other`, here and on disk; what the floors allow is collected.
    pub(super) fn take_marks(
        &mut self,
        cx: &mut Context<'_>,
        span: Span,
        other: &Marks,
        next: Next,
    ) -> Result<(), MarksFull> {
        let before = self.marks.clone();
        self.marks.merge(span, other)?;
        self.save_marks(cx, next);
        for (part, mark) in self.marks.of(span) {
            if before.least(part).floor < mark.floor {
                self.collect(cx, part, mark.floor);
            }
        }
        Ok(())
    }

    /// The same with one mark for all of the span.
    pub(super) fn raise_marks(
        &mut self,
        cx: &mut Context<'_>,
        span: Span,
        mark: Mark,
        next: Next,
    ) -> Result<(), MarksFull> {
        let mut other = Marks::default();
        other.raise(span, mark)?;
        self.take_marks(cx, span, &other, next)
    }

    /// Spans were given up, and their records are gone.
    pub(super) fn forget_marks(&mut self, cx: &mut Context<'_>, spans: &[Span]) {
        let before = self.marks.clone();
        for span in spans {
            if let Err(full) = self.marks.clear(*span) {
                log::warn!("{}: {full}", self.me);
            }
        }
        if self.marks != before {
            self.save_marks(cx, Next::Nothing);
        }
    }

    /// Drops what the floor allows, so many records at a time.
    fn collect(&mut self, cx: &mut Context<'_>, span: Span, floor: Stamp) {
        let max_records = self.config.collect_records;
        let op = Op::Collect {
            span,
            floor,
            max_records,
        };
        self.store(cx, op, Next::Collected(span, floor));
    }

    /// A crash may have come between a floor and what it allows to drop.
    pub(super) fn collect_again(&mut self, cx: &mut Context<'_>) {
        for (span, mark) in self.marks.of(Span::whole(Id::MAX)) {
            if mark.floor > Stamp(0) {
                self.collect(cx, span, mark.floor);
            }
        }
    }

    pub(super) fn collected(
        &mut self,
        cx: &mut Context<'_>,
        done: &Done,
        (span, floor): (Span, Stamp),
    ) {
        if let Done::Collected(records, more) = *done {
            if records > 0 {
                self.note(cx, Event::Collected { span, records });
            }
            if more {
                self.collect(cx, span, floor);
            }
        }
    }

    /// A replica-to-be asks for our marks. Those of Old no longer change while the move is under way.
    pub(super) fn marks_asked(&mut self, cx: &mut Context<'_>, from: HostId, at: RosterVersion) {
        let lacking = self.unfinished.closed.spans();
        let result = match self.admit(at, None) {
            Ok(()) if lacking.len() > MAX_LACKING => Err(Refusal::Incomplete),
            admitted => admitted.map(|()| (self.marks.clone(), lacking.to_vec())),
        };
        self.send(cx, from, KeepMessage::MarksAre { at, result });
    }

    /// A replica compares a span with ours and told its marks: whoever has the lower ones raises them. True
    /// if ours have risen.
    pub(super) fn marks_heard(&mut self, cx: &mut Context<'_>, span: Span, theirs: &Marks) -> bool {
        let before = self.marks.clone();
        let mut raised = before.clone();
        if let Err(full) = raised.merge(span, theirs) {
            log::warn!("{}: {full}", self.me);
            return false;
        }
        let rises = raised != before;
        if rises && self.take_marks(cx, span, theirs, Next::Nothing).is_err() {
            return false;
        }
        rises
    }

    /// Whether a question is about a span to which this host comes, before it durably holds its marks.
    pub(super) fn is_unmarked(&self, message: &KeepMessage) -> bool {
        if let KeepMessage::Ask { key, .. } = message {
            self.is_closed_at(key.id())
        } else if let KeepMessage::Write { record, .. } = message {
            self.is_closed_at(record.key.id())
        } else {
            false
        }
    }

    /// Whether this host takes and answers nothing yet about that place.
    pub(crate) fn is_closed_at(&self, id: Id) -> bool {
        let tasks = self.mover.tasks.iter();
        let mut closed = tasks.filter(|task| self.mover.closed && task.is_closed());
        closed.any(|task| task.piece.span.contains(id))
    }

    /// Whether a round of collection has fenced at that place and has not ended.
    pub(crate) fn is_frozen_at(&self, id: Id) -> bool {
        self.marks.at(id).is_open()
    }

    /// A source told its marks: they count once they are on our disk.
    pub(super) fn marks_are(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        at: RosterVersion,
        result: Result<(Marks, Vec<Span>), Refusal>,
    ) {
        match result {
            Err(refusal) => self.agree_on_roster(cx, from, refusal),
            Ok(theirs) if at == self.mover.at => self.learn_marks(cx, from, at, theirs),
            Ok(_) => {}
        }
    }

    fn learn_marks(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        at: RosterVersion,
        (theirs, lacking): (Marks, Vec<Span>),
    ) {
        if self.mover.learning.contains_key(&from) {
            return; // Its marks are on their way to the disk.
        }
        let tasks = self.mover.tasks.iter();
        let wanting = tasks.filter(|task| task.wants_marks_of(from));
        let spans: Vec<Span> = wanting.map(|task| task.piece.span).collect();
        let told = |span: &&Span| !touches(span, &lacking);
        let mut all = Marks::default();
        let merged = spans
            .iter()
            .filter(told)
            .try_for_each(|span| all.merge(*span, &theirs));
        let whole = Span::whole(Id::MAX);
        let next = Next::Learned { at, from };
        let before = self.learned.clone();
        if spans.iter().all(|span| told(&span)) {
            self.learned.note(at, from);
        }
        let learned = merged.and_then(|()| self.take_marks(cx, whole, &all, next));
        if let Err(full) = learned {
            self.learned = before;
            log::error!("{}: cannot take the marks of {from}: {full}", self.me);
        } else {
            self.mover.learning.insert(from, lacking);
        }
    }

    /// The marks of a source could not be stored: it is asked again.
    pub(super) fn not_learned(&mut self, at: RosterVersion, from: HostId) {
        if at == self.mover.at {
            self.mover.learning.remove(&from);
        }
    }

    /// A move goes on after a restart: whose marks are on disk need not tell them again.
    pub(super) fn take_up_learned(&mut self) {
        if self.learned.at != self.mover.at {
            return;
        }
        for host in &self.learned.from {
            let tasks = self.mover.tasks.iter_mut();
            for task in tasks.filter(|task| task.wants_marks_of(*host)) {
                task.marked.push(*host);
            }
        }
    }

    /// What is on disk of marks.
    fn save_marks(&mut self, cx: &mut Context<'_>, next: Next) {
        let setting = self.learned.encode(&self.marks);
        self.store(cx, Op::Set(Setting::Marks, setting), next);
    }

    /// The marks of a source are durable here; what waited for them goes on.
    pub(super) fn learned(&mut self, cx: &mut Context<'_>, at: RosterVersion, from: HostId) {
        if at != self.mover.at {
            return;
        }
        let lacking = self.mover.learning.remove(&from).unwrap_or_default();
        let tasks = self.mover.tasks.iter_mut();
        let told =
            tasks.filter(|task| task.wants_marks_of(from) && !touches(&task.piece.span, &lacking));
        told.for_each(|task| task.marked.push(from));
        let closed = Closed::of(&self.mover.tasks);
        self.mover.closed = !closed.is_empty();
        if self.unfinished.late && self.unfinished.closed != closed {
            self.set_late(cx, true, closed);
        }
        for (from, message) in std::mem::take(&mut self.parked) {
            self.handle(cx, from, message);
        }
        self.pump(cx);
    }

    /// Asks those for marks who have not told theirs, and asks again after a while.
    pub(super) fn ask_marks(&mut self, cx: &mut Context<'_>) {
        let at = self.mover.at;
        let patience = self.config.retry * 2;
        let unmarked = self.mover.tasks.iter().filter(|task| task.is_unmarked());
        let wanted = unmarked.flat_map(|task| {
            let others = task.piece.old.iter().copied();
            others.filter(|host| *host != self.me && task.wants_marks_of(*host))
        });
        let asked = &self.mover.marks_asked;
        let lately = |host: &HostId| {
            let at = asked.get(host);
            at.is_some_and(|at| cx.now.at.since(*at) < patience)
        };
        let hosts: BTreeSet<HostId> = wanted.filter(|host| !lately(host)).collect();
        for host in hosts {
            self.mover.marks_asked.insert(host, cx.now.at);
            self.send(cx, host, KeepMessage::MarksAsk { at });
        }
    }

    /// The least fence and floor of what this host holds.
    pub(super) fn least_marks(&self) -> Mark {
        if self.marks.is_empty() {
            return Mark::NONE;
        }
        let spans = self.roster.as_ref().map(|r| r.spans_of(self.me));
        let marks = spans.into_iter().flatten().map(|s| self.marks.least(s));
        let least = marks.reduce(|a, b| Mark {
            fence: a.fence.min(b.fence),
            floor: a.floor.min(b.floor),
        });
        least.unwrap_or(Mark::NONE)
    }
}

/// Whether a span has something in common with one of those.
fn touches(span: &Span, others: &[Span]) -> bool {
    others.iter().any(|other| !span.intersect(other).is_empty())
}

/// By which road a write comes; none for a move.
fn road(next: &Next) -> Option<Road> {
    if let Next::Wrote { road, .. } = next {
        Some(*road)
    } else if let Next::Own(_) = next {
        Some(Road::Request)
    } else {
        matches!(next, Next::Healed { .. }).then_some(Road::Repair)
    }
}
