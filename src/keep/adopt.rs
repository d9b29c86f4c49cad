//! A chosen roster is made durable, then lived by.
//!
//! Between the two, questions about data wait: under the old version nothing more is stored, under the
//! new one nothing yet. That is what *seals* a source: what it says under the new version holds
//! everything it ever confirmed under older ones.

use std::sync::Arc;

use rand::RngExt;

use crate::keyspace::{Id, Span};
use crate::message::{Event, KeepMessage};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::{Roster, RosterVersion};
use crate::store::{Op, Setting};

use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// A roster on its way to the disk.
#[derive(Debug)]
pub(super) struct Adopting {
    pub(super) roster: Arc<Roster>,
    /// Who wants to know when it is there.
    pub(super) tell: Vec<HostId>,
}

impl Keeper {
    /// Starts from a roster that is settled already, as if it had been adopted: how rings are founded.
    pub fn enter(&mut self, cx: &mut Context<'_>, roster: Arc<Roster>) {
        self.roster_is(cx, None, roster);
        self.settle_loopback(cx);
    }

    /// A chosen roster arrived: from a peer, or because our own proposal was chosen.
    pub(super) fn roster_is(
        &mut self,
        cx: &mut Context<'_>,
        from: Option<HostId>,
        roster: Arc<Roster>,
    ) {
        if self
            .roster
            .as_ref()
            .is_some_and(|mine| mine.ring != roster.ring)
        {
            log::warn!(
                "{}: ignored a roster of another ring: two full rings never merge",
                self.me
            );
            return;
        }
        if roster.version <= self.version() {
            let version = self.version();
            from.into_iter()
                .for_each(|from| self.send(cx, from, KeepMessage::RosterHave { version }));
            if let Some(mine) = self.roster.clone().filter(|mine| !mine.has(self.me)) {
                self.learn(cx, mine);
            }
            return;
        }
        if self.roster.is_none() && !roster.has(self.me) {
            return self.learn(cx, roster);
        }
        let invited = roster.is_moving() && !roster.old().has(self.me);
        if from.is_some() && !invited && self.is_stranger() {
            return self.refuse_identity(cx, &roster);
        }
        let mut tell = match &mut self.adopting {
            Some(adopting) if adopting.roster.version >= roster.version => {
                let new = from.filter(|from| !adopting.tell.contains(from));
                return adopting.tell.extend(new);
            }
            Some(adopting) => std::mem::take(&mut adopting.tell),
            None => Vec::new(),
        };
        tell.extend(from.filter(|from| !tell.contains(from)));
        let version = roster.version;
        self.shelve_before(cx, &roster);
        self.store(
            cx,
            Op::Set(Setting::Roster, roster.encode()),
            Next::Adopted(version),
        );
        self.adopting = Some(Adopting { roster, tell });
    }

    /// Whether this host has no memory of a ring that counts it in: its disk holds no roster, and it has
    /// seen none without itself in this life. Then, unless it is just being let in, its store is not the one
    /// the ring knows by its id.
    fn is_stranger(&self) -> bool {
        self.roster.is_none() && self.adopting.is_none() && !self.has_learned()
    }

    /// An empty store must not answer for what another one confirmed under the same id.
    fn refuse_identity(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        let why = format!(
            "roster {} counts {} in, but this store is empty: it is not that host's. Give this one a new id, \
             let it join, and remove {} from the ring",
            roster.version, self.me, self.me
        );
        log::error!("{why}");
        self.join_failed(cx, &why);
    }

    // region: adopted
    /// The roster is on disk: from here on this host lives by it.
    pub(super) fn adopted(&mut self, cx: &mut Context<'_>, version: RosterVersion) {
        let Some(Adopting { roster, tell }) = self
            .adopting
            .take_if(|adopting| adopting.roster.version == version)
        else {
            return;
        };
        let before = self.roster.replace(Arc::clone(&roster));
        self.note(
            cx,
            Event::Adopted {
                version,
                moving: roster.is_moving(),
            },
        );
        for host in tell {
            self.send(cx, host, KeepMessage::RosterHave { version });
        }
        self.sweep_later(before.as_deref());
        self.live_by(cx, before.as_deref(), &roster);
        self.restart_all(cx);
        for (from, message) in std::mem::take(&mut self.parked) {
            self.handle(cx, from, message);
        }
    }
    // endregion: adopted

