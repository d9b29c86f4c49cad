//! The hosts of a ring, each in a process of its own: neighbours elsewhere are lines like any other.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use roundelay::actor::{Ask, Book, Clock, Input, open};
use roundelay::dht::Dht;
use roundelay::placement::HostId;
use roundelay::record::WallMs;
use roundelay::remote::Links;
use roundelay::sim::RingPlan;
use roundelay::store::{Done, MemoryStore, Op, Setting, Store, Usage};
use turmoil::net::TcpListener;

use crate::said;
use crate::world::{PORT, Seat, SimDial, World, at, now, seconds};

/// Where hosts can be asked, each in its latest life.
pub(crate) type Doors = Rc<RefCell<BTreeMap<HostId, Recipient<Ask>>>>;

/// A store that outlives the processes that use it, as a disk does.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<MemoryStore>>);

impl Store for Kept {
    fn apply(&mut self, op: Op) -> Done {
        self.0.lock().unwrap().apply(op)
    }

    fn setting(&self, name: Setting) -> Option<Bytes> {
        self.0.lock().unwrap().setting(name)
    }

    fn usage(&self) -> Usage {
        self.0.lock().unwrap().usage()
    }
}

/// Starts a host in a network, in a ring of that plan or, if it is no member of it, in none.
pub(crate) fn start(world: &mut World, plan: &RingPlan, host: u64, doors: &Doors) {
    let (seat, doors, plan) = (Seat::new(host), Rc::clone(doors), plan.clone());
    let store = Kept::default();
    world.sim.host(format!("h{host}"), move || {
        process(seat.clone(), Rc::clone(&doors), plan.clone(), store.clone())
    });
}

/// So many hosts know each other's addresses.
const HOSTS: u64 = 9;

/// A whole host: its actors, its store, its links, its port.
async fn process(seat: Seat, doors: Doors, plan: RingPlan, store: Kept) -> turmoil::Result {
    let life = seat.life.get();
    seat.life.set(life + 1);
    let book = Rc::new(RefCell::new(Book::new()));
    let wall = u64::try_from(now().as_millis()).unwrap();
    let clock = Clock::beginning(WallMs(1_700_000_000_000 + wall));
    let me = HostId(seat.host);
    let (host, shell) = open(plan.config(me), Box::new(store), clock, &book);
    let seed = [u8::try_from(seat.host).unwrap(); 32];
    let links = Links::new(seat.config(life), SimDial, shell, book, seed);
    for other in (1..=HOSTS).filter(|other| *other != seat.host) {
        links.know(HostId(other), &at(&format!("h{other}")), 0);
    }
    if life == 1 && plan.ids().any(|id| id == me) {
        host.do_send(Input::Enter(Arc::new(plan.roster().unwrap())));
    }
    doors.borrow_mut().insert(me, host.recipient());
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, from) = listener.accept().await?;
        links.accept(stream, Bytes::new(), from);
    }
}

fn ring() -> (World, Doors) {
    let (mut world, doors) = (World::new(11, 1), Doors::default());
    for host in 1..=3 {
        start(&mut world, &RingPlan::new(3, 7), host, &doors);
    }
    world.run(seconds(3));
    (world, doors)
}

pub(crate) fn dht(doors: &Doors, host: u64) -> Dht {
    let id = HostId(host);
    Dht::new(doors.borrow()[&id].clone(), id)
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
