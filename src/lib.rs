//! Roundelay: a distributed hash table whose nodes are actix actors in a doubly linked ring.
//!
//! This page is the map. The modules stand in reading order, and each uses only those above it, so
//! a stage of the lesson is simply the top of the page down to a certain line. A node *thinks*: a
//! plain struct without clock, socket or chance decides everything. An actor *carries*: it brings
//! messages in and effects out.
//!
//! ```text
//!             next ─────────>
//!   ┌─⇄ <10> ⇄ <22> ⇄ <37> ⇄ <51> ⇄─┐       a key is a number, too: one at 30 belongs to <37>,
//!   └───────────────────────────────┘       the first node at or after it; one at 60 to <10>.
//!             <───────── prev               Each node knows its next and its prev.
//! ```

// How do many small processes form one circle and pass a message round it?
pub mod ring;

// What is a place on the circle, and how far is it to another?
pub mod keyspace;

// Which hosts hold a key, and which keys move when the hosts change?
pub mod placement;

// What is stored under a key, and which of two writes is the newer one?
pub mod record;

// Where does a host keep its records?
pub mod store;

// Who is in, and therefore who holds what?
pub mod roster;

// Who says what to whom?
pub mod message;

// How does a message look as bytes, and what if the bytes are bad?
pub mod wire;

// How do values leave one ring, and come into another, as a file?
pub mod archive;

// Who seems alive?
pub mod detect;

// How does a node find its neighbours, and the owner of an id, with nobody in charge?
pub mod find;

// How is a key kept: on which hosts, in which version, whatever fails?
pub mod keep;

// How do finding and keeping meet in one host?
pub mod node;

// Who carries what a node thinks?
pub mod actor;

// How does a program use the ring?
pub mod dht;

// How do ten thousand hosts behave, and what if some fail?
pub mod sim;

// How do we ask such a world whether the rules hold?
pub mod lab;

// How does a host keep its records when its process ends, or its machine?
#[cfg(feature = "server")]
pub mod disk;

// How does a message reach a host on another machine?
#[cfg(feature = "server")]
pub mod remote;

// Who knocks at one host's port, and how do clients of any kind speak to it?
#[cfg(feature = "server")]
pub mod door;

// How do a host's parts become one process?
#[cfg(feature = "server")]
pub mod server;
