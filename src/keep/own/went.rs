//! What does the answer of the own store mean for the request that waits for it?
//!
//! ```text
//! get     11 of it      is answered              put     held 7      is answered
//! delete  10 is held    is stamped above it      put     below 9     is stamped above it, anew
//! ```
//!
//! *Hold this true*: it decides, and changes nothing but the request itself.

use std::sync::Arc;

use super::Own;
use crate::keep::outcome::outcome_of_write;
use crate::keep::stamp::cells_of;
use crate::message::{Failure, Found, KeyOp, Large, Outcome, Reply};
use crate::placement::HostId;
use crate::record::{Body, Cells, Mark, Record, Summary, WallMs};
use crate::store::Done;

/// How such a request goes on when the store has answered.
pub(super) enum Went {
    /// It is answered.
    Over(Reply),
    /// What is held is known: it is stamped now, and written.
    Seen(Summary),
    /// Like any other.
    Otherwise,
}

impl Own {
    /// What this request writes, now that the store has answered: a stamp that it has refused is not stored, and never will
    /// be.
    pub(super) fn hears(&mut self, done: &Done, writes: Option<Summary>) -> Option<Summary> {
        let unasked = std::mem::take(&mut self.unasked);
        if unasked && matches!(done, Done::Below(_)) {
            self.record = None;
            return None;
        }
        writes
    }

    /// A stamp that was drawn for it, and that the store may have, stays.
    pub(super) fn keeps(&mut self, writes: Option<Summary>, wall: WallMs) {
        self.record = writes
            .and_then(|summary| summary.value)
            .map(|version| Record {
                key: self.key.clone(),
                cells: cells_of(
                    &self.op,
                    &Summary::default(),
                    (version.stamp, version.host, version.start),
                    wall,
                ),
            });
    }

    pub(super) fn goes_on(
        &self,
        me: HostId,
        wall: WallMs,
        mark: Mark,
        writes: Option<Summary>,
        done: Done,
    ) -> Went {
        match (writes, done) {
            (None, Done::Versions(seen) | Done::Below(seen)) => Went::Seen(seen),
            (None, Done::Cells(cells)) => self.found(me, wall, mark, cells.unwrap_or_default()),
            (Some(summary), Done::Held(held)) => {
                let held = held.covers(&summary);
                outcome_of_write(&self.op, self.caller, &self.key, self.existed, summary)
                    .filter(|_| held)
                    .map_or(Went::Otherwise, Went::Over)
            }
            (Some(_), Done::Failed(error)) => {
                Went::Over(Err(Failure::Limit(format!("{me}: {error}"))))
            }
            (Some(_) | None, _) => Went::Otherwise,
        }
    }

    /// What is held is here: it is on the only store there is.
    fn found(&self, me: HostId, wall: WallMs, mark: Mark, cells: Cells) -> Went {
        let summary = cells.summary();
        let live = match summary.collected(mark.floor) == summary {
            true => summary.live(wall),
            false => None, // deleted, or expired, at or below the floor
        };
        let body: Option<Body> = cells.value.and_then(|cell| cell.body);
        let Some((version, body)) = live.zip(body) else {
            return Went::Over(Ok(Outcome::Value(None)));
        };
        let found = Found {
            version,
            body,
            deadline: summary.deadline(),
        };
        Went::Over(Ok(match (found.body.is_whole(), &self.op) {
            (true, _) => Outcome::Value(Some(found)),
            (false, KeyOp::Open) => Outcome::Large(Arc::new(Large {
                key: self.key.clone(),
                found,
                holders: vec![me],
            })),
            // Its pieces are fetched one by one.
            (false, _) => return Went::Otherwise,
        }))
    }
}
