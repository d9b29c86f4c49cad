//! Whoever asks is answered, and whoever is late still finishes: cases in which something waited for ever.
//!
//! Method: worlds without hints and repair, made so that one thing goes wrong at the worst moment; then the
//! network is whole again, and everything that was begun must come to its end.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roundelay::actor::Input;
use roundelay::message::{KeyOp, Options, Outcome, Reply, Request, Ticket};
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member, random};
use roundelay::record::{Key, PIECE_BYTES, Time};
use roundelay::roster::{Change, MAX_TOKENS, RingId, Roster, RosterVersion};
use roundelay::sim::{Answer, Fate, NetworkConfig, Rule, World};
use roundelay::store::MemoryStore;

fn world(hosts: u64, replicas: u8, repair: Duration) -> World {
    let network = NetworkConfig {
        link_down_ms: None,
        ..NetworkConfig::default()
    };
    let mut world = World::new(11, network);
    world.check_each_step(true);
    let members = (1..=hosts)
        .map(|host| (HostId(host), member(host)))
        .collect();
    let roster = Arc::new(Roster::settled(RingId(11), members, replicas).unwrap());
    for host in 1..=hosts {
        add(&mut world, host, repair);
        world.tell(HostId(host), Input::Enter(Arc::clone(&roster)));
    }
    world.run_until(Time::from_ms(100));
    world
}

fn member(host: u64) -> Member {
    Member::new(random(host, 4))
}

fn add(world: &mut World, host: u64, repair: Duration) {
    let mut config = HostConfig::new(HostId(host), host);
    config.keep.max_hints = 0;
    config.keep.repair = repair;
    config.keep.hint_after = Duration::ZERO;
    world.add_host(config, Box::new(MemoryStore::default()));
}

fn go_on(world: &mut World, seconds: u64) {
    world.run_until(world.now() + Duration::from_secs(seconds));
}

fn begin(world: &mut World, host: u64, request: Request) -> Ticket {
    world.request(HostId(host), request, Options::default())
}

/// The reply, which must come within so many seconds.
fn reply(world: &mut World, ticket: Ticket, seconds: u64) -> Reply {
    let limit = world.now() + Duration::from_secs(seconds);
    world.run_while(limit, |world| world.answer(ticket).is_none());
    match world.take_answer(ticket) {
        Some(Answer::Reply(reply)) => reply,
        other => panic!("after {seconds} s the answer is {other:?}"),
    }
}

fn ask(world: &mut World, host: u64, request: Request) -> Reply {
    let ticket = begin(world, host, request);
    reply(world, ticket, 60)
}

fn join(via: u64, host: u64) -> Request {
    Request::Join {
        via: HostId(via),
        replaces: None,
        replicas: None,
        member: member(host),
        tokens: 0,
    }
}

/// The newest roster any host lives by.
fn roster(world: &World) -> Arc<Roster> {
    let rosters = world.hosts().filter_map(|host| host.roster());
    Arc::clone(rosters.max_by_key(|roster| roster.version).unwrap())
}

fn put_keys(world: &mut World, keys: &[Key]) {
    for key in keys {
        let put = Request::One(key.clone(), KeyOp::from(Bytes::from_static(b"value")));
        assert!(matches!(ask(world, 1, put), Ok(Outcome::Stored(_))));
    }
}

/// Every holder of every key has it.
fn check_all_copies(world: &mut World, keys: &[Key]) {
    let roster = roster(world);
    for key in keys {
        for host in roster.new().holders(key.id()) {
            assert!(
                world.holds(host, key),
                "{host} should hold a key of {} bytes",
                key.bytes().len()
            );
        }
    }
}

#[test]
fn a_joiner_that_was_given_up_joins_when_it_is_back() {
    let mut world = world(3, 2, Duration::ZERO);
    add(&mut world, 4, Duration::ZERO);
    let joining = begin(&mut world, 4, join(1, 4));
    let begun = |world: &World| roster(world).version >= RosterVersion(2);
    assert!(world.run_while(Time::from_ms(10_000), |world| !begun(world)));
    world.run_until(world.now() + Duration::from_millis(10));
    world.cut(&[HostId(4)], &[1, 2, 3].map(HostId));
    go_on(&mut world, 60);
    assert!(!roster(&world).has(HostId(4)), "it was given up");
    world.heal();
    assert!(
        reply(&mut world, joining, 60).is_err(),
        "the joiner hears of it"
    );
    assert!(matches!(
        ask(&mut world, 4, join(1, 4)),
        Ok(Outcome::Settled(_))
    ));
    assert!(roster(&world).has(HostId(4)));
}

