//! How is this host, and how does the ring look from here?
//!
//! A status is what one host knows: nobody is asked. Whoever wants to know of all asks everyone, and is told who
//! did not answer. *Lacking* spans have fewer complete holders than they should: a holder counts if it is not taken
//! for down and, as far as this host has heard, merges nothing any more.
//!
//! *Hold this true*: a host whose stop would leave a span without a full set of complete copies elsewhere, as far as
//! it knows, says that it must not be stopped, and why.

use crate::message::{MoveProgress, Status};
use crate::placement::HostId;
use crate::record::Now;
use crate::roster::Roster;

use super::super::{Context, Keeper};

impl Keeper {
    /// What this host knows of the ring and of itself.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let Some(roster) = &self.roster else {
            return Status {
                open: self.requests() as u64,
                ..Status::default()
            };
        };
        let hosts = roster.hosts();
        let down = hosts.iter().filter(|host| self.down.contains_key(host));
        Status {
            version: roster.version,
            moving: roster.is_moving(),
            down: down.copied().collect(),
            hosts,
            replicas: roster.new().replicas,
            spans: u32::try_from(roster.new().placement.tokens().len()).unwrap_or(u32::MAX),
            lacking: self.lacking(now, roster),
            progress: self.progress(),
            left: self.move_left(now.at),
            move_bytes_per_s: self.move_rate(),
            hints: self.hints.len() as u64,
            repaired: self.repair.healed,
            open: self.requests() as u64,
            drain: roster.notes.drain,
            unwell: self.health.unwell,
            removal_waits: self.suspect.waits.clone(),
            mortal: self.collect.mortal,
            collecting_waits_for: self.collect.waits_for,
            marks: self.least_marks(),
            disagree: self.disagreements(now.at),
            stop_not: self.why_not_stop(now, roster),
            stored: None,
        }
    }

    /// The same, with what its store keeps.
    #[must_use]
    pub fn full_status(&self, cx: &Context<'_>) -> Status {
        Status {
            stored: cx.fx.stored(),
            ..self.status(cx.now)
        }
    }

    /// How far the move is here, and whom it waits for: a source, or who does not say how far it is.
    fn progress(&self) -> MoveProgress {
        let progress = self.mover.progress();
        let moving = self
            .roster
            .as_ref()
            .is_some_and(|roster| roster.is_moving());
        let silent = self.silent().first().copied().filter(|_| moving);
        MoveProgress {
            waiting_for: progress.waiting_for.or(silent),
            ..progress
        }
    }

    /// Spans that have fewer complete holders than they should.
    fn lacking(&self, now: Now, roster: &Roster) -> u32 {
        let new = roster.new();
        let hosts = new.placement.hosts();
        let poor: Vec<HostId> = hosts.filter(|host| self.is_lacking(now, *host)).collect();
        if poor.is_empty() {
            return 0;
        }
        let lacks = |holders: Vec<HostId>| holders.iter().any(|host| poor.contains(host));
        let tokens = new.placement.tokens();
        let lacking = tokens.filter(|token| lacks(new.holders(token.id))).count();
        u32::try_from(lacking).unwrap_or(u32::MAX)
    }

    /// Whether what this host should hold may not be whole there, as far as we know.
    fn is_lacking(&self, now: Now, host: HostId) -> bool {
        if host == self.me {
            return self.is_late() || !self.mover.is_complete();
        }
        self.down.contains_key(&host) || self.heard_incomplete(host) || self.said_late(now.at, host)
    }

    /// Why this host must not be stopped now; empty if it may be.
    fn why_not_stop(&self, now: Now, roster: &Roster) -> String {
        if !roster.has(self.me) {
            return String::new();
        }
        let (hosts, copies) = (
            roster.new().placement.len(),
            usize::from(roster.new().replicas),
        );
        let lacking = self.lacking(now, roster);
        if let Some(why) = self.obstacle(roster) {
            why
        } else if hosts <= 1 {
            "it is the only host: with it all keys are gone".to_owned()
        } else if hosts < copies {
            format!("the ring has {hosts} hosts for {copies} copies: each holds everything")
        } else if lacking > 0 {
            format!("{lacking} spans have a copy that is not complete, or not reachable")
        } else {
            self.safe_to_stop().err().unwrap_or_default()
        }
    }
}
