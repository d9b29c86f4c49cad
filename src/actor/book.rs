//! By which address does a message reach a host that is no neighbour?

use std::collections::BTreeMap;

use actix::prelude::*;

use crate::keyspace::Id;
use crate::message::{Envelope, Message, Peer};
use crate::placement::HostId;

/// Whatever takes envelopes: a node's actor, a link to another process, a simulated network, a probe.
pub type Line = Recipient<Envelope>;

impl actix::Message for Envelope {
    type Result = ();
}

/// The address book: who can be reached by which line.
///
/// A message to a node goes to that node's actor if it is listed, otherwise to its host's. A book with
/// a network in it sends everything there instead, and the network asks the book who is listed. A
/// message that fits no line is lost, as on any network; its sender asks again.
#[derive(Default)]
pub struct Book {
    nodes: BTreeMap<Peer, Line>,
    hosts: BTreeMap<HostId, Line>,
    network: Option<Line>,
}

impl Book {
    /// A book in which nobody stands: every message is lost.
    #[must_use]
    pub fn new() -> Book {
        Book::default()
    }

    /// Everything leaves by this line from now on.
    pub fn set_network(&mut self, line: Option<Line>) {
        self.network = line;
    }

    /// Messages for this host, and for those of its nodes that have no line of their own, leave by `line`
    /// from now on.
    pub fn add_host(&mut self, host: HostId, line: Line) {
        self.hosts.insert(host, line);
    }

    /// Messages for this node leave by `line` from now on.
    pub fn add_node(&mut self, node: Peer, line: Line) {
        self.nodes.insert(node, line);
    }

    /// Strikes a node out. Messages for it go to its host's line, if there is one.
    pub fn remove_node(&mut self, node: Peer) {
        self.nodes.remove(&node);
    }

    /// Strikes a host out, with all its nodes.
    pub fn remove_host(&mut self, host: HostId) {
        self.hosts.remove(&host);
        self.nodes.retain(|node, _| node.host != host);
    }

    /// The line by which a node is reached.
    #[must_use]
    pub fn to_node(&self, node: Peer) -> Option<&Line> {
        let listed = || self.nodes.get(&node).or_else(|| self.hosts.get(&node.host));
        self.network.as_ref().or_else(listed)
    }

    /// The line by which an envelope leaves.
    #[must_use]
    pub fn line(&self, envelope: &Envelope) -> Option<&Line> {
        self.network.as_ref().or_else(|| self.listed(envelope))
    }

    /// The actor an envelope is for.
    #[must_use]
    pub fn listed(&self, envelope: &Envelope) -> Option<&Line> {
        let host = envelope.to;
        let node = addressee(envelope).and_then(|id| self.nodes.get(&Peer { id, host }));
        node.or_else(|| self.hosts.get(&host))
    }
}

/// The node an envelope is for, if it is for one.
pub(super) fn addressee(envelope: &Envelope) -> Option<Id> {
    match &envelope.body {
        Message::Find { to, .. } => Some(*to),
        Message::Keep(_) | Message::Detect(_) => None,
    }
}
