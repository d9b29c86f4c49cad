//! Somebody sees to it that a move ends.
//!
//! The host that proposed a move drives it: it asks every receiver how far it is, and proposes to settle
//! once a quorum of New is complete for every span and whoever else still answers is complete too. If
//! the driver dies, any other host takes over after a while. If too many receivers of a span stay
//! silent, giving up is proposed; so it is if most hosts of New, or one that comes in, are not heard at all:
//! without a majority no later roster could be agreed on.
//!
//! Afterwards each host drops the spans it no longer holds, but only when every new holder of them has
//! said that it is complete: no copy goes before its replacement is known to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;

use crate::message::{Event, KeepMessage, MoveProgress, Outcome, Ticket};
use crate::placement::{HostId, Piece};
use crate::record::Time;
use crate::roster::{Roster, RosterVersion};
use crate::store::Op;

use super::agree::Goal;
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// How far the present move is, as far as this host knows, and who still has to hear of the roster.
#[derive(Debug, Default)]
pub(super) struct Drive {
    since: Time,
    /// When this host takes over if the move has not ended.
    takeover: Time,
    pieces: Vec<Piece>,
    workers: BTreeSet<HostId>,
    reports: BTreeMap<HostId, (Time, MoveProgress)>,
    /// Whom the move waits for: who has something to merge, as far as is known, and does not answer.
    silent: BTreeSet<HostId>,
    /// The version this host tells everybody of.
    spreading: Option<RosterVersion>,
    /// Those who have not confirmed it.
    unaware: BTreeSet<HostId>,
    /// Clients that wait until this host may stop.
    leaving: Vec<(Ticket, RosterVersion)>,
    /// Whether spans that are no longer ours are still stored.
    sweep: bool,
}

impl Keeper {
    /// We proposed that version and it was chosen: everybody concerned is told until they confirm.
    pub(super) fn spread(&mut self, version: RosterVersion) {
        self.drive.spreading = Some(version);
    }

    /// This host is out: it may stop once a majority of those who are in know it.
    pub(super) fn leave_when_known(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        roster: &Arc<Roster>,
    ) {
        self.drive.leaving.push((ticket, roster.version));
        if self.drive.spreading != Some(roster.version) {
            self.spread(roster.version);
            self.drive.unaware = roster.new().placement.hosts().collect();
            self.drive.unaware.remove(&self.me);
            self.tell_unaware(cx, roster);
        }
        self.arm_drive(cx, roster);
    }

    /// A host that lived by another roster before, or in another life, may keep spans that are no longer
    /// its own.
    pub(super) fn sweep_later(&mut self, before: Option<&Roster>) {
        self.drive.sweep |= before.is_some();
    }

    /// A roster was adopted.
    pub(super) fn begin_drive(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        let patience = self.config.source_patience * 3;
        let jitter = Duration::from_millis(self.rng.random_range(0..5_000));
        self.drive.since = cx.now.at;
        self.drive.takeover = cx.now.at
            + if roster.by == self.me {
                Duration::ZERO
            } else {
                patience + jitter
            };
        self.drive.reports.clear();
        if roster.is_moving() {
            self.drive.silent.clear(); // Of a move that was given up whoever waited for it is told.
        }
        self.drive.pieces = roster.moves();
        self.drive.workers = self
            .drive
            .pieces
            .iter()
            .flat_map(|piece| piece.new.iter().copied())
            .collect();
        self.forget_offers();
        self.drive.unaware.clear();
        if self.drive.spreading == Some(roster.version) {
            self.drive.unaware = roster
                .hosts()
                .into_iter()
                .filter(|host| *host != self.me)
                .collect();
        }
        self.tell_unaware(cx, roster);
        self.arm_drive(cx, roster);
    }

    fn arm_drive(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        let busy = roster.is_moving()
            || self.drive.sweep
            || !self.drive.unaware.is_empty()
            || !self.drive.leaving.is_empty();
        if busy {
            self.timers.set(Wake::Drive, cx.now.at + self.config.drive);
        }
    }

