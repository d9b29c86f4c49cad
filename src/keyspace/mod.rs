//! A circle of numbers.
//!
//! **The question.** A key can be any bytes, and hosts come and go. Which numbers do keys and hosts
//! share, so that "who is next to whom" has one answer everybody can compute alone?
//!
//! Every key is hashed with SHA-1 to a number of 160 bits, its [`Id`]. The numbers lie on a circle:
//! after the greatest, `ffff…ffff`, comes zero. We always look clockwise, the way numbers grow.
//!
//! ```text
//!                         0
//!      grace fd1cf5e2 . .*. . .
//!                   .           .
//!                 .               * carol 28b92b56
//!                .                 .
//!               .                   .        dave to alice, clockwise:  925d3383…, past zero
//! dave bfcdf3e6 *                   .        alice to dave, clockwise:  6da2cc7c…
//!               .                   .        the two together:          the whole circle
//!                .                 * alice 522b276a
//!                 .               .
//!                   .           .
//!      frank 86a8c2da . * . . .
//! ```
//!
//! ```
//! use roundelay::keyspace::{Id, Span};
//!
//! let (alice, dave) = (Id::of(b"alice"), Id::of(b"dave"));
//! assert_eq!(dave.distance(alice).short().to_string(), "925d3383");
//! assert!(Span::new(dave, alice).contains(Id::ZERO));
//! assert!(!Span::new(alice, dave).contains(Id::ZERO));
//! ```
//!
//! A [`Span`] is a stretch `(from, to]` of that circle: it does not contain `from`, it does contain `to`,
//! and it may pass zero. The span from dave to alice holds grace, zero, carol and alice, but not dave.
//!
//! Hold these true:
//!
//! 1. Every sum and difference is taken modulo 2^160; nothing overflows, nothing is rejected for being large.
//! 2. `a.distance(b) + b.distance(a)` is the whole circle, unless `a == b`, when both are zero.
//! 3. `x` lies in `(from, to]` exactly when going clockwise from `from` you meet `x` no later than `to`,
//!    and not at the start.
//! 4. `(a, a]` is the whole circle, never the empty stretch: a single node owns everything.
//!
//! Left out: nearness by exclusive or, as in Kademlia, where distance has no direction. A ring needs one.

mod id;
mod span;

pub use id::{Id, ParseIdError, Short};
pub use span::Span;
