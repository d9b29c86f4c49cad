//! Rings drawn at random, small enough that tokens and keys often meet: what a placement says of them is what the
//! definition says, worked out the slow way.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use roundelay::keyspace::{Id, Span};
use roundelay::placement::{EmptyRing, HostId, Member, Placement, Zone, moved, pieces};

use crate::{host, id};

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
