//! A host that has been silent for long is removed, if a majority finds so too.
//!
//! ```text
//! h3 is down for 5 min, as h1 sees it
//! h1 -> h2 h4     SuspectAsk h3      is it down for you, too?
//! h1 <- h2        SuspectIs          two of four … three: a majority of the roster's hosts
//! h1              wishes Remove(h3)  chosen by Paxos, carried out like any other move
//! ```
//!
//! One silent host is a broken machine; several are more likely a broken network, or a zone without power, and
//! moving everything would make it worse. So:
//!
//! *Hold these true*: nobody is removed so while more than one host is down; while fewer than R would be left; while a
//! move is under way; while another host may stop (a drain grant), nor the holder of the grant before its time is
//! over. Why it waits is told once, and stands in the status.
//!
//! Left out on purpose: any vote of the detectors themselves. They begin the time; hosts remove.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;

use crate::message::{Event, KeepMessage};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::{Change, Roster, RosterVersion};

use super::adopt::whole_ms;
use super::timers::Wake;
use super::wish::{Asker, Wish};
use super::{Context, Keeper};

/// A host looks again whether a silent one may be removed after the time after which one is removed, divided by this.
const LOOKS: u32 = 30;

/// A question that goes round: is it down for you, too?
#[derive(Debug)]
struct Poll {
    about: HostId,
    at: RosterVersion,
    agreed: BTreeSet<HostId>,
}

/// Everything about removing silent hosts.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    poll: Option<Poll>,
    /// Why nobody is removed although somebody is due.
    pub(super) waits: Option<String>,
}

impl Keeper {
    /// Somebody went down: in due time this host looks whether it should be removed.
    pub(super) fn suspect_later(&mut self, now: Time) {
        if self.config.remove_after.is_zero() {
            return;
        }
        let after = self.config.remove_after;
        let apart = after.mul_f64(self.rng.random_range(0.0..0.1));
        self.timers
            .set_sooner(Wake::Suspect, now + after + whole_ms(apart));
    }

    /// A silent host is due: may it be removed, and do the others agree?
    pub(super) fn suspect_due(&mut self, cx: &mut Context<'_>) {
        self.suspect.poll = None;
        let Some(roster) = self.roster.clone().filter(|roster| roster.has(self.me)) else {
            self.suspect.waits = None;
            return;
        };
        let down: Vec<HostId> = self
            .down
            .keys()
            .copied()
            .filter(|host| roster.has(*host))
            .collect();
        if down.is_empty() {
            self.suspect.waits = None;
            return;
        }
        self.timers
            .set(Wake::Suspect, cx.now.at + self.config.remove_after / LOOKS);
        let after = self.config.remove_after;
        let due = down
            .iter()
            .find(|host| self.is_down_for(cx.now.at, **host, after));
        let Some(about) = due.copied().filter(|_| !roster.is_moving()) else {
            return; // Nobody yet, or one thing after the other.
        };
        match self.why_not_removed(cx.now.at, &roster, &down, about) {
            Some(why) => self.say_why_it_waits(cx, why),
            None => {
                self.suspect.waits = None;
                self.ask_round(cx, &roster, about);
            }
        }
    }

    fn is_down_for(&self, now: Time, host: HostId, time: Duration) -> bool {
        self.down
            .get(&host)
            .is_some_and(|since| now.since(*since) >= time)
    }

    /// Why a silent host stays in for now.
    fn why_not_removed(
        &self,
        now: Time,
        roster: &Roster,
        down: &[HostId],
        about: HostId,
    ) -> Option<String> {
        let grace = self.config.remove_after + self.config.drain_for;
        let copies = roster.new().replicas;
        // region: waits
        if let [_, _, ..] = down {
            let names: Vec<String> = down.iter().map(ToString::to_string).collect();
            let names = names.join(" ");
            return Some(format!(
                "{names} are down, and never more than one is removed: bring them back, or remove them"
            ));
        }
        if roster.new().placement.len() <= usize::from(copies) {
            return Some(format!("fewer than {copies} hosts would be left"));
        }
        // endregion: waits
        match roster.notes.drain {
            Some(host) if host != about => Some(format!("{host} holds the drain grant")),
            Some(_) if !self.is_down_for(now, about, grace) => {
                Some(format!("{about} holds the drain grant"))
            }
            Some(_) | None => None,
        }
    }

