//! Real processes, on real ports, with data directories: killed, stopped, frozen, damaged, without room, cut apart, with
//! wrong clocks, while clients ask. What they were told is judged at the end by the checker's rules (`history`).

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod clocks;
mod cut;
mod full;
mod history;
mod host;
mod inside;
mod killed;
mod load;
mod members;
#[cfg(target_os = "linux")]
mod memory;
mod strangers;
