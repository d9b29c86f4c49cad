//! What does a host of actors find around it on the stage?
//!
//! A real host has a socket, a clock, a disk and clients. On the stage all of that is nature's:
//!
//! ```text
//!   HostActor ── store, answer, note, now ──> Scenery ──> Nature       at once
//!             ── messages ──────────────────> Director ─> Nature       by its mailbox, in their order
//!             ── settled(next wake) ────────> Director                 behind all of them: only then the next
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use actix::{Addr, WeakRecipient};

use super::Clients;
use super::director::{Director, Handled};
use crate::actor::{Begins, Input, ReplyTo, Surroundings};
use crate::keep::Then;
use crate::message::{Event, Reply, Ticket};
use crate::record::{Now, Time};
use crate::sim::nature::Nature;
use crate::store::{Done, Op};

/// What a host finds around it on the stage.
pub(super) struct Scenery {
    pub(super) place: u32,
    pub(super) nature: Rc<RefCell<Nature>>,
    pub(super) director: Addr<Director>,
    pub(super) clients: Clients,
}

impl Surroundings for Scenery {
    fn born(&mut self, _: WeakRecipient<Input>) {
        // The director has the address, and sends the start when it is due.
    }

    fn now(&self) -> Now {
        self.nature.borrow().now(self.place)
    }

    fn store(&mut self, op: Op, then: Then) -> Option<(Done, Then)> {
        self.nature.borrow_mut().store(self.place, op, then);
        None
    }

    fn store_at_once(&mut self, op: &mut Option<Op>) -> Option<Done> {
        self.nature.borrow_mut().store_at_once(self.place, op)
    }

    fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        let ticket = self.nature.borrow_mut().open_ticket(self.place);
        self.clients.borrow_mut().insert(ticket, reply);
        ticket
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.nature.borrow_mut().answer(self.place, ticket, reply);
    }

    fn note(&mut self, event: Event) {
        self.nature.borrow_mut().note(self.place, &event);
    }

    /// In this world a panic is a crash: the others hear of it, and it is restarted by whoever plays.
    fn again(&mut self) -> Option<Begins> {
        self.nature.borrow_mut().crash(self.place, true);
        self.settled(None);
        None
    }

    fn settled(&mut self, wake: Option<Time>) {
        self.director.do_send(Handled {
            place: self.place,
            wake,
        });
    }
}
