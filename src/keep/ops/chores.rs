//! What a host does when somebody who runs the ring asks: one thing at a time, and it says how far it is.
//!
//! A chore is named by who asked and by the number of the question. Asked again, it is not begun again; once done,
//! its report is kept for a minute for whoever did not hear it. A status, or new settings, are told at once.
//!
//! *Hold these true*: at most [`MAX_CHORES`] are known, one more is refused with the reason; one chore is under way,
//! the others wait in the order in which they were asked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{Chore, KeepMessage, Report, ReqId};
use crate::placement::HostId;
use crate::record::Time;

use super::super::{Context, Keeper};
use super::balance::Balancing;
use super::purge::Purging;
use super::too_many;

/// At most so many chores are known, done ones included.
pub(super) const MAX_CHORES: usize = 64;

/// So long the report of a chore that is done is kept.
const KEPT: Duration = Duration::from_secs(60);

/// Who asked, and under which number.
pub(super) type Asked = (HostId, ReqId);

/// The chore under way.
#[derive(Debug)]
pub(super) enum Work {
    /// Comparing.
    Balance(Balancing),
    /// Dropping.
    Purge(Purging),
}

/// The chores of one host.
#[derive(Debug, Default)]
pub(super) struct Chores {
    pub(super) work: Option<(Asked, Work)>,
    waiting: Vec<(Asked, Chore)>,
    done: BTreeMap<Asked, (Time, Report)>,
}

impl Chores {
    pub(super) fn is_idle(&self) -> bool {
        self.work.is_none() && self.waiting.is_empty()
    }

    /// How far a chore is that was asked for before.
    fn report(&self, asked: &Asked) -> Option<Report> {
        if let Some((_, report)) = self.done.get(asked) {
            return Some(report.clone());
        }
        if self.waiting.iter().any(|(other, _)| other == asked) {
            return Some(Report::Going(0, 0));
        }
        let (_, work) = self.work.as_ref().filter(|(other, _)| other == asked)?;
        let (done, of) = match work {
            Work::Balance(balancing) => balancing.progress(),
            Work::Purge(purging) => purging.progress(),
        };
        Some(Report::Going(done, of))
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.done.len()
    }
}

impl Keeper {
    /// Somebody asks for a chore, or how far it is.
    pub(in crate::keep) fn chore_asked(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        chore: Chore,
    ) {
        let report = match chore {
            Chore::Status => Report::Status(Box::new(self.full_status(cx))),
            Chore::Configure(tuning) => Report::Tuned(self.tune(tuning)),
            Chore::Balance | Chore::Purge => self.work_asked(cx, (from, req), chore),
            Chore::Hints(id) => Report::Hints(self.hints.at(id)),
            Chore::Count => match self.count_asked(cx, (from, req)) {
                Some(report) => report,
                None => return,
            },
        };
        self.send(cx, from, KeepMessage::ChoreIs { req, report });
    }

    fn work_asked(&mut self, cx: &mut Context<'_>, asked: Asked, chore: Chore) -> Report {
        if let Some(report) = self.ops.chores.report(&asked) {
            return report;
        }
        if self.ops.chores.len() >= MAX_CHORES {
            return Report::Refused(too_many("chores", MAX_CHORES));
        }
        self.ops.chores.waiting.push((asked, chore));
        self.next_chore(cx);
        self.arm_ops(cx.now.at);
        let report = self.ops.chores.report(&asked);
        report.unwrap_or(Report::Going(0, 0))
    }

    /// Begins the next chore if none is under way.
    fn next_chore(&mut self, cx: &mut Context<'_>) {
        while self.ops.chores.work.is_none() && !self.ops.chores.waiting.is_empty() {
            let (asked, chore) = self.ops.chores.waiting.remove(0);
            match chore {
                Chore::Balance => self.begin_balance(cx, asked),
                Chore::Purge => self.begin_purge(cx, asked),
                Chore::Status | Chore::Configure(_) | Chore::Count | Chore::Hints(_) => {} // Begun at once, never waiting.
            }
        }
    }

    /// The chore under way is done.
    pub(super) fn chore_done(&mut self, cx: &mut Context<'_>, asked: Asked, report: Report) {
        self.ops.chores.work = None;
        let kept = (cx.now.at, report.clone());
        self.ops.chores.done.insert(asked, kept);
        let (to, req) = asked;
        self.send(cx, to, KeepMessage::ChoreIs { req, report });
        self.next_chore(cx);
    }

    pub(super) fn chores_due(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.at;
        let done = &mut self.ops.chores.done;
        done.retain(|_, (at, _)| now.since(*at) < KEPT);
        self.balance_due(cx);
        self.purge_due(cx);
        self.next_chore(cx);
    }
}
