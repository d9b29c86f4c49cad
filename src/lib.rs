//! Roundelay: a distributed hash table whose nodes are actix actors in a doubly linked ring.

/// A process ring: actors with a Next and a Prev pass a message round.
pub mod ring;

/// A circle of 2^160 identifiers.
pub mod keyspace;

/// Which hosts hold a key.
pub mod placement;
