//! The cases: the design within several bounds, and each rule left out.

use super::case::Kind::{self, Delete, Expire, Get, Put};
use super::case::{Case, Rules};
use super::check::{GHOST, HIDDEN, HISTORY, LOST, ORDER, SHOWN, STALE, TWO_VALUES};

fn settled(name: &'static str, ops: &[Kind]) -> Case {
    Case::settled(name, ops)
}

/// D joins before A, so the key goes from A B C to D A B.
fn move1(name: &'static str, ops: &[Kind]) -> Case {
    Case::moving(name, ops, "+D")
}

/// Small enough for every `cargo test`, unoptimised.
pub(crate) fn small() -> Vec<Case> {
    vec![
        settled("settled: 1 put, gets", &[Put, Get]),
        settled("settled: put, delete, gets", &[Put, Delete, Get]),
        settled("settled: 2 puts, overlapping gets", &[Put, Put, Get, Get]),
        settled("settled: put, expire, gets", &[Put, Expire, Get]),
        move1("1 move or given up: 1 put", &[Put]).or_given_up(),
        move1("1 move, 1 loss: 1 put", &[Put]).one_loss(),
        move1("1 move: gets after a put", &[Put, Get]).written(),
        move1("1 move: expire after a put", &[Put, Expire]).written(),
    ]
}

/// The rest: minutes, optimised.
pub(crate) fn large() -> Vec<Case> {
    let mut all = settled_large();
    all.extend(moving_large());
    all
}

fn settled_large() -> Vec<Case> {
    let four = [Put, Put, Get, Get];
    vec![
        settled("settled, by history: 2 puts, 2 gets", &four).by_history(),
        settled(
            "settled: put, delete, overlapping gets",
            &[Put, Delete, Get, Get],
        ),
        settled("settled: 2 puts, expire, gets", &[Put, Put, Expire, Get]),
    ]
}

fn moving_large() -> Vec<Case> {
    let put = [Put, Get];
    let overlap = [Put, Get, Get];
    let expire = [Put, Expire, Get];
    let two_moves = Case {
        moves: vec!["+D", "-A+E"],
        versions: 5,
        ..settled("2 moves: 1 put, gets", &put)
    };
    vec![
        move1("1 move: 1 put, gets", &put),
        move1("1 move or given up: 1 put, gets", &put).or_given_up(),
        move1("1 move, 1 loss: 1 put, gets", &put).one_loss(),
        Case::moving("1 replaced, 1 loss: 1 put, gets", &put, "-A+D").one_loss(),
        Case::moving("2 replaced: 1 put, gets", &put, "+D+E"),
        move1("1 move: put, expire", &[Put, Expire]),
        move1("1 move: 2 puts", &[Put, Put]),
        move1("1 move: 1 put, overlapping gets", &overlap),
        move1("1 move or given up: 1 put, overlapping gets", &overlap).or_given_up(),
        move1("1 move: expire after a put, gets", &expire).written(),
        move1("1 move or given up: expire after a put, gets", &expire)
            .written()
            .or_given_up(),
        move1("1 move: put, expire, gets", &expire),
        move1("1 move: put after a put, expire", &[Put, Put, Expire]).written(),
        move1("1 move: 2 puts, gets", &[Put, Put, Get]),
        two_moves,
    ]
}

/// Each rule of the design left out, and which checks then fail (any of them).
pub(crate) fn mutants() -> Vec<(Case, u8)> {
    let mut all = movers();
    all.extend(readers());
    all.extend(writers());
    all.extend(expirers());
    all
}

fn movers() -> Vec<(Case, u8)> {
    let one = |name, rule: fn(&mut Rules)| move1(name, &[Put]).with(rule);
    let kept = one("complete outlives giving up", |r| r.keeps_complete = true).or_given_up();
    let all = vec![
        one("a source is not sealed", |r| r.unsealed = true),
        one("one source is enough", |r| r.one_source = true),
        one("staying replicas do not merge", |r| r.staying_rest = true),
        one("one complete replica settles", |r| r.settles_early = true),
        one("a quorum of Old is enough", |r| r.old_only = true),
        one("a host forgets its roster", |r| r.forgets_roster = true),
        Case {
            versions: 5,
            ..kept
        },
    ];
    all.into_iter().map(|case| (case, STALE | LOST)).collect()
}

fn readers() -> Vec<(Case, u8)> {
    let read = [Put, Get];
    let adds = move1("answers of several versions add up", &read).with(|r| r.adds_acks = true);
    let ghost = move1("what lay in the store is visible", &read).with(|r| r.ghost = true);
    let late = settled("a get writes back after it answered", &read);
    vec![
        (adds.written(), STALE),
        (ghost, GHOST),
        (late.with(|r| r.late_write_back = true), STALE | LOST),
    ]
}

fn writers() -> Vec<(Case, u8)> {
    let puts = [Put, Put];
    let refill = settled("a lost store is refilled in place", &[Put]).one_loss();
    let blind = settled("a put does not ask first", &puts).with(|r| r.no_query = true);
    let lives = settled("two lives of a host look the same", &puts).with(|r| r.same_start = true);
    vec![
        (refill.with(|r| r.refills_in_place = true), LOST),
        (blind, ORDER | TWO_VALUES | LOST),
        (lives, TWO_VALUES),
    ]
}

fn expirers() -> Vec<(Case, u8)> {
    let after =
        |name, rule: fn(&mut Rules)| settled(name, &[Put, Put, Expire, Get]).written().with(rule);
    let short =
        |name, rule: fn(&mut Rules)| settled(name, &[Put, Expire, Get]).written().with(rule);
    let moved = move1("a move brings values only", &[Put, Expire]).written();
    vec![
        (
            after("an expiry hides any value", |r| r.unbound = true),
            HIDDEN,
        ),
        (
            after("an expiry rewrites the value", |r| r.rewrite = true),
            HIDDEN | ORDER,
        ),
        (
            after("an expiry asks one replica", |r| r.expires_blindly = true),
            ORDER,
        ),
        (
            short("only the value is written back", |r| {
                r.value_only_back = true
            }),
            STALE | SHOWN | LOST,
        ),
        (
            short("a replica drops what expired", |r| r.drops_expired = true),
            STALE | LOST,
        ),
        (
            moved.with(|r| r.moves_values_only = true),
            STALE | SHOWN | LOST,
        ),
    ]
}

/// A put that asks and stamps again under a newer roster; found by playing it, for it lies deep.
pub(crate) fn stamped_twice() -> (Case, u8) {
    let case = move1("a put stamps again after a move", &[Put, Put, Get, Get]).by_history();
    (case.with(|rules| rules.stamps_again = true), HISTORY)
}
