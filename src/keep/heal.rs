//! How two replicas that were found to differ become equal, record by record.
//!
//! ```text
//! h1 -> h2   Ask cat         h2 has the newer one: it is merged here, durably
//! h1 -> h2   Write dog       h1 has the newer one: h2 confirms it
//! ```
//!
//! What the floor has collected, or would collect, is no difference: it is gone here, or about to go there.
//!
//! *Hold this true*: what was compared under one roster is neither taken nor sent under another one.

use std::collections::BTreeMap;

use crate::message::{Answered, Event, KeepMessage, Refusal, ReqId, Road, Want};
use crate::placement::HostId;
use crate::record::{Key, Record, Summary};
use crate::roster::RosterVersion;
use crate::store::{Done, Op};

use super::repair::{Pass, Waits};
use super::then::Next;
use super::{Context, Keeper};

impl Keeper {
    /// Fetches what the peer has newer, sends what we have newer.
    pub(super) fn heal_listed(
        &mut self,
        cx: &mut Context<'_>,
        (peer, at): (HostId, RosterVersion),
        mine: Vec<(Key, Summary)>,
        theirs: Vec<(Key, Summary)>,
    ) {
        let mut sides: BTreeMap<Key, (Summary, Summary)> = BTreeMap::new();
        for (key, summary) in mine {
            sides.entry(key).or_default().0 = summary;
        }
        for (key, summary) in theirs {
            sides.entry(key).or_default().1 = summary;
        }
        for (key, (mine, theirs)) in sides {
            let floor = self.marks.at(key.id()).floor;
            let (mine, theirs) = (mine.collected(floor), theirs.collected(floor));
            if !mine.covers(&theirs) {
                let req = self.heal_one();
                self.repair.fetching.insert(req, (peer, key.clone(), at));
                let message = KeepMessage::Ask {
                    req,
                    at,
                    key: key.clone(),
                    want: Want::Value,
                };
                self.send(cx, peer, message);
            }
            if !theirs.covers(&mine) {
                let req = self.heal_one();
                let (to, op) = (peer, Op::Get(key.clone()));
                self.store(cx, op, Next::Send { to, req, at, key });
            }
        }
    }

    /// A difference that is to be healed; a round that compares waits for it.
    fn heal_one(&mut self) -> ReqId {
        let req = self.draw_req();
        if let Some(pass) = self.repair.pass.as_mut() {
            pass.open.insert(req);
        }
        req
    }

    /// A record that was missing on one side is there: here, or at the peer.
    fn brought(&mut self, req: ReqId, well: bool, away: bool) {
        self.repair.healed += u64::from(well);
        let pass = self.repair.pass.as_mut();
        if let Some(pass) = pass.filter(|pass| well && pass.open.contains(&req)) {
            pass.brought.0 += u64::from(!away);
            pass.brought.1 += u64::from(away);
        }
    }

    /// One difference is healed, or cannot be.
    pub(super) fn healed(&mut self, cx: &mut Context<'_>, req: ReqId, well: bool) {
        let Some(pass) = self.repair.pass.as_mut() else {
            return;
        };
        if pass.open.remove(&req) {
            (pass.moved, pass.heard) = (true, true);
            pass.failed |= !well;
            self.maybe_passed(cx);
        }
    }

    /// All of the span was compared.
    pub(super) fn compared(&mut self, cx: &mut Context<'_>) {
        if let Some(pass) = self.repair.pass.as_mut() {
            pass.compared = true;
            self.maybe_passed(cx);
        }
    }

    /// The comparison for a round cannot go on.
    pub(super) fn pass_failed(&mut self, cx: &mut Context<'_>) {
        if let Some(pass) = self.repair.pass.take() {
            self.passed_for(cx, &pass, false);
        }
    }

    /// A comparison has ended: everything that differed is durably equal, or not.
    fn passed_for(&mut self, cx: &mut Context<'_>, pass: &Pass, equal: bool) {
        match pass.waits {
            Waits::Round => self.passed(cx, pass.peer, equal),
            Waits::Balance => self.balanced_with(cx, pass.peer, pass.brought, equal),
        }
    }

    fn maybe_passed(&mut self, cx: &mut Context<'_>) {
        let over = |pass: &mut Pass| pass.compared && pass.open.is_empty();
        if let Some(pass) = self.repair.pass.take_if(over) {
            self.passed_for(cx, &pass, !pass.failed);
        }
    }

    pub(super) fn repair_answered(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        result: Result<Answered, Refusal>,
    ) {
        let Some((peer, key, at)) = self.repair.fetching.remove(&req) else {
            return;
        };
        match result {
            Ok(Answered::Cells(cells)) if self.repairs_at(at) => {
                let host = self.me;
                self.note(
                    cx,
                    Event::Repaired {
                        key: key.clone(),
                        host,
                    },
                );
                let next = Next::Healed { req, at };
                self.keep(cx, peer, req, Record { key, cells }, next);
            }
            Ok(_) | Err(_) => self.healed(cx, req, false),
        }
    }

    /// Whether repair that began under that roster may still go on.
    pub(super) fn repairs_at(&self, at: RosterVersion) -> bool {
        at == self.version() && self.is_whole()
    }

    /// What the peer had newer is in our store, or below our floor, where it is gone.
    pub(super) fn stored_healed(&mut self, cx: &mut Context<'_>, done: &Done, req: ReqId) {
        let well = matches!(done, Done::Held(_) | Done::Below(_));
        self.brought(req, matches!(done, Done::Held(_)), false);
        self.healed(cx, req, well);
    }

    pub(super) fn send_own(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (to, req, at): (HostId, ReqId, RosterVersion),
        key: Key,
    ) {
        let Done::Cells(Some(cells)) = done else {
            // Collected meanwhile: then it is gone there, too.
            return self.healed(cx, req, done == Done::Cells(None));
        };
        if !self.repairs_at(at) {
            return self.healed(cx, req, false);
        }
        self.repair.sending.insert(req, key.clone());
        let record = Record {
            key,
            cells: cells.for_travel(),
        };
        let road = Road::Repair;
        self.send(
            cx,
            to,
            KeepMessage::Write {
                req,
                at,
                record,
                road,
            },
        );
    }

    /// A confirmation that belongs neither to a request nor to a hint.
    pub(super) fn repair_wrote(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        result: Result<Summary, Refusal>,
    ) {
        let Some(key) = self.repair.sending.remove(&req) else {
            return;
        };
        let well = matches!(result, Ok(_) | Err(Refusal::Below));
        self.brought(req, result.is_ok(), true);
        if result.is_ok() {
            self.note(cx, Event::Repaired { key, host: from });
        }
        self.healed(cx, req, well);
    }
}
