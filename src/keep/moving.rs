//! How a span comes to its new replicas.
//!
//! ```text
//! Old h1 h2 h3   New h2 h3 h4        h4 has to merge from two of h1 h2 h3;
//!                                    h2 and h3 each from one other than itself
//! h4 -> h2   Pull (from, to]         h2 adopts the Moving roster durably before it answers
//! h4 <- h2   Chunk … Chunk           merged as they come
//! h4 -> h3   DigestAsk (from, to]    what h3 has is here already, but for what differs: only that is pulled
//! h2 -> h3   DigestAsk (from, to]    one that stays has most of it, too
//! ```
//!
//! Every acknowledged write is on a quorum of Old, so a merge from any quorum of Old meets it. So a span travels
//! once, whole, to who has nothing of it; whatever else is merged is compared first (see [`head`](super::head)). A
//! source that stays silent is passed over for another. When the move has settled on a quorum, a replica that was
//! late finishes from those who now hold the span.
//!
//! *Hold this true*: complete belongs to one Moving version; it is lost when that move is given up.

use std::sync::Arc;

use crate::keyspace::Span;
use crate::message::Event;
use crate::placement::{HostId, Piece};
use crate::record::Time;
use crate::roster::Roster;
use crate::store::Op;

use super::closed::Closed;
use super::doubt::Doubt;
use super::plan::Outlook;
use super::resume::{MoveNote, rest};
use super::task::{Mover, Source, Task};
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// A roster was adopted: begin its move, finish the last one, or forget it.
    pub(super) fn begin_move(
        &mut self,
        cx: &mut Context<'_>,
        lived_by: Option<&Roster>,
        roster: &Arc<Roster>,
    ) {
        let outlook = Outlook {
            me: self.me,
            lived_by,
            roster,
            before: std::mem::take(&mut *self.mover),
            unfinished: self.unfinished.clone(),
        };
        let doubted = self.unfinished.doubt != Doubt::None;
        let plan = outlook.plan();
        if plan.unfinished != self.unfinished {
            self.unfinished = plan.unfinished;
            self.save_unfinished(cx);
        }
        if doubted {
            // A store that may have lost writes may have lost what it noted, too.
            *self.noted = MoveNote::default();
            if self.unfinished.doubt == Doubt::None {
                self.note(cx, Event::Sure);
            }
        }
        *self.mover = Mover {
            at: roster.version,
            tasks: plan.tasks,
            ..Mover::default()
        };
        self.take_up_note(cx.now.at);
        self.take_up_learned();
        let closed = Closed::of(&self.mover.tasks);
        self.mover.closed = !closed.is_empty();
        if plan.behind {
            self.set_late(cx, true, closed);
        }
        self.move_begins(cx.now.at);
        self.pump(cx);
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
        if self.is_too_early(cx.now.at) {
            return self.timers.set(Wake::Mover, self.merges_from);
        }
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
            let all = task.done.len() + task.active.len() >= needed;
            if all || (task.is_first_alone(self.me) && !task.active.is_empty()) {
                return;
            }
            let down = |host| self.is_last_to_ask(cx.now.at, host);
            let busy = |host| self.mover.pulls_from(host) >= self.config.move_from_one;
            let source = task.next_source(self.me, down, busy);
            let Some(host) = source.filter(|host| !busy(*host)) else {
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
        // By links alone a span is handed over whole.
        let (me, shelf) = (self.me, self.unfinished.shelf);
        let walks = self.roster.is_some() && task.is_compared(me, shelf, host);
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

    /// Wakes the mover when the next chunk is paid for, or when its sources are to be asked again.
    pub(super) fn arm_mover(&mut self, now: Time) {
        let again = now + self.config.retry * 2;
        let paid = self.move_pause(now);
        self.timers
            .set(Wake::Mover, paid.map_or(again, |paid| paid.min(again)));
    }

    /// Whether the next chunk must not be asked for yet: what came is not paid for, or, at a set pace, another source
    /// is being asked.
    pub(super) fn move_is_held(&self, now: Time, host: HostId) -> bool {
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
