//! How does a span leave a node, to a newcomer or on leaving?
//!
//! The moment: on reading [`FindMessage::Take`] for exactly the span it would give, it ceases to hold it,
//! says [`FindOut::Released`] to its host and [`FindMessage::Granted`] to the taker, in this order.
//!
//! ```text
//!   <51> holds (22, 51]     Take (22, 37] from <37>    ->  holds (37, 51], prev <37>
//!   <37> leaves, (22, 37]   Take (22, 37] from <51>    ->  holds nothing, is gone
//! ```
//!
//! If all nodes leave at once, each offers its span to a next that wants to go as well. A leaving node
//! takes only from a smaller id, so the smallest goes first, and the greatest is the last.

use crate::keyspace::Span;
use crate::message::{FindMessage, Grant, Peer, Question};
use crate::record::Time;

use super::join::Why;
use super::{Alarm, FindEvent, FindOut, Finder, Role, send};

/// The last span given, kept so that a lost answer can be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Given {
    to: Peer,
    grant: Grant,
}

impl Finder {
    /// Leaves the ring: hands its span to its next, then goes. Alone, or not yet a member, it just goes.
    pub fn leave(&mut self, now: Time, out: &mut Vec<FindOut>) {
        match self.role {
            Role::Member if self.next() != self.me && !self.fed => {
                self.role = Role::Leaving { offers: 0 };
                self.offer(now, out);
            }
            Role::Leaving { .. } | Role::Gone => {}
            Role::Outside | Role::Joining { .. } | Role::Member => self.go(false, out),
        }
    }

    /// Offers its span to its next, again and again until it is taken.
    pub(super) fn offer(&mut self, now: Time, out: &mut Vec<FindOut>) {
        let Role::Leaving { offers } = self.role else {
            return;
        };
        let span = match self.held {
            Some(span) if self.next() != self.me && offers < self.config.leave_tries => span,
            Some(_) | None => return self.go(false, out),
        };
        self.role = Role::Leaving { offers: offers + 1 };
        let question = self.question();
        send(self.next(), FindMessage::Offer { question, span }, out);
        let pause = self.about(self.config.answer_timeout);
        self.alarms.set(now + pause, Alarm::Offer);
    }

    /// From now on it is no member.
    fn go(&mut self, handed_over: bool, out: &mut Vec<FindOut>) {
        if let Some(prev) = self.prev.filter(|_| self.is_member()) {
            send(prev, FindMessage::Left, out);
        }
        self.role = Role::Gone;
        (self.held, self.errand, self.transfer) = (None, None, None);
        self.alarms.keep_lookups();
        out.push(FindOut::Note(FindEvent::Left { handed_over }));
        out.push(FindOut::LinksChanged);
    }

    /// A prev wants to leave its span to this node.
    pub(super) fn offered(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        span: Span,
        out: &mut Vec<FindOut>,
    ) {
        let leaving = matches!(self.role, Role::Leaving { .. });
        let free = !self.is_busy() && !self.fed && (!leaving || from.id < self.me.id);
        match &self.transfer {
            Some(transfer) if transfer.from == from => {} // it is being pulled already
            None if free && self.may_inherit(from, span) => {
                self.receive_span(now, from, span, Why::Heir, out);
            }
            Some(_) | None => send(from, FindMessage::Busy { question }, out),
        }
    }

    /// Somebody has received the records of a span and wants to hold it.
    pub(super) fn asked_to_give(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        span: Span,
        out: &mut Vec<FindOut>,
    ) {
        if self.gave(from, span) {
            return self.grant(question, out);
        }
        if self.lapsed || self.is_busy() || self.fed {
            return send(from, FindMessage::Busy { question }, out);
        }
        let lower = self.held.and_then(|held| held.split_at(from.id));
        match (self.role, lower) {
            (Role::Member, Some((lower, upper))) if lower == span => {
                self.release(now, from, span, Some(upper), out);
            }
            (Role::Leaving { .. }, _) if self.held == Some(span) && self.next() == from => {
                self.release(now, from, span, None, out);
            }
            // A newcomer must wait until the leaver has gone.
            (Role::Leaving { .. }, Some(_)) => {
                return send(from, FindMessage::Busy { question }, out);
            }
            (Role::Outside | Role::Joining { .. } | Role::Member, _)
            | (Role::Leaving { .. } | Role::Gone, _) => {
                return send(from, FindMessage::Refused { question }, out);
            }
        }
        self.grant(question, out);
        if self.held.is_none() {
            self.go(true, out);
        }
    }

    /// Whether it gave just that to just this node, and that node may not have heard so.
    fn gave(&self, to: Peer, span: Span) -> bool {
        let said = self
            .given
            .as_ref()
            .is_some_and(|given| given.to == to && given.grant.span == span);
        said && (self.role == Role::Gone || self.prev == Some(to) && !self.inside(to.id))
    }

    // region: release
    /// The moment the span changes hands.
    fn release(
        &mut self,
        now: Time,
        to: Peer,
        span: Span,
        rest: Option<Span>,
        out: &mut Vec<FindOut>,
    ) {
        let alone = self.next() == self.me;
        let prev = self.prev.or_else(|| alone.then_some(self.me));
        self.given = Some(Box::new(Given {
            to,
            grant: Grant {
                span,
                prev,
                successors: self.successors.clone(),
                routes: self.fingers.clone(),
            },
        }));
        self.held = rest;
        if rest.is_some() {
            self.set_prev(now, Some(to), out);
            if alone {
                self.renew_lease(now, now, out); // there was no lease; the newcomer will be its next
            }
        }
        out.push(FindOut::Released { span, to });
        out.push(FindOut::LinksChanged);
    }
    // endregion: release

    fn grant(&self, question: Question, out: &mut Vec<FindOut>) {
        let Some(given) = &self.given else {
            return;
        };
        let grant = given.grant.clone();
        let message = FindMessage::Granted { question, grant };
        send(given.to, message, out);
    }
}
