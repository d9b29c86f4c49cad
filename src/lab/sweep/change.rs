//! How does the ring change while all this goes on?
//!
//! Hosts join, leave and are removed, tokens move, another number of copies is wanted, a move is given up: as
//! people would ask for it, at any moment, and without waiting for the one before.

use rand::RngExt;

use super::faults::End;
use super::run::{Run, State, Wish};
use crate::message::{Options, Request};
use crate::placement::{HostId, Member};
use crate::roster::Change;

impl Run {
    pub(super) fn join(&mut self) -> Option<End> {
        let roster = self.checker.roster()?;
        let mut gone = self.all(State::Gone).into_iter();
        let replaces = gone.rfind(|host| roster.has(*host));
        self.join_for(replaces)
    }

    /// A host that is up, was a member, and is none by the newest roster.
    fn removed_at_random(&mut self) -> Option<HostId> {
        if !self.rng.random_ratio(1, 2) {
            return None;
        }
        let roster = self.checker.roster()?;
        let out = |host: &HostId| {
            let known = self.world.host(*host).and_then(|host| host.roster());
            !roster.has(*host)
                && known
                    .is_some_and(|known| known.old().has(*host) || known.version < roster.version)
        };
        let mut up = self.all(State::Up);
        up.retain(out);
        (!up.is_empty()).then(|| up[self.rng.random_range(0..up.len())])
    }

    /// The machine of a host that is gone comes back with an empty disk: it is another host, which takes the place of that
    /// one if it still has one.
    pub(super) fn replace(&mut self, gone: HostId) {
        let has = self.checker.roster().is_some_and(|roster| roster.has(gone));
        self.join_for(has.then_some(gone));
    }

    fn join_for(&mut self, replaces: Option<HostId>) -> Option<End> {
        if self.all(State::Up).len() >= 9 {
            return None;
        }
        let via = self.member_at_random()?;
        // One that was removed comes in again with what it has, whether it has heard of that or not; or another one comes.
        let again = self.removed_at_random().filter(|_| replaces.is_none());
        let host = match again {
            Some(host) => {
                self.counts.again += 1;
                host
            }
            None => self.add_host(),
        };
        let (member, tokens) = if self.rng.random_ratio(1, 2) {
            (self.plan.member(host), 0)
        } else {
            (
                Member {
                    tokens: Vec::new(),
                    ..self.plan.member(host)
                },
                self.plan.tokens,
            )
        };
        self.ask_ring(
            host,
            Request::Join {
                via,
                member,
                tokens,
                replaces,
                replicas: None,
            },
        );
        Some(End::Over)
    }

    pub(super) fn leave(&mut self) -> Option<End> {
        let roster = self.checker.roster()?;
        let host = self.up_at_random().filter(|host| roster.has(*host))?;
        if roster.new().placement.len() < 3 || !self.can_spare(host) {
            return None;
        }
        self.ask_ring(host, Request::Leave);
        Some(End::Over)
    }

    /// Takes out a host that is gone or, now and then, one that is well.
    pub(super) fn remove(&mut self) -> Option<End> {
        let roster = self.checker.roster()?;
        let gone = self
            .all(State::Gone)
            .into_iter()
            .find(|host| roster.has(*host));
        let host = match gone {
            Some(gone) => gone,
            None => self.up_at_random().filter(|host| roster.has(*host))?,
        };
        if gone.is_none() && (roster.new().placement.len() < 4 || !self.can_spare(host)) {
            return None;
        }
        self.change(vec![Change::Remove(host)])
    }

    pub(super) fn rebalance(&mut self) -> Option<End> {
        let host = self.member_at_random()?;
        let request = if self.rng.random_ratio(1, 3) {
            Request::CancelMove
        } else {
            Request::Rebalance
        };
        self.ask_ring(host, request);
        Some(End::Over)
    }

    /// Something is asked of a member that changes nobody's place.
    pub(super) fn chore(&mut self, request: Request) -> Option<End> {
        let host = self.member_at_random()?;
        self.ask_ring(host, request);
        Some(End::Over)
    }

    /// Old copies of all hosts, or of one, are dropped now.
    pub(super) fn purge(&mut self) -> Option<End> {
        let one = self.rng.random_ratio(1, 2);
        let of = if one { self.up_at_random() } else { None };
        self.chore(Request::Purge(of))
    }

    pub(super) fn change(&mut self, changes: Vec<Change>) -> Option<End> {
        let host = self.member_at_random()?;
        self.ask_ring(host, Request::Change(changes));
        Some(End::Over)
    }

    fn ask_ring(&mut self, host: HostId, request: Request) {
        let mut wish = Wish::default();
        if let Request::Join { via, .. } = request {
            wish.via = Some(via);
        } else if let Request::Leave = request {
            wish.leaving = Some(host);
        } else if let Request::Drain = request {
            wish.pausing = Some(host);
        }
        let ticket = self.world.request(host, request, Options::default());
        self.changes.insert(ticket, wish);
    }
}
