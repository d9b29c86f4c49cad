//! How a span comes to its new replicas.
//!
//! ```text
//! Old h1 h2 h3   New h2 h3 h4        h4 has to merge from two of h1 h2 h3;
//!                                    h2 and h3 each from one other than itself
//! h4 -> h2 h3   Pull (from, to]      each adopts the Moving roster durably before it answers
//! h4 <- h2 h3   Chunk … Chunk        merged as they come; then h4 is complete
//! ```
//!
//! Every acknowledged write is on a quorum of Old, so a merge from any quorum of Old meets it. A source
//! that stays silent is passed over for another. When the move has settled on a quorum, a replica that
//! was late finishes from those who now hold the span.
//!
//! *Hold this true*: complete belongs to one Moving version; it is lost when that move is given up.

use std::sync::Arc;

use crate::keyspace::Span;
use crate::message::{Event, KeepMessage, Refusal, ReqId};
use crate::placement::{HostId, Piece, pieces};
use crate::record::{Record, Time};
use crate::roster::{Membership, Roster, RosterVersion, same_hosts};
use crate::store::{Done, Op, StoreError};

use super::closed::Closed;
use super::doubt::Doubt;
use super::resume::rest;
use super::task::{Mover, Need, Source, Task};
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// A roster was adopted: begin its move, finish the last one, or forget it.
    #[allow(clippy::too_many_lines, reason = "one decision with all its cases")]
    pub(super) fn begin_move(
        &mut self,
        cx: &mut Context<'_>,
        lived_by: Option<&Roster>,
        roster: &Arc<Roster>,
    ) {
        let before = std::mem::take(&mut self.mover);
        let followed = before.at.next() == roster.version;
        let went_on = followed
            && before
                .tasks
                .iter()
                .all(|task| roster.new().holders(task.piece.span.to) == task.piece.new);
        let lived_by = lived_by.filter(|_| !followed);
        if let Some(lived_by) = lived_by {
            self.note_missed(cx, lived_by, roster, &before);
        }
        let doubtful = self.doubtful_tasks(roster);
        if doubtful.is_empty() && self.unfinished.doubt != Doubt::None {
            self.unfinished.doubt = Doubt::None; // It holds nothing to doubt.
            self.save_unfinished(cx);
        }
        let tasks = if !doubtful.is_empty() {
            doubtful
        } else if roster.is_moving() {
            self.moving_tasks(roster)
        } else if self.unfinished.late {
            let spans = roster.spans_of(self.me).into_iter();
            let whole = |span| Task::new(held(roster.new(), span));
            let parts = spans.flat_map(|span| self.unfinished.closed.cut(span));
            parts
                .map(|(part, closed)| whole(part).with_marks(self.me, closed))
                .collect()
        } else if went_on {
            let unfinished = before.tasks.into_iter().filter(|task| !task.complete);
            let later = |task: Task| {
                let newcomer = task.is_closed();
                Task::new(later(task.piece)).with_marks(self.me, newcomer)
            };
            unfinished.map(later).collect()
        } else if let Some(lived_by) = lived_by {
            let missed = slept_through(lived_by, roster);
            let mine = missed.filter(|piece| piece.new.contains(&self.me));
            let later = |piece: Piece| {
                let newcomer = !piece.old.contains(&self.me);
                Task::new(later(piece)).with_marks(self.me, newcomer)
            };
            mine.map(later).collect()
        } else {
            Vec::new()
        };
        let slept = lived_by.is_some();
        *self.mover = Mover {
            at: roster.version,
            tasks,
            ..Mover::default()
        };
        self.take_up_note(cx.now.at);
        self.take_up_learned();
        let closed = Closed::of(&self.mover.tasks);
        self.mover.closed = !closed.is_empty();
        if !self.unfinished.late
            && self.unfinished.doubt == Doubt::None
            && (slept || !roster.is_moving())
            && !self.mover.tasks.is_empty()
        {
            self.set_late(cx, true, closed);
        }
        self.move_begins(cx.now.at);
        self.pump(cx);
    }

    /// A host slept through versions. If it fell asleep in a move that has succeeded since, what it had not merged
    /// is late; and what a move that it missed gave it is closed, whatever moves now.
    fn note_missed(
        &mut self,
        cx: &mut Context<'_>,
        lived_by: &Roster,
        roster: &Roster,
        before: &Mover,
    ) {
        let held = lived_by.held_until(roster);
        let went_through = lived_by.is_moving() && Arc::ptr_eq(held, lived_by.new());
        let unfinished = went_through && !before.is_complete();
        if self.unfinished.doubt != Doubt::None || !(unfinished || roster.is_moving()) {
            return;
        }
        let mut closed = self.unfinished.closed.clone();
        if went_through {
            closed.add(Closed::of(&before.tasks).spans().iter().copied());
        }
        let now = roster.old();
        let missed = pieces(&held.placement, held.r(), &now.placement, now.r()).into_iter();
        let came =
            missed.filter(|piece| piece.new.contains(&self.me) && !piece.old.contains(&self.me));
        closed.add(came.map(|piece| piece.span));
        if unfinished || closed != self.unfinished.closed {
            self.set_late(cx, true, closed);
        }
    }

    /// What has to be merged here while a roster moves.
    fn moving_tasks(&self, roster: &Roster) -> Vec<Task> {
        let moves = roster.moves().into_iter();
        let mine = moves.filter(|piece| piece.new.contains(&self.me));
        let known = &self.unfinished.closed;
        let parts = mine.flat_map(|piece| {
            let parts = known.cut(piece.span).into_iter();
            parts.map(move |(span, closed)| {
                (
                    Piece {
                        span,
                        ..piece.clone()
                    },
                    closed,
                )
            })
        });
        let task = |(piece, closed): (Piece, bool)| {
            let newcomer = closed || !piece.old.contains(&self.me);
            lossy(roster, piece).with_marks(self.me, newcomer)
        };
        let mut tasks: Vec<Task> = parts.map(task).collect();
        // Spans that stay where they are, and are still not ours to write to.
        let old = roster.old();
        let tokens = old.placement.tokens();
        let ours = tokens.filter(|token| !known.is_empty() && old.holds(self.me, token.id));
        let spans = ours.filter_map(|token| old.placement.span_of(token.id));
        let parts = spans.flat_map(|span| known.cut(span));
        let closed = parts.filter(|(_, closed)| *closed);
        let task = |(part, _)| Task::new(held(old, part)).with_marks(self.me, true);
        tasks.extend(closed.map(task));
        tasks
    }

    /// Notes on disk whether something of an earlier move is still to be merged here, and for what marks are
    /// missing, too: neither a restart nor the next move may make this host forget it.
    pub(super) fn set_late(&mut self, cx: &mut Context<'_>, late: bool, closed: Closed) {
        (self.unfinished.late, self.unfinished.closed) = (late, closed);
        self.save_unfinished(cx);
    }

    /// By links alone: brings one span here from the node that gives it. It shows in
    /// [`Keeper::take_received`] when it is whole.
    pub fn receive_span(&mut self, cx: &mut Context<'_>, span: Span, from: HostId) {
        self.mover.tasks.push(Task::new(Piece {
            span,
            old: vec![from],
            new: vec![self.me],
        }));
        self.mover.said = false;
        self.pump(cx);
        self.settle_loopback(cx);
    }

    /// By links alone: another node has this span now, whole; our copy goes.
    pub fn release_span(&mut self, cx: &mut Context<'_>, span: Span) {
        self.giving.retain(|(other, _)| *other != span);
        self.store(cx, Op::Discard(vec![span]), Next::Nothing);
    }

    /// Keeps the window of pulls full and marks what is complete.
    pub(super) fn pump(&mut self, cx: &mut Context<'_>) {
        self.ask_marks(cx);
        let mut waiting = None;
        for index in 0..self.mover.tasks.len() {
            let Some(task) = self
                .mover
                .tasks
                .get_mut(index)
                .filter(|task| !task.complete)
            else {
                continue;
            };
            let needed = task.sources(self.me);
            if task.done.len() >= needed {
                if !task.is_unmarked() {
                    self.complete(index);
                }
                continue;
            }
            self.ask_sources(cx, index, needed);
            let Some(task) = self.mover.tasks.get(index) else {
                continue;
            };
            waiting = waiting.or_else(|| {
                task.active
                    .keys()
                    .find(|host| task.silent.contains(host))
                    .copied()
            });
        }
        self.say_waiting(cx, waiting);
        self.say_complete(cx);
    }

    fn complete(&mut self, index: usize) {
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        task.complete = true;
        task.active.clear();
        if self.roster.is_none() {
            self.received.push(task.piece.span);
        }
        self.mover.reqs.retain(|_, (other, _)| *other != index);
    }

    /// Asks as many sources as are still needed, as far as the window allows.
    fn ask_sources(&mut self, cx: &mut Context<'_>, index: usize, needed: usize) {
        while self.mover.reqs.len() < self.config.move_window {
            let Some(task) = self.mover.tasks.get(index) else {
                return;
            };
            if task.done.len() + task.active.len() >= needed {
                return;
            }
            let Some(host) = task.next_source(self.me, |host| self.is_last_to_ask(cx.now.at, host))
            else {
                return;
            };
            self.pull_from(cx, index, host);
        }
    }

    fn say_waiting(&mut self, cx: &mut Context<'_>, waiting: Option<HostId>) {
        if let Some(host) = waiting.filter(|host| !self.mover.told.contains(host)) {
            self.mover.told.push(host);
            let version = self.mover.at;
            self.note(cx, Event::Waiting { version, host });
        }
        self.mover.waiting_for = waiting;
    }

    fn say_complete(&mut self, cx: &mut Context<'_>) {
        if self.mover.tasks.is_empty() || self.mover.said {
            return;
        }
        if self.mover.is_complete() {
            self.mover.said = true;
            let settled = self
                .roster
                .as_ref()
                .is_some_and(|roster| !roster.is_moving());
            self.review_shelf(cx);
            if settled && self.unfinished.late {
                self.set_late(cx, false, Closed::default());
            }
            if self.roster.is_some() {
                self.collect_again(cx);
            }
            self.timers.clear(Wake::Mover);
            let (version, records) = (self.mover.at, self.mover.records);
            self.note(cx, Event::Complete { version, records });
            if self.unfinished.doubt != Doubt::None {
                return self.sure(cx);
            }
            if self.roster.is_none() {
                self.mover.tasks.clear();
            }
        } else {
            self.arm_mover(cx.now.at);
        }
    }

    fn pull_from(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let req = self.draw_req();
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        let walks = self.unfinished.shelf && task.need != Need::All;
        // By links alone a span is handed over whole, or not at all; what is compared first is compared anew.
        let known = self.roster.is_some() && !walks;
        let reached = task.reached.get(&host).filter(|_| known);
        let source = Source {
            req,
            span: rest(task.piece.span, reached.copied()),
            walks,
            todo: Vec::new(),
            pulls: Vec::new(),
            checking: 0,
            after: None,
            coming: None,
            paused: false,
            asked: cx.now.at,
            since: cx.now.at,
            merging: 0,
            more: None,
            failed: false,
            full: false,
        };
        task.active.insert(host, source);
        self.mover.reqs.insert(req, (index, host));
        self.ask_chunk(cx, index, host);
    }

    pub(super) fn ask_chunk(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let (at, pause) = (self.mover.at, self.move_is_held(cx.now.at, host));
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        let all = task.need == Need::All;
        let Some(source) = task.active.get_mut(&host) else {
            return;
        };
        source.asked = cx.now.at;
        source.paused = pause;
        if pause {
            return self.arm_mover(cx.now.at);
        }
        let (req, span, after) = (source.req, source.span, source.after.clone());
        let message = if source.walks {
            Keeper::digests_wanted(req, span, at)
        } else {
            KeepMessage::Pull {
                req,
                at,
                span,
                after,
                all,
            }
        };
        self.send(cx, host, message);
    }

    /// A chunk has come: merge it, then ask for the next one.
    pub(super) fn chunk(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        at: RosterVersion,
        result: Result<(Vec<Record>, bool), Refusal>,
    ) {
        let Some((index, host)) = self
            .mover
            .reqs
            .get(&req)
            .copied()
            .filter(|(_, host)| *host == from)
        else {
            return;
        };
        match result {
            Err(refusal) => self.source_refused(cx, (index, host), refusal),
            Ok((records, more)) if at == self.mover.at => {
                self.merge_chunk(cx, (index, host), req, records, more)
            }
            Ok(_) => {}
        }
    }

    /// A source does not do as asked, or not yet.
    pub(super) fn source_refused(
        &mut self,
        cx: &mut Context<'_>,
        (index, host): (usize, HostId),
        refusal: Refusal,
    ) {
        match refusal {
            Refusal::Behind(theirs) => self.offer_roster(cx, host, theirs),
            Refusal::Ahead(roster) => self.roster_is(cx, Some(host), roster),
            Refusal::NotMine | Refusal::Store(_) | Refusal::Below | Refusal::Incomplete => {
                self.pass_over(cx, index, host);
            }
        }
    }

    fn merge_chunk(
        &mut self,
        cx: &mut Context<'_>,
        (index, host): (usize, HostId),
        req: ReqId,
        records: Vec<Record>,
        more: bool,
    ) {
        let at = self.mover.at;
        let Some(source) = self
            .mover
            .tasks
            .get_mut(index)
            .and_then(|task| task.active.get_mut(&host))
        else {
            return;
        };
        if source.more.is_some() || source.walks {
            return; // This chunk came twice.
        }
        source.since = cx.now.at;
        source.more = Some(more);
        source.merging = records.len();
        source.coming = records.last().map(|last| last.key.clone());
        self.mover.records += records.len() as u64;
        let values = records.iter().map(|record| record.cells.value_len());
        let keys = records.iter().map(|record| record.key.bytes().len() as u64);
        let (values, keys) = (values.sum::<u64>(), keys.sum::<u64>());
        self.mover.bytes += values;
        self.move_charge(cx.now.at, values + keys);
        for record in records {
            self.keep(
                cx,
                host,
                req,
                record,
                Next::Moved {
                    at,
                    task: index,
                    from: host,
                    req,
                },
            );
        }
        self.chunk_merged(cx, index, host);
    }

    /// One record of a chunk is in our store.
    pub(super) fn moved_record(
        &mut self,
        cx: &mut Context<'_>,
        done: &Done,
        at: RosterVersion,
        (index, host, req): (usize, HostId, ReqId),
    ) {
        if at != self.mover.at {
            return;
        }
        let full = matches!(done, Done::Failed(error) if error.is_full());
        let failed = matches!(done, Done::Failed(_)) && !full;
        // A source that was passed over and is asked again starts anew: what it sent before counts no more.
        let Some(source) = self
            .mover
            .tasks
            .get_mut(index)
            .and_then(|task| task.active.get_mut(&host))
            .filter(|source| source.req == req)
        else {
            return;
        };
        source.merging = source.merging.saturating_sub(1);
        source.failed |= failed;
        source.full |= full;
        source.since = cx.now.at;
        self.chunk_merged(cx, index, host);
    }

    /// A large value of a chunk could not be pulled.
    pub(super) fn moved_failed(
        &mut self,
        cx: &mut Context<'_>,
        at: RosterVersion,
        task: (usize, HostId, ReqId),
        full: bool,
    ) {
        let error = if full {
            let (used, limit) = (0, 0); // nobody is told
            StoreError::Full { used, limit }
        } else {
            StoreError::Device("a value did not arrive".into())
        };
        self.moved_record(cx, &Done::Failed(error), at, task);
    }

    fn chunk_merged(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        let Some(source) = task
            .active
            .get_mut(&host)
            .filter(|source| source.merging == 0)
        else {
            return;
        };
        let (Some(more), failed) = (source.more, source.failed) else {
            return;
        };
        if failed {
            return self.pass_over(cx, index, host);
        }
        if source.full {
            (source.coming, source.more) = (None, None);
            return self.say_full(cx);
        }
        self.mover.full_until = None;
        if let Some(key) = source.coming.take() {
            if !source.walks && source.pulls.is_empty() && source.span.to == task.piece.span.to {
                task.reached.insert(host, key.id());
            }
            source.after = Some(key);
        }
        if more {
            source.more = None;
            self.note_places(cx);
            return self.ask_chunk(cx, index, host);
        }
        self.next_pull(cx, index, host);
    }

    /// The next part to be sent by this source; with none left it is done.
    pub(super) fn next_pull(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        let Some(source) = task.active.get_mut(&host) else {
            return;
        };
        if let Some(span) = source.pulls.pop() {
            (source.span, source.after, source.more) = (span, None, None);
            return self.ask_chunk(cx, index, host);
        }
        if let Some(source) = task.active.remove(&host) {
            self.mover.reqs.remove(&source.req);
        }
        task.reached.remove(&host);
        task.done.push(host);
        self.note_places(cx);
        self.pump(cx);
    }

    /// Our store has no room for a chunk. It is asked for again after a while, not at once: only a delete, or a
    /// larger limit, makes room.
    fn say_full(&mut self, cx: &mut Context<'_>) {
        let until = cx.now.at + self.config.source_patience;
        if self.mover.full_until.replace(until).is_none() {
            let version = self.mover.at;
            self.note(cx, Event::Full { version });
        }
    }

    /// This source does not answer: another one, if there is one.
    fn pass_over(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        if let Some(source) = task.active.remove(&host) {
            self.mover.reqs.remove(&source.req);
        }
        task.silent.retain(|other| *other != host);
        task.silent.push(host);
        self.timers
            .set(Wake::Mover, cx.now.at + self.config.retry * 2);
    }

    /// Sources that are late are asked again, and passed over when their time is up. Those that were not asked to keep
    /// the pace are asked as soon as it allows.
    pub(super) fn mover_due(&mut self, cx: &mut Context<'_>) {
        self.ask_paused(cx);
        let full = |until| cx.now.at < until;
        let waits = self.mover.full_until.is_some_and(full);
        let mut late = Vec::new();
        for (index, task) in self.mover.tasks.iter_mut().enumerate() {
            let awaited = task
                .active
                .iter_mut()
                .filter(|(_, source)| source.more.is_none() && !source.paused)
                .filter(|(_, source)| !(source.full && waits));
            late.extend(awaited.map(|(host, source)| {
                let full = std::mem::take(&mut source.full);
                (index, *host, (source.asked, source.since), full)
            }));
        }
        for (index, host, (asked, since), full) in late {
            if full {
                self.ask_chunk_anew(cx, index, host);
            } else if cx.now.at.since(since) >= self.config.source_patience {
                self.pass_over(cx, index, host);
            } else if cx.now.at.since(asked) >= self.config.retry * 2 {
                self.ask_chunk(cx, index, host);
            }
        }
        self.pump(cx);
    }

    /// Asks again for a chunk for which there was no room.
    fn ask_chunk_anew(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let task = self.mover.tasks.get_mut(index);
        if let Some(source) = task.and_then(|task| task.active.get_mut(&host)) {
            source.since = cx.now.at;
        }
        self.ask_chunk(cx, index, host);
    }

    /// Wakes the mover when the next chunk is paid for, or when its sources are to be asked again.
    fn arm_mover(&mut self, now: Time) {
        let again = now + self.config.retry * 2;
        let paid = self.move_pause(now);
        self.timers
            .set(Wake::Mover, paid.map_or(again, |paid| paid.min(again)));
    }

    /// Whether the next chunk must not be asked for yet: what came is not paid for, or, at a set pace, another source
    /// is being asked.
    fn move_is_held(&self, now: Time, host: HostId) -> bool {
        if self.move_rate() == 0 {
            return false;
        }
        let sources = self.mover.tasks.iter().flat_map(|task| &task.active);
        let mut others = sources.filter(|(other, source)| **other != host && source.more.is_none());
        self.move_pause(now).is_some() || others.any(|(_, source)| !source.paused)
    }

    fn ask_paused(&mut self, cx: &mut Context<'_>) {
        let tasks = self.mover.tasks.iter().enumerate();
        let paused: Vec<(usize, HostId)> = tasks
            .flat_map(|(index, task)| {
                let sources = task.active.iter().filter(|(_, source)| source.paused);
                sources.map(move |(host, _)| (index, *host))
            })
            .collect();
        for (index, host) in paused {
            let source = self.mover.tasks.get_mut(index);
            let source = source.and_then(|task| task.active.get_mut(&host));
            if let Some(source) = source {
                source.since = cx.now.at;
                self.ask_chunk(cx, index, host);
            }
        }
    }

    /// A source is reported down: no need to wait for its time to run out.
    pub(super) fn mover_host_down(&mut self, cx: &mut Context<'_>, host: HostId) {
        let tasks = self.mover.tasks.iter().enumerate();
        let waiting: Vec<usize> = tasks
            .filter(|(_, task)| task.active.contains_key(&host))
            .map(|(index, _)| index)
            .collect();
        for index in waiting {
            self.pass_over(cx, index, host);
        }
    }
}

/// What has moved between the roster a host lived by and the settled one it adopts, if it heard of none in
/// between: all of it may be missing here.
fn slept_through(lived_by: &Roster, roster: &Roster) -> impl Iterator<Item = Piece> {
    let (old, new) = (lived_by.held_until(roster), roster.new());
    pieces(&old.placement, old.r(), &new.placement, new.r())
        .into_iter()
        .filter(|piece| !same_hosts(&piece.old, &piece.new))
}

/// A piece of a move. Of a span whose quorum was given up all that is left is merged.
fn lossy(roster: &Roster, piece: Piece) -> Task {
    let need = if roster.old().is_short(piece.span.to) {
        Need::All
    } else {
        Need::Quorum
    };
    Task::needing(piece, need)
}

/// A span of a membership, to be merged from those who hold it.
fn held(membership: &Membership, span: Span) -> Piece {
    let holders = membership.holders(span.to);
    Piece {
        span,
        old: holders.clone(),
        new: holders,
    }
}

/// Once settled, what is unfinished is merged from those who hold it now.
fn later(piece: Piece) -> Piece {
    Piece {
        span: piece.span,
        old: piece.new.clone(),
        new: piece.new,
    }
}
