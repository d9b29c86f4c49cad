//! What becomes of what clients ask?
//!
//! ```text
//!   client ──request──> #1 open at h2 ──> h2 answers: Reply      one of the two for each ticket,
//!                                    └──> h2 crashes: Broken     and only once
//! ```
//!
//! A client of this world is a ticket: it asks a host, and whoever plays takes out what became of it.

use std::collections::BTreeMap;

use super::Nature;
use crate::actor::Input;
use crate::message::{Options, Reply, Request, Ticket};

/// What became of a request.
#[allow(
    clippy::large_enum_variant,
    reason = "an answer is taken once, and nearly all are replies"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The host answered.
    Reply(Reply),
    /// The host crashed first, or was down: nobody will answer.
    Broken,
}

/// The requests of clients, and what became of them.
#[derive(Default)]
pub(super) struct Clients {
    /// Which host each open request was put to.
    open: BTreeMap<Ticket, u32>,
    /// Boxed: a tree of them as they are has leaves of two kilobytes, and an allocator tidies up all it has before
    /// it gives out one of those.
    answers: BTreeMap<Ticket, Box<Answer>>,
    last: u64,
}

impl Clients {
    fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    /// The host at a place answers nobody any more.
    pub(super) fn leave(&mut self, place: u32) {
        self.open.retain(|ticket, asked| {
            if *asked == place {
                self.answers.insert(*ticket, Box::new(Answer::Broken));
            }
            *asked != place
        });
    }
}

impl Nature {
    /// A client asks a host.
    pub(in crate::sim) fn request(
        &mut self,
        place: u32,
        request: Request,
        options: Options,
    ) -> Ticket {
        let ticket = self.clients.ticket();
        if self.trace.on() {
            let (id, number) = (self.id(place), ticket.0);
            self.trace.line(
                self.queue.now(),
                format_args!("client -> {id} #{number} {request}"),
            );
        }
        if self.site(place).up {
            self.clients.open.insert(ticket, place);
            self.tell(place, Input::Request(ticket, request, options));
        } else {
            self.clients
                .answers
                .insert(ticket, Box::new(Answer::Broken));
        }
        ticket
    }

    /// A ticket for a request that comes to a host by another door than [`Nature::request`].
    pub(in crate::sim) fn open_ticket(&mut self, place: u32) -> Ticket {
        let ticket = self.clients.ticket();
        self.clients.open.insert(ticket, place);
        ticket
    }

    /// What became of a request, if anything yet.
    pub(in crate::sim) fn answered(&self, ticket: Ticket) -> Option<&Answer> {
        self.clients.answers.get(&ticket).map(Box::as_ref)
    }

    /// Takes out what became of requests since the last time.
    pub(in crate::sim) fn take_answers(&mut self) -> BTreeMap<Ticket, Answer> {
        let answers = std::mem::take(&mut self.clients.answers).into_iter();
        answers.map(|(ticket, answer)| (ticket, *answer)).collect()
    }

    /// How many answers lie there.
    pub(in crate::sim) fn answers_waiting(&self) -> usize {
        self.clients.answers.len()
    }

    /// Takes out one answer.
    pub(in crate::sim) fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.clients.answers.remove(&ticket).map(|answer| *answer)
    }

    /// A host answers.
    pub(in crate::sim) fn answer(&mut self, place: u32, ticket: Ticket, reply: Reply) {
        if self.trace.on() {
            let id = self.id(place);
            let number = ticket.0;
            match &reply {
                Ok(outcome) => self.trace.line(
                    self.queue.now(),
                    format_args!("{id} -> client #{number} {outcome}"),
                ),
                Err(failure) => self.trace.line(
                    self.queue.now(),
                    format_args!("{id} -> client #{number} failed: {failure}"),
                ),
            }
        }
        assert!(
            self.clients.open.remove(&ticket).is_some(),
            "request {ticket:?} is answered twice"
        );
        self.clients
            .answers
            .insert(ticket, Box::new(Answer::Reply(reply)));
    }
}
