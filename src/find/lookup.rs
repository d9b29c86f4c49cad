//! What does an asker do until it knows the owner?
//!
//! It fixes the direction (the shorter way round) and sends the question off. If no answer comes in time
//! it does not know who was silent; so from the second try on it goes *step by step*: it asks each node
//! itself where to go on, and a silent one costs one deadline and is gone round.
//!
//! ```text
//!   try 1   <10> ──> <22> ──> <40>†                        nothing; 3 s pass
//!   try 2   <10> ⇄ <22> "go on to 40"   <10> ──> <40>†     0.5 s pass
//!           <10> ⇄ <22> "avoid 40"      "go on to 35"   <10> ⇄ <35> …
//! ```
//!
//! Every further try starts the other way round, after a pause that doubles.

use std::time::Duration;

use crate::keyspace::Id;
use crate::message::{
    FindMessage, Lookup, LookupAnswer, MAX_AVOID, Manner, Peer, Question, Ticket,
};
use crate::placement::HostId;
use crate::record::Time;
use crate::ring::Direction;

use super::route::{Ask, Way};
use super::{Alarm, FindEvent, FindOut, Finder, Found, LookupError, Role, send};

/// What a lookup is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Somebody asked.
    Ticket(Ticket),
    /// To find the place of this node.
    Join,
    /// To refresh a finger.
    Finger(u32),
}

/// A lookup this node has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asking {
    purpose: Purpose,
    target: Id,
    /// The node to begin with, if not itself.
    via: Option<Peer>,
    /// The trace of this try, if one is wanted.
    path: Option<Vec<Peer>>,
    direction: Direction,
    manner: Manner,
    tries: u32,
    silent: u32,
    relays: u32,
    /// The nodes that answered on this try, each with what was left to go when it was asked; the one
    /// being asked is last.
    trail: Vec<(Peer, Id)>,
    avoid: Vec<Id>,
    /// Between two tries.
    pausing: bool,
}

impl Finder {
    /// Looks up who owns `target`; ends in [`FindOut::Found`].
    pub fn lookup(&mut self, now: Time, ticket: Ticket, target: Id, out: &mut Vec<FindOut>) {
        self.begin(now, Purpose::Ticket(ticket), target, None, false, out);
    }

    /// The same, and every node on the way writes itself into the question.
    pub fn lookup_traced(&mut self, now: Time, ticket: Ticket, target: Id, out: &mut Vec<FindOut>) {
        self.begin(now, Purpose::Ticket(ticket), target, None, true, out);
    }

    /// Lookups of its own that are not yet answered.
    #[must_use]
    pub fn lookups_open(&self) -> usize {
        self.lookups.len()
    }

    pub(super) fn begin_lookup(
        &mut self,
        now: Time,
        purpose: Purpose,
        target: Id,
        via: Option<Peer>,
        out: &mut Vec<FindOut>,
    ) {
        self.begin(now, purpose, target, via, false, out);
    }

    fn begin(
        &mut self,
        now: Time,
        purpose: Purpose,
        target: Id,
        via: Option<Peer>,
        traced: bool,
        out: &mut Vec<FindOut>,
    ) {
        let from = via.unwrap_or(self.me).id;
        let clockwise = from.distance(target) <= target.distance(from);
        let direction = if clockwise {
            Direction::Clockwise
        } else {
            Direction::AntiClockwise
        };
        let pass_on = self.config.pass_on_first;
        let asking = Box::new(Asking {
            purpose,
            target,
            via,
            path: traced.then(Vec::new),
            direction,
            manner: if pass_on {
                Manner::PassOn
            } else {
                Manner::StepByStep
            },
            tries: 1,
            silent: 0,
            relays: 0,
            trail: Vec::new(),
            avoid: Vec::new(),
            pausing: false,
        });
        self.set_off(now, asking, out);
    }

    /// Begins a try, or goes on with it from here after a silent node left no other to ask.
    fn set_off(&mut self, now: Time, mut asking: Box<Asking>, out: &mut Vec<FindOut>) {
        (asking.pausing, asking.relays) = (false, 0);
        asking.trail.clear();
        if let Some(path) = &mut asking.path {
            *path = vec![self.me];
        }
        if let Some(via) = asking.via {
            return self.put(now, asking, via, Id::MAX, out);
        }
        if !self.is_member() && self.everyone.is_none() {
            return self.end(now, &asking, Err(LookupError::NotInRing), out);
        }
        let ask = Ask {
            target: asking.target,
            direction: asking.direction,
            before: Id::MAX,
            avoid: &asking.avoid,
        };
        match self.way(now, &ask) {
            Way::Mine => {
                let found = Found {
                    owner: self.me,
                    prev: self.prev,
                    successors: self.successors.clone(),
                    relays: 0,
                    direction: asking.direction,
                    silent: asking.silent,
                    tries: asking.tries,
                    path: asking.path.clone(),
                };
                self.end(now, &asking, Ok(found), out);
            }
            Way::On(to, left) => self.put(now, asking, to, left, out),
            Way::Nearer(to) => self.put(now, asking, to, Id::ZERO, out),
            Way::Nowhere => self.try_again(now, asking, out),
        }
    }

