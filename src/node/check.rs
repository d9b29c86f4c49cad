//! Does a host keep its own rules?
//!
//! ```text
//! check       its finders, its keeper, what it hands from one to the other      after each step of a test
//! check_all   … and all that these hold: its nodes are its tokens, say          every so many steps
//! ```
//!
//! A broken rule is a mistake in the code, so it panics, with the host and what contradicts each other in words. Only
//! tests and the laboratory ask.

use crate::find::Finder;
use crate::keyspace::Id;

use super::Host;

impl Host {
    /// Asserts what must hold of one host at any moment.
    ///
    /// # Panics
    /// If it does not.
    pub fn check(&self) {
        self.nodes.values().for_each(Finder::check);
        let wake = self.nodes.values().filter_map(Finder::next_wake).min();
        assert_eq!(
            self.nodes_wake, wake,
            "{}: no node oversleeps",
            self.config.host
        );
        assert_eq!(
            self.fed,
            self.keeper.version(),
            "{}: its links are those of its roster",
            self.config.host
        );
        self.must(self.keeper.check());
    }

    /// The same, and what takes a walk through all that it holds.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn check_all(&self) {
        self.check();
        self.must(self.keeper.check_all());
        self.must(self.check_nodes());
    }

    fn must(&self, holds: Result<(), String>) {
        if let Err(words) = holds {
            panic!("{}: {words}", self.config.host);
        }
    }

    /// With a roster: its nodes are its tokens, and each holds what lies between the token before it and itself.
    fn check_nodes(&self) -> Result<(), String> {
        let Some(roster) = self.keeper.roster() else {
            return Ok(());
        };
        let placement = &roster.old().placement;
        let member = placement.member(self.config.host);
        let mut tokens: Vec<Id> = member.map_or_else(Vec::new, |member| member.tokens.clone());
        tokens.sort_unstable();
        let nodes = self.node_ids();
        if nodes != tokens {
            return Err(format!("{} nodes for {} tokens", nodes.len(), tokens.len()));
        }
        for (id, node) in &self.nodes {
            let (held, due) = (node.span(), placement.span_of(*id));
            if held != due {
                let id = id.short();
                return Err(format!("node {id} holds {held:?}, by its roster {due:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::keep::Then;
    use crate::message::{Effects, Envelope, Event, Reply, Ticket};
    use crate::node::HostConfig;
    use crate::placement::{HostId, Member};
    use crate::record::{Now, Time, WallMs};
    use crate::roster::{RingId, Roster};
    use crate::store::{Done, Op};

    /// A store that does everything at once, and a network that loses everything.
    #[derive(Default)]
    struct Alone(Vec<Then>);

    impl Effects<Then> for Alone {
        fn send(&mut self, _: Envelope) {}
        fn store(&mut self, _: Op, then: Then) {
            self.0.push(then);
        }
        fn answer(&mut self, _: Ticket, _: Reply) {}
        fn note(&mut self, _: Event) {}
    }

    /// Host 1 of two, settled.
    fn settled() -> Host {
        let now = Now {
            at: Time::from_ms(5),
            wall: WallMs(1_000),
        };
        let member = |id| Member::new([Id::from_u64(id)]);
        let members = BTreeMap::from([(HostId(1), member(10)), (HostId(2), member(20))]);
        let roster = Roster::settled(RingId(1), members, 2).unwrap();
        let mut host = Host::new(HostConfig::new(HostId(1), 7), &|_| None);
        let mut alone = Alone::default();
        host.start(now, false, &mut alone);
        host.enter(now, Arc::new(roster), &mut alone);
        while !alone.0.is_empty() {
            for then in std::mem::take(&mut alone.0) {
                host.stored(now, Done::Set, then, &mut alone);
            }
        }
        host
    }

    fn panics(host: Host) -> String {
        let host = std::panic::AssertUnwindSafe(host);
        let said = std::panic::catch_unwind(|| host.check_all()).unwrap_err();
        said.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    #[test]
    fn a_host_whose_parts_contradict_each_other_is_told() {
        settled().check_all();

        let mut host = settled();
        host.nodes.clear();
        host.note_nodes_wake();
        let said = panics(host);
        assert!(said.contains("0 nodes for 1 tokens"), "{said}");

        let mut host = settled();
        host.nodes_wake = Some(Time::from_ms(77_777));
        let said = panics(host);
        assert!(said.contains("no node oversleeps"), "{said}");

        let mut host = settled();
        host.fed = host.fed.next();
        let said = panics(host);
        assert!(said.contains("its links are those of its roster"), "{said}");
    }
}
