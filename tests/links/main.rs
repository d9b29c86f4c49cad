//! The links protocol, driven through whole lives of small rings.
//!
//! ```text
//!   world      finders, a clock, a network with faults: all drawn from one seed
//!   holds      what must be true of them after every step, and in the end
//!   tables     who owns what in rings of one and three
//!   lookups    which way a question goes, how far, and round whom
//!   changes    who comes, goes and dies, case by case
//!   lives      who comes, goes and dies, at random
//! ```
//!
//! `LINKS_SEEDS=1000 cargo test --test links random` runs more lives than usual.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod changes;
mod holds;
mod lives;
mod lookups;
mod tables;
mod world;
