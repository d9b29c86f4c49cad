//! Any message between nodes: lookups and what becomes of them, links and how they are handed over.

use proptest::prelude::*;
use proptest::{collection, option};

use super::{id, peer, span};
use crate::keyspace::Id;
use crate::message::{
    FindMessage, Grant, LinksAre, Lookup, LookupAnswer, MAX_AVOID, Manner, Peer, Question,
};
use crate::ring::Direction;

fn question() -> impl Strategy<Value = Question> {
    any::<u64>().prop_map(Question)
}

fn peers() -> impl Strategy<Value = Vec<Peer>> {
    collection::vec(peer(), 0..9)
}

fn lookup() -> impl Strategy<Value = Lookup> {
    let direction = prop_oneof![Just(Direction::Clockwise), Just(Direction::AntiClockwise)];
    let manner = prop_oneof![Just(Manner::PassOn), Just(Manner::StepByStep)];
    let numbers = (question(), 0u32..1 << 31, 0u32..1 << 31);
    let avoid = collection::vec(id(), 0..=MAX_AVOID);
    (
        numbers,
        peer(),
        id(),
        direction,
        id(),
        manner,
        avoid,
        option::of(peers()),
    )
        .prop_map(
            |((question, relays, limit), asker, target, direction, left, manner, avoid, path)| {
                Lookup {
                    question,
                    asker,
                    target,
                    direction,
                    left,
                    relays,
                    limit,
                    manner,
                    avoid,
                    path,
                }
            },
        )
}

/// Lookups and their answers.
fn about_lookups() -> BoxedStrategy<FindMessage> {
    use FindMessage as M;
    let relays = 0u32..1 << 31;
    let found = (
        relays.clone(),
        option::of(peer()),
        peers(),
        option::of(peers()),
    );
    let go_on = (peer(), id(), relays.clone(), option::of(peers()));
    use LookupAnswer as A;
    let answer = prop_oneof![
        found.prop_map(|(relays, prev, successors, path)| A::Found {
            relays,
            prev,
            successors,
            path
        }),
        go_on.prop_map(|(to, left, relays, path)| A::GoOn {
            to,
            left,
            relays,
            path
        }),
        relays.prop_map(|relays| A::Dropped { relays }),
        Just(A::Unsettled),
    ];
    prop_oneof![
        lookup().prop_map(M::Lookup),
        (question(), answer).prop_map(|(question, answer)| M::Answer { question, answer }),
    ]
    .boxed()
}

/// Stabilizing, joining and leaving.
fn about_links() -> BoxedStrategy<FindMessage> {
    use FindMessage as M;
    let links = (question(), option::of(peer()), peers(), option::of(span()));
    let granted = (question(), span(), option::of(peer()), peers(), peers());
    prop_oneof![
        (question(), any::<bool>())
            .prop_map(|(question, joining)| M::AskLinks { question, joining }),
        links.prop_map(|(question, prev, successors, holds)| M::Links {
            question,
            links: LinksAre {
                prev,
                successors,
                holds
            }
        }),
        question().prop_map(|question| M::Busy { question }),
        question().prop_map(|question| M::NotInRing { question }),
        Just(M::Notify),
        question().prop_map(|question| M::Ping { question }),
        question().prop_map(|question| M::Pong { question }),
        Just(M::LookAgain),
        (question(), span()).prop_map(|(question, span)| M::Offer { question, span }),
        (question(), span()).prop_map(|(question, span)| M::Take { question, span }),
        granted.prop_map(|(question, span, prev, successors, routes)| M::Granted {
            question,
            grant: Grant {
                span,
                prev,
                successors,
                routes
            }
        }),
        question().prop_map(|question| M::Refused { question }),
        Just(M::Left),
    ]
    .boxed()
}

pub(crate) fn find_message() -> impl Strategy<Value = (Id, Id, FindMessage)> {
    (id(), id(), prop_oneof![about_lookups(), about_links()])
}
