//! Requests for which there is nobody to ask but this host itself.
//!
//! In a ring of one host, or with one copy of each key, the only replica of a key may be the host that was asked; and a
//! read of one replica may be of this host, whoever else has the key. Then no message goes to itself and nobody is waited
//! for: the answer is what its store says.
//!
//! ```text
//! put     stamps 7       Guarded 7, if above all that is held ──> held                        acknowledged
//! put     stamps 8       the same ──> refused: 9 is held       stamps 10       Merge 10 ──> held
//! delete  Versions ──> 10      stamps 11, once, above it and the fence         Merge 11 ──> held
//! get     Get      ──> 11, a delete                                                           answered
//! ```
//!
//! The rules are those of any other request, and each step is taken by the same functions: the stamp lies above all that
//! is held and within what is reserved on disk, the write goes past the fence or not at all, and what is
//! acknowledged the store has confirmed. A plain put need not ask before it stamps: its stamp mostly is the greatest
//! anyway, for it is the newest of the only host that writes here, and whether it is the store sees in the step in which
//! it stores it. A stamp that it refuses was never stored and never will be, so a second one may be drawn, this time
//! above what it said. A new roster waits for that answer: until it has come, nobody knows whether there is a stamp.
//!
//! A store in memory answers before the call that asks it returns. Then a get, and a put that is above all that is held, are
//! over at once, without a number, a deadline or a place among those under way.
//!
//! Whatever is out of the ordinary (a roster that was adopted meanwhile, a stamp that must be reserved first, a large
//! value, a store that does not answer) makes it a request like any other: before its stamp from the beginning, after it
//! with that very stamp.
//!
//! *Hold these true*: such a request lives by the roster of now, which is settled and by which this host is a replica of
//! its key, the only one or one that will do, or its store is about to say whether its stamp counts; it has a deadline; a
//! stamp that may be stored is never drawn again.

mod went;

use std::time::Duration;

use crate::message::{Consistency, KeyOp, Reply, ReqId};
use crate::placement::HostId;
use crate::record::{Guard, Key, PIECE_BYTES, Record, Summary, Time};
use crate::roster::{Groups, Phase as RosterPhase, RosterVersion};
use crate::store::{Done, Op};

use super::check::ensure;
use super::doubt::Doubt;
use super::open::{Caller, Open, Phase, Table};
use super::stamp::{above, cells_of};
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

use went::Went;

/// What a request is: who wants what of which key.
type What = (Caller, Key, KeyOp);

/// A request that only the own store can answer.
#[derive(Debug)]
pub(super) struct Own {
    caller: Caller,
    key: Key,
    op: KeyOp,
    consistency: Consistency,
    copies: Option<u8>,
    /// Under which roster.
    at: RosterVersion,
    deadline: Time,
    patience: Duration,
    asked: Time,
    /// What is written, once it is stamped.
    record: Option<Record>,
    /// Nobody was asked before it was stamped: it is stored if it is above all that is held.
    unasked: bool,
    /// Whether the key was there before.
    existed: bool,
}

/// Those under way, in order of their questions.
pub(super) type Owns = Table<Own>;

impl Keeper {
    /// Whether this host alone, and at once, can answer for a key, as its only replica or (`any`) as one of them.
    fn is_alone_with(&self, key: &Key, any: bool) -> bool {
        let Some(roster) = &self.roster else {
            return false;
        };
        let RosterPhase::Settled(membership) = &roster.phase else {
            return false;
        };
        let serves = self.start != 0 && self.adopting.is_none() && !self.mover.closed;
        serves
            && self.unfinished.doubt == Doubt::None
            && (membership.r() == 1 || any && self.is_whole() && !self.health.unwell)
            && membership.holds(self.me, key.id())
    }

