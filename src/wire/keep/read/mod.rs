//! Header and body become a message between hosts, if they are one.
//!
//! Here is which parts a kind of message has; how a part is read stands in `parts`. A kind that is none of the first
//! table's is looked for in the next:
//!
//! ```text
//! about_data ──> about_rosters ──> about_spans ──> about_hosts ──> not known here
//! Ask, Write …   Gossip, Prepare … Pull, ListAsk … MarksAsk, ChoreIs …
//! ```

mod parts;

use bytes::Bytes;

use super::KeepHeader;
use super::ops::read_report;
use crate::message::{KeepMessage, ReqId};
use crate::placement::HostId;
use crate::roster::{MAX_ROSTER_VERSION, RosterVersion};
use crate::wire::WireError;
use crate::wire::body::{read_changes, read_marks};
use crate::wire::error::within;
use crate::wire::kind::Kind;

use parts::stamp;

/// A frame's header and body on their way to becoming a message.
pub(in crate::wire) struct Reader {
    header: KeepHeader,
    body: Bytes,
}

impl Reader {
    pub(in crate::wire) fn new(header: KeepHeader, body: Bytes) -> Reader {
        Reader { header, body }
    }

    /// The message, if nothing is left over.
    pub(in crate::wire) fn read(mut self, kind: Kind) -> Result<KeepMessage, WireError> {
        let (req, at) = (ReqId(self.header.req), RosterVersion(self.header.at));
        within("a roster version", at.0, MAX_ROSTER_VERSION)?;
        let message = self.about_data(kind, req, at)?;
        if self.body.is_empty() {
            Ok(message)
        } else {
            Err(WireError::Extra(self.body.len()))
        }
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the other kinds stand in the next table, or are none of a host's"
)]
impl Reader {
    /// Requests about a key, and their answers.
    fn about_data(
        &mut self,
        kind: Kind,
        req: ReqId,
        at: RosterVersion,
    ) -> Result<KeepMessage, WireError> {
        use KeepMessage as M;
        Ok(match kind {
            Kind::Ask => M::Ask {
                req,
                at,
                want: self.want()?,
                key: self.key()?,
            },
            Kind::Answer => M::Answer {
                req,
                at,
                mark: self.mark()?,
                result: self.result(Reader::answered)?,
            },
            Kind::Write => M::Write {
                req,
                at,
                road: self.road()?,
                record: self.record()?,
            },
            Kind::Wrote => M::Wrote {
                req,
                at,
                result: self.result(Reader::held)?,
            },
            Kind::AskPiece => M::AskPiece {
                req,
                key: self.key()?,
                version: self.version()?,
                index: self.header.index,
            },
            Kind::PieceIs => M::PieceIs {
                req,
                version: self.version()?,
                index: self.header.index,
                bytes: self.piece()?,
            },
            _ => return self.about_rosters(kind, req, at),
        })
    }

    /// Which roster there is, and agreement on the next.
    fn about_rosters(
        &mut self,
        kind: Kind,
        req: ReqId,
        at: RosterVersion,
    ) -> Result<KeepMessage, WireError> {
        use KeepMessage as M;
        Ok(match kind {
            Kind::Gossip => M::Gossip {
                version: at,
                wall: self.wall()?,
                view: self.view(),
            },
            Kind::RosterAsk => M::RosterAsk { have: at },
            Kind::RosterIs => M::RosterIs(self.roster()?),
            Kind::RosterHave => M::RosterHave { version: at },
            Kind::Prepare => M::Prepare {
                version: at,
                ballot: self.ballot()?,
            },
            Kind::Promise => M::Promise {
                version: at,
                accepted: self.accepted()?,
                ballot: self.ballot()?,
            },
            Kind::Propose => M::Propose {
                ballot: self.ballot()?,
                roster: self.roster()?,
            },
            Kind::Accepted => M::Accepted {
                version: at,
                ballot: self.ballot()?,
            },
            Kind::Rejected => M::Rejected {
                version: at,
                promised: self.ballot()?,
            },
            Kind::ChangeAsk => M::ChangeAsk {
                req,
                changes: read_changes(&mut self.body)?,
            },
            Kind::ChangeIs => M::ChangeIs {
                req,
                result: self.header.text.take().map_or(Ok(at), Err),
            },
            _ => return self.about_spans(kind, req, at),
        })
    }

    /// Moving and comparing what lies in a span.
    fn about_spans(
        &mut self,
        kind: Kind,
        req: ReqId,
        at: RosterVersion,
    ) -> Result<KeepMessage, WireError> {
        use KeepMessage as M;
        Ok(match kind {
            Kind::Pull => M::Pull {
                all: self.header.more,
                req,
                at,
                span: self.span()?,
                after: self.optional_key()?,
            },
            Kind::Chunk => M::Chunk {
                req,
                at,
                result: self.result(|reader| Ok((reader.records()?, reader.header.more)))?,
            },
            Kind::MoveAsk => M::MoveAsk { at },
            Kind::MoveIs => M::MoveIs {
                at,
                progress: self.progress()?,
            },
            Kind::DigestAsk => M::DigestAsk {
                req,
                at,
                span: self.span()?,
                parts: self.parts()?,
                marks: read_marks(&mut self.body)?,
            },
            Kind::DigestsAre => self.digests_are(req)?,
            Kind::ListAsk => M::ListAsk {
                req,
                at,
                span: self.span()?,
                after: self.optional_key()?,
                whole: within("who is asked", self.header.code, 1)? == 0,
            },
            Kind::ListIs => M::ListIs {
                req,
                result: self.result(|reader| Ok((reader.versions()?, reader.header.more)))?,
            },
            _ => return self.about_hosts(kind, req, at),
        })
    }

    /// Who seems down, fences and floors, chores.
    fn about_hosts(
        &mut self,
        kind: Kind,
        req: ReqId,
        at: RosterVersion,
    ) -> Result<KeepMessage, WireError> {
        use KeepMessage as M;
        Ok(match kind {
            Kind::SuspectAsk => M::SuspectAsk {
                at,
                host: HostId(self.header.host),
            },
            Kind::SuspectIs => M::SuspectIs {
                at,
                host: HostId(self.header.host),
            },
            Kind::Health => M::Health {
                well: self.header.more,
            },
            Kind::MarksAsk => M::MarksAsk { at },
            Kind::MarksAre => M::MarksAre {
                at,
                result: self.result(Reader::marks_are)?,
            },
            Kind::RoundAsk => M::RoundAsk {
                req,
                at,
                span: self.span()?,
                upto: stamp(self.header.fence)?,
                step: self.step()?,
            },
            Kind::RoundIs => M::RoundIs {
                req,
                at,
                result: self.result(|_| Ok(()))?,
            },
            Kind::ChoreAsk => M::ChoreAsk {
                req,
                chore: self
                    .header
                    .chore
                    .take()
                    .ok_or(WireError::Missing("chore"))?
                    .read()?,
            },
            Kind::ChoreIs => M::ChoreIs {
                req,
                report: read_report(&mut self.body)?,
            },
            other => return Err(WireError::Kind(other as u8)),
        })
    }
}
