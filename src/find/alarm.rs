//! What a finder waits for, and until when.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::hash::{Hash, Hasher};

use crate::message::Question;
use crate::record::Time;

/// Why a finder wants to be woken. At most one of each is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    /// It is time to look after the links.
    Stabilize,
    /// It is time to look up a finger.
    FixFinger,
    /// The node asked about its links is silent.
    Errand,
    /// A span being received makes no progress, or a join is to be tried again.
    Transfer,
    /// A leaving node offers its span again.
    Offer,
    /// The lease runs out.
    Lease,
    /// The ground of a dead prev may be taken over.
    Takeover,
    /// A try of a lookup got no answer, or its next try is due.
    Lookup(Question),
}

/// The deadlines of one finder, soonest last. Few, so a sorted list is the smallest and fastest queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Alarms(Vec<(Time, Alarm)>);

impl Alarms {
    /// Sets an alarm, in place of the one of its kind.
    pub(super) fn set(&mut self, at: Time, alarm: Alarm) {
        self.cancel(alarm);
        let entry = (at, alarm);
        let place = self.0.partition_point(|other| *other > entry);
        self.0.insert(place, entry);
    }

    pub(super) fn cancel(&mut self, alarm: Alarm) {
        if let Some(place) = self.0.iter().position(|(_, other)| *other == alarm) {
            self.0.remove(place);
        }
    }

    pub(super) fn is_set(&self, alarm: Alarm) -> bool {
        self.0.iter().any(|(_, other)| *other == alarm)
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.0.last().map(|(at, _)| *at)
    }

    /// Takes the soonest alarm that is due.
    pub(super) fn pop(&mut self, now: Time) -> Option<Alarm> {
        self.0.pop_if(|(at, _)| *at <= now).map(|(_, alarm)| alarm)
    }

    /// Cancels everything but lookups, which do not depend on the node's own links.
    pub(super) fn keep_lookups(&mut self) {
        self.0
            .retain(|(_, alarm)| matches!(alarm, Alarm::Lookup(_)));
    }

    /// Moves every deadline as if `now` were zero. For models, which compare moments, not clocks.
    pub(super) fn rebase(&mut self, now: Time) {
        for (at, _) in &mut self.0 {
            *at = Time::ZERO + at.since(now);
        }
    }
}

/// The dice of one finder: seeded from outside, so a run can be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chance(pub(super) ChaCha8Rng);

impl Chance {
    /// A pause of about `base`: up to `percent` shorter or longer.
    pub(super) fn about(&mut self, base: Duration, percent: u32) -> Duration {
        if percent == 0 {
            return base;
        }
        let share = self.0.next_u32() % (2 * percent + 1);
        base * (100 - percent + share) / 100
    }
}

/// The dice do not make two states differ: what they will show is nobody's knowledge yet.
impl Hash for Chance {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
