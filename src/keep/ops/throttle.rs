//! How fast may a move go, and how long will it still take?
//!
//! ```text
//! 1 MB/s     t = 0.0 s  a chunk of 512 KiB comes: the host owes for half a second
//!            t = 0.1 s  the next chunk is not asked for yet
//!            t = 0.5 s  paid: asked
//! ```
//!
//! The receiver sets the pace: it counts the keys and values that come, and asks for the next chunk only when what
//! came is paid for at the set rate. So one chunk more than the rate allows can come at once, and a large value is paid
//! for afterwards; over any longer time the rate is kept. Requests of clients are not held up: only moves are.
//!
//! *Hold these true*: without a limit nothing waits; a new limit holds from the next chunk on; no debt is forgotten
//! but by a restart, and none is longer than [`MAX_DEBT`].

use std::time::Duration;

use crate::message::Tuning;
use crate::record::Time;

use super::super::Keeper;

/// A move never waits longer than this for what has come so far to be paid: a lower limit would look like silence.
const MAX_DEBT: Duration = Duration::from_secs(600);

/// The pace of moves into this host.
#[derive(Debug, Default)]
pub(in crate::keep) struct Throttle {
    /// Bytes a second, if it was changed since the host started; 0: no limit.
    rate: Option<u64>,
    /// When all that came is paid for.
    paid: Time,
    /// Since when the present move goes, and how far it was then: in parts of a million.
    began: Option<(Time, u64)>,
}

impl Throttle {
    /// So many bytes came.
    fn charge(&mut self, now: Time, rate: u64, bytes: u64) {
        if rate == 0 {
            return;
        }
        let ms = u128::from(bytes) * 1000 / u128::from(rate);
        let cost = Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)).min(MAX_DEBT);
        self.paid = (self.paid.max(now) + cost).min(now + MAX_DEBT);
    }
}

impl Keeper {
    /// Bytes a second that this host takes in while spans move; 0: no limit.
    pub(in crate::keep) fn move_rate(&self) -> u64 {
        let throttle = &self.ops.throttle;
        throttle.rate.unwrap_or(self.config.move_bytes_per_s)
    }

    /// Takes new settings; returns those it has now.
    pub(super) fn tune(&mut self, tuning: Tuning) -> Tuning {
        if let Some(rate) = tuning.move_bytes_per_s {
            self.ops.throttle.rate = Some(rate);
            // What is owed was reckoned at the old rate; a chunk's worth may come early.
            self.ops.throttle.paid = Time::ZERO;
        }
        Tuning {
            move_bytes_per_s: Some(self.move_rate()),
        }
    }

    /// A chunk of so many bytes came.
    pub(in crate::keep) fn move_charge(&mut self, now: Time, bytes: u64) {
        let rate = self.move_rate();
        self.ops.throttle.charge(now, rate, bytes);
    }

    /// From when on the next chunk may be asked for, if that is not now.
    pub(in crate::keep) fn move_pause(&self, now: Time) -> Option<Time> {
        let paid = self.ops.throttle.paid;
        (self.move_rate() > 0 && paid > now).then_some(paid)
    }

    /// A move into this host begins, or another one, or none is left.
    pub(in crate::keep) fn move_begins(&mut self, now: Time) {
        let going = !self.mover.is_complete();
        self.ops.throttle.began = going.then(|| (now, self.mover.millionths(self.me)));
    }

    /// How long the move into this host will still take, as fast as it went so far.
    pub(super) fn move_left(&self, now: Time) -> Option<Duration> {
        let (since, before) = self.ops.throttle.began?;
        let done = self.mover.millionths(self.me);
        let (went, left) = (
            done.checked_sub(before)?,
            1_000_000_u64.saturating_sub(done),
        );
        let took = u64::try_from(now.since(since).as_millis()).ok()?;
        let ms = took.checked_mul(left)?.checked_div(went)?;
        (left > 0).then(|| Duration::from_millis(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_paid_for_at_the_rate() {
        let mut throttle = Throttle::default();
        let second = Time::from_ms(1_000);
        throttle.charge(second, 1_000_000, 500_000);
        assert_eq!(throttle.paid, Time::from_ms(1_500));
        throttle.charge(second, 1_000_000, 250_000);
        assert_eq!(throttle.paid, Time::from_ms(1_750), "debts add up");
        throttle.charge(Time::from_ms(9_000), 1_000_000, 1_000);
        assert_eq!(throttle.paid, Time::from_ms(9_001), "nothing is saved up");
        throttle.charge(second, 0, u64::MAX);
        assert_eq!(throttle.paid, Time::from_ms(9_001), "no limit, no debt");
        throttle.charge(second, 1, u64::MAX);
        assert_eq!(throttle.paid, second + MAX_DEBT);
    }
}