#[test]
fn a_host_that_left_can_come_again() {
    let mut world = world(3, 2, Duration::ZERO);
    let keys: Vec<Key> = (0..40)
        .map(|n| Key::new(format!("key {n}")).unwrap())
        .collect();
    put_keys(&mut world, &keys);
    assert!(matches!(
        ask(&mut world, 3, Request::Leave),
        Ok(Outcome::Settled(_))
    ));
    go_on(&mut world, 5);
    assert!(matches!(
        ask(&mut world, 3, join(1, 3)),
        Ok(Outcome::Settled(_))
    ));
    check_all_copies(&mut world, &keys);
}

#[test]
fn a_joiner_with_nothing_to_bring_is_told_so() {
    let mut world = world(3, 2, Duration::ZERO);
    add(&mut world, 4, Duration::ZERO);
    let nothing = Request::Join {
        via: HostId(1),
        replaces: None,
        replicas: None,
        member: Member::new([]),
        tokens: 0,
    };
    assert!(ask(&mut world, 4, nothing).is_err());
}

#[test]
fn a_joiner_asks_another_host_when_the_first_is_out() {
    let mut world = world(3, 2, Duration::ZERO);
    assert!(ask(&mut world, 3, Request::Leave).is_ok());
    add(&mut world, 4, Duration::ZERO);
    assert!(matches!(
        ask(&mut world, 4, join(3, 4)),
        Ok(Outcome::Settled(_))
    ));
}

#[test]
fn changes_that_wait_at_a_host_that_leaves_are_answered() {
    let mut world = world(3, 2, Duration::ZERO);
    let leaving = begin(&mut world, 3, Request::Leave);
    let other = begin(&mut world, 3, Request::Change(vec![Change::Replicas(1)]));
    assert!(reply(&mut world, leaving, 60).is_ok());
    assert!(
        reply(&mut world, other, 10).is_err(),
        "it is out: somebody else must be asked"
    );
    assert!(
        ask(&mut world, 3, Request::Leave).is_ok(),
        "it is out already"
    );
}

#[test]
fn a_roster_that_could_not_be_read_back_is_refused() {
    let mut world = world(1, 1, Duration::ZERO);
    let tokens = random(77, MAX_TOKENS + 1);
    let change = Request::Change(vec![Change::Tokens(HostId(1), tokens)]);
    assert!(
        ask(&mut world, 1, change).is_err(),
        "more tokens than a roster may list"
    );
    world.crash(HostId(1));
    world.restart(HostId(1));
    go_on(&mut world, 1);
    let put = Request::One(
        Key::new("key").unwrap(),
        KeyOp::from(Bytes::from_static(b"value")),
    );
    assert!(
        ask(&mut world, 1, put).is_ok(),
        "it still knows its ring after a restart"
    );
}

#[test]
fn a_large_value_is_read_however_long_its_pieces_take() {
    let mut world = world(2, 1, Duration::ZERO);
    let keys = (0..100).map(|n| Key::new(format!("large {n}")).unwrap());
    let at_h2 = |key: &Key| roster(&world).new().holders(key.id()) == [HostId(2)];
    let key = keys.into_iter().find(at_h2).unwrap();
    let value = Bytes::from(vec![7; 12 * PIECE_BYTES]);
    let put = Request::One(key.clone(), KeyOp::from(value.clone()));
    assert!(ask(&mut world, 2, put).is_ok());
    world.slow_link(HostId(2), HostId(1), 900);
    let options = Options {
        deadline: Some(Duration::from_secs(60)),
        ..Options::default()
    };
    let get = world.request(HostId(1), Request::One(key, KeyOp::Get), options);
    let Ok(Outcome::Value(Some(found))) = reply(&mut world, get, 61) else {
        panic!("twelve pieces of a second each in a minute");
    };
    assert!(found.body.to_bytes() == value);
}

