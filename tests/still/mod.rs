//! A ring in which nothing heals by itself: no hints, no repair. What one replica misses it goes on missing, so that a
//! rule that is broken shows.
//!
//! ```text
//!   h1 h2 h3 … in a settled roster, four tokens each, all stores in memory
//! ```
//!
//! Shared by `tests/member.rs` and `tests/keeping`.

use std::sync::Arc;
use std::time::Duration;

use roundelay::actor::Input;
use roundelay::message::{Failure, Outcome, Request};
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member, random};
use roundelay::roster::{RingId, Roster};
use roundelay::sim::{Answer, NetworkConfig, World};
use roundelay::store::MemoryStore;

/// So many hosts, checked at each step, after a second in which nothing happened.
pub(crate) fn world(seed: u64, hosts: u64, replicas: u8, network: NetworkConfig) -> World {
    let mut world = World::new(seed, network);
    world.check_each_step(true);
    let members = (1..=hosts).map(|host| (HostId(host), member(host)));
    let roster = Roster::settled(RingId(seed), members.collect(), replicas).unwrap();
    let roster = Arc::new(roster);
    for host in 1..=hosts {
        add(&mut world, host);
        world.tell(HostId(host), Input::Enter(Arc::clone(&roster)));
    }
    go_on(&mut world, 1);
    world
}

fn member(host: u64) -> Member {
    Member::new(random(host, 4))
}

/// One host more, in no ring yet.
pub(crate) fn add(world: &mut World, host: u64) {
    let mut config = HostConfig::new(HostId(host), host);
    config.keep.max_hints = 0;
    config.keep.hint_after = Duration::ZERO;
    config.keep.repair = Duration::ZERO;
    world.add_host(config, Box::new(MemoryStore::new()));
}

pub(crate) fn go_on(world: &mut World, seconds: u64) {
    world.run_until(world.now() + Duration::from_secs(seconds));
}

/// What a host answers, good or bad.
pub(crate) fn try_ask(world: &mut World, host: u64, request: Request) -> Result<Outcome, Failure> {
    let limit = world.now() + Duration::from_secs(120);
    match world.ask(HostId(host), request, limit) {
        Some(Answer::Reply(reply)) => reply,
        other => panic!("h{host}: {other:?}"),
    }
}

/// What a host answers, which is good.
pub(crate) fn ask(world: &mut World, host: u64, request: Request) -> Outcome {
    try_ask(world, host, request).unwrap_or_else(|failure| panic!("h{host}: {failure}"))
}

/// What a host wants that asks h1 to be let in.
pub(crate) fn join(host: u64) -> Request {
    Request::Join {
        via: HostId(1),
        replaces: None,
        replicas: None,
        member: member(host),
        tokens: 0,
    }
}
