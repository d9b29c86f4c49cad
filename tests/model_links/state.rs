//! One moment of a run: the real finders, what is under way between them, and what may still happen.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roundelay::find::{FindConfig, FindOut, Finder, Routes};
use roundelay::keyspace::Id;
use roundelay::message::{FindMessage, Peer};
use roundelay::placement::HostId;
use roundelay::record::Time;

/// What may happen in a run.
#[derive(Clone)]
pub(crate) struct Bounds {
    /// The settled ring at the start.
    pub(crate) principals: Vec<u64>,
    /// Who joins, and via whom.
    pub(crate) joiners: Vec<(u64, u64)>,
    pub(crate) leaver: Option<u64>,
    /// Entries in a successor list.
    pub(crate) successors: usize,
    pub(crate) crashes: u8,
    /// How often nodes look after their links, all together.
    pub(crate) wakes: u8,
    /// Whether a crash may not take anybody's last live successor.
    pub(crate) merciful: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// In order of id; none: crashed.
    pub(crate) nodes: Vec<(Peer, Option<Finder>)>,
    /// Messages under way, in any order; kept sorted so that equal sets are equal.
    pub(crate) network: Vec<(Peer, Peer, FindMessage)>,
    /// Crashes not yet reported: to whom, of whom.
    pub(crate) reports: Vec<(usize, Peer)>,
    pub(crate) crashes: u8,
    pub(crate) wakes: u8,
    pub(crate) to_join: Vec<(u64, u64)>,
    pub(crate) to_leave: Option<u64>,
    /// Somebody adopted a next that was dead already: it cannot have answered.
    pub(crate) adopted_dead: bool,
}

/// Something to do to a finder.
type Act<'a> = Box<dyn FnOnce(&mut Finder, &mut Vec<FindOut>) + 'a>;

/// No deadline passes in the model: whoever is alive answers.
pub(crate) const NEVER: Duration = Duration::from_secs(1_000_000);

pub(crate) fn peer(n: u64) -> Peer {
    Peer {
        id: Id::from_u64(n),
        host: HostId(n),
    }
}

impl Bounds {
    pub(crate) fn finder(&self, n: u64) -> Finder {
        let config = FindConfig {
            routes: Routes::Neighbours,
            successors: self.successors,
            answer_timeout: NEVER,
            prev_silence: NEVER,
            lease: NEVER,
            takeover_after: NEVER,
            lookup_timeout: NEVER,
            receive_timeout: NEVER,
            join_tries: 2,
            lookup_tries: 1,
            jitter_percent: 0,
            ..FindConfig::default()
        };
        Finder::new(peer(n), Arc::new(config), ChaCha8Rng::seed_from_u64(n))
    }
}

impl State {
    /// Calls one node and carries out what it wants; records are received at once.
    pub(crate) fn call(&mut self, at: usize, act: impl FnOnce(&mut Finder, &mut Vec<FindOut>)) {
        self.call_once(at, Box::new(act));
        let nodes = &self.nodes;
        let alive = |to: &Peer| nodes.iter().any(|(p, f)| p == to && f.is_some());
        self.network.retain(|(_, to, _)| alive(to));
        self.network.sort_by_cached_key(|entry| {
            let mut hasher = DefaultHasher::new();
            entry.hash(&mut hasher);
            hasher.finish()
        });
    }

    fn call_once(&mut self, at: usize, act: Act<'_>) {
        let (me, Some(finder)) = (self.nodes[at].0, &mut self.nodes[at].1) else {
            return;
        };
        let mut out = Vec::new();
        let known: Vec<Peer> = finder
            .successors()
            .iter()
            .copied()
            .chain(finder.prev())
            .collect();
        act(finder, &mut out);
        finder.check();
        let next = finder.links().next;
        let dead = !self.nodes.iter().any(|(p, f)| *p == next && f.is_some());
        self.adopted_dead |= dead && !known.contains(&next);
        let mut spans = Vec::new();
        for effect in out {
            match effect {
                FindOut::Send { to, message } => self.network.push((me, to, message)),
                FindOut::Receive { span, .. } => spans.push(span),
                FindOut::Found { .. }
                | FindOut::Released { .. }
                | FindOut::LinksChanged
                | FindOut::Note(_) => {}
            }
        }
        for span in spans {
            self.call_once(
                at,
                Box::new(move |f, out| f.span_received(Time::ZERO, span, out)),
            );
        }
    }

    pub(crate) fn place(&self, n: u64) -> usize {
        self.nodes.iter().position(|(p, _)| *p == peer(n)).unwrap()
    }
}
