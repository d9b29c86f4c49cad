//! What a replica does when it is asked.
//!
//! It answers under its own roster version only. Behind: it says so, and is sent the roster. Ahead: it
//! returns its roster. While it adopts one, questions wait: what was written under the old version is
//! on disk before the new one is, so whoever reads after adoption sees it (*sealed*).

use std::sync::Arc;
use std::time::Duration;

use crate::keyspace::{Id, Span};
use crate::message::{Answered, KeepMessage, Refusal, ReqId, Road, Want};
use crate::placement::HostId;
use crate::record::{Key, Mark, Record, Time};
use crate::roster::{Phase, Roster, RosterVersion};
use crate::store::{Done, Op, Page, StoreError};

use super::doubt::Doubt;
use super::then::Next;
use super::{Context, Keeper};

/// How long a receiver may be silent before its giver takes writes again.
const GIVING: Duration = Duration::from_secs(3);

/// Who asked, which question, under which roster.
type Asker = (HostId, ReqId, RosterVersion);

impl Keeper {
    /// Whether a question about data waits now: until this host has a life, while it adopts a roster, and,
    /// about a span it comes to, until it has the marks of those who had it.
    pub(super) fn parks(&mut self, from: HostId, message: &KeepMessage) -> bool {
        let waits = self.adopting.is_some() || self.start == 0 || self.is_unmarked(message);
        if waits && self.parked.len() < self.config.max_parked {
            self.parked.push((from, message.clone()));
        }
        waits
    }

    /// Whether a question under roster `at`, about `id` if it is about one, is ours to answer.
    pub(super) fn admit(&self, at: RosterVersion, id: Option<Id>) -> Result<(), Refusal> {
        let Some(roster) = &self.roster else {
            // By links alone, the host has made sure that a node of it holds the id.
            return if at == RosterVersion::NONE {
                Ok(())
            } else {
                Err(Refusal::Behind(RosterVersion::NONE))
            };
        };
        if at > roster.version {
            return Err(Refusal::Behind(roster.version));
        }
        if at < roster.version {
            return Err(Refusal::Ahead(Arc::clone(roster)));
        }
        if self.unfinished.doubt != Doubt::None {
            return Err(Refusal::Doubts);
        }
        match id {
            Some(id) if !roster.holds(self.me, id) => Err(Refusal::NotMine),
            Some(_) | None => Ok(()),
        }
    }

