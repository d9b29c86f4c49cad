//! Who removes a silent host? A majority, never one.
//!
//! Method: the world tells chosen hosts that h4 is down, as a broken link would, and keeps h4's messages from them;
//! h4 itself is well.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::sync::Arc;
use std::time::Duration;

use roundelay::actor::Input;
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member, random};
use roundelay::record::Time;
use roundelay::roster::{RingId, Roster};
use roundelay::sim::{NetworkConfig, World};
use roundelay::store::MemoryStore;

/// Five hosts, three copies, a minute of patience; those hosts lose h4. How many are in after five minutes?
fn left(losing: &[u64]) -> usize {
    let mut world = World::new(3, NetworkConfig::default());
    let hosts: Vec<HostId> = (1..=5).map(HostId).collect();
    let members = hosts
        .iter()
        .map(|host| (*host, Member::new(random(host.0, 4))));
    let roster = Arc::new(Roster::settled(RingId(3), members.collect(), 3).unwrap());
    for host in &hosts {
        let mut config = HostConfig::new(*host, host.0);
        config.keep.remove_after = Duration::from_secs(60);
        world.add_host(config, Box::new(MemoryStore::default()));
        world.tell(*host, Input::Enter(Arc::clone(&roster)));
    }
    world.run_until(Time::from_ms(100));
    let losing: Vec<HostId> = losing.iter().copied().map(HostId).collect();
    world.cut_one_way(&[HostId(4)], &losing);
    for host in &losing {
        world.tell(*host, Input::HostDown(HostId(4)));
    }
    world.run_until(world.now() + Duration::from_secs(300));
    let host = world.host(HostId(1)).unwrap();
    host.roster().unwrap().new().placement.len()
}

#[test]
fn who_is_lost_to_one_or_two_of_five_stays() {
    assert_eq!(left(&[1]), 5);
    assert_eq!(left(&[1, 2]), 5);
}

#[test]
fn who_is_lost_to_three_of_five_is_removed() {
    assert_eq!(left(&[1, 2, 5]), 4);
}
