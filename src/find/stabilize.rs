//! How does a node find out that its neighbours have changed?
//!
//! Once per period it asks its next for its links (*stabilize*), asks the node its next names as prev
//! before adopting it, and tells whoever is its next now that it is there (*notify*). The notified node
//! pings its old prev if the notifier lies further away (*rectify*).
//!
//! ```text
//!   <22> ──AskLinks──> <51>     "my prev is 37"       22 < 37 < 51: so <37> is nearer
//!   <22> ──AskLinks──> <37>     "my prev is 22"       it answered: adopt it, and its whole list
//!   (had <37> been dead: keep <51>, notify it; <51> pings <37>, hears nothing, takes <22> as prev)
//! ```
//!
//! Only one such question is open at a time, and while it is, the node is *busy*.

use crate::keyspace::Span;
use crate::message::{FindMessage, LinksAre, Peer, Question};
use crate::record::Time;

use super::{Alarm, FindEvent, FindOut, Finder, Role, join, send};

/// A question whose answer may change the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Errand {
    pub(super) question: Question,
    pub(super) of: Peer,
    kind: Kind,
    tries: u32,
    pub(super) asked_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Its next: what are your links?
    AskNext,
    /// Its next's prev, which lies between: are you there, and what are your links?
    AskBetween,
    /// Its prev: are you there? Otherwise the newcomer takes its place.
    PingPrev { newcomer: Option<Peer> },
}

impl Finder {
    /// Whether it awaits an answer that may change its links.
    pub(super) fn is_busy(&self) -> bool {
        let taking = self
            .transfer
            .as_ref()
            .is_some_and(join::Transfer::is_taking);
        self.errand.is_some() || taking
    }

    /// The periodic look at the links.
    pub(super) fn stabilize(&mut self, now: Time, out: &mut Vec<FindOut>) {
        if !self.is_member() || self.fed {
            return;
        }
        let pause = self.about(self.config.stabilize_every);
        self.alarms.set(now + pause, Alarm::Stabilize);
        if self.is_busy() {
            return;
        }
        let silent = now.since(self.prev_heard) > self.config.prev_silence;
        match self.prev {
            Some(prev) if silent => {
                self.run(now, prev, Kind::PingPrev { newcomer: None }, out);
            }
            Some(prev) if self.next() == self.me => self.run(now, prev, Kind::AskBetween, out),
            Some(_) | None if self.next() == self.me => {}
            Some(_) | None => self.run(now, self.next(), Kind::AskNext, out),
        }
    }

    /// Stabilizes now, or as soon as it is not busy.
    pub(super) fn stabilize_soon(&mut self, now: Time, out: &mut Vec<FindOut>) {
        if self.is_busy() {
            let pause = self.about(self.config.busy_pause);
            self.alarms.set(now + pause, Alarm::Stabilize);
        } else {
            self.stabilize(now, out);
        }
    }

    fn run(&mut self, now: Time, of: Peer, kind: Kind, out: &mut Vec<FindOut>) {
        let question = self.question();
        self.errand = Some(Errand {
            question,
            of,
            kind,
            tries: 0,
            asked_at: now,
        });
        self.ask(now, out);
    }

    /// Asks (again), under a number of its own: an answer to the last try now comes too late.
    fn ask(&mut self, now: Time, out: &mut Vec<FindOut>) {
        let question = self.question();
        let Some(errand) = &mut self.errand else {
            return;
        };
        errand.question = question;
        errand.tries += 1;
        errand.asked_at = now;
        let message = match errand.kind {
            Kind::AskNext | Kind::AskBetween => FindMessage::AskLinks {
                question,
                joining: false,
            },
            Kind::PingPrev { .. } => FindMessage::Ping { question },
        };
        send(errand.of, message, out);
        self.alarms
            .set(now + self.config.answer_timeout, Alarm::Errand);
    }

    /// Takes the errand if this answers it.
    fn answered(&mut self, from: Peer, question: Question) -> Option<Errand> {
        let fits = |errand: &Errand| errand.question == question && errand.of == from;
        let errand = self.errand.filter(fits)?;
        self.end_errand();
        Some(errand)
    }

    fn end_errand(&mut self) {
        self.errand = None;
        self.alarms.cancel(Alarm::Errand);
    }

