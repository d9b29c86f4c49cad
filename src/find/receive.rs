//! A message has arrived: who of the finder's parts is it for?

use crate::message::{FindMessage, Grant, LinksAre, Lookup, Manner, Peer, Question};
use crate::record::Time;

use super::{FindOut, Finder, Role, send};

impl Finder {
    /// A message has arrived from the node `from`.
    pub fn receive(&mut self, now: Time, from: Peer, message: FindMessage, out: &mut Vec<FindOut>) {
        self.down.remove(&from.host);
        if !matches!(message, FindMessage::NotInRing { .. }) {
            self.suspects.remove(&from.id);
        }
        match message {
            FindMessage::Lookup(lookup) => self.got_lookup(now, from, lookup, out),
            FindMessage::Answer { question, answer } => {
                self.lookup_answered(now, from, question, answer, out);
            }
            FindMessage::AskLinks { question, joining } => {
                self.asked_for_links(now, from, question, joining, out);
            }
            FindMessage::Links { question, links } => {
                self.got_links(now, from, question, links, out);
            }
            FindMessage::Busy { question } => self.told_busy(now, from, question),
            FindMessage::NotInRing { question } => self.not_in_ring(now, from, question, out),
            FindMessage::Ping { question } => self.pinged(from, question, out),
            FindMessage::Pong { question } => self.got_pong(now, from, question),
            FindMessage::Offer { question, span } => self.offered(now, from, question, span, out),
            FindMessage::Take { question, span } => {
                self.asked_to_give(now, from, question, span, out);
            }
            FindMessage::Granted { question, grant } => {
                self.got_grant(now, from, question, grant, out);
            }
            FindMessage::Refused { question } => self.refused(now, from, question, out),
            FindMessage::Notify if self.is_member() => self.notified(now, from, out),
            FindMessage::LookAgain if self.is_member() => self.stabilize_soon(now, out),
            FindMessage::Left if self.is_member() => self.left_by(now, from, out),
            FindMessage::Notify | FindMessage::LookAgain | FindMessage::Left => {}
        }
    }

    fn told_busy(&mut self, now: Time, from: Peer, question: Question) {
        if !self.errand_busy(now, from, question) {
            self.transfer_busy(now, from, question);
        }
    }

    fn pinged(&mut self, from: Peer, question: Question, out: &mut Vec<FindOut>) {
        let answer = if self.is_member() {
            FindMessage::Pong { question }
        } else {
            FindMessage::NotInRing { question }
        };
        send(from, answer, out);
    }

    fn got_grant(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        grant: Grant,
        out: &mut Vec<FindOut>,
    ) {
        if self.awaits_take(from, question) == Some(grant.span) {
            self.granted(now, from, grant, out);
        } else if !self.is_member() {
            send(from, FindMessage::NotInRing { question }, out);
        }
    }

    fn refused(&mut self, now: Time, from: Peer, question: Question, out: &mut Vec<FindOut>) {
        if self.awaits_take(from, question).is_some() {
            self.transfer_failed(now, out);
        }
    }

    /// A node that is no member answers the asker, and tells the relayer to pass it by from now on.
    fn got_lookup(&mut self, now: Time, from: Peer, lookup: Lookup, out: &mut Vec<FindOut>) {
        if !self.is_member() && lookup.manner == Manner::StepByStep {
            let question = lookup.question;
            return send(lookup.asker, FindMessage::NotInRing { question }, out);
        }
        if !self.is_member() && from != lookup.asker {
            let question = Question(0);
            send(from, FindMessage::NotInRing { question }, out);
        }
        if from != lookup.asker {
            self.learn(from); // an asker may be no member yet
        }
        self.relay(now, lookup, out);
    }

    /// Asked for its links. Busy, it says only that.
    fn asked_for_links(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        joining: bool,
        out: &mut Vec<FindOut>,
    ) {
        if !self.is_member() {
            return send(from, FindMessage::NotInRing { question }, out);
        }
        if self.prev == Some(from) {
            if joining {
                self.prev_died(now, from, out); // that was its former life
            } else {
                self.prev_heard = now;
            }
        }
        let answer = if self.is_busy() {
            FindMessage::Busy { question }
        } else {
            let links = LinksAre {
                prev: self.prev,
                successors: self.successors.clone(),
                holds: self.held,
            };
            FindMessage::Links { question, links }
        };
        send(from, answer, out);
    }

    /// A node that was asked something is no member: for its links that is as if it had died.
    fn not_in_ring(&mut self, now: Time, from: Peer, question: Question, out: &mut Vec<FindOut>) {
        self.suspect(now, from);
        if self.awaits(from, question) {
            return self.transfer_failed(now, out);
        }
        if self
            .errand
            .is_some_and(|errand| errand.question == question && errand.of == from)
        {
            return self.errand_failed(now, from, out);
        }
        self.lookup_refused(now, question, out);
        let given = self.prev == Some(from) && self.role == Role::Member;
        if given && self.errand.is_none() {
            self.prev_died(now, from, out); // a taker that had given up
        }
    }

    /// A node of its lists has left.
    fn left_by(&mut self, now: Time, from: Peer, out: &mut Vec<FindOut>) {
        let heir = self
            .transfer
            .as_ref()
            .is_some_and(|transfer| transfer.from == from);
        if !heir {
            self.prev_died(now, from, out);
        }
        self.gone(now, from, out);
    }
}
