//! For tests: the effects of a keeper, gathered.

use crate::message::{Effects, Envelope, Event, Reply, Ticket};
use crate::store::Op;

use super::Then;

/// What a keeper wants done.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) stores: Vec<(Op, Then)>,
    pub(super) answers: Vec<Reply>,
    pub(super) sends: Vec<Envelope>,
}

impl Effects<Then> for Wanted {
    fn send(&mut self, envelope: Envelope) {
        self.sends.push(envelope);
    }
    fn store(&mut self, op: Op, then: Then) {
        self.stores.push((op, then));
    }
    fn answer(&mut self, _: Ticket, reply: Reply) {
        self.answers.push(reply);
    }
    fn note(&mut self, _: Event) {}
}
