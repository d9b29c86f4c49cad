//! What is promised is on disk first: hosts whose disk is slow, or refuses.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roundelay::actor::Input;
use roundelay::message::{Options, Request};
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member, random};
use roundelay::record::Time;
use roundelay::roster::{Change, RingId, Roster, RosterVersion};
use roundelay::sim::{DiskConfig, Fate, NetworkConfig, Rule, World};
use roundelay::store::{Done, MemoryStore, Op, Setting, Store, StoreError, Usage};

/// A store that refuses settings while told to.
struct Refusing {
    inner: MemoryStore,
    refuse: Rc<Cell<bool>>,
}

impl Store for Refusing {
    fn apply(&mut self, op: Op) -> Done {
        if self.refuse.get() && matches!(op, Op::Set(..)) {
            return Done::Failed(StoreError::Device("no space left".into()));
        }
        self.inner.apply(op)
    }

    fn setting(&self, name: Setting) -> Option<Bytes> {
        self.inner.setting(name)
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

/// Three hosts; the first has this disk and store.
fn world(disk: DiskConfig, store: Box<dyn Store>) -> World {
    let network = NetworkConfig {
        link_down_ms: None,
        ..NetworkConfig::default()
    };
    let mut world = World::new(5, network);
    let members = (1..=3)
        .map(|host| (HostId(host), Member::new(random(host, 4))))
        .collect();
    let roster = Arc::new(Roster::settled(RingId(5), members, 2).unwrap());
    let config = |host| HostConfig::new(HostId(host), host);
    world.add_host_on(config(1), disk, store);
    for host in 2..=3 {
        world.add_host(config(host), Box::new(MemoryStore::default()));
    }
    for host in 1..=3 {
        world.tell(HostId(host), Input::Enter(Arc::clone(&roster)));
    }
    world.run_until(Time::from_ms(5_000));
    world
}

fn version(world: &World, host: u64) -> u64 {
    let host = world.host(HostId(host)).unwrap();
    host.roster().unwrap().version.0
}

#[test]
fn a_ballot_is_on_the_proposers_disk_before_anything_is_proposed_at_it() {
    // If h1 lost the ballot in a crash it would draw it again, for another roster: two rosters at one ballot.
    let disk = DiskConfig {
        sync_ms: 300,
        ..DiskConfig::default()
    };
    for other in [2, 3] {
        let mut world = world(disk, Box::new(MemoryStore::default()));
        // Only `other` hears of what h1 proposes first.
        world.add_rule(Rule {
            name: "Propose".into(),
            from: Some(HostId(1)),
            to: Some(HostId(5 - other)),
            fate: Fate::Drop,
            times: 1,
        });
        let change = Request::Change(vec![Change::Replicas(1)]);
        world.request(HostId(1), change, Options::default());
        world.run_until(world.now() + Duration::from_millis(150));
        let acceptor = world.store(HostId(other)).setting(Setting::Acceptor);
        let bytes = acceptor.map_or(0, |bytes| bytes.len());
        assert_eq!(
            bytes, 20,
            "h{other} has promised (version and ballot) but accepted no roster yet"
        );
        world.run_until(world.now() + Duration::from_secs(20));
        assert_eq!(version(&world, 1), 3, "and then it goes on");
    }
}

#[test]
fn a_roster_its_disk_refused_is_not_lived_by() {
    let refuse = Rc::new(Cell::new(false));
    let store = Refusing {
        inner: MemoryStore::default(),
        refuse: Rc::clone(&refuse),
    };
    let mut world = world(DiskConfig::default(), Box::new(store));
    refuse.set(true);
    let change = Request::Change(vec![Change::Replicas(1)]);
    world.request(HostId(2), change, Options::default());
    world.run_until(world.now() + Duration::from_secs(5));
    assert_eq!(RosterVersion(version(&world, 1)), RosterVersion(1));
    assert!(version(&world, 2) > 1, "two of three can agree");
    world.crash(HostId(1));
    world.restart(HostId(1));
    world.run_until(world.now() + Duration::from_secs(5));
    refuse.set(false);
    world.run_until(world.now() + Duration::from_secs(20));
    assert_eq!(version(&world, 1), version(&world, 2));
    assert_eq!(version(&world, 1), 3);
}
