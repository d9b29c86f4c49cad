//! Header and body become a message between nodes, if they are one.
//!
//! *Hold these true*: lists are read in the order in which they lie in the body, and nothing may be left over; a count is
//! believed only as far as the body reaches.

use bytes::Bytes;

use super::{FindHeader, MAX_PATH, MAX_PEERS, MAX_RELAYS, read_peer};
use crate::keyspace::{Id, Span};
use crate::message::{
    FindMessage, Grant, LinksAre, Lookup, LookupAnswer, MAX_AVOID, Manner, Peer, Question,
};
use crate::ring::Direction;
use crate::wire::WireError;
use crate::wire::error::within;
use crate::wire::frame::take;
use crate::wire::kind::Kind;
use crate::wire::schema::{PeerPb, SpanPb};

/// A frame's header and body on their way to becoming a message.
pub(in crate::wire) struct Reader {
    header: FindHeader,
    body: Bytes,
}

impl Reader {
    pub(in crate::wire) fn new(header: FindHeader, body: Bytes) -> Reader {
        Reader { header, body }
    }

    /// The sending node, the node it is for, and the message, if nothing is left over.
    pub(in crate::wire) fn read(mut self, kind: Kind) -> Result<(Id, Id, FindMessage), WireError> {
        let from = self
            .header
            .from_node
            .ok_or(WireError::Missing("sending node"))?;
        let to = self
            .header
            .to_node
            .ok_or(WireError::Missing("node it is for"))?;
        let message = self.message(kind)?;
        if !self.body.is_empty() {
            return Err(WireError::Extra(self.body.len()));
        }
        Ok((from.into(), to.into(), message))
    }

    /// Parts are read in the order in which they lie in the body.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the other kinds are none of a node's"
    )]
    fn message(&mut self, kind: Kind) -> Result<FindMessage, WireError> {
        use FindMessage as M;
        let question = Question(self.header.question);
        let relays = within("a count of relays", self.header.relays, MAX_RELAYS)?;
        Ok(match kind {
            Kind::Lookup => M::Lookup(self.lookup()?),
            Kind::Found | Kind::GoOn | Kind::Dropped | Kind::Unsettled => M::Answer {
                question,
                answer: self.answer(kind, relays)?,
            },
            Kind::AskLinks => M::AskLinks {
                question,
                joining: self.header.joining,
            },
            Kind::Links => M::Links {
                question,
                links: self.links()?,
            },
            Kind::Busy => M::Busy { question },
            Kind::NotInRing => M::NotInRing { question },
            Kind::Notify => M::Notify,
            Kind::Ping => M::Ping { question },
            Kind::Pong => M::Pong { question },
            Kind::LookAgain => M::LookAgain,
            Kind::Offer => M::Offer {
                question,
                span: self.span()?,
            },
            Kind::Take => M::Take {
                question,
                span: self.span()?,
            },
            Kind::Granted => M::Granted {
                question,
                grant: self.grant()?,
            },
            Kind::Refused => M::Refused { question },
            Kind::Left => M::Left,
            other => return Err(WireError::Kind(other as u8)),
        })
    }

    /// What became of a lookup: one of four kinds of frame.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the other kinds are no answers"
    )]
    fn answer(&mut self, kind: Kind, relays: u32) -> Result<LookupAnswer, WireError> {
        Ok(match kind {
            Kind::Found => LookupAnswer::Found {
                relays,
                prev: self.peer()?,
                successors: self.successors()?,
                path: self.path()?,
            },
            Kind::GoOn => LookupAnswer::GoOn {
                to: self.peer()?.ok_or(WireError::Missing("next node"))?,
                left: self.left()?,
                relays,
                path: self.path()?,
            },
            Kind::Dropped => LookupAnswer::Dropped { relays },
            Kind::Unsettled => LookupAnswer::Unsettled,
            other => return Err(WireError::Kind(other as u8)),
        })
    }

    fn links(&mut self) -> Result<LinksAre, WireError> {
        Ok(LinksAre {
            holds: self.header.span.map(SpanPb::read).transpose()?,
            prev: self.peer()?,
            successors: self.successors()?,
        })
    }

    fn grant(&mut self) -> Result<Grant, WireError> {
        Ok(Grant {
            span: self.span()?,
            prev: self.peer()?,
            successors: self.successors()?,
            routes: self.routes()?,
        })
    }

    fn lookup(&mut self) -> Result<Lookup, WireError> {
        let asker = self
            .header
            .asker
            .ok_or(WireError::Missing("asker"))?
            .read()?;
        let target = self
            .header
            .target
            .ok_or(WireError::Missing("target"))?
            .into();
        let direction = match within("a direction", self.header.direction, 1)? {
            0 => Direction::Clockwise,
            _ => Direction::AntiClockwise,
        };
        let manner = match within("a manner", self.header.manner, 1)? {
            0 => Manner::PassOn,
            _ => Manner::StepByStep,
        };
        let avoid = within(
            "the number of nodes to avoid",
            self.header.avoid,
            MAX_AVOID as u64,
        )?;
        Ok(Lookup {
            question: Question(self.header.question),
            asker,
            target,
            direction,
            left: self.left()?,
            relays: self.header.relays,
            limit: within("the limit of relays", self.header.limit, MAX_RELAYS)?,
            manner,
            avoid: self.list(avoid, Id::from_bytes)?,
            path: self.path()?,
        })
    }

    fn left(&self) -> Result<Id, WireError> {
        Ok(self
            .header
            .left
            .ok_or(WireError::Missing("distance left"))?
            .into())
    }

    fn span(&self) -> Result<Span, WireError> {
        self.header.span.ok_or(WireError::Missing("span"))?.read()
    }

    fn peer(&self) -> Result<Option<Peer>, WireError> {
        self.header.peer.map(PeerPb::read).transpose()
    }

    fn successors(&mut self) -> Result<Vec<Peer>, WireError> {
        let count = within(
            "the number of successors",
            self.header.successors,
            MAX_PEERS,
        )?;
        self.list(count, read_peer)
    }

    fn routes(&mut self) -> Result<Vec<Peer>, WireError> {
        let count = within("the number of routes", self.header.routes, MAX_PEERS)?;
        self.list(count, read_peer)
    }

    fn path(&mut self) -> Result<Option<Vec<Peer>>, WireError> {
        let Some(count) = self.header.path else {
            return Ok(None);
        };
        let count = within("the length of a trace", count, MAX_PATH)?;
        self.list(count, read_peer).map(Some)
    }

    /// So many things of `N` bytes each. Their bytes are taken first: nothing is allocated for a count
    /// that the frame does not hold.
    fn list<const N: usize, T>(
        &mut self,
        count: u32,
        read: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, WireError> {
        let len = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .saturating_mul(N);
        let bytes = take(&mut self.body, len)?;
        let (all, _) = bytes.as_chunks::<N>();
        Ok(all.iter().map(|one| read(*one)).collect())
    }
}