    /// The disk did not take the roster: the one before holds until this one is offered again.
    pub(super) fn not_adopted(&mut self, cx: &mut Context<'_>, version: RosterVersion) {
        let failed = |adopting: &mut Adopting| adopting.roster.version == version;
        if self.adopting.take_if(failed).is_some() {
            for (from, message) in std::mem::take(&mut self.parked) {
                self.handle(cx, from, message);
            }
        }
    }

    /// Takes up the work that this roster means for this host, which lived by another one before.
    pub(super) fn live_by(
        &mut self,
        cx: &mut Context<'_>,
        before: Option<&Roster>,
        roster: &Arc<Roster>,
    ) {
        self.forget_round();
        self.forget_views();
        self.take_up_rounds(cx.now.at);
        self.drift
            .forget_all_but(cx.now.at, |host| roster.has(host));
        self.begin_move(cx, before, roster);
        self.begin_drive(cx, roster);
        self.note_loss(cx, roster);
        self.wishes_after(cx, roster);
        self.join_after(cx, roster);
        self.try_propose(cx);
    }

    pub(super) fn roster_asked(&mut self, cx: &mut Context<'_>, from: HostId, have: RosterVersion) {
        self.no_longer_offered(from);
        self.offer_roster(cx, from, have);
    }

    /// Somebody told which roster it has: whoever has the newer one shares it.
    pub(super) fn gossiped(&mut self, cx: &mut Context<'_>, from: HostId, theirs: RosterVersion) {
        let have = self.version();
        if theirs > have {
            self.send(cx, from, KeepMessage::RosterAsk { have });
        } else {
            self.offer_roster(cx, from, theirs);
        }
    }

    /// Begins what is done again and again, each host at its own moment.
    pub(super) fn begin_periods(&mut self, now: Time) {
        for (wake, period) in [
            (Wake::Gossip, self.config.gossip),
            (Wake::Repair, self.config.repair),
        ] {
            if !period.is_zero() {
                let first = period.mul_f64(self.rng.random_range(0.0..1.0));
                self.timers.set(wake, now + whole_ms(first));
            }
        }
        if !self.config.collect.is_zero() {
            self.timers.set(Wake::Collect, now + self.config.collect);
        }
    }

    /// Tells a host drawn at random, by where a random id falls, which roster we have.
    pub(super) fn gossip_due(&mut self, cx: &mut Context<'_>) {
        self.timers
            .set(Wake::Gossip, cx.now.at + self.config.gossip);
        self.look_at_itself(cx);
        let Some(roster) = &self.roster else { return };
        let (version, view) = (roster.version, self.view());
        let placement = &roster.new().placement;
        let id = Id::from_top(self.rng.random());
        let Ok(mut token) = placement.owner(id) else {
            return;
        };
        if token.host == self.me {
            let Ok(next) = placement.next(token.id) else {
                return;
            };
            token = next;
        }
        if token.host != self.me {
            self.send(
                cx,
                token.host,
                KeepMessage::Gossip {
                    version,
                    wall: cx.now.wall,
                    view,
                },
            );
        }
    }

    /// Spans that a settled roster no longer gives us; they go once their holders are known to be whole.
    pub(super) fn strange_spans(&self, roster: &Roster) -> Vec<Span> {
        let membership = roster.new();
        let strange = |id: Id| !membership.holds(self.me, id);
        let tokens = membership
            .placement
            .tokens()
            .filter(|token| strange(token.id));
        tokens
            .filter_map(|token| membership.placement.span_of(token.id))
            .collect()
    }
}

/// Times in this crate are whole milliseconds wherever they are drawn, so that drivers with a coarser
/// clock agree.
pub(super) fn whole_ms(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
