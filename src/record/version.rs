//! Which of two writes is the newer one?
//!
//! Every write carries a [`Version`], and the greater one wins, everywhere and always:
//!
//! ```text
//! stamp (wall ms, count)   delete   host   start
//! 1700000000123, 0         no       h1     4        <- loses to all below
//! 1700000000123, 1         no       h1     4        <- same millisecond, counted on
//! 1700000000123, 1         yes      h1     4        <- a delete beats a put of the same stamp
//! 1700000000123, 1         yes      h2     1        <- then the host, then how often it was started
//! ```
//!
//! The stamp is a hybrid logical clock (Kulkarni et al., 2014): wall time where the clocks behave,
//! a counter where they do not. No two writes ever share a version: host and start number see to it.

use std::fmt;

use super::WallMs;
use crate::placement::HostId;

/// How many low bits of a [`Stamp`] count events within one millisecond.
const COUNT_BITS: u32 = 16;

/// A reading of a hybrid clock: 48 bits of wall milliseconds, 16 bits that count within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The first stamp of a millisecond.
    #[must_use]
    pub const fn at(wall: WallMs) -> Stamp {
        Stamp(wall.0.saturating_mul(1 << COUNT_BITS))
    }

    /// The millisecond this stamp lies in.
    #[must_use]
    pub const fn wall(self) -> WallMs {
        WallMs(self.0 >> COUNT_BITS)
    }

    /// The next greater stamp.
    #[must_use]
    pub const fn next(self) -> Stamp {
        Stamp(self.0.saturating_add(1))
    }
}

impl fmt::Display for Stamp {
    /// `milliseconds.count`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.wall().0, self.0 & ((1 << COUNT_BITS) - 1))
    }
}

/// The version of a write. Field order is comparison order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// When, by the coordinator's hybrid clock.
    pub stamp: Stamp,
    /// A delete beats a put of the same stamp.
    pub delete: bool,
    /// The coordinator that stamped it.
    pub host: HostId,
    /// How often that host had been started: two lives of a host never share a version.
    pub start: u32,
}

impl fmt::Display for Version {
    /// `milliseconds.count@host`, and `-` before it for a delete.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.delete { "-" } else { "" };
        write!(f, "{sign}{}@{}/{}", self.stamp, self.host, self.start)
    }
}

/// The hybrid logical clock of one host.
///
/// *Invariant*: stamps it issues strictly increase, over restarts too, because [`Clock::new`] begins
/// above all that was reserved on disk and no stamp beyond the reservation is issued.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    last: Stamp,
    reserved: Stamp,
}

impl Clock {
    /// A clock that will only issue stamps above `reserved`, what the last life of the host reserved.
    #[must_use]
    pub const fn new(reserved: Stamp) -> Clock {
        Clock {
            last: reserved,
            reserved,
        }
    }

    // region: issue
    /// The stamp a write begun now would get: above `wall`, above every stamp issued, above `seen`.
    #[must_use]
    pub fn peek(&self, wall: WallMs, seen: Option<Stamp>) -> Stamp {
        let next = self.last.next().max(Stamp::at(wall));
        seen.map_or(next, |seen| next.max(seen.next()))
    }

    /// Issues that stamp, if the reservation covers it; otherwise reserve first.
    pub fn issue(&mut self, wall: WallMs, seen: Option<Stamp>) -> Option<Stamp> {
        let stamp = self.peek(wall, seen);
        if stamp > self.reserved {
            return None;
        }
        self.last = stamp;
        Some(stamp)
    }
    // endregion: issue

    /// The greatest stamp that may be issued now.
    #[must_use]
    pub const fn reserved(&self) -> Stamp {
        self.reserved
    }

    /// The disk holds this reservation now.
    pub fn reserve(&mut self, upto: Stamp) {
        self.reserved = self.reserved.max(upto);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(stamp: u64, delete: bool, host: u64, start: u32) -> Version {
        Version {
            stamp: Stamp(stamp),
            delete,
            host: HostId(host),
            start,
        }
    }

    #[test]
    fn versions_order_by_stamp_then_delete_then_host_then_start() {
        let ordered = [
            version(1, true, 9, 9),
            version(2, false, 1, 1),
            version(2, false, 1, 2),
            version(2, false, 2, 1),
            version(2, true, 1, 1),
            version(2, true, 2, 1),
        ];
        assert!(ordered.is_sorted());
    }

    #[test]
    fn stamps_increase_whatever_the_wall_clock_does() {
        let mut clock = Clock::new(Stamp(0));
        clock.reserve(Stamp::at(WallMs(100)));
        let a = clock.issue(WallMs(50), None).unwrap();
        let b = clock.issue(WallMs(40), None).unwrap();
        let c = clock
            .issue(WallMs(41), Some(Stamp::at(WallMs(70))))
            .unwrap();
        assert!(a < b && b < c && c > Stamp::at(WallMs(70)));
    }

    #[test]
    fn no_stamp_beyond_the_reservation_and_none_below_it_after_a_restart() {
        let mut clock = Clock::new(Stamp(0));
        clock.reserve(Stamp::at(WallMs(10)));
        assert_eq!(clock.issue(WallMs(11), None), None);
        let reserved = clock.reserved();
        let mut again = Clock::new(reserved);
        again.reserve(Stamp::at(WallMs(20)));
        assert!(again.issue(WallMs(3), None).unwrap() > reserved);
    }
}
