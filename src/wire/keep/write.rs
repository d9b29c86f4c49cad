//! A message between hosts becomes header and body.

use super::ops::write_report;
use super::{KeepHeader, MAX_TEXT_BYTES, ProgressPb, RefusalCase, RefusalPb};
use crate::message::{Answered, KeepMessage, MoveProgress, Refusal, ReqId, Road, Step, Want};
use crate::placement::HostId;
use crate::record::Key;
use crate::roster::RosterVersion;
use crate::wire::body::{Body, RecordPb, len_u32};
use crate::wire::frame::Kind;

/// A header that names a question and a roster.
fn head(req: ReqId, at: RosterVersion) -> KeepHeader {
    KeepHeader {
        req: req.0,
        at: at.0,
        ..KeepHeader::default()
    }
}

/// A header that names a roster only.
fn about(at: RosterVersion) -> KeepHeader {
    head(ReqId(0), at)
}

/// A header that names a roster and a host.
fn named(at: RosterVersion, host: HostId) -> KeepHeader {
    KeepHeader {
        host: host.0,
        ..about(at)
    }
}

fn key_len(key: &Key) -> Option<u32> {
    Some(len_u32(key.bytes().len()))
}

fn optional_key(key: Option<&Key>) -> Body<'_> {
    key.map_or(Body::Nothing, |key| Body::Bytes(key.bytes()))
}

/// At most [`MAX_TEXT_BYTES`] of a text, cut between characters.
pub(super) fn short_text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Writes a result: what is good by `good`, a refusal always alike.
fn result<'a, T>(
    header: KeepHeader,
    result: &'a Result<T, Refusal>,
    good: impl FnOnce(KeepHeader, &'a T) -> (KeepHeader, Body<'a>),
) -> (KeepHeader, Body<'a>) {
    let (case, body) = match result {
        Ok(value) => return good(header, value),
        Err(Refusal::Behind(version)) => (RefusalCase::Behind(version.0), Body::Nothing),
        Err(Refusal::Ahead(roster)) => (RefusalCase::Ahead(true), Body::Roster(roster)),
        Err(Refusal::NotMine) => (RefusalCase::NotMine(true), Body::Nothing),
        Err(Refusal::Below) => (RefusalCase::Below(true), Body::Nothing),
        Err(Refusal::Incomplete) => (RefusalCase::Incomplete(true), Body::Nothing),
        Err(Refusal::Store(text)) => (RefusalCase::Store(short_text(text)), Body::Nothing),
    };
    (
        KeepHeader {
            refusal: Some(RefusalPb { case: Some(case) }),
            ..header
        },
        body,
    )
}

