//! Who says what happens next, when actors play?
//!
//! ```text
//!   t = 1,000   queue: h3 hears Ask, h1 wakes                       tokio: one timer, at 1,000
//!               h3 <── Ask        … h3 thinks, its messages come in …        ── Handled ──>
//!               h1 <── Wake       … only now                                 ── Handled ──>
//!   rest        clients hear, the timer is set to what is due next: 1,004
//! ```
//!
//! *Hold this true*: at most one input is out; while it is, nothing else is taken from the queue.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Actors, Clients};
use crate::actor::{Ask, Asks, Book, Input, Stop};
use crate::message::{Envelope, Message};
use crate::record::Time;
use crate::sim::ahead::Ahead;
use crate::sim::nature::{Answer, Nature};
use crate::sim::slab::at;

/// A host handled what it was given, and all its messages are in.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Handled {
    pub(super) place: u32,
    pub(super) wake: Option<Time>,
}

/// Tell when all that is due by then has happened.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RunUntil(pub(super) u64, pub(super) oneshot::Sender<()>);

/// Look whether there is something to do.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Nudge;

/// The simulated network, clock and disks as one actor.
pub(super) struct Director {
    nature: Rc<RefCell<Nature>>,
    book: Rc<RefCell<Book>>,
    actors: Actors,
    clients: Clients,
    start: Instant,
    /// An input has been given out and is not handled yet.
    busy: bool,
    timer: Option<(u64, SpawnHandle)>,
    waiting: Vec<RunUntil>,
    ahead: Ahead,
}

impl Director {
    pub(super) fn new(
        nature: Rc<RefCell<Nature>>,
        book: Rc<RefCell<Book>>,
        actors: Actors,
        clients: Clients,
    ) -> Director {
        Director {
            nature,
            book,
            actors,
            clients,
            start: Instant::now(),
            busy: false,
            timer: None,
            waiting: Vec::new(),
            ahead: Ahead::default(),
        }
    }
}

impl Actor for Director {
    type Context = Context<Self>;
}

impl Director {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Gives out the next input that is due, or rests until one is.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            return;
        }
        let mut nature = self.nature.borrow_mut();
        // The hosts themselves are out of sight here.
        self.ahead.step(&nature, |_, _| 0);
        let Some((place, happening)) = nature.next(self.elapsed()) else {
            drop(nature);
            return self.rest(ctx);
        };
        let input = nature.input(place, happening);
        drop(nature);
        self.give(place, input);
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "all else is for the host itself"
    )]
    fn give(&mut self, place: u32, input: Input) {
        self.busy = true;
        let actors = self.actors.borrow();
        let actor = actors.get(at(place)).and_then(Option::as_ref);
        let actor = actor.expect("nature speaks to those who are up");
        match input {
            // What is said to the host itself needs no looking up.
            Input::Receive(envelope) if !matches!(envelope.body, Message::Find { .. }) => {
                actor.do_send(envelope);
            }
            Input::Receive(envelope) => {
                let book = self.book.borrow();
                let line = book.listed(&envelope).expect("whoever is up is listed");
                line.do_send(envelope);
            }
            other => actor.do_send(other),
        }
    }

    /// All that was due has happened: clients hear, and the timer is set.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        for (ticket, answer) in nature.take_answers() {
            let client = self.clients.borrow_mut().remove(&ticket);
            if let (Some(client), Answer::Reply(reply)) = (client, answer) {
                client.send(reply);
            }
        }
        let now = nature.now_ms();
        for RunUntil(_, done) in self.waiting.extract_if(.., |until| until.0 <= now) {
            let _ = done.send(());
        }
        let waited = self.waiting.iter().map(|until| until.0).min();
        let due = nature.next_due().into_iter().chain(waited).min();
        drop(nature);
        self.arm(due, ctx);
    }

    fn arm(&mut self, due: Option<u64>, ctx: &mut Context<Self>) {
        let armed = self.timer.as_ref().map(|(at, _)| *at);
        if armed == due {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(due) = due else { return };
        let delay = Duration::from_millis(due.saturating_sub(self.elapsed()));
        let timer = ctx.run_later(delay, |director, ctx| {
            director.timer = None;
            director.pump(ctx);
        });
        self.timer = Some((due, timer));
    }
}

impl Handler<Envelope> for Director {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        let place = nature.known(envelope.from);
        nature.send(place, envelope);
    }
}

impl Handler<Handled> for Director {
    type Result = ();

    fn handle(&mut self, handled: Handled, ctx: &mut Context<Self>) {
        self.nature
            .borrow_mut()
            .settled(handled.place, handled.wake);
        self.busy = false;
        self.pump(ctx);
    }
}

impl Handler<Ask> for Director {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        if !self.busy {
            nature.catch_up(self.elapsed());
        }
        // A host that is not there answers nobody: the client sees its door closed.
        let Some(place) = nature.place(ask.host) else {
            return;
        };
        let ticket = nature.request(place, ask.request, ask.options);
        drop(nature);
        self.clients.borrow_mut().insert(ticket, ask.reply.into());
        self.pump(ctx);
    }
}

impl Handler<Asks> for Director {
    type Result = ();

    fn handle(&mut self, asks: Asks, ctx: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        if !self.busy {
            nature.catch_up(self.elapsed());
        }
        let Some(place) = nature.place(asks.host) else {
            return;
        };
        for (reply, request, options) in asks.each() {
            let ticket = nature.request(place, request, options);
            self.clients.borrow_mut().insert(ticket, reply);
        }
        drop(nature);
        self.pump(ctx);
    }
}

impl Handler<RunUntil> for Director {
    type Result = ();

    fn handle(&mut self, until: RunUntil, ctx: &mut Context<Self>) {
        self.waiting.push(until);
        self.pump(ctx);
    }
}

impl Handler<Nudge> for Director {
    type Result = ();

    fn handle(&mut self, Nudge: Nudge, ctx: &mut Context<Self>) {
        self.pump(ctx);
    }
}

impl Handler<Stop> for Director {
    type Result = ();

    fn handle(&mut self, Stop: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
