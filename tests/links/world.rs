//! A tiny world for finders: a queue ordered by time, and a network with faults drawn from one seed. After every step
//! each finder's own invariants are checked, and what must hold of all together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use roundelay::find::{FindConfig, FindEvent, FindOut, Finder, Found, LookupError, Routes};
use roundelay::keyspace::{Id, Span};
use roundelay::message::{FindMessage, Peer, Ticket};
use roundelay::placement::HostId;
use roundelay::record::Time;

/// What the network and the detector do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) loss: f64,
    pub(crate) duplicate: f64,
    /// Milliseconds a message takes, at least and at most.
    pub(crate) delay: (u64, u64),
    /// Whether a crash is reported from below; otherwise silence must tell.
    pub(crate) reports: bool,
}

impl Faults {
    pub(crate) const NONE: Faults = Faults {
        loss: 0.0,
        duplicate: 0.0,
        delay: (1, 10),
        reports: true,
    };
}

enum Event {
    Deliver {
        from: Peer,
        to: Peer,
        message: FindMessage,
    },
    Received {
        at: HostId,
        span: Span,
        life: u32,
    },
    Down {
        at: HostId,
        who: HostId,
    },
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) nodes: BTreeMap<HostId, Finder>,
    pub(crate) results: BTreeMap<Ticket, Result<Found, LookupError>>,
    pub(crate) notes: Vec<(Time, Peer, FindEvent)>,
    pub(crate) delivered: u64,
    lives: BTreeMap<HostId, u32>,
    faults: Faults,
    config: Arc<FindConfig>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    pub(crate) rng: ChaCha8Rng,
}

pub(crate) fn id(n: u64) -> Id {
    Id::from_u64(n)
}

/// The node with this small id, in the host of the same number.
pub(crate) fn peer(n: u64) -> Peer {
    Peer {
        id: id(n),
        host: HostId(n),
    }
}

