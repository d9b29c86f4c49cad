//! How does a call of a host become messages of actors?

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::{Rc, Weak};

use actix::prelude::*;
use actix::{WeakAddr, WeakRecipient};

use super::book::{Book, Line, addressee};
use super::input::{Ask, Asks, Collected, Input, ReplyTo, Results};
use super::node::{Carried, HostActor, NodeActor, Stop};
use super::watch;
use crate::keep::Then;
use crate::keyspace::Id;
use crate::message::{Envelope, Event, Message, Peer, Reply, Ticket};
use crate::node::Host;
use crate::placement::HostId;
use crate::record::{Now, Time};
use crate::ring::Links;
use crate::store::{Done, Op, Usage};

/// So often in one turn a host goes on with what its store answered at once: a put asks, then writes. With what is
/// left it goes on in its next turn, so that a long walk through a store in memory keeps nobody waiting.
const ROUNDS: usize = 4;

/// A host from its records, once all that its former life asked of the store is done; none if that cannot be.
pub type Begins = Pin<Box<dyn Future<Output = Option<Host>>>>;

/// What a shell finds around it: a clock, a store, clients. Real here, simulated in `sim`.
pub trait Surroundings {
    /// The host's actor has started. Somebody must send it [`Input::Start`].
    fn born(&mut self, actor: WeakRecipient<Input>);

    /// What time is it?
    fn now(&self) -> Now;

    /// Carry out a store operation. A result that is there at once is given back; any other comes later, as
    /// [`Results`] or [`Input::Stored`], in order.
    fn store(&mut self, op: Op, then: Then) -> Option<(Done, Then)>;

    /// A ticket for a client's request, whose answer goes there.
    fn ticket(&mut self, reply: ReplyTo) -> Ticket;

    /// A client's request is answered.
    fn answer(&mut self, ticket: Ticket, reply: Reply);

    /// Something worth a line happened.
    fn note(&mut self, event: Event);

    /// A life of the host is over: nobody is woken any more, and clients that wait learn that no answer comes.
    fn forget(&mut self) {}

    /// An actor of this host has panicked, so what it knew in memory is thrown away: a host from what is on
    /// its disk begins a new life as soon as that can be read; `None`, as by default: it stays down. What
    /// the store was asked for before is told to nobody.
    fn again(&mut self) -> Option<Begins> {
        None
    }

    /// What the store keeps, where it lies here.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// May take a message that does not leave by an address, and carry it by itself: a packet of a detector.
    /// What it hands back leaves as usual.
    fn packet(&mut self, envelope: Envelope) -> Option<Envelope> {
        Some(envelope)
    }

    /// All effects of one call are carried out; the host wants an [`Input::Wake`] at that time.
    fn settled(&mut self, wake: Option<Time>);
}

/// The two addresses of one node, and who is behind them.
#[derive(Default)]
pub(super) struct Neighbours {
    /// Who they are; none before the first call.
    pub(super) peers: Option<Links<Peer>>,
    pub(super) lines: Links<Option<Line>>,
    pub(super) carried: Carried,
}

impl Neighbours {
    /// Whether the addresses it holds are those of these links.
    fn is_bound_to(&self, links: Links<Peer>) -> bool {
        let missing = self.lines.prev.is_none() || self.lines.next.is_none();
        self.peers == Some(links) && !missing
    }

    /// Takes the addresses of the present links from the book, where they have changed.
    fn rebind(&mut self, links: Links<Peer>, book: &Book) {
        if self.is_bound_to(links) {
            return;
        }
        let find = |peer| book.to_node(peer).cloned();
        self.lines = Links {
            prev: find(links.prev),
            next: find(links.next),
        };
        self.peers = Some(links);
    }

    /// The address of a neighbour, counted as used; none if that is no neighbour, or its actor has ended.
    fn line(&mut self, is_it: impl Fn(Peer) -> bool) -> Option<&Line> {
        let peers = self.peers?;
        let (line, used) = if is_it(peers.next) {
            (self.lines.next.as_ref()?, &mut self.carried.by_next)
        } else if is_it(peers.prev) {
            (self.lines.prev.as_ref()?, &mut self.carried.by_prev)
        } else {
            return None;
        };
        if !line.connected() {
            // Its host has begun another life, with another actor: the book knows.
            self.peers = None;
            return None;
        }
        *used += 1;
        Some(line)
    }
}

