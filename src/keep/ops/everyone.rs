//! One host asks all others, and waits for each, but not for ever.
//!
//! ```text
//!   0.0 s   ChoreAsk balance -> h1 h2 h3
//!   0.2 s   h1: 3 of 8   h2: 5 of 8   h3: -           asked again, ever more seldom: a chore is begun once, and tells how far it is
//!   1.4 s   h1: done     h2: done
//!   3.0 s   h3 has said nothing for source_patience   "no answer in 3 s"
//! ```
//!
//! *Hold this true*: each host of the roster appears in the answer, with a report or with the reason there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{
    Balanced, Chore, Failure, KeepMessage, Outcome, PerHost, Purged, Report, ReqId, Status, Ticket,
    Tuning,
};
use crate::placement::HostId;
use crate::record::Time;

use super::super::{Context, Keeper};
use super::pause::Pauses;
use super::{DEADLINE, MAX_OPERATIONS, too_many};

/// A question to everyone.
#[derive(Debug)]
pub(super) struct Everyone {
    ticket: Ticket,
    chore: Chore,
    until: Time,
    pauses: Pauses,
    /// Who has not reported: when it was last heard of, and how far it was then.
    waiting: BTreeMap<HostId, (Time, Option<(u32, u32)>)>,
    reports: BTreeMap<HostId, Result<Report, String>>,
}

impl Keeper {
    /// A client wants every host of the ring to do or tell something; or one of them.
    pub fn ask_everyone(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        chore: Chore,
        only: Option<HostId>,
        deadline: Option<Duration>,
    ) {
        let hosts = match self.whom_to_ask(only) {
            Ok(hosts) => hosts,
            Err(failure) => return self.answer(cx, ticket, Err(failure)),
        };
        let req = self.draw_req();
        let until = cx.now.at + deadline.unwrap_or(DEADLINE);
        let heard = (cx.now.at, None);
        let everyone = Everyone {
            ticket,
            chore,
            until,
            pauses: Pauses::new(cx.now.at, &self.config),
            waiting: hosts.iter().map(|host| (*host, heard)).collect(),
            reports: BTreeMap::new(),
        };
        self.ops.everyone.insert(req, everyone);
        let silent = |host: &HostId| chore == Chore::Count && self.down.contains_key(host);
        let (silent, hosts): (Vec<HostId>, Vec<HostId>) = hosts.into_iter().partition(silent);
        for host in silent {
            if let Some(everyone) = self.ops.everyone.get_mut(&req) {
                everyone.said(host, Err("it is down".into()));
            }
        }
        for host in hosts {
            self.send(cx, host, KeepMessage::ChoreAsk { req, chore });
        }
        self.arm_ops(cx.now.at);
        self.settle_loopback(cx);
    }

    fn whom_to_ask(&self, only: Option<HostId>) -> Result<Vec<HostId>, Failure> {
        let most = MAX_OPERATIONS;
        if self.ops.everyone.len() >= most {
            return Err(Failure::Limit(too_many("ring-wide operations", most)));
        }
        let roster = self.roster.as_ref().ok_or(Failure::NoRing)?;
        let mut hosts = roster.hosts();
        if let Some(only) = only {
            // One that has left may still have old copies.
            hosts = vec![only];
        }
        Ok(hosts)
    }