    /// Sends the question to a node, under a number of its own.
    fn put(
        &mut self,
        now: Time,
        mut asking: Box<Asking>,
        to: Peer,
        left: Id,
        out: &mut Vec<FindOut>,
    ) {
        if asking.relays >= self.config.relay_limit {
            let (relays, limit) = (asking.relays, self.config.relay_limit);
            return self.end(
                now,
                &asking,
                Err(LookupError::Dropped { relays, limit }),
                out,
            );
        }
        asking.relays += 1;
        asking.trail.push((to, left));
        let question = self.question();
        let lookup = Lookup {
            question,
            asker: self.me,
            target: asking.target,
            direction: asking.direction,
            left,
            relays: asking.relays,
            limit: self.config.relay_limit,
            manner: asking.manner,
            avoid: asking.avoid.clone(),
            path: asking.path.clone(),
        };
        send(to, FindMessage::Lookup(lookup), out);
        let wait = match asking.manner {
            Manner::PassOn => self.config.lookup_timeout,
            Manner::StepByStep => self.config.answer_timeout,
        };
        self.alarms.set(now + wait, Alarm::Lookup(question));
        self.lookups.insert(question, asking);
    }

    fn take_asking(&mut self, question: Question) -> Option<Box<Asking>> {
        let asking = self.lookups.remove(&question)?;
        self.alarms.cancel(Alarm::Lookup(question));
        Some(asking)
    }

    /// A lookup has been answered.
    pub(super) fn lookup_answered(
        &mut self,
        now: Time,
        from: Peer,
        question: Question,
        answer: LookupAnswer,
        out: &mut Vec<FindOut>,
    ) {
        let Some(mut asking) = self.take_asking(question) else {
            return;
        };
        match answer {
            LookupAnswer::Found {
                relays,
                prev,
                successors,
                path,
            } => {
                self.learn(from);
                let found = Found {
                    owner: from,
                    prev,
                    successors,
                    relays,
                    direction: asking.direction,
                    silent: asking.silent,
                    tries: asking.tries,
                    path,
                };
                self.end(now, &asking, Ok(found), out);
            }
            LookupAnswer::GoOn {
                to,
                left,
                relays,
                path,
            } => {
                asking.relays = asking.relays.max(relays);
                asking.path = path;
                self.go_on(now, asking, from, (to, left), out);
            }
            LookupAnswer::Dropped { relays } => {
                let limit = self.config.relay_limit;
                self.end(
                    now,
                    &asking,
                    Err(LookupError::Dropped { relays, limit }),
                    out,
                );
            }
            LookupAnswer::Unsettled => self.try_again(now, asking, out),
        }
    }

    /// Told to go on at another node.
    fn go_on(
        &mut self,
        now: Time,
        asking: Box<Asking>,
        from: Peer,
        (to, left): (Peer, Id),
        out: &mut Vec<FindOut>,
    ) {
        if to == self.me && matches!(asking.purpose, Purpose::Join) {
            // Its next takes it for a member: that was its former life. Tell it so.
            return self.ask_place(now, from, out);
        }
        if to == self.me || asking.avoid.contains(&to.id) {
            return self.try_again(now, asking, out);
        }
        self.put(now, asking, to, left, out);
    }

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

    // region: go_round
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
    // endregion: go_round

    /// The next try, the other way round and step by step, after a pause.
    fn try_again(&mut self, now: Time, mut asking: Box<Asking>, out: &mut Vec<FindOut>) {
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

    fn end(
        &mut self,
        now: Time,
        asking: &Asking,
        result: Result<Found, LookupError>,
        out: &mut Vec<FindOut>,
    ) {
        match asking.purpose {
            Purpose::Ticket(ticket) => out.push(FindOut::Found { ticket, result }),
            Purpose::Join => self.join_found(now, result, out),
            Purpose::Finger(number) => {
                if let (Ok(found), Role::Member) = (result, self.role) {
                    self.got_finger(number, found.owner);
                }
            }
        }
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
