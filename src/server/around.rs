//! What a host finds around it in a process of its own.

use std::rc::Rc;

use actix::WeakRecipient;
use tokio::sync::mpsc;

use super::shelf::{Reason, Shared};
use crate::actor::{
    Begins, Clock, FALLS_WITHIN, Falls, Input, Local, MAX_FALLS, ReplyTo, Surroundings,
};
use crate::keep::Then;
use crate::message::{Envelope, Event, Message, Reply, Stored, Ticket};
use crate::node::{Host, HostConfig};
use crate::placement::HostId;
use crate::record::{Now, Time};
use crate::store::{Done, MemoryStore, Op, Usage};

/// Takes packets of the detector.
pub(super) type Packets = mpsc::Sender<(HostId, bytes::Bytes)>;

/// Clock, clients and timer as in any process; the store behind its thread, detectors by radio.
pub(super) struct Around {
    local: Local,
    /// As what the host begins again after a panic.
    config: HostConfig,
    falls: Falls,
    shelf: Shared,
    packets: Packets,
    /// The most bytes of keys and values, where there is such a limit.
    limit: Option<u64>,
    /// Told why, if the host cannot begin again.
    reason: Reason,
}

impl Around {
    pub(super) fn new(
        config: HostConfig,
        (clock, lost): (Clock, bool),
        shelf: Shared,
        (packets, limit): (Packets, Option<u64>),
        reason: Reason,
    ) -> Around {
        // Its own store is never asked: all goes to the shelf.
        let local = Local::new(config.host, clock, Box::new(MemoryStore::new()));
        let local = local.that_may_have_lost(lost);
        Around {
            local,
            config,
            falls: Falls::default(),
            shelf,
            packets,
            limit,
            reason,
        }
    }

    fn stays_down(&self, why: String) -> Option<Begins> {
        self.reason.set(Some(why));
        None
    }
}

fn usage(shelf: &Shared) -> Usage {
    let shelf = shelf.borrow();
    let usage = shelf.as_ref().map(|shelf| shelf.usage());
    usage.unwrap_or_default()
}

impl Surroundings for Around {
    fn born(&mut self, actor: WeakRecipient<Input>) {
        self.local.born(actor);
    }

    fn now(&self) -> Now {
        #[cfg(test)]
        trap::step();
        self.local.now()
    }

    fn store(&mut self, op: Op, then: Then) -> Option<(Done, Then)> {
        let mut shelf = self.shelf.borrow_mut();
        // Once it is closed nothing is done any more, and nothing is confirmed.
        shelf.as_mut()?.ask(op, then)
    }

    fn store_at_once(&mut self, op: &mut Option<Op>) -> Option<Done> {
        self.shelf.borrow_mut().as_mut()?.ask_at_once(op)
    }

    fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        self.local.ticket(reply)
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.local.answer(ticket, reply);
    }

    fn note(&mut self, event: Event) {
        log::debug!("{} {event}", self.config.host);
    }

    fn forget(&mut self) {
        self.local.forget();
    }

    fn again(&mut self) -> Option<Begins> {
        if !self.falls.may_begin_again(self.local.now().at) {
            let (times, within) = (MAX_FALLS + 1, FALLS_WITHIN.as_secs());
            return self.stays_down(format!(
                "a part of this program has panicked {times} times within {within} s; the log says which"
            ));
        }
        let begins = from_records(&self.shelf, self.config.clone());
        begins.or_else(|| {
            self.stays_down("its store has panicked in the middle of an operation".into())
        })
    }

    fn usage(&self) -> Usage {
        usage(&self.shelf)
    }

    fn stored(&self) -> Option<Rc<dyn Fn() -> Stored>> {
        let (shelf, limit) = (Rc::clone(&self.shelf), self.limit);
        Some(Rc::new(move || {
            let usage = usage(&shelf);
            Stored {
                keys: usage.keys(),
                bytes: usage.bytes,
                limit,
            }
        }))
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

/// A host's next life, from what its store holds once all is done that was asked of it before; none if the
/// store cannot be trusted, or is closed.
pub(super) fn from_records(shelf: &Shared, config: HostConfig) -> Option<Begins> {
    let done = shelf.try_borrow_mut().ok()?.as_mut()?.next_life()?;
    let shelf = Rc::clone(shelf);
    Some(Box::pin(async move {
        done.await.ok()?;
        let shelf = shelf.borrow();
        let shelf = shelf.as_ref()?;
        Some(Host::new(config, &|name| shelf.setting(name)))
    }))
}

/// The same for a host that shall be in no ring any more, unless its store holds a record by now.
pub(super) fn from_nothing(shelf: &Shared, config: HostConfig) -> Option<Begins> {
    let done = shelf.try_borrow_mut().ok()?.as_mut()?.next_life()?;
    let shelf = Rc::clone(shelf);
    Some(Box::pin(async move {
        done.await.ok()?;
        let forgotten = {
            let mut shelf = shelf.borrow_mut();
            let shelf = shelf.as_mut()?;
            if shelf.usage().records == 0 {
                shelf.forget_ring();
            }
            shelf.next_life()?
        };
        forgotten.await.ok()?;
        let shelf = shelf.borrow();
        let shelf = shelf.as_ref()?;
        Some(Host::new(config, &|name| shelf.setting(name)))
    }))
}

/// In tests: the next look at the clock panics, on this thread.
#[cfg(test)]
pub(crate) mod trap {
    use std::cell::Cell;

    thread_local! {
        static SET: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn set() {
        SET.set(true);
    }

    pub(super) fn step() {
        assert!(!SET.take(), "in the trap");
    }
}
