//! Who carries what a node thinks?
//!
//! A node decides and has no hands. An actor has hands and decides nothing: it brings messages in,
//! lets the host think, and carries the effects out.
//!
//! ```text
//!   mailbox ──> NodeActor <22> ─┐                        ┌─ next ──> <37>    real addresses
//!   mailbox ──> NodeActor <90> ─┼─> Shell { Host } ──────┼─ prev ──> <10>
//!   mailbox ──> HostActor h1 ───┘   borrowed only        ├─ book ──> anyone else
//!           Keep, Ask, Asks, Wake   inside a handler     └─ surroundings: clock, store, clients
//! ```
//!
//! One actor per node, at its place on the ring, with the addresses of its Next and Prev; one per host
//! for what concerns the whole host. They live on one arbiter and share the host, so only one of them
//! is ever at work. After each call the nodes' links are compared with the addresses bound so far, and
//! rebound where they differ.
//!
//! *Hold these true*: nothing is decided here; a message whose next hop is a neighbour leaves by that
//! neighbour's address; no handler waits; a host is never called while it is at work (its effects are
//! collected first, then carried out); one timer per host, not per message; after [`Stop`] no address
//! of another actor is held, so a ring that is stopped ends.
//!
//! `do_send` knows no limit. What bounds a mailbox here: a host has at most `max_open` requests under
//! way, each a few messages to at most R replicas and repeated only after `retry`; its moves have a
//! window; its links ask one question at a time. So what can lie in a mailbox is bounded by the limits
//! of [`HostConfig`](crate::node::HostConfig) times the number of hosts that speak to it.
//!
//! A handler that panics ends its actor. That is noticed, and the host begins again from its records or stops:
//! see the file `actor/watch.rs`.
//!
//! Left out on purpose: links to other processes, which are only other lines in the [`Book`].

mod book;
mod falls;
mod input;
mod local;
mod node;
mod shell;
mod surroundings;
mod watch;

pub use book::{Book, Line};
pub use falls::{FALLS_WITHIN, Falls, MAX_FALLS};
pub use input::{Arrived, Ask, Asks, Collected, Input, ReplyTo, Results, Told};
pub use local::{Clock, Local, open};
pub use node::{Carried, HostActor, NodeActor, Stop, start};
pub use shell::Shell;
pub use surroundings::{Begins, Surroundings};
pub use watch::live_anew;