    fn tell_unaware(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        let reachable = self
            .drive
            .unaware
            .iter()
            .filter(|host| !self.down.contains_key(host));
        let hosts: Vec<HostId> = reachable.copied().collect();
        for host in hosts {
            self.send(cx, host, KeepMessage::RosterIs(Arc::clone(roster)));
        }
    }

    /// A host has durably adopted a version.
    pub(super) fn roster_had(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
    ) {
        if version > self.version() {
            let have = self.version();
            return self.send(cx, from, KeepMessage::RosterAsk { have });
        }
        if version == self.version() {
            self.drive.unaware.remove(&from);
            self.no_longer_offered(from);
            self.ask_again(cx, from, false);
            self.prepare_again(cx, from);
            self.maybe_left(cx);
        }
    }

    /// Tells a client that this host may stop, once a majority of those who are in know the roster
    /// without it.
    fn maybe_left(&mut self, cx: &mut Context<'_>) {
        let Some(roster) = self
            .roster
            .as_ref()
            .filter(|_| !self.drive.leaving.is_empty())
        else {
            return;
        };
        let new = roster.new();
        let aware = new
            .placement
            .hosts()
            .filter(|host| !self.drive.unaware.contains(host))
            .count();
        if aware >= new.majority() {
            for (ticket, version) in std::mem::take(&mut self.drive.leaving) {
                self.answer(cx, ticket, Ok(Outcome::Settled(version)));
            }
        }
    }

    pub(super) fn drive_due(&mut self, cx: &mut Context<'_>) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        self.tell_unaware(cx, &roster);
        if roster.is_moving() {
            if cx.now.at >= self.drive.takeover {
                let mut asked = self.drive.workers.clone();
                if !self.is_known_enough() {
                    asked.extend(roster.new().placement.hosts());
                }
                let workers: Vec<HostId> = asked.into_iter().collect();
                self.ask_progress(cx, &workers);
                self.see_who_is_silent(cx);
                self.judge(cx);
            }
        } else if self.drive.sweep {
            self.sweep(cx, &roster);
        }
        self.maybe_left(cx);
        self.arm_drive(cx, &roster);
    }

    fn ask_progress(&mut self, cx: &mut Context<'_>, hosts: &[HostId]) {
        let at = self.version();
        for host in hosts {
            self.send(cx, *host, KeepMessage::MoveAsk { at });
        }
    }

    pub(super) fn move_asked(&mut self, cx: &mut Context<'_>, from: HostId, at: RosterVersion) {
        let mine = self.version();
        if at > mine {
            self.send(cx, from, KeepMessage::RosterAsk { have: mine });
        } else if at < mine {
            self.offer_roster(cx, from, at);
        } else {
            let progress = self.mover.progress();
            self.send(cx, from, KeepMessage::MoveIs { at, progress });
        }
    }

    pub(super) fn move_is(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        at: RosterVersion,
        progress: MoveProgress,
    ) {
        if at != self.version() {
            return;
        }
        self.drain_heard(cx, from, progress.is_complete());
        // A host whose store stays full gets no further: it counts like one that is silent since.
        let full_since =
            |(at, before): &(Time, MoveProgress)| (before.full && progress.full).then_some(*at);
        let heard = self.drive.reports.get(&from).and_then(full_since);
        let heard = heard.unwrap_or(cx.now.at);
        self.drive.reports.insert(from, (heard, progress));
        let Some(roster) = self.roster.clone() else {
            return;
        };
        if roster.is_moving() {
            self.judge(cx);
        }
    }

    /// How long a host has not said how far it is.
    fn silence(&self, now: Time, host: HostId) -> Duration {
        let drive = &self.drive;
        let begun = drive.since.max(drive.takeover);
        let heard = drive.reports.get(&host).map_or(begun, |(at, _)| *at);
        now.since(heard)
    }

