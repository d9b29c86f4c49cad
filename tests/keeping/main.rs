//! What must hold of the stores themselves, in cases made so that breaking a rule shows.
//!
//! Method: no hints and no repair, so that nothing heals by itself; one replica misses writes behind a cut;
//! then the roster changes. After that the stores are opened and the copies counted: every acknowledged
//! version must be on so many holders that every quorum meets it.
//!
//! ```text
//!   quorums    the world without healing, and the counting of copies
//!   moves      a span goes to others: from whom, when it settles, when who had it lets go
//!   requests   what a put is stamped with, and what a get may say
//!   hosts      who comes back, emptied or in good order; a change that too few are there for
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test they are the shortest way to fail"
)]

mod hosts;
mod moves;
mod quorums;
mod requests;
#[path = "../still/mod.rs"]
mod still;
