//! One host: what its nodes share, and how finding and keeping meet in it.
//!
//! ```text
//!             request                    message from a host          result of a store operation
//!                |                               |                               |
//!   ┌────────────v───────────────────────────────v───────────────────────────────v─────────────┐
//!   │ Host      finders: one per token            keeper: one                                  │
//!   │           who is next, who owns an id  ──>  who holds it, what is the newest             │
//!   └────────────┬───────────────────────────────┬───────────────────────────────┬─────────────┘
//!                v                               v                               v
//!              answer                          send                            store
//! ```
//!
//! A host is driven by calls and acts through [`Effects`]; it has no clock, no socket, no disk and no
//! thread. It can say when it wants to be woken next. Its nodes are [`Finder`]s; their actors carry
//! messages to and from it.
//!
//! Two ways of life. *By links alone* each key has one copy, at the node that holds its id: a request is
//! looked up, then put to that node's host. *With a roster* the replicas are computed from it; a lookup
//! round the ring is made first only if this host does not see everyone ([`Routes`]). The nodes' links are
//! then simply their neighbours in token order.
//!
//! *Hold these true*: each ticket is answered once; the links of a host's nodes are those of the roster it
//! has adopted; a node by links alone answers only for the span it holds.

mod alive;
mod begin;
mod check;
mod config;
mod links;
mod operate;
mod request;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::detect::Detector;
use crate::find::{Finder, Routes};
use crate::keep::{Context, Keeper, Then};
use crate::keyspace::Id;
use crate::message::{Effects, Envelope, FindMessage, KeepMessage, Message, Peer, Refusal, Ticket};
use crate::placement::{HostId, Member};
use crate::record::{Mark, Now, Time};
use crate::roster::{ChangeError, RingId, Roster, RosterVersion};
use crate::store::{Done, Setting};

use request::Purpose;

pub use begin::{Begin, Beginning, Mine, Said};
pub use config::HostConfig;

/// All that a host is while it runs: a finder for each of its tokens and one keeper. A driver feeds it messages,
/// requests, store results and the time; what is on disk is the store's.
pub struct Host {
    /// Boxed: few messages are about it, and what they are about is better kept together.
    config: Box<HostConfig>,
    keeper: Keeper,
    nodes: BTreeMap<Id, Finder>,
    /// How often a node was called: as long as none is, their links stay as they are.
    node_calls: u64,
    /// When the first of the nodes wants to be woken: looked up after a node was called, not after each message.
    nodes_wake: Option<Time>,
    /// The roster version whose neighbours the nodes were last given.
    fed: RosterVersion,
    /// What each lookup under way is for, and until when it is waited for.
    lookups: BTreeMap<Ticket, (Purpose, Time)>,
    lookups_due: BTreeSet<(Time, Ticket)>,
    next_lookup: u64,
    /// Messages from one node of this host to another.
    local: VecDeque<(Peer, Id, FindMessage)>,
    /// Which node waits for which span.
    receiving: Vec<(Id, crate::keyspace::Span)>,
    /// Who seems alive, if this host looks itself.
    detector: Option<Detector>,
    /// A client that waits until all nodes have left, by links alone.
    leaving: Option<Ticket>,
}

impl Host {
    /// A host with what its store held when it was opened.
    pub fn new(config: HostConfig, settings: &dyn Fn(Setting) -> Option<Bytes>) -> Host {
        let keeper = Keeper::new(config.host, config.keep.clone(), config.seed, settings);
        Host {
            config: Box::new(config),
            keeper,
            nodes: BTreeMap::new(),
            node_calls: 0,
            nodes_wake: None,
            fed: RosterVersion::NONE,
            lookups: BTreeMap::new(),
            lookups_due: BTreeSet::new(),
            next_lookup: 0,
            local: VecDeque::new(),
            receiving: Vec::new(),
            detector: None,
            leaving: None,
        }
    }

    /// Begins a life. Requests that come before its number is on disk wait. `lost`: its store may have lost writes
    /// that it had confirmed; then it serves nothing before it has compared itself with all others.
    pub fn start(&mut self, now: Now, lost: bool, fx: &mut dyn Effects<Then>) {
        self.keeper.start(&mut Context { now, fx }, lost);
        self.begin_to_look();
        self.settle(now, fx);
    }