/// A message as kind, header (without the envelope's names) and body.
#[allow(
    clippy::too_many_lines,
    reason = "a table: one arm for each kind of message"
)]
pub(in crate::wire) fn write(message: &KeepMessage) -> (Kind, KeepHeader, Body<'_>) {
    use KeepMessage as M;
    match message {
        M::Ask { req, at, key, want } => {
            let code = match want {
                Want::Versions => 0,
                Want::Value => 1,
            };
            (
                Kind::Ask,
                KeepHeader {
                    key_len: key_len(key),
                    code,
                    ..head(*req, *at)
                },
                Body::Bytes(key.bytes()),
            )
        }
        M::Answer {
            req,
            at,
            mark,
            result: answer,
        } => {
            let header = KeepHeader {
                fence: mark.fence.0,
                floor: mark.floor.0,
                ..head(*req, *at)
            };
            let (header, body) = result(header, answer, answered);
            (Kind::Answer, header, body)
        }
        M::Write {
            req,
            at,
            record,
            road,
        } => {
            let code = match road {
                Road::Request => 0,
                Road::WriteBack => 1,
                Road::Hint => 2,
                Road::Repair => 3,
            };
            let header = KeepHeader {
                code,
                record: Some(RecordPb::new(record)),
                ..head(*req, *at)
            };
            (
                Kind::Write,
                header,
                Body::Record(&record.key, &record.cells),
            )
        }
        M::Wrote {
            req,
            at,
            result: held,
        } => {
            let (header, body) = result(head(*req, *at), held, |header, held| {
                (
                    KeepHeader {
                        summary: Some(held.into()),
                        ..header
                    },
                    Body::Nothing,
                )
            });
            (Kind::Wrote, header, body)
        }
        M::AskPiece {
            req,
            key,
            version,
            index,
        } => {
            let header = KeepHeader {
                key_len: key_len(key),
                version: Some((*version).into()),
                index: *index,
                ..head(*req, RosterVersion::NONE)
            };
            (Kind::AskPiece, header, Body::Bytes(key.bytes()))
        }
        M::PieceIs {
            req,
            version,
            index,
            bytes,
        } => {
            let header = KeepHeader {
                version: Some((*version).into()),
                index: *index,
                more: bytes.is_some(),
                ..head(*req, RosterVersion::NONE)
            };
            (
                Kind::PieceIs,
                header,
                bytes.as_ref().map_or(Body::Nothing, Body::Piece),
            )
        }
        M::Gossip {
            version,
            wall,
            view,
        } => (
            Kind::Gossip,
            KeepHeader {
                wall: wall.0,
                view_roster: view.roster,
                view_routes: view.routes,
                ..about(*version)
            },
            Body::Nothing,
        ),
        M::RosterAsk { have } => (Kind::RosterAsk, about(*have), Body::Nothing),
        M::RosterIs(roster) => (Kind::RosterIs, about(roster.version), Body::Roster(roster)),
        M::RosterHave { version } => (Kind::RosterHave, about(*version), Body::Nothing),
        M::Prepare { version, ballot } => (
            Kind::Prepare,
            KeepHeader {
                ballot: Some((*ballot).into()),
                ..about(*version)
            },
            Body::Nothing,
        ),
        M::Promise {
            version,
            ballot,
            accepted,
        } => {
            let before = accepted.as_ref().map(|(ballot, _)| (*ballot).into());
            let header = KeepHeader {
                ballot: Some((*ballot).into()),
                accepted: before,
                ..about(*version)
            };
            (
                Kind::Promise,
                header,
                accepted
                    .as_ref()
                    .map_or(Body::Nothing, |(_, roster)| Body::Roster(roster)),
            )
        }
        M::Propose { ballot, roster } => {
            let header = KeepHeader {
                ballot: Some((*ballot).into()),
                ..about(roster.version)
            };
            (Kind::Propose, header, Body::Roster(roster))
        }
        M::Accepted { version, ballot } => (
            Kind::Accepted,
            KeepHeader {
                ballot: Some((*ballot).into()),
                ..about(*version)
            },
            Body::Nothing,
        ),
        M::Rejected { version, promised } => (
            Kind::Rejected,
            KeepHeader {
                ballot: Some((*promised).into()),
                ..about(*version)
            },
            Body::Nothing,
        ),
        M::ChangeAsk { req, changes } => (
            Kind::ChangeAsk,
            head(*req, RosterVersion::NONE),
            Body::Changes(changes),
        ),
        M::ChangeIs {
            req,
            result: Ok(version),
        } => (Kind::ChangeIs, head(*req, *version), Body::Nothing),
        M::ChangeIs {
            req,
            result: Err(text),
        } => {
            let header = KeepHeader {
                text: Some(short_text(text)),
                ..head(*req, RosterVersion::NONE)
            };
            (Kind::ChangeIs, header, Body::Nothing)
        }
        M::Pull {
            req,
            at,
            span,
            after,
            all,
        } => {
            let (span, after) = (Some((*span).into()), after.as_ref());
            let header = KeepHeader {
                more: *all,
                span,
                key_len: after.and_then(key_len),
                ..head(*req, *at)
            };
            (Kind::Pull, header, optional_key(after))
        }
        M::Chunk {
            req,
            at,
            result: chunk,
        } => {
            let (header, body) = result(head(*req, *at), chunk, |header, (records, more)| {
                (
                    KeepHeader {
                        more: *more,
                        ..header
                    },
                    Body::Records(records),
                )
            });
            (Kind::Chunk, header, body)
        }
        M::SuspectAsk { at, host } => (Kind::SuspectAsk, named(*at, *host), Body::Nothing),
        M::SuspectIs { at, host } => (Kind::SuspectIs, named(*at, *host), Body::Nothing),
        M::Health { well } => {
            let header = KeepHeader {
                more: *well,
                ..about(RosterVersion::NONE)
            };
            (Kind::Health, header, Body::Nothing)
        }
        M::MoveAsk { at } => (Kind::MoveAsk, about(*at), Body::Nothing),
        M::MoveIs { at, progress } => (
            Kind::MoveIs,
            KeepHeader {
                progress: Some(progress.into()),
                ..about(*at)
            },
            Body::Nothing,
        ),
        M::DigestAsk {
            req,
            at,
            span,
            parts,
            marks,
        } => {
            let header = KeepHeader {
                span: Some((*span).into()),
                parts: u32::from(*parts),
                ..head(*req, *at)
            };
            (Kind::DigestAsk, header, Body::Marks(marks))
        }
        M::DigestsAre {
            req,
            marks,
            result: digests,
        } => {
            let head = head(*req, RosterVersion::NONE);
            let (header, body) = result(head, digests, |head, digests| {
                let header = KeepHeader {
                    parts: len_u32(digests.len()),
                    ..head
                };
                (header, Body::Digests(digests, marks))
            });
            (Kind::DigestsAre, header, body)
        }
        M::ListAsk {
            req,
            at,
            span,
            after,
            whole,
        } => {
            let (span, after) = (Some((*span).into()), after.as_ref());
            let header = KeepHeader {
                code: u32::from(!*whole),
                span,
                key_len: after.and_then(key_len),
                ..head(*req, *at)
            };
            (Kind::ListAsk, header, optional_key(after))
        }
        M::ChoreAsk { req, chore } => {
            let header = KeepHeader {
                chore: Some(chore.into()),
                ..head(*req, RosterVersion::NONE)
            };
            (Kind::ChoreAsk, header, Body::Nothing)
        }
        M::ChoreIs { req, report } => {
            let header = head(*req, RosterVersion::NONE);
            (Kind::ChoreIs, header, Body::Owned(write_report(report)))
        }
        M::ListIs { req, result: list } => {
            let (header, body) = result(
                head(*req, RosterVersion::NONE),
                list,
                |header, (keys, more)| {
                    (
                        KeepHeader {
                            more: *more,
                            ..header
                        },
                        Body::Versions(keys),
                    )
                },
            );
            (Kind::ListIs, header, body)
        }
        M::MarksAsk { at } => (Kind::MarksAsk, about(*at), Body::Nothing),
        M::MarksAre { at, result: marks } => {
            let (header, body) = result(about(*at), marks, |header, (marks, lacking)| {
                let header = KeepHeader {
                    parts: len_u32(lacking.len()),
                    ..header
                };
                (header, Body::Lacking(lacking, marks))
            });
            (Kind::MarksAre, header, body)
        }
        M::RoundAsk {
            req,
            at,
            span,
            upto,
            step,
        } => {
            let code = match step {
                Step::Ready => 0,
                Step::Fence => 1,
                Step::Floor => 2,
            };
            let header = KeepHeader {
                span: Some((*span).into()),
                fence: upto.0,
                code,
                ..head(*req, *at)
            };
            (Kind::RoundAsk, header, Body::Nothing)
        }
        M::RoundIs {
            req,
            at,
            result: done,
        } => {
            let (header, body) =
                result(head(*req, *at), done, |header, ()| (header, Body::Nothing));
            (Kind::RoundIs, header, body)
        }
    }
}

/// What a question for versions or for the value is answered with.
fn answered(header: KeepHeader, answered: &Answered) -> (KeepHeader, Body<'_>) {
    match answered {
        Answered::Versions(summary) => (
            KeepHeader {
                summary: Some(summary.into()),
                ..header
            },
            Body::Nothing,
        ),
        Answered::Cells(cells) => (
            KeepHeader {
                record: Some(RecordPb::of(0, cells)),
                ..header
            },
            Body::Cells(cells),
        ),
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
