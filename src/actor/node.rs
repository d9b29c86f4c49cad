//! The actors: one per node, one per host.

use std::cell::{RefCell, RefMut};
use std::ops::AddAssign;
use std::rc::{Rc, Weak};

use actix::prelude::*;

use super::input::{Arrived, Ask, Asks, Input, Results};
use super::shell::{Neighbours, Shell};
use super::watch;
use crate::keyspace::Id;
use crate::message::Envelope;

/// To a host's actor: end, and let go of every address. To a node's: sent by its host.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// By which addresses messages left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// By a node's Next.
    pub by_next: u64,
    /// By a node's Prev.
    pub by_prev: u64,
    /// By the address book.
    pub by_book: u64,
}

impl AddAssign for Carried {
    fn add_assign(&mut self, other: Carried) {
        self.by_next += other.by_next;
        self.by_prev += other.by_prev;
        self.by_book += other.by_book;
    }
}

/// One place on the ring: takes what is said to this node, and holds the addresses of its neighbours.
///
/// The host's shell keeps a second handle on those addresses, because a timer of the host may make any
/// of its nodes speak.
pub struct NodeActor {
    id: Id,
    shell: Weak<RefCell<Shell>>,
    neighbours: Rc<RefCell<Neighbours>>,
}

impl NodeActor {
    pub(super) fn new(
        id: Id,
        shell: Weak<RefCell<Shell>>,
        neighbours: Rc<RefCell<Neighbours>>,
    ) -> NodeActor {
        NodeActor {
            id,
            shell,
            neighbours,
        }
    }
}

impl Actor for NodeActor {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        let peers = self.neighbours.borrow().peers;
        log::trace!("node {} ended, between {peers:?}", self.id.short());
    }
}

impl Handler<Envelope> for NodeActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        if let Some(shell) = self.shell.upgrade() {
            shell.borrow_mut().take(Input::Receive(envelope));
        }
    }
}

impl Handler<Stop> for NodeActor {
    type Result = ();

    fn handle(&mut self, Stop: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// The host itself: what host says to host, what clients ask, its clock and its store. Owns the shell.
pub struct HostActor {
    shell: Rc<RefCell<Shell>>,
    /// In which life of the host this is its actor.
    life: u32,
}

/// Starts the actor of a host on the arbiter of the caller, lists it in the book, and lets the host begin
/// its life. The actors of its nodes follow by themselves as it stands on the ring. If one of them panics
/// and the host begins another life, it has another actor: [`Shell::door`] tells its address.
pub fn start(shell: Rc<RefCell<Shell>>, book: &Rc<RefCell<super::Book>>) -> Addr<HostActor> {
    let (host, life) = (shell.borrow().host().id(), shell.borrow().life());
    let watched = Rc::clone(&shell);
    let actor = HostActor { shell, life };
    let actor = watch::start(actor, {
        let shell = Rc::clone(&watched);
        move |why| watch::fell(&shell, life, None, why)
    });
    watched.borrow_mut().set_actor(actor.downgrade());
    book.borrow_mut().add_host(host, actor.clone().recipient());
    actor
}

impl HostActor {
    /// The shell, if it is still that of this life.
    fn shell(&self) -> Option<RefMut<'_, Shell>> {
        let shell = self.shell.borrow_mut();
        (shell.life() == self.life).then_some(shell)
    }

    fn take(&self, input: Input) {
        if let Some(mut shell) = self.shell() {
            shell.take(input);
        }
    }
}

impl Actor for HostActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            shell.born(ctx.address().downgrade().recipient());
        }
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            shell.close();
        }
    }
}

impl Handler<Input> for HostActor {
    type Result = ();

    fn handle(&mut self, input: Input, _: &mut Context<Self>) {
        self.take(input);
    }
}

impl Handler<Results> for HostActor {
    type Result = ();

    fn handle(&mut self, Results(results): Results, _: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            shell.take_results(results);
        }
    }
}

impl Handler<Envelope> for HostActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        self.take(Input::Receive(envelope));
    }
}

impl Handler<Arrived> for HostActor {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            shell.take_arrived(arrived.envelopes);
            // A link that broke meanwhile does not wait any more.
            let _ = arrived.handled.send(());
        }
    }
}

impl Handler<Ask> for HostActor {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            let ticket = shell.ticket(ask.reply.into());
            shell.take(Input::Request(ticket, ask.request, ask.options));
        }
    }
}

impl Handler<Asks> for HostActor {
    type Result = ();

    fn handle(&mut self, asks: Asks, _: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            shell.take_asks(asks);
        }
    }
}

impl Handler<Stop> for HostActor {
    type Result = ();

    fn handle(&mut self, Stop: Stop, ctx: &mut Context<Self>) {
        if let Some(mut shell) = self.shell() {
            shell.end();
        }
        ctx.stop();
    }
}
