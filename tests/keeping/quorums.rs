//! A world without healing, what was acknowledged in it, and on how many stores that is.

use std::sync::Arc;

use bytes::Bytes;
use roundelay::message::{KeyOp, Outcome, Request};
use roundelay::placement::HostId;
use roundelay::record::{Key, Version};
use roundelay::roster::Roster;
use roundelay::sim::{NetworkConfig, World};
use roundelay::store::{Done, Op};

use crate::still::{self, ask};

/// A world without healing, in which nobody is told that a host is down.
pub(crate) fn world(hosts: u64, replicas: u8) -> World {
    let network = NetworkConfig {
        link_down_ms: None,
        ..NetworkConfig::default()
    };
    still::world(7, hosts, replicas, network)
}

/// Puts so many keys at one host, and returns them with the versions they were acknowledged at.
pub(crate) fn put_keys(world: &mut World, at: u64, count: usize) -> Vec<(Key, Version)> {
    let put = |index: usize| {
        let key = Key::new(format!("key {index}")).unwrap();
        let value = Bytes::from(format!("value {index}"));
        match ask(world, at, Request::One(key.clone(), KeyOp::from(value))) {
            Outcome::Stored(version) => (key, version),
            other => panic!("a put was answered by {other:?}"),
        }
    };
    (0..count).map(put).collect()
}

pub(crate) fn held(world: &mut World, host: HostId, key: &Key) -> Option<Version> {
    match world.store(host).apply(Op::Versions(key.clone())) {
        Done::Versions(summary) => summary.value,
        other => panic!("{other:?}"),
    }
}

/// The newest roster any host lives by.
pub(crate) fn roster(world: &World) -> Arc<Roster> {
    let rosters = world.hosts().filter_map(|host| host.roster());
    Arc::clone(rosters.max_by_key(|roster| roster.version).unwrap())
}

/// Every quorum of every key's holders meets its acknowledged version.
pub(crate) fn check_quorums(world: &mut World, written: &[(Key, Version)]) {
    let roster = roster(world);
    for (key, version) in written {
        let holders = roster.old().holders(key.id());
        let have = holders
            .iter()
            .filter(|host| held(world, **host, key) >= Some(*version))
            .count();
        let quorum = holders.len() / 2 + 1;
        assert!(
            have + quorum > holders.len(),
            "{key} at {version}: only {have} of {holders:?} have it, so a quorum of them may not"
        );
    }
}
