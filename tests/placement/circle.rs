//! Rings chosen by hand: exact hits and the end of the circle, nobody there or one alone, who comes twice and who is
//! refused.

use std::collections::BTreeSet;

use roundelay::keyspace::{Id, Span};
use roundelay::placement::{EmptyRing, HostId, Member, Placement, PlacementError};

use crate::{host, id, ring};

#[test]
fn the_eight_key_circle_of_the_seed() {
    // Keys 0 to 7 on a circle of 2^160: only the eight of them are asked for.
    let owners = |placement: &Placement| -> Vec<HostId> {
        (0..8)
            .map(|key| placement.owner(id(key)).unwrap().host)
            .collect()
    };
    let three = ring([(0, 0), (1, 1), (3, 3)]);
    assert_eq!(owners(&three), [0, 1, 3, 3, 0, 0, 0, 0].map(host));
    assert_eq!(
        owners(&ring([(0, 0), (3, 3)])),
        [0, 3, 3, 3, 0, 0, 0, 0].map(host)
    );
    assert_eq!(
        owners(&ring([(0, 0), (1, 1), (3, 3), (6, 6)])),
        [0, 1, 3, 3, 6, 6, 6, 0].map(host)
    );
}

#[test]
fn an_exact_hit_belongs_to_its_token_and_the_end_wraps_to_the_least() {
    let placement = ring([(1, 10), (2, 20), (3, 30)]);
    assert_eq!(placement.owner(id(20)).unwrap().host, host(2));
    assert_eq!(placement.owner(id(21)).unwrap().host, host(3));
    assert_eq!(placement.owner(id(31)).unwrap().host, host(1));
    assert_eq!(placement.span_of(id(10)), Some(Span::new(id(30), id(10))));
    assert_eq!(placement.span_of(id(11)), None);
}

#[test]
fn an_empty_ring_is_an_error_and_not_a_crash() {
    let empty = Placement::new();
    assert_eq!(empty.owner(id(1)), Err(EmptyRing));
    assert_eq!(
        (empty.next(id(1)), empty.prev(id(1))),
        (Err(EmptyRing), Err(EmptyRing))
    );
    assert!(empty.replicas(id(1), 3).is_empty() && empty.successors(id(1), 3).is_empty());
    assert_eq!(
        EmptyRing.to_string(),
        "the ring is empty: no host has a token; add a host first"
    );
    // A host without tokens is on the list, but owns nothing.
    let idle = Placement::from_members([(host(1), Member::new([]))]).unwrap();
    assert_eq!((idle.len(), idle.owner(id(1))), (1, Err(EmptyRing)));
}

#[test]
fn alone_a_host_is_its_own_neighbour_and_owns_everything() {
    let one = ring([(1, 5)]);
    assert_eq!(one.next(id(5)).unwrap().id, id(5));
    assert_eq!(one.prev(id(5)).unwrap().id, id(5));
    assert_eq!(one.span_of(id(5)), Some(Span::whole(id(5))));
}

#[test]
fn adding_and_removing_are_idempotent() {
    let mut placement = ring([(1, 10), (2, 20)]);
    let before = placement.clone();
    assert_eq!(placement.insert(host(2), Member::new([id(20)])), Ok(false));
    assert_eq!(placement, before);
    // Known by another token now: the old one leaves no ghost behind.
    assert_eq!(placement.insert(host(2), Member::new([id(25)])), Ok(true));
    assert_eq!(placement.owner(id(15)).unwrap().id, id(25));
    assert_eq!(placement.remove(host(2)), Some(Member::new([id(25)])));
    assert_eq!(placement.remove(host(2)), None);
    assert_eq!(placement.tokens().len(), 1);
}

#[test]
fn a_taken_token_is_refused_naming_both_hosts() {
    let mut placement = ring([(1, 10), (2, 20)]);
    let before = placement.clone();
    let refused = placement
        .insert(host(31), Member::new([id(15), id(20)]))
        .unwrap_err();
    let taken = PlacementError::TokenTaken {
        token: id(20),
        held_by: host(2),
        wanted_by: host(31),
    };
    assert_eq!(refused, taken);
    assert_eq!(
        refused.to_string(),
        "token 0000000000000000000000000000000000000014 of h1f is already held by h2: choose another token"
    );
    assert_eq!(placement, before);
    let twice = Placement::from_members([(host(1), Member::new([])), (host(1), Member::new([]))]);
    assert_eq!(twice, Err(PlacementError::ListedTwice(host(1))));
    let weightless = placement.insert(host(3), Member::new([id(3)]).weighing(0));
    assert_eq!(weightless, Err(PlacementError::NoWeight(host(3))));
}

#[test]
fn tokens_that_share_their_first_bits_are_still_found() {
    // 5,000 tokens in one bucket of the index, and one far away.
    let crowd = (1..=5000).map(|n| (host(n), Member::new([id(n * 10)])));
    let far = (host(9999), Member::new([Id::power_of_two(159)]));
    let placement = Placement::from_members(crowd.chain([far])).unwrap();
    for key in (0..50_000).step_by(7) {
        assert_eq!(
            placement.owner(id(key)).unwrap().id,
            id(key.div_ceil(10).max(1) * 10)
        );
    }
    assert_eq!(placement.owner(id(50_001)).unwrap().host, host(9999));
    assert_eq!(placement.owner(Id::MAX).unwrap().host, host(1));
}

#[test]
fn many_copies_are_distinct_hosts() {
    let placement =
        Placement::from_members((1..=100).map(|n| (host(n), Member::new([id(n), id(1000 - n)]))))
            .unwrap();
    let all: BTreeSet<HostId> = placement.replicas(id(50), 200).into_iter().collect();
    assert_eq!(all.len(), 100);
}
