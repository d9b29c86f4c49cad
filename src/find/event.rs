//! What a finder wants done, and what it tells.

use std::fmt;

use crate::keyspace::{Id, Span};
use crate::message::{FindMessage, Peer, Ticket};
use crate::ring::Direction;

/// An effect: what the driver of a finder is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FindOut {
    /// Send a message. It may be lost, late or doubled.
    Send {
        /// To which node.
        to: Peer,
        /// What it says.
        message: FindMessage,
    },
    /// A lookup that was asked for by [`Finder::lookup`](super::Finder::lookup) has ended.
    Found {
        /// Which.
        ticket: Ticket,
        /// The owner, or why none was found.
        result: Result<Found, LookupError>,
    },
    /// Pull the records of this span from that node, then call
    /// [`Finder::span_received`](super::Finder::span_received). What is written to the span meanwhile
    /// must come too: the giver forwards it, or refuses writes to it.
    Receive {
        /// Which span.
        span: Span,
        /// From whom.
        from: Peer,
    },
    /// From this moment the node does not hold this span; `to` will hold it when it reads the message
    /// that follows. On a first-in-first-out link, late writes sent now arrive before it.
    Released {
        /// Which span.
        span: Span,
        /// Who has its records.
        to: Peer,
    },
    /// The next, the prev or the successor list changed.
    LinksChanged,
    /// Something worth a line in a trace.
    Note(FindEvent),
}

/// Who owns an id, and how that was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The owner: it held the id when it answered.
    pub owner: Peer,
    /// The owner's prev, if it knew one.
    pub prev: Option<Peer>,
    /// The owner's successor list.
    pub successors: Vec<Peer>,
    /// How often the question went from node to node, the last time to the owner; 0: the asker owns it.
    pub relays: u32,
    /// Which way round it went.
    pub direction: Direction,
    /// How many nodes were found silent on the way: each cost a deadline.
    pub silent: u32,
    /// How many tries it took.
    pub tries: u32,
    /// The nodes that handled it, the asker first, the owner last; only if it was traced.
    pub path: Option<Vec<Peer>>,
}

/// Why a lookup found nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LookupError {
    /// It was relayed as often as allowed.
    #[error(
        "dropped after {relays} relays, the limit is {limit}: raise the limit, or use fingers as routes"
    )]
    Dropped {
        /// How often it was relayed.
        relays: u32,
        /// The limit.
        limit: u32,
    },
    /// No try was answered.
    #[error(
        "nobody answered in {tries} tries: the owner is unreachable or being replaced; ask again later"
    )]
    NoAnswer {
        /// How many.
        tries: u32,
    },
    /// This node is in no ring.
    #[error("this node is in no ring: join one, or start one")]
    NotInRing,
}

/// Something a finder did that a reader of a trace wants to see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FindEvent {
    /// It is a member now, before this next.
    Joined {
        /// The node after it.
        next: Peer,
    },
    /// A try to join failed; it tries again.
    JoinAgain {
        /// Which try failed.
        tries: u32,
    },
    /// It gives the join up.
    JoinFailed {
        /// After how many tries.
        tries: u32,
    },
    /// Another host's node has this id already: it cannot join.
    IdTaken {
        /// Who has it.
        by: Peer,
    },
    /// It has left the ring, having handed its span over or (false) not.
    Left {
        /// Whether its next has its span.
        handed_over: bool,
    },
    /// Its next is another one now.
    NextIs(Peer),
    /// Its prev is another one now, or none.
    PrevIs(Option<Peer>),
    /// A node did not answer, or was reported down, and is taken for dead.
    Dead(Peer),
    /// It holds this span now.
    Holds(Span),
    /// It took over ground of dead nodes, and holds this span now.
    TookOver(Span),
    /// Its next did not confirm it in time: it holds nothing until it does.
    LeaseRanOut,
    /// Its next confirmed it again.
    Confirmed,
    /// Its next holds the ground that was its own: it must receive it again.
    LostGround,
    /// A lookup goes round a silent node.
    WentRound {
        /// The id looked for.
        target: Id,
        /// The silent node.
        silent: Peer,
    },
    /// It dropped a message that had been relayed as often as allowed.
    DroppedAtLimit {
        /// The id looked for.
        target: Id,
        /// How often it had been relayed.
        relays: u32,
    },
}

impl fmt::Display for FindEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindEvent::Joined { next } => write!(f, "joined before {next}"),
            FindEvent::JoinAgain { tries } => write!(f, "try {tries} to join failed; once more"),
            FindEvent::JoinFailed { tries } => write!(f, "gives up joining after {tries} tries"),
            FindEvent::IdTaken { by } => write!(f, "cannot join: {by} has this id"),
            FindEvent::Left { handed_over: true } => write!(f, "left, its span handed over"),
            FindEvent::Left { handed_over: false } => write!(f, "left without a hand-over"),
            FindEvent::NextIs(next) => write!(f, "next is {next}"),
            FindEvent::PrevIs(Some(prev)) => write!(f, "prev is {prev}"),
            FindEvent::PrevIs(None) => write!(f, "prev is unknown"),
            FindEvent::Dead(peer) => write!(f, "takes {peer} for dead"),
            FindEvent::Holds(span) => write!(f, "holds {span:#}"),
            FindEvent::TookOver(span) => write!(f, "took over from the dead, holds {span:#}"),
            FindEvent::LeaseRanOut => write!(f, "lease ran out: holds nothing"),
            FindEvent::Confirmed => write!(f, "confirmed by its next again"),
            FindEvent::LostGround => write!(f, "its ground was taken over; receives it again"),
            FindEvent::WentRound { target, silent } => {
                write!(f, "lookup {} goes round {silent}", target.short())
            }
            FindEvent::DroppedAtLimit { target, relays } => {
                write!(f, "drops lookup {} after {relays} relays", target.short())
            }
        }
    }
}
