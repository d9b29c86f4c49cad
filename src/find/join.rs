//! How does a span come to a node: to a newcomer, to the heir of a leaver, to one who lost its ground?
//!
//! Always by the same three steps: learn exactly what to take, receive its records, take it.
//!
//! ```text
//!   newcomer   Lookup own id … Found     AskLinks … Links     (records)     Take … Granted
//!   heir                                 Offer                (records)     Take … Granted
//! ```
//!
//! A newcomer is no member until `Granted`. Any silence on the way, and it starts again from the node it
//! knows: half a join leaves nothing behind but a node that its next will find to be no member.

use crate::keyspace::Span;
use crate::message::{FindMessage, Grant, LinksAre, Peer, Question};
use crate::record::Time;

use super::lookup::Purpose;
use super::{Alarm, FindEvent, FindOut, Finder, Found, LookupError, Role, send};

/// A span on its way to this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transfer {
    /// Who holds it until it says [`FindMessage::Granted`].
    pub(super) from: Peer,
    why: Why,
    step: Step,
    /// How often the present step was asked for.
    tries: u32,
}

/// Why a span comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// It is the lower part of the next's span: a newcomer, or a member that lost its ground.
    Join,
    /// It is the whole span of the prev, which leaves.
    Heir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// Asked the node it will stand before for its links.
    Place { question: Question },
    /// The host is pulling the records.
    Records { span: Span },
    /// Asked for the span itself.
    Take { span: Span, question: Question },
}

impl Transfer {
    /// Whether it awaits the answer that will change its links.
    pub(super) fn is_taking(&self) -> bool {
        matches!(self.step, Step::Take { .. })
    }
}

impl Finder {
    /// Joins the ring of which `via` is a member. If `via` or anybody on the way is silent it tries
    /// again, from `via`, until [`FindConfig::join_tries`](super::FindConfig::join_tries).
    pub fn join(&mut self, now: Time, via: Peer, out: &mut Vec<FindOut>) {
        self.forget_ring();
        self.role = Role::Joining { via, tries: 0 };
        self.join_try(now, out);
    }

    fn join_try(&mut self, now: Time, out: &mut Vec<FindOut>) {
        let Role::Joining { via, tries } = self.role else {
            return;
        };
        self.transfer = None;
        self.alarms.cancel(Alarm::Transfer);
        if tries >= self.config.join_tries {
            self.role = Role::Outside;
            return out.push(FindOut::Note(FindEvent::JoinFailed { tries }));
        }
        self.role = Role::Joining {
            via,
            tries: tries + 1,
        };
        self.begin_lookup(now, Purpose::Join, self.me.id, Some(via), out);
    }

    /// The try failed: the next one after a pause.
    fn join_again(&mut self, now: Time, out: &mut Vec<FindOut>) {
        self.transfer = None;
        self.alarms.cancel(Alarm::Transfer);
        if let Role::Joining { tries, .. } = self.role {
            out.push(FindOut::Note(FindEvent::JoinAgain { tries }));
            let pause = self.config.backoff * (1 << tries.min(4));
            let pause = self.about(pause);
            self.alarms.set(now + pause, Alarm::Transfer);
        }
    }

    /// The lookup of its own id has ended.
    pub(super) fn join_found(
        &mut self,
        now: Time,
        result: Result<Found, LookupError>,
        out: &mut Vec<FindOut>,
    ) {
        if !matches!(self.role, Role::Joining { .. }) {
            return;
        }
        match result {
            Ok(found) if found.owner.id == self.me.id => self.id_taken(now, found.owner, out),
            Ok(found) => self.ask_place(now, found.owner, out),
            Err(_) => self.join_again(now, out),
        }
    }

    /// A node with its very id is in the ring: its own former life, which will be found dead, or another.
    fn id_taken(&mut self, now: Time, by: Peer, out: &mut Vec<FindOut>) {
        if by.host == self.me.host {
            return self.join_again(now, out);
        }
        self.role = Role::Outside;
        out.push(FindOut::Note(FindEvent::IdTaken { by }));
    }

    /// Asks the node it will stand before for its links and the whole of its successor list.
    pub(super) fn ask_place(&mut self, now: Time, owner: Peer, out: &mut Vec<FindOut>) {
        let question = self.question();
        let before = self.transfer.as_ref().filter(|t| t.from == owner);
        self.transfer = Some(Transfer {
            from: owner,
            why: Why::Join,
            step: Step::Place { question },
            tries: 1 + before.map_or(0, |transfer| transfer.tries),
        });
        let joining = true;
        send(owner, FindMessage::AskLinks { question, joining }, out);
        self.alarms
            .set(now + self.config.answer_timeout, Alarm::Transfer);
    }

    /// The links of the node it will stand before.
    pub(super) fn got_place(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        links: &LinksAre,
        out: &mut Vec<FindOut>,
    ) {
        let fits = |t: &&Transfer| t.from == from && t.step == Step::Place { question };
        if self.transfer.as_ref().filter(fits).is_none() {
            return;
        }
        let split = links.holds.and_then(|span| span.split_at(self.me.id));
        match split {
            Some((mine, _)) => self.receive_span(now, from, mine, Why::Join, out),
            None => self.join_again(now, out), // somebody else was quicker, or the ground is nobody's yet
        }
    }

    /// Has the host pull the records of a span.
    pub(super) fn receive_span(
        &mut self,
        now: Time,
        from: Peer,
        span: Span,
        why: Why,
        out: &mut Vec<FindOut>,
    ) {
        self.transfer = Some(Transfer {
            from,
            why,
            step: Step::Records { span },
            tries: 0,
        });
        self.alarms
            .set(now + self.config.receive_timeout, Alarm::Transfer);
        out.push(FindOut::Receive { span, from });
    }

