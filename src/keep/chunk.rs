//! A span in chunks: asked of one source, merged, and the next one.
//!
//! ```text
//! h4 -> h2   Pull (20, 30]                      h2 is one source of one task
//! h2 -> h4   Chunk "cat" "cow" "doe", more      three records go to our store; a large value is pulled first
//! h4 -> h2   Pull (20, 30] after "doe"          only when all three are in it
//! h2 -> h4   Chunk "eel"                        no more: h2 is done
//! ```
//!
//! One chunk of a source is under way at a time, so whoever gives is never faster than the disk of who takes.
//!
//! *Hold these true*: the next chunk is asked for when all of the last is stored; a source is done only when it said
//! that nothing follows; what came for another version, from a source passed over since, or a second time counts for
//! nothing.

use crate::message::{Event, KeepMessage, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::Record;
use crate::roster::RosterVersion;
use crate::store::{Done, StoreError};

use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// The next question to a source: one of its own, for an answer to the last one may still come a second time.
    pub(super) fn ask_next(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let req = self.draw_req();
        let task = self.mover.tasks.get_mut(index);
        if let Some(source) = task.and_then(|task| task.active.get_mut(&host)) {
            self.mover.reqs.remove(&source.req);
            self.mover.reqs.insert(req, (index, host));
            source.req = req;
        }
        self.ask_chunk(cx, index, host);
    }

    /// Asks a source for the next chunk, or digests, again under the same question.
    pub(super) fn ask_chunk(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let (at, pause) = (self.mover.at, self.move_is_held(cx.now.at, host));
        let Some(task) = self.mover.tasks.get_mut(index) else {
            return;
        };
        let all = task.takes_all();
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
            Refusal::Doubts => {
                if let Some(task) = self.mover.tasks.get_mut(index) {
                    task.doubts(host);
                }
                self.pass_over(cx, index, host);
            }
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
            return self.ask_next(cx, index, host);
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
            return self.ask_next(cx, index, host);
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
    pub(super) fn pass_over(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
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

    /// Asks again for a chunk for which there was no room.
    pub(super) fn ask_chunk_anew(&mut self, cx: &mut Context<'_>, index: usize, host: HostId) {
        let task = self.mover.tasks.get_mut(index);
        if let Some(source) = task.and_then(|task| task.active.get_mut(&host)) {
            source.since = cx.now.at;
        }
        self.ask_next(cx, index, host);
    }
}
