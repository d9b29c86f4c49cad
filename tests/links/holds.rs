//! What must hold of all finders together: after every step no two hold the same id, and in the end they are one ring.

use roundelay::find::{FindEvent, Finder};
use roundelay::keyspace::Span;
use roundelay::message::Peer;
use roundelay::record::Time;

use crate::world::World;

impl World {
    /// At any time at most one node holds an id.
    pub(crate) fn nobody_shares(&self) {
        let held: Vec<(Peer, Span)> = self
            .nodes
            .values()
            .filter_map(|f| Some((f.me(), f.span()?)))
            .collect();
        for (i, (a, mine)) in held.iter().enumerate() {
            for (b, other) in &held[..i] {
                let shared = mine.contains(other.to) || other.contains(mine.to);
                assert!(
                    !shared,
                    "{}: {a} holds {mine:#} and {b} holds {other:#}\n{}",
                    self.now,
                    self.tail()
                );
            }
        }
    }

    /// The last notes, for a failure.
    pub(crate) fn tail(&self) -> String {
        let from = self.notes.len().saturating_sub(40);
        let line = |(at, who, what): &(Time, Peer, FindEvent)| format!("{at} {who} {what}\n");
        self.notes[from..].iter().map(line).collect()
    }

    /// The ring is settled: walking by next alone and by prev alone visits every member once, every
    /// `next.prev` is itself, and the spans cover the circle exactly once.
    pub(crate) fn assert_settled(&self) {
        let mut members: Vec<&Finder> = self.nodes.values().filter(|f| !f.is_outside()).collect();
        members.sort_by_key(|f| f.me().id);
        let len = members.len();
        for (place, finder) in members.iter().enumerate() {
            let (prev, next) = (
                members[(place + len - 1) % len].me(),
                members[(place + 1) % len].me(),
            );
            let (me, links) = (finder.me(), finder.links());
            let told = || format!("{} {me}: {links:?}\n{}", self.now, self.tail());
            assert!(finder.is_member(), "{} is still joining", told());
            assert_eq!((links.prev, links.next), (prev, next), "{}", told());
            assert_eq!(finder.span(), Some(Span::new(prev.id, me.id)), "{}", told());
        }
    }
}
