//! The door before real hosts: bytes over real sockets, the tools of Redis, the Rust client, and those who
//! mean no good.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod attacks;
mod first_hour;
mod harness;
mod large;
mod library;
mod page;
mod parser;
mod program;
mod serve;
mod sessions;
mod several;
mod tools;
mod waits;