    /// A coordinator asks what is held here.
    pub(super) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        (from, req, at): Asker,
        key: Key,
        want: Want,
    ) {
        if let Err(refusal) = self.admit(at, Some(key.id())) {
            return self.send(
                cx,
                from,
                KeepMessage::Answer {
                    req,
                    at,
                    mark: Mark::NONE,
                    result: Err(refusal),
                },
            );
        }
        let id = key.id();
        let op = match want {
            Want::Versions => Op::Versions(key),
            Want::Value => Op::Get(key),
        };
        self.store_soon(
            cx,
            op,
            Next::Answer {
                to: from,
                req,
                at,
                id,
            },
        );
    }

    /// A write, by whatever road.
    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        (from, req, at): Asker,
        record: Record,
        road: Road,
    ) {
        let admitted = match self.admit(at, Some(record.key.id())) {
            Ok(()) if road == Road::Repair && !self.is_whole() => Err(Refusal::Incomplete),
            admitted => admitted,
        };
        if let Err(refusal) = admitted {
            return self.send(
                cx,
                from,
                KeepMessage::Wrote {
                    req,
                    at,
                    result: Err(refusal),
                },
            );
        }
        if self.is_giving(cx.now.at, record.key.id()) {
            return self.send(
                cx,
                from,
                KeepMessage::Wrote {
                    req,
                    at,
                    result: Err(Refusal::NotMine),
                },
            );
        }
        log::trace!("{} writes {} for {from} by {road:?}", self.me, record.key);
        let next = Next::Wrote {
            to: from,
            req,
            at,
            road,
        };
        if record.cells.is_whole() {
            let op = self.merge_op(record, &next);
            return self.store_soon(cx, op, next);
        }
        self.keep(cx, from, req, record, next);
    }

    /// The next chunk of a span for a replica-to-be. Only a holder of Old (or, once settled, a holder) is
    /// a source, and only under the very roster it has durably adopted.
    pub(super) fn pull(
        &mut self,
        cx: &mut Context<'_>,
        (from, req, at): Asker,
        (span, after, all): (Span, Option<Key>, bool),
    ) {
        let raw = all && self.unfinished.doubt == Doubt::Lost && at == self.version();
        let result = match self.admit(at, None) {
            Err(_) if raw => Ok(()),
            Ok(())
                if self
                    .roster
                    .as_ref()
                    .is_some_and(|roster| !is_source(roster, self.me, span)) =>
            {
                Err(Refusal::NotMine)
            }
            admitted => admitted,
        };
        if let Err(refusal) = result {
            return self.send(
                cx,
                from,
                KeepMessage::Chunk {
                    req,
                    at,
                    result: Err(refusal),
                },
            );
        }
        if self.roster.is_none() {
            self.giving
                .retain(|(other, until)| *until > cx.now.at && *other != span);
            self.giving.push((span, cx.now.at + GIVING));
        }
        let page = self.page(span, after);
        self.store(cx, Op::Scan(page), Next::Chunk { to: from, req, at });
    }

    /// By links alone: whether the span of this id is on its way to another node. Writes are refused until
    /// it is there, or its receiver has been silent for [`GIVING`].
    fn is_giving(&self, now: Time, id: Id) -> bool {
        self.roster.is_none()
            && self
                .giving
                .iter()
                .any(|(span, until)| *until > now && span.contains(id))
    }

    /// One chunk's worth of a span.
    pub(super) fn page(&self, span: Span, after: Option<Key>) -> Page {
        Page {
            span,
            after,
            max_records: self.config.chunk_records,
            max_bytes: self.config.chunk_bytes,
        }
    }

    pub(super) fn stored_answer(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (to, req, at): Asker,
        id: Id,
    ) {
        let result = if let Done::Versions(summary) = done {
            Ok(Answered::Versions(summary))
        } else if let Done::Cells(cells) = done {
            Ok(Answered::Cells(cells.unwrap_or_default().for_travel()))
        } else {
            Err(refusal(done))
        };
        let mark = self.marks.at(id);
        self.send(
            cx,
            to,
            KeepMessage::Answer {
                req,
                at,
                mark,
                result,
            },
        );
    }

    pub(super) fn stored_wrote(&mut self, cx: &mut Context<'_>, done: Done, (to, req, at): Asker) {
        let result = if let Done::Held(summary) = done {
            Ok(summary)
        } else if let Done::Below(_) = done {
            Err(Refusal::Below)
        } else {
            Err(refusal(done))
        };
        self.send(cx, to, KeepMessage::Wrote { req, at, result });
    }

    pub(super) fn stored_chunk(&mut self, cx: &mut Context<'_>, done: Done, (to, req, at): Asker) {
        let result = if let Done::Page(records, more) = done {
            Ok((records, more))
        } else {
            Err(refusal(done))
        };
        self.send(cx, to, KeepMessage::Chunk { req, at, result });
    }
}

/// What a store's failure means for whoever asked.
pub(super) fn refusal(done: Done) -> Refusal {
    if let Done::Failed(error) = done {
        return Refusal::Store(error.to_string());
    }
    let unexpected = StoreError::Device(format!("the store answered something else: {done:?}"));
    Refusal::Store(unexpected.to_string())
}

/// Whether a host holds a span, seen from those who are to receive it: by Old while moving, afterwards
/// by what settled.
fn is_source(roster: &Roster, host: HostId, span: Span) -> bool {
    match &roster.phase {
        Phase::Settled(membership) => membership.holds(host, span.to),
        Phase::Moving { old, .. } => old.holds(host, span.to),
    }
}
