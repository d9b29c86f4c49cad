//! How does a call of a host become messages of actors?

mod neighbours;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use actix::prelude::*;
use actix::{WeakAddr, WeakRecipient};

use super::book::Book;
use super::input::{Ask, Asks, Collected, Input, ReplyTo, Results};
use super::node::{Carried, HostActor, Stop};
use super::surroundings::{Begins, Surroundings};
use crate::keep::Then;
use crate::keyspace::Id;
use crate::message::{Envelope, Event, Message, Ticket};
use crate::node::Host;
use crate::placement::HostId;
use crate::record::Now;
use crate::store::{Done, Op, Usage};

use neighbours::Bound;
pub(super) use neighbours::Neighbours;

/// So often in one turn a host goes on with what its store answered at once: a put asks, then writes. With what is
/// left it goes on in its next turn, so that a long walk through a store in memory keeps nobody waiting.
const ROUNDS: usize = 4;

/// A host and what its actors share. They borrow it only inside a handler.
pub struct Shell {
    host: Host,
    surroundings: Box<dyn Surroundings>,
    book: Rc<RefCell<Book>>,
    nodes: BTreeMap<Id, Bound>,
    /// At which count of its nodes' calls all addresses were bound; none while one is missing.
    bound_at: Option<u64>,
    /// The hosts of its nodes' neighbours, in order.
    near: Vec<HostId>,
    effects: Collected,
    /// Results of the store that the host has not been told yet.
    ready: VecDeque<(Done, Then)>,
    /// Whether a message is on its way to its actor that makes it go on with them.
    goes_on: bool,
    me: Weak<RefCell<Shell>>,
    /// The host's own actor of this life.
    actor: Option<WeakAddr<HostActor>>,
    by_book: u64,
    /// How often this host has fallen: what was meant for an earlier life is dropped.
    life: u32,
    closed: bool,
    /// It was told to stop: no more lives.
    ended: bool,
}

impl Shell {
    /// A shell round a host. Its actors are started by [`start`](super::start).
    #[must_use]
    pub fn new(
        host: Host,
        surroundings: Box<dyn Surroundings>,
        book: Rc<RefCell<Book>>,
    ) -> Rc<RefCell<Shell>> {
        let effects = no_effects(&*surroundings);
        Rc::new_cyclic(|me| {
            RefCell::new(Shell {
                host,
                surroundings,
                book,
                nodes: BTreeMap::new(),
                bound_at: None,
                near: Vec::new(),
                effects,
                ready: VecDeque::new(),
                goes_on: false,
                me: me.clone(),
                actor: None,
                by_book: 0,
                life: 0,
                closed: false,
                ended: false,
            })
        })
    }

    /// The host inside.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The door of the host in its present life; none if it is down.
    #[must_use]
    pub fn door(&self) -> Option<Recipient<Ask>> {
        let actor = self.actor.as_ref().filter(|_| !self.closed)?;
        Some(actor.upgrade()?.recipient())
    }

    /// The same door for many requests in one message.
    #[must_use]
    pub fn door_for_many(&self) -> Option<Recipient<Asks>> {
        let actor = self.actor.as_ref().filter(|_| !self.closed)?;
        Some(actor.upgrade()?.recipient())
    }

    /// The actor of the host in its present life; none if it is down.
    #[must_use]
    pub fn actor(&self) -> Option<Addr<HostActor>> {
        self.actor.as_ref().filter(|_| !self.closed)?.upgrade()
    }

    pub(super) const fn book(&self) -> &Rc<RefCell<Book>> {
        &self.book
    }

    pub(super) const fn life(&self) -> u32 {
        self.life
    }

    pub(super) fn set_actor(&mut self, actor: WeakAddr<HostActor>) {
        self.actor = Some(actor);
    }

