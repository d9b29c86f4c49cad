//! A client's request: looked up first if it must be, then given to the keeper.

use crate::find::{Found, LookupError, Routes};
use crate::keep::{Caller, Context, Entry, Then};
use crate::keyspace::Id;
use crate::message::{
    Chore, Effects, Failure, KeyOp, Options, Outcome, ReqId, Request, Route, Ticket, Upload,
};
use crate::placement::rebalance;
use crate::record::{Key, Now, Time};
use crate::roster::Change;

use super::Host;

/// What a lookup under way is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// A client wants the route itself.
    Route(Ticket),
    /// A client wants the holders.
    Where(Ticket),
    /// A request about this key goes to its owner; it fails at its deadline, however long it was looked up.
    Key(Caller, Key, KeyOp, Options, Time),
    /// A request that found its owner gone.
    Again(ReqId),
    /// A client wants to know why this key is where it is.
    Explain(Ticket, Key, Options),
}

impl Host {
    /// A client asks something of this host. The answer comes by [`Effects::answer`], once.
    #[expect(clippy::too_many_lines, reason = "a table: an arm for each request")]
    pub fn request(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: Request,
        options: Options,
        fx: &mut dyn Effects<Then>,
    ) {
        match request {
            Request::One(key, op) => self.one(now, Caller::One(ticket), key, op, options, fx),
            Request::PutContent(body) => {
                let key = Key::of_content(&body.pieces);
                self.one(
                    now,
                    Caller::Content(ticket),
                    key,
                    KeyOp::Put(body, None),
                    options,
                    fx,
                );
            }
            Request::Many(ops) => {
                if self
                    .keeper
                    .expect_many(&mut Context { now, fx }, ticket, ops.len())
                {
                    for (place, (key, op)) in ops.into_iter().enumerate() {
                        self.one(now, Caller::Many(ticket, place), key, op, options, fx);
                    }
                }
            }
            Request::Upload(step) => self.upload(now, ticket, step, options, fx),
            Request::Piece(of, index) => {
                let cx = &mut Context { now, fx };
                self.keeper.download(cx, ticket, (of, index), options);
            }
            Request::WhereIs(key) => self.where_is(now, ticket, key, fx),
            Request::Lookup(id) => self.look_up(now, id, true, Purpose::Route(ticket), fx),
            Request::Roster => {
                fx.answer(ticket, Ok(Outcome::Roster(self.keeper.roster().cloned())))
            }
            Request::Status => {
                let status = Box::new(self.keeper.full_status(&Context { now, fx }));
                fx.answer(ticket, Ok(Outcome::Status(status)));
            }
            Request::Change(changes) => {
                self.keeper
                    .change(&mut Context { now, fx }, ticket, changes, options.deadline)
            }
            Request::Rebalance => self.rebalance(now, ticket, options, fx),
            Request::CancelMove => self.keeper.cancel_move(&mut Context { now, fx }, ticket),
            Request::Join {
                via,
                replaces,
                replicas,
                member,
                tokens,
            } => {
                self.keeper.join(
                    &mut Context { now, fx },
                    ticket,
                    Entry {
                        via,
                        replaces,
                        replicas,
                        member,
                        tokens,
                    },
                );
            }
            Request::Drain => self.keeper.drain(&mut Context { now, fx }, ticket),
            Request::EndDrain => self.keeper.end_drain(&mut Context { now, fx }, ticket),
            Request::AcceptLoss(hosts) => {
                self.keeper
                    .accept_loss(&mut Context { now, fx }, ticket, hosts);
            }
            Request::Leave => self.leave(now, ticket, options, fx),
            Request::StatusOfAll => self.everyone(now, ticket, Chore::Status, None, options, fx),
            Request::Balance => self.everyone(now, ticket, Chore::Balance, None, options, fx),
            Request::Count => self.everyone(now, ticket, Chore::Count, None, options, fx),
            Request::Purge(host) => self.everyone(now, ticket, Chore::Purge, host, options, fx),
            Request::Configure(tuning, host) => {
                self.everyone(now, ticket, Chore::Configure(tuning), host, options, fx);
            }
            Request::Check(key) => self.probe(now, ticket, key, None, options, fx),
            Request::Explain(key) => {
                let purpose = Purpose::Explain(ticket, key.clone(), options);
                self.look_up(now, key.id(), true, purpose, fx);
            }
            Request::Export { after, max_bytes } => {
                let cx = &mut Context { now, fx };
                self.keeper.export(cx, ticket, after, max_bytes, options);
            }
            Request::Import { items, overwrite } => {
                let cx = &mut Context { now, fx };
                self.keeper.import(cx, ticket, items, overwrite, options);
            }
        }
        self.settle(now, fx);
    }

