//! What is begun and not ended, too much at once, and full stores.

use std::sync::Arc;

use roundelay::actor::Input;
use roundelay::message::{Failure, Options, Outcome, Reply, Request, Ticket, Upload};
use roundelay::placement::HostId;
use roundelay::record::{PIECE_BYTES, Time};
use roundelay::sim::{NetworkConfig, RingPlan, World};
use roundelay::store::MemoryStore;

use crate::client::{
    LEN, absent, ask, begin, end, is_put_by, later, piece, places, put, put_by, read, reply, value,
    world,
};

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
