//! What a replica does in a round of collection, when the first replica of the span asks it.
//!
//! ```text
//! ready?   could you take part?          it is whole, under that very roster, and the span is the asker's
//! fence    durably, then said            from here on it refuses what lies at or below it
//! floor    durably, then said            … and drops what was deleted or had expired by then
//! ```
//!
//! Each step may be asked again: stamps only rise.

use crate::keyspace::Span;
use crate::message::{KeepMessage, Refusal, ReqId, Step};
use crate::placement::HostId;
use crate::record::{Mark, Stamp};
use crate::roster::RosterVersion;

use super::then::Next;
use super::{Context, Keeper};

impl Keeper {
    /// The first replica of a span asks for a step.
    pub(super) fn round_asked(
        &mut self,
        cx: &mut Context<'_>,
        (from, req, at): (HostId, ReqId, RosterVersion),
        (span, upto): (Span, Stamp),
        step: Step,
    ) {
        let refusal = self
            .admit(at, None)
            .and_then(|()| self.takes_part(from, span))
            // A fence ahead of our clock would push every stamp ahead with it.
            .and_then(|()| match upto.wall() < cx.now.wall {
                true => Ok(()),
                false => Err(Refusal::Store("its clock is ahead of ours".into())),
            });
        if let Err(refusal) = refusal {
            return self.answer_round(cx, from, (req, at), Err(refusal));
        }
        let next = Next::Marked { to: from, req, at };
        let raised = match step {
            Step::Ready => return self.answer_round(cx, from, (req, at), Ok(())),
            Step::Fence => self.raise_marks(cx, span, Mark::fence(upto), next),
            Step::Floor => self.raise_marks(cx, span, Mark::floor(upto), next),
        };
        if let Err(full) = raised {
            let refusal = Refusal::Store(full.to_string());
            self.answer_round(cx, from, (req, at), Err(refusal));
        }
    }

    /// Only whole replicas take part, and only the first one of just that span leads.
    fn takes_part(&self, leader: HostId, span: Span) -> Result<(), Refusal> {
        let Some(roster) = self.roster.as_deref().filter(|_| self.is_whole()) else {
            return Err(Refusal::Incomplete);
        };
        let membership = roster.new();
        let holders = membership.holders(span.to);
        let known = membership.placement.span_of(span.to) == Some(span);
        if known && holders.first() == Some(&leader) && holders.contains(&self.me) {
            Ok(())
        } else {
            Err(Refusal::NotMine)
        }
    }

    pub(super) fn answer_round(
        &mut self,
        cx: &mut Context<'_>,
        to: HostId,
        (req, at): (ReqId, RosterVersion),
        result: Result<(), Refusal>,
    ) {
        self.send(cx, to, KeepMessage::RoundIs { req, at, result });
    }
}
