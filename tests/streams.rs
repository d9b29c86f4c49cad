//! Large values in and out, piece by piece, while hosts crash, keys are overwritten and stores fill up. Simulated:
//! the same each time.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roundelay::actor::Input;
use roundelay::keyspace::Id;
use roundelay::message::{
    Failure, KeyOp, Large, Options, Outcome, Peer, Reply, Request, Ticket, Upload, UploadId,
};
use roundelay::placement::HostId;
use roundelay::record::{Body, Key, PIECE_BYTES, Time};
use roundelay::roster::Change;
use roundelay::sim::{Answer, NetworkConfig, RingPlan, World};
use roundelay::store::{Done, MemoryStore, Op};

const LIMIT: Time = Time::from_ms(600_000);

fn world(hosts: u32) -> World {
    let mut world = World::ring(&RingPlan::new(hosts, 5), NetworkConfig::default()).unwrap();
    world.run_until(Time::from_ms(100));
    world
}

fn reply(answer: Option<Answer>) -> Reply {
    match answer {
        Some(Answer::Reply(reply)) => reply,
        other => panic!("no reply but {other:?}"),
    }
}

fn ask(world: &mut World, host: HostId, request: Request) -> Reply {
    reply(world.ask(host, request, LIMIT))
}

/// Each piece is filled with bytes of its own.
fn value(seed: u8, len: usize) -> Bytes {
    let bytes = (0..len).map(|at| seed.wrapping_add(u8::try_from(at / PIECE_BYTES).unwrap()));
    bytes.collect::<Vec<u8>>().into()
}

const LEN: usize = 5 * PIECE_BYTES + 77;

fn key() -> Key {
    Key::new("large").unwrap()
}

fn begin(world: &mut World, host: HostId, len: usize) -> UploadId {
    let begun = ask(world, host, Request::Upload(Upload::Begin(len as u64)));
    let Ok(Outcome::Began(upload)) = begun else {
        panic!("no upload: {begun:?}")
    };
    upload
}

fn piece(world: &mut World, host: HostId, upload: UploadId, piece: Bytes) -> Reply {
    ask(world, host, Request::Upload(Upload::Piece(upload, piece)))
}

fn end(upload: UploadId) -> Request {
    Request::Upload(Upload::End {
        upload,
        key: key(),
        content_type: Some("image/png".into()),
        expiry: None,
    })
}

/// All pieces of a value, put by at a host.
fn put_by(world: &mut World, host: HostId, value: &Bytes) -> UploadId {
    let upload = begin(world, host, value.len());
    for (n, bytes) in (1..).zip(Body::new(value.clone()).pieces) {
        assert_eq!(piece(world, host, upload, bytes), Ok(Outcome::Taken(n)));
    }
    upload
}

fn put(world: &mut World, host: HostId, value: &Bytes) -> Reply {
    let upload = put_by(world, host, value);
    ask(world, host, end(upload))
}

fn open(world: &mut World, host: HostId) -> Arc<Large> {
    let opened = ask(world, host, Request::One(key(), KeyOp::Open));
    let Ok(Outcome::Large(large)) = opened else {
        panic!("no large value: {opened:?}")
    };
    assert!(large.found.body.pieces.is_empty(), "it comes bare");
    large
}

fn read_piece(
    world: &mut World,
    host: HostId,
    large: &Arc<Large>,
    index: u32,
) -> Result<Bytes, Failure> {
    let told = ask(world, host, Request::Piece(Arc::clone(large), index))?;
    let Outcome::Piece(bytes) = told else {
        panic!("no piece: {told}")
    };
    Ok(bytes)
}

fn read(world: &mut World, host: HostId) -> Bytes {
    let large = open(world, host);
    let count = u32::try_from(large.found.body.piece_count()).unwrap();
    let pieces = (0..count).map(|index| read_piece(world, host, &large, index).unwrap());
    pieces.collect::<Vec<Bytes>>().concat().into()
}

/// The replicas of the key, and somebody who is none.
fn places(world: &mut World) -> (Vec<HostId>, HostId) {
    let held = ask(world, HostId(1), Request::WhereIs(key()));
    let Ok(Outcome::Hosts(replicas)) = held else {
        panic!("nobody holds it: {held:?}")
    };
    let mut all = world.hosts().map(|host| host.id());
    let other = all.find(|host| !replicas.contains(host)).unwrap();
    (replicas, other)
}