    fn say_why_it_waits(&mut self, cx: &mut Context<'_>, why: String) {
        let why = format!("removes nobody: {why}");
        if self.suspect.waits.as_ref() != Some(&why) {
            self.note(cx, Event::RemovalWaits(why.clone()));
            self.suspect.waits = Some(why);
        }
    }

    /// Asks everybody else.
    fn ask_round(&mut self, cx: &mut Context<'_>, roster: &Roster, about: HostId) {
        let at = roster.version;
        self.suspect.poll = Some(Poll {
            about,
            at,
            agreed: BTreeSet::new(),
        });
        for host in roster.old().placement.hosts().filter(|host| *host != about) {
            self.send(cx, host, KeepMessage::SuspectAsk { at, host: about });
        }
    }

    /// Another host wants to know whether we find that one silent. Each has its own clock and its own links, so
    /// half the time is enough.
    pub(super) fn suspect_asked(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        at: RosterVersion,
        host: HostId,
    ) {
        let half = self.config.remove_after / 2;
        if at == self.version() && self.is_down_for(cx.now.at, host, half) {
            self.send(cx, from, KeepMessage::SuspectIs { at, host });
        }
    }

    /// Another host agrees. With a majority the removal is wished for, under this very roster.
    pub(super) fn suspect_is(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        at: RosterVersion,
        host: HostId,
    ) {
        let Some(roster) = self.roster.clone().filter(|roster| roster.version == at) else {
            return;
        };
        let of_it = |poll: &&mut Poll| poll.at == at && poll.about == host;
        let Some(poll) = self.suspect.poll.as_mut().filter(of_it) else {
            return;
        };
        // region: majority
        if roster.old().has(from) {
            poll.agreed.insert(from);
        }
        if poll.agreed.len() < roster.old().majority() || !self.down.contains_key(&host) {
            return;
        }
        // endregion: majority
        self.suspect.poll = None;
        self.note(cx, Event::Removing { host });
        let wish = Wish {
            changes: vec![Change::Remove(host)],
            asker: Asker::Myself,
            due: cx.now.at + self.config.change_deadline,
            only_at: Some(at),
        };
        self.wish(cx, wish);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keep::Then;
    use crate::keep::config::KeepConfig;
    use crate::keyspace::Id;
    use crate::message::{Effects, Envelope, Reply, Ticket};
    use crate::placement::Member;
    use crate::record::{Now, WallMs};
    use crate::roster::{RingId, Roster};
    use crate::store::Op;

    /// What was noted.
    struct Noted(Vec<Event>);

    impl Effects<Then> for Noted {
        fn send(&mut self, _: Envelope) {}
        fn store(&mut self, _: Op, _: Then) {}
        fn answer(&mut self, _: Ticket, _: Reply) {}
        fn note(&mut self, event: Event) {
            self.0.push(event);
        }
    }

    #[test]
    fn a_silent_host_is_removed_when_a_majority_of_the_ring_agrees_and_not_before() {
        let member = |host: u64| (HostId(host), Member::new([Id::from_u64(10 * host)]));
        let roster = Roster::settled(RingId(1), (1..=5).map(member).collect(), 3).unwrap();
        let mut keeper = Keeper::new(HostId(1), KeepConfig::default(), 1, &|_| None);
        keeper.start = keeper.starting;
        let at = roster.version;
        keeper.mover.at = at;
        keeper.roster = Some(Arc::new(roster));
        let (mut noted, silent) = (Noted(Vec::new()), HostId(4));
        let now = |at| Now {
            at,
            wall: WallMs(0),
        };
        let fx = &mut noted;
        keeper.host_down(
            &mut Context {
                now: now(Time::ZERO),
                fx,
            },
            silent,
        );
        let later = Time::ZERO + 2 * keeper.config.remove_after;
        let mut agree = |from: Option<u64>| {
            let fx = &mut noted;
            let cx = &mut Context {
                now: now(later),
                fx,
            };
            match from {
                Some(from) => keeper.suspect_is(cx, HostId(from), at, silent),
                None => keeper.suspect_due(cx),
            }
            keeper.settle_loopback(cx);
            noted
                .0
                .iter()
                .any(|event| matches!(event, Event::Removing { .. }))
        };
        assert!(!agree(None), "it asks, and itself it agrees");
        assert!(!agree(Some(2)) && !agree(Some(2)), "two of five");
        assert!(!agree(Some(9)), "who is not in has no voice");
        assert!(agree(Some(3)), "three of five");
    }
}
