//! The parts of a message between hosts, read one by one.
//!
//! *Hold this true*: a part that a kind must have and that is not there is an error, and so is a number beyond what it
//! can mean: what is read may be counted on.

use std::sync::Arc;

use bytes::Bytes;

use super::Reader;
use crate::keyspace::Span;
use crate::message::{
    Answered, Ballot, KeepMessage, MAX_LACKING, MoveProgress, Refusal, ReqId, Road, Step, View,
    Want,
};
use crate::record::{Key, Mark, Marks, PIECE_BYTES, Record, Stamp, Summary, Version, WallMs};
use crate::roster::{MAX_ROSTER_VERSION, Roster, RosterVersion};
use crate::wire::WireError;
use crate::wire::body::{
    MAX_DIGESTS, SPAN_BYTES, read_digests, read_key, read_marks, read_records, read_spans,
    read_versions,
};
use crate::wire::error::within;
use crate::wire::frame::MAX_LIST_FRAME_BYTES;
use crate::wire::keep::RefusalCase;
use crate::wire::schema::MAX_WALL_MS;

impl Reader {
    /// What is good by `good`, unless a refusal is there.
    pub(super) fn result<T>(
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
                RefusalCase::Doubts(_) => Refusal::Doubts,
            },
        ))
    }

    pub(super) fn answered(&mut self) -> Result<Answered, WireError> {
        match (self.header.summary, self.header.record.take()) {
            (Some(summary), None) => Ok(Answered::Versions(summary.read()?)),
            (None, Some(record)) => Ok(Answered::Cells(record.read_cells(&mut self.body)?)),
            (None, None) => Err(WireError::Missing("answer")),
            (Some(_), Some(_)) => Err(WireError::Missing("one answer, but two")),
        }
    }

    pub(super) fn road(&self) -> Result<Road, WireError> {
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

    pub(super) fn step(&self) -> Result<Step, WireError> {
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

    pub(super) fn mark(&self) -> Result<Mark, WireError> {
        let (fence, floor) = (stamp(self.header.fence)?, stamp(self.header.floor)?);
        within("a floor", floor.0, fence.0)?;
        Ok(Mark { fence, floor })
    }

    /// So many spans for which marks are lacking, then marks.
    pub(super) fn marks_are(&mut self) -> Result<(Marks, Vec<Span>), WireError> {
        let count = within("spans without marks", self.header.parts, MAX_LACKING as u64)?;
        let bytes = count as usize * SPAN_BYTES;
        if bytes > self.body.len() {
            return Err(WireError::Missing("spans"));
        }
        let lacking = read_spans(&self.body.split_to(bytes));
        Ok((read_marks(&mut self.body)?, lacking))
    }

    /// So many digests, then marks.
    pub(super) fn digests_are(&mut self, req: ReqId) -> Result<KeepMessage, WireError> {
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

    pub(super) fn optional_key(&mut self) -> Result<Option<Key>, WireError> {
        self.header
            .key_len
            .map(|len| read_key(&mut self.body, len))
            .transpose()
    }

    pub(super) fn key(&mut self) -> Result<Key, WireError> {
        self.optional_key()?.ok_or(WireError::Missing("key"))
    }

    pub(super) fn piece(&mut self) -> Result<Option<Bytes>, WireError> {
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

    pub(super) fn records(&mut self) -> Result<Vec<Record>, WireError> {
        within(
            "the length of a chunk",
            self.body.len() as u64,
            MAX_LIST_FRAME_BYTES as u64,
        )?;
        read_records(&mut self.body)
    }

    pub(super) fn version(&self) -> Result<Version, WireError> {
        self.header
            .version
            .ok_or(WireError::Missing("version"))?
            .read()
    }

    pub(super) fn versions(&mut self) -> Result<Vec<(Key, Summary)>, WireError> {
        within(
            "the length of a list",
            self.body.len() as u64,
            MAX_LIST_FRAME_BYTES as u64,
        )?;
        read_versions(&mut self.body)
    }

    /// The roster that is the whole body.
    pub(super) fn roster(&mut self) -> Result<Arc<Roster>, WireError> {
        let bytes = std::mem::take(&mut self.body);
        Ok(Arc::new(Roster::decode(&bytes)?))
    }

    pub(super) fn ballot(&self) -> Result<Ballot, WireError> {
        self.header
            .ballot
            .ok_or(WireError::Missing("ballot"))?
            .read()
    }

    pub(super) fn span(&self) -> Result<Span, WireError> {
        self.header.span.ok_or(WireError::Missing("span"))?.read()
    }

    pub(super) fn parts(&self) -> Result<u16, WireError> {
        let parts = within("a number of parts", self.header.parts, MAX_DIGESTS)?;
        if parts == 0 {
            return Err(WireError::Missing("number of parts"));
        }
        Ok(u16::try_from(parts).unwrap_or(u16::MAX))
    }

    pub(super) fn progress(&self) -> Result<MoveProgress, WireError> {
        let read = self.header.progress.ok_or(WireError::Missing("progress"))?;
        Ok(read.into())
    }

    pub(super) fn want(&self) -> Result<Want, WireError> {
        match within("what is wanted", self.header.code, 1)? {
            0 => Ok(Want::Versions),
            _ => Ok(Want::Value),
        }
    }

    pub(super) fn record(&mut self) -> Result<Record, WireError> {
        let record = self.header.record.take();
        let record = record.ok_or(WireError::Missing("record"))?;
        record.read(&mut self.body)
    }

    /// What a replica holds.
    pub(super) fn held(&mut self) -> Result<Summary, WireError> {
        let held = self.header.summary;
        held.ok_or(WireError::Missing("versions"))?.read()
    }

    pub(super) fn wall(&self) -> Result<WallMs, WireError> {
        within("a wall time", self.header.wall, MAX_WALL_MS).map(WallMs)
    }

    pub(super) fn view(&self) -> View {
        View {
            roster: self.header.view_roster,
            routes: self.header.view_routes,
            late: self.header.view_late,
        }
    }

    /// What an acceptor has accepted before: the roster is the body.
    pub(super) fn accepted(&mut self) -> Result<Option<(Ballot, Arc<Roster>)>, WireError> {
        let Some(ballot) = self.header.accepted else {
            return Ok(None);
        };
        Ok(Some((ballot.read()?, self.roster()?)))
    }
}

/// A fence or a floor; stamps are drawn above it.
pub(super) fn stamp(read: u64) -> Result<Stamp, WireError> {
    let stamp = Stamp(read);
    within("the wall time of a fence", stamp.wall().0, MAX_WALL_MS)?;
    Ok(stamp)
}
