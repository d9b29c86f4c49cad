//! How far is a move into this host?
//!
//! ```text
//! (20, 40], a newcomer      all up to 25 merged from h2                  a quarter
//!                           h2 done, h3 being compared                   99 of 100
//! (40, 60], one that stays  being compared with h3                       99 of 100
//! ```
//!
//! Ids are spread evenly, so how far round its span a source has come says how much of it is here; what follows the first
//! source is compared, and quick.

use crate::keyspace::Span;
use crate::message::MoveProgress;
use crate::placement::HostId;

use super::task::{Mover, Task};

/// How much of a piece counts as here while it is compared.
const COMPARING: f64 = 0.99;

impl Task {
    /// How much of the span is here, from 0 to 1.
    fn share_done(&self, me: HostId) -> f64 {
        let needed = self.sources(me);
        if self.complete || needed == 0 {
            return 1.0;
        }
        // What follows the first source is only compared.
        if self.piece.old.contains(&me) || !self.done.is_empty() {
            return COMPARING;
        }
        let span = self.piece.span;
        let reached = self.reached.values();
        let here = reached.map(|id| Span::new(span.from, *id).fraction() / span.fraction());
        here.fold(0.0, f64::max).min(COMPARING)
    }
}

impl Mover {
    /// How far this host is.
    pub(super) fn progress(&self) -> MoveProgress {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        MoveProgress {
            pieces: count(self.tasks.len()),
            complete: count(self.tasks.iter().filter(|task| task.complete).count()),
            records: self.records,
            bytes: self.bytes,
            waiting_for: self.waiting_for,
            full: self.full_until.is_some(),
        }
    }

    /// How far the move into this host is, in parts of a million: ids are spread evenly, so how far round its span a
    /// source has come says how much of it is here.
    pub(super) fn millionths(&self, me: HostId) -> u64 {
        let (mut done, mut all) = (0.0, 0.0);
        for task in &self.tasks {
            let share = task.piece.span.fraction();
            all += share;
            done += share * task.share_done(me);
        }
        if all == 0.0 {
            return 1_000_000;
        }
        // At most a million, and never negative.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1,000,000"
        )]
        let millionths = (done / all * 1e6) as u64;
        millionths
    }
}
