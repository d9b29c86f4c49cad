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

use crate::message::{
    Answered, Consistency, Expiry, Failure, KeepMessage, KeyOp, Options, Outcome, Refusal,
};
use crate::message::{ReqId, Road, Ticket, Want};
use crate::placement::HostId;
use crate::record::{
    Body, Cells, ExpiryCell, Key, MAX_MEDIA_TYPE_BYTES, Record, Summary, Time, ValueCell, Version,
    WallMs,
};
use crate::roster::{Groups, RosterVersion};

use super::open::{Caller, Open, Phase, greatest, quorum};
use super::outcome::{Many, written};
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// Begins a request about one key. Without a roster, `linked` is the host of the key's owner, as the
    /// links have it.
    pub fn begin(
        &mut self,
        cx: &mut Context<'_>,
        caller: Caller,
        (key, op): (Key, KeyOp),
        options: Options,
        linked: Option<HostId>,
    ) {
        self.open_one(cx, caller, (key, op), options, linked);
        self.settle_loopback(cx);
    }

    /// Prepares for many requests that are answered together, each with its own result: begin each as
    /// [`Caller::Many`] with its place. False if there is nothing to begin.
    pub fn expect_many(&mut self, cx: &mut Context<'_>, ticket: Ticket, count: usize) -> bool {
        let most = self.config.max_many;
        if count > most {
            let why = format!("{count} keys in one request: at most {most}; send several requests");
            self.answer(cx, ticket, Err(Failure::Limit(why)));
        } else if count == 0 {
            self.answer(cx, ticket, Ok(Outcome::Many(Vec::new())));
        } else {
            self.many.insert(ticket, Many::new(count));
        }
        (1..=most).contains(&count)
    }

    /// The owner of a request's key was looked up again.
    pub fn relocated(&mut self, cx: &mut Context<'_>, req: ReqId, linked: HostId) {
        if let Some(open) = self.open.get_mut(&req) {
            open.linked = Some(linked);
            self.restart(cx, req);
            self.settle_loopback(cx);
        }
    }

    /// The key a request is about, if it is still open.
    #[must_use]
    pub fn key_of(&self, req: ReqId) -> Option<&Key> {
        self.open.get(&req).map(|open| &open.key)
    }

    fn open_one(
        &mut self,
        cx: &mut Context<'_>,
        caller: Caller,
        (key, op): (Key, KeyOp),
        options: Options,
        linked: Option<HostId>,
    ) {
        if let Err(failure) = self.admissible(&op, linked) {
            return self.tell(cx, caller, Err(failure));
        }
        let req = self.draw_req();
        let open = Open {
            caller: Some(caller),
            key,
            op,
            consistency: options.consistency.unwrap_or(self.config.consistency),
            copies: options.replicas,
            linked,
            at: RosterVersion::NONE,
            groups: Groups { groups: Vec::new() },
            deadline: cx.now.at + options.deadline.unwrap_or(self.config.deadline),
            tries: 0,
            phase: Phase::ask(),
            existed: false,
        };
        self.open.insert(req, open);
        self.restart(cx, req);
    }

    fn admissible(&self, op: &KeyOp, linked: Option<HostId>) -> Result<(), Failure> {
        if self.open.len() >= self.config.max_open {
            let why = format!(
                "{} requests are open at this host: at most so many; try again",
                self.config.max_open
            );
            return Err(Failure::Limit(why));
        }
        if let KeyOp::Put(body, _) = op {
            check_limits(body, self.config.max_value_bytes)?;
        }
        if self.roster.is_none() && linked.is_none() {
            Err(Failure::NoRing)
        } else {
            Ok(())
        }
    }

    /// Asks (again) under the roster of now. A stamp, once drawn, stays.
    pub(super) fn restart(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        let (at, groups) = match (&self.roster, open.linked) {
            (Some(roster), _) => (roster.version, roster.groups(open.key.id())),
            (None, Some(host)) => (
                RosterVersion::NONE,
                Groups {
                    groups: vec![vec![host]],
                },
            ),
            (None, None) => return,
        };
        open.at = at;
        open.groups = first_copies(groups, open.copies);
        open.tries = 0;
        match &mut open.phase {
            Phase::Write {
                back: false,
                acked,
                refused,
                ..
            } => {
                acked.clear();
                refused.clear();
            }
            Phase::Ask { .. } | Phase::Fetch { .. } | Phase::Write { back: true, .. } => {
                open.phase = Phase::ask()
            }
        }
        self.proceed(cx, req);
    }

    /// Goes on with a request that has just begun, or that waited for a stamp.
    pub(super) fn proceed(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let blind = open.consistency == Consistency::One
            && matches!(open.op, KeyOp::Put(..) | KeyOp::Delete);
        let asking = matches!(open.phase, Phase::Ask { .. });
        if self.start == 0 {
            self.stalled.push_back(req);
        } else if asking && blind {
            self.stamp_and_write(cx, req, Summary::default());
        } else {
            self.ask_silent(cx, req);
            self.advance(cx, req);
        }
        self.arm(cx, req);
    }

    /// Sends the present question to every replica that has not answered it.
    fn ask_silent(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let silent = open.silent();
        let reader = self.reader(open, &silent);
        let all = open.tries > 0;
        for host in silent {
            let value = open_reads_from(host, reader, all);
            let Some(open) = self.open.get(&req) else {
                return;
            };
            let message = match &open.phase {
                Phase::Ask { .. } => {
                    let want = if open.reads() && value {
                        Want::Value
                    } else {
                        Want::Versions
                    };
                    KeepMessage::Ask {
                        req,
                        at: open.at,
                        key: open.key.clone(),
                        want,
                    }
                }
                Phase::Write { record, back, .. } => write(req, open.at, record, *back),
                Phase::Fetch { .. } => return,
            };
            self.send(cx, host, message);
        }
    }

    /// The replica that is asked for the value itself, the others for their versions only: this host if
    /// it is one, else the first that is not known to be down.
    fn reader(&self, open: &Open, hosts: &[HostId]) -> Option<HostId> {
        if !open.reads() {
            return None;
        }
        let here = hosts.iter().find(|host| **host == self.me);
        here.or_else(|| hosts.iter().find(|host| !self.down.contains(host)))
            .or(hosts.first())
            .copied()
    }

    /// A replica said what it holds, or why it does not say.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        at: RosterVersion,
        result: Result<Answered, Refusal>,
    ) {
        if self.repair.wants(req) {
            return self.repair_answered(cx, req, result);
        }
        let Some(open) = self.open.get_mut(&req).filter(|open| open.at == at) else {
            return;
        };
        let answered = match result {
            Ok(answered) => answered,
            Err(refusal) => return self.refused(cx, from, req, refusal),
        };
        let Phase::Ask { said, cells } = &mut open.phase else {
            return;
        };
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

    fn refused(&mut self, cx: &mut Context<'_>, from: HostId, req: ReqId, refusal: Refusal) {
        match refusal {
            Refusal::Behind(theirs) => self.offer_roster(cx, from, theirs),
            Refusal::Ahead(roster) => self.roster_is(cx, Some(from), roster),
            Refusal::NotMine => {
                if self.roster.is_none() {
                    self.relocate.push(req);
                }
            }
            Refusal::Store(why) => {
                if let Some(Open {
                    phase: Phase::Write { refused, .. },
                    ..
                }) = self.open.get_mut(&req)
                    && !refused.iter().any(|(host, _)| *host == from)
                {
                    refused.push((from, why));
                    self.advance(cx, req);
                }
            }
        }
    }

    /// Looks whether enough was said, and goes on if so.
    fn advance(&mut self, cx: &mut Context<'_>, req: ReqId) {
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
                } else if !open.enough(|host| !refused.iter().any(|(other, _)| *other == host)) {
                    self.store_refused(cx, req);
                }
            }
        }
    }

    /// A quorum has spoken to a reader: get hold of the value, make sure that a quorum has it, answer.
    fn conclude_read(&mut self, cx: &mut Context<'_>, req: ReqId, summary: Summary) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        let Phase::Ask { said, cells } = &mut open.phase else {
            return;
        };
        if cells.summary().value < summary.value {
            let holders: Vec<HostId> = said
                .iter()
                .filter(|(_, theirs)| theirs.value == summary.value)
                .map(|(host, _)| *host)
                .collect();
            let message = KeepMessage::Ask {
                req,
                at: open.at,
                key: open.key.clone(),
                want: Want::Value,
            };
            for host in holders {
                self.send(cx, host, message.clone());
            }
            return;
        }
        cells.expiry = cells.expiry.max(summary.expiry);
        let summary = cells.summary();
        let holds = |host| {
            said.iter()
                .any(|(other, theirs)| *other == host && theirs.covers(&summary))
        };
        let need = |group| quorum(open.consistency, group);
        let header_will_do = open.op != KeyOp::Get && open.groups.reached(need, holds);
        if cells.is_whole() || header_will_do {
            return self.confirm_read(cx, req);
        }
        let (said, cells) = (std::mem::take(said), std::mem::take(cells));
        open.phase = Phase::Fetch {
            said,
            cells,
            passed: 0,
        };
        self.fetch_next(cx, req);
    }

    /// The newest cells are here, whole: are they on a quorum? If not, write them back first.
    pub(super) fn confirm_read(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        let (said, cells) = match &mut open.phase {
            Phase::Ask { said, cells } | Phase::Fetch { said, cells, .. } => {
                (std::mem::take(said), std::mem::take(cells))
            }
            Phase::Write { .. } => return,
        };
        let summary = cells.summary();
        let holders: Vec<HostId> = said
            .iter()
            .filter(|(_, theirs)| theirs.covers(&summary))
            .map(|(host, _)| *host)
            .collect();
        let sure =
            open.consistency == Consistency::One || open.enough(|host| holders.contains(&host));
        let record = Record {
            key: open.key.clone(),
            cells,
        };
        open.phase = Phase::Write {
            record,
            back: true,
            acked: holders,
            refused: Vec::new(),
        };
        if sure {
            return self.confirmed(cx, req);
        }
        if let Some(version) = summary.greatest() {
            let key = open.key.clone();
            self.note(cx, crate::message::Event::WroteBack { key, version });
        }
        self.ask_silent(cx, req);
        self.arm(cx, req);
    }

    /// A write, or a read's write-back, is on a quorum.
    fn confirmed(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let Phase::Write { record, back, .. } = &open.phase else {
            return;
        };
        if *back {
            let live = record
                .cells
                .live(cx.now.wall)
                .map(|(version, body)| (version, body.clone()));
            return self.read_confirmed(cx, req, live);
        }
        if open.caller.is_some()
            && let Some(reply) = written(open, record.cells.summary())
        {
            self.finish(cx, req, reply);
            self.timers
                .set(Wake::Open(req), cx.now.at + self.config.hint_after);
        }
        if self
            .open
            .get(&req)
            .is_some_and(|open| open.silent().is_empty())
        {
            self.close(req);
        }
    }

    fn read_confirmed(&mut self, cx: &mut Context<'_>, req: ReqId, live: Option<(Version, Body)>) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let Phase::Write { record, .. } = &open.phase else {
            return;
        };
        let summary = record.cells.summary();
        let outcome = match (&open.op, live) {
            (KeyOp::Expire(_), Some(_)) => return self.stamp_and_write(cx, req, summary),
            (KeyOp::Get, Some((version, body))) => Outcome::Value(Some(crate::message::Found {
                version,
                body,
                deadline: summary.deadline(),
            })),
            (KeyOp::Get, None) => Outcome::Value(None),
            (KeyOp::Has | KeyOp::Expire(_) | KeyOp::Put(..) | KeyOp::Delete, live) => {
                Outcome::Version(live.map(|(version, _)| version))
            }
        };
        self.finish(cx, req, Ok(outcome));
        self.close(req);
    }

    /// Draws the one stamp of this request, above all that was heard of, and writes.
    fn stamp_and_write(&mut self, cx: &mut Context<'_>, req: ReqId, seen: Summary) {
        let above = seen.greatest().map(|version| version.stamp);
        let Some(stamp) = self.clock.issue(cx.now.wall, above) else {
            self.stalled.push_back(req);
            return self.reserve(cx, above);
        };
        let (me, start) = (self.me, self.start);
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        open.existed = seen.live(cx.now.wall).is_some();
        let stamped = |delete| Version {
            stamp,
            delete,
            host: me,
            start,
        };
        let cells = match &open.op {
            KeyOp::Put(body, expiry) => put_cells(body, *expiry, stamped, cx.now.wall),
            KeyOp::Expire(expiry) => expiry_cells(&seen, *expiry, stamped, cx.now.wall),
            KeyOp::Delete | KeyOp::Get | KeyOp::Has => tombstone(stamped(true)),
        };
        let record = Record {
            key: open.key.clone(),
            cells,
        };
        open.phase = Phase::Write {
            record,
            back: false,
            acked: Vec::new(),
            refused: Vec::new(),
        };
        open.tries = 0;
        self.ask_silent(cx, req);
        self.arm(cx, req);
    }

    fn store_refused(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let Phase::Write {
            record,
            back,
            acked,
            refused,
        } = &open.phase
        else {
            return;
        };
        let nobody = !back && acked.is_empty() && open.silent().is_empty();
        let why = refused
            .first()
            .map(|(host, why)| format!("{host}: {why}"))
            .unwrap_or_default();
        let failure = match record.cells.summary().greatest() {
            Some(version) if !nobody && !back => Failure::Unknown {
                version,
                taken: acked.clone(),
            },
            Some(_) | None => Failure::Limit(why),
        };
        self.finish(cx, req, Err(failure));
        self.close(req);
    }

    /// Sets the next deadline of a request: asking again, or failing.
    pub(super) fn arm(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        if open.caller.is_none() {
            return;
        }
        let patience: Duration = self.config.retry * (1 << open.tries.min(3));
        let at: Time = (cx.now.at + patience).min(open.deadline);
        self.timers.set(Wake::Open(req), at);
    }

    /// A request's time has come.
    pub(super) fn open_due(&mut self, cx: &mut Context<'_>, req: ReqId) {
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
        if matches!(open.phase, Phase::Fetch { .. }) {
            self.fetch_elsewhere(cx, req);
        } else {
            self.ask_silent(cx, req);
            self.ask_value_again(cx, req);
        }
        self.arm(cx, req);
    }

    /// A quorum has spoken, but those who hold the newest value have not sent it. They are asked again;
    /// then what they said is forgotten, and a quorum of the others will do: a version that only they hold
    /// was never acknowledged, nor returned by a get.
    fn ask_value_again(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get_mut(&req).filter(|open| open.reads()) else {
            return;
        };
        let tries = open.tries;
        let Phase::Ask { said, cells } = &mut open.phase else {
            return;
        };
        if tries > 1 {
            let here = cells.summary().value;
            said.retain(|(_, theirs)| theirs.value <= here);
        }
        self.advance(cx, req);
    }

    /// Asks a replica again that has just caught up with our roster.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>, host: HostId) {
        let version = self.version();
        let waiting = self
            .open
            .iter()
            .filter(|(_, open)| open.at == version && open.silent().contains(&host));
        let reqs: Vec<ReqId> = waiting.map(|(req, _)| *req).collect();
        for req in reqs {
            let Some(open) = self.open.get(&req) else {
                continue;
            };
            let message = match &open.phase {
                Phase::Ask { .. } => {
                    let want = if open.reads() {
                        Want::Value
                    } else {
                        Want::Versions
                    };
                    KeepMessage::Ask {
                        req,
                        at: open.at,
                        key: open.key.clone(),
                        want,
                    }
                }
                Phase::Write { record, back, .. } => write(req, open.at, record, *back),
                Phase::Fetch { .. } => continue,
            };
            self.send(cx, host, message);
        }
    }

    /// A new roster: every request that still matters starts again under it.
    pub(super) fn restart_all(&mut self, cx: &mut Context<'_>) {
        let reqs: Vec<ReqId> = self.open.keys().copied().collect();
        for req in reqs {
            let answered = self
                .open
                .get(&req)
                .is_some_and(|open| open.caller.is_none());
            if answered {
                self.leave_hints(cx, req)
            } else {
                self.restart(cx, req)
            }
        }
    }

    pub(super) fn close(&mut self, req: ReqId) {
        self.open.remove(&req);
        self.timers.clear(Wake::Open(req));
    }
}