fn absent(world: &mut World, host: HostId) -> bool {
    ask(world, host, Request::One(key(), KeyOp::Get)) == Ok(Outcome::Value(None))
}

/// Whether anything is put by for that upload at a host: read where no value ever is.
fn is_put_by(world: &mut World, host: HostId, UploadId(number): UploadId) -> bool {
    let op = Op::Piece {
        key: Key::new("upload").unwrap(),
        version: roundelay::record::Version {
            stamp: roundelay::record::Stamp(number),
            delete: true,
            host,
            start: 0,
        },
        index: 0,
    };
    world.store(host).apply(op) != Done::Piece(None)
}

fn later(world: &mut World, seconds: u64) {
    let until = world.now() + Duration::from_secs(seconds);
    world.run_until(until);
}

#[test]
fn by_a_replica_or_another_host_it_goes_in_and_comes_out_as_it_was() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    for (seed, host) in [(1, other), (2, replicas[0]), (3, replicas[2])] {
        let value = value(seed, LEN);
        let upload = put_by(&mut world, host, &value);
        assert!(is_put_by(&mut world, host, upload));
        let told = ask(&mut world, host, end(upload));
        assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
        for reader in [other, replicas[0], replicas[1]] {
            assert!(read(&mut world, reader) == value, "at {reader}");
        }
        let large = open(&mut world, other);
        assert_eq!(large.found.body.content_type.as_deref(), Some("image/png"));
        assert_eq!(large.found.body.len, LEN as u64);
        later(&mut world, 5);
        assert!(!is_put_by(&mut world, host, upload), "it is not needed");
        for replica in &replicas {
            assert!(world.holds(*replica, &key()), "{replica} has it, too");
        }
    }
    // A whole get finds the same.
    let got = ask(&mut world, other, Request::One(key(), KeyOp::Get));
    assert!(
        matches!(got, Ok(Outcome::Value(Some(found))) if found.body.to_bytes() == value(3, LEN))
    );
}

#[test]
fn short_and_empty_values_may_come_that_way_and_are_found_whole() {
    let mut world = world(4);
    for len in [0, 1, PIECE_BYTES] {
        let value = value(9, len);
        assert!(matches!(
            put(&mut world, HostId(2), &value),
            Ok(Outcome::Stored(_))
        ));
        let found = ask(&mut world, HostId(3), Request::One(key(), KeyOp::Open));
        assert!(
            matches!(&found, Ok(Outcome::Value(Some(found))) if found.body.to_bytes() == value),
            "{len} bytes"
        );
    }
}

#[test]
fn a_replica_that_crashes_while_it_is_written_or_read_is_gone_round() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    let first = value(1, LEN);
    let upload = put_by(&mut world, other, &first);
    let ticket = world.request(other, end(upload), Options::default());
    // In the midst of its pieces.
    world.run_until(world.now() + Duration::from_millis(6));
    assert!(world.answer(ticket).is_none(), "it takes longer");
    world.crash(replicas[0]);
    world.run_while(LIMIT, |world| world.answer(ticket).is_none());
    let told = reply(world.take_answer(ticket));
    assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
    world.restart(replicas[0]);
    let told = ask(&mut world, other, Request::Balance);
    assert!(matches!(told, Ok(Outcome::Balanced(_))), "{told:?}");
    assert!(
        world.holds(replicas[0], &key()),
        "it is brought what it missed"
    );

    let large = open(&mut world, other);
    assert!(large.holders.len() >= 2, "a quorum said so");
    let mut pieces = vec![read_piece(&mut world, other, &large, 0).unwrap()];
    for gone in [replicas[0], replicas[1]] {
        world.crash(gone);
        let index = u32::try_from(pieces.len()).unwrap();
        pieces.push(read_piece(&mut world, other, &large, index).unwrap());
    }
    for index in 3..6 {
        pieces.push(read_piece(&mut world, other, &large, index).unwrap());
    }
    assert!(pieces.concat() == first, "from the one that is left");
    world.crash(replicas[2]);
    let silent = read_piece(&mut world, other, &large, 5);
    assert!(
        matches!(silent, Err(Failure::NoQuorum { .. })),
        "{silent:?}"
    );
}

