//! Who looks on from outside?
//!
//! ```text
//!   Host ── store, note ──> Nature ──> the disk, the trace
//!                              └─────> a Watch: sees what is wanted, changes nothing
//! ```
//!
//! A checker must not believe what a host says of itself. So a world shows it what every host *does*: what
//! it asks of its store, and what it tells the trace. A watch only looks: a world with one and a world
//! without make the same trace.

use crate::message::{Envelope, Event};
use crate::placement::HostId;
use crate::record::Time;
use crate::store::Op;

/// Looks on while a world runs. Each method is called as the thing happens; the usual ones do nothing.
pub trait Watch {
    /// A host asks this of its store. See [`Watch::not_kept`].
    fn store(&mut self, _now: Time, _host: HostId, _op: &Op) {}

    /// What a host asked its store to keep has not been kept: the store refused it, for want of room or because of its
    /// guard, or the host crashed before it came to that.
    fn not_kept(&mut self, _now: Time, _host: HostId, _op: &Op) {}

    /// A host sends this to another one; it may be lost.
    fn sent(&mut self, _now: Time, _from: HostId, _envelope: &Envelope) {}

    /// A host decided something.
    fn note(&mut self, _now: Time, _host: HostId, _event: &Event) {}
}