    /// Founds a ring with a roster, alone in it.
    ///
    /// # Errors
    /// If the member has no tokens or `replicas` is out of range; nothing happened then.
    pub fn found(
        &mut self,
        now: Now,
        ring: RingId,
        member: Member,
        replicas: u8,
        fx: &mut dyn Effects<Then>,
    ) -> Result<(), ChangeError> {
        let roster = Roster::found(ring, self.config.host, member, replicas)?;
        self.enter(now, Arc::new(roster), fx);
        Ok(())
    }

    /// Starts from a roster that is settled already: how large rings begin in the laboratory.
    pub fn enter(&mut self, now: Now, roster: Arc<Roster>, fx: &mut dyn Effects<Then>) {
        self.keeper.enter(&mut Context { now, fx }, roster);
        self.settle(now, fx);
    }

    /// A message arrived.
    pub fn receive(&mut self, now: Now, envelope: Envelope, fx: &mut dyn Effects<Then>) {
        let from = envelope.from;
        if self.keeper.takes_for_down(from) {
            self.nodes.values_mut().for_each(|node| node.host_up(from));
        }
        if self.detector.is_some() && !matches!(envelope.body, Message::Detect(_)) {
            self.speaks(now, from, fx);
        }
        match envelope.body {
            Message::Find {
                from: id,
                to,
                message,
            } => self.find_receive(now, Peer { id, host: from }, to, message, fx),
            Message::Keep(message) => match self.not_held(&message) {
                Some(refusal) => self.send(fx, from, refusal),
                None => self.keeper.receive(&mut Context { now, fx }, from, message),
            },
            Message::Detect(bytes) => self.detected(now, &bytes, fx),
        }
        self.settle(now, fx);
    }

    /// A store operation is done.
    pub fn stored(&mut self, now: Now, done: Done, then: Then, fx: &mut dyn Effects<Then>) {
        self.keeper.stored(&mut Context { now, fx }, done, then);
        self.settle(now, fx);
    }

    /// Does everything that is due.
    pub fn wake(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        if self.keeper.next_wake().is_some_and(|at| at <= now.at) {
            self.keeper.wake(&mut Context { now, fx });
        }
        if self.nodes_wake.is_some_and(|at| at <= now.at) {
            let due = |node: &&Finder| node.next_wake().is_some_and(|at| at <= now.at);
            let due = self.nodes.values().filter(due).map(|node| node.me().id);
            for id in due.collect::<Vec<Id>>() {
                self.with_node(now, id, fx, |node, out| node.wake(now.at, out));
            }
        }
        self.look(now, fx);
        self.end_late_lookups(now, fx);
        self.settle(now, fx);
    }

