//! What does an asker do when nobody answers?
//!
//! A question that was passed on from hand to hand may have been lost anywhere. So from the second try on
//! the asker goes *step by step*: it asks each node itself where to go on, and a silent one costs one
//! deadline and is gone round.
//!
//! ```text
//!   try 1   <10> ──> <22> ──> <40>†                        nothing; 3 s pass
//!   try 2   <10> ⇄ <22> "go on to 40"   <10> ──> <40>†     0.5 s pass
//!           <10> ⇄ <22> "avoid 40"      "go on to 35"   <10> ⇄ <35> …
//! ```
//!
//! Every further try starts the other way round, after a pause that doubles.

use std::time::Duration;

use crate::message::{MAX_AVOID, Manner, Peer, Question};
use crate::placement::HostId;
use crate::record::Time;

use super::lookup::Asking;
use super::{Alarm, FindEvent, FindOut, Finder, LookupError};

impl Finder {
    /// No answer in time, or the pause is over.
    pub(super) fn lookup_silent(&mut self, now: Time, question: Question, out: &mut Vec<FindOut>) {
        let Some(mut asking) = self.lookups.remove(&question) else {
            return;
        };
        if asking.pausing {
            return self.set_off(now, asking, out);
        }
        match asking.manner {
            Manner::PassOn => {
                asking.silent += 1;
                asking.tries += 1;
                asking.manner = Manner::StepByStep;
                if asking.tries > self.config.lookup_tries {
                    return self.give_up(now, &asking, out);
                }
                self.set_off(now, asking, out);
            }
            Manner::StepByStep => self.go_round(now, asking, out),
        }
    }

    /// The node asked last is silent: ask the one before it to name another.
    fn go_round(&mut self, now: Time, mut asking: Box<Asking>, out: &mut Vec<FindOut>) {
        let Some((silent, _)) = asking.trail.pop() else {
            return self.try_again(now, asking, out);
        };
        asking.silent += 1;
        self.suspect(now, silent);
        let target = asking.target;
        out.push(FindOut::Note(FindEvent::WentRound { target, silent }));
        if asking.avoid.len() >= MAX_AVOID || asking.via == Some(silent) {
            return self.try_again(now, asking, out);
        }
        asking.avoid.push(silent.id);
        match asking.trail.pop() {
            Some((before, left)) => self.put(now, asking, before, left, out),
            None => self.set_off(now, asking, out),
        }
    }

    /// The next try, the other way round and step by step, after a pause.
    pub(super) fn try_again(&mut self, now: Time, mut asking: Box<Asking>, out: &mut Vec<FindOut>) {
        asking.tries += 1;
        if asking.tries > self.config.lookup_tries {
            return self.give_up(now, &asking, out);
        }
        asking.direction = asking.direction.opposite();
        asking.manner = Manner::StepByStep;
        asking.avoid.clear();
        asking.pausing = true;
        let pause: Duration = self.config.backoff * (1 << (asking.tries - 2).min(4));
        let pause = self.about(pause);
        let question = self.question();
        self.alarms.set(now + pause, Alarm::Lookup(question));
        self.lookups.insert(question, asking);
    }

    fn give_up(&mut self, now: Time, asking: &Asking, out: &mut Vec<FindOut>) {
        let tries = self.config.lookup_tries;
        self.end(now, asking, Err(LookupError::NoAnswer { tries }), out);
    }

    /// A host was reported down: what waits for its nodes waits no longer.
    pub(super) fn lookups_lost(&mut self, now: Time, host: HostId, out: &mut Vec<FindOut>) {
        let waits = |asking: &Asking| {
            let asked = asking.trail.last();
            !asking.pausing && asked.is_some_and(|(peer, _)| peer.host == host)
        };
        let lost: Vec<Question> = self
            .lookups
            .iter()
            .filter(|(_, asking)| waits(asking))
            .map(|(q, _)| *q)
            .collect();
        for question in lost {
            self.alarms.cancel(Alarm::Lookup(question));
            self.lookup_silent(now, question, out);
        }
    }

    /// The node asked for a step is no member.
    pub(super) fn lookup_refused(&mut self, now: Time, question: Question, out: &mut Vec<FindOut>) {
        if let Some(asking) = self.take_asking(question) {
            self.go_round(now, asking, out);
        }
    }

    /// A node was silent: not asked for lookups for a while.
    pub(super) fn suspect(&mut self, now: Time, peer: Peer) {
        self.suspects.retain(|_, until| *until > now);
        if self.suspects.len() < super::MAX_SUSPECTS {
            self.suspects.insert(peer.id, now + self.config.suspect_for);
        }
        self.fingers.retain(|finger| *finger != peer);
    }
}
