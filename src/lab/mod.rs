//! How do we ask such a world whether the rules hold?
//!
//! ```text
//! a story         put cat meow ─> World ─> h1 -> h2  Ask …   what a few commands do, line by line
//! one seed        17 ─> a ring, clients, faults ─> judged      does it hold, whatever happens?
//! ```
//!
//! A [`story`] is a handful of commands and what they did, written down to be read and kept as a test.
//! A [`sweep`] draws whole lives of rings from seeds, and lets the [checker](check) judge them.
//! All of the laboratory works on a [`World`](crate::sim::World) from the outside: no host knows of it.

pub mod check;

pub mod story;

pub mod sweep;
