//! Is there no more of anything than there may be?

use super::ensure;
use crate::keep::Keeper;
use crate::keep::wish::MAX_WISHES;

impl Keeper {
    pub(super) fn check_limits(&self) -> Result<(), String> {
        let config = &self.config;
        let sizes = [
            ("requests open", self.requests(), config.max_open),
            ("messages parked", self.parked.len(), config.max_parked),
            ("values pulled", self.pulls.len(), config.max_pulls),
            ("hints", self.hints.len(), config.max_hints),
            ("pulls of a move", self.mover.reqs.len(), config.move_window),
            (
                "pulls from one source",
                self.mover.most_pulls(),
                config.move_from_one,
            ),
            ("uploads", self.uploads.len(), config.max_uploads),
            ("changes waiting", self.agree.wishes.len(), MAX_WISHES),
            (
                "waiters for the end of a move",
                self.agree.settling.len(),
                MAX_WISHES,
            ),
        ];
        for (what, is, most) in sizes.into_iter().chain(self.ops.sizes()) {
            ensure(is <= most, || format!("{is} {what}, at most {most}"))?;
        }
        ensure(
            self.unfinished.late || self.unfinished.closed.is_empty(),
            || "lacks marks, though it is not late".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::keep::check::tests::{ME, must_say, roster};
    use crate::keep::wish::MAX_WISHES;
    use crate::message::{KeepMessage, Ticket};
    use crate::roster::RosterVersion;

    #[test]
    fn a_limit_passed_is_reported() {
        must_say("1 requests open, at most 0", |keeper| {
            keeper.config.max_open = 0;
        });
        must_say("1 messages parked, at most 0", |keeper| {
            keeper.config.max_parked = 0;
            let have = RosterVersion::NONE;
            keeper.parked.push((ME, KeepMessage::RosterAsk { have }));
        });
        must_say(
            "1001 waiters for the end of a move, at most 1000",
            |keeper| {
                let waiter = (Ticket(1), Arc::clone(roster().old()));
                keeper.agree.settling = vec![waiter; MAX_WISHES + 1];
            },
        );
    }
}
