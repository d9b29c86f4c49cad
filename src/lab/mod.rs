//! How do we ask such a world whether the rules hold?
//!
//! ```text
//! a story         put cat meow ─> World ─> h1 -> h2  Ask …   what a few commands do, line by line
//! ```
//!
//! A [`story`] is a handful of commands and what they did, written down to be read and kept as a test.
//! All of the laboratory works on a [`World`](crate::sim::World) from the outside: no host knows of it.

pub mod story;