    // region: links
    /// An answer to [`FindMessage::AskLinks`], for the errand or for the join.
    pub(super) fn got_links(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        links: LinksAre,
        out: &mut Vec<FindOut>,
    ) {
        let Some(errand) = self.answered(from, question) else {
            return self.got_place(now, from, question, &links, out);
        };
        self.adopt(from, &links.successors, out);
        if links.prev == Some(self.me) {
            self.renew_lease(errand.asked_at, now, out);
        }
        let nearer = links.prev.filter(|prev| self.before(prev.id, from.id));
        match (errand.kind, nearer) {
            (Kind::AskNext, Some(nearer)) if !self.down.contains(&nearer.host) => {
                self.run(now, nearer, Kind::AskBetween, out);
            }
            (Kind::AskNext | Kind::AskBetween, _) => self.settle(now, from, &links, out),
            (Kind::PingPrev { .. }, _) => {}
        }
    }
    // endregion: links

    /// The next has answered and is the nearest there is: tell it, and see whose ground is whose.
    fn settle(&mut self, now: Time, next: Peer, links: &LinksAre, out: &mut Vec<FindOut>) {
        if links.prev == Some(self.me) {
            return;
        }
        let inside = links.holds.and_then(|span| span.split_at(self.me.id));
        let Some((mine, _)) = inside else {
            return send(next, FindMessage::Notify, out);
        };
        // The next has taken over the ground that was this node's: it must receive it like a newcomer.
        if self.transfer.is_none() && matches!(self.role, Role::Member) {
            self.held = None;
            self.alarms.cancel(Alarm::Takeover);
            out.push(FindOut::Note(FindEvent::LostGround));
            self.receive_span(now, next, mine, join::Why::Join, out);
        }
    }

    /// The node asked is busy: drop the attempt and try again after a pause.
    pub(super) fn errand_busy(&mut self, now: Time, from: Peer, question: Question) -> bool {
        let found = self.answered(from, question).is_some();
        if found {
            let pause = self.about(self.config.busy_pause);
            self.alarms.set(now + pause, Alarm::Stabilize);
        }
        found
    }

    /// The prev answered the ping.
    pub(super) fn got_pong(&mut self, now: Time, from: Peer, question: Question) {
        if self.answered(from, question).is_some() && self.prev == Some(from) {
            self.prev_heard = now;
        }
    }

    /// No answer in time: once more, or it counts as dead.
    pub(super) fn errand_silent(&mut self, now: Time, out: &mut Vec<FindOut>) {
        let Some(errand) = self.errand else {
            return;
        };
        if errand.tries < self.config.ask_tries {
            return self.ask(now, out);
        }
        self.suspect(now, errand.of);
        self.errand_failed(now, errand.of, out);
    }

    /// The node asked is dead or no member.
    pub(super) fn errand_failed(&mut self, now: Time, of: Peer, out: &mut Vec<FindOut>) {
        let Some(errand) = self.errand.filter(|errand| errand.of == of) else {
            return;
        };
        self.end_errand();
        match errand.kind {
            Kind::AskNext => {
                out.push(FindOut::Note(FindEvent::Dead(of)));
                self.drop_successor(now, of, out);
                if self.next() != of {
                    self.stabilize(now, out);
                }
            }
            // It was not adopted; the next will find out by itself, when notified.
            Kind::AskBetween if self.next() != self.me => {
                send(self.next(), FindMessage::Notify, out)
            }
            Kind::AskBetween => self.prev_died(now, of, out),
            Kind::PingPrev { newcomer } => {
                self.prev_died(now, of, out);
                if let Some(newcomer) = newcomer {
                    self.accept_prev(now, newcomer, out);
                }
            }
        }
    }

    // region: rectify
    /// Rectify: `from` says it may be the prev.
    pub(super) fn notified(&mut self, now: Time, from: Peer, out: &mut Vec<FindOut>) {
        if self.fed || from == self.me || self.inside(from.id) {
            return; // inside its span only a hand-over puts a node
        }
        match self.prev {
            Some(prev) if prev == from => self.prev_heard = now,
            None => self.accept_prev(now, from, out),
            Some(prev) if Span::new(prev.id, self.me.id).contains(from.id) => {
                self.accept_prev(now, from, out);
            }
            Some(_) if self.is_busy() => {}
            Some(prev) => {
                let newcomer = Some(from);
                self.run(now, prev, Kind::PingPrev { newcomer }, out);
            }
        }
    }
    // endregion: rectify

    fn accept_prev(&mut self, now: Time, prev: Peer, out: &mut Vec<FindOut>) {
        self.set_prev(now, Some(prev), out);
        self.mourn_unless_settled(now);
    }

    /// If another node than its prev held the ground before its span, the wait for a takeover begins.
    pub(super) fn mourn_unless_settled(&mut self, now: Time) {
        let prev = self.links().prev.id;
        if self.held.is_some_and(|span| span.from != prev) {
            self.mourn(now);
        }
    }
}
