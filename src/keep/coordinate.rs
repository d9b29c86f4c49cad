//! How a request is carried out: ask, stamp once, write, answer.
//!
//! ```text
//! put     Ask versions -> stamp above the greatest -> Write -> acknowledged
//! get     Ask value    -> (fetch pieces) -> (write back if a quorum lacks it) -> answered
//! expire  a get, then its own cell: Write -> acknowledged
//! ```
//!
//! *Hold these true*: a request stamps once; a newer roster sends it back to asking, but never to
//! stamping; what a get returns is on a quorum before it is returned; acknowledgements of different
//! roster versions never add up.

use std::time::Duration;

use crate::message::{Answered, KeyOp, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::{Mark, Summary, Time};
use crate::roster::RosterVersion;

use super::open::{Open, Phase, greatest};
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// A replica said what it holds, or why it does not say.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        (req, at): (ReqId, RosterVersion),
        mark: Mark,
        result: Result<Answered, Refusal>,
    ) {
        if self.repair.wants(req) {
            return self.repair_answered(cx, req, result);
        }
        if self.probes(req) {
            return self.probed(cx, from, req, at, result);
        }
        let Some(open) = self.open.get_mut(&req).filter(|open| open.at == at) else {
            return self.ops.speeds.late(cx.now.at, from, req);
        };
        let answered = match result {
            Ok(answered) => answered,
            // What was refused is the question, not what is written by now.
            Err(Refusal::Store(_) | Refusal::Doubts)
                if !matches!(open.phase, Phase::Ask { .. }) =>
            {
                return;
            }
            Err(refusal) => return self.refused(cx, from, req, refusal),
        };
        open.mark = open.mark.max(mark);
        let Phase::Ask { said, cells } = &mut open.phase else {
            return;
        };
        if open.tries == 0 {
            let took = cx.now.at.since(open.asked);
            self.ops.speeds.took(cx.now.at, from, took);
        }
        let summary = match answered {
            Answered::Versions(summary) => summary,
            Answered::Cells(theirs) => {
                let summary = theirs.summary();
                cells.merge(theirs);
                summary
            }
        };
        match said.iter_mut().find(|(host, _)| *host == from) {
            Some((_, before)) => before.merge(summary),
            None => said.push((from, summary)),
        }
        self.advance(cx, req);
    }

    /// A replica confirmed a write, or refused it.
    pub(super) fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        at: RosterVersion,
        result: Result<Summary, Refusal>,
    ) {
        let Some(open) = self.open.get_mut(&req) else {
            return self.extra_wrote(cx, from, req, result);
        };
        if open.at != at {
            return;
        }
        match result {
            Err(refusal) => self.refused(cx, from, req, refusal),
            Ok(held) => {
                if let Phase::Write { record, acked, .. } = &mut open.phase
                    && held.covers(&record.cells.summary())
                    && !acked.contains(&from)
                {
                    acked.push(from);
                    self.advance(cx, req);
                }
            }
        }
    }

    pub(super) fn refused(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        refusal: Refusal,
    ) {
        if !matches!(refusal, Refusal::Ahead(_)) {
            self.refuses_to_say(cx, from, req);
        }
        match refusal {
            Refusal::Behind(theirs) => {
                let open = self.open.get_mut(&req);
                if let Some(open) = open.filter(|open| !open.behind.contains(&from)) {
                    open.behind.push(from);
                }
                self.offer_roster(cx, from, theirs)
            }
            Refusal::Ahead(roster) => self.roster_is(cx, Some(from), roster),
            Refusal::NotMine => {
                if self.roster.is_none() {
                    self.relocate.push(req);
                }
            }
            Refusal::Store(why) => self.not_stored(cx, from, req, why, false),
            doubts @ Refusal::Doubts => self.not_stored(cx, from, req, doubts.to_string(), false),
            Refusal::Below => {
                let Some(open) = self.open.get(&req) else {
                    return;
                };
                if let Phase::Write { back: true, .. } = open.phase {
                    return self.start_over(cx, req);
                }
                if matches!(open.op, KeyOp::Expire(_)) {
                    return; // Mostly a round of collection goes on: it is asked again, in case that has ended.
                }
                let why = "what it would undo may have been collected";
                self.not_stored(cx, from, req, why.into(), true)
            }
            // It will be whole, and is asked again.
            Refusal::Incomplete => {}
        }
    }

    /// A replica did not take a write; `unsure`: it may have had it, though.
    fn not_stored(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        why: String,
        unsure: bool,
    ) {
        if let Some(Open {
            phase:
                Phase::Write {
                    refused,
                    unsure: so_far,
                    ..
                },
            ..
        }) = self.open.get_mut(&req)
            && !refused.iter().any(|(host, _)| *host == from)
        {
            *so_far |= unsure;
            refused.push((from, why));
            self.advance(cx, req);
        }
    }

    /// Looks whether enough was said, and goes on if so.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        match &open.phase {
            Phase::Ask { said, .. } => {
                if open.enough(|host| said.iter().any(|(other, _)| *other == host)) {
                    let summary = greatest(said);
                    if open.reads() {
                        self.conclude_read(cx, req, summary)
                    } else {
                        self.stamp_and_write(cx, req, summary)
                    }
                }
            }
            Phase::Fetch { .. } => {}
            Phase::Write { acked, refused, .. } => {
                if open.enough(|host| acked.contains(&host)) {
                    self.confirmed(cx, req);
                } else if !open.enough(|host| !refused.iter().any(|(other, _)| *other == host))
                    && !may_be_nowhere(open)
                {
                    self.store_refused(cx, req);
                }
            }
        }
    }

    /// Sets the next deadline of a request: asking again, or failing.
    pub(super) fn arm(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        if open.caller.is_none() {
            return;
        }
        let patience: Duration = self.next_look(open);
        let at: Time = (cx.now.at + patience).min(open.deadline);
        self.timers.set(Wake::Open(req), at);
    }

    /// A request's time has come.
    pub(super) fn open_due(&mut self, cx: &mut Context<'_>, req: ReqId) {
        if self.own_late(cx, req) {
            return;
        }
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        if open.caller.is_none() {
            return self.leave_hints(cx, req);
        }
        if cx.now.at >= open.deadline {
            return self.fail(cx, req);
        }
        open.tries += 1;
        if open.tries == 1 && matches!(open.phase, Phase::Ask { .. }) {
            let took = cx.now.at.since(open.asked);
            for host in open.awaited() {
                self.ops.speeds.took(cx.now.at, host, took);
            }
        }
        if matches!(open.phase, Phase::Fetch { .. }) {
            self.fetch_elsewhere(cx, req);
        } else {
            self.ask_silent(cx, req);
            self.ask_value_again(cx, req);
            self.refused_long_enough(cx, req);
        }
        self.arm(cx, req);
    }

    /// A write that cannot succeed any more waited whether the last replicas refuse it, too.
    fn refused_long_enough(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let open = self.open.get(&req);
        if open.is_some_and(|open| matches!(open.phase, Phase::Write { .. })) {
            self.advance(cx, req);
        }
    }
}

/// Whether a write that too many stores refused may still turn out to be nowhere: nobody took it, and the
/// others have hardly had time to answer. Then it is not said yet that its outcome is unknown.
fn may_be_nowhere(open: &Open) -> bool {
    let Phase::Write { acked, unsure, .. } = &open.phase else {
        return false;
    };
    acked.is_empty() && !unsure && open.tries == 0 && !open.silent().is_empty()
}

#[cfg(test)]
mod tests;
