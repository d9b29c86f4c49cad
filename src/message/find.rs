//! What nodes say to find: the links and the routes of the ring.
//!
//! ```text
//! asker <10>            <22>              <37>
//!   Lookup 30  ─────────>│                  │        relays 1 of at most 64, clockwise
//!                        │── Lookup 30 ────>│        relays 2: 30 lies in (22, 37]
//!   <──────────────────────── Found ────────│        straight back to the asker
//! ```
//!
//! A node asks one thing at a time about its links, and each question has a number; an answer with
//! another number comes too late and is dropped. So every message here may be lost, doubled or
//! overtaken: the variants say what happens then.

use super::Peer;
use crate::keyspace::{Id, Span};
use crate::ring::Direction;

/// Numbers the questions of one node. The first number of a life is drawn at random, so that an answer
/// meant for a node's former life fits no question of its present one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question(pub u64);

/// How a lookup gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// From hand to hand: each node passes it on, the last one answers the asker. The first try.
    PassOn,
    /// Step by step: each node only tells the asker where to go on. Twice the messages, but the asker
    /// sees which node is silent and can go round it. Every further try.
    StepByStep,
}

// region: lookup
/// A question on its way: who owns `target`?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// Names this try to the asker.
    pub question: Question,
    /// Who gets the answer.
    pub asker: Peer,
    /// The id looked for.
    pub target: Id,
    /// The way round, fixed by the asker.
    pub direction: Direction,
    /// How far, in `direction`, the node before had still to go; each hop must have less. A node that
    /// has not less lies at or past the target: it is thought to be the owner, and passes nothing on.
    pub left: Id,
    /// How often it has been sent from node to node.
    pub relays: u32,
    /// It is dropped, and the asker told, rather than relayed more often than this.
    pub limit: u32,
    /// Who carries it on.
    pub manner: Manner,
    /// Nodes the asker found silent: not to be named as the next step. At most [`MAX_AVOID`].
    pub avoid: Vec<Id>,
    /// The nodes that handled it, the asker first; only when it is traced. Never more than `limit + 1`.
    pub path: Option<Vec<Peer>>,
}
// endregion: lookup

/// How many silent nodes one try goes round before it starts again from the beginning.
pub const MAX_AVOID: usize = 8;

