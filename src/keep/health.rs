//! Does this host's own store keep up?
//!
//! A host whose disk hangs looks alive to everybody, and every request that waits for it is slow. So it looks at
//! itself: an operation that is not done after the store's deadline makes it *unwell*. It says so in its status and to
//! the others, who ask it last until it is well again, or until it has not repeated it for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{Event, KeepMessage};
use crate::placement::HostId;
use crate::record::Time;

use super::{Context, Keeper};

/// How long what a host said of itself is believed.
const BELIEVED: Duration = Duration::from_secs(30);

/// How the stores are, ours and others'.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Operations asked of the store in this life, and those that are done.
    asked: u64,
    done: u64,
    /// One of them, and when it was asked: looked at until it is done.
    probe: Option<(u64, Time)>,
    pub(super) unwell: bool,
    /// Hosts that said they are unwell, and when.
    others: BTreeMap<HostId, Time>,
}

impl Health {
    pub(super) fn asked(&mut self, now: Time) {
        self.asked += 1;
        self.probe.get_or_insert((self.asked, now));
    }

    pub(super) fn done(&mut self) {
        self.done += 1;
        if self.probe.is_some_and(|(number, _)| number <= self.done) {
            self.probe = None;
        }
    }

    fn is_late(&self, now: Time, deadline: Duration) -> bool {
        self.probe
            .is_some_and(|(_, since)| now.since(since) > deadline)
    }

    /// Whether a host said lately that it is unwell.
    pub(super) fn is_unwell(&self, now: Time, host: HostId) -> bool {
        !self.others.is_empty()
            && self
                .others
                .get(&host)
                .is_some_and(|since| now.since(*since) < BELIEVED)
    }
}

impl Keeper {
    /// Looks at itself, and tells everybody when that has changed.
    pub(super) fn look_at_itself(&mut self, cx: &mut Context<'_>) {
        let unwell = self.health.is_late(cx.now.at, self.config.store_deadline);
        if unwell != self.health.unwell {
            self.health.unwell = unwell;
            self.note(cx, Event::Unwell(unwell));
        } else if !unwell {
            return;
        }
        let hosts = self.roster.as_ref().map(|roster| roster.hosts());
        for host in hosts.unwrap_or_default() {
            if host != self.me {
                self.send(cx, host, KeepMessage::Health { well: !unwell });
            }
        }
    }

    pub(super) fn health_is(&mut self, now: Time, from: HostId, well: bool) {
        let is_in = self.roster.as_ref().is_some_and(|roster| roster.has(from));
        if well || !is_in {
            self.health.others.remove(&from);
        } else {
            self.health.others.insert(from, now);
        }
    }

    /// Whether a host is asked only when no other is left.
    pub(super) fn is_last_to_ask(&self, now: Time, host: HostId) -> bool {
        self.down.contains_key(&host) || self.health.is_unwell(now, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_operation_makes_a_store_late_until_it_is_done() {
        let mut health = Health::default();
        let second = Duration::from_secs(1);
        health.asked(Time::from_ms(0));
        health.asked(Time::from_ms(900));
        assert!(!health.is_late(Time::from_ms(1000), second));
        assert!(health.is_late(Time::from_ms(1001), second));
        health.done();
        assert!(!health.is_late(Time::from_ms(1001), second));
        health.asked(Time::from_ms(2000)); // the second is still under way, but this one is looked at
        health.done();
        assert!(health.is_late(Time::from_ms(3001), second));
        health.done();
        assert!(!health.is_late(Time::from_ms(9000), second));
    }

    #[test]
    fn what_a_host_said_of_itself_is_forgotten() {
        let mut health = Health::default();
        health.others.insert(HostId(3), Time::from_ms(0));
        assert!(health.is_unwell(Time::from_ms(29_000), HostId(3)));
        assert!(!health.is_unwell(Time::from_ms(30_000), HostId(3)));
    }
}
