//! Can this host's store be believed?
//!
//! Two things make it doubt itself, and until it is sure it serves nothing: whoever asks is refused, as if it were
//! down, so that no quorum is built on it.
//!
//! ```text
//! lost     the power went, and not every write was synced: something it had confirmed may be gone
//!          it merges from so many others that they meet every quorum, if so many believe themselves; or from *all* other
//!          replicas, each with what it has, even if it doubts itself: so a whole ring that lost its power comes back, if
//!          all r stores are there
//! slept    it was down while the ring moved twice or more: it may have lost a span and got it back, and deletes
//!          that it never heard of may be collected
//!          what it has goes to the shelf; it merges from a quorum of the others
//! ```
//!
//! If too few of the others believe themselves and one is gone for good, a lost store can be believed no more: the host
//! needs a new id, and takes its own former place (`replaces`).
//!
//! What it had confirmed and lost may count for a request still: a coordinator that has not heard of the power cut adds the
//! next confirmation to it, which comes too late to be merged here. So a lost store is compared with the others no sooner than
//! requests of before have ended ([`KeepConfig::deadline`](super::KeepConfig::deadline)).
//!
//! *Hold these true*: in doubt a host is a source only to those who ask all; doubt is on disk, and ends only when
//! every span is complete; what came to it while it doubted is closed until it has the marks of those who held it.
//!
//! Left out: two that doubt for different reasons and hold one span wait for each other if no third one will do. One of
//! them needs a new id, then.

use bytes::Bytes;

use crate::message::Event;
use crate::record::Time;
use crate::store::{Op, Setting};

use super::closed::Closed;
use super::task::Task;
use super::then::Next;
use super::{Context, Keeper};

/// Why a host does not believe its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It does.
    None,
    /// Writes it had confirmed may be gone.
    Lost,
    /// It may hold what was deleted and collected long ago.
    Slept,
}

/// What is on disk of unfinished moves: whether it is late, whether it doubts, whether something lies on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    pub(super) late: bool,
    /// For what, being late, it still lacks the marks of those who held it before.
    pub(super) closed: Closed,
    pub(super) doubt: Doubt,
    pub(super) shelf: bool,
}

impl Unfinished {
    pub(super) fn decode(said: Option<&[u8]>) -> Unfinished {
        let said = String::from_utf8_lossy(said.unwrap_or_default()).into_owned();
        let has = |word: &str| said.split(' ').any(|other| other == word);
        let doubt = match (has("lost"), has("slept")) {
            (true, _) => Doubt::Lost,
            (false, true) => Doubt::Slept,
            (false, false) => Doubt::None,
        };
        let closed = said.split(' ').find_map(Closed::decode).unwrap_or_default();
        Unfinished {
            late: has("late") || !closed.is_empty(),
            closed,
            doubt,
            shelf: has("shelf"),
        }
    }

    fn encode(&self) -> Bytes {
        let doubt = match self.doubt {
            Doubt::None => "",
            Doubt::Lost => "lost",
            Doubt::Slept => "slept",
        };
        let late = if self.late { "late" } else { "" };
        let closed = self.closed.encode();
        let shelf = if self.shelf { "shelf" } else { "" };
        let mut words = vec![late, &closed, doubt, shelf];
        words.retain(|word| !word.is_empty());
        words.join(" ").into()
    }
}

impl Keeper {
    /// A life begins: is its store to be believed?
    pub(super) fn begin_in_doubt(&mut self, cx: &mut Context<'_>, lost: bool) {
        let member = self
            .roster
            .as_ref()
            .is_some_and(|roster| roster.has(self.me));
        if lost && member && self.unfinished.doubt == Doubt::None {
            self.unfinished.doubt = Doubt::Lost;
            self.save_unfinished(cx);
        }
        if self.unfinished.doubt == Doubt::Lost {
            self.merges_from = cx.now.at + self.config.deadline;
        }
        if self.unfinished.doubt != Doubt::None {
            self.note(cx, Event::Doubts);
        }
    }

    /// Whether something of a move that has settled is not here yet, or what is here is in doubt.
    pub(crate) fn is_late(&self) -> bool {
        self.unfinished.late || self.is_in_doubt()
    }

    pub(crate) fn is_in_doubt(&self) -> bool {
        self.unfinished.doubt != Doubt::None
    }

    /// Notes on disk what is unfinished: neither a restart nor the next move may make this host forget it.
    pub(super) fn save_unfinished(&mut self, cx: &mut Context<'_>) {
        let said = self.unfinished.encode();
        self.store(cx, Op::Set(Setting::Move, said), Next::Nothing);
    }

    /// Whether a request of before the power cut may still count what is lost.
    pub(super) fn is_too_early(&self, now: Time) -> bool {
        let others = |task: &Task| task.sources(self.me) > 0;
        self.unfinished.doubt == Doubt::Lost
            && now < self.merges_from
            && self.mover.tasks.iter().any(others)
    }

    /// All it doubted is here: it serves again, and does its part in a move that is under way.
    pub(super) fn sure(&mut self, cx: &mut Context<'_>) {
        self.unfinished.doubt = Doubt::None;
        (self.unfinished.late, self.unfinished.closed) = (false, Closed::default());
        self.save_unfinished(cx);
        self.note(cx, Event::Sure);
        if let Some(roster) = self.roster.clone() {
            self.begin_move(cx, None, &roster);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfinished_is_read_back() {
        for doubt in [Doubt::None, Doubt::Lost, Doubt::Slept] {
            let closed = Closed::decode("closed:0a-0b,0d-0e").unwrap();
            for (late, closed, shelf) in [
                (false, Closed::default(), true),
                (true, Closed::default(), false),
                (true, closed, true),
            ] {
                let unfinished = Unfinished {
                    late,
                    closed,
                    doubt,
                    shelf,
                };
                assert_eq!(Unfinished::decode(Some(&unfinished.encode())), unfinished);
            }
        }
        assert!(
            Unfinished::decode(Some(b"late")).late,
            "as earlier builds wrote it"
        );
        assert!(!Unfinished::decode(None).late);
    }
}
