//! One host elsewhere, as this host speaks to it: a queue, an actor that fills it, a task that empties it.
//!
//! ```text
//!   fresh ──first message──> dialling ──> up ──broken──> down ──back-off──> dialling …
//!     queues                  queues      sends           loses, as was told
//! ```

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use actix::prelude::*;
use tokio::sync::Notify;

use super::config::Limits;
use super::error::LinkError;
use super::local::LocalHost;
use super::outbox::Outbox;
use crate::actor::Input;
use crate::message::Envelope;
use crate::placement::HostId;

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Never connected, and never failed: messages wait.
    Fresh,
    /// Connected.
    Up,
    /// Not connected, and the host knows: messages are lost.
    Down,
    /// Struck out.
    Ended,
}

/// What a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages given to it.
    pub messages: u64,
    /// Of these, lost before they were written. Those written when a connection broke may be lost, too.
    pub lost: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Connections so far.
    pub connections: u64,
    /// How long the last ping took to come back, in microseconds; 0 before the first.
    pub round_trip_us: u64,
}

/// What the actor and the task of a link share.
pub(super) struct Link {
    pub(super) host: HostId,
    pub(super) outbox: RefCell<Outbox>,
    /// Something waits to be written.
    pub(super) work: Notify,
    /// Dial now, do not wait for the pause to end.
    pub(super) redial: Notify,
    /// It is elsewhere: an attempt under way may be in vain.
    pub(super) moved: Notify,
    /// A sign of life is wanted now.
    pub(super) doubted: Notify,
    /// The connection must end.
    stop: Notify,
    why: RefCell<Option<LinkError>>,
    pub(super) phase: Cell<Phase>,
    /// The last word to the host was that this one is down.
    down_told: Cell<bool>,
    /// What waits is still sent, then no more.
    pub(super) closing: Cell<bool>,
    pub(super) sent: Cell<Sent>,
    lost_while_full: Cell<u64>,
    local: LocalHost,
}

impl Link {
    pub(super) fn new(host: HostId, limits: &Limits, local: LocalHost) -> Link {
        Link {
            host,
            outbox: RefCell::new(Outbox::new(limits.queue_bytes, limits.queue_frames)),
            work: Notify::new(),
            redial: Notify::new(),
            moved: Notify::new(),
            doubted: Notify::new(),
            stop: Notify::new(),
            why: RefCell::new(None),
            phase: Cell::new(Phase::Fresh),
            down_told: Cell::new(false),
            closing: Cell::new(false),
            sent: Cell::new(Sent::default()),
            lost_while_full: Cell::new(0),
            local,
        }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Sent)) {
        let mut sent = self.sent.get();
        change(&mut sent);
        self.sent.set(sent);
    }

    // region: push
    /// A message for that host. It is queued, or lost; if it is lost the local host has been told, or is.
    pub(super) fn push(&self, envelope: &Envelope) {
        self.count(|sent| sent.messages += 1);
        if matches!(self.phase.get(), Phase::Down | Phase::Ended) || self.closing.get() {
            return self.count(|sent| sent.lost += 1);
        }
        if self.outbox.borrow_mut().push(envelope) {
            return self.work.notify_one();
        }
        self.count(|sent| sent.lost += 1);
        self.lost_while_full.set(self.lost_while_full.get() + 1);
        if self.tell_down() {
            let (bytes, messages) = self.outbox.borrow().waiting();
            log::warn!(
                "link to {}: full with {messages} messages, {bytes} bytes; more are lost until half has left",
                self.host
            );
        }
    }
    // endregion: push

    /// After something was written: if it was full and has room again, the host is told.
    pub(super) fn has_room_again(&self) {
        let lost = self.lost_while_full.get();
        if lost > 0 && !self.outbox.borrow().is_choked() {
            self.lost_while_full.set(0);
            log::info!(
                "link to {}: room again; {lost} messages were lost",
                self.host
            );
            self.tell_up();
        }
    }

    /// Forgets all that waits; how many messages that were.
    pub(super) fn drop_waiting(&self) -> usize {
        let lost = self.outbox.borrow_mut().clear();
        self.count(|sent| sent.lost += lost as u64);
        self.lost_while_full.set(0);
        lost
    }

    /// Tells the host that this one is down, unless it was the last it heard. Whether it did.
    pub(super) fn tell_down(&self) -> bool {
        let news = !self.down_told.replace(true);
        if news {
            self.local.tell(Input::HostDown(self.host));
        }
        news
    }

    pub(super) fn tell_up(&self) {
        if self.down_told.replace(false) {
            self.local.tell(Input::HostUp(self.host));
        }
    }

    // region: doubt
    /// What came from that host may be incomplete: whoever waits for an answer need not wait longer. Whether it
    /// can still be reached, the next ping will tell.
    pub(super) fn doubt(&self) {
        match self.phase.get() {
            Phase::Up => {
                self.tell_down();
                self.doubted.notify_one();
            }
            Phase::Fresh => {
                if self.tell_down() {
                    self.tell_up();
                }
            }
            Phase::Down | Phase::Ended => {}
        }
    }
    // endregion: doubt

    /// Ends the connection, if there is one.
    pub(super) fn break_off(&self, why: LinkError) {
        if self.phase.get() == Phase::Up {
            *self.why.borrow_mut() = Some(why);
            self.stop.notify_one();
        }
    }

    /// Whether it is connected, or is about to be for what waits.
    pub(super) fn is_busy(&self) -> bool {
        match self.phase.get() {
            Phase::Up => true,
            Phase::Fresh => self.outbox.borrow().waiting().1 > 0,
            Phase::Down | Phase::Ended => false,
        }
    }

    /// No more for ever.
    pub(super) fn end(&self, why: LinkError) {
        self.break_off(why);
        self.phase.set(Phase::Ended);
        self.redial.notify_one();
        self.work.notify_one();
    }

    /// Waits until it is broken off, and says why.
    pub(super) async fn broken_off(&self) -> LinkError {
        loop {
            self.stop.notified().await;
            if let Some(why) = self.take_why() {
                return why;
            }
        }
    }

    /// Why it was broken off, once it was.
    pub(super) fn take_why(&self) -> Option<LinkError> {
        self.why.borrow_mut().take()
    }
}

/// The line of a host elsewhere: a `Recipient<Envelope>` like that of any neighbour.
pub(super) struct LinkActor(pub(super) Rc<Link>);

impl Actor for LinkActor {
    type Context = Context<Self>;
}

impl Handler<Envelope> for LinkActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        self.0.push(&envelope);
    }
}
