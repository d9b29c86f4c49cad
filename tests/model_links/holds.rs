//! What must be true at every moment: every list has somebody alive in it, the members are one ring in order of id, and
//! no id is held twice.

use roundelay::find::Finder;
use roundelay::message::Peer;

use crate::state::State;

impl State {
    pub(crate) fn is_member(&self, peer: &Peer) -> bool {
        let node = self.nodes.iter().find(|(p, _)| p == peer);
        node.is_some_and(|(_, f)| f.as_ref().is_some_and(Finder::is_member))
    }

    fn members(&self) -> Vec<&Finder> {
        self.nodes
            .iter()
            .filter_map(|(_, f)| f.as_ref())
            .filter(|f| f.is_member())
            .collect()
    }

    /// The first live member of a node's list; itself, if the list is empty.
    fn best_next(&self, finder: &Finder) -> Option<Peer> {
        if finder.successors().is_empty() {
            return Some(finder.me());
        }
        finder
            .successors()
            .iter()
            .find(|p| self.is_member(p))
            .copied()
    }

    pub(crate) fn has_live_entries(&self) -> bool {
        self.members()
            .into_iter()
            .all(|f| self.best_next(f).is_some())
    }

    /// From every member, the walk by first live successors ends in one and the same ring, and that ring
    /// passes zero once.
    pub(crate) fn is_one_ordered_ring(&self) -> bool {
        let members = self.members();
        let next = |p: Peer| {
            let finder = members.iter().find(|f| f.me() == p)?;
            self.best_next(finder)
        };
        let mut rings: Vec<Vec<Peer>> = Vec::new();
        for finder in &members {
            let mut at = finder.me();
            for _ in 0..members.len() {
                match next(at) {
                    Some(n) => at = n,
                    None => return false,
                }
            }
            let mut ring = vec![at];
            let mut step = next(at);
            while let Some(n) = step.filter(|n| *n != at && ring.len() <= members.len()) {
                ring.push(n);
                step = next(n);
            }
            let turns = ring
                .iter()
                .zip(ring.iter().cycle().skip(1))
                .filter(|(a, b)| a.id >= b.id);
            if turns.count() != 1 {
                return false;
            }
            ring.sort();
            rings.push(ring);
        }
        rings.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// At most one node holds an id.
    pub(crate) fn nobody_shares(&self) -> bool {
        let spans: Vec<_> = self.members().iter().filter_map(|f| f.span()).collect();
        spans.iter().enumerate().all(|(i, a)| {
            spans[..i]
                .iter()
                .all(|b| !a.contains(b.to) && !b.contains(a.to))
        })
    }
}
