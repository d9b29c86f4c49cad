//! What do the clients ask?
//!
//! Each client asks one thing, waits for the answer, thinks, and asks the next. Most think not at all, so that
//! requests overlap; some think long, so that they last over all faults. All of them ask for the same few
//! keys.

use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;

use super::faults::Fault;
use super::run::{Run, Waiting};
use crate::lab::check::Rule;
use crate::lab::check::history::{self, Kind, Operation, Told, told};
use crate::message::{Consistency, Expiry, KeyOp, Options, Outcome, Reply, Request};
use crate::node::Host;
use crate::placement::HostId;
use crate::record::{Body, Key, PIECE_BYTES, Summary, Time};
use crate::sim::Answer;

/// At most so many content keys are asked for again.
const MAX_CONTENT_KEYS: usize = 40;

/// At most so many keys in one request.
const MOST_AT_ONCE: usize = 6;

impl Run {
    /// Every client whose time has come asks something.
    pub(super) fn ask_those_due(&mut self, now: Time) {
        for client in 0..self.clients.len() {
            if self.clients[client].next.is_some_and(|next| next <= now) {
                self.clients[client].next = None;
                self.ask(client);
            }
        }
    }

    fn ask(&mut self, client: usize) {
        let host = if self.calm || self.rng.random_ratio(97, 100) {
            self.member_at_random()
        } else {
            self.up_at_random()
        };
        let Some(host) = host else {
            let later = self.world.now() + Duration::from_millis(20);
            self.clients[client].next = Some(later);
            return;
        };
        let consistency = match self.rng.random_range(0..20) {
            0 => Some(Consistency::One),
            1 if self.calm || self.active.bits() == 0 => Some(Consistency::All),
            2 => Some(Consistency::Quorum),
            _ => None,
        };
        let first = self.checker.next_number();
        let request = match self.rng.random_range(0..40) {
            0 => {
                let count = self.rng.random_range(1..=MOST_AT_ONCE);
                Request::Many(
                    (first..first + count)
                        .map(|number| self.draw(number))
                        .collect(),
                )
            }
            1 => Request::PutContent(Body::new(self.value(first))),
            _ => {
                let (key, op) = self.draw(first);
                Request::One(key, op)
            }
        };
        self.send(client, host, request, consistency);
    }

    /// Asks, and writes down what was asked.
    pub(super) fn send(
        &mut self,
        client: usize,
        host: HostId,
        request: Request,
        consistency: Option<Consistency>,
    ) {
        let asked: Vec<(Key, Kind)> = match &request {
            Request::Many(ops) => ops
                .iter()
                .map(|(key, op)| (key.clone(), kind(op)))
                .collect(),
            Request::One(key, op) => vec![(key.clone(), kind(op))],
            Request::PutContent(body) => {
                let key = Key::of_content(&body.pieces);
                if self.keys.len() < self.plan.keys + MAX_CONTENT_KEYS {
                    self.keys.push(key.clone());
                } else {
                    self.keys_asked_once.push(key.clone());
                }
                vec![(key, Kind::Put)]
            }
            _ => Vec::new(),
        };
        let (now, one) = (self.world.now(), consistency == Some(Consistency::One));
        let begun = asked.into_iter().map(|(key, kind)| {
            self.checker.began(Operation {
                key,
                at: host,
                kind,
                one,
                began: now,
                ended: None,
                told: Told::Silence,
            })
        });
        let numbers = begun.collect();
        let options = Options {
            consistency,
            ..Options::default()
        };
        let ticket = self.world.request(host, request, options);
        let during = self.during();
        let all = consistency == Some(Consistency::All);
        self.open.insert(
            ticket,
            Waiting {
                numbers,
                client,
                stream: None,
                since: now,
                during,
                all,
            },
        );
    }

    fn draw(&mut self, number: usize) -> (Key, KeyOp) {
        let key = self.keys[self.rng.random_range(0..self.keys.len())].clone();
        let content = key.bytes().len() > 8; // Only the first value belongs under such a key.
        let op = match self.rng.random_range(0..100) {
            0..=41 if !content => KeyOp::Put(Body::new(self.value(number)), None),
            42..=46 if !content => KeyOp::Put(Body::new(self.value(number)), Some(self.expiry())),
            47..=55 => KeyOp::Delete,
            56..=61 => KeyOp::Expire(self.expiry()),
            62..=64 => KeyOp::Has,
            65..=66 => KeyOp::Ttl,
            _ => KeyOp::Get,
        };
        (key, op)
    }

    fn value(&mut self, number: usize) -> Bytes {
        let len = if self.plan.large && self.rng.random_ratio(1, 60) {
            self.rng.random_range(PIECE_BYTES..3 * PIECE_BYTES)
        } else {
            self.rng.random_range(8..200)
        };
        history::value(number, len)
    }

    fn expiry(&mut self) -> Expiry {
        match self.rng.random_range(0..8) {
            0 => Expiry::Never,
            1 => Expiry::In(Duration::ZERO),
            _ => Expiry::In(Duration::from_millis(self.rng.random_range(1..8_000))),
        }
    }

