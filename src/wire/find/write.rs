//! A message between nodes becomes header and body.
//!
//! ```text
//! Links { prev: <a>, successors: <c> <d> }     header: peer <a>, successors 2       body: <c> <d>, 28 bytes each
//! Ping                                         header: question 9                   body: nothing
//! ```

use super::FindHeader;
use crate::keyspace::Span;
use crate::message::{FindMessage, Grant, LinksAre, Lookup, LookupAnswer, Manner, Peer, Question};
use crate::ring::Direction;
use crate::wire::body::{Body, len_u32};
use crate::wire::kind::Kind;

fn about(question: &Question) -> FindHeader {
    FindHeader {
        question: question.0,
        ..FindHeader::default()
    }
}

/// About a span.
fn of(question: &Question, span: Span) -> FindHeader {
    FindHeader {
        span: Some(span.into()),
        ..about(question)
    }
}

fn count<T>(list: &[T]) -> u32 {
    len_u32(list.len())
}

fn path_of(path: Option<&Vec<Peer>>) -> &[Peer] {
    path.map_or(&[], Vec::as_slice)
}

/// A message as kind, header (without the envelope's names) and body.
pub(in crate::wire) fn write(message: &FindMessage) -> (Kind, FindHeader, Body<'_>) {
    use FindMessage as M;
    let (kind, header) = match message {
        M::Lookup(lookup) => return write_lookup(lookup),
        M::Answer { question, answer } => return write_answer(about(question), answer),
        M::Links { question, links } => return write_links(about(question), links),
        M::Granted { question, grant } => return write_grant(about(question), grant),
        M::AskLinks { question, joining } => (
            Kind::AskLinks,
            FindHeader {
                joining: *joining,
                ..about(question)
            },
        ),
        M::Busy { question } => (Kind::Busy, about(question)),
        M::NotInRing { question } => (Kind::NotInRing, about(question)),
        M::Notify => (Kind::Notify, FindHeader::default()),
        M::Ping { question } => (Kind::Ping, about(question)),
        M::Pong { question } => (Kind::Pong, about(question)),
        M::LookAgain => (Kind::LookAgain, FindHeader::default()),
        M::Offer { question, span } => (Kind::Offer, of(question, *span)),
        M::Take { question, span } => (Kind::Take, of(question, *span)),
        M::Refused { question } => (Kind::Refused, about(question)),
        M::Left => (Kind::Left, FindHeader::default()),
    };
    (kind, header, Body::Nothing)
}

fn write_links(header: FindHeader, links: &LinksAre) -> (Kind, FindHeader, Body<'_>) {
    let header = FindHeader {
        peer: links.prev.map(Into::into),
        successors: count(&links.successors),
        span: links.holds.map(Into::into),
        ..header
    };
    let peers = [links.successors.as_slice(), &[], &[]];
    (Kind::Links, header, Body::Peers(&[], peers))
}

fn write_grant(header: FindHeader, grant: &Grant) -> (Kind, FindHeader, Body<'_>) {
    let header = FindHeader {
        span: Some(grant.span.into()),
        peer: grant.prev.map(Into::into),
        successors: count(&grant.successors),
        routes: count(&grant.routes),
        ..header
    };
    let peers = [grant.successors.as_slice(), &grant.routes, &[]];
    (Kind::Granted, header, Body::Peers(&[], peers))
}

fn write_lookup(lookup: &Lookup) -> (Kind, FindHeader, Body<'_>) {
    let header = FindHeader {
        asker: Some(lookup.asker.into()),
        target: Some(lookup.target.into()),
        left: Some(lookup.left.into()),
        direction: match lookup.direction {
            Direction::Clockwise => 0,
            Direction::AntiClockwise => 1,
        },
        manner: match lookup.manner {
            Manner::PassOn => 0,
            Manner::StepByStep => 1,
        },
        relays: lookup.relays,
        limit: lookup.limit,
        avoid: count(&lookup.avoid),
        path: lookup.path.as_deref().map(count),
        ..about(&lookup.question)
    };
    (
        Kind::Lookup,
        header,
        Body::Peers(&lookup.avoid, [&[], &[], path_of(lookup.path.as_ref())]),
    )
}

/// What became of a lookup has four kinds of frame, one for each.
fn write_answer(header: FindHeader, answer: &LookupAnswer) -> (Kind, FindHeader, Body<'_>) {
    match answer {
        LookupAnswer::Found {
            relays,
            prev,
            successors,
            path,
        } => {
            let header = FindHeader {
                relays: *relays,
                peer: prev.map(Into::into),
                successors: count(successors),
                path: path.as_deref().map(count),
                ..header
            };
            (
                Kind::Found,
                header,
                Body::Peers(&[], [successors, &[], path_of(path.as_ref())]),
            )
        }
        LookupAnswer::GoOn {
            to,
            left,
            relays,
            path,
        } => {
            let header = FindHeader {
                peer: Some((*to).into()),
                left: Some((*left).into()),
                relays: *relays,
                path: path.as_deref().map(count),
                ..header
            };
            (
                Kind::GoOn,
                header,
                Body::Peers(&[], [&[], &[], path_of(path.as_ref())]),
            )
        }
        LookupAnswer::Dropped { relays } => (
            Kind::Dropped,
            FindHeader {
                relays: *relays,
                ..header
            },
            Body::Nothing,
        ),
        LookupAnswer::Unsettled => (Kind::Unsettled, header, Body::Nothing),
    }
}
