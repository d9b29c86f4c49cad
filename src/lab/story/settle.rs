//! When is a ring settled?

use std::time::Duration;

use crate::find::Finder;
use crate::keyspace::Span;
use crate::message::Peer;
use crate::sim::World;

use super::Story;

impl Story {
    /// Lets time go on until all agree and nothing moves.
    pub(super) fn settled(&mut self, limit: Duration) -> Result<String, String> {
        let scene = self.scene()?;
        let until = scene.world.now() + limit;
        let by_links = scene.plan.by_links;
        let calm = scene
            .world
            .run_while(until, |world| !is_settled(world, by_links));
        scene.pass(super::AFTERMATH);
        let told = self.happened(false, None);
        if calm {
            return Ok(told);
        }
        let status = self.scene()?.status();
        Ok(format!(
            "{told}not settled after {} s:\n{status}",
            limit.as_secs()
        ))
    }
}

/// Whether all that are up agree, and nothing moves.
pub(super) fn is_settled(world: &World, by_links: bool) -> bool {
    if by_links {
        return links_settled(world);
    }
    let rosters: Vec<_> = world
        .hosts()
        .filter_map(|host| Some((host.id(), host.roster()?)))
        .collect();
    let newest = rosters.iter().map(|(_, roster)| roster.version).max();
    let Some(newest) = newest else { return true };
    rosters
        .iter()
        .filter(|(host, roster)| roster.version == newest || roster.has(*host))
        .all(|(_, roster)| roster.version == newest && !roster.is_moving())
}

/// Every member's next and prev are the members beside it, and all ground is held.
fn links_settled(world: &World) -> bool {
    let mut nodes: Vec<&Finder> = world.hosts().flat_map(|host| host.nodes()).collect();
    if nodes
        .iter()
        .any(|node| !node.is_member() && !node.is_outside())
    {
        return false;
    }
    nodes.retain(|node| node.is_member());
    nodes.sort_by_key(|node| node.me());
    let beside = |place: usize| -> Peer { nodes[place % nodes.len()].me() };
    nodes.iter().enumerate().all(|(place, node)| {
        let (next, prev) = (beside(place + 1), beside(place + nodes.len() - 1));
        let span = Span::new(prev.id, node.me().id);
        node.links().next == next && node.links().prev == prev && node.span() == Some(span)
    })
}
