//! What does one process of the ring do with a signal?
//!
//! An actix actor with a mailbox and two links. It never waits for a neighbour inside a handler:
//! on a circle the neighbour may be waiting for *us*. It answers at once, or it remembers.
//!
//! Stopping shows how that is done. `<3>` wants to go and asks its prev to point past it:
//!
//! ```text
//!   <2> <──── Leave {<3>, next <4>} ──── <3>
//!   <2> ───── SetPrev <2> ────────────────────────> <4>      2 ⇄ 4 now
//!   <2> ───── Left ─────────────────────> <3>                ends when nobody holds its address
//! ```
//!
//! If `<2>` wants to go as well, it keeps `<3>`'s request until it is out itself, and passes it to
//! its own prev. So any number of neighbours may stop in one moment as long as one process stays;
//! if *all* ask, nobody lets anybody go, and the ring goes on working.
//!
//! Hold these true: between `Stop` and `Left` a process is a full member and its next does not
//! change; after `Left` it only passes on what still arrives, uncounted, and ends when the last
//! address of it is dropped.

use std::{fmt, rc::Rc, time::Duration};

use actix::prelude::*;

use super::relay::{Links, Relay};

/// How a process knows its neighbour: by its address.
///
/// Each has a copy of its own. A shared one would be smaller, and one more place in memory to wait for at each hop.
pub type Neighbour = Addr<Process>;

/// The number of a process, counted from 1 in the order of starting; shown as `<1>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u32);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// Everything that can be said to a process. No signal has an answer.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Signal {
    /// From [`Ring::link`](super::Ring::link): this is your next from now on.
    SetNext(Neighbour),
    /// From [`Ring::link`](super::Ring::link), or from your new prev when the old one left: this is your prev from now on.
    SetPrev(Neighbour),
    /// From outside or from a neighbour: pass this on, or drop it if it is spent.
    Relay(Relay<String>),
    /// From [`Ring::stop`](super::Ring::stop): leave the ring. A second one changes nothing.
    Stop,
    /// From your next, which wants to go. Rare and large, so in a box: a signal takes as much memory as the largest.
    Leave(Box<Leave>),
    /// From your prev: nobody has you as a neighbour any more; what you get now is the rest.
    Left,
}

/// Let `next` be your next, and tell `who` when it is.
pub struct Leave {
    /// Who wants to go.
    pub who: Neighbour,
    /// The next of the one that goes.
    pub next: Neighbour,
}

/// Something worth telling that a ring did, in the words of the tutorial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The first is about to become the prev of the second.
    Linking(Name, Name),
    /// A process passes a message on.
    Relaying(Name, &'a Relay<String>),
    /// A process drops a message that was relayed as often as allowed.
    Dropping(Name, &'a Relay<String>),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linking(a, b) => write!(f, "Linking {a} to {b}"),
            Self::Relaying(
                name,
                Relay {
                    relays, message, ..
                },
            ) => {
                write!(f, "{name} Relaying {relays} {message:?}")
            }
            Self::Dropping(name, Relay { limit, message, .. }) => {
                write!(
                    f,
                    "{name} Dropping message {message:?} after {limit} relays."
                )
            }
        }
    }
}

/// What all processes of one ring share.
pub struct Settings {
    /// How long a process sleeps before it relays; the tutorial's wait 500 ms. Zero: not at all.
    pub delay: Duration,
    /// Is told each [`Event`] at the moment it happens.
    pub watch: Box<dyn Fn(Event<'_>)>,
}

/// Where a process stands between joining and ending.
enum Stage {
    /// On the ring.
    Member,
    /// Has asked its prev to be let go.
    Leaving,
    /// Off the ring, passing on what still arrives.
    Gone,
}

/// One process of the ring.
///
/// A process without links is a ring of one: it relays to itself.
pub struct Process {
    name: Name,
    links: Links<Option<Neighbour>>,
    stage: Stage,
    /// While it is leaving: the same request of its next, if there is one.
    kept: Option<Box<Leave>>,
    settings: Rc<Settings>,
}

impl Actor for Process {
    type Context = Context<Self>;
}

impl Handler<Signal> for Process {
    type Result = ();

    fn handle(&mut self, signal: Signal, ctx: &mut Context<Self>) {
        match signal {
            Signal::Relay(relay) => self.receive(relay, ctx),
            Signal::SetNext(next) => self.links.next = Some(next),
            Signal::SetPrev(prev) => self.links.prev = Some(prev),
            Signal::Stop => self.ask_to_leave(ctx),
            Signal::Leave(leave) => self.let_go(leave, ctx),
            Signal::Left => self.go(),
        }
    }
}

impl Process {
    /// A process that has no links yet.
    #[must_use]
    pub fn new(name: Name, settings: Rc<Settings>) -> Self {
        Self {
            name,
            links: Links::default(),
            stage: Stage::Member,
            kept: None,
            settings,
        }
    }

    // region: receive
    fn receive(&mut self, relay: Relay<String>, ctx: &mut Context<Self>) {
        if matches!(self.stage, Stage::Gone) {
            self.pass(relay, ctx);
        } else if relay.spent() {
            (self.settings.watch)(Event::Dropping(self.name, &relay));
        } else if self.settings.delay.is_zero() {
            self.relay(relay, ctx);
        } else {
            // As in the tutorial, a sleeping process reads no mail. That cannot lock the ring: it
            // waits for the clock, never for another process.
            let asleep = actix::clock::sleep(self.settings.delay);
            ctx.wait(asleep.into_actor(self).map(move |(), process, ctx| {
                process.relay(relay, ctx);
            }));
        }
    }
    // endregion: receive

    fn relay(&self, relay: Relay<String>, ctx: &Context<Self>) {
        (self.settings.watch)(Event::Relaying(self.name, &relay));
        self.pass(relay.relayed(), ctx);
    }

    // region: pass
    fn pass(&self, relay: Relay<String>, ctx: &Context<Self>) {
        match self.links.towards(relay.direction) {
            // Without clone and without waiting. A mailbox that takes no more has ended, and its
            // owner with it: then there is nobody left to tell.
            Some(neighbour) => neighbour.do_send(Signal::Relay(relay)),
            None => ctx.address().do_send(Signal::Relay(relay)),
        }
    }
    // endregion: pass

    fn ask_to_leave(&mut self, ctx: &mut Context<Self>) {
        if !matches!(self.stage, Stage::Member) {
            return;
        }
        let me = ctx.address();
        match (&self.links.prev, &self.links.next) {
            (Some(prev), Some(next)) if *next != me => {
                let next = next.clone();
                prev.do_send(Signal::Leave(Box::new(Leave { who: me, next })));
                self.stage = Stage::Leaving;
            }
            // The only one on its ring: there is no gap to close.
            _ => ctx.stop(),
        }
    }

    // region: let_go
    fn let_go(&mut self, leave: Box<Leave>, ctx: &Context<Self>) {
        match self.stage {
            Stage::Member => {
                let Leave { who, next } = *leave;
                next.do_send(Signal::SetPrev(ctx.address()));
                self.links.next = Some(next);
                who.do_send(Signal::Left);
            }
            Stage::Leaving => self.kept = Some(leave),
            Stage::Gone => self.ask_prev(leave),
        }
    }
    // endregion: let_go

    fn go(&mut self) {
        self.stage = Stage::Gone;
        if let Some(leave) = self.kept.take() {
            self.ask_prev(leave);
        }
    }

    fn ask_prev(&self, leave: Box<Leave>) {
        if let Some(prev) = &self.links.prev {
            prev.do_send(Signal::Leave(leave));
        }
    }
}
