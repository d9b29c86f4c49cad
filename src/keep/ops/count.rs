//! How many keys are in the ring?
//!
//! ```text
//! h1: how many?  -> h1 h2 h3      each counts in the spans of which it is the first replica, by digests kept ready
//! h1: 3412   h2: 3377             h3 is down, and owns 0.31 of the circle
//! h1: (3412 + 3377) / 0.69  =  9839, of which 3050 are taken for granted
//! ```
//!
//! *Hold these true*: each host of the roster counts for spans that no other counts; what is deleted or has expired by the
//! wall clock of the counting host is not counted; who is down is not waited for.
//!
//! Left out on purpose: one moment for all. Each host counts when the question reaches it, so writes that go on meanwhile
//! may be in the number or not; and what a first replica has missed is not in it before it is repaired.

use std::collections::BTreeMap;

use crate::message::{Counted, KeepMessage, Report, ReqId};
use crate::placement::HostId;
use crate::record::Stamp;
use crate::store::{Done, Op};

use super::super::then::Next;
use super::super::{Context, Keeper};
use super::chores::Asked;
use super::too_many;

/// At most so many are counted for at once; one more is refused.
const MAX_COUNTS: usize = 64;

/// A count under way, by the number of its store operations.
#[derive(Debug)]
pub(super) struct Counting {
    asked: Asked,
    /// Store operations that are not done.
    left: usize,
    records: u64,
    /// Those of them that are deleted, or have expired.
    gone: u64,
}

/// The counts under way.
pub(super) type Counts = BTreeMap<ReqId, Counting>;

impl Keeper {
    /// Somebody wants to know how many keys are in the spans of which this host is the first replica. What is said at
    /// once; none: it is told when it is counted.
    pub(super) fn count_asked(&mut self, cx: &mut Context<'_>, asked: Asked) -> Option<Report> {
        if self.ops.counts.values().any(|other| other.asked == asked) {
            return Some(Report::Going(0, 0));
        }
        if self.ops.counts.len() >= MAX_COUNTS {
            return Some(Report::Refused(too_many("counts", MAX_COUNTS)));
        }
        let spans = self.own_spans();
        if spans.is_empty() {
            return Some(Report::Counted(0));
        }
        let req = self.draw_req();
        let counting = Counting {
            asked,
            left: spans.len() + 1,
            records: 0,
            gone: 0,
        };
        self.ops.counts.insert(req, counting);
        for span in &spans {
            let (span, parts) = (*span, 1);
            self.store(cx, Op::Digests { span, parts }, Next::Count(req));
        }
        let now = Stamp::at(cx.now.wall);
        self.store(cx, Op::Garbage(spans, now), Next::Count(req));
        None
    }

    /// A part of it is counted.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other result is no answer to what was asked"
    )]
    pub(in crate::keep) fn count_came(&mut self, cx: &mut Context<'_>, done: Done, req: ReqId) {
        let Some(counting) = self.ops.counts.get_mut(&req) else {
            return;
        };
        counting.left = counting.left.saturating_sub(1);
        let refused = match done {
            Done::Digests(parts) => {
                counting.records += parts.iter().map(|part| part.records).sum::<u64>();
                None
            }
            Done::Garbage(parts) => {
                counting.gone += parts.iter().map(|part| part.collectable).sum::<u64>();
                None
            }
            Done::Failed(error) => Some(Report::Refused(error.to_string())),
            _ => Some(Report::Refused(
                "the store answered another question".into(),
            )),
        };
        if counting.left > 0 && refused.is_none() {
            return;
        }
        let keys = counting.records.saturating_sub(counting.gone);
        let (to, number) = counting.asked;
        self.ops.counts.remove(&req);
        let report = refused.unwrap_or(Report::Counted(keys));
        self.send(
            cx,
            to,
            KeepMessage::ChoreIs {
                req: number,
                report,
            },
        );
    }

    /// What all have counted, and what may be expected of those who have not.
    pub(super) fn count_of(&self, reports: &BTreeMap<HostId, Result<Report, String>>) -> Counted {
        let (mut counted, mut share) = (0, 0.0);
        let mut silent = Vec::new();
        let placement = self.roster.as_ref().map(|roster| &roster.new().placement);
        for (host, report) in reports {
            if let Ok(Report::Counted(keys)) = report {
                counted += keys;
                share += placement.map_or(0.0, |placement| placement.share(*host));
            } else {
                silent.push(*host);
            }
        }
        let keys = match silent.is_empty() || share <= 0.0 || share >= 1.0 {
            true => counted,
            false => scaled(counted, share),
        };
        Counted { keys, silent }
    }
}

/// So many of that share of the circle are so many of all of it, if they lie evenly.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of a number that is not negative"
)]
fn scaled(counted: u64, share: f64) -> u64 {
    (counted as f64 / share).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_counted_is_taken_for_as_dense_as_the_rest() {
        assert_eq!(scaled(6789, 0.69), 9839);
        assert_eq!(scaled(0, 0.1), 0);
    }
}
