//! What a replica answers when another one compares a span with it.

use crate::keyspace::Span;
use crate::message::{KeepMessage, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::{Key, Marks};
use crate::roster::RosterVersion;
use crate::store::{Done, Op};

use super::replicate::refusal;
use super::then::Next;
use super::{Context, Keeper};

impl Keeper {
    /// Only whole replicas of one roster compare: the others have old records that were never confirmed.
    fn may_compare(&self, at: RosterVersion) -> Result<(), Refusal> {
        match self.admit(at, None) {
            Ok(()) if !self.is_whole() => Err(Refusal::Incomplete),
            admitted => admitted,
        }
    }

    /// A replica compares a span with ours. Its marks are ours from now on, where they are higher.
    pub(super) fn digest_asked(
        &mut self,
        cx: &mut Context<'_>,
        (from, req, at): (HostId, ReqId, RosterVersion),
        (span, parts): (Span, u16),
        marks: &Marks,
    ) {
        // A replica-to-be that had a head start compares what it has with ours before it asks for the rest.
        let moves = self
            .roster
            .as_ref()
            .is_some_and(|roster| roster.is_moving() && roster.old().holds(self.me, span.to));
        let may = if moves {
            self.admit(at, None)
        } else {
            self.may_compare(at)
        };
        match may {
            Ok(()) => {
                self.marks_heard(cx, span, marks);
                let next = Next::Digests {
                    to: from,
                    req,
                    span,
                };
                self.store(cx, Op::Digests { span, parts }, next);
            }
            Err(refusal) => self.send_digests(cx, from, req, span, Err(refusal)),
        }
    }

    fn send_digests(
        &mut self,
        cx: &mut Context<'_>,
        to: HostId,
        req: ReqId,
        span: Span,
        result: Result<Vec<crate::store::Digest>, Refusal>,
    ) {
        let marks = if result.is_ok() {
            self.marks.only(span)
        } else {
            Marks::default()
        };
        self.send(cx, to, KeepMessage::DigestsAre { req, marks, result });
    }

    /// A replica wants our keys and versions in a small span.
    pub(super) fn list_asked(
        &mut self,
        cx: &mut Context<'_>,
        (from, req, at): (HostId, ReqId, RosterVersion),
        span: Span,
        (after, whole): (Option<Key>, bool),
    ) {
        let may = if whole {
            self.may_compare(at)
        } else {
            self.admit(at, None)
        };
        match may {
            Ok(()) => {
                let page = self.page(span, after);
                self.store(cx, Op::List(page), Next::List { to: from, req });
            }
            Err(refusal) => self.send(
                cx,
                from,
                KeepMessage::ListIs {
                    req,
                    result: Err(refusal),
                },
            ),
        }
    }

    pub(super) fn stored_digests(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (to, req): (HostId, ReqId),
        span: Span,
    ) {
        let result = if let Done::Digests(digests) = done {
            Ok(digests)
        } else {
            Err(refusal(done))
        };
        self.send_digests(cx, to, req, span, result);
    }

    pub(super) fn stored_list(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (to, req): (HostId, ReqId),
    ) {
        let result = if let Done::List(list, more) = done {
            Ok((list, more))
        } else {
            Err(refusal(done))
        };
        self.send(cx, to, KeepMessage::ListIs { req, result });
    }
}
