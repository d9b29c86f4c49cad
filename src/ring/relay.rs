//! What does a message need to know to travel round a circle and to end?
//!
//! A direction, a counter and a limit. `relays` starts at 1, as in the Erlang tutorial this stage
//! comes from: it is the number that the *receiver's* relay will have.
//!
//! ```text
//!   limit 3:   relays 1 ──> relays 2 ──> relays 3 ──> relays 4: dropped
//!              sent         1 relay      2 relays     3 relays
//! ```
//!
//! Nothing here knows of actors or of time.

use std::fmt;

/// A way round the circle.
///
/// Ids grow clockwise; a message sent clockwise leaves by [`Links::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From each process to its next.
    Clockwise,
    /// From each process to its prev.
    AntiClockwise,
}

impl Direction {
    /// The other way round.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Clockwise => Self::AntiClockwise,
            Self::AntiClockwise => Self::Clockwise,
        }
    }
}

/// `clockwise` or `anti_clockwise`, as the tutorial writes them.
impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Clockwise => "clockwise",
            Self::AntiClockwise => "anti_clockwise",
        })
    }
}

/// The two neighbours of one process; `A` is whatever stands for a neighbour: an address, an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Links<A> {
    /// The neighbour anti-clockwise.
    pub prev: A,
    /// The neighbour clockwise.
    pub next: A,
}

impl<A> Links<A> {
    /// The neighbour that a message going in `direction` leaves to.
    #[must_use]
    pub fn towards(&self, direction: Direction) -> &A {
        match direction {
            Direction::Clockwise => &self.next,
            Direction::AntiClockwise => &self.prev,
        }
    }

    /// Replaces the neighbour in `direction` and returns the old one.
    pub fn set(&mut self, direction: Direction, neighbour: A) -> A {
        std::mem::replace(
            match direction {
                Direction::Clockwise => &mut self.next,
                Direction::AntiClockwise => &mut self.prev,
            },
            neighbour,
        )
    }
}

/// A message on its way round the circle, with what makes it end.
///
/// Invariant: a relay that is not [`spent`](Relay::spent) has `relays <= limit`, and each
/// [`relayed`](Relay::relayed) raises `relays` by one; so it is relayed `limit` times at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relay<M> {
    /// Which way it goes. The sender decides; nobody on the way turns it round.
    pub direction: Direction,
    /// How many relays are allowed, all in all. With 0 it is dropped where it is first received.
    pub limit: u32,
    /// The number of the next relay: 1 when sent, `limit + 1` when there is nothing left to do.
    pub relays: u32,
    /// What is carried.
    pub message: M,
}

impl<M> Relay<M> {
    /// A message that nobody has relayed yet.
    pub fn new(direction: Direction, limit: u32, message: M) -> Self {
        Self {
            direction,
            limit,
            relays: 1,
            message,
        }
    }

    // region: relay
    /// Must whoever receives this drop it? (A counter that can grow no further is spent as well.)
    #[must_use]
    pub fn spent(&self) -> bool {
        self.relays > self.limit || self.relays == u32::MAX
    }

    /// The same message after one more relay.
    #[must_use]
    pub fn relayed(mut self) -> Self {
        self.relays = self.relays.saturating_add(1);
        self
    }
    // endregion: relay
}

/// `{relay,anti_clockwise,10,1,"Hi"}`: direction, limit, relays, message.
impl<M: fmt::Debug> fmt::Display for Relay<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            direction,
            limit,
            relays,
            message,
        } = self;
        write!(f, "{{relay,{direction},{limit},{relays},{message:?}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_relayed_exactly_as_often_as_its_limit_says() {
        for limit in [0, 1, 10] {
            let mut relay = Relay::new(Direction::Clockwise, limit, ());
            let mut count = 0;
            while !relay.spent() {
                relay = relay.relayed();
                count += 1;
            }
            assert_eq!(count, limit);
        }
    }

    #[test]
    fn the_greatest_limit_ends_too() {
        let mut relay = Relay::new(Direction::Clockwise, u32::MAX, ());
        relay.relays = u32::MAX - 1;
        assert!(!relay.spent());
        assert!(relay.relayed().spent());
    }

    #[test]
    fn a_direction_chooses_its_own_link_and_no_other() {
        let mut links = Links { prev: 1, next: 2 };
        assert_eq!(*links.towards(Direction::Clockwise), 2);
        assert_eq!(*links.towards(Direction::AntiClockwise), 1);
        assert_eq!(links.set(Direction::AntiClockwise, 7), 1);
        assert_eq!(links, Links { prev: 7, next: 2 });
        assert_eq!(
            Direction::Clockwise.opposite().opposite(),
            Direction::Clockwise
        );
    }

    #[test]
    fn a_relay_is_shown_as_the_tutorial_shows_it() {
        let relay = Relay::new(Direction::AntiClockwise, 10, "Hi");
        assert_eq!(relay.to_string(), r#"{relay,anti_clockwise,10,1,"Hi"}"#);
    }
}
