//! Who sees the ring otherwise, and in what?
//!
//! Every host tells with each gossip which roster it has adopted (its version and a hash of it), a hash of the
//! hosts it takes for down, and whether all it should hold is whole there. Whoever hears it compares that with its own view:
//!
//! ```text
//! h1   v9 roster 3f2a  down -          h2 says v8            h2 lives by v8: it will be sent v9
//!                                      h3 says v9 3f2a, 77e1 h3 takes other hosts for down
//!                                      h4 says v9 d40b       another v9: two rings, or a bug. Said loudly
//! ```
//!
//! Gossip heals what it finds: a newer roster is sent to whoever has an older one, and who gossips is not down.
//!
//! *Hold this true*: a view is remembered for hosts of the roster only, and for [`FRESH`] only.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{Differs, View};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::RosterVersion;

use super::super::{Context, Keeper};

/// A view heard longer ago than this says nothing any more.
const FRESH: Duration = Duration::from_secs(300);

/// At most so many hosts' views are remembered; the one heard longest ago goes first.
pub(super) const MAX_VIEWS: usize = 1_000;

/// What others said.
#[derive(Debug, Default)]
pub(super) struct Views {
    heard: BTreeMap<HostId, (Time, RosterVersion, View)>,
}

impl Views {
    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    fn heard(&mut self, now: Time, from: HostId, version: RosterVersion, view: View) {
        if self.heard.len() >= MAX_VIEWS && !self.heard.contains_key(&from) {
            let oldest = self.heard.iter().min_by_key(|(_, (at, ..))| *at);
            if let Some(oldest) = oldest.map(|(host, _)| *host) {
                self.heard.remove(&oldest);
            }
        }
        self.heard.insert(from, (now, version, view));
    }
}

impl Keeper {
    /// How this host sees the ring.
    #[must_use]
    pub fn view(&self) -> View {
        let Some(roster) = &self.roster else {
            return View::default();
        };
        let down = self.down.keys().filter(|host| roster.has(**host));
        View {
            roster: roster.hash(),
            routes: down.fold(0, |all, host| all ^ spread(host.0)),
            late: self.is_late() || !self.mover.is_complete(),
        }
    }

    /// A roster was adopted: what others said of an earlier one says nothing of this one.
    pub(in crate::keep) fn forget_views(&mut self) {
        self.ops.views.heard.clear();
    }

    /// A host gossips how it sees the ring.
    pub(in crate::keep) fn view_heard(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        view: View,
    ) {
        self.ops.views.heard(cx.now.at, from, version, view);
        if version == self.version() && view.roster != self.view().roster {
            log::error!(
                "{}: {from} has another roster {version} than this host: that must never be",
                self.me
            );
        }
    }

    /// Whether that host last said that not all it should hold is whole there.
    pub(super) fn said_late(&self, now: Time, host: HostId) -> bool {
        let heard = self.ops.views.heard.get(&host);
        heard.is_some_and(|(at, version, view)| {
            view.late && *version == self.version() && now.since(*at) < FRESH
        })
    }

    /// Who sees the ring otherwise, and in what.
    pub(super) fn disagreements(&self, now: Time) -> Vec<(HostId, Differs)> {
        let Some(roster) = &self.roster else {
            return Vec::new();
        };
        let mine = self.view();
        let differs = |(version, view): (RosterVersion, View)| {
            if version != roster.version {
                Some(Differs::Version(version))
            } else if view.roster != mine.roster {
                Some(Differs::Roster)
            } else {
                (view.routes != mine.routes).then_some(Differs::Routes)
            }
        };
        let heard = self.ops.views.heard.iter();
        heard
            .filter(|(host, (at, ..))| roster.has(**host) && now.since(*at) < FRESH)
            .filter_map(|(host, (_, version, view))| Some((*host, differs((*version, *view))?)))
            .collect()
    }
}

/// Spreads a host's number over 64 bits, so that sets of hosts differ when their hashes do not meet by chance: the
/// finalizer of `SplitMix64`.
const fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_remembered_are_bounded() {
        let mut views = Views::default();
        for host in 0..1_100 {
            let now = Time::from_ms(host);
            views.heard(now, HostId(host), RosterVersion(1), View::default());
        }
        assert_eq!(views.heard.len(), MAX_VIEWS);
        assert!(views.heard.contains_key(&HostId(1_099)), "the latest stay");
        assert!(!views.heard.contains_key(&HostId(0)));
    }
}