    /// The end of an upload is a put; its other steps are the keeper's.
    fn upload(
        &mut self,
        now: Now,
        ticket: Ticket,
        step: Upload,
        options: Options,
        fx: &mut dyn Effects<Then>,
    ) {
        let Upload::End {
            upload,
            key,
            content_type,
            expiry,
        } = step
        else {
            return self.keeper.upload(&mut Context { now, fx }, ticket, step);
        };
        match self.keeper.end_upload(upload, content_type, expiry) {
            Ok(op) => self.one(now, Caller::Upload(ticket, upload), key, op, options, fx),
            Err(failure) => fx.answer(ticket, Err(failure)),
        }
    }

    fn one(
        &mut self,
        now: Now,
        caller: Caller,
        key: Key,
        op: KeyOp,
        options: Options,
        fx: &mut dyn Effects<Then>,
    ) {
        if self.nodes.is_empty() || !self.must_look_up() {
            return self
                .keeper
                .begin(&mut Context { now, fx }, caller, (key, op), options, None);
        }
        let id = key.id();
        let deadline = now.at + options.deadline.unwrap_or(self.config.keep.deadline);
        let purpose = Purpose::Key(caller, key, op, options, deadline);
        self.look_up(now, id, false, purpose, fx);
    }

    fn where_is(&mut self, now: Now, ticket: Ticket, key: Key, fx: &mut dyn Effects<Then>) {
        match self.keeper.roster() {
            Some(roster) => fx.answer(ticket, Ok(Outcome::Hosts(roster.groups(key.id()).hosts()))),
            None => self.look_up(now, key.id(), false, Purpose::Where(ticket), fx),
        }
    }

    /// Asks round the ring who owns an id, from this host's node nearest before it.
    pub(super) fn look_up(
        &mut self,
        now: Now,
        id: Id,
        traced: bool,
        purpose: Purpose,
        fx: &mut dyn Effects<Then>,
    ) {
        let before = self
            .nodes
            .range(..=id)
            .next_back()
            .or_else(|| self.nodes.last_key_value());
        let Some(asker) = before.map(|(asker, _)| *asker) else {
            return self.not_found(now, purpose, Failure::NoRing, fx);
        };
        let most = self.config.keep.max_open;
        if self.lookups.len() >= most {
            let why = format!("{most} lookups are open at this host: at most so many; try again");
            return self.not_found(now, purpose, Failure::Limit(why), fx);
        }
        self.next_lookup += 1;
        let ticket = Ticket(self.next_lookup);
        let due = self.lookup_due(now.at, &purpose);
        self.lookups.insert(ticket, (purpose, due));
        self.lookups_due.insert((due, ticket));
        self.with_node(now, asker, fx, |node, out| {
            if traced {
                node.lookup_traced(now.at, ticket, id, out)
            } else {
                node.lookup(now.at, ticket, id, out)
            }
        });
    }

    /// Until when a lookup is waited for: a quarter of the time a request has if it can do without, for
    /// with a roster its replicas are known anyway; all of it if not.
    fn lookup_due(&self, now: Time, purpose: &Purpose) -> Time {
        match purpose {
            Purpose::Key(.., deadline) if self.keeper.roster().is_some() => {
                now + deadline.since(now) / 4
            }
            Purpose::Key(.., deadline) => *deadline,
            Purpose::Route(_) | Purpose::Where(_) | Purpose::Again(_) => {
                now + self.config.keep.deadline
            }
            Purpose::Explain(..) => now + self.config.keep.deadline / 2,
        }
    }

    /// Lookups that took too long are not waited for any longer.
    pub(super) fn end_late_lookups(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        while let Some((due, ticket)) = self
            .lookups_due
            .first()
            .copied()
            .filter(|(due, _)| *due <= now.at)
        {
            self.lookups_due.remove(&(due, ticket));
            if let Some((purpose, _)) = self.lookups.remove(&ticket) {
                let why = "the lookup was not answered before the deadline; nothing was stored";
                self.not_found(now, purpose, Failure::NotFound(why.into()), fx);
            }
        }
    }