#[test]
fn a_coordinator_that_crashes_amid_an_upload_leaves_nothing_behind() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    for host in [other, replicas[1]] {
        let upload = put_by(&mut world, host, &value(1, LEN));
        world.crash(host);
        world.restart(host);
        later(&mut world, 10);
        assert!(!is_put_by(&mut world, host, upload), "{host} forgets it");
        let told = ask(&mut world, host, end(upload));
        assert!(
            matches!(&told, Err(Failure::Limit(why)) if why.contains("begin again")),
            "{told:?}"
        );
        assert!(absent(&mut world, replicas[0]) && absent(&mut world, host));
    }
    // When its write is under way, it is on a quorum in the end or nowhere to be seen; what was read stays.
    let upload = put_by(&mut world, other, &value(2, LEN));
    let _ = world.request(other, end(upload), Options::default());
    world.run_until(world.now() + Duration::from_millis(6));
    world.crash(other);
    later(&mut world, 30);
    assert!(absent(&mut world, replicas[0]), "no replica had all of it");
    let whole = put(&mut world, replicas[0], &value(3, LEN));
    assert!(matches!(whole, Ok(Outcome::Stored(_))), "{whole:?}");
    assert!(read(&mut world, replicas[1]) == value(3, LEN));
}

#[test]
fn an_abandoned_upload_is_dropped_and_so_is_one_that_breaks_its_word() {
    let mut world = world(3);
    let host = HostId(1);
    let gone =
        |told: &Reply| matches!(told, Err(Failure::Limit(why)) if why.contains("begin again"));
    let silent = put_by(&mut world, host, &value(1, LEN));
    later(&mut world, 59);
    assert!(is_put_by(&mut world, host, silent));
    later(&mut world, 2);
    assert!(!is_put_by(&mut world, host, silent), "silent for a minute");
    assert!(gone(&ask(&mut world, host, end(silent))));

    let dropped = put_by(&mut world, host, &value(1, LEN));
    let told = ask(&mut world, host, Request::Upload(Upload::Drop(dropped)));
    assert_eq!(told, Ok(Outcome::Taken(0)));
    assert!(!is_put_by(&mut world, host, dropped));

    let wrong = begin(&mut world, host, LEN);
    piece(&mut world, host, wrong, value(1, PIECE_BYTES)).unwrap();
    let told = ask(&mut world, host, end(wrong));
    assert!(
        matches!(&told, Err(Failure::Limit(why)) if why.contains("1 of 6 pieces")),
        "{told:?}"
    );
    let told = piece(&mut world, host, wrong, value(1, 10));
    assert!(
        matches!(&told, Err(Failure::Limit(why)) if why.contains("should have 1048576")),
        "{told:?}"
    );
    assert!(gone(&piece(&mut world, host, wrong, value(1, PIECE_BYTES))));
    assert!(!is_put_by(&mut world, host, wrong));
    assert!(absent(&mut world, host));
}

#[test]
fn uploads_and_their_pieces_are_counted_and_one_too_many_is_refused() {
    let mut plan = RingPlan::new(3, 5);
    (plan.keep.max_uploads, plan.keep.max_value_bytes) = (2, LEN as u64);
    let mut world = World::ring(&plan, NetworkConfig::default()).unwrap();
    world.run_until(Time::from_ms(100));
    let host = HostId(1);
    let too_long = ask(
        &mut world,
        host,
        Request::Upload(Upload::Begin(LEN as u64 + 1)),
    );
    assert!(matches!(too_long, Err(Failure::Limit(why)) if why.contains("too long")));
    let first = begin(&mut world, host, LEN);
    begin(&mut world, host, LEN);
    let third = ask(&mut world, host, Request::Upload(Upload::Begin(1)));
    assert!(matches!(third, Err(Failure::Limit(why)) if why.contains("2 uploads are open")));
    // Five at once, and room for four.
    let request = |_| {
        let step = Upload::Piece(first, value(1, PIECE_BYTES));
        world.request(host, Request::Upload(step), Options::default())
    };
    let tickets: Vec<Ticket> = (0..5).map(request).collect();
    later(&mut world, 1);
    let told: Vec<Reply> = tickets
        .iter()
        .map(|ticket| reply(world.take_answer(*ticket)))
        .collect();
    let fifth = told[4].clone();
    assert!(matches!(fifth, Err(Failure::Limit(why)) if why.contains("4 pieces")));
    assert_eq!(told[3], Ok(Outcome::Taken(4)));
    piece(&mut world, host, first, value(1, PIECE_BYTES)).unwrap();
    piece(&mut world, host, first, value(1, 77)).unwrap();
    assert!(matches!(
        ask(&mut world, host, end(first)),
        Ok(Outcome::Stored(_))
    ));
    begin(&mut world, host, LEN);
}

