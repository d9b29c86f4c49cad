//! The parts of a header, and how each is put into it.

use super::Parts;
use crate::keyspace::Span;
use crate::message::{Answered, Ballot, MoveProgress, Refusal, ReqId, Road, Step, Want};
use crate::placement::HostId;
use crate::record::{Key, Summary, Version};
use crate::roster::RosterVersion;
use crate::wire::body::{Body, RecordPb, len_u32};
use crate::wire::keep::{KeepHeader, MAX_TEXT_BYTES, ProgressPb, RefusalCase, RefusalPb};
use crate::wire::kind::Kind;

/// A header that names a question and a roster.
pub(super) fn head(req: &ReqId, at: &RosterVersion) -> KeepHeader {
    KeepHeader {
        req: req.0,
        ..about(at)
    }
}

/// A header that names a question only.
pub(super) fn question(req: &ReqId) -> KeepHeader {
    head(req, &RosterVersion::NONE)
}

/// A header that names a roster only.
pub(super) fn about(at: &RosterVersion) -> KeepHeader {
    KeepHeader {
        at: at.0,
        ..KeepHeader::default()
    }
}

/// What several kinds of message name.
impl KeepHeader {
    pub(super) fn host(self, host: &HostId) -> KeepHeader {
        KeepHeader {
            host: host.0,
            ..self
        }
    }

    pub(super) fn key(self, key: Option<&Key>) -> KeepHeader {
        KeepHeader {
            key_len: key.map(|key| len_u32(key.bytes().len())),
            ..self
        }
    }

    pub(super) fn code(self, code: u32) -> KeepHeader {
        KeepHeader { code, ..self }
    }

    pub(super) fn more(self, more: bool) -> KeepHeader {
        KeepHeader { more, ..self }
    }

    pub(super) fn piece(self, version: &Version, index: u32) -> KeepHeader {
        KeepHeader {
            version: Some((*version).into()),
            index,
            ..self
        }
    }

    pub(super) fn ballot(self, ballot: &Ballot) -> KeepHeader {
        KeepHeader {
            ballot: Some((*ballot).into()),
            ..self
        }
    }

    pub(super) fn span(self, span: &Span) -> KeepHeader {
        KeepHeader {
            span: Some((*span).into()),
            ..self
        }
    }

    pub(super) fn parts(self, parts: u32) -> KeepHeader {
        KeepHeader { parts, ..self }
    }
}

pub(super) fn key_body(key: Option<&Key>) -> Body<'_> {
    key.map_or(Body::Nothing, |key| Body::Bytes(key.bytes()))
}

/// At most [`MAX_TEXT_BYTES`] of a text, cut between characters.
pub(in crate::wire::keep) fn short_text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Writes a result: what is good by `good`, a refusal always alike.
pub(super) fn result<'a, T>(
    kind: Kind,
    header: KeepHeader,
    result: &'a Result<T, Refusal>,
    good: impl FnOnce(KeepHeader, &'a T) -> (KeepHeader, Body<'a>),
) -> Parts<'a> {
    let (header, body) = match result {
        Ok(value) => good(header, value),
        Err(refusal) => refused(header, refusal),
    };
    (kind, header, body)
}

pub(super) fn refused(header: KeepHeader, refusal: &Refusal) -> (KeepHeader, Body<'_>) {
    let (case, body) = match refusal {
        Refusal::Behind(version) => (RefusalCase::Behind(version.0), Body::Nothing),
        Refusal::Ahead(roster) => (RefusalCase::Ahead(true), Body::Roster(roster)),
        Refusal::NotMine => (RefusalCase::NotMine(true), Body::Nothing),
        Refusal::Below => (RefusalCase::Below(true), Body::Nothing),
        Refusal::Incomplete => (RefusalCase::Incomplete(true), Body::Nothing),
        Refusal::Doubts => (RefusalCase::Doubts(true), Body::Nothing),
        Refusal::Store(text) => (RefusalCase::Store(short_text(text)), Body::Nothing),
    };
    let header = KeepHeader {
        refusal: Some(RefusalPb { case: Some(case) }),
        ..header
    };
    (header, body)
}

pub(super) fn want_code(want: Want) -> u32 {
    match want {
        Want::Versions => 0,
        Want::Value => 1,
    }
}

pub(super) fn road_code(road: Road) -> u32 {
    match road {
        Road::Request => 0,
        Road::WriteBack => 1,
        Road::Hint => 2,
        Road::Repair => 3,
    }
}

pub(super) fn step_code(step: Step) -> u32 {
    match step {
        Step::Ready => 0,
        Step::Fence => 1,
        Step::Floor => 2,
    }
}

/// What a replica holds.
pub(super) fn summarized<'a>(header: KeepHeader, held: &Summary) -> (KeepHeader, Body<'a>) {
    let header = KeepHeader {
        summary: Some(held.into()),
        ..header
    };
    (header, Body::Nothing)
}

/// What a question for versions or for the value is answered with.
pub(super) fn answered(header: KeepHeader, answered: &Answered) -> (KeepHeader, Body<'_>) {
    match answered {
        Answered::Versions(summary) => summarized(header, summary),
        Answered::Cells(cells) => {
            let header = KeepHeader {
                record: Some(RecordPb::of(0, cells)),
                ..header
            };
            (header, Body::Cells(cells))
        }
    }
}

impl From<&MoveProgress> for ProgressPb {
    fn from(progress: &MoveProgress) -> ProgressPb {
        ProgressPb {
            pieces: progress.pieces,
            complete: progress.complete,
            records: progress.records,
            bytes: progress.bytes,
            waiting_for: progress.waiting_for.map(|host| host.0),
            full: progress.full,
        }
    }
}
