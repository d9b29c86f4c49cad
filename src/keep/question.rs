//! Who is asked, and who is spared?
//!
//! What is written goes to every replica. What is asked need be answered by a quorum only, and each answer costs a
//! message to and fro, so at first no more are asked than must answer: this host if it is a whole replica whose store
//! keeps up, then those that answered fastest lately. Whoever is spared is asked as soon as one of the others refuses or is late.
//!
//! ```text
//! h1 -> h1 h3    Ask                 h1, h2 and h3 hold the key; two must answer, and h3 is faster than h2
//! h3 is late                         it has been silent four times as long as it took lately
//! h1 -> h2 h3    Ask                 from here on everybody who has not answered
//! ```
//!
//! Every sixteenth question goes to all at once, or nobody would learn that a slow host is fast again.
//!
//! *Hold these true*: who is spared counts as one who has not answered; a question that is put again is put to all; a
//! write spares nobody.

use std::time::Duration;

use crate::message::{KeepMessage, ReqId, Road, Want};
use crate::placement::HostId;
use crate::record::{Record, Time};
use crate::roster::RosterVersion;

use super::open::{Open, Phase};
use super::{Context, Keeper};

/// Every so many questions everybody is asked.
const ALL_EVERY: u64 = 16;

/// A host is late after so many times the time it took lately.
const LATE_TIMES: u32 = 4;

/// And not before this.
const LATE_AT_LEAST: Duration = Duration::from_millis(10);

impl Keeper {
    /// Puts the present question to the replicas that have not answered it: at first only to as many as must.
    pub(super) fn ask_silent(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let mut hosts = open.silent();
        let spared = self.spare(cx.now.at, open, &mut hosts);
        let reader = self.reader(cx.now.at, open, &hosts);
        let again = open.tries > 0;
        let asks = matches!(open.phase, Phase::Ask { .. });
        if let Some(open) = self.open.get_mut(&req) {
            open.spared = spared;
            if !again {
                open.asked = cx.now.at;
                self.ops.speeds.questions += u64::from(asks);
            }
        }
        for host in hosts {
            let value = reader.is_some_and(|reader| again || reader == host);
            self.put_question(cx, req, host, value);
        }
    }

    /// Somebody will not answer: those who were spared are asked, too.
    pub(super) fn ask_spared(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let open = self.open.get_mut(&req);
        let spared = open.map(|open| std::mem::take(&mut open.spared));
        for host in spared.unwrap_or_default() {
            self.put_question(cx, req, host, true);
        }
    }

    /// A replica refuses a question, for now: others are asked instead, and for a while before it.
    pub(super) fn refuses_to_say(&mut self, cx: &mut Context<'_>, from: HostId, req: ReqId) {
        let open = self.open.get(&req);
        let first = open.is_some_and(|open| open.tries == 0 && !open.spared.is_empty());
        if first {
            self.ops.speeds.took(cx.now.at, from, self.config.retry);
        }
        self.ask_spared(cx, req);
    }

    pub(super) fn put_question(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        host: HostId,
        value: bool,
    ) {
        let open = self.open.get(&req);
        if let Some(message) = open.and_then(|open| question(req, open, value)) {
            self.send(cx, host, message);
        }
    }

    /// Leaves in `hosts` those who are asked first; returns the others.
    fn spare(&self, now: Time, open: &Open, hosts: &mut Vec<HostId>) -> Vec<HostId> {
        let hasty = open.deadline < now + 2 * self.config.retry;
        let turn = (self.ops.speeds.questions + 1).is_multiple_of(ALL_EVERY);
        let all = open.tries > 0 || hasty || turn;
        if all || !matches!(open.phase, Phase::Ask { .. }) || open.enough(|_| false) {
            return Vec::new();
        }
        let speeds = &self.ops.speeds;
        let best = speeds.best(hosts.iter().copied());
        let slow = best.map(|best| (best * LATE_TIMES).max(LATE_AT_LEAST));
        let unfit = self.health.unwell || !self.is_whole() || speeds.of(self.me) > slow;
        let mut order = hosts.clone();
        order.sort_by_key(|host| {
            let mine = *host == self.me;
            let last = if mine {
                unfit
            } else {
                self.is_last_to_ask(now, *host)
            };
            (last, !mine, speeds.of(*host).or(best))
        });
        let mut first: Vec<HostId> = Vec::with_capacity(order.len());
        for host in order {
            if open.enough(|other| first.contains(&other)) {
                break;
            }
            if open.lacks(host, |other| first.contains(&other)) {
                first.push(host);
            }
        }
        let spared = hosts.iter().filter(|host| !first.contains(host));
        let spared = spared.copied().collect();
        hosts.retain(|host| first.contains(host));
        spared
    }

    /// After how long a request is looked at again: sooner if somebody was spared who could be asked instead.
    pub(super) fn next_look(&self, open: &Open) -> Duration {
        let patience = self.config.retry * (1 << open.tries.min(3));
        if open.tries > 0 || open.spared.is_empty() {
            return patience;
        }
        let awaited = open.awaited().into_iter();
        let slowest = awaited.filter_map(|host| self.ops.speeds.of(host)).max();
        let late = slowest.map(|took| took * LATE_TIMES);
        late.map_or(patience, |late| late.max(LATE_AT_LEAST).min(patience))
    }
}

/// The present question of a request to one replica; `value`: a read wants the value itself from it. None
/// while the pieces of a large value are being fetched: those are asked for one by one.
fn question(req: ReqId, open: &Open, value: bool) -> Option<KeepMessage> {
    match &open.phase {
        Phase::Ask { .. } => {
            let want = if open.reads() && value {
                Want::Value
            } else {
                Want::Versions
            };
            Some(KeepMessage::Ask {
                req,
                at: open.at,
                key: open.key.clone(),
                want,
            })
        }
        Phase::Write { record, back, .. } => Some(write(req, open.at, record, *back)),
        Phase::Fetch { .. } => None,
    }
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

#[cfg(test)]
mod tests;
