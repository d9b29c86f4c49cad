//! How do a host's parts become one process?
//!
//! ```text
//!                    one port
//!   Redis clients ──> Door ──Asks──> host's actor, its node actors ──> Links ──TCP──> other hosts
//!   other hosts ──TCP──> │ ──> Links ──Arrived──^      │ Op                 ^
//!                                                      v                    │ who lives where
//!   detectors ──UDP, same number──> Radio ──Detect──^  Worker: store on disk, or memory
//! ```
//!
//! A [`Server`] opens its data directory, takes its port, founds a ring or joins one, and looks after what no
//! other part does: where the others are to be reached, and how it ends. Addresses are hints and stand in no
//! roster, so hosts tell each other, over UDP, in packets that only who knows the secret can make:
//!
//! ```text
//! h3: where are h1 and h2?   ──>  whoever it knows
//!     h1 life 4 is 10.0.0.7:50140, h2 life 2 is 10.0.0.8:50140   <──
//! ```
//!
//! *Hold these true*: a ring is founded only by a host that was told of no other, or by the first of those named,
//! with an empty store, after nobody it could reach was in one; a ring is given up only while nothing is stored in
//! it; a host that was told of others asks for ever;
//! what ends a process in order ends with everything acknowledged on the disk; nothing is reachable from another
//! machine without a secret.
//!
//! A part of the host that panics ends the host's life, not the process: the host begins again from its records. If that
//! happens again and again, the server ends, with the reason; whoever started it may start it anew.
//!
//! Left out on purpose: TLS for Redis clients.

mod around;
mod care;
mod desk;
mod embed;
mod enter;
mod look;
mod packet;
mod parts;
mod radio;
mod settings;
mod shelf;
mod start;
mod stays;
mod stop;
#[cfg(test)]
mod tests;

pub use embed::{Builder, Hosted};
pub use settings::{Place, Settings, SettingsError};
pub use start::{Ending, Server, StartError};
pub use stays::Stays;
pub use stop::Farewell;