/// What a node tells a node, to keep the ring linked and to find the owner of an id.
///
/// *Member* is a node that is spliced in. A node that is not answers every question with
/// [`FindMessage::NotInRing`]. `question` in an answer is the number of what it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FindMessage {
    /// From an asker, or from the node before. It is passed on, or answered with [`FindMessage::Answer`].
    /// Lost: the asker's deadline passes and it tries again, step by step. Twice: answered twice.
    Lookup(Lookup),
    /// To the asker, from whoever the lookup ended at. Lost: the asker's deadline passes and it tries
    /// again. Twice: the second fits no open question and is dropped.
    Answer {
        /// Which try.
        question: Question,
        /// What became of it.
        answer: LookupAnswer,
    },

    /// A member to its next, once per period (*stabilize*), to its next's prev before it adopts it, and
    /// a joiner to the node it will stand before. Answer: [`FindMessage::Links`], or [`FindMessage::Busy`].
    /// Lost: asked again; after some silence the node counts as dead. Twice: answered twice.
    AskLinks {
        /// The question.
        question: Question,
        /// Whether the asker is still joining. If it is taken for a member, that was its former life.
        joining: bool,
    },
    /// The links of a member that awaits nothing which may change them.
    Links {
        /// The question.
        question: Question,
        /// The links.
        links: LinksAre,
    },
    /// To any question about links: I await an answer that may change mine; ask again a little later.
    /// The asker drops its attempt and tries again after a jittered pause. Lost: a deadline.
    Busy {
        /// The question.
        question: Question,
    },
    /// To any question: I am no member. The asker drops the node from its links as if it had died.
    NotInRing {
        /// The question.
        question: Question,
    },
    /// A member to its next after stabilizing: I may be your prev. The next accepts it if it lies nearer
    /// than the prev it has, or if that one does not answer a ping (*rectify*). Lost: said again next
    /// period. Twice: harmless.
    Notify,
    /// A member to its prev: are you there? Answer: [`FindMessage::Pong`], even when busy.
    /// Lost: asked again; after some silence the prev counts as dead.
    Ping {
        /// The question.
        question: Question,
    },
    /// I am here, and a member.
    Pong {
        /// The question.
        question: Question,
    },
    /// A newcomer to its prev: your next may have changed. The prev stabilizes at once instead of at its
    /// time. Lost: it stabilizes at its time. Twice: harmless.
    LookAgain,

    /// A leaving node to its next: take over my span. The next pulls the records, then sends
    /// [`FindMessage::Take`]; or it is [`FindMessage::Busy`]. Lost or unanswered: offered again.
    /// Twice: the second is dropped while the first is being pulled.
    Offer {
        /// The question.
        question: Question,
        /// The whole span of the leaver.
        span: Span,
    },
    /// Whoever has received all records of `span` (a joiner from its next, a next from a leaver): let me
    /// hold it. Answer: [`FindMessage::Granted`], [`FindMessage::Refused`] or [`FindMessage::Busy`].
    /// Lost: said again. Twice: granted again, word for word.
    Take {
        /// The question.
        question: Question,
        /// Exactly the part that changes hands.
        span: Span,
    },
    /// The giver of a span, the moment it ceased to hold it: it is yours. Lost: the taker says
    /// [`FindMessage::Take`] again and hears the same. To a taker that has given up: it answers
    /// [`FindMessage::NotInRing`], and the giver takes the span back as from a dead node.
    Granted {
        /// The question.
        question: Question,
        /// What is the taker's now.
        grant: Grant,
    },
    /// That is not what I hold (any more). The taker starts its join again; an heir forgets the matter.
    Refused {
        /// The question.
        question: Question,
    },
    /// A node that has left to its prev: drop me from your list. Lost: the prev finds out when it
    /// stabilizes. Twice: harmless.
    Left,
}

/// What became of a lookup.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LookupAnswer {
    /// From the owner: I hold that id.
    Found {
        /// How often the question was relayed.
        relays: u32,
        /// The owner's prev, if it knows one that is alive.
        prev: Option<Peer>,
        /// The owner's successor list.
        successors: Vec<Peer>,
        /// The trace, the asker first, the owner last.
        path: Option<Vec<Peer>>,
    },
    /// Not me; ask that node. From a node past the target that knows a nearer one, and from every node
    /// of a lookup that goes step by step.
    GoOn {
        /// Whom to ask next.
        to: Peer,
        /// What the lookup has still to go, for [`Lookup::left`]; zero: `to` should be the owner.
        left: Id,
        /// How often the question was relayed.
        relays: u32,
        /// The trace up to here.
        path: Option<Vec<Peer>>,
    },
    /// Relayed as often as allowed, and dropped: the lookup fails.
    Dropped {
        /// How often it was relayed.
        relays: u32,
    },
    /// Nobody can be told to hold that id just now: its owner died or is being replaced. The asker backs
    /// off and tries again.
    Unsettled,
}

/// What a member says about its links.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinksAre {
    /// Its prev, if it knows one. If that is the asker, the asker's lease is renewed.
    pub prev: Option<Peer>,
    /// Its successor list.
    pub successors: Vec<Peer>,
    /// The span it holds.
    pub holds: Option<Span>,
}

/// What a giver says as it lets a span go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// What was released.
    pub span: Span,
    /// The prev of the giver until now.
    pub prev: Option<Peer>,
    /// The giver's successor list.
    pub successors: Vec<Peer>,
    /// The giver's routes: neighbours see nearly the same circle, so they are a good beginning.
    pub routes: Vec<Peer>,
}