    /// Begins a request so if that can be; otherwise gives it back.
    pub(super) fn begin_own(
        &mut self,
        cx: &mut Context<'_>,
        (caller, key, op): What,
        (consistency, copies): (Consistency, Option<u8>),
        patience: Duration,
    ) -> Option<What> {
        let ask: fn(Key) -> Op = match &op {
            KeyOp::Put(body, _) if body.is_whole() && body.len <= PIECE_BYTES as u64 => {
                Op::Versions
            }
            KeyOp::Delete => Op::Versions,
            KeyOp::Get | KeyOp::Open => Op::Get,
            KeyOp::Put(..) | KeyOp::Has | KeyOp::Ttl | KeyOp::Expire(_) => {
                return Some((caller, key, op));
            }
        };
        let one = consistency == Consistency::One;
        let any = one && copies.is_none() && matches!(op, KeyOp::Get | KeyOp::Open);
        if (one && !any) || !self.is_alone_with(&key, any) {
            return Some((caller, key, op));
        }
        let deadline = cx.now.at + patience;
        let unasked = self.stamp_unasked(cx, &key, &op);
        let is_unasked = unasked.is_some();
        let ask = match unasked {
            Some((record, guard)) => Op::Guarded(record, guard),
            None => ask(key.clone()),
        };
        let own = Own {
            caller,
            key,
            op,
            consistency,
            copies,
            at: self.version(),
            deadline,
            patience,
            asked: cx.now.at,
            unasked: is_unasked,
            record: None,
            existed: false,
        };
        // Where there are others, they are asked if the own store does not answer.
        let late = if any {
            cx.now.at + self.config.retry
        } else {
            deadline
        };
        self.ask_own(cx, own, ask, late.min(deadline));
        None
    }

    /// Asks the own store. A store that answers at once mostly leaves nothing to wait for: then the request is over before
    /// it has a number. (Not so for a page of an export or import: each answer there begins the next request.)
    fn ask_own(&mut self, cx: &mut Context<'_>, mut own: Own, ask: Op, late: Time) {
        let may_end = !matches!(own.caller, Caller::Export(..) | Caller::Import(..));
        let writes = if let Op::Guarded(record, _) = &ask {
            Some(record.cells.summary())
        } else {
            None
        };
        let mut ask = Some(ask);
        let done = match may_end {
            true => cx.fx.store_at_once(&mut ask),
            false => None,
        };
        if let Some(done) = done {
            let writes = own.hears(&done, writes);
            let mark = self.marks.at(own.key.id());
            match own.goes_on(self.me, cx.now.wall, mark, writes, done) {
                Went::Over(reply) => self.tell(cx, own.caller, reply),
                went @ (Went::Seen(_) | Went::Otherwise) => {
                    own.keeps(writes, cx.now.wall);
                    let req = self.enter_own(own, late);
                    self.own_goes_on(cx, req, went);
                }
            }
        } else if let Some(ask) = ask {
            if let Op::Guarded(record, _) = &ask {
                own.record = Some(record.clone());
            }
            let req = self.enter_own(own, late);
            self.store(cx, ask, Next::Own(req));
        }
    }

    fn enter_own(&mut self, own: Own, late: Time) -> ReqId {
        let req = self.draw_req();
        self.timers.set(Wake::Open(req), late);
        self.own.insert(req, own);
        req
    }

    /// A put that is stamped without a question: what is written, if it is above all that is held. None if that stamp
    /// must be reserved first; and a put with an expiry asks, for it writes two cells.
    fn stamp_unasked(
        &mut self,
        cx: &Context<'_>,
        key: &Key,
        op: &KeyOp,
    ) -> Option<(Record, Guard)> {
        let KeyOp::Put(_, None) = op else {
            return None;
        };
        let (seen, mark) = (Summary::default(), self.marks.at(key.id()));
        let stamp = self.clock.issue(cx.now.wall, above(&seen, mark))?;
        let record = Record {
            key: key.clone(),
            cells: cells_of(op, &seen, (stamp, self.me, self.start), cx.now.wall),
        };
        Some((record, Guard::fenced(mark).if_newest()))
    }

    /// The store has answered.
    pub(super) fn own_stored(&mut self, cx: &mut Context<'_>, done: Done, req: ReqId) {
        let mine = self.version();
        let Some(own) = self.own.get_mut(&req) else {
            return; // It goes on like any other by now, and has asked again.
        };
        let writes = own.record.as_ref().map(|record| record.cells.summary());
        let writes = own.hears(&done, writes);
        let went = if own.at != mine && !matches!(done, Done::Failed(_)) {
            Went::Otherwise
        } else {
            let mark = self.marks.at(own.key.id());
            own.goes_on(self.me, cx.now.wall, mark, writes, done)
        };
        self.own_goes_on(cx, req, went);
    }

