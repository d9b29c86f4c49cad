//! Next and Prev: the two addresses that each node's actor holds.
//!
//! A node knows its neighbours by name. After each call of its host the names are compared with those whose addresses
//! are bound here, and where they differ the address is taken from the book:
//!
//! ```text
//! links of <22>    prev <10>  next <37>           links of <22>    prev <10>  next <30>     <30> came in
//! bound            prev <10>  next <37>           bound            prev <10>  next <37>     -> next is taken anew
//! ```
//!
//! *Hold these true*: between two calls each node has its actor, and that the addresses of its present neighbours, but
//! for one whose address nobody knows yet; a message for a neighbour leaves by its address.

use std::cell::RefCell;
use std::rc::Rc;

use actix::prelude::*;

use super::Shell;
use crate::actor::book::{Book, Line, addressee};
use crate::actor::node::{Carried, NodeActor, Stop};
use crate::actor::watch;
use crate::keyspace::Id;
use crate::message::{Envelope, Message, Peer};
use crate::ring::Links;

/// The two addresses of one node, and who is behind them.
#[derive(Default)]
pub(in crate::actor) struct Neighbours {
    /// Who they are; none before the first call.
    pub(in crate::actor) peers: Option<Links<Peer>>,
    pub(in crate::actor) lines: Links<Option<Line>>,
    pub(in crate::actor) carried: Carried,
}

impl Neighbours {
    /// Whether the addresses it holds are those of these links.
    fn is_bound_to(&self, links: Links<Peer>) -> bool {
        let missing = self.lines.prev.is_none() || self.lines.next.is_none();
        self.peers == Some(links) && !missing
    }

    /// Takes the addresses of the present links from the book, where they have changed.
    fn rebind(&mut self, links: Links<Peer>, book: &Book) {
        if self.is_bound_to(links) {
            return;
        }
        let find = |peer| book.to_node(peer).cloned();
        self.lines = Links {
            prev: find(links.prev),
            next: find(links.next),
        };
        self.peers = Some(links);
    }

    /// The address of a neighbour, counted as used; none if that is no neighbour, or its actor has ended.
    fn line(&mut self, is_it: impl Fn(Peer) -> bool) -> Option<&Line> {
        let peers = self.peers?;
        let (line, used) = if is_it(peers.next) {
            (self.lines.next.as_ref()?, &mut self.carried.by_next)
        } else if is_it(peers.prev) {
            (self.lines.prev.as_ref()?, &mut self.carried.by_prev)
        } else {
            return None;
        };
        if !line.connected() {
            // Its host has begun another life, with another actor: the book knows.
            self.peers = None;
            return None;
        }
        *used += 1;
        Some(line)
    }
}

/// A node's actor, and the addresses it holds.
pub(super) struct Bound {
    pub(super) actor: Addr<NodeActor>,
    pub(super) neighbours: Rc<RefCell<Neighbours>>,
}

impl Shell {
    /// An actor for each node, with the addresses of its present neighbours.
    pub(super) fn bind_nodes(&mut self) {
        let calls = self.host.node_calls();
        if self.bound_at == Some(calls) {
            return;
        }
        if !self.is_bound() {
            self.dismiss();
            self.bind_anew();
        }
        self.bound_at = self.is_bound().then_some(calls);
    }

    /// Whether each node has its actor, and that the addresses of its present neighbours.
    fn is_bound(&self) -> bool {
        // Both in order of their ids.
        let nodes = self.host.nodes();
        nodes.len() == self.nodes.len()
            && nodes.zip(&self.nodes).all(|(node, (id, bound))| {
                node.me().id == *id && bound.neighbours.borrow().is_bound_to(node.links())
            })
    }

    fn bind_anew(&mut self) {
        let host = self.host.id();
        let links = self.host.nodes().map(|node| node.links());
        self.near = links
            .flat_map(|links| [links.prev.host, links.next.host])
            .collect();
        self.near.sort_unstable();
        self.near.dedup();
        for node in self.host.nodes() {
            let id = node.me().id;
            let bound = self.nodes.entry(id).or_insert_with(|| {
                let neighbours = Rc::new(RefCell::new(Neighbours::default()));
                let actor = NodeActor::new(id, self.me.clone(), Rc::clone(&neighbours));
                let (shell, life) = (self.me.clone(), self.life);
                let actor = watch::start(actor, move |why| {
                    if let Some(shell) = shell.upgrade() {
                        watch::fell(&shell, life, Some(id), why);
                    }
                });
                let peer = Peer { id, host };
                self.book
                    .borrow_mut()
                    .add_node(peer, actor.clone().recipient());
                Bound { actor, neighbours }
            });
            bound
                .neighbours
                .borrow_mut()
                .rebind(node.links(), &self.book.borrow());
        }
    }

    /// Ends the actors of nodes that are no more.
    pub(super) fn dismiss(&mut self) {
        let host = self.host.id();
        let alive: Vec<Id> = self.host.nodes().map(|node| node.me().id).collect();
        let mut book = self.book.borrow_mut();
        self.nodes.retain(|id, bound| {
            let stays = alive.contains(id);
            if !stays {
                book.remove_node(Peer { id: *id, host });
                bound.actor.do_send(Stop);
            }
            stays
        });
    }

    /// Sends it by the address of a neighbour, or gives it back.
    pub(super) fn by_neighbour(&mut self, envelope: Envelope) -> Option<Envelope> {
        let sender = match &envelope.body {
            Message::Find { from, .. } => self.nodes.get(from).into_iter(),
            Message::Keep(_) | Message::Detect(_) => None.into_iter(),
        };
        let keep = matches!(envelope.body, Message::Keep(_) | Message::Detect(_));
        let senders = sender.chain(self.nodes.values().filter(|_| keep));
        let to = addressee(&envelope);
        let is_it = |peer: Peer| peer.host == envelope.to && to.is_none_or(|id| peer.id == id);
        for bound in senders {
            let mut neighbours = bound.neighbours.borrow_mut();
            if let Some(line) = neighbours.line(is_it) {
                line.do_send(envelope);
                return None;
            }
        }
        // Either none of these nodes is to say it, or an address has ended: looked up after the next call.
        self.bound_at = None;
        Some(envelope)
    }
}
