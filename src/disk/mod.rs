//! How does a host keep its records when its process ends, or its machine?
//!
//! Records lie in an engine's files (the crate fjall: a journal, and sorted tables that are merged now and
//! then). Round it stands what a host needs besides:
//!
//! ```text
//! node ──Op──> Worker, a thread         Merge a, Merge b, Get c, Merge d      what waits becomes one group
//!                │  DiskStore            journal: one write, one fsync         group commit
//! node <─Done────┘  Runs                 digests of stretches, kept ready
//!      pages, sync  two threads beside: long reads, and syncs that nobody waits for
//!      Home         lock, host id, boot id, incarnation: whose directory this is, and what may be lost
//! ```
//!
//! With `always` a group is acknowledged after its fsync, with `everysec` after it was handed to the operating
//! system, which is synced once a second, by a thread beside, so that nobody waits for that; with `never` likewise and not synced. Settings (a host's life, its
//! roster, its promises) are always synced first. So a process that is killed loses nothing that was
//! acknowledged; a machine that loses power loses nothing with `always`.
//!
//! *Hold these true*: results come in the order of their operations, but for pages, which show the records at their
//! place in that order and are told when they are read; a write's result comes only after its group is
//! committed as the policy says; a group is there whole or not at all; a value is never whole in memory here,
//! but for one of a single piece; the digest of a run is that of its records, in every state a reader or a
//! crash can see; a directory belongs to one process at a time; what is damaged is set aside under another
//! name, never deleted.
//!
//! Left out on purpose: mending damaged files (the other replicas have whole ones), and a check of all tables
//! at the start (it would read them all: each block is checked when it is read). The engine's sums leave out
//! one thing, the eight bytes with a group's sequence number in the journal: a single bit flipped just there is
//! not noticed.

mod checkpoint;
mod engine;
mod group;
mod home;
mod layout;
mod look;
mod mark;
mod pages;
mod patient;
mod pieces;
mod read;
mod recent;
mod runs;
mod shelf;
mod sync;
mod tables;
#[cfg(test)]
mod tests;
mod worker;
mod write;

pub use engine::{DiskConfig, DiskStore};
pub use home::{Home, Standing};
pub(crate) use recent::{Passing, Recent};
pub use tables::OpenError;
pub use worker::{Worker, WorkerConfig};

/// The version of what is written to a directory. A later one is refused.
pub const FORMAT: u32 = 2;