    /// When it wants to be woken next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let lookups = self.lookups_due.first().map(|(due, _)| *due);
        let looks = self.detector.as_ref().and_then(Detector::next_wake);
        [self.keeper.next_wake(), self.nodes_wake, lookups, looks]
            .into_iter()
            .flatten()
            .min()
    }

    /// The layer below, or a detector, says that a host cannot be reached.
    pub fn host_down(&mut self, now: Now, host: HostId, fx: &mut dyn Effects<Then>) {
        self.is_down(now, host, fx);
        self.settle(now, fx);
    }

    /// The layer below, or a detector, says that a host can be reached again.
    pub fn host_up(&mut self, now: Now, host: HostId, fx: &mut dyn Effects<Then>) {
        self.is_up(now, host, fx);
        self.settle(now, fx);
    }

    /// Reads a word here and there, `depth` pointers away from itself, and returns a number that means nothing: see
    /// [`Store::glance`](crate::store::Store::glance).
    pub(crate) fn glance(&self, depth: u8) -> u64 {
        let own = [self.lookups.len(), self.local.len(), self.receiving.len()];
        let own = own.iter().fold(self.fed.0, |sum, len| sum ^ *len as u64);
        own ^ self.keeper.glance(depth)
    }

    /// Whether it takes that host for down.
    #[must_use]
    pub fn takes_for_down(&self, host: HostId) -> bool {
        self.keeper.takes_for_down(host)
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> HostId {
        self.config.host
    }

    /// Its nodes, in order of their ids.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Finder> {
        self.nodes.values()
    }

    /// How often one of its nodes was called so far. As long as that stays the same, so do the nodes and their
    /// links.
    #[must_use]
    pub const fn node_calls(&self) -> u64 {
        self.node_calls
    }

    /// The node with that id.
    #[must_use]
    pub fn node(&self, id: Id) -> Option<&Finder> {
        self.nodes.get(&id)
    }

    /// The roster it lives by; `None`: by links alone.
    #[must_use]
    pub const fn roster(&self) -> Option<&Arc<Roster>> {
        self.keeper.roster()
    }

    /// Whether something that it should hold may not be here yet, or what is here is in doubt.
    #[must_use]
    pub(crate) fn is_late(&self) -> bool {
        self.keeper.is_late()
    }

    /// Whether it serves nothing, because its store may not hold what it should.
    #[must_use]
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.keeper.is_in_doubt()
    }

    /// Whether it serves nothing at that place, because it lacks the fences and floors of those who had it.
    #[must_use]
    pub(crate) fn is_closed_at(&self, id: Id) -> bool {
        self.keeper.is_closed_at(id)
    }

    /// Whether a round of collection has fenced at that place and has not ended.
    #[must_use]
    pub(crate) fn is_frozen_at(&self, id: Id) -> bool {
        self.keeper.is_frozen_at(id)
    }

    /// May this host stop now, so that every key keeps all its copies but one?
    ///
    /// # Errors
    /// Why not, in words.
    pub fn safe_to_stop(&self) -> Result<(), String> {
        self.keeper.safe_to_stop()
    }

    fn note_nodes_wake(&mut self) {
        self.nodes_wake = self.nodes.values().filter_map(Finder::next_wake).min();
    }

    fn node_ids(&self) -> Vec<Id> {
        self.nodes.keys().copied().collect()
    }

    fn send(&self, fx: &mut dyn Effects<Then>, to: HostId, message: KeepMessage) {
        fx.send(Envelope {
            from: self.config.host,
            to,
            body: Message::Keep(message),
        });
    }

    fn make_node(&self, id: Id) -> Finder {
        let peer = Peer {
            id,
            host: self.config.host,
        };
        let chance = ChaCha8Rng::seed_from_u64(self.config.seed ^ id.top());
        Finder::new(peer, Arc::clone(&self.config.find), chance)
    }

    /// By links alone: the refusal of a question about an id no node of this host holds.
    fn not_held(&self, message: &KeepMessage) -> Option<KeepMessage> {
        let strange = |at: RosterVersion, id: Id| {
            at == RosterVersion::NONE && !self.nodes.values().any(|node| node.holds(id))
        };
        if let KeepMessage::Ask { req, at, key, .. } = message {
            let answer = KeepMessage::Answer {
                req: *req,
                at: *at,
                mark: Mark::NONE,
                result: Err(Refusal::NotMine),
            };
            strange(*at, key.id()).then_some(answer)
        } else if let KeepMessage::Write {
            req, at, record, ..
        } = message
        {
            let answer = KeepMessage::Wrote {
                req: *req,
                at: *at,
                result: Err(Refusal::NotMine),
            };
            strange(*at, record.key.id()).then_some(answer)
        } else {
            None
        }
    }

    /// Does what one part wants of the other, until neither wants anything.
    fn settle(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        loop {
            self.feed(now, fx);
            while let Some((from, to, message)) = self.local.pop_front() {
                self.find_receive(now, from, to, message, fx);
            }
            self.relocate(now, fx);
            self.pass_received(now, fx);
            if self.local.is_empty() {
                break;
            }
        }
    }

    /// A new roster was adopted: the nodes' links are their neighbours in it.
    fn feed(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        let version = self.keeper.version();
        if version == self.fed {
            return;
        }
        self.fed = version;
        let Some(roster) = self.keeper.roster().cloned() else {
            return;
        };
        self.greet(now, &roster, fx);
        let ring = roster.old().ring();
        let mine = roster
            .old()
            .placement
            .member(self.config.host)
            .map(|member| member.tokens.clone());
        let mine = mine.unwrap_or_default();
        let gone: Vec<Id> = self
            .nodes
            .keys()
            .filter(|id| !mine.contains(id))
            .copied()
            .collect();
        for id in gone {
            self.with_node(now, id, fx, |node, out| node.set_links(&ring, out));
            self.nodes.remove(&id);
            self.note_nodes_wake();
        }
        for id in mine {
            if !self.nodes.contains_key(&id) {
                let node = self.make_node(id);
                self.nodes.insert(id, node);
            }
            self.with_node(now, id, fx, |node, out| node.set_links(&ring, out));
        }
    }

    /// Whether a request needs a lookup round the ring before its replicas can be asked.
    fn must_look_up(&self) -> bool {
        self.keeper.roster().is_none() || self.config.find.routes != Routes::All
    }
}
