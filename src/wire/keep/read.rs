//! Header and body become a message between hosts, if they are one.

use std::sync::Arc;

use bytes::Bytes;

use super::ops::read_report;
use super::{KeepHeader, RefusalCase};
use crate::keyspace::Span;
use crate::message::{
    Answered, Ballot, KeepMessage, MAX_LACKING, MoveProgress, Refusal, ReqId, Road, Step, View,
    Want,
};
use crate::placement::HostId;
use crate::record::{Key, Mark, Marks, PIECE_BYTES, Record, Stamp, Summary, Version, WallMs};
use crate::roster::{MAX_ROSTER_VERSION, Roster, RosterVersion};
use crate::wire::WireError;
use crate::wire::body::{
    MAX_DIGESTS, SPAN_BYTES, read_changes, read_digests, read_key, read_marks, read_records,
    read_spans, read_versions,
};
use crate::wire::error::within;
use crate::wire::frame::{Kind, MAX_LIST_FRAME_BYTES};
use crate::wire::schema::{BallotPb, MAX_WALL_MS};

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
        let message = self.message(kind)?;
        if self.body.is_empty() {
            Ok(message)
        } else {
            Err(WireError::Extra(self.body.len()))
        }
    }

    #[allow(
        clippy::too_many_lines,
        reason = "a table: one arm for each kind of message"
    )]
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the other kinds are none of a host's"
    )]
    fn message(&mut self, kind: Kind) -> Result<KeepMessage, WireError> {
        use KeepMessage as M;
        let (req, at) = (ReqId(self.header.req), RosterVersion(self.header.at));
        within("a roster version", at.0, MAX_ROSTER_VERSION)?;
        Ok(match kind {
            Kind::Ask => {
                let want = if within("what is wanted", self.header.code, 1)? == 0 {
                    Want::Versions
                } else {
                    Want::Value
                };
                M::Ask {
                    req,
                    at,
                    key: self.key()?,
                    want,
                }
            }
            Kind::Answer => M::Answer {
                req,
                at,
                mark: self.mark()?,
                result: self.result(Reader::answered)?,
            },
            Kind::Write => {
                let road = self.road()?;
                let record = self
                    .header
                    .record
                    .take()
                    .ok_or(WireError::Missing("record"))?;
                M::Write {
                    req,
                    at,
                    record: record.read(&mut self.body)?,
                    road,
                }
            }
            Kind::Wrote => M::Wrote {
                req,
                at,
                result: self.result(|reader| {
                    reader
                        .header
                        .summary
                        .ok_or(WireError::Missing("versions"))?
                        .read()
                })?,
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
            Kind::Gossip => {
                let wall = within("a wall time", self.header.wall, MAX_WALL_MS)?;
                M::Gossip {
                    version: at,
                    wall: WallMs(wall),
                    view: View {
                        roster: self.header.view_roster,
                        routes: self.header.view_routes,
                    },
                }
            }
            Kind::RosterAsk => M::RosterAsk { have: at },
            Kind::RosterIs => M::RosterIs(self.roster()?),
            Kind::RosterHave => M::RosterHave { version: at },
            Kind::Prepare => M::Prepare {
                version: at,
                ballot: self.ballot()?,
            },
            Kind::Promise => {
                let accepted = self.header.accepted.map(BallotPb::read).transpose()?;
                let accepted = accepted.map(|ballot| Ok::<_, WireError>((ballot, self.roster()?)));
                M::Promise {
                    version: at,
                    ballot: self.ballot()?,
                    accepted: accepted.transpose()?,
                }
            }
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

    /// What is good by `good`, unless a refusal is there.
    fn result<T>(
        &mut self,
        good: impl FnOnce(&mut Reader) -> Result<T, WireError>,
    ) -> Result<Result<T, Refusal>, WireError> {
        let Some(refusal) = self.header.refusal.take() else {
            return good(self).map(Ok);
        };
        Ok(Err(
            match refusal
                .case
                .ok_or(WireError::Missing("reason of a refusal"))?
            {
                RefusalCase::Behind(version) => Refusal::Behind(RosterVersion(within(
                    "a roster version",
                    version,
                    MAX_ROSTER_VERSION,
                )?)),
                RefusalCase::Ahead(_) => Refusal::Ahead(self.roster()?),
                RefusalCase::NotMine(_) => Refusal::NotMine,
                RefusalCase::Store(text) => Refusal::Store(text),
                RefusalCase::Below(_) => Refusal::Below,
                RefusalCase::Incomplete(_) => Refusal::Incomplete,
            },
        ))
    }

    fn answered(&mut self) -> Result<Answered, WireError> {
        match (self.header.summary, self.header.record.take()) {
            (Some(summary), None) => Ok(Answered::Versions(summary.read()?)),
            (None, Some(record)) => Ok(Answered::Cells(record.read_cells(&mut self.body)?)),
            (None, None) => Err(WireError::Missing("answer")),
            (Some(_), Some(_)) => Err(WireError::Missing("one answer, but two")),
        }
    }

    fn road(&self) -> Result<Road, WireError> {
        match self.header.code {
            0 => Ok(Road::Request),
            1 => Ok(Road::WriteBack),
            2 => Ok(Road::Hint),
            3 => Ok(Road::Repair),
            code => Err(WireError::Range {
                what: "a road",
                value: code.into(),
                limit: 3,
            }),
        }
    }

    fn step(&self) -> Result<Step, WireError> {
        match self.header.code {
            0 => Ok(Step::Ready),
            1 => Ok(Step::Fence),
            2 => Ok(Step::Floor),
            code => Err(WireError::Range {
                what: "a step",
                value: code.into(),
                limit: 2,
            }),
        }
    }

    fn mark(&self) -> Result<Mark, WireError> {
        let (fence, floor) = (stamp(self.header.fence)?, stamp(self.header.floor)?);
        within("a floor", floor.0, fence.0)?;
        Ok(Mark { fence, floor })
    }

    /// So many spans for which marks are lacking, then marks.
    fn marks_are(&mut self) -> Result<(Marks, Vec<Span>), WireError> {
        let count = within("spans without marks", self.header.parts, MAX_LACKING as u64)?;
        let bytes = count as usize * SPAN_BYTES;
        if bytes > self.body.len() {
            return Err(WireError::Missing("spans"));
        }
        let lacking = read_spans(&self.body.split_to(bytes));
        Ok((read_marks(&mut self.body)?, lacking))
    }

    /// So many digests, then marks.
    fn digests_are(&mut self, req: ReqId) -> Result<KeepMessage, WireError> {
        let mut marks = Marks::default();
        let result = self.result(|reader| {
            let count = within("the number of digests", reader.header.parts, MAX_DIGESTS)?;
            let bytes = usize::try_from(count * 16).unwrap_or(usize::MAX);
            if bytes > reader.body.len() {
                return Err(WireError::Missing("digests"));
            }
            let digests = read_digests(&mut reader.body.split_to(bytes))?;
            marks = read_marks(&mut reader.body)?;
            Ok(digests)
        })?;
        Ok(KeepMessage::DigestsAre { req, marks, result })
    }

    fn optional_key(&mut self) -> Result<Option<Key>, WireError> {
        self.header
            .key_len
            .map(|len| read_key(&mut self.body, len))
            .transpose()
    }

    fn key(&mut self) -> Result<Key, WireError> {
        self.optional_key()?.ok_or(WireError::Missing("key"))
    }

    fn piece(&mut self) -> Result<Option<Bytes>, WireError> {
        within(
            "the length of a piece",
            self.body.len() as u64,
            PIECE_BYTES as u64,
        )?;
        let bytes = std::mem::take(&mut self.body);
        match (self.header.more, bytes.len()) {
            (true, _) => Ok(Some(bytes)),
            (false, 0) => Ok(None),
            (false, len) => Err(WireError::Extra(len)),
        }
    }

    fn records(&mut self) -> Result<Vec<Record>, WireError> {
        within(
            "the length of a chunk",
            self.body.len() as u64,
            MAX_LIST_FRAME_BYTES as u64,
        )?;
        read_records(&mut self.body)
    }

    fn version(&self) -> Result<Version, WireError> {
        self.header
            .version
            .ok_or(WireError::Missing("version"))?
            .read()
    }

    fn versions(&mut self) -> Result<Vec<(Key, Summary)>, WireError> {
        within(
            "the length of a list",
            self.body.len() as u64,
            MAX_LIST_FRAME_BYTES as u64,
        )?;
        read_versions(&mut self.body)
    }

    /// The roster that is the whole body.
    fn roster(&mut self) -> Result<Arc<Roster>, WireError> {
        let bytes = std::mem::take(&mut self.body);
        Ok(Arc::new(Roster::decode(&bytes)?))
    }

    fn ballot(&self) -> Result<Ballot, WireError> {
        self.header
            .ballot
            .ok_or(WireError::Missing("ballot"))?
            .read()
    }

    fn span(&self) -> Result<Span, WireError> {
        self.header.span.ok_or(WireError::Missing("span"))?.read()
    }

    fn parts(&self) -> Result<u16, WireError> {
        let parts = within("a number of parts", self.header.parts, MAX_DIGESTS)?;
        if parts == 0 {
            return Err(WireError::Missing("number of parts"));
        }
        Ok(u16::try_from(parts).unwrap_or(u16::MAX))
    }

    fn progress(&self) -> Result<MoveProgress, WireError> {
        let read = self.header.progress.ok_or(WireError::Missing("progress"))?;
        Ok(read.into())
    }
}

/// A fence or a floor; stamps are drawn above it.
fn stamp(read: u64) -> Result<Stamp, WireError> {
    let stamp = Stamp(read);
    within("the wall time of a fence", stamp.wall().0, MAX_WALL_MS)?;
    Ok(stamp)
}
