//! How much of the circle each host gets: by tokens cut evenly, by weight, after rebalancing; and how much a join moves.

use roundelay::keyspace::Id;
use roundelay::placement::{HostId, Member, Placement, by_name, even, moved, random, rebalance};

use crate::{host, ring};

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
