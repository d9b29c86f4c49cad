//! One key: what does each host that should hold it have, and why is it there?
//!
//! ```text
//! whereis cat, with check        h2 present v7   h3 stale v5   h4 missing   h1 silent
//! explain cat                    the same, and: which token owns it, how a lookup went, which hints wait at any host,
//!                                what a get would find
//! ```
//!
//! A copy is judged by the newest version that answered. Nothing is written: a check heals nothing.
//!
//! *Hold this true*: all answers of one check were given under one roster version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::message::{
    Answered, Chore, CopyState, Explained, Failure, Hint, KeepMessage, Outcome, Refusal, Replica,
    Report, ReqId, Route, Ticket, Verdict, Want,
};
use crate::placement::HostId;
use crate::record::{Key, Now, Summary, Time};
use crate::roster::{Groups, RosterVersion};

use super::super::{Context, Keeper};
use super::pause::Pauses;
use super::{MAX_OPERATIONS, too_many};

/// A key that is being looked at.
#[derive(Debug)]
pub(super) struct Probe {
    ticket: Ticket,
    key: Key,
    at: RosterVersion,
    groups: Groups,
    said: BTreeMap<HostId, Summary>,
    until: Time,
    pauses: Pauses,
    /// How a lookup of the key went: then everything about it is wanted.
    route: Option<Result<Route, String>>,
    /// Who has not said which hints it keeps.
    hints_of: BTreeSet<HostId>,
    /// Who is not asked for them, for it is down.
    hints_unknown: BTreeSet<HostId>,
    hints: Vec<Hint>,
}

impl Probe {
    fn is_done(&self) -> bool {
        self.said.len() == self.groups.hosts().len() && self.hints_of.is_empty()
    }
}

/// The keys that are being looked at.
pub(super) type Probes = BTreeMap<ReqId, Probe>;

impl Keeper {
    /// Asks each host that should hold a key what it has. With a `route`, the answer explains everything.
    pub fn probe(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        key: Key,
        route: Option<Result<Route, String>>,
        deadline: Option<Duration>,
    ) {
        let Some(roster) = &self.roster else {
            return self.answer(cx, ticket, Err(Failure::NoRing));
        };
        let mut hints_of: BTreeSet<HostId> = roster.hosts().into_iter().collect();
        hints_of.retain(|_| route.is_some());
        let is_down = |host: &HostId| self.down.contains_key(host);
        let (hints_unknown, hints_of) = hints_of.into_iter().partition(is_down);
        if self.ops.probes.len() >= MAX_OPERATIONS {
            let why = too_many("checks", MAX_OPERATIONS);
            return self.answer(cx, ticket, Err(Failure::Limit(why)));
        }
        let patience = self.config.source_patience.min(self.config.deadline);
        let probe = Probe {
            ticket,
            key,
            at: RosterVersion::NONE,
            groups: Groups { groups: Vec::new() },
            said: BTreeMap::new(),
            until: cx.now.at + deadline.unwrap_or(patience),
            pauses: Pauses::new(cx.now.at, &self.config),
            route,
            hints_of,
            hints_unknown,
            hints: Vec::new(),
        };
        let req = self.draw_req();
        self.ops.probes.insert(req, probe);
        self.ask_probe(cx, req);
        self.arm_ops(cx.now.at);
        self.settle_loopback(cx);
    }

    /// Asks those that have not answered; all of them, if there is another roster.
    fn ask_probe(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let (Some(roster), Some(probe)) = (&self.roster, self.ops.probes.get_mut(&req)) else {
            return;
        };
        if probe.at != roster.version {
            probe.at = roster.version;
            probe.groups = roster.groups(probe.key.id());
            probe.said.clear();
            probe.hints_of.retain(|host| roster.has(*host));
        }
        let (at, key) = (probe.at, probe.key.clone());
        let mut hosts = probe.groups.hosts();
        hosts.retain(|host| !probe.said.contains_key(host));
        for host in hosts {
            let (key, want) = (key.clone(), Want::Versions);
            self.send(cx, host, KeepMessage::Ask { req, at, key, want });
        }
        self.ask_hints(cx, req);
    }

    fn ask_hints(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(probe) = self.ops.probes.get(&req) else {
            return;
        };
        let chore = Chore::Hints(probe.key.id());
        for host in probe.hints_of.clone() {
            self.send(cx, host, KeepMessage::ChoreAsk { req, chore });
        }
    }