/// A node's actor, and the addresses it holds.
struct Bound {
    actor: Addr<NodeActor>,
    neighbours: Rc<RefCell<Neighbours>>,
}

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
        Rc::new_cyclic(|me| {
            RefCell::new(Shell {
                host,
                surroundings,
                book,
                nodes: BTreeMap::new(),
                bound_at: None,
                near: Vec::new(),
                effects: Collected::default(),
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
        input.apply(&mut self.host, now, &mut self.effects);
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
            let input = Input::Request(ticket, request, options);
            input.apply(&mut self.host, now, &mut self.effects);
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
            Input::Receive(envelope).apply(&mut self.host, now, &mut self.effects);
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
        for (done, then) in self.ready.drain(..) {
            Input::Stored(done, then).apply(&mut self.host, now, &mut self.effects);
        }
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
        self.effects = Collected::default();
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

    /// An actor for each node, with the addresses of its present neighbours.
    fn bind_nodes(&mut self) {
        let calls = self.host.node_calls();
        if self.bound_at == Some(calls) {
            return;
        }
        if !self.is_bound() {
            self.dismiss();
            self.bind_anew();
        }
        self.bound_at = self.is_bound().then_some(calls);
    }

    /// Whether each node has its actor, and that the addresses of its present neighbours.
    fn is_bound(&self) -> bool {
        // Both in order of their ids.
        let nodes = self.host.nodes();
        nodes.len() == self.nodes.len()
            && nodes.zip(&self.nodes).all(|(node, (id, bound))| {
                node.me().id == *id && bound.neighbours.borrow().is_bound_to(node.links())
            })
    }

    fn bind_anew(&mut self) {
        let host = self.host.id();
        let links = self.host.nodes().map(|node| node.links());
        self.near = links
            .flat_map(|links| [links.prev.host, links.next.host])
            .collect();
        self.near.sort_unstable();
        self.near.dedup();
        for node in self.host.nodes() {
            let id = node.me().id;
            let bound = self.nodes.entry(id).or_insert_with(|| {
                let neighbours = Rc::new(RefCell::new(Neighbours::default()));
                let actor = NodeActor::new(id, self.me.clone(), Rc::clone(&neighbours));
                let (shell, life) = (self.me.clone(), self.life);
                let actor = watch::start(actor, move |why| {
                    if let Some(shell) = shell.upgrade() {
                        watch::fell(&shell, life, Some(id), why);
                    }
                });
                let peer = Peer { id, host };
                self.book
                    .borrow_mut()
                    .add_node(peer, actor.clone().recipient());
                Bound { actor, neighbours }
            });
            bound
                .neighbours
                .borrow_mut()
                .rebind(node.links(), &self.book.borrow());
        }
    }

    /// Ends the actors of nodes that are no more.
    fn dismiss(&mut self) {
        let host = self.host.id();
        let alive: Vec<Id> = self.host.nodes().map(|node| node.me().id).collect();
        let mut book = self.book.borrow_mut();
        self.nodes.retain(|id, bound| {
            let stays = alive.contains(id);
            if !stays {
                book.remove_node(Peer { id: *id, host });
                bound.actor.do_send(Stop);
            }
            stays
        });
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for event in effects.notes.drain(..) {
            self.surroundings.note(event);
        }
        for (op, then) in effects.stores.drain(..) {
            self.ready.extend(self.surroundings.store(op, then));
        }
        for (ticket, reply) in effects.answers.drain(..) {
            self.surroundings.answer(ticket, reply);
        }
        for envelope in effects.sends.drain(..) {
            let packet = matches!(envelope.body, Message::Detect(_));
            let envelope = match packet {
                true => self.surroundings.packet(envelope),
                false => Some(envelope),
            };
            if let Some(envelope) = envelope {
                self.send(envelope);
            }
        }
        self.effects = effects;
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

    /// Sends it by the address of a neighbour, or gives it back.
    fn by_neighbour(&mut self, envelope: Envelope) -> Option<Envelope> {
        let sender = match &envelope.body {
            Message::Find { from, .. } => self.nodes.get(from).into_iter(),
            Message::Keep(_) | Message::Detect(_) => None.into_iter(),
        };
        let keep = matches!(envelope.body, Message::Keep(_) | Message::Detect(_));
        let senders = sender.chain(self.nodes.values().filter(|_| keep));
        let to = addressee(&envelope);
        let is_it = |peer: Peer| peer.host == envelope.to && to.is_none_or(|id| peer.id == id);
        for bound in senders {
            let mut neighbours = bound.neighbours.borrow_mut();
            if let Some(line) = neighbours.line(is_it) {
                line.do_send(envelope);
                return None;
            }
        }
        // Either none of these nodes is to say it, or an address has ended: looked up after the next call.
        self.bound_at = None;
        Some(envelope)
    }
}