    /// What its store keeps.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.surroundings.usage()
    }

    /// By which addresses the messages of this host left so far.
    #[must_use]
    pub fn carried(&self) -> Carried {
        let mut all = Carried {
            by_book: self.by_book,
            ..Carried::default()
        };
        for bound in self.nodes.values() {
            all += bound.neighbours.borrow().carried;
        }
        all
    }

    /// Lets the host think about something, then carries out what it wants.
    pub(super) fn take(&mut self, input: Input) {
        if self.closed {
            return;
        }
        let now = self.surroundings.now();
        self.apply(now, input);
        self.act();
    }

    /// Lets the host think about many requests, one after the other, then carries out all it wants.
    pub(super) fn take_asks(&mut self, asks: Asks) {
        if self.closed {
            return;
        }
        let now = self.surroundings.now();
        for (reply, request, options) in asks.each() {
            let ticket = self.surroundings.ticket(reply);
            self.apply(now, Input::Request(ticket, request, options));
            // An answer that is there already, and for which nothing is to be stored, need not wait for the others.
            if self.effects.stores.is_empty() {
                self.give_answers();
            }
        }
        self.act();
    }

    /// Lets the host think about what arrived together, in order, then carries out all it wants.
    pub(super) fn take_arrived(&mut self, envelopes: Vec<Envelope>) {
        if self.closed {
            return;
        }
        let now = self.surroundings.now();
        for envelope in envelopes {
            self.apply(now, Input::Receive(envelope));
        }
        self.act();
    }

    /// Tells the host results of its store, in order, then carries out all it wants.
    pub(super) fn take_results(&mut self, results: Vec<(Done, Then)>) {
        if self.closed {
            return;
        }
        self.goes_on = false;
        self.ready.extend(results);
        self.tell_results();
        self.act();
    }

    fn tell_results(&mut self) {
        let now = self.surroundings.now();
        let mut ready = std::mem::take(&mut self.ready);
        for (done, then) in ready.drain(..) {
            self.apply(now, Input::Stored(done, then));
        }
        self.ready = ready;
    }

    /// One call of the host, beside its store.
    fn apply(&mut self, now: Now, input: Input) {
        let surroundings = &mut self.surroundings;
        let store = |op: &mut Option<Op>| surroundings.store_at_once(op);
        input.apply(&mut self.host, now, &mut self.effects.beside(store));
    }

    fn act(&mut self) {
        self.bind_nodes();
        self.carry_out();
        for _ in 0..ROUNDS {
            if self.ready.is_empty() {
                break;
            }
            self.tell_results();
            self.bind_nodes();
            self.carry_out();
        }
        if !self.ready.is_empty()
            && !self.goes_on
            && let Some(actor) = self.actor()
        {
            self.goes_on = true;
            actor.do_send(Results(Vec::new()));
        }
        self.surroundings.settled(self.host.next_wake());
    }

    pub(super) fn born(&mut self, actor: WeakRecipient<Input>) {
        self.surroundings.born(actor);
    }

    pub(super) fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        self.surroundings.ticket(reply)
    }

    /// Lets go of every address, so that what was a ring of them ends.
    pub fn close(&mut self) {
        self.closed = true;
        self.book.borrow_mut().remove_host(self.host.id());
        for bound in std::mem::take(&mut self.nodes).into_values() {
            bound.actor.do_send(Stop);
            *bound.neighbours.borrow_mut() = Neighbours::default();
        }
    }

    /// It was told to stop: it lets go of every address, and begins no further life.
    pub fn end(&mut self) {
        self.ended = true;
        self.close();
        if let Some(actor) = self.actor.take().and_then(|actor| actor.upgrade()) {
            actor.do_send(Stop);
        }
    }

    /// This life is over: its actors end, and what is meant for it changes nothing any more.
    pub(super) fn die(&mut self) {
        self.close();
        self.life += 1;
        self.bound_at = None;
        self.effects = no_effects(&*self.surroundings);
        self.ready.clear();
        self.goes_on = false;
        if let Some(actor) = self.actor.take().and_then(|actor| actor.upgrade()) {
            actor.do_send(Stop);
        }
        self.surroundings.forget();
    }

    /// A new life begins with that host, unless it was told to stop meanwhile.
    pub(super) fn rise(&mut self, host: Host) -> bool {
        if !self.ended {
            self.host = host;
            self.closed = false;
        }
        !self.ended
    }

    /// An actor panicked in that life: it ends, with all the others. How the next one begins, if one does.
    pub(super) fn fall(&mut self, life: u32, node: Option<Id>, why: &str) -> Option<Begins> {
        if self.ended || self.life != life {
            return None;
        }
        self.die();
        let again = self.surroundings.again();
        let (why, begins) = (why.to_owned(), again.is_some());
        let event = Event::Fell {
            node,
            why,
            again: begins,
        };
        log::error!("{} {event}", self.host.id());
        self.surroundings.note(event);
        again
    }

    fn carry_out(&mut self) {
        for event in self.effects.notes.drain(..) {
            self.surroundings.note(event);
        }
        for (op, then) in self.effects.stores.drain(..) {
            self.ready.extend(self.surroundings.store(op, then));
        }
        self.give_answers();
        let mut sends = std::mem::take(&mut self.effects.sends);
        for envelope in sends.drain(..) {
            let packet = matches!(envelope.body, Message::Detect(_));
            let envelope = match packet {
                true => self.surroundings.packet(envelope),
                false => Some(envelope),
            };
            if let Some(envelope) = envelope {
                self.send(envelope);
            }
        }
        self.effects.sends = sends;
    }

    fn give_answers(&mut self) {
        for (ticket, reply) in self.effects.answers.drain(..) {
            self.surroundings.answer(ticket, reply);
        }
    }

    /// By Next or Prev if it is for a neighbour, otherwise by the book.
    fn send(&mut self, envelope: Envelope) {
        let mut left = Some(envelope);
        if let Some(envelope) =
            left.take_if(|envelope| self.near.binary_search(&envelope.to).is_ok())
        {
            left = self.by_neighbour(envelope);
        }
        let Some(envelope) = left else { return };
        self.by_book += 1;
        match self.book.borrow().line(&envelope) {
            Some(line) => line.do_send(envelope),
            None => log::debug!("no line to {}: message lost", envelope.to),
        }
    }
}

/// None are collected yet.
fn no_effects(surroundings: &dyn Surroundings) -> Collected {
    Collected {
        stored: surroundings.stored(),
        ..Collected::default()
    }
}
