//! Who owns a key, checked against the definition: slow, obvious answers on small rings.
#![allow(clippy::unwrap_used)] // a test may stop at a surprise

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use roundelay::keyspace::{Id, Span};
use roundelay::placement::{
    EmptyRing, HostId, Member, Placement, PlacementError, Zone, by_name, even, moved, pieces,
    random, rebalance,
};

fn id(n: u64) -> Id {
    Id::from_u64(n)
}

fn host(n: u64) -> HostId {
    HostId(n)
}

/// A ring of hosts with one token each, all given as small numbers.
fn ring<const N: usize>(tokens: [(u64, u64); N]) -> Placement {
    Placement::from_members(tokens.map(|(h, t)| (host(h), Member::new([id(t)])))).unwrap()
}

/// Places on the circle: small ones, so that tokens and keys often meet, and some near its end.
fn place() -> impl Strategy<Value = Id> {
    prop_oneof![
        4 => (0u64..40).prop_map(id),
        1 => (0u64..5).prop_map(|n| Id::MAX.wrapping_sub(id(n))),
        1 => any::<[u8; 20]>().prop_map(Id::from_bytes),
    ]
}

/// Up to eight hosts with up to four tokens each, in up to three zones or none.
fn members() -> impl Strategy<Value = BTreeMap<HostId, Member>> {
    let zone = prop_oneof![
        Just(None),
        (0..3usize).prop_map(|n| Some(Zone::new(["a", "b", "c"][n]).unwrap())),
    ];
    let member = (proptest::collection::vec(place(), 0..5), zone, 1u32..4);
    proptest::collection::vec(member, 0..9).prop_map(|list| {
        let mut taken = BTreeSet::new();
        let mut members = BTreeMap::new();
        for (n, (tokens, zone, weight)) in (1..).zip(list) {
            let free: Vec<Id> = tokens
                .into_iter()
                .filter(|token| taken.insert(*token))
                .collect();
            members.insert(
                host(n),
                Member {
                    zone,
                    weight,
                    tokens: free,
                },
            );
        }
        members
    })
}

/// All tokens going clockwise once round from `at`, sorted by how far they are.
fn clockwise(members: &BTreeMap<HostId, Member>, at: Id) -> Vec<(Id, HostId)> {
    let mut tokens: Vec<(Id, HostId)> = members
        .iter()
        .flat_map(|(h, m)| m.tokens.iter().map(|t| (at.distance(*t), *h)))
        .collect();
    tokens.sort();
    tokens
        .into_iter()
        .map(|(far, h)| (at.wrapping_add(far), h))
        .collect()
}

/// Distinct hosts clockwise; then those whose zone is new, then the others.
fn replicas_by_definition(members: &BTreeMap<HostId, Member>, at: Id, r: usize) -> Vec<HostId> {
    let mut hosts: Vec<HostId> = Vec::new();
    for (_, h) in clockwise(members, at) {
        if !hosts.contains(&h) {
            hosts.push(h);
        }
    }
    let mut zones = BTreeSet::new();
    let (mut first, second): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|h| {
        members[h]
            .zone
            .clone()
            .is_none_or(|zone| zones.insert(zone))
    });
    first.extend(second);
    first.truncate(r);
    first
}