const fn open_reads_from(host: HostId, reader: Option<HostId>, all: bool) -> bool {
    match reader {
        Some(reader) => all || reader.0 == host.0,
        None => false,
    }
}

fn first_copies(mut groups: Groups, copies: Option<u8>) -> Groups {
    if let Some(copies) = copies {
        for group in &mut groups.groups {
            group.truncate(usize::from(copies).max(1));
        }
    }
    groups
}

fn write(req: ReqId, at: RosterVersion, record: &Record, back: bool) -> KeepMessage {
    let record = Record {
        key: record.key.clone(),
        cells: record.cells.for_travel(),
    };
    KeepMessage::Write {
        req,
        at,
        record,
        road: if back { Road::WriteBack } else { Road::Request },
    }
}

fn tombstone(version: Version) -> Cells {
    Cells {
        value: Some(ValueCell {
            version,
            body: None,
        }),
        expiry: None,
    }
}

/// The deadline an expiry means, if any.
fn deadline(expiry: Expiry, wall: WallMs) -> Option<WallMs> {
    match expiry {
        Expiry::In(rest) => Some(WallMs(
            wall.0
                .saturating_add(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX)),
        )),
        Expiry::At(at) => Some(at),
        Expiry::Never => None,
    }
}

/// A put that has already expired is a delete.
fn put_cells(
    body: &Body,
    expiry: Option<Expiry>,
    stamped: impl Fn(bool) -> Version,
    wall: WallMs,
) -> Cells {
    let until = expiry.and_then(|expiry| deadline(expiry, wall));
    let version = stamped(false);
    if until.is_some_and(|until| until <= wall.max(version.stamp.wall())) {
        return tombstone(stamped(true));
    }
    let cell = until.map(|until| ExpiryCell {
        of: version,
        version,
        deadline: Some(until),
    });
    Cells {
        value: Some(ValueCell {
            version,
            body: Some(body.clone()),
        }),
        expiry: cell,
    }
}