#[test]
fn what_is_overwritten_or_deleted_while_it_is_read_ends_the_reading() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    put(&mut world, other, &value(1, LEN)).unwrap();
    let large = open(&mut world, other);
    assert!(read_piece(&mut world, other, &large, 0).unwrap() == value(1, PIECE_BYTES));
    // One replica misses the next value: from it the old one can still be read, to its end.
    world.cut(&[replicas[2]], &[replicas[0], replicas[1]]);
    put(&mut world, replicas[0], &value(100, LEN)).unwrap();
    let rest: Vec<Bytes> = (0..6)
        .map(|n| read_piece(&mut world, other, &large, n).unwrap())
        .collect();
    assert!(rest.concat() == value(1, LEN), "all of one version");
    world.heal();
    later(&mut world, 30);
    assert_eq!(
        read_piece(&mut world, other, &large, 1),
        Err(Failure::Replaced)
    );
    assert!(read(&mut world, other) == value(100, LEN));

    let large = open(&mut world, other);
    let delete = ask(&mut world, other, Request::One(key(), KeyOp::Delete));
    assert!(matches!(delete, Ok(Outcome::Deleted(_, true))));
    later(&mut world, 10);
    assert_eq!(
        read_piece(&mut world, other, &large, 1),
        Err(Failure::Replaced)
    );
    assert!(absent(&mut world, other));
}

#[test]
fn a_write_that_begins_and_ends_during_an_upload_is_overwritten_by_it() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    let upload = put_by(&mut world, other, &value(1, LEN));
    put(&mut world, replicas[0], &value(50, LEN)).unwrap();
    assert!(read(&mut world, other) == value(50, LEN));
    ask(&mut world, other, end(upload)).unwrap();
    assert!(read(&mut world, replicas[0]) == value(1, LEN));
}

#[test]
fn members_may_change_while_it_is_written_and_read() {
    let mut world = world(6);
    let (replicas, other) = places(&mut world);
    let upload = put_by(&mut world, other, &value(1, LEN));
    let change = Request::Change(vec![Change::Remove(replicas[0])]);
    let moved = world.request(other, change, Options::default());
    let ticket = world.request(other, end(upload), Options::default());
    let done = |world: &World| world.answer(ticket).is_some() && world.answer(moved).is_some();
    assert!(world.run_while(LIMIT, |world| !done(world)));
    let told = reply(world.take_answer(ticket));
    assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
    assert!(read(&mut world, other) == value(1, LEN));
    let large = open(&mut world, other);
    // All who held it go, one after the other.
    for gone in &large.holders {
        let change = Request::Change(vec![Change::Remove(*gone)]);
        assert!(matches!(
            ask(&mut world, other, change),
            Ok(Outcome::Settled(_))
        ));
    }
    later(&mut world, 10);
    let pieces = (0..6).map(|index| read_piece(&mut world, other, &large, index).unwrap());
    assert!(pieces.collect::<Vec<Bytes>>().concat() == value(1, LEN));
}