proptest! {
    #[test]
    fn owner_and_replicas_follow_the_definition(members in members(), at in place(), r in 0usize..10) {
        let placement = Placement::from_members(members.clone()).unwrap();
        let around = clockwise(&members, at);
        let owner = placement.owner(at).map(|token| (token.id, token.host));
        prop_assert_eq!(owner, around.first().copied().ok_or(EmptyRing));
        let replicas = replicas_by_definition(&members, at, r);
        for host in members.keys().chain([&HostId(u64::MAX)]) {
            prop_assert_eq!(placement.is_replica(*host, at, r), replicas.contains(host));
        }
        prop_assert_eq!(placement.replicas(at, r), replicas);
        let mut zoneless = members.clone();
        zoneless.values_mut().for_each(|member| member.zone = None);
        let successors = replicas_by_definition(&zoneless, at, r);
        let alone = Placement::from_members(zoneless).unwrap();
        for host in members.keys() {
            prop_assert_eq!(alone.is_replica(*host, at, r), successors.contains(host));
        }
        prop_assert_eq!(placement.successors(at, r), successors);
    }

    #[test]
    fn spans_of_all_tokens_cover_the_circle_once(members in members(), at in place()) {
        let placement = Placement::from_members(members).unwrap();
        let spans: Vec<(HostId, Span)> = placement
            .hosts()
            .flat_map(|h| placement.spans(h).map(move |span| (h, span)).collect::<Vec<_>>())
            .collect();
        let owners: Vec<HostId> =
            spans.iter().filter(|(_, span)| span.contains(at)).map(|(h, _)| *h).collect();
        prop_assert_eq!(owners, placement.owner(at).map(|t| t.host).into_iter().collect::<Vec<_>>());
        for token in placement.tokens() {
            let next = placement.next(token.id).unwrap();
            prop_assert_eq!(placement.prev(next.id).unwrap(), token, "next.prev is itself");
        }
    }

    #[test]
    fn what_moved_says_is_what_changed(old in members(), new in members(), at in place()) {
        let old = Placement::from_members(old).unwrap();
        let new = Placement::from_members(new).unwrap();
        let here: Vec<_> = moved(&old, &new).into_iter().filter(|m| m.span.contains(at)).collect();
        match (old.owner(at), new.owner(at)) {
            (Ok(from), Ok(to)) if from.host != to.host => {
                prop_assert_eq!(here.len(), 1);
                prop_assert_eq!((here[0].from, here[0].to), (from.host, to.host));
            }
            _ => prop_assert!(here.is_empty()),
        }
    }

    #[test]
    fn pieces_cover_the_circle_once_with_the_holders_of_each_id(
        old in members(), new in members(), at in place(), r_old in 0usize..4, r_new in 0usize..4,
    ) {
        let old = Placement::from_members(old).unwrap();
        let new = Placement::from_members(new).unwrap();
        let pieces = pieces(&old, r_old, &new, r_new);
        let here: Vec<_> = pieces.iter().filter(|piece| piece.span.contains(at)).collect();
        if old.tokens().len() + new.tokens().len() == 0 {
            prop_assert!(pieces.is_empty());
        } else {
            prop_assert_eq!(here.len(), 1);
            prop_assert_eq!(&here[0].old, &old.replicas(at, r_old));
            prop_assert_eq!(&here[0].new, &new.replicas(at, r_new));
        }
    }

    #[test]
    fn a_join_takes_ids_for_the_newcomer_only(members in members(), tokens in proptest::collection::vec(place(), 1..5)) {
        let old = Placement::from_members(members).unwrap();
        let mut new = old.clone();
        if new.insert(host(99), Member::new(tokens)).is_ok() {
            for change in moved(&old, &new) {
                prop_assert_eq!(change.to, host(99));
            }
            // And leaving again restores exactly what was.
            new.remove(host(99));
            prop_assert_eq!(moved(&old, &new), []);
            prop_assert_eq!(new, old);
        }
    }

    #[test]
    fn the_order_in_which_hosts_came_does_not_matter(members in members(), at in place()) {
        let forward = Placement::from_members(members.clone()).unwrap();
        let backward = Placement::from_members(members.into_iter().rev()).unwrap();
        prop_assert_eq!(&forward, &backward);
        prop_assert_eq!(forward.replicas(at, 5), backward.replicas(at, 5));
    }
}

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

/// Hosts that join one by one, each with its weight and 16 even tokens for each unit of it.
/// Returns the greatest max/mean on the way, from three hosts on.
fn grow(placement: &mut Placement, joiners: impl IntoIterator<Item = (u64, u32)>) -> f64 {
    let mut worst: f64 = 1.0;
    for (n, weight) in joiners {
        let tokens = even(placement, weight, 16 * weight as usize);
        assert_eq!(tokens.len(), 16 * weight as usize);
        placement
            .insert(host(n), Member::new(tokens).weighing(weight))
            .unwrap();
        if placement.len() >= 3 {
            worst = worst.max(placement.max_over_mean());
        }
    }
    worst
}

#[test]
fn even_tokens_stay_even_while_the_ring_grows_and_rebalance_mends_what_leaves_break() {
    let mut placement = Placement::new();
    let worst = grow(&mut placement, (1..=1000).map(|n| (n, 1)));
    assert!(worst <= 1.10, "max/mean reached {worst:.3} while growing");
    for gone in 0..300 {
        placement.remove(host(1 + gone * 7 % 1000));
    }
    let before = placement.max_over_mean();
    assert!(
        before > 1.10,
        "leaves should have upset the balance: {before:.3}"
    );
    let rebalanced = rebalance(&placement);
    assert_eq!(rebalanced.before, before);
    assert!(
        rebalanced.after <= 1.10,
        "max/mean is still {:.3}",
        rebalanced.after
    );
    assert_eq!(rebalanced.after, rebalanced.placement.max_over_mean());
    assert_eq!(rebalanced.moved, moved(&placement, &rebalanced.placement));
    // What was too much, and little else: all hosts together held this much beyond their goal.
    assert!(
        rebalanced.share_moved() < 0.10,
        "{:.3} moved",
        rebalanced.share_moved()
    );
}

