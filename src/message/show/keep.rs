//! What hosts say to each other, read aloud.
//!
//! ```text
//! Ask v3 "cat" versions              a question: under which roster, of what
//! Answer v3 12.0/h1.1                the answer: what is there …
//! Answer v3 refused: behind, at v2   … or why not, after the same words for every kind
//! ```

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::parts::{After, Brief, Contents, Quoted, ShortSpan, Versions, Wishes, more_of};
use crate::keyspace::Span;
use crate::message::{Answered, Ballot, KeepMessage, Refusal, Road, Step, Want};
use crate::record::{Key, Marks, Record, Summary};
use crate::roster::{Roster, RosterVersion};
use crate::store::Digest;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Behind(version) => write!(f, "behind, at {version}"),
            Refusal::Ahead(roster) => write!(f, "ahead, with {}", Brief(roster)),
            Refusal::NotMine => write!(f, "not mine"),
            Refusal::Store(reason) => write!(f, "{reason}"),
            Refusal::Below => write!(f, "below the fence"),
            Refusal::Incomplete => write!(f, "not whole here"),
            Refusal::Doubts => write!(
                f,
                "its store is in doubt: it compares itself with the other replicas before it serves"
            ),
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Road::Request => "request",
            Road::WriteBack => "write-back",
            Road::Hint => "hint",
            Road::Repair => "repair",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Ready => "ready?",
            Step::Fence => "fence",
            Step::Floor => "floor",
        })
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.host)
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Want::Versions => "versions",
            Want::Value => "value",
        })
    }
}

/// What a host was asked for, or why it does not do it.
struct Told<'a, T, E>(&'a Result<T, E>);

impl<T: Good, E: fmt::Display> fmt::Display for Told<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(good) => good.tell(f),
            Err(why) => write!(f, "refused: {why}"),
        }
    }
}

/// A good answer, in words.
trait Good {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Good for Answered {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answered::Versions(summary) => summary.tell(f),
            Answered::Cells(cells) => write!(f, "{}", Contents(cells)),
        }
    }
}

impl Good for Summary {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Versions(self))
    }
}

impl Good for RosterVersion {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A chunk of records, and whether more follow.
impl Good for (Vec<Record>, bool) {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records{}", self.0.len(), more_of(self.1))
    }
}

/// A list of keys, and whether more follow.
impl Good for (Vec<(Key, Summary)>, bool) {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys{}", self.0.len(), more_of(self.1))
    }
}

impl Good for Vec<Digest> {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.len())
    }
}

/// Fences and floors, and where they are lacking.
impl Good for (Marks, Vec<Span>) {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (marks, lacking) = self;
        write!(f, "of {} stretches", marks.len())?;
        match lacking.len() {
            0 => Ok(()),
            spans => write!(f, ", lacks those of {spans} spans"),
        }
    }
}

impl Good for () {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("done")
    }
}

/// A piece of a value, if it is there.
struct Fetched<'a>(Option<&'a Bytes>);

impl fmt::Display for Fetched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{} bytes", bytes.len()),
            None => f.write_str("not here"),
        }
    }
}

/// What an acceptor has accepted before.
struct Before<'a>(Option<&'a (Ballot, Arc<Roster>)>);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((at, roster)) => write!(f, ", accepted at {at}: {}", Brief(roster)),
            None => Ok(()),
        }
    }
}

/// A page of a span that is asked for: which, and where it begins.
struct Part<'a>(Span, Option<&'a Key>);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", ShortSpan(self.0), After(self.1))
    }
}

impl fmt::Display for KeepMessage {
    #[expect(clippy::too_many_lines, reason = "a table: an arm for each message")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use KeepMessage as M;
        match self {
            M::Ask { at, key, want, .. } => write!(f, "Ask {at} {} {want}", Quoted(key)),
            M::Answer { at, result, .. } => write!(f, "Answer {at} {}", Told(result)),
            M::Write {
                at, record, road, ..
            } => {
                let (key, cells) = (Quoted(&record.key), Contents(&record.cells));
                write!(f, "Write {at} {key} {cells} by {road}")
            }
            M::Wrote { at, result, .. } => write!(f, "Wrote {at} {}", Told(result)),
            M::AskPiece {
                key,
                version,
                index,
                ..
            } => {
                write!(f, "AskPiece {index} of {} {version}", Quoted(key))
            }
            M::PieceIs { index, bytes, .. } => {
                write!(f, "PieceIs {index}, {}", Fetched(bytes.as_ref()))
            }
            M::SuspectAsk { host, .. } => write!(f, "SuspectAsk {host}"),
            M::SuspectIs { host, .. } => write!(f, "SuspectIs {host}"),
            M::Health { well } => write!(f, "Health {}", if *well { "well" } else { "unwell" }),
            M::ChoreAsk { chore, .. } => write!(f, "ChoreAsk {chore}"),
            M::ChoreIs { report, .. } => write!(f, "ChoreIs {report}"),
            M::Gossip { version, .. } => write!(f, "Gossip {version}"),
            M::RosterAsk { have } => write!(f, "RosterAsk, have {have}"),
            M::RosterIs(roster) => write!(f, "RosterIs {}", Brief(roster)),
            M::RosterHave { version } => write!(f, "RosterHave {version}"),
            M::Prepare { version, ballot } => write!(f, "Prepare {version} ballot {ballot}"),
            M::Promise {
                version,
                ballot,
                accepted,
            } => {
                let before = Before(accepted.as_ref());
                write!(f, "Promise {version} ballot {ballot}{before}")
            }
            M::Propose { ballot, roster } => write!(f, "Propose {} ballot {ballot}", Brief(roster)),
            M::Accepted { version, ballot } => write!(f, "Accepted {version} ballot {ballot}"),
            M::Rejected { version, promised } => {
                write!(f, "Rejected {version}, promised {promised}")
            }
            M::ChangeAsk { changes, .. } => write!(f, "ChangeAsk{}", Wishes(changes)),
            M::ChangeIs { result, .. } => write!(f, "ChangeIs {}", Told(result)),
            M::Pull {
                at, span, after, ..
            } => write!(f, "Pull {at} {}", Part(*span, after.as_ref())),
            M::Chunk { at, result, .. } => write!(f, "Chunk {at} {}", Told(result)),
            M::MoveAsk { at } => write!(f, "MoveAsk {at}"),
            M::MoveIs { at, progress: p } => {
                write!(f, "MoveIs {at} {} of {}", p.complete, p.pieces)
            }
            M::DigestAsk {
                at, span, parts, ..
            } => write!(f, "DigestAsk {at} {} in {parts}", ShortSpan(*span)),
            M::DigestsAre { result, .. } => write!(f, "DigestsAre {}", Told(result)),
            M::ListAsk {
                at, span, after, ..
            } => write!(f, "ListAsk {at} {}", Part(*span, after.as_ref())),
            M::ListIs { result, .. } => write!(f, "ListIs {}", Told(result)),
            M::MarksAsk { at } => write!(f, "MarksAsk {at}"),
            M::MarksAre { at, result } => write!(f, "MarksAre {at} {}", Told(result)),
            M::RoundAsk { at, span, step, .. } => {
                write!(f, "RoundAsk {at} {} {step}", ShortSpan(*span))
            }
            M::RoundIs { at, result, .. } => write!(f, "RoundIs {at} {}", Told(result)),
        }
    }
}