    /// Who is waited for in vain shows, and is said once.
    fn see_who_is_silent(&mut self, cx: &mut Context<'_>) {
        let workers = self.drive.workers.iter().copied();
        let silent: BTreeSet<HostId> = workers
            .filter(|host| *host != self.me && !self.has_reported_complete(*host))
            .filter(|host| self.silence(cx.now.at, *host) > self.config.source_patience)
            .collect();
        let version = self.version();
        let before = std::mem::replace(&mut self.drive.silent, silent.clone());
        for host in silent.difference(&before).copied() {
            if !self.mover.told.contains(&host) {
                self.note(cx, Event::Waiting { version, host });
            }
        }
    }

    /// Whom this host, which drives the move, waits for in vain.
    pub(super) const fn silent(&self) -> &BTreeSet<HostId> {
        &self.drive.silent
    }

    fn has_reported_complete(&self, host: HostId) -> bool {
        let report = self.drive.reports.get(&host);
        report.is_some_and(|(_, progress)| progress.is_complete())
    }

    /// Can the move be settled, must it be given up?
    fn judge(&mut self, cx: &mut Context<'_>) {
        let drive = &self.drive;
        let complete = |host: &HostId| self.has_reported_complete(*host);
        let silence = |host: &HostId| self.silence(cx.now.at, *host);
        let quorum = |piece: &Piece| piece.new.len() / 2 + 1;
        let held = drive
            .pieces
            .iter()
            .all(|piece| piece.new.iter().filter(|host| complete(host)).count() >= quorum(piece));
        let patient = drive
            .workers
            .iter()
            .all(|host| complete(host) || silence(host) > self.config.source_patience);
        // A ring that most of its hosts know nothing of could never be changed again.
        let known = self.is_known_enough();
        let begun = drive.since.max(drive.takeover);
        let unknown = !known && cx.now.at.since(begun) > self.config.give_up;
        let hopeless = drive.pieces.iter().any(|piece| {
            let possible = piece
                .new
                .iter()
                .filter(|host| complete(host) || silence(host) <= self.config.give_up);
            possible.count() < quorum(piece)
        });
        if held && patient && known {
            self.end_move(cx, Goal::Finish);
        } else if hopeless || unknown {
            self.give_move_up(cx);
        }
    }

    /// Whether a majority of New has been heard under this roster, and everyone who comes in. Who is let in and
    /// never heard of it would find a ring that counts it in, and an empty store.
    fn is_known_enough(&self) -> bool {
        let Some(roster) = &self.roster else {
            return false;
        };
        let drive = &self.drive;
        let spread = drive.spreading == Some(roster.version);
        let heard = |host: &HostId| {
            *host == self.me
                || drive.reports.contains_key(host)
                || (spread && !drive.unaware.contains(host))
        };
        let (old, new) = (roster.old(), roster.new());
        let mut newcomers = new.placement.hosts().filter(|host| !old.has(*host));
        newcomers.all(|host| heard(&host))
            && new.placement.hosts().filter(heard).count() >= new.majority()
    }

    /// Whether that host was last heard to have something left to merge.
    pub(super) fn heard_incomplete(&self, host: HostId) -> bool {
        let report = self.drive.reports.get(&host);
        report.is_some_and(|(_, progress)| !progress.is_complete())
    }

    /// Drops spans that are no longer ours, if all who hold them now are complete.
    fn sweep(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        if !roster.has(self.me) {
            self.drive.sweep = false;
            return;
        }
        let spans = self.strange_spans(roster);
        let holders: BTreeSet<HostId> = spans
            .iter()
            .flat_map(|span| roster.new().holders(span.to))
            .collect();
        let unknown: Vec<HostId> = holders
            .into_iter()
            .filter(|host| !self.has_reported_complete(*host))
            .collect();
        if !unknown.is_empty() {
            return self.ask_progress(cx, &unknown);
        }
        self.drive.sweep = false;
        if !spans.is_empty() {
            self.forget_marks(cx, &spans);
            self.store(cx, Op::Discard(spans), Next::Nothing);
        }
    }
}

impl MoveProgress {
    /// Whether nothing is left to merge.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete >= self.pieces
    }
}