/// A deadline that does not lie after its stamp is a delete.
fn expiry_cells(
    seen: &Summary,
    expiry: Expiry,
    stamped: impl Fn(bool) -> Version,
    wall: WallMs,
) -> Cells {
    let until = deadline(expiry, wall);
    let version = stamped(false);
    match seen.value {
        Some(of) if until.is_none_or(|until| until > wall.max(version.stamp.wall())) => Cells {
            value: None,
            expiry: Some(ExpiryCell {
                of,
                version,
                deadline: until,
            }),
        },
        Some(_) | None => tombstone(stamped(true)),
    }
}

/// A value that could not travel, or is longer than this host takes, is refused before anything is asked.
fn check_limits(body: &Body, max_value_bytes: u64) -> Result<(), Failure> {
    let (len, media_type) = (body.len, body.content_type.as_deref().map_or(0, str::len));
    if len > max_value_bytes {
        let why = format!("a value of {len} bytes is too long: at most {max_value_bytes}");
        return Err(Failure::Limit(why));
    }
    if media_type > MAX_MEDIA_TYPE_BYTES {
        let why = format!(
            "a media type of {media_type} bytes is too long: at most {MAX_MEDIA_TYPE_BYTES}"
        );
        return Err(Failure::Limit(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_media_types_have_limits() {
        let typed = |len: usize| Body {
            content_type: Some("x".repeat(len).into()),
            ..Body::new("meow")
        };
        assert_eq!(check_limits(&typed(MAX_MEDIA_TYPE_BYTES), 4), Ok(()));
        let long_type = check_limits(&typed(MAX_MEDIA_TYPE_BYTES + 1), 4);
        assert!(matches!(long_type, Err(Failure::Limit(why)) if why.contains("media type")));
        let long = check_limits(&Body::new("meow"), 3);
        assert!(matches!(long, Err(Failure::Limit(why)) if why.contains("at most 3")));
    }
}
