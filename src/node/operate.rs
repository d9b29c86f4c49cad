//! What people who run a ring ask of a host: the keeper does it.

use crate::keep::{Context, Then};
use crate::message::{Chore, Effects, Options, Route, Ticket};
use crate::placement::HostId;
use crate::record::{Key, Now};

use super::Host;

impl Host {
    /// Every host of the ring is asked, or one.
    pub(super) fn everyone(
        &mut self,
        now: Now,
        ticket: Ticket,
        chore: Chore,
        only: Option<HostId>,
        options: Options,
        fx: &mut dyn Effects<Then>,
    ) {
        let cx = &mut Context { now, fx };
        self.keeper
            .ask_everyone(cx, ticket, chore, only, options.deadline);
    }

    /// The copies of a key are looked at; with how a lookup of it went, everything about it is explained.
    pub(super) fn probe(
        &mut self,
        now: Now,
        ticket: Ticket,
        key: Key,
        route: Option<Result<Route, String>>,
        options: Options,
        fx: &mut dyn Effects<Then>,
    ) {
        let cx = &mut Context { now, fx };
        self.keeper.probe(cx, ticket, key, route, options.deadline);
    }
}