#[test]
fn what_only_one_replica_is_known_to_hold_is_brought_to_a_quorum_without_being_held_here() {
    let mut world = world(5);
    let (replicas, other) = places(&mut world);
    // Repair is slower than what follows.
    let one = Options {
        consistency: Some(roundelay::message::Consistency::One),
        replicas: Some(1),
        ..Options::default()
    };
    let upload = put_by(&mut world, other, &value(1, LEN));
    let ticket = world.request(other, end(upload), one);
    world.run_while(LIMIT, |world| world.answer(ticket).is_none());
    let held = |world: &mut World| {
        replicas
            .iter()
            .filter(|host| world.holds(**host, &key()))
            .count()
    };
    assert_eq!(held(&mut world), 1);
    let large = open(&mut world, other);
    assert!(held(&mut world) >= 2, "before it is answered");
    world.crash(replicas[0]);
    let pieces = (0..6).map(|index| read_piece(&mut world, other, &large, index).unwrap());
    assert!(pieces.collect::<Vec<Bytes>>().concat() == value(1, LEN));
}

#[test]
fn a_full_store_refuses_the_upload_or_the_write_and_says_so() {
    let (replicas, other) = places(&mut world(4));
    let with_room_for = |pieces: &dyn Fn(HostId) -> usize| {
        let plan = RingPlan::new(4, 5);
        let mut world = World::new(plan.seed, NetworkConfig::default());
        let roster = Arc::new(plan.roster().unwrap());
        for host in plan.ids() {
            let limit = pieces(host) * PIECE_BYTES + 1_000;
            let store = MemoryStore::with_limit(limit as u64);
            world.add_host(plan.config(host), Box::new(store));
            world.tell(host, Input::Enter(Arc::clone(&roster)));
        }
        world.run_until(Time::from_ms(100));
        world
    };
    let full = |told: &Reply| matches!(told, Err(Failure::Limit(why)) if why.contains("the store is full"));

    // Whoever coordinates has no room.
    let mut world = with_room_for(&|host| if host == other { 3 } else { 100 });
    let upload = begin(&mut world, other, LEN);
    for n in 1..=3 {
        let told = piece(&mut world, other, upload, value(1, PIECE_BYTES));
        assert_eq!(told, Ok(Outcome::Taken(n)));
    }
    let told = piece(&mut world, other, upload, value(1, PIECE_BYTES));
    assert!(full(&told), "{told:?}");
    assert!(
        !is_put_by(&mut world, other, upload),
        "what was put by has gone"
    );
    assert!(absent(&mut world, other));
    // By another host it goes, and by this one it can be read.
    put(&mut world, replicas[0], &value(2, LEN)).unwrap();
    assert!(read(&mut world, other) == value(2, LEN));

    // No replica has room.
    let mut world = with_room_for(&|host| if host == other { 100 } else { 3 });
    let upload = put_by(&mut world, other, &value(1, LEN));
    let told = ask(&mut world, other, end(upload));
    assert!(full(&told), "{told:?}");
    later(&mut world, 5);
    assert!(!is_put_by(&mut world, other, upload));
    assert!(absent(&mut world, other));
}

#[test]
fn by_links_alone_the_owner_of_the_key_keeps_it() {
    let plan = RingPlan::new(2, 5);
    let mut world = World::new(plan.seed, NetworkConfig::default());
    for host in plan.ids() {
        world.add_host(plan.config(host), Box::new(MemoryStore::new()));
    }
    let (first, second) = (HostId(1), HostId(2));
    // In no ring yet, it cannot be stored, and what was put by goes.
    let early = put_by(&mut world, first, &value(9, LEN));
    assert_eq!(ask(&mut world, first, end(early)), Err(Failure::NoRing));
    assert!(!is_put_by(&mut world, first, early));

    let at = Id::from_u64(7);
    world.tell(first, Input::LinkAlone(at));
    world.run_until(world.now() + Duration::from_secs(1));
    let via = Peer {
        id: at,
        host: first,
    };
    world.tell(
        second,
        Input::LinkJoin {
            id: key().id(),
            via,
        },
    );
    later(&mut world, 10);
    for (seed, host) in [(1, first), (2, second)] {
        let told = put(&mut world, host, &value(seed, LEN));
        assert!(matches!(told, Ok(Outcome::Stored(_))), "{told:?}");
        assert!(world.holds(second, &key()) && !world.holds(first, &key()));
        for reader in [first, second] {
            assert!(read(&mut world, reader) == value(seed, LEN), "at {reader}");
        }
    }
}