#[test]
fn a_host_may_stop_only_when_a_majority_knows_that_it_is_out() {
    // h1 removes h3 while h3 asks to leave: h1 drives the move, h3 only hears of its end.
    let mut world = world(3, 2, Duration::ZERO);
    world.add_rule(Rule {
        name: "Prepare".into(),
        from: Some(HostId(3)),
        to: None,
        fate: Fate::Drop,
        times: 100,
    });
    let leaving = begin(&mut world, 3, Request::Leave);
    begin(
        &mut world,
        1,
        Request::Change(vec![Change::Remove(HostId(3))]),
    );
    let limit = world.now() + Duration::from_secs(60);
    let settled = |world: &World| roster(world).version == RosterVersion(3);
    assert!(world.run_while(limit, |world| !settled(world)));
    world.cut(&[HostId(2)], &[1, 3].map(HostId));
    go_on(&mut world, 10);
    assert_eq!(
        world.host(HostId(3)).unwrap().roster().unwrap().version,
        RosterVersion(3)
    );
    assert_eq!(
        world.host(HostId(2)).unwrap().roster().unwrap().version,
        RosterVersion(2)
    );
    assert!(
        world.answer(leaving).is_none(),
        "of h1 and h2 only h1 knows that h3 is out"
    );
    world.heal();
    assert!(reply(&mut world, leaving, 30).is_ok());
}

#[test]
fn repair_finds_what_differs_among_long_keys() {
    let mut world = world(3, 3, Duration::from_millis(200));
    let keys: Vec<Key> = (0..40)
        .map(|n| Key::new(format!("{n:060000}")).unwrap())
        .collect();
    put_keys(&mut world, &keys[..20]);
    world.cut(&[HostId(3)], &[1, 2].map(HostId));
    put_keys(&mut world, &keys[20..]);
    world.heal();
    go_on(&mut world, 120);
    check_all_copies(&mut world, &keys);
}

#[test]
fn a_replica_that_slept_through_a_move_merges_what_it_missed() {
    let mut world = world(5, 3, Duration::ZERO);
    let keys: Vec<Key> = (0..100)
        .map(|n| Key::new(format!("key {n}")).unwrap())
        .collect();
    put_keys(&mut world, &keys);
    let gained = |change: &Change| {
        let old = roster(&world);
        let new = old.moved(HostId(1), std::slice::from_ref(change)).unwrap();
        let comes = |key: &&Key| {
            let (id, h2) = (key.id(), HostId(2));
            new.new().holders(id).contains(&h2) && !old.new().holders(id).contains(&h2)
        };
        keys.iter().filter(comes).count()
    };
    let changes = (50..500).map(|seed| Change::Tokens(HostId(5), random(seed, 4)));
    let change = changes
        .into_iter()
        .find(|change| gained(change) > 3)
        .unwrap();
    world.crash(HostId(2));
    let moved = Request::Change(vec![change]);
    assert!(matches!(ask(&mut world, 1, moved), Ok(Outcome::Settled(_))));
    world.restart(HostId(2));
    go_on(&mut world, 30);
    check_all_copies(&mut world, &keys);
}

#[test]
fn a_replica_that_restarts_before_it_is_complete_goes_on() {
    let mut world = world(5, 3, Duration::ZERO);
    let keys: Vec<Key> = (0..100)
        .map(|n| Key::new(format!("key {n}")).unwrap())
        .collect();
    put_keys(&mut world, &keys);
    let gained = |change: &Change| {
        let old = roster(&world);
        let new = old.moved(HostId(1), std::slice::from_ref(change)).unwrap();
        let comes = |key: &&Key| {
            let (id, h2) = (key.id(), HostId(2));
            new.new().holders(id).contains(&h2) && !old.new().holders(id).contains(&h2)
        };
        keys.iter().filter(comes).count()
    };
    let changes = (50..500).map(|seed| Change::Tokens(HostId(5), random(seed, 4)));
    let change = changes
        .into_iter()
        .find(|change| gained(change) > 3)
        .unwrap();
    world.crash(HostId(2));
    let moved = Request::Change(vec![change]);
    assert!(matches!(ask(&mut world, 1, moved), Ok(Outcome::Settled(_))));
    world.add_rule(Rule {
        name: "Chunk".into(),
        from: None,
        to: Some(HostId(2)),
        fate: Fate::Drop,
        times: 10_000,
    });
    world.restart(HostId(2));
    go_on(&mut world, 4);
    world.crash(HostId(2));
    world.clear_rules();
    world.restart(HostId(2));
    go_on(&mut world, 60);
    check_all_copies(&mut world, &keys);
}
