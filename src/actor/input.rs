//! What can happen to a host, as one value; and what it wants done, collected.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::{mpsc, oneshot};

use crate::keep::Then;
use crate::keyspace::Id;
use crate::message::{Effects, Envelope, Event, Options, Peer, Reply, Request, Stored, Ticket};
use crate::node::Host;
use crate::placement::HostId;
use crate::record::Now;
use crate::roster::Roster;
use crate::store::{Done, Op};

/// Everything that can happen to a host. Each driver turns its events into these.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Input {
    /// Its process has started.
    Start {
        /// Whether its store may have lost writes that it had confirmed: a power cut, and not every write synced.
        lost: bool,
    },
    /// It is given a settled roster: it founds a ring, or a large one starts at once.
    Enter(Arc<Roster>),
    /// Without a roster: stand at this id, alone.
    LinkAlone(Id),
    /// Without a roster: join at this id the ring of which that peer is a member.
    LinkJoin {
        /// Where to stand.
        id: Id,
        /// Any member.
        via: Peer,
    },
    /// Without a roster: the node at this id leaves.
    LinkLeave(Id),
    /// A message arrived.
    Receive(Envelope),
    /// A store operation is done.
    Stored(Done, Then),
    /// A client wants something.
    Request(Ticket, Request, Options),
    /// The time it wanted to be woken at has come.
    Wake,
    /// A link to that host broke.
    HostDown(HostId),
    /// A link to that host is back.
    HostUp(HostId),
}

impl Input {
    /// Lets a host think about it.
    pub fn apply(self, host: &mut Host, now: Now, fx: &mut dyn Effects<Then>) {
        match self {
            Input::Start { lost } => host.start(now, lost, fx),
            Input::Enter(roster) => host.enter(now, roster, fx),
            Input::LinkAlone(id) => host.link_alone(now, id, fx),
            Input::LinkJoin { id, via } => host.link_join(now, id, via, fx),
            Input::LinkLeave(id) => host.link_leave(now, id, fx),
            Input::Receive(envelope) => host.receive(now, envelope, fx),
            Input::Stored(done, then) => host.stored(now, done, then, fx),
            Input::Request(ticket, request, options) => {
                host.request(now, ticket, request, options, fx);
            }
            Input::Wake => host.wake(now, fx),
            Input::HostDown(other) => host.host_down(now, other, fx),
            Input::HostUp(other) => host.host_up(now, other, fx),
        }
    }
}

/// Where the answer to one request goes: to somebody who waits for this one, or with a number to somebody
/// who waits for many. Dropped without an answer, it tells that there will be none.
#[derive(Debug)]
pub struct ReplyTo(Option<Way>);

#[derive(Debug)]
enum Way {
    One(oneshot::Sender<Reply>),
    Line(u64, mpsc::UnboundedSender<Told>),
}

/// An answer to one of many requests.
#[derive(Debug)]
pub struct Told {
    /// The number it was asked with.
    pub number: u64,
    /// The answer; `None`: the host ended before it answered.
    pub reply: Option<Reply>,
}

impl ReplyTo {
    /// Goes into a line of answers, with that number.
    #[must_use]
    pub fn line(number: u64, line: mpsc::UnboundedSender<Told>) -> ReplyTo {
        ReplyTo(Some(Way::Line(number, line)))
    }

    /// Answers. An asker that has gone away needs no answer.
    pub fn send(mut self, reply: Reply) {
        match self.0.take() {
            Some(Way::One(waiting)) => drop(waiting.send(reply)),
            Some(Way::Line(number, line)) => {
                let reply = Some(reply);
                drop(line.send(Told { number, reply }));
            }
            None => {}
        }
    }
}

impl From<oneshot::Sender<Reply>> for ReplyTo {
    fn from(waiting: oneshot::Sender<Reply>) -> ReplyTo {
        ReplyTo(Some(Way::One(waiting)))
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if let Some(Way::Line(number, line)) = self.0.take() {
            let reply = None;
            drop(line.send(Told { number, reply }));
        }
    }
}

/// Many requests to one host in one message, each answered as soon as it can be: what a client of a
/// socket has sent by the time it is read.
///
/// The line is unbounded; it holds at most as many answers as were asked for, and who asks sees to that.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Asks {
    /// Which host is asked.
    pub host: HostId,
    /// What, and how, each with its number.
    pub asks: Vec<(u64, Request, Options)>,
    /// Where the answers go, in whatever order they come.
    pub line: mpsc::UnboundedSender<Told>,
}

impl Asks {
    /// Each request with where its answer goes, in order. Those that are left when this is dropped, by a panic for
    /// instance, are told that there will be no answer.
    pub fn each(mut self) -> impl Iterator<Item = (ReplyTo, Request, Options)> {
        let left = std::mem::take(&mut self.asks).into_iter();
        let line = self.line.clone();
        Each { left, line }
    }
}