    /// A host says which hints it keeps.
    pub(super) fn probed_hints(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        report: Report,
    ) {
        let Some(probe) = self.ops.probes.get_mut(&req) else {
            return;
        };
        let Report::Hints(hints) = report else {
            return;
        };
        if !probe.hints_of.remove(&from) {
            return;
        }
        let hint = |(host, summary)| Hint {
            at: from,
            host,
            summary,
        };
        let known = |(host, _): &(HostId, Summary)| {
            self.roster.as_ref().is_some_and(|roster| roster.has(*host))
        };
        let hints = hints.into_iter().filter(known);
        probe.hints.extend(hints.map(hint));
        if probe.is_done() {
            self.probe_done(cx, req);
        }
    }

    /// Whether an answer belongs to a check.
    pub(in crate::keep) fn probes(&self, req: ReqId) -> bool {
        self.ops.probes.contains_key(&req)
    }

    /// A host says what it has.
    pub(in crate::keep) fn probed(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        at: RosterVersion,
        result: Result<Answered, Refusal>,
    ) {
        let Some(probe) = self.ops.probes.get_mut(&req).filter(|probe| probe.at == at) else {
            return;
        };
        match result {
            Ok(Answered::Versions(summary)) => {
                probe.said.insert(from, summary);
                if probe.is_done() {
                    self.probe_done(cx, req);
                }
            }
            Ok(Answered::Cells(_)) => {}
            Err(refusal) => self.agree_on_roster(cx, from, refusal),
        }
    }

    pub(super) fn probes_due(&mut self, cx: &mut Context<'_>) {
        let reqs: Vec<ReqId> = self.ops.probes.keys().copied().collect();
        for req in reqs {
            let Some(probe) = self.ops.probes.get_mut(&req) else {
                continue;
            };
            if cx.now.at >= probe.until {
                self.probe_done(cx, req);
            } else if probe.pauses.is_over(cx.now.at, &self.config) {
                self.ask_probe(cx, req);
            }
        }
    }

    fn probe_done(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(probe) = self.ops.probes.remove(&req) else {
            return;
        };
        let ticket = probe.ticket;
        let reply = if probe.route.is_some() {
            self.explained(cx.now, probe)
                .map(|explained| Outcome::Explained(Box::new(explained)))
        } else {
            Ok(Outcome::Checked(copies(&probe)))
        };
        self.answer(cx, ticket, reply);
    }

    fn explained(&self, now: Now, probe: Probe) -> Result<Explained, Failure> {
        let roster = self.roster.as_ref().ok_or(Failure::NoRing)?;
        let placement = &roster.old().placement;
        let owner = placement.owner(probe.key.id());
        let owner = owner.map_err(|_| Failure::NoRing)?;
        let span = placement.span_of(owner.id).ok_or(Failure::NoRing)?;
        let mut hints = probe.hints.clone();
        hints.sort_by_key(|hint| (hint.host, hint.at));
        let unknown = probe.hints_unknown.union(&probe.hints_of);
        let hints_unknown = unknown.copied().collect();
        Ok(Explained {
            version: roster.version,
            owner,
            span,
            replicas: copies(&probe),
            verdict: verdict(&probe, now),
            hints,
            hints_unknown,
            route: probe
                .route
                .unwrap_or_else(|| Err("not looked up".to_owned())),
            groups: probe.groups.groups,
            key: probe.key,
        })
    }
}

/// The newest of all that was said.
fn newest(probe: &Probe) -> Summary {
    let mut all = Summary::default();
    probe.said.values().for_each(|said| all.merge(*said));
    all
}

fn copies(probe: &Probe) -> Vec<Replica> {
    let newest = newest(probe);
    let state = |said: Option<&Summary>| match said {
        None => CopyState::Silent,
        Some(_) if newest.value.is_none() => CopyState::Nothing,
        Some(said) if said.covers(&newest) => CopyState::Present,
        Some(said) if said.value.is_none() => CopyState::Missing,
        Some(_) => CopyState::Stale,
    };
    let hosts = probe.groups.hosts().into_iter();
    hosts
        .map(|host| {
            let said = probe.said.get(&host);
            Replica {
                host,
                state: state(said),
                summary: said.copied().unwrap_or_default(),
            }
        })
        .collect()
}

fn verdict(probe: &Probe, now: Now) -> Verdict {
    let said = |host: HostId| probe.said.contains_key(&host);
    if !probe.groups.reached(|group| group / 2 + 1, said) {
        return Verdict::NoQuorum;
    }
    let newest = newest(probe);
    match (newest.value, newest.live(now.wall), newest.deadline()) {
        (None, _, _) => Verdict::Never,
        (_, Some(version), _) => Verdict::Value(version),
        (Some(version), None, Some(deadline)) if !version.delete => {
            Verdict::Expired(version, deadline)
        }
        (Some(version), None, _) => Verdict::Deleted(version),
    }
}
