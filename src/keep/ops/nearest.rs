//! Which replicas are asked first, and which for the value?
//!
//! A quorum decides which version wins: those are asked that answered fastest lately. The value itself is asked of one,
//! the fastest of them.
//!
//! ```text
//! h2  2 ms     h3  41 ms     h4  3 ms       the value is asked of h2; h4 says its version; h3 is spared
//! ```
//!
//! Each answer of a host moves its estimate an eighth of the way; a question that had to be asked again counts as an
//! answer that took that long, so who is slow or gone is not asked first for long. A host never heard of counts as the
//! fastest one known, so it is tried.
//!
//! *Hold these true*: an estimate decides who is asked first, never who counts for a quorum; estimates are
//! kept for at most [`MAX_SPEEDS`] hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::ReqId;
use crate::placement::HostId;
use crate::record::Time;

/// At most so many hosts' answer times are remembered; the one heard longest ago goes first.
const MAX_SPEEDS: usize = 1_000;

/// A new sample counts an eighth.
const SHARE: u64 = 8;

/// At most so many reads that others answered first are remembered for the answers that are still to come.
const MAX_LATE: usize = 256;

/// How fast others answer, in microseconds.
#[derive(Debug, Default)]
pub(in crate::keep) struct Speeds {
    known: BTreeMap<HostId, (Time, u64)>,
    /// How many questions were put: every so many go to all.
    pub(in crate::keep) questions: u64,
    /// Reads that are over, and when they were asked: who is slow answers only now.
    over: BTreeMap<ReqId, Time>,
}

impl Speeds {
    /// A host took so long to answer, or has not answered for so long.
    pub(in crate::keep) fn took(&mut self, now: Time, host: HostId, time: Duration) {
        let sample = u64::try_from(time.as_micros()).unwrap_or(u64::MAX / SHARE);
        if let Some((at, known)) = self.known.get_mut(&host) {
            *at = now;
            *known = *known - *known / SHARE + sample / SHARE;
            return;
        }
        if self.known.len() >= MAX_SPEEDS {
            let oldest = self.known.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(host, _)| *host) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(host, (now, sample));
    }

    /// A read is over that not all have answered.
    pub(in crate::keep) fn over(&mut self, req: ReqId, asked: Time) {
        if self.over.len() >= MAX_LATE {
            self.over.pop_first();
        }
        self.over.insert(req, asked);
    }

    /// A host answered a question that is over.
    pub(in crate::keep) fn late(&mut self, now: Time, host: HostId, req: ReqId) {
        if let Some(asked) = self.over.get(&req) {
            let took = now.since(*asked);
            self.took(now, host, took);
        }
    }

    /// How long a host took lately, if it was asked at all.
    pub(in crate::keep) fn of(&self, host: HostId) -> Option<Duration> {
        let known = self.known.get(&host);
        known.map(|(_, micros)| Duration::from_micros(*micros))
    }

    /// How long the fastest of some hosts took.
    pub(in crate::keep) fn best(&self, hosts: impl Iterator<Item = HostId>) -> Option<Duration> {
        hosts.filter_map(|host| self.of(host)).min()
    }

    /// The fastest of some hosts; of equally fast ones the first.
    pub(in crate::keep) fn fastest(
        &self,
        hosts: impl Iterator<Item = HostId> + Clone,
    ) -> Option<HostId> {
        let known = |host: &HostId| self.known.get(host).map(|(_, time)| *time);
        let best = hosts.clone().filter_map(|host| known(&host)).min();
        hosts.min_by_key(|host| known(host).or(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> impl Iterator<Item = HostId> + Clone {
        [HostId(2), HostId(3), HostId(4)].into_iter()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_fastest_is_asked_and_who_is_unknown_is_tried() {
        let mut speeds = Speeds::default();
        assert_eq!(
            speeds.fastest(hosts()),
            Some(HostId(2)),
            "the first of equals"
        );
        speeds.took(Time::ZERO, HostId(2), ms(40));
        speeds.took(Time::ZERO, HostId(4), ms(2));
        assert_eq!(
            speeds.fastest(hosts()),
            Some(HostId(3)),
            "nobody knows how fast it is"
        );
        speeds.took(Time::ZERO, HostId(3), ms(41));
        assert_eq!(speeds.fastest(hosts()), Some(HostId(4)));
        assert_eq!(speeds.fastest([].into_iter()), None);
    }

    #[test]
    fn who_answers_after_the_others_is_slow_all_the_same() {
        let mut speeds = Speeds::default();
        speeds.took(Time::ZERO, HostId(2), ms(2));
        speeds.took(Time::ZERO, HostId(3), ms(3));
        speeds.over(ReqId(7), Time::ZERO);
        speeds.late(Time::from_ms(90), HostId(2), ReqId(8));
        assert_eq!(
            speeds.fastest(hosts()),
            Some(HostId(2)),
            "that was never asked"
        );
        speeds.late(Time::from_ms(90), HostId(2), ReqId(7));
        assert_eq!(speeds.fastest(hosts()), Some(HostId(3)));
    }

    #[test]
    fn a_host_that_slows_down_is_overtaken_soon() {
        let mut speeds = Speeds::default();
        for host in hosts() {
            speeds.took(Time::ZERO, host, ms(2 + host.0));
        }
        assert_eq!(speeds.fastest(hosts()), Some(HostId(2)));
        speeds.took(Time::ZERO, HostId(2), ms(200));
        assert_eq!(speeds.fastest(hosts()), Some(HostId(3)));
        for _ in 0..40 {
            speeds.took(Time::ZERO, HostId(2), ms(2));
        }
        assert_eq!(speeds.fastest(hosts()), Some(HostId(2)), "and comes back");
    }

    #[test]
    fn the_estimates_remembered_are_bounded() {
        let mut speeds = Speeds::default();
        (0..1_000).for_each(|n| speeds.over(ReqId(n), Time::ZERO));
        assert_eq!(speeds.over.len(), MAX_LATE);
        for host in 0..1_100 {
            speeds.took(Time::from_ms(host), HostId(host), ms(1));
        }
        assert_eq!(speeds.known.len(), MAX_SPEEDS);
        assert!(speeds.known.contains_key(&HostId(1_099)), "the latest stay");
    }
}
