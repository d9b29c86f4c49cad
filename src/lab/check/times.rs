//! What did the clocks show?
//!
//! A host's wall clock is what the harness set it to. A value's time is up by the clock of the host that
//! is asked, some time between question and answer; so what counts is the least and the greatest that
//! clock showed in between, jumps included.
//!
//! ```text
//! true time    100 ── 200 ── 300        h3 is set 50 ahead at 180, and right again at 260
//! h3 shows     100 ── 250 ── 300        between 150 and 300: at least 150, at most 310
//! ```

use std::collections::BTreeMap;

use crate::placement::HostId;
use crate::record::{Time, WallMs};
use crate::sim::WALL_AT_START;

/// When each host's wall clock was set, and by how much it was ahead from then on.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    set: BTreeMap<HostId, Vec<(Time, i64)>>,
}

impl Clocks {
    /// From now on that host's clock is so much ahead, or behind.
    pub fn set(&mut self, host: HostId, now: Time, ahead_ms: i64) {
        self.set.entry(host).or_default().push((now, ahead_ms));
    }

    /// By how much a clock is ahead now.
    #[must_use]
    pub fn ahead(&self, host: HostId) -> i64 {
        let set = self.set.get(&host).and_then(|set| set.last());
        set.map_or(0, |(_, ahead)| *ahead)
    }

    /// The least and the greatest a host's clock showed between two times.
    #[must_use]
    pub fn between(&self, host: HostId, from: Time, to: Time) -> (WallMs, WallMs) {
        let mut least = shown(from, 0);
        let mut most = shown(to, 0);
        let Some(set) = self.set.get(&host) else {
            return (least, most);
        };
        let first = set.partition_point(|(at, _)| *at <= from);
        let mut ahead = first.checked_sub(1).map_or(0, |before| set[before].1);
        let mut since = from;
        (least, most) = (shown(from, ahead), shown(from, ahead));
        for (at, next) in set[first..].iter().take_while(|(at, _)| *at <= to) {
            least = least.min(shown(since, ahead)).min(shown(*at, *next));
            most = most.max(shown(*at, ahead)).max(shown(*at, *next));
            (since, ahead) = (*at, *next);
        }
        (least, most.max(shown(to, ahead)))
    }
}

fn shown(at: Time, ahead_ms: i64) -> WallMs {
    let right = WALL_AT_START.0.saturating_add(at.as_ms());
    WallMs(right.saturating_add_signed(ahead_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_lesson() {
        let (mut clocks, host) = (Clocks::default(), HostId(3));
        clocks.set(host, Time::from_ms(180), 50);
        clocks.set(host, Time::from_ms(260), 0);
        let between = |from, to| {
            let (from, to) = (Time::from_ms(from), Time::from_ms(to));
            let (least, most) = clocks.between(host, from, to);
            (least.0 - WALL_AT_START.0, most.0 - WALL_AT_START.0)
        };
        assert_eq!(between(150, 300), (150, 310));
        assert_eq!(between(200, 210), (250, 260));
        assert_eq!(between(300, 310), (300, 310));
        assert_eq!(clocks.ahead(host), 0);
    }
}