#[test]
fn rebalance_reaches_its_goal_on_rings_of_every_kind() {
    for (hosts, tokens) in [(2, 1), (3, 2), (20, 1), (20, 4), (10, 40), (60, 16)] {
        let members = (1..=hosts).map(|n| (host(n), Member::new(random(n, tokens))));
        let placement = Placement::from_members(members).unwrap();
        let rebalanced = rebalance(&placement);
        let (before, after) = (rebalanced.before, rebalanced.after);
        assert!(
            after <= 1.10,
            "{hosts} hosts of {tokens} tokens: {before:.3} to {after:.3}"
        );
        for (host, member) in rebalanced.placement.members() {
            assert_eq!(
                member.tokens.len(),
                placement.member(*host).unwrap().tokens.len()
            );
        }
        let again = rebalance(&rebalanced.placement);
        assert_eq!(
            (again.moved.len(), again.tokens_moved, again.share_moved()),
            (0, 0, 0.0)
        );
    }
    assert_eq!(rebalance(&Placement::new()).placement, Placement::new());
}

#[test]
fn a_host_of_weight_two_gets_twice_the_share() {
    let mut placement = Placement::new();
    let worst = grow(
        &mut placement,
        (1..=60).map(|n| (n, if n % 5 == 0 { 2 } else { 1 })),
    );
    assert!(worst <= 1.10, "max/mean by weight reached {worst:.3}");
    let shares = placement.shares();
    let unit = 1.0 / 72.0;
    for (host, share) in shares {
        let weight = f64::from(placement.member(host).unwrap().weight);
        let due = share / unit / weight;
        assert!(
            (0.85..1.10).contains(&due),
            "{host} of weight {weight} has {due:.3} of its due"
        );
    }
    // By name and at random the weight is the number of tokens; the mean of many hosts shows it.
    let member = |n: u64| {
        (
            host(n),
            Member::new(random(n, if n.is_multiple_of(2) { 20 } else { 10 })),
        )
    };
    let by_chance = Placement::from_members((0..200).map(member)).unwrap();
    let double: f64 = (0..100).map(|n| by_chance.share(host(2 * n))).sum();
    assert!(
        (0.64..0.70).contains(&double),
        "half the hosts, twice the tokens: {double:.3}"
    );
}

#[test]
fn even_tokens_can_be_cut_from_any_ring() {
    // One token, one span: the newcomer takes half of it and cuts its own half further.
    let one = ring([(1, 5)]);
    let tokens = even(&one, 1, 16);
    assert_eq!(tokens.len(), 16);
    let mut two = one.clone();
    two.insert(host(2), Member::new(tokens)).unwrap();
    assert!(
        (two.share(host(2)) - 0.5).abs() < 1e-6,
        "{}",
        two.share(host(2))
    );
    // Eight neighbouring numbers: there is one long span and nothing else to cut.
    let eight = ring([(1, 0), (2, 1), (3, 3)]);
    assert!(
        even(&eight, 1, 4)
            .iter()
            .all(|token| eight.span_of(*token).is_none())
    );
    assert_eq!(even(&one, 1, 0), []);
    assert_eq!(even(&Placement::new(), 1, 4).len(), 4);
    assert_eq!(even(&Placement::new(), 1, 0), []);
}

#[test]
fn tokens_by_name_and_by_seed_are_the_same_every_time() {
    assert_eq!(
        by_name("alice", 2),
        [Id::of(b"alice#0"), Id::of(b"alice#1")]
    );
    assert_eq!(random(7, 3), random(7, 3));
    assert_ne!(random(7, 3), random(8, 3));
    assert_eq!(random(7, 5)[..3], random(7, 3));
}

#[test]
fn a_join_moves_a_fair_share_and_modulo_nearly_everything() {
    let keys: Vec<Id> = (0..20_000).map(|n: u32| Id::of(&n.to_be_bytes())).collect();
    let mut placement = Placement::new();
    grow(&mut placement, (1..=10).map(|n| (n, 1)));
    let before: Vec<HostId> = keys
        .iter()
        .map(|key| placement.owner(*key).unwrap().host)
        .collect();
    grow(&mut placement, [(11, 1)]);
    let owners = keys.iter().map(|key| placement.owner(*key).unwrap().host);
    let changed: Vec<HostId> = owners
        .zip(&before)
        .filter(|(new, old)| new != *old)
        .map(|(new, _)| new)
        .collect();
    assert!(
        changed.iter().all(|new| *new == host(11)),
        "only the newcomer takes keys"
    );
    let share = changed.len() as f64 / keys.len() as f64;
    assert!(
        (0.08..0.10).contains(&share),
        "a join among 10 moves 1/11, this moved {share:.3}"
    );
    let modulo = keys
        .iter()
        .filter(|key| key.top() % 10 != key.top() % 11)
        .count();
    assert!(modulo * 10 > keys.len() * 9);
}
