//! What a host finds around it in a process of its own.

use actix::WeakRecipient;
use tokio::sync::mpsc;

use super::shelf::{Reason, Shared};
use crate::actor::{Clock, Input, Local, ReplyTo, Surroundings};
use crate::keep::Then;
use crate::message::{Envelope, Event, Message, Reply, Ticket};
use crate::node::Host;
use crate::placement::HostId;
use crate::record::{Now, Time};
use crate::store::{MemoryStore, Op, Usage};

/// Takes packets of the detector.
pub(super) type Packets = mpsc::Sender<(HostId, bytes::Bytes)>;

/// Clock, clients and timer as in any process; the store behind its thread, detectors by radio.
pub(super) struct Around {
    local: Local,
    host: HostId,
    actor: Option<WeakRecipient<Input>>,
    shelf: Shared,
    packets: Packets,
    /// Told why, if a part of the host has panicked.
    reason: Reason,
}

impl Around {
    pub(super) fn new(
        host: HostId,
        (clock, lost): (Clock, bool),
        shelf: Shared,
        packets: Packets,
        reason: Reason,
    ) -> Around {
        // Its own store is never asked: all goes to the shelf.
        let local = Local::new(host, clock, Box::new(MemoryStore::new()));
        let local = local.that_may_have_lost(lost);
        Around {
            local,
            host,
            actor: None,
            shelf,
            packets,
            reason,
        }
    }
}

impl Surroundings for Around {
    fn born(&mut self, actor: WeakRecipient<Input>) {
        self.actor = Some(actor.clone());
        self.local.born(actor);
    }

    fn now(&self) -> Now {
        self.local.now()
    }

    fn store(&mut self, op: Op, then: Then) {
        let mut shelf = self.shelf.borrow_mut();
        // Once it is closed nothing is done any more, and nothing is confirmed.
        let done = shelf.as_mut().and_then(|shelf| shelf.ask(op, then));
        if let Some((done, then)) = done
            && let Some(actor) = self.actor.as_ref().and_then(WeakRecipient::upgrade)
        {
            actor.do_send(Input::Stored(done, then));
        }
    }

    fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        self.local.ticket(reply)
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.local.answer(ticket, reply);
    }

    fn note(&mut self, event: Event) {
        log::debug!("{} {event}", self.host);
    }

    fn again(&mut self) -> Option<Host> {
        let why = "a part of this program has failed; the log says which";
        self.reason.set(Some(why.into()));
        None
    }

    fn usage(&self) -> Usage {
        let shelf = self.shelf.borrow();
        shelf
            .as_ref()
            .map(|shelf| shelf.usage())
            .unwrap_or_default()
    }

    fn packet(&mut self, envelope: Envelope) -> Option<Envelope> {
        let Message::Detect(bytes) = &envelope.body else {
            return Some(envelope);
        };
        // A packet too many is lost, as on any network: detectors ask again.
        let _ = self.packets.try_send((envelope.to, bytes.clone()));
        None
    }

    fn settled(&mut self, wake: Option<Time>) {
        self.local.settled(wake);
    }
}
