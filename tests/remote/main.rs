//! Links between hosts: in a simulated network and virtual time (turmoil), and over real TCP.
//!
//! In each case something bad happens to one link. It must be noticed and said once in the log; whatever may
//! have been lost must be reported; other links must not notice.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod flow;
mod heard;
mod liar;
mod lives;
mod losses;
mod real;
mod ring;
mod said;
mod stories;
mod strangers;
mod world;