    /// A host reports.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "every other report ends the waiting"
    )]
    pub(in crate::keep) fn chore_is(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        report: Report,
    ) {
        let Some(everyone) = self.ops.everyone.get_mut(&req) else {
            return self.probed_hints(cx, from, req, report);
        };
        let Some(waiting) = everyone.waiting.get_mut(&from) else {
            return;
        };
        match report {
            Report::Going(done, of) => *waiting = (cx.now.at, Some((done, of))),
            Report::Refused(why) => everyone.said(from, Err(why)),
            report => everyone.said(from, Ok(report)),
        }
        self.end_if_all_said(cx, req);
    }

    /// Who is silent for too long is not waited for; the others are asked how far they are.
    pub(super) fn everyone_due(&mut self, cx: &mut Context<'_>) {
        let patience = self.config.source_patience;
        let reqs: Vec<ReqId> = self.ops.everyone.keys().copied().collect();
        for req in reqs {
            let Some(everyone) = self.ops.everyone.get_mut(&req) else {
                continue;
            };
            everyone.give_up(cx.now.at, patience);
            let chore = everyone.chore;
            let again = everyone.pauses.is_over(cx.now.at, &self.config);
            let hosts: Vec<HostId> = everyone.waiting.keys().copied().collect();
            for host in hosts.into_iter().filter(|_| again) {
                self.send(cx, host, KeepMessage::ChoreAsk { req, chore });
            }
            self.end_if_all_said(cx, req);
        }
    }

    fn end_if_all_said(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let done = |everyone: &Everyone| everyone.waiting.is_empty();
        if self.ops.everyone.get(&req).is_some_and(done)
            && let Some(everyone) = self.ops.everyone.remove(&req)
        {
            let outcome = outcome(self, everyone.chore, everyone.reports);
            self.answer(cx, everyone.ticket, Ok(outcome));
        }
    }
}

impl Everyone {
    fn said(&mut self, host: HostId, report: Result<Report, String>) {
        self.waiting.remove(&host);
        self.reports.insert(host, report);
    }

    fn give_up(&mut self, now: Time, patience: Duration) {
        let late = now >= self.until;
        let silent = |heard: &Time| now.since(*heard) >= patience;
        let over: Vec<(HostId, String)> = self
            .waiting
            .iter()
            .filter(|(_, (heard, _))| late || silent(heard))
            .map(|(host, (heard, going))| {
                let so_far = match going {
                    Some((done, of)) => format!("; it had done {done} of {of}"),
                    None => String::new(),
                };
                let why = if silent(heard) {
                    format!("no answer in {} s{so_far}", patience.as_secs_f64())
                } else {
                    format!("not done by the deadline{so_far}")
                };
                (*host, why)
            })
            .collect();
        for (host, why) in over {
            self.said(host, Err(why));
        }
    }
}

/// The reports of one kind; another kind would be an answer to another question.
fn per_host<T>(
    reports: BTreeMap<HostId, Result<Report, String>>,
    wanted: impl Fn(Report) -> Option<T>,
) -> PerHost<T> {
    let strange = || "it answered another question".to_owned();
    reports
        .into_iter()
        .map(|(host, report)| (host, report.and_then(|r| wanted(r).ok_or_else(strange))))
        .collect()
}

fn outcome(
    keeper: &Keeper,
    chore: Chore,
    reports: BTreeMap<HostId, Result<Report, String>>,
) -> Outcome {
    match chore {
        Chore::Status => Outcome::StatusOfAll(per_host(reports, status)),
        Chore::Balance => Outcome::Balanced(per_host(reports, balanced)),
        Chore::Purge => Outcome::Purged(per_host(reports, purged)),
        Chore::Configure(_) => Outcome::Configured(per_host(reports, tuned)),
        // Of one key hints are asked by whoever explains it.
        Chore::Count | Chore::Hints(_) => Outcome::Counted(keeper.count_of(&reports)),
    }
}

fn status(report: Report) -> Option<Status> {
    if let Report::Status(status) = report {
        Some(*status)
    } else {
        None
    }
}

fn balanced(report: Report) -> Option<Balanced> {
    if let Report::Balanced(balanced) = report {
        Some(balanced)
    } else {
        None
    }
}

fn purged(report: Report) -> Option<Purged> {
    if let Report::Purged(purged) = report {
        Some(purged)
    } else {
        None
    }
}

fn tuned(report: Report) -> Option<Tuning> {
    if let Report::Tuned(tuning) = report {
        Some(tuning)
    } else {
        None
    }
}
