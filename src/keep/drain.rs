//! May this host stop for a while? And what if hosts are gone for good?
//!
//! ```text
//! h2: may I stop?   asks every host of the roster: is all you hold complete?
//!                   all of them: wishes Drain(h2), and stands in the roster; nobody else may stop
//! h2 stops, comes back, and wishes EndDrain(h2)
//! ```
//!
//! *Hold these true*: a grant is wished for only when every host of the roster has said, under this very roster, that it
//! is complete; it is void if the roster has changed by the time it is chosen. A loss is accepted only of hosts that this
//! one finds silent.

use std::collections::BTreeSet;

use crate::message::{Event, Failure, KeepMessage, Outcome, Ticket};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::{Change, Roster, RosterVersion};

use super::timers::Wake;
use super::wish::{Asker, Wish};
use super::{Context, Keeper};

/// A client that waits until this host may stop.
#[derive(Debug)]
pub(super) struct Draining {
    ticket: Ticket,
    at: RosterVersion,
    /// Those who have not said yet that they are complete.
    missing: BTreeSet<HostId>,
}

impl Keeper {
    /// A client wants to stop this host for a while; answered once it may.
    pub fn drain(&mut self, cx: &mut Context<'_>, ticket: Ticket) {
        match self.may_drain() {
            Ok(None) => {
                let version = self.version();
                self.answer(cx, ticket, Ok(Outcome::Settled(version)));
            }
            Ok(Some(missing)) => {
                let at = self.version();
                self.timers
                    .set(Wake::Drain, cx.now.at + self.config.deadline);
                for host in &missing {
                    self.send(cx, *host, KeepMessage::MoveAsk { at });
                }
                self.draining = Some(Draining {
                    ticket,
                    at,
                    missing,
                });
            }
            Err(why) => self.answer(cx, ticket, Err(Failure::Change(why))),
        }
        self.settle_loopback(cx);
    }

    /// Whom to ask before this host may stop; none if it may already.
    fn may_drain(&self) -> Result<Option<BTreeSet<HostId>>, String> {
        let roster = self.roster.as_ref().filter(|roster| roster.has(self.me));
        let roster = roster.ok_or_else(|| Failure::NoRing.to_string())?;
        if roster.notes.drain == Some(self.me) {
            return Ok(None);
        }
        if self.draining.is_some() {
            return Err("this host has asked already: wait for the answer".into());
        }
        self.obstacle(roster).map_or(Ok(()), Err)?;
        Ok(Some(roster.new().placement.hosts().collect()))
    }

    /// What speaks against stopping this host, as far as it knows.
    pub(super) fn obstacle(&self, roster: &Roster) -> Option<String> {
        if roster.is_moving() {
            return Some(format!("a move is under way ({})", roster.version));
        }
        if let Some(host) = roster.notes.drain.filter(|host| *host != self.me) {
            return Some(format!(
                "{host} holds the drain grant: one host stops at a time"
            ));
        }
        let down = self.down.keys().find(|host| roster.has(**host));
        if let Some(host) = down {
            return Some(format!(
                "{host} is down: with this host some copies would be two less"
            ));
        }
        if !self.mover.progress().is_complete() {
            return Some("this host does not have all it should hold yet".into());
        }
        None
    }

    /// May this host stop now, so that every key keeps all its copies but one?
    ///
    /// # Errors
    /// Why not, in words.
    pub fn safe_to_stop(&self) -> Result<(), String> {
        let roster = self.roster.as_ref().filter(|roster| roster.has(self.me));
        let Some(roster) = roster else {
            return Ok(()); // It holds nothing that anybody counts on.
        };
        self.obstacle(roster).map_or(Ok(()), Err)?;
        if roster.notes.drain != Some(self.me) {
            return Err(
                "it has no drain grant: ask for it first; nothing else speaks against it".into(),
            );
        }
        Ok(())
    }

    /// Another host said how far it is: perhaps it was the last one a drain waited for.
    pub(super) fn drain_heard(&mut self, cx: &mut Context<'_>, from: HostId, complete: bool) {
        let version = self.version();
        let Some(draining) = self.draining.as_mut().filter(|_| complete) else {
            return;
        };
        draining.missing.remove(&from);
        if !draining.missing.is_empty() || draining.at != version {
            return;
        }
        let Some(Draining { ticket, at, .. }) = self.draining.take() else {
            return;
        };
        self.timers.clear(Wake::Drain);
        let wish = Wish {
            changes: vec![Change::Drain(self.me)],
            asker: Asker::Local(ticket),
            due: cx.now.at + self.config.deadline * 2,
            only_at: Some(at),
        };
        self.wish(cx, wish);
    }

    /// Somebody has not said in time that it is complete.
    pub(super) fn drain_due(&mut self, cx: &mut Context<'_>) {
        if let Some(draining) = self.draining.take() {
            let names: Vec<String> = draining.missing.iter().map(ToString::to_string).collect();
            let why = format!(
                "not safe to stop: {} did not say in time that all they hold is complete",
                names.join(" ")
            );
            self.answer(cx, draining.ticket, Err(Failure::Change(why)));
        }
    }

    /// A client says that the drain grant is over.
    pub fn end_drain(&mut self, cx: &mut Context<'_>, ticket: Ticket) {
        let holder = self.roster.as_ref().and_then(|roster| roster.notes.drain);
        let host = holder.unwrap_or(self.me);
        self.change(cx, ticket, vec![Change::EndDrain(host)], None);
    }

    /// This host is back: whoever waits for the grant shall have it.
    pub(super) fn give_drain_back(&mut self, cx: &mut Context<'_>) {
        let holder = self.roster.as_ref().and_then(|roster| roster.notes.drain);
        if holder == Some(self.me) {
            let wish = Wish {
                changes: vec![Change::EndDrain(self.me)],
                asker: Asker::Myself,
                due: Time(u64::MAX),
                only_at: None,
            };
            self.wish(cx, wish);
        }
    }

    /// An operator gives hosts up for good, with what only they held.
    pub fn accept_loss(&mut self, cx: &mut Context<'_>, ticket: Ticket, hosts: Vec<HostId>) {
        let alive = hosts.iter().find(|host| !self.down.contains_key(host));
        if let Some(host) = alive {
            let why = format!("{host} is not known to be down: only what is lost can be given up");
            return self.answer(cx, ticket, Err(Failure::Change(why)));
        }
        self.change(cx, ticket, vec![Change::AcceptLoss(hosts)], None);
    }

    /// A roster that gave hosts up is worth a line.
    pub(super) fn note_loss(&mut self, cx: &mut Context<'_>, roster: &Roster) {
        let last = roster.notes.losses.last();
        if let Some(loss) = last.filter(|loss| loss.at == roster.version) {
            self.note(cx, Event::LossAccepted(loss.clone()));
        }
    }
}
