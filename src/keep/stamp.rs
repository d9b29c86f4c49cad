//! The second half of a put or delete: one stamp, above everything heard of, then the write.
//!
//! *Hold this true*: a request draws one stamp in its life. What may have been stored under it is never
//! stamped again: a write that cannot be confirmed fails as *outcome unknown*, and may win once, at that
//! version.

use crate::message::{Expiry, Failure, KeyOp, ReqId};
use crate::placement::HostId;
use crate::record::{
    Body, Cells, ExpiryCell, Mark, Record, Stamp, Summary, ValueCell, Version, WallMs,
};

use super::open::Phase;
use super::outcome::written;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// Draws the one stamp of this request, above all that was heard of, and writes.
    pub(super) fn stamp_and_write(&mut self, cx: &mut Context<'_>, req: ReqId, seen: Summary) {
        let mark = self.open.get(&req).map_or(Mark::NONE, |open| open.mark);
        let above = above(&seen, mark);
        let Some(stamp) = self.clock.issue(cx.now.wall, above) else {
            self.stalled.push_back(req);
            return self.reserve(cx, above);
        };
        let (me, start) = (self.me, self.start);
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        open.existed = seen.live(cx.now.wall).is_some();
        let cells = cells_of(&open.op, &seen, (stamp, me, start), cx.now.wall);
        let record = Record {
            key: open.key.clone(),
            cells,
        };
        open.phase = Phase::Write {
            record,
            back: false,
            acked: Vec::new(),
            refused: Vec::new(),
            unsure: false,
        };
        open.tries = 0;
        self.ask_silent(cx, req);
        self.arm(cx, req);
    }

    /// A write, or a read's write-back, is on a quorum.
    pub(super) fn confirmed(&mut self, cx: &mut Context<'_>, req: ReqId) {
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
        let all_said = open.silent().is_empty();
        if open.caller.is_some()
            && let Some(reply) = written(open, record.cells.summary())
        {
            self.finish(cx, req, reply);
            if !all_said {
                self.timers
                    .set(Wake::Open(req), cx.now.at + self.config.hint_after);
            }
        }
        if all_said {
            self.close(req);
        }
    }

    pub(super) fn store_refused(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let Phase::Write {
            record,
            back,
            acked,
            refused,
            unsure,
        } = &open.phase
        else {
            return;
        };
        // What was sent a second time may be stored, though the first time it was refused.
        let once = open.tries == 0;
        let nobody = !back && !unsure && once && acked.is_empty() && open.silent().is_empty();
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
}

/// What a stamp has to lie above: all that was heard of, and every fence told with the answers, for what lies below
/// one is refused.
pub(super) fn above(seen: &Summary, mark: Mark) -> Option<Stamp> {
    let seen = seen.greatest().map(|version| version.stamp);
    seen.max(Some(mark.fence).filter(|fence| *fence > Stamp(0)))
}

/// What a request writes under that stamp.
pub(super) fn cells_of(
    op: &KeyOp,
    seen: &Summary,
    (stamp, host, start): (Stamp, HostId, u32),
    wall: WallMs,
) -> Cells {
    let stamped = |delete| Version {
        stamp,
        delete,
        host,
        start,
    };
    match op {
        KeyOp::Put(body, expiry) => put_cells(body, *expiry, stamped, wall),
        KeyOp::Expire(expiry) => expiry_cells(seen, *expiry, stamped, wall),
        KeyOp::Delete | KeyOp::Get | KeyOp::Open | KeyOp::Has | KeyOp::Ttl => {
            tombstone(stamped(true))
        }
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
