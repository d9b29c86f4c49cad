//! What is around a host: a clock, a store, clients. Real in a process of its own, simulated in a laboratory.

use std::pin::Pin;
use std::rc::Rc;

use actix::WeakRecipient;

use super::input::{Input, ReplyTo};
use crate::keep::Then;
use crate::message::{Envelope, Event, Reply, Stored, Ticket};
use crate::node::Host;
use crate::record::{Now, Time};
use crate::store::{Done, Op, Usage};

/// A host from its records, once all that its former life asked of the store is done; none if that cannot be.
pub type Begins = Pin<Box<dyn Future<Output = Option<Host>>>>;

/// What a shell finds around it: a clock, a store, clients. Real here, simulated in `sim`.
pub trait Surroundings {
    /// The host's actor has started. Somebody must send it [`Input::Start`].
    fn born(&mut self, actor: WeakRecipient<Input>);

    /// What time is it?
    fn now(&self) -> Now;

    /// Carry out a store operation. A result that is there at once is given back; any other comes later, as
    /// [`Results`](super::Results) or [`Input::Stored`], in order among themselves.
    fn store(&mut self, op: Op, then: Then) -> Option<(Done, Then)>;

    /// Take a store operation and carry it out before this returns, if that can be done without waiting; by default none
    /// can.
    fn store_at_once(&mut self, _: &mut Option<Op>) -> Option<Done> {
        None
    }

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

    /// Tells at any time what the store keeps and may keep, for people; `None`, as by default: nobody is told.
    fn stored(&self) -> Option<Rc<dyn Fn() -> Stored>> {
        None
    }

    /// May take a message that does not leave by an address, and carry it by itself: a packet of a detector.
    /// What it hands back leaves as usual.
    fn packet(&mut self, envelope: Envelope) -> Option<Envelope> {
        Some(envelope)
    }

    /// All effects of one call are carried out; the host wants an [`Input::Wake`] at that time.
    fn settled(&mut self, wake: Option<Time>);
}
