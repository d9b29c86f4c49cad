//! The finding side of a host: what its nodes want done.

use crate::find::{FindOut, Finder};
use crate::keep::{Context, Then};
use crate::keyspace::Id;
use crate::message::{Effects, Envelope, Event, FindMessage, Message, Outcome, Peer};
use crate::record::Now;
use crate::roster::RosterVersion;

use super::Host;

impl Host {
    /// By links alone: a node of this host founds a ring.
    pub fn link_alone(&mut self, now: Now, id: Id, fx: &mut dyn Effects<Then>) {
        let node = self.make_node(id);
        self.nodes.insert(id, node);
        self.with_node(now, id, fx, |node, out| node.start_alone(now.at, out));
        self.settle(now, fx);
    }

    /// By links alone: a node of this host joins the ring of which `via` is a member.
    pub fn link_join(&mut self, now: Now, id: Id, via: Peer, fx: &mut dyn Effects<Then>) {
        let node = self.make_node(id);
        self.nodes.insert(id, node);
        self.with_node(now, id, fx, |node, out| node.join(now.at, via, out));
        self.settle(now, fx);
    }

    /// By links alone: a node of this host starts in a ring that is known to be settled: all its nodes, in
    /// order of id.
    pub fn link_in_ring(
        &mut self,
        now: Now,
        id: Id,
        ring: &std::sync::Arc<[Peer]>,
        fx: &mut dyn Effects<Then>,
    ) {
        let node = self.make_node(id);
        self.nodes.insert(id, node);
        self.with_node(now, id, fx, |node, out| {
            node.start_in_ring(now.at, ring, out)
        });
        self.settle(now, fx);
    }

    /// By links alone: a node of this host leaves, handing its span over first.
    pub fn link_leave(&mut self, now: Now, id: Id, fx: &mut dyn Effects<Then>) {
        self.with_node(now, id, fx, |node, out| node.leave(now.at, out));
        self.settle(now, fx);
    }

    /// A message for a node of this host.
    pub(super) fn find_receive(
        &mut self,
        now: Now,
        from: Peer,
        to: Id,
        message: FindMessage,
        fx: &mut dyn Effects<Then>,
    ) {
        self.with_node(now, to, fx, |node, out| {
            node.receive(now.at, from, message, out)
        });
    }

    /// Calls a node and carries out what it wants.
    pub(super) fn with_node(
        &mut self,
        now: Now,
        id: Id,
        fx: &mut dyn Effects<Then>,
        call: impl FnOnce(&mut Finder, &mut Vec<FindOut>),
    ) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        self.node_calls += 1;
        let mut out = Vec::new();
        call(node, &mut out);
        for wanted in out {
            self.carry(now, id, wanted, fx);
        }
        self.note_nodes_wake();
    }

    fn carry(&mut self, now: Now, id: Id, wanted: FindOut, fx: &mut dyn Effects<Then>) {
        let me = Peer {
            id,
            host: self.config.host,
        };
        match wanted {
            FindOut::Send { to, message } if to.host == me.host => {
                self.local.push_back((me, to.id, message))
            }
            FindOut::Send { to, message } => {
                let body = Message::Find {
                    from: id,
                    to: to.id,
                    message,
                };
                fx.send(Envelope {
                    from: me.host,
                    to: to.host,
                    body,
                });
            }
            FindOut::Found { ticket, result } => self.looked_up(now, ticket, result, fx),
            FindOut::Receive { span, from } => {
                self.receiving.push((id, span));
                if from.host != me.host {
                    self.keeper
                        .receive_span(&mut Context { now, fx }, span, from.host);
                }
            }
            FindOut::Released { span, to } => {
                if to.host != me.host {
                    self.keeper.release_span(&mut Context { now, fx }, span);
                }
            }
            FindOut::LinksChanged => self.maybe_left(fx),
            FindOut::Note(event) => fx.note(Event::Links(format!("{} {event}", id.short()))),
        }
    }

    /// Tells nodes that the spans they wait for are here; spans from another node of this host always are.
    pub(super) fn pass_received(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        let here = self.keeper.take_received();
        let waiting = std::mem::take(&mut self.receiving);
        for (id, span) in waiting {
            let local = self.nodes.values().any(|node| {
                node.me().id != id && node.span().is_some_and(|held| held.contains(span.to))
            });
            if local || here.contains(&span) {
                self.with_node(now, id, fx, |node, out| {
                    node.span_received(now.at, span, out)
                });
            } else {
                self.receiving.push((id, span));
            }
        }
    }

    /// By links alone: a client waits for all nodes to have left.
    pub(super) fn maybe_left(&mut self, fx: &mut dyn Effects<Then>) {
        if self.nodes.values().all(Finder::is_outside)
            && let Some(ticket) = self.leaving.take()
        {
            fx.answer(ticket, Ok(Outcome::Settled(RosterVersion::NONE)));
        }
    }
}
