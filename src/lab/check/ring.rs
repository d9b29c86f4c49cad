//! Does the ring as a whole hold?
//!
//! What no host can tell alone: that all of them agree, that each id has one owner, that every `next.prev` is
//! itself.
//!
//! ```text
//! roster v7: h1 {10 40}  h2 {22}         the circle it means: 10 -> 22 -> 40 -> 10
//! node <22> of h2: next 40, prev 10      its links are those; <40>'s prev is 22
//! (10, 22] is held by <22>               and by nobody else; (10, 22] (22, 40] (40, 10] are the whole circle
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::find::Finder;
use crate::keyspace::{Id, Span};
use crate::message::Peer;
use crate::placement::HostId;
use crate::roster::Roster;
use crate::sim::World;

/// The newest roster that a host lives by which is up.
#[must_use]
pub fn newest(world: &World) -> Option<Arc<Roster>> {
    let rosters = world.hosts().filter_map(|host| host.roster());
    rosters.max_by_key(|roster| roster.version).cloned()
}

/// Whether all that are up and in agree, and nothing moves: the roster, if so.
#[must_use]
pub fn settled(world: &World) -> Option<Arc<Roster>> {
    let newest = newest(world)?;
    let agree = world
        .hosts()
        .filter_map(|host| Some((host, host.roster()?)))
        .all(|(host, mine)| {
            mine.version == newest.version || !(mine.has(host.id()) || newest.has(host.id()))
        });
    (agree && !newest.is_moving()).then_some(newest)
}

/// At any moment: two hosts that live by the same version live by the same roster. Looks at pointers first,
/// and so costs little.
///
/// # Errors
/// What is wrong, in words.
pub fn one_roster(world: &World) -> Result<(), String> {
    let mut known: BTreeMap<_, (&Arc<Roster>, HostId)> = BTreeMap::new();
    for host in world.hosts() {
        let Some(roster) = host.roster() else {
            continue;
        };
        let (first, other) = *known.entry(roster.version).or_insert((roster, host.id()));
        if !Arc::ptr_eq(first, roster) && first != roster {
            let (version, host) = (roster.version, host.id());
            return Err(format!("{version} at {host} is not {version} at {other}"));
        }
    }
    Ok(())
}

/// Once settled: links are the roster's neighbours, each id has one owner, every `next.prev` is itself, walked
/// by the links themselves and compared with what the roster means.
///
/// # Errors
/// What is wrong, in words.
pub fn closes(world: &World, roster: &Roster) -> Result<(), String> {
    let ring = roster.new().ring();
    let mut nodes: BTreeMap<Id, &Finder> = BTreeMap::new();
    for host in world.hosts().filter(|host| roster.has(host.id())) {
        for node in host.nodes() {
            if nodes.insert(node.me().id, node).is_some() {
                return Err(format!("two nodes stand at {}", node.me().id.short()));
            }
        }
    }
    let up = |host: HostId| world.host(host).is_some();
    for (place, token) in ring.iter().enumerate().filter(|(_, token)| up(token.host)) {
        let beside = |steps: usize| {
            let token = &ring[(place + steps) % ring.len()];
            Peer {
                id: token.id,
                host: token.host,
            }
        };
        let (next, prev) = (beside(1), beside(ring.len() - 1));
        let id = token.id.short();
        let Some(node) = nodes
            .get(&token.id)
            .filter(|node| node.me().host == token.host)
        else {
            return Err(format!("{} has no node at its token {id}", token.host));
        };
        let links = node.links();
        if links.next != next || links.prev != prev {
            return Err(format!(
                "node {id} is linked to {} and {}, not to {} and {}",
                links.prev.id.short(),
                links.next.id.short(),
                prev.id.short(),
                next.id.short()
            ));
        }
        if let Some(beyond) = nodes.get(&links.next.id)
            && beyond.links().prev.id != token.id
        {
            return Err(format!("the prev of the next of {id} is not {id}"));
        }
        if node.span() != Some(Span::new(prev.id, token.id)) {
            return Err(format!("node {id} holds {:?}", node.span()));
        }
    }
    let own = nodes
        .keys()
        .filter(|id| !ring.iter().any(|token| token.id == **id));
    match own.map(|id| id.short().to_string()).next() {
        Some(id) => Err(format!("a node stands at {id}, which is nobody's token")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Time;
    use crate::sim::{NetworkConfig, RingPlan};

    #[test]
    fn a_ring_closes_and_one_with_a_host_that_sleeps_does_not() {
        let plan = RingPlan::new(4, 1);
        let mut world = World::ring(&plan, NetworkConfig::default()).unwrap();
        world.run_until(Time::from_ms(100));
        let roster = settled(&world).unwrap();
        assert_eq!(closes(&world, &roster), Ok(()));
        assert_eq!(one_roster(&world), Ok(()));
        let mut members = roster.new().placement.members().clone();
        members.remove(&HostId(4));
        let other = Roster::settled(roster.ring, members, 3).unwrap();
        let wrong = closes(&world, &other).unwrap_err();
        assert!(wrong.contains("is linked to"), "{wrong}");
    }
}
