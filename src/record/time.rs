//! What time is it, and in which clock?
//!
//! Two clocks meet in a host. *Virtual or monotonic time* ([`Time`]) never goes back and measures
//! deadlines and delays. *Wall time* ([`WallMs`]) is what people and expiry deadlines mean, and may be
//! wrong: hosts disagree about it, and it jumps. A host is told both at every call ([`Now`]); it never
//! asks.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Monotonic time in microseconds since the driver's beginning. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The beginning of a run.
    pub const ZERO: Time = Time(0);

    /// A time so many milliseconds after the beginning.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Time {
        Time(ms * 1000)
    }

    /// Whole milliseconds since the beginning.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, delay: Duration) -> Time {
        let us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(us))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    /// Seconds with milliseconds: `12.345`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000, self.0 / 1000 % 1000)
    }
}

/// Wall time in milliseconds since the Unix epoch, as the host's own clock has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub u64);

/// Both clocks, as the driver hands them to a host with every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time: for deadlines, delays and retries.
    pub at: Time,
    /// Wall time: for version stamps and expiry.
    pub wall: WallMs,
}
