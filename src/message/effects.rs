//! What may a host do to the world? Four verbs, and one look.
//!
//! ```text
//!                 ┌─ send ──> network          a put comes in: three messages out, nothing else yet;
//!   host thinks ──┼─ store ─> disk             their answers are calls of the host again,
//!                 ├─ answer > client           until it has a quorum and answers
//!                 └─ note ──> trace
//! ```

use super::{Envelope, Event, Reply, Stored, Ticket};
use crate::store::{Done, Op};

/// The driver's side of a host: it carries out what the host decides.
///
/// A host calls these while it handles something, and never waits: answers come back as calls of the
/// host (`receive`, `stored`). A store in memory need not be waited for: it may be asked for its answer at once.
pub trait Effects<Then> {
    /// Send a message. It may be lost, late, doubled or overtaken; the host asks again.
    fn send(&mut self, envelope: Envelope);

    /// Carry out a store operation and hand the result back with `then`. In order; a write is reported
    /// done only when the sync policy is met.
    fn store(&mut self, op: Op, then: Then);

    /// Take a store operation and carry it out before this returns, if the store can do so without waiting, and as if it
    /// had been asked by [`Effects::store`]: after all that was asked before. One that is left is to be asked so; where
    /// nothing else is said, each is.
    fn store_at_once(&mut self, _: &mut Option<Op>) -> Option<Done> {
        None
    }

    /// Answer a client's request. Each ticket is answered once.
    fn answer(&mut self, ticket: Ticket, reply: Reply);

    /// Something worth a line in a trace happened.
    fn note(&mut self, event: Event);

    /// What the store keeps now, where that is told: for people, nothing is decided by it.
    fn stored(&self) -> Option<Stored> {
        None
    }
}
