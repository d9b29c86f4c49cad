//! Which part takes what arrives: messages, store results, deadlines.

use crate::message::KeepMessage;
use crate::placement::HostId;
use crate::store::Done;

use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    pub(super) fn woken(&mut self, cx: &mut Context<'_>, wake: Wake) {
        match wake {
            Wake::Open(req) => self.open_due(cx, req),
            Wake::Pull(req) => self.pull_due(cx, req),
            Wake::Upload(upload) => self.upload_due(upload),
            Wake::Download(req) => self.download_due(cx, req),
            Wake::Gossip => self.gossip_due(cx),
            Wake::Agree => self.agree_due(cx),
            Wake::Wishes => self.wishes_due(cx),
            Wake::Drive => self.drive_due(cx),
            Wake::Mover => self.mover_due(cx),
            Wake::Join => self.join_due(cx),
            Wake::Hints => self.hints_due(cx),
            Wake::Repair => self.repair_due(cx),
            Wake::Suspect => self.suspect_due(cx),
            Wake::Drain => self.drain_due(cx),
            Wake::Collect => self.collect_due(cx),
            Wake::Round => self.round_due(cx),
            Wake::Ops => self.ops_due(cx),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one line for each message")]
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, from: HostId, message: KeepMessage) {
        if self.start == 0 {
            self.reserve(cx, None);
        }
        if asks_for_data(&message) && self.parks(from, &message) {
            return;
        }
        match message {
            KeepMessage::Ask { req, at, key, want } => self.ask(cx, (from, req, at), key, want),
            KeepMessage::Write {
                req,
                at,
                record,
                road,
            } => self.write(cx, (from, req, at), record, road),
            KeepMessage::Pull {
                req,
                at,
                span,
                after,
                all,
            } => self.pull(cx, (from, req, at), (span, after, all)),
            KeepMessage::DigestAsk {
                req,
                at,
                span,
                parts,
                marks,
            } => self.digest_asked(cx, (from, req, at), (span, parts), &marks),
            KeepMessage::ListAsk {
                req,
                at,
                span,
                after,
                whole,
            } => self.list_asked(cx, (from, req, at), span, (after, whole)),
            KeepMessage::Answer {
                req,
                at,
                mark,
                result,
            } => self.answered(cx, from, (req, at), mark, result),
            KeepMessage::Wrote { req, at, result } => self.wrote(cx, from, req, at, result),
            KeepMessage::AskPiece {
                req,
                key,
                version,
                index,
            } => {
                self.piece_asked(cx, from, (req, index), &key, version);
            }
            KeepMessage::PieceIs {
                req,
                version,
                index,
                bytes,
            } => self.piece_is(cx, from, req, (version, index), bytes),
            KeepMessage::Gossip {
                version,
                wall,
                view,
            } => {
                let is_in = self.roster.as_ref().is_some_and(|roster| roster.has(from));
                if is_in {
                    self.drift.heard(cx.now, from, wall);
                }
                self.view_heard(cx, from, version, view);
                self.gossiped(cx, from, version);
            }
            KeepMessage::RosterAsk { have } => self.roster_asked(cx, from, have),
            KeepMessage::RosterIs(roster) => self.roster_is(cx, Some(from), roster),
            KeepMessage::RosterHave { version } => self.roster_had(cx, from, version),
            KeepMessage::Prepare { version, ballot } => self.prepare(cx, from, version, ballot),
            KeepMessage::Promise {
                version,
                ballot,
                accepted,
            } => {
                self.promised(cx, from, version, ballot, accepted);
            }
            KeepMessage::Propose { ballot, roster } => self.accept(cx, from, ballot, roster),
            KeepMessage::Accepted { version, ballot } => self.accepted(cx, from, version, ballot),
            KeepMessage::Rejected { version, promised } => self.rejected(cx, version, promised),
            KeepMessage::ChangeAsk { req, changes } => self.change_asked(cx, from, req, changes),
            KeepMessage::ChangeIs { req, result } => self.change_is(cx, req, result),
            KeepMessage::Chunk { req, at, result } => self.chunk(cx, from, req, at, result),
            KeepMessage::MoveAsk { at } => self.move_asked(cx, from, at),
            KeepMessage::MoveIs { at, progress } => self.move_is(cx, from, at, progress),
            KeepMessage::DigestsAre { req, result, .. } if self.mover.reqs.contains_key(&req) => {
                self.walked(cx, from, req, result);
            }
            KeepMessage::DigestsAre { req, marks, result } => {
                self.digests_are(cx, req, &marks, result);
            }
            KeepMessage::ListIs { req, result } if self.is_listing(req) => {
                self.listed(cx, from, req, result);
            }
            KeepMessage::ListIs { req, result } => self.list_is(cx, req, result),
            KeepMessage::SuspectAsk { at, host } => self.suspect_asked(cx, from, at, host),
            KeepMessage::SuspectIs { at, host } => self.suspect_is(cx, from, at, host),
            KeepMessage::Health { well } => self.health_is(cx.now.at, from, well),
            KeepMessage::MarksAsk { at } => self.marks_asked(cx, from, at),
            KeepMessage::MarksAre { at, result } => self.marks_are(cx, from, at, result),
            KeepMessage::RoundAsk {
                req,
                at,
                span,
                upto,
                step,
            } => self.round_asked(cx, (from, req, at), (span, upto), step),
            KeepMessage::RoundIs { req, at: _, result } => self.round_is(cx, from, req, result),
            KeepMessage::ChoreAsk { req, chore } => self.chore_asked(cx, from, req, chore),
            KeepMessage::ChoreIs { req, report } => self.chore_is(cx, from, req, report),
        }
    }

    /// A setting that could not be stored: what it was to make durable is neither said nor lived by, and is
    /// tried again when the next message asks for it.
    fn unsaved(&mut self, cx: &mut Context<'_>, next: &Next) -> bool {
        if *next == Next::Life {
            self.reserving = None;
            true
        } else if let Next::Adopted(version) = next {
            self.not_adopted(cx, *version);
            true
        } else if let Next::Learned { at, from } = next {
            self.not_learned(*at, *from);
            true
        } else {
            matches!(
                next,
                Next::Promised { .. } | Next::Accepted { .. } | Next::Marked { .. }
            )
        }
    }

    #[allow(clippy::too_many_lines, reason = "one line for each result")]
    pub(super) fn stored_next(&mut self, cx: &mut Context<'_>, done: Done, next: Next) {
        if let Done::Failed(error) = &done
            && self.unsaved(cx, &next)
        {
            log::error!("{}: {error}; {next:?} is not done", self.me);
            return;
        }
        match next {
            Next::Nothing => {}
            Next::Own(req) => self.own_stored(cx, done, req),
            Next::Answer { to, req, at, id } => self.stored_answer(cx, done, (to, req, at), id),
            Next::Wrote { to, req, at, .. } => self.stored_wrote(cx, done, (to, req, at)),
            Next::Piece {
                to,
                req,
                version,
                index,
            } => self.stored_piece(cx, done, (to, req), version, index),
            Next::Taken(upload, ticket) => self.taken(cx, done, upload, ticket),
            Next::Staged(own) => self.staged(cx, done, own),
            Next::Chunk { to, req, at } => self.stored_chunk(cx, done, (to, req, at)),
            Next::Digests { to, req, span } => self.stored_digests(cx, done, (to, req), span),
            Next::List { to, req } => self.stored_list(cx, done, (to, req)),
            Next::Life => self.life_is_durable(cx),
            Next::Adopted(version) => self.adopted(cx, version),
            Next::Promised {
                to,
                version,
                ballot,
            } => self.promise_is_durable(cx, to, version, ballot),
            Next::Accepted {
                to,
                version,
                ballot,
            } => {
                self.send(cx, to, KeepMessage::Accepted { version, ballot });
            }
            Next::Confirmed {
                at,
                task,
                from,
                req,
                part,
                records,
            } if at == self.mover.at => {
                self.confirmed_part(cx, &done, (task, from, req), (part, records));
            }
            Next::Confirmed { .. } => {}
            Next::Shelved => self.shelved(cx, &done),
            Next::Reviewed => self.reviewed(cx, &done),
            Next::Moved {
                at,
                task,
                from,
                req,
            } => self.moved_record(cx, &done, at, (task, from, req)),
            Next::OwnDigests(req) => self.own_digests(cx, done, req),
            Next::OwnList(req) => self.own_list(cx, done, req),
            Next::Send { to, req, at, key } => self.send_own(cx, done, (to, req, at), key),
            Next::Healed { req, .. } => self.stored_healed(cx, &done, req),
            Next::Learned { at, from } => self.learned(cx, at, from),
            Next::Marked { to, req, at } => self.answer_round(cx, to, (req, at), Ok(())),
            Next::Counted(at, upto) => self.counted(cx, done, (at, upto)),
            Next::Count(req) => self.count_came(cx, done, req),
            Next::Collected(span, floor) => self.collected(cx, &done, (span, floor)),
            Next::Purged => self.dropped(cx, &done),
        }
    }
}

/// Whether a message is a question about data, which waits while a roster is being adopted.
const fn asks_for_data(message: &KeepMessage) -> bool {
    matches!(
        message,
        KeepMessage::Ask { .. }
            | KeepMessage::Write { .. }
            | KeepMessage::Pull { .. }
            | KeepMessage::DigestAsk { .. }
            | KeepMessage::ListAsk { .. }
            | KeepMessage::MarksAsk { .. }
            | KeepMessage::RoundAsk { .. }
    )
}
