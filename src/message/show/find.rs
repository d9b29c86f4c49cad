//! What nodes say to each other, read aloud.
//!
//! ```text
//! <0a000000> to <4c000000>: Lookup 37000000 clockwise, relays 2 of 40
//! ```

use std::fmt;

use super::parts::{Maybe, Peers, ShortSpan};
use crate::message::{FindMessage, LinksAre, Lookup, LookupAnswer};

impl fmt::Display for FindMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(lookup) => {
                let Lookup {
                    target,
                    direction,
                    relays,
                    limit,
                    ..
                } = lookup;
                write!(
                    f,
                    "Lookup {} {direction}, relays {relays} of {limit}",
                    target.short()
                )
            }
            Self::Answer { answer, .. } => write!(f, "Answer {answer}"),
            Self::AskLinks { joining: true, .. } => write!(f, "AskLinks, joining"),
            Self::AskLinks { joining: false, .. } => write!(f, "AskLinks"),
            Self::Links {
                links: LinksAre {
                    prev, successors, ..
                },
                ..
            } => {
                write!(f, "Links prev {}, next{}", Maybe(*prev), Peers(successors))
            }
            Self::Busy { .. } => write!(f, "Busy"),
            Self::NotInRing { .. } => write!(f, "NotInRing"),
            Self::Notify => write!(f, "Notify"),
            Self::Ping { .. } => write!(f, "Ping"),
            Self::Pong { .. } => write!(f, "Pong"),
            Self::LookAgain => write!(f, "LookAgain"),
            Self::Offer { span, .. } => write!(f, "Offer {}", ShortSpan(*span)),
            Self::Take { span, .. } => write!(f, "Take {}", ShortSpan(*span)),
            Self::Granted { grant, .. } => write!(f, "Granted {}", ShortSpan(grant.span)),
            Self::Refused { .. } => write!(f, "Refused"),
            Self::Left => write!(f, "Left"),
        }
    }
}

impl fmt::Display for LookupAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { relays, .. } => write!(f, "found after {relays} relays"),
            Self::GoOn { to, .. } => write!(f, "go on to {to}"),
            Self::Dropped { relays } => write!(f, "dropped after {relays} relays"),
            Self::Unsettled => write!(f, "nobody holds it now"),
        }
    }
}