/// The requests of an [`Asks`] that are not taken up yet.
struct Each {
    left: std::vec::IntoIter<(u64, Request, Options)>,
    line: mpsc::UnboundedSender<Told>,
}

impl Iterator for Each {
    type Item = (ReplyTo, Request, Options);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, request, options) = self.left.next()?;
        Some((ReplyTo::line(number, self.line.clone()), request, options))
    }
}

impl Drop for Each {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl Drop for Asks {
    /// A host that is not there answers none of them, and that is told.
    fn drop(&mut self) {
        for (number, ..) in self.asks.drain(..) {
            drop(ReplyTo::line(number, self.line.clone()));
        }
    }
}

/// Messages that came in together over a link from another host, in their order.
///
/// A link gives out one of these, waits until it is handled, and only then reads on: a host that is slow slows
/// its senders down, and what lies in its mailbox is bounded. (`Addr::send` would wait as well; but a sender
/// that actix has parked is not always woken.)
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Arrived {
    /// The messages.
    pub envelopes: Vec<Envelope>,
    /// Told after the last one. Dropped if the host ends first.
    pub handled: oneshot::Sender<()>,
}

/// Results of store operations that came together, in the order of the operations.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Results(pub Vec<(Done, Then)>);

/// A client's request to the host behind this door, and where its answer goes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Ask {
    /// Which host is asked.
    pub host: HostId,
    /// What.
    pub request: Request,
    /// How.
    pub options: Options,
    /// Dropped without an answer if the host ends first.
    pub reply: oneshot::Sender<Reply>,
}

/// The effects of one call, to be carried out after it: notes, then store operations, answers and at
/// last messages. Every driver keeps that order, so that all make the same trace. With a store beside it,
/// operations may be carried out at once, before all of these (`Beside`); and of many requests that a real host takes
/// together, the first may be answered before the last is begun.
#[derive(Default)]
pub struct Collected {
    /// What is worth a line.
    pub notes: Vec<Event>,
    /// What is to be stored or read.
    pub stores: Vec<(Op, Then)>,
    /// What clients are told.
    pub answers: Vec<(Ticket, Reply)>,
    /// What other hosts are told.
    pub sends: Vec<Envelope>,
    /// What the store keeps, where that can be told.
    pub stored: Option<Rc<dyn Fn() -> Stored>>,
}

impl Effects<Then> for Collected {
    fn send(&mut self, envelope: Envelope) {
        self.sends.push(envelope);
    }

    fn store(&mut self, op: Op, then: Then) {
        self.stores.push((op, then));
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.answers.push((ticket, reply));
    }

    fn note(&mut self, event: Event) {
        self.notes.push(event);
    }

    fn stored(&self) -> Option<Stored> {
        self.stored.as_ref().map(|stored| stored())
    }
}

/// The effects of one call, collected, beside a store that may answer at once: what takes an operation and carries
/// it out now, or leaves it.
pub struct Beside<'a, F> {
    collected: &'a mut Collected,
    store: F,
}

impl Collected {
    /// Itself, with that store.
    pub fn beside<F: FnMut(&mut Option<Op>) -> Option<Done>>(&mut self, store: F) -> Beside<'_, F> {
        Beside {
            collected: self,
            store,
        }
    }
}

impl<F: FnMut(&mut Option<Op>) -> Option<Done>> Effects<Then> for Beside<'_, F> {
    fn send(&mut self, envelope: Envelope) {
        self.collected.send(envelope);
    }

    fn store(&mut self, op: Op, then: Then) {
        self.collected.store(op, then);
    }

    /// Nothing overtakes what is collected already; nor does anybody who looks on see it before what was noted.
    fn store_at_once(&mut self, op: &mut Option<Op>) -> Option<Done> {
        match self.collected.stores.is_empty() && self.collected.notes.is_empty() {
            true => (self.store)(op),
            false => None,
        }
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.collected.answer(ticket, reply);
    }

    fn note(&mut self, event: Event) {
        self.collected.note(event);
    }

    fn stored(&self) -> Option<Stored> {
        self.collected.stored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_nobody_takes_up_are_told_that_there_is_no_answer() {
        let (line, mut told) = mpsc::unbounded_channel();
        let asks = (1..=3).map(|number| (number, Request::Status, Options::default()));
        let asks = Asks {
            host: HostId(1),
            asks: asks.collect(),
            line,
        };
        let mut each = asks.each();
        let (first, ..) = each.next().unwrap();
        drop(each);
        first.send(Ok(crate::message::Outcome::Hosts(Vec::new())));
        let mut all = Vec::new();
        while let Ok(Told { number, reply }) = told.try_recv() {
            all.push((number, reply.is_some()));
        }
        assert_eq!(all, [(2, false), (3, false), (1, true)]);
    }
}
