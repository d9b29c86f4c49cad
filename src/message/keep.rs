//! What hosts say to keep data: requests, agreement, moves, repair.
//!
//! ```text
//! coordinator            replica
//!   Ask(versions)  -->                    a put asks first …
//!                  <--  Answer(version 6)
//!   Write(7)       -->                    … then stamps once, above all it heard, and writes
//!                  <--  Wrote(held: 7)
//! ```
//!
//! Every request carries the roster version it was made under. A replica serves only its own version:
//! if it is behind it says so, is sent the roster, adopts it durably and is asked again; if it is ahead
//! it returns its roster and the coordinator starts again. Every message may be lost or arrive twice:
//! each question is asked again until its deadline, and each is harmless when repeated.

use std::sync::Arc;

use bytes::Bytes;

use crate::keyspace::Span;
use crate::placement::HostId;
use crate::record::{Key, Mark, Marks, Record, Stamp, Summary, Version, WallMs};
use crate::roster::{Change, Roster, RosterVersion};
use crate::store::Digest;

use super::ops::{Chore, Report, View};
use super::terms::{Answered, Ballot, MoveProgress, Refusal, ReqId, Road, Step, Want};

/// For so many spans at most a host says that it lacks fences and floors; with more of them it says nothing yet.
pub const MAX_LACKING: usize = 8 * 1024;

