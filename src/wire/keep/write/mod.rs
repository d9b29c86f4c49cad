//! A message between hosts becomes header and body.
//!
//! ```text
//! Pull { req: 9, at: v3, span, after: "cat", all: false }
//!   header    question 9, roster 3, span, key of 3 bytes         head(req, at).span(span).key(after)
//!   body      cat
//! ```
//!
//! Most kinds have no body. What a header says stands in the table, kind by kind; how a part is put into it stands once, in
//! `heads`.

mod heads;

use super::KeepHeader;
use super::ops::write_report;
use crate::message::KeepMessage;
use crate::wire::body::{Body, RecordPb, len_u32};
use crate::wire::kind::Kind;

use heads::{
    about, answered, head, key_body, question, result, road_code, step_code, summarized, want_code,
};

pub(super) use heads::short_text;

/// What becomes a frame.
type Parts<'a> = (Kind, KeepHeader, Body<'a>);

/// A message as kind, header (without the envelope's names) and body.
#[allow(
    clippy::too_many_lines,
    reason = "a table: one arm for each kind of message"
)]
pub(in crate::wire) fn write(message: &KeepMessage) -> Parts<'_> {
    use KeepMessage as M;
    let (kind, header) = match message {
        M::Ask { req, at, key, want } => {
            let header = head(req, at).key(Some(key)).code(want_code(*want));
            return (Kind::Ask, header, key_body(Some(key)));
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
                ..head(req, at)
            };
            return result(Kind::Answer, header, answer, answered);
        }
        M::Write {
            req,
            at,
            record,
            road,
        } => {
            let header = KeepHeader {
                record: Some(RecordPb::new(record)),
                ..head(req, at).code(road_code(*road))
            };
            return (
                Kind::Write,
                header,
                Body::Record(&record.key, &record.cells),
            );
        }
        M::Wrote {
            req,
            at,
            result: held,
        } => {
            return result(Kind::Wrote, head(req, at), held, summarized);
        }
        M::AskPiece {
            req,
            key,
            version,
            index,
        } => {
            let header = question(req).key(Some(key)).piece(version, *index);
            return (Kind::AskPiece, header, key_body(Some(key)));
        }
        M::PieceIs {
            req,
            version,
            index,
            bytes,
        } => {
            let header = question(req).piece(version, *index).more(bytes.is_some());
            let body = bytes.as_ref().map_or(Body::Nothing, Body::Piece);
            return (Kind::PieceIs, header, body);
        }
        M::Gossip {
            version,
            wall,
            view,
        } => {
            let header = KeepHeader {
                wall: wall.0,
                view_roster: view.roster,
                view_routes: view.routes,
                view_late: view.late,
                ..about(version)
            };
            (Kind::Gossip, header)
        }
        M::RosterAsk { have } => (Kind::RosterAsk, about(have)),
        M::RosterIs(roster) => {
            return (Kind::RosterIs, about(&roster.version), Body::Roster(roster));
        }
        M::RosterHave { version } => (Kind::RosterHave, about(version)),
        M::Prepare { version, ballot } => (Kind::Prepare, about(version).ballot(ballot)),
        M::Promise {
            version,
            ballot,
            accepted,
        } => {
            let header = KeepHeader {
                accepted: accepted.as_ref().map(|(ballot, _)| (*ballot).into()),
                ..about(version).ballot(ballot)
            };
            let roster = accepted.as_ref().map(|(_, roster)| roster);
            let body = roster.map_or(Body::Nothing, |roster| Body::Roster(roster));
            return (Kind::Promise, header, body);
        }
        M::Propose { ballot, roster } => {
            let header = about(&roster.version).ballot(ballot);
            return (Kind::Propose, header, Body::Roster(roster));
        }
        M::Accepted { version, ballot } => (Kind::Accepted, about(version).ballot(ballot)),
        M::Rejected { version, promised } => (Kind::Rejected, about(version).ballot(promised)),
        M::ChangeAsk { req, changes } => {
            return (Kind::ChangeAsk, question(req), Body::Changes(changes));
        }
        M::ChangeIs { req, result: begun } => {
            let header = match begun {
                Ok(version) => head(req, version),
                Err(text) => KeepHeader {
                    text: Some(short_text(text)),
                    ..question(req)
                },
            };
            (Kind::ChangeIs, header)
        }
        M::Pull {
            req,
            at,
            span,
            after,
            all,
        } => {
            let after = after.as_ref();
            let header = head(req, at).span(span).key(after).more(*all);
            return (Kind::Pull, header, key_body(after));
        }
        M::Chunk {
            req,
            at,
            result: chunk,
        } => {
            return result(
                Kind::Chunk,
                head(req, at),
                chunk,
                |header, (records, more)| (header.more(*more), Body::Records(records)),
            );
        }
        M::SuspectAsk { at, host } => (Kind::SuspectAsk, about(at).host(host)),
        M::SuspectIs { at, host } => (Kind::SuspectIs, about(at).host(host)),
        M::Health { well } => (Kind::Health, KeepHeader::default().more(*well)),
        M::MoveAsk { at } => (Kind::MoveAsk, about(at)),
        M::MoveIs { at, progress } => {
            let header = KeepHeader {
                progress: Some(progress.into()),
                ..about(at)
            };
            (Kind::MoveIs, header)
        }
        M::DigestAsk {
            req,
            at,
            span,
            parts,
            marks,
        } => {
            let header = head(req, at).span(span).parts(u32::from(*parts));
            return (Kind::DigestAsk, header, Body::Marks(marks));
        }
        M::DigestsAre {
            req,
            marks,
            result: digests,
        } => {
            return result(
                Kind::DigestsAre,
                question(req),
                digests,
                |header, digests| {
                    let header = header.parts(len_u32(digests.len()));
                    (header, Body::Digests(digests, marks))
                },
            );
        }
        M::ListAsk {
            req,
            at,
            span,
            after,
            whole,
        } => {
            let after = after.as_ref();
            let header = head(req, at).span(span).key(after).code(u32::from(!*whole));
            return (Kind::ListAsk, header, key_body(after));
        }
        M::ListIs { req, result: list } => {
            return result(Kind::ListIs, question(req), list, |header, (keys, more)| {
                (header.more(*more), Body::Versions(keys))
            });
        }
        M::ChoreAsk { req, chore } => {
            let header = KeepHeader {
                chore: Some(chore.into()),
                ..question(req)
            };
            (Kind::ChoreAsk, header)
        }
        M::ChoreIs { req, report } => {
            return (
                Kind::ChoreIs,
                question(req),
                Body::Owned(write_report(report)),
            );
        }
        M::MarksAsk { at } => (Kind::MarksAsk, about(at)),
        M::MarksAre { at, result: marks } => {
            return result(
                Kind::MarksAre,
                about(at),
                marks,
                |header, (marks, lacking)| {
                    let header = header.parts(len_u32(lacking.len()));
                    (header, Body::Lacking(lacking, marks))
                },
            );
        }
        M::RoundAsk {
            req,
            at,
            span,
            upto,
            step,
        } => {
            let header = KeepHeader {
                fence: upto.0,
                ..head(req, at).span(span).code(step_code(*step))
            };
            (Kind::RoundAsk, header)
        }
        M::RoundIs {
            req,
            at,
            result: done,
        } => {
            return result(Kind::RoundIs, head(req, at), done, |header, ()| {
                (header, Body::Nothing)
            });
        }
    };
    (kind, header, Body::Nothing)
}
