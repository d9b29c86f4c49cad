//! A world in a bottle: how do ten thousand hosts behave, and what if some fail?
//!
//! The same hosts as in real processes, in one thread and in virtual time, on a network that may delay,
//! lose, double and reorder, with disks that may forget, all from one seed.
//!
//! ```text
//!                     ┌────────────────── Nature ──────────────────┐
//!                     │ queue by (due, seq)   network   disks  dice │
//!                     └──────┬──────────────────────────────┬──────┘
//!          World: a plain loop over hosts        Stage: the same by actix actors
//!          10^3 … 10^6 nodes                     under tokio's paused clock
//! ```
//!
//! Times are whole milliseconds, so that tokio's clock can agree. Every message is really encoded and
//! decoded, as on a real network (this can be switched off for large runs, and changes nothing else).
//!
//! *Hold these true*: the same seed gives the same trace, byte for byte, from either driver; chance is
//! one generator, drawn from in the order things happen, and never by what a message looks like; a host
//! that crashed neither sends nor hears; of two things due at once, the one asked for first happens
//! first.
//!
//! Left out on purpose: bandwidth, the time a host takes to think, and damage to bytes on the way.

mod ahead;
mod disk;
mod faults;
mod nature;
mod network;
mod queue;
mod ring;
mod slab;
mod stage;
mod trace;
mod watch;
mod world;

pub use crate::store::SyncPolicy;
pub use disk::DiskConfig;
pub use nature::{Answer, Traffic, WALL_AT_START};
pub use network::{Fate, NetworkConfig, Rule};
pub use ring::RingPlan;
pub use stage::{Stage, paused};
pub use trace::Lines;
pub use watch::Watch;
pub use world::World;