    // ── answers ──

    /// A request has ended.
    pub(super) fn answered(&mut self, waiting: &Waiting, answer: Answer) {
        if waiting.stream.is_none() {
            let think = self.think();
            if let Some(client) = self.clients.get_mut(waiting.client) {
                client.next = think;
            }
        }
        let Answer::Reply(reply) = answer else {
            for number in &waiting.numbers {
                self.rates.count(waiting.during, false);
                debug_assert!(self.checker.operations()[*number].told == Told::Silence);
            }
            return;
        };
        let replies: Vec<Reply> = match reply {
            Ok(Outcome::Many(replies)) => replies,
            other => vec![other; waiting.numbers.len()],
        };
        for (number, reply) in waiting.numbers.iter().zip(&replies) {
            self.one_answered(*number, waiting, reply);
        }
    }

    fn one_answered(&mut self, number: usize, waiting: &Waiting, reply: &Reply) {
        let now = self.world.now();
        let kind = self.checker.operations()[number].kind;
        let told = match told(kind, reply) {
            Ok(told) => told,
            Err(words) => return self.blame(Rule::OneRegister, None, words),
        };
        self.checker.ended(number, now, told);
        let operation = self.checker.operations()[number].clone();
        self.rates.count(waiting.during, operation.succeeded());
        if operation.one {
            return;
        }
        // Of many at once each is acknowledged in its own time, and answered with the last.
        if let (Told::Wrote(version), [_]) = (&operation.told, waiting.numbers.as_slice()) {
            let version = *version;
            let cell = self.checker.expiry(version);
            let wrote = if kind == Kind::Expire && !version.delete {
                Summary {
                    value: None,
                    expiry: cell,
                }
            } else {
                Summary {
                    value: Some(version),
                    expiry: None,
                }
            };
            self.must_be_stored(operation.at, &operation.key, &wrote);
        }
        if !operation.succeeded() && self.had_to_succeed(&operation, waiting) {
            let words = self.checker.tell(number);
            self.blame(Rule::Serves, Some(operation.key), words);
        }
    }

    /// Whether a request that failed could have been served. Of a ring at rest everyone is served. Before, writes may be refused
    /// because of a clock where clocks may seem wrong; a host in doubt serves nothing, and one that lacks the marks of those who had the
    /// key's span nothing of that.
    fn had_to_succeed(&self, operation: &Operation, waiting: &Waiting) -> bool {
        if self.calm {
            return !self.checker.is_excused(&operation.key);
        }
        if let Told::Nothing(why) = &operation.told
            && ((why.contains("clock") && self.clocks_are_doubtful())
                || self.checker.is_excused(&operation.key))
        {
            return false;
        }
        let Some(host) = self.world.host(operation.at) else {
            return false;
        };
        let Some(roster) = host.roster() else {
            return false;
        };
        // A round that cannot end, because a replica is away, lets no new deadline in until it is back or out.
        let frozen = |host: &HostId| {
            let host = self.world.host(*host);
            host.is_some_and(|host| host.is_frozen_at(operation.key.id()))
        };
        if operation.kind == Kind::Expire && roster.hosts().iter().any(frozen) {
            return false;
        }
        let lives_by = |other: HostId| {
            let shut =
                |other: &&Host| other.is_in_doubt() || other.is_closed_at(operation.key.id());
            let sure = self.world.host(other).filter(|other| !shut(other));
            let same = sure.and_then(|other| other.roster());
            same.is_some_and(|same| same.version == roster.version)
                && self
                    .checker
                    .adopted(other)
                    .is_none_or(|at| at < waiting.since)
        };
        let (since, all) = (waiting.since, waiting.all);
        self.reach
            .reaches(operation.at, &operation.key, roster, since, all, lives_by)
    }

    /// Whether a host may take its clock for wrong: clocks are set in this world, or what others' clocks show comes late.
    fn clocks_are_doubtful(&self) -> bool {
        let doubtful = [Fault::Clock, Fault::Late, Fault::Slow];
        doubtful
            .iter()
            .any(|fault| self.plan.faults.contains(fault))
    }

    /// When a client asks again; none once enough was asked.
    fn think(&mut self) -> Option<Time> {
        if self.quiet || self.checker.next_number() >= self.plan.operations {
            return None;
        }
        let each = self.plan.survive_ms * self.plan.clients as u64 / self.plan.operations as u64;
        let most = if self.rng.random_ratio(3, 4) {
            2
        } else {
            8 * each + 2
        };
        let ms = self.rng.random_range(0..most);
        Some(self.world.now() + Duration::from_millis(ms))
    }
}

const fn kind(op: &KeyOp) -> Kind {
    match op {
        KeyOp::Put(..) => Kind::Put,
        KeyOp::Get | KeyOp::Open => Kind::Get,
        KeyOp::Delete => Kind::Delete,
        KeyOp::Has | KeyOp::Ttl => Kind::Has,
        KeyOp::Expire(_) => Kind::Expire,
    }
}
