//! The second half of a get: hold of the newest value, sure that a quorum has it, answer.
//!
//! ```text
//! h1 <- h2   6, with its value          the first replica is asked for the value, the others for versions
//! h1 <- h3   7                          newer: h3 is asked for the value too
//! h1 -> h2   Write 7 (write-back)       only one is known to have 7: first make it two
//! h1         answers 7
//! ```
//!
//! *Hold this true*: what a get returns is on a quorum before it is returned, so no later get is older.

use std::sync::Arc;

use crate::message::{
    Consistency, Event, Expiry, Found, KeepMessage, KeyOp, Large, Outcome, ReqId, Want,
};
use crate::placement::HostId;
use crate::record::{Body, Cells, Record, Summary, Time, Version};

use super::open::{Open, Phase};
use super::{Context, Keeper};

impl Keeper {
    /// The replica that is asked for the value itself, the others for their versions only: this host if
    /// it is one, else of those not known to be down or unwell the one that answered fastest lately.
    pub(super) fn reader(&self, now: Time, open: &Open, hosts: &[HostId]) -> Option<HostId> {
        if !open.reads() {
            return None;
        }
        if hosts.contains(&self.me) {
            return Some(self.me);
        }
        let well = hosts
            .iter()
            .copied()
            .filter(|host| !self.is_last_to_ask(now, *host));
        let fastest = self.ops.speeds.fastest(well);
        fastest.or(hosts.first().copied())
    }

    /// A quorum has spoken to a reader: get hold of the value, make sure that a quorum has it, answer.
    #[allow(clippy::too_many_lines, reason = "one decision with all its cases")]
    pub(super) fn conclude_read(&mut self, cx: &mut Context<'_>, req: ReqId, summary: Summary) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        if summary.collected(open.mark.floor) != summary {
            return self.collected_already(cx, req);
        }
        if open.consistency != Consistency::One && is_mixed(open, &summary) {
            return self.start_over(cx, req);
        }
        let again = open.tries > 0;
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
            // One will do; if it does not send the value, all are asked.
            let fastest = self.ops.speeds.fastest(holders.iter().copied());
            let asked = if again {
                holders
            } else {
                fastest.into_iter().collect()
            };
            for host in asked {
                self.send(cx, host, message.clone());
            }
            return self.arm(cx, req); // It has only just been asked.
        }
        cells.expiry = cells.expiry.max(summary.expiry);
        let header_will_do = open.op != KeyOp::Get;
        if cells.is_whole() || header_will_do {
            return self.confirm_read(cx, req);
        }
        let (said, cells) = (std::mem::take(said), std::mem::take(cells));
        open.phase = Phase::Fetch {
            said,
            cells,
            passed: 0,
        };
        self.arm(cx, req);
        self.fetch_next(cx, req);
    }

    /// The newest that is held anywhere was deleted, or had expired, at or below a replica's floor. So every
    /// replica has heard of it, and some have dropped it: there is nothing, and nothing to write back.
    fn collected_already(&mut self, cx: &mut Context<'_>, req: ReqId) {
        if let Some(open) = self.open.get_mut(&req) {
            let record = Record {
                key: open.key.clone(),
                cells: Cells::default(),
            };
            open.phase = Phase::Write {
                record,
                back: true,
                acked: Vec::new(),
                refused: Vec::new(),
                unsure: false,
            };
            self.read_confirmed(cx, req, None);
        }
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
        open.sources = said
            .iter()
            .filter(|(_, theirs)| theirs.value == summary.value)
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
            unsure: false,
        };
        if sure {
            return self.confirmed(cx, req);
        }
        if let Some(version) = summary.greatest() {
            let key = open.key.clone();
            self.note(cx, Event::WroteBack { key, version });
        }
        self.ask_silent(cx, req);
        self.arm(cx, req);
    }

    pub(super) fn read_confirmed(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        live: Option<(Version, Body)>,
    ) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let Phase::Write { record, .. } = &open.phase else {
            return;
        };
        let summary = record.cells.summary();
        let outcome = match (&open.op, live) {
            (KeyOp::Expire(Expiry::Never), Some(_)) if summary.deadline().is_none() => {
                Outcome::Version(None)
            }
            (KeyOp::Expire(_), Some(_)) => {
                let req = self.renumber(req);
                self.stamp_and_write(cx, req, summary);
                return self.arm(cx, req);
            }
            (KeyOp::Open, Some((version, body))) if !body.is_whole() => {
                Outcome::Large(Arc::new(Large {
                    key: open.key.clone(),
                    found: Found {
                        version,
                        body,
                        deadline: summary.deadline(),
                    },
                    holders: open.sources.clone(),
                }))
            }
            (KeyOp::Get | KeyOp::Open, Some((version, body))) => Outcome::Value(Some(Found {
                version,
                body,
                deadline: summary.deadline(),
            })),
            (KeyOp::Get | KeyOp::Open, None) => Outcome::Value(None),
            (KeyOp::Ttl, live) => Outcome::Ttl(live.map(|_| summary.deadline())),
            (KeyOp::Has | KeyOp::Expire(_) | KeyOp::Put(..) | KeyOp::Delete, live) => {
                Outcome::Version(live.map(|(version, _)| version))
            }
        };
        let asked = open.asked;
        self.finish(cx, req, Ok(outcome));
        self.ops.speeds.over(req, asked);
        self.close(req);
    }

    /// A quorum has spoken, but those who hold the newest value have not sent it. They are asked again;
    /// then what they said is forgotten, and a quorum of the others will do: a version that only they hold
    /// was never acknowledged, nor returned by a get.
    pub(super) fn ask_value_again(&mut self, cx: &mut Context<'_>, req: ReqId) {
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
}

/// Whether some answers are from before a round of collection and some from after it: the newest lies at or
/// below a floor, and not all hold it. Then a delete of it may be gone from the one that would have told, and
/// those who still have the delete would confirm the old value, as one that is known there and superseded.
fn is_mixed(open: &Open, newest: &Summary) -> bool {
    let Phase::Ask { said, .. } = &open.phase else {
        return false;
    };
    let floored = newest
        .value
        .filter(|version| version.stamp <= open.mark.floor);
    floored.is_some() && said.iter().any(|(_, theirs)| theirs.value < newest.value)
}