    /// A lookup has ended.
    pub(super) fn looked_up(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<Found, LookupError>,
        fx: &mut dyn Effects<Then>,
    ) {
        let Some((purpose, due)) = self.lookups.remove(&ticket) else {
            return;
        };
        self.lookups_due.remove(&(due, ticket));
        let found = match result {
            Ok(found) => found,
            Err(error) => {
                return self.not_found(now, purpose, Failure::NotFound(error.to_string()), fx);
            }
        };
        let linked = self.keeper.roster().is_none().then_some(found.owner.host);
        match purpose {
            Purpose::Route(ticket) => fx.answer(ticket, Ok(Outcome::Route(route(found)))),
            Purpose::Explain(ticket, key, options) => {
                self.probe(now, ticket, key, Some(Ok(route(found))), options, fx);
            }
            Purpose::Where(ticket) => fx.answer(ticket, Ok(Outcome::Hosts(vec![found.owner.host]))),
            Purpose::Key(caller, key, op, options, deadline) => {
                let options = until(options, deadline, now);
                self.keeper
                    .begin(&mut Context { now, fx }, caller, (key, op), options, linked);
            }
            Purpose::Again(req) => {
                self.keeper
                    .relocated(&mut Context { now, fx }, req, found.owner.host)
            }
        }
    }

    fn not_found(
        &mut self,
        now: Now,
        purpose: Purpose,
        failure: Failure,
        fx: &mut dyn Effects<Then>,
    ) {
        match purpose {
            Purpose::Route(ticket) | Purpose::Where(ticket) => fx.answer(ticket, Err(failure)),
            // Routes decide how fast a key is found, never who holds it: with a roster its replicas are
            // known, and they may well be a quorum without the owner that did not answer.
            Purpose::Key(caller, key, op, options, deadline) if self.keeper.roster().is_some() => {
                let options = until(options, deadline, now);
                self.keeper
                    .begin(&mut Context { now, fx }, caller, (key, op), options, None);
            }
            Purpose::Key(caller, ..) => {
                self.keeper
                    .tell(&mut Context { now, fx }, caller, Err(failure))
            }
            Purpose::Explain(ticket, key, options) => {
                let route = Some(Err(failure.to_string()));
                self.probe(now, ticket, key, route, options, fx);
            }
            Purpose::Again(_) => {} // The request is asked again until its own deadline.
        }
    }

    /// By links alone: requests whose owner has moved are looked up again.
    pub(super) fn relocate(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        for req in self.keeper.take_relocations() {
            let under_way = self
                .lookups
                .values()
                .any(|(purpose, _)| matches!(purpose, Purpose::Again(other) if *other == req));
            if let Some(id) = self.keeper.key_of(req).map(Key::id)
                && !under_way
            {
                self.look_up(now, id, false, Purpose::Again(req), fx);
            }
        }
    }

    fn rebalance(
        &mut self,
        now: Now,
        ticket: Ticket,
        options: Options,
        fx: &mut dyn Effects<Then>,
    ) {
        let Some(roster) = self.keeper.roster() else {
            return fx.answer(ticket, Err(Failure::NoRing));
        };
        let old = &roster.new().placement;
        let level = rebalance(old);
        let members = level.placement.members().iter();
        let moved = members.filter(|(host, member)| old.member(**host) != Some(member));
        let changes: Vec<Change> = moved
            .map(|(host, member)| Change::Tokens(*host, member.tokens.clone()))
            .collect();
        self.keeper
            .change(&mut Context { now, fx }, ticket, changes, options.deadline);
    }

    fn leave(&mut self, now: Now, ticket: Ticket, options: Options, fx: &mut dyn Effects<Then>) {
        if self.keeper.roster().is_some() {
            let changes = vec![Change::Remove(self.config.host)];
            return self
                .keeper
                .change(&mut Context { now, fx }, ticket, changes, options.deadline);
        }
        if self.nodes.is_empty() {
            return fx.answer(ticket, Err(Failure::NoRing));
        }
        if self.leaving.is_some() {
            let why = "this host is leaving already: wait for the answer";
            return fx.answer(ticket, Err(Failure::Change(why.into())));
        }
        self.leaving = Some(ticket);
        for id in self.node_ids() {
            self.with_node(now, id, fx, |node, out| node.leave(now.at, out));
        }
        self.maybe_left(fx);
    }

    /// How far this host sees when it looks an id up.
    #[must_use]
    pub fn routes(&self) -> Routes {
        self.config.find.routes
    }
}

fn route(found: Found) -> Route {
    let Found {
        owner,
        direction,
        relays,
        path,
        ..
    } = found;
    Route {
        owner,
        direction,
        relays,
        path: path.unwrap_or_default(),
    }
}

/// What is left of a request's time.
fn until(options: Options, deadline: Time, now: Now) -> Options {
    Options {
        deadline: Some(deadline.since(now.at)),
        ..options
    }
}