    /// The host says: every record of `span` that I was asked to receive is here.
    pub fn span_received(&mut self, now: Time, span: Span, out: &mut Vec<FindOut>) {
        let Some(transfer) = &self.transfer else {
            return;
        };
        if transfer.step == (Step::Records { span }) {
            if transfer.why == Why::Heir && !self.may_inherit(transfer.from, span) {
                return self.transfer_failed(now, out);
            }
            self.take(now, span, out);
        }
    }

    fn take(&mut self, now: Time, span: Span, out: &mut Vec<FindOut>) {
        let question = self.question();
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        transfer.step = Step::Take { span, question };
        transfer.tries += 1;
        send(transfer.from, FindMessage::Take { question, span }, out);
        self.alarms
            .set(now + self.config.answer_timeout, Alarm::Transfer);
    }

    /// Whether its prev may hand this span over to it now.
    pub(super) fn may_inherit(&self, from: Peer, span: Span) -> bool {
        let adjacent = self.held.is_some_and(|held| held.from == from.id);
        self.is_member()
            && !self.lapsed
            && adjacent
            && self.prev == Some(from)
            && span.to == from.id
    }

    /// The transfer's alarm: the next try of a join, or a step that was not answered.
    pub(super) fn transfer_silent(&mut self, now: Time, out: &mut Vec<FindOut>) {
        let Some(transfer) = &self.transfer else {
            return self.join_try(now, out);
        };
        let patient = transfer.tries < 4 * self.config.ask_tries;
        match transfer.step {
            Step::Take { span, .. } if patient => self.take(now, span, out),
            Step::Place { .. } if patient => self.ask_place(now, transfer.from, out),
            Step::Place { .. } | Step::Records { .. } | Step::Take { .. } => {
                self.transfer_failed(now, out);
            }
        }
    }

    /// The other side is busy: ask it again after a pause.
    pub(super) fn transfer_busy(&mut self, now: Time, from: Peer, question: Question) {
        let Some(transfer) = self.transfer.as_ref().filter(|t| t.from == from) else {
            return;
        };
        let asked = match transfer.step {
            Step::Place { question } | Step::Take { question, .. } => Some(question),
            Step::Records { .. } => None,
        };
        if asked == Some(question) {
            let pause = self.about(self.config.busy_pause);
            self.alarms.set(now + pause, Alarm::Transfer);
        }
    }

    /// The transfer comes to nothing: the giver died, holds something else, or is no member.
    pub(super) fn transfer_failed(&mut self, now: Time, out: &mut Vec<FindOut>) {
        self.transfer = None;
        self.alarms.cancel(Alarm::Transfer);
        self.join_again(now, out);
    }

    /// Whether a transfer awaits this answer.
    pub(super) fn awaits_take(&self, from: Peer, question: Question) -> Option<Span> {
        let transfer = self.transfer.as_ref().filter(|t| t.from == from)?;
        match transfer.step {
            Step::Take { span, question: q } if q == question => Some(span),
            Step::Place { .. } | Step::Records { .. } | Step::Take { .. } => None,
        }
    }

    /// Whether a transfer awaits any answer under this number.
    pub(super) fn awaits(&self, from: Peer, question: Question) -> bool {
        let place = Step::Place { question };
        let placing = |t: &Transfer| t.from == from && t.step == place;
        self.transfer.as_ref().is_some_and(placing) || self.awaits_take(from, question).is_some()
    }

    /// The span is this node's from now on.
    pub(super) fn granted(&mut self, now: Time, from: Peer, grant: Grant, out: &mut Vec<FindOut>) {
        let Some(why) = self.transfer.take().map(|transfer| transfer.why) else {
            return;
        };
        self.alarms.cancel(Alarm::Transfer);
        match why {
            Why::Join => self.become_member(now, from, grant, out),
            Why::Heir => self.inherit(now, from, grant, out),
        }
        self.mourn_unless_settled(now);
    }

    fn become_member(&mut self, now: Time, from: Peer, grant: Grant, out: &mut Vec<FindOut>) {
        let joined = matches!(self.role, Role::Joining { .. });
        if joined {
            self.role = Role::Member;
            self.fingers = self.in_order(grant.routes);
            self.keep_house(now);
        }
        self.adopt(from, &grant.successors, out);
        self.hold(grant.span, out);
        self.set_prev(now, grant.prev, out);
        self.renew_lease(now, now, out);
        if joined {
            out.push(FindOut::Note(FindEvent::Joined { next: from }));
        }
        if let Some(prev) = self.prev {
            send(prev, FindMessage::LookAgain, out);
        }
    }

    fn inherit(&mut self, now: Time, from: Peer, grant: Grant, out: &mut Vec<FindOut>) {
        self.hold(Span::new(grant.span.from, self.me.id), out);
        self.set_prev(now, grant.prev, out);
        self.gone(now, from, out);
    }

    /// A node has left: it is in no list of this node any more.
    pub(super) fn gone(&mut self, now: Time, peer: Peer, out: &mut Vec<FindOut>) {
        self.fingers.retain(|finger| *finger != peer);
        let first = self.successors.first() == Some(&peer);
        if !self.successors.contains(&peer) {
            return;
        }
        self.drop_successor(now, peer, out);
        if self.cut_off && self.held.is_some_and(|span| span.is_whole()) {
            self.take_over(now, out); // it inherited the last other span: nobody else is left
        } else if first {
            self.stabilize_soon(now, out);
        }
    }
}