    fn own_goes_on(&mut self, cx: &mut Context<'_>, req: ReqId, went: Went) {
        match went {
            Went::Over(reply) => self.end_own(cx, req, reply),
            Went::Seen(seen) => self.own_write(cx, req, seen),
            Went::Otherwise => self.own_otherwise(cx, req),
        }
    }

    /// What is held is known: draws the one stamp of this request, and writes.
    fn own_write(&mut self, cx: &mut Context<'_>, req: ReqId, seen: Summary) {
        let Some(own) = self.own.get(&req) else {
            return;
        };
        let mark = self.marks.at(own.key.id());
        if !self.is_alone_with(&own.key, false) {
            return self.own_otherwise(cx, req);
        }
        let Some(stamp) = self.clock.issue(cx.now.wall, above(&seen, mark)) else {
            return self.own_otherwise(cx, req);
        };
        let (me, start) = (self.me, self.start);
        let Some(own) = self.own.get_mut(&req) else {
            return;
        };
        own.existed = seen.live(cx.now.wall).is_some();
        let record = Record {
            key: own.key.clone(),
            cells: cells_of(&own.op, &seen, (stamp, me, start), cx.now.wall),
        };
        own.record = Some(record.clone());
        let next = Next::Own(req);
        let op = self.merge_op(record, &next);
        self.store_soon(cx, op, next);
    }

    fn end_own(&mut self, cx: &mut Context<'_>, req: ReqId, reply: Reply) {
        self.timers.clear(Wake::Open(req));
        if let Some(own) = self.own.remove(&req) {
            self.tell(cx, own.caller, reply);
        }
    }

    /// The time of one has come; whether it goes on, asked of others.
    pub(super) fn own_late(&mut self, cx: &mut Context<'_>, req: ReqId) -> bool {
        let in_time = self
            .own
            .get(&req)
            .is_some_and(|own| cx.now.at < own.deadline);
        if in_time {
            self.own_otherwise(cx, req);
            self.ask_spared(cx, req);
        } else {
            self.own_to_open(req);
        }
        in_time
    }

    /// It goes on like any other.
    fn own_otherwise(&mut self, cx: &mut Context<'_>, req: ReqId) {
        self.own_to_open(req);
        self.restart(cx, req);
    }

    /// From here on it is a request like any other; one that has a stamp may be stored.
    pub(super) fn own_to_open(&mut self, req: ReqId) {
        let Some(own) = self.own.remove(&req) else {
            return;
        };
        let phase = own.record.map(|record| Phase::Write {
            record,
            back: false,
            acked: Vec::new(),
            refused: Vec::new(),
            unsure: true,
        });
        let open = Open {
            at: own.at,
            groups: Groups {
                groups: vec![vec![self.me]],
            },
            phase: phase.unwrap_or_else(Phase::ask),
            existed: own.existed,
            ..Open::new(
                (own.caller, own.key, own.op),
                (own.consistency, own.copies),
                (own.asked, own.patience),
            )
        };
        self.open.insert(
            req,
            Open {
                deadline: own.deadline,
                ..open
            },
        );
    }

    /// A new roster: there may be others now.
    pub(super) fn owns_to_opens(&mut self) {
        let asked = self.own.iter().filter(|(_, own)| !own.unasked);
        let reqs: Vec<ReqId> = asked.map(|(req, _)| req).collect();
        reqs.into_iter().for_each(|req| self.own_to_open(req));
    }

    /// What must hold between two calls.
    pub(super) fn check_own(&self, req: ReqId, own: &Own) -> Result<(), String> {
        let mine = self.version();
        ensure(own.at == mine || own.unasked, || {
            format!(
                "{req:?} is asked of the own store under {}, and it lives by {mine}",
                own.at
            )
        })?;
        ensure(self.timers.is_set(Wake::Open(req)), || {
            format!("{req:?}, of the own store, has no deadline")
        })?;
        let hosts: Vec<HostId> = self
            .roster
            .as_ref()
            .map(|roster| roster.groups(own.key.id()).hosts())
            .unwrap_or_default();
        let will_do = own.consistency == Consistency::One && hosts.contains(&self.me);
        ensure(will_do || hosts == [self.me] || own.unasked, || {
            format!("{req:?} is asked of the own store only, and {hosts:?} hold its key")
        })
    }
}

#[cfg(test)]
mod tests;