/// One message between two hosts about data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepMessage {
    /// Coordinator to replica: what do you hold? Answer: [`KeepMessage::Answer`]. Harmless when repeated.
    Ask {
        /// The question.
        req: ReqId,
        /// Under which roster.
        at: RosterVersion,
        /// Of which key.
        key: Key,
        /// Versions, or the value too.
        want: Want,
    },
    /// Replica to coordinator. A late or second one is ignored.
    Answer {
        /// The question.
        req: ReqId,
        /// Under which roster it was answered.
        at: RosterVersion,
        /// Fence and floor of the replica for that key: a stamp must lie above the one, and what was deleted
        /// at or below the other is not there.
        mark: Mark,
        /// The answer.
        result: Result<Answered, Refusal>,
    },
    /// Coordinator, reader, hint keeper or repairer to replica: keep the greater of this and yours.
    /// A bare value is pulled from the sender first. Harmless when repeated.
    Write {
        /// The question.
        req: ReqId,
        /// Under which roster.
        at: RosterVersion,
        /// The key and what to keep under it.
        record: Record,
        /// By which road it comes.
        road: Road,
    },
    /// Replica to sender: this is what I durably hold now.
    Wrote {
        /// The question.
        req: ReqId,
        /// Under which roster it was stored.
        at: RosterVersion,
        /// What it holds, or why it refused.
        result: Result<Summary, Refusal>,
    },
    /// Whoever got a bare value, to whom it came from: give me that piece. Asked again until its deadline.
    AskPiece {
        /// The question.
        req: ReqId,
        /// The key.
        key: Key,
        /// Of which version.
        version: Version,
        /// Which piece, from 0.
        index: u32,
    },
    /// The piece, or none if that version is not here (any more).
    PieceIs {
        /// The question.
        req: ReqId,
        /// Of which version: that alone tells apart pieces of two values, since two hosts may ask under
        /// the same number, and one question may be about many records.
        version: Version,
        /// Which piece.
        index: u32,
        /// Its bytes.
        bytes: Option<Bytes>,
    },

    /// To a neighbour or a random host, every gossip period: this is the roster I have, and my wall clock.
    /// Who has a newer one sends it; who has an older one asks with [`KeepMessage::RosterAsk`].
    Gossip {
        /// The version it has adopted.
        version: RosterVersion,
        /// Its wall clock now.
        wall: WallMs,
        /// How it sees the ring.
        view: View,
    },
    /// Send me your roster if it is newer than mine.
    RosterAsk {
        /// What the asker has.
        have: RosterVersion,
    },
    /// A chosen roster. Whoever it concerns adopts it durably, then says [`KeepMessage::RosterHave`].
    RosterIs(Arc<Roster>),
    /// I have durably adopted this version.
    RosterHave {
        /// Which.
        version: RosterVersion,
    },

    /// Paxos phase 1, proposer to every host of the present roster (Old while moving).
    Prepare {
        /// The version to be chosen.
        version: RosterVersion,
        /// The ballot.
        ballot: Ballot,
    },
    /// Acceptor: I accept nothing below that ballot; this I accepted before. Synced before it is sent.
    Promise {
        /// The version to be chosen.
        version: RosterVersion,
        /// The ballot promised.
        ballot: Ballot,
        /// What it has accepted for that version, and at which ballot.
        accepted: Option<(Ballot, Arc<Roster>)>,
    },
    /// Paxos phase 2: accept this roster at this ballot.
    Propose {
        /// The ballot.
        ballot: Ballot,
        /// The roster; its version is the one to be chosen.
        roster: Arc<Roster>,
    },
    /// Acceptor: accepted. Synced before it is sent.
    Accepted {
        /// The version.
        version: RosterVersion,
        /// The ballot.
        ballot: Ballot,
    },
    /// Acceptor: I have promised a greater ballot. The proposer backs off with jitter and tries above it.
    Rejected {
        /// The version.
        version: RosterVersion,
        /// The ballot promised.
        promised: Ballot,
    },
    /// Anyone to a host of the ring: carry out these changes in one move. Answer: [`KeepMessage::ChangeIs`].
    /// Repeated: the host answers with how the first went on.
    ChangeAsk {
        /// The question.
        req: ReqId,
        /// The batch.
        changes: Vec<Change>,
    },
    /// The version at which the batch began to move, or why it cannot be (in words).
    ChangeIs {
        /// The question.
        req: ReqId,
        /// The outcome.
        result: Result<RosterVersion, String>,
    },

    /// A replica-to-be (staying ones too) to a replica of Old: the next records of that span. The source
    /// answers only under that same Moving roster, durably adopted: so what it says is sealed.
    Pull {
        /// The question.
        req: ReqId,
        /// The Moving roster ([`RosterVersion::NONE`] when links alone hand a span over).
        at: RosterVersion,
        /// Which span.
        span: Span,
        /// Only records after this key.
        after: Option<Key>,
        /// Whether a source will do that is in doubt itself: whoever asks all of them takes what each has.
        all: bool,
    },
    /// A chunk of records (large values bare), and whether more follow.
    Chunk {
        /// The question.
        req: ReqId,
        /// Under which roster.
        at: RosterVersion,
        /// The records and whether more follow, or why not.
        result: Result<(Vec<Record>, bool), Refusal>,
    },
    /// Whoever drives a move to a host with work in it: how far are you?
    MoveAsk {
        /// The Moving roster.
        at: RosterVersion,
    },
    /// The host's progress with that move.
    MoveIs {
        /// The roster it speaks of.
        at: RosterVersion,
        /// How far it is.
        progress: MoveProgress,
    },

    /// Replica to replica: the digests of equal parts of a span, to find what differs.
    DigestAsk {
        /// The question.
        req: ReqId,
        /// Under which roster.
        at: RosterVersion,
        /// Which span.
        span: Span,
        /// Into how many parts.
        parts: u16,
        /// The asker's fences and floors there: whoever has lower ones raises them first.
        marks: Marks,
    },
    /// The digests, in clockwise order.
    DigestsAre {
        /// The question.
        req: ReqId,
        /// The fences and floors of who answers, now at least those of who asked.
        marks: Marks,
        /// The digests, or why not.
        result: Result<Vec<Digest>, Refusal>,
    },
    /// Host to host: the keys and versions in a span, a page of them. Replicas that compare ask each other.
    ListAsk {
        /// The question.
        req: ReqId,
        /// Under which roster.
        at: RosterVersion,
        /// Which span.
        span: Span,
        /// Only keys after this one.
        after: Option<Key>,
        /// Whether a replica answers only if it is whole.
        whole: bool,
    },
    /// Any host to any other: do or tell this. Answer: [`KeepMessage::ChoreIs`]. Repeated: the host tells how far
    /// it is; nothing is begun twice.
    ChoreAsk {
        /// The question.
        req: ReqId,
        /// What.
        chore: Chore,
    },
    /// The host's report, or how far it is.
    ChoreIs {
        /// The question.
        req: ReqId,
        /// What it says.
        report: Report,
    },
    /// Keys and versions in order, and whether more follow.
    ListIs {
        /// The question.
        req: ReqId,
        /// The list, or why not.
        result: Result<(Vec<(Key, Summary)>, bool), Refusal>,
    },

    /// Whoever would have a silent host removed, to every other host of the roster: is it down for you, too?
    /// Answered only if so, and only under the same roster.
    SuspectAsk {
        /// Under which roster.
        at: RosterVersion,
        /// Whom.
        host: HostId,
    },
    /// Yes, and for long.
    SuspectIs {
        /// Under which roster.
        at: RosterVersion,
        /// Whom.
        host: HostId,
    },
    /// To everybody, when it changes and while it is bad: whether the sender's store keeps up. Only orders whom to
    /// ask first.
    Health {
        /// Whether it does.
        well: bool,
    },

    /// A replica-to-be to a replica of Old: your fences and floors. It takes no write before it durably
    /// holds those of a quorum.
    MarksAsk {
        /// Under which roster.
        at: RosterVersion,
    },
    /// Its fences and floors, all round the circle.
    MarksAre {
        /// Under which roster.
        at: RosterVersion,
        /// The marks, and for which spans the host, late itself, lacks them: at most [`MAX_LACKING`]. Or why not.
        result: Result<(Marks, Vec<Span>), Refusal>,
    },
    /// First replica of a span to every replica: a step of collecting what was deleted. Answer:
    /// [`KeepMessage::RoundIs`]. Harmless when repeated.
    RoundAsk {
        /// The question.
        req: ReqId,
        /// Under which roster: a round belongs to one.
        at: RosterVersion,
        /// Which span.
        span: Span,
        /// Up to which stamp.
        upto: Stamp,
        /// Which step.
        step: Step,
    },
    /// The step is done, durably.
    RoundIs {
        /// The question.
        req: ReqId,
        /// Under which roster.
        at: RosterVersion,
        /// Done, or why not.
        result: Result<(), Refusal>,
    },
}
