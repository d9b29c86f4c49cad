//! Who owns a key.
//!
//! **The question.** Hosts come and go. Which of them holds a key, so that everybody computes the same
//! answer, a host that joins takes only its own share, and nobody else has to move anything?
//!
//! The tempting answer, hash modulo the number of hosts, moves nearly every key whenever that number
//! changes. Consistent hashing puts the hosts on the circle of the keys instead. Each host stands at one
//! or more *tokens*; an id belongs to the first token at or after it going clockwise.
//!
//! ```text
//!              0              a circle of eight: ids 0 to 7, tokens 0, 1 and 3
//!          7   *   1*
//!                             owner(1) = 1, an exact hit        span_of(1) = (0, 1]
//!        6           2        owner(2) = 3, the next clockwise  span_of(3) = (1, 3]
//!                             owner(6) = 0, past the end        span_of(0) = (3, 0]
//!          5   4   3*
//! ```
//!
//! If 1 leaves, its key goes to 3, and nothing else moves. If a host joins at 6, key 6 goes from 0 to 6,
//! and nothing else moves. Copies go to the next distinct hosts clockwise ([`Placement::replicas`]).
//!
//! Hold these true:
//!
//! 1. A placement is a pure function of its members: not of the order they came in, the clock or chance.
//! 2. Every id has exactly one owner: the spans of all tokens together cover the circle once.
//! 3. A host that joins takes ids from others; no id moves between two hosts that were there before.
//! 4. Replicas of an id are distinct hosts, the owner first, in distinct zones as long as there are any.
//!
//! Inside there are two views of the same tokens: an ordered tree, which is cheap to edit, and a flat
//! array with an index of first bits, which is cheap to ask.
//!
//! Left out: hosts that are down. A placement says who *should* hold a key; who answers is another matter.

pub mod draw;
mod host;
mod index;
mod load;
mod moved;
mod rebalance;
mod table;
mod tokens;

pub use host::{HostId, Member, ParseHostError, Token, Zone, ZoneError};
pub use moved::{Moved, Piece, moved, pieces};
pub use rebalance::{GOAL, Rebalanced, rebalance};
pub use table::{EmptyRing, Placement, PlacementError};
pub use tokens::{by_name, even, random};