/// As usual, but by these routes.
pub(crate) fn routes(routes: Routes) -> FindConfig {
    FindConfig {
        routes,
        ..FindConfig::default()
    }
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults, config: FindConfig) -> World {
        World {
            now: Time::ZERO,
            nodes: BTreeMap::new(),
            results: BTreeMap::new(),
            notes: Vec::new(),
            delivered: 0,
            lives: BTreeMap::new(),
            faults,
            config: Arc::new(config),
            queue: BTreeMap::new(),
            sequence: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A new life of a node, in no ring yet.
    fn born(&mut self, me: Peer) -> Finder {
        *self.lives.entry(me.host).or_default() += 1;
        let rng = ChaCha8Rng::seed_from_u64(self.rng.random());
        Finder::new(me, Arc::clone(&self.config), rng)
    }

    pub(crate) fn found(&mut self, me: Peer) {
        let finder = self.born(me);
        self.nodes.insert(me.host, finder);
        self.call(me.host, |finder, now, out| finder.start_alone(now, out));
    }

    pub(crate) fn join(&mut self, me: Peer, via: Peer) {
        let finder = self.born(me);
        self.nodes.insert(me.host, finder);
        self.call(me.host, |finder, now, out| finder.join(now, via, out));
    }

    /// A settled ring from the start.
    pub(crate) fn settled(&mut self, peers: &[Peer]) {
        let mut ring = peers.to_vec();
        ring.sort();
        let ring: Arc<[Peer]> = ring.into();
        for me in peers {
            let finder = self.born(*me);
            self.nodes.insert(me.host, finder);
            self.call(me.host, |finder, now, out| {
                finder.start_in_ring(now, &ring, out)
            });
        }
    }

    pub(crate) fn leave(&mut self, who: HostId) {
        self.call(who, |finder, now, out| finder.leave(now, out));
    }

    pub(crate) fn crash(&mut self, who: HostId) {
        self.nodes.remove(&who);
        if self.faults.reports {
            for at in self.nodes.keys().copied().collect::<Vec<_>>() {
                let delay = Duration::from_millis(self.rng.random_range(50..500));
                self.push(delay, Event::Down { at, who });
            }
        }
    }

    pub(crate) fn lookup(&mut self, at: Peer, target: Id) -> Ticket {
        self.sequence += 1;
        let ticket = Ticket(self.sequence);
        self.call(at.host, |finder, now, out| {
            finder.lookup_traced(now, ticket, target, out)
        });
        ticket
    }

    /// Whoever is still joining tries it through a node that lives: the one it knew may have died.
    pub(crate) fn join_afresh(&mut self) {
        let waiting = |f: &&Finder| !f.is_member() && !f.is_outside();
        let waiting: Vec<Peer> = self
            .nodes
            .values()
            .filter(waiting)
            .map(Finder::me)
            .collect();
        let via = self.nodes.values().find(|f| f.is_member()).unwrap().me();
        for me in waiting {
            self.call(me.host, |finder, now, out| finder.join(now, via, out));
        }
    }

    pub(crate) fn calm(&mut self) {
        (self.faults.loss, self.faults.duplicate) = (0.0, 0.0);
    }

    fn push(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    /// Calls one finder and carries out what it wants done.
    pub(crate) fn call(
        &mut self,
        at: HostId,
        act: impl FnOnce(&mut Finder, Time, &mut Vec<FindOut>),
    ) {
        let Some(finder) = self.nodes.get_mut(&at) else {
            return;
        };
        let mut out = Vec::new();
        let me = finder.me();
        act(finder, self.now, &mut out);
        finder.check();
        for effect in out {
            match effect {
                FindOut::Send { to, message } => self.send(me, to, message),
                FindOut::Receive { span, from } => {
                    // The pull succeeds only if the giver lives and has the span.
                    if self.nodes.contains_key(&from.host) {
                        let delay = Duration::from_millis(self.rng.random_range(1..100));
                        let life = self.lives[&at];
                        self.push(delay, Event::Received { at, span, life });
                    }
                }
                FindOut::Found { ticket, result } => {
                    self.results.insert(ticket, result);
                }
                FindOut::Note(event) => self.notes.push((self.now, me, event)),
                FindOut::Released { .. } | FindOut::LinksChanged => {}
            }
        }
        self.nobody_shares();
    }

    fn send(&mut self, from: Peer, to: Peer, message: FindMessage) {
        let copies = 1 + u32::from(self.rng.random_bool(self.faults.duplicate));
        for _ in 0..copies {
            if self.rng.random_bool(self.faults.loss) {
                continue;
            }
            let (least, most) = self.faults.delay;
            let delay = Duration::from_millis(self.rng.random_range(least..=most));
            self.push(
                delay,
                Event::Deliver {
                    from,
                    to,
                    message: message.clone(),
                },
            );
        }
    }

    /// The next thing that happens, not after `until`.
    pub(crate) fn step(&mut self, until: Time) -> bool {
        let due = self.queue.keys().next().map(|(at, _)| *at);
        let woken = self
            .nodes
            .iter()
            .filter_map(|(host, f)| Some((f.next_wake()?, *host)))
            .min();
        match (due, woken) {
            (Some(at), _) if at <= until && woken.is_none_or(|(wake, _)| at <= wake) => {
                let ((at, _), event) = self.queue.pop_first().unwrap();
                self.now = at;
                self.happen(event);
            }
            (_, Some((at, host))) if at <= until => {
                self.now = self.now.max(at);
                self.call(host, |finder, now, out| finder.wake(now, out));
            }
            _ => {
                self.now = until;
                return false;
            }
        }
        true
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, message } => {
                self.delivered += 1;
                self.call(to.host, |f, now, out| f.receive(now, from, message, out));
            }
            Event::Received { at, span, life } => {
                if self.lives.get(&at) == Some(&life) {
                    self.call(at, |f, now, out| f.span_received(now, span, out));
                }
            }
            Event::Down { at, who } => {
                if !self.nodes.contains_key(&who) {
                    self.call(at, |f, now, out| f.host_down(now, who, out));
                }
            }
        }
    }
}
