//! What does an asker do until it knows the owner?
//!
//! It fixes the direction (the shorter way round), sends the question off to the first node on the way, and
//! goes where it is told to go on. What it does when nobody answers stands in [`retry`](super::retry).

use crate::keyspace::Id;
use crate::message::{FindMessage, Lookup, LookupAnswer, Manner, Peer, Question, Ticket};
use crate::record::Time;
use crate::ring::Direction;

use super::route::{Ask, Way};
use super::{Alarm, FindOut, Finder, Found, LookupError, Role, send};

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
    pub(super) purpose: Purpose,
    pub(super) target: Id,
    /// The node to begin with, if not itself.
    pub(super) via: Option<Peer>,
    /// The trace of this try, if one is wanted.
    pub(super) path: Option<Vec<Peer>>,
    pub(super) direction: Direction,
    pub(super) manner: Manner,
    pub(super) tries: u32,
    pub(super) silent: u32,
    pub(super) relays: u32,
    /// The nodes that answered on this try, each with what was left to go when it was asked; the one
    /// being asked is last.
    pub(super) trail: Vec<(Peer, Id)>,
    pub(super) avoid: Vec<Id>,
    /// Between two tries.
    pub(super) pausing: bool,
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
    pub(super) fn set_off(&mut self, now: Time, mut asking: Box<Asking>, out: &mut Vec<FindOut>) {
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
    pub(super) fn put(
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

    pub(super) fn take_asking(&mut self, question: Question) -> Option<Box<Asking>> {
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

    pub(super) fn end(
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
}
