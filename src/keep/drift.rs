//! Is this host's wall clock fit to stamp writes?
//!
//! A stamp lies above everything its coordinator heard of, so clocks that disagree break no promise. But
//! a host whose clock is an hour ahead would push every later version an hour ahead with it. So a host
//! that leads the median of its peers by more than `max_drift` coordinates no writes until its clock is
//! set; reads go on. What the peers' clocks say comes with gossip. A word that was long on its way makes its sender's
//! clock look slow, so of what each has said in the last minute the most advanced counts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::placement::HostId;
use crate::record::{Now, Time, WallMs};

/// At most so many peers' clocks are remembered; the one heard longest ago goes first.
const MAX_CLOCKS: usize = 64;

/// A clock heard longer ago than this says nothing any more.
const FRESH: Duration = Duration::from_secs(60);

/// What the peers' clocks said. A jump of our own wall clock shows at once, because theirs are carried on
/// by monotonic time.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// When each was heard, and what it said then.
    heard: BTreeMap<HostId, (Time, WallMs)>,
    /// What the median of them showed when one was heard last. Each write asks, few messages change it.
    median: Option<Median>,
}

/// The median clock at one moment.
#[derive(Clone, Copy, Debug)]
struct Median {
    at: Time,
    wall: u64,
    /// From then on one of those it was taken from says nothing any more.
    fresh_until: Time,
}

impl Drift {
    /// A peer told its wall time.
    pub(super) fn heard(&mut self, now: Now, host: HostId, wall: WallMs) {
        if self.heard.len() >= MAX_CLOCKS && !self.heard.contains_key(&host) {
            let oldest = self.heard.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(host, _)| *host) {
                self.heard.remove(&oldest);
            }
        }
        let known = self.heard.get(&host).filter(|(at, known)| {
            let since = now.at.since(*at);
            since <= FRESH && carried_on(*known, since) > wall.0
        });
        if known.is_none() {
            self.heard.insert(host, (now.at, wall));
            self.median = self.median(now.at);
        }
    }

    /// Whoever is down, or no longer in, says nothing any more.
    pub(super) fn forget_all_but(&mut self, now: Time, is_in: impl Fn(HostId) -> bool) {
        self.heard.retain(|host, _| is_in(*host));
        self.median = self.median(now);
    }

    /// By how much our clock leads the median of those heard lately; zero if it does not.
    pub(super) fn lead(&self, now: Now) -> Duration {
        let kept = self.median.filter(|median| now.at < median.fresh_until);
        let Some(median) = kept.or_else(|| self.median(now.at)) else {
            return Duration::ZERO;
        };
        let median = carried_on(WallMs(median.wall), now.at.since(median.at));
        Duration::from_millis(now.wall.0.saturating_sub(median))
    }

    /// The median of those heard lately; none if nobody was.
    fn median(&self, now: Time) -> Option<Median> {
        let fresh = self
            .heard
            .values()
            .filter(|(at, _)| now.since(*at) <= FRESH);
        let oldest = fresh.clone().map(|(at, _)| *at).min()?;
        let mut walls: Vec<u64> = fresh
            .map(|(at, wall)| carried_on(*wall, now.since(*at)))
            .collect();
        let middle = walls.len() / 2;
        let (_, wall, _) = walls.select_nth_unstable(middle);
        Some(Median {
            at: now,
            wall: *wall,
            fresh_until: oldest + FRESH,
        })
    }
}

/// What a clock shows now that showed `wall` so long ago.
fn carried_on(wall: WallMs, since: Duration) -> u64 {
    wall.0
        .saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        at: Time(0),
        wall: WallMs(10_000_000),
    };

    #[test]
    fn a_word_that_was_long_on_its_way_makes_nobody_slow() {
        let mut drift = Drift::default();
        drift.heard(NOW, HostId(2), NOW.wall);
        let after = |ms: u64| Now {
            at: Time::from_ms(ms),
            wall: WallMs(NOW.wall.0 + ms),
        };
        drift.heard(after(30_000), HostId(2), WallMs(NOW.wall.0 + 1_000));
        assert_eq!(drift.lead(after(30_000)), Duration::ZERO, "it came late");
        // If it says so for longer, its clock was set back.
        drift.heard(after(60_001), HostId(2), WallMs(NOW.wall.0 + 31_001));
        assert_eq!(drift.lead(after(60_001)), Duration::from_secs(29));
    }

    #[test]
    fn a_lead_is_measured_against_the_median() {
        let mut drift = Drift::default();
        assert_eq!(drift.lead(NOW), Duration::ZERO, "alone, any clock is right");
        drift.heard(NOW, HostId(2), WallMs(9_980_000));
        drift.heard(NOW, HostId(3), WallMs(9_985_000));
        drift.heard(NOW, HostId(4), WallMs(90_000_000));
        assert_eq!(drift.lead(NOW), Duration::from_secs(15));
        let later = Now {
            at: Time::from_ms(61_000),
            wall: WallMs(10_061_000),
        };
        assert_eq!(drift.lead(later), Duration::ZERO, "nobody was heard lately");
    }

    #[test]
    fn our_own_jump_shows_at_once() {
        let mut drift = Drift::default();
        drift.heard(NOW, HostId(2), NOW.wall);
        let jumped = Now {
            at: Time::from_ms(5_000),
            wall: WallMs(13_605_000),
        };
        assert_eq!(drift.lead(jumped), Duration::from_secs(3600));
    }

    #[test]
    fn the_clocks_remembered_are_bounded() {
        let mut drift = Drift::default();
        for host in 0..1_000 {
            let now = Now {
                at: Time::from_ms(host),
                wall: NOW.wall,
            };
            drift.heard(now, HostId(host), NOW.wall);
        }
        assert_eq!(drift.heard.len(), MAX_CLOCKS);
        assert!(drift.heard.contains_key(&HostId(999)), "the latest stay");
    }
}
