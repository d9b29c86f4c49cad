//! The hosts of a ring, each in a process of its own: neighbours elsewhere are lines like any other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use roundelay::actor::{Ask, Book, Clock, Input, open};
use roundelay::dht::Dht;
use roundelay::placement::HostId;
use roundelay::record::WallMs;
use roundelay::remote::Links;
use roundelay::sim::RingPlan;
use roundelay::store::MemoryStore;
use turmoil::net::TcpListener;

use crate::said;
use crate::world::{PORT, Seat, SimDial, World, at, now, seconds};

type Doors = Rc<RefCell<Vec<(HostId, Recipient<Ask>)>>>;

/// A whole host: its actors, its store in memory, its links, its port.
async fn process(seat: Seat, doors: Doors) -> turmoil::Result {
    let life = seat.life.get();
    seat.life.set(life + 1);
    let plan = RingPlan::new(3, 7);
    let book = Rc::new(RefCell::new(Book::new()));
    let wall = u64::try_from(now().as_millis()).unwrap();
    let clock = Clock::beginning(WallMs(1_700_000_000_000 + wall));
    let me = HostId(seat.host);
    let (host, shell) = open(plan.config(me), Box::new(MemoryStore::new()), clock, &book);
    let seed = [u8::try_from(seat.host).unwrap(); 32];
    let links = Links::new(seat.config(life), SimDial, shell, book, seed);
    for other in plan.ids().filter(|other| *other != me) {
        links.know(other, &at(&format!("h{}", other.0)), 0);
    }
    host.do_send(Input::Enter(Arc::new(plan.roster().unwrap())));
    doors.borrow_mut().push((me, host.recipient()));
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, from) = listener.accept().await?;
        links.accept(stream, Bytes::new(), from);
    }
}

fn ring() -> (World, Doors) {
    let (mut world, doors) = (World::new(11, 1), Doors::default());
    for host in 1..=3 {
        let (seat, doors) = (Seat::new(host), Rc::clone(&doors));
        world.sim.host(format!("h{host}"), move || {
            process(seat.clone(), Rc::clone(&doors))
        });
    }
    world.run(seconds(3));
    (world, doors)
}

fn dht(doors: &Doors, host: u64) -> Dht {
    let doors = doors.borrow();
    let (id, door) = doors.iter().find(|(id, _)| id.0 == host).unwrap();
    Dht::new(door.clone(), *id)
}

#[test]
fn what_is_stored_at_one_process_is_read_at_another_and_survives_a_third() {
    let (mut world, doors) = ring();
    let (first, second) = (dht(&doors, 1), dht(&doors, 2));
    world.sim.client("writer", async move {
        for n in 0..50 {
            first
                .put(format!("key {n}"), format!("value {n}"))
                .await
                .unwrap();
        }
        Ok(())
    });
    world.run(seconds(5));
    world.sim.crash("h3");
    world.run(Duration::from_millis(200));
    world.sim.client("reader", async move {
        for n in 0..50 {
            let found = second.get(format!("key {n}")).await.unwrap();
            let value = found.expect("it was stored").body.to_bytes();
            assert_eq!(value, format!("value {n}"));
        }
        Ok(())
    });
    world.run(seconds(10));
    assert_eq!(
        said::lines("link to h3: down").len(),
        2,
        "both others saw it"
    );
    // A large value, more than a frame may have: its pieces come one after the other.
    let second = dht(&doors, 2);
    let finished = Rc::new(Cell::new(false));
    let done = Rc::clone(&finished);
    world.sim.client("large", async move {
        let large = Bytes::from(vec![7; 900_000]);
        second.put("large", large.clone()).await.unwrap();
        let found = second.get("large").await.unwrap();
        assert!(found.expect("it was stored").body.to_bytes() == large);
        done.set(true);
        Ok(())
    });
    world.run(seconds(10));
    assert!(finished.get());
}
