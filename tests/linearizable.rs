//! Whatever fails, a quorum register stays a register.
//!
//! Method: worlds drawn from seeds, with lossy networks, crashes, restarts, joins, leaves and removals in
//! the middle of traffic. Every get, put and delete is noted with when it began and ended and at which
//! version. Versions are totally ordered, so the history of a key is linearizable if it can be read off
//! them: an operation that ended before another began has a smaller version than a later write, and no
//! greater one than a later read. At the end every acknowledged write, or a newer one, must be readable
//! from every host.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test they are the shortest way to fail"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use roundelay::actor::Input;
use roundelay::message::{KeyOp, Options, Outcome, Reply, Request, Ticket};
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member, random};
use roundelay::record::{Key, Time, Version};
use roundelay::roster::{RingId, Roster};
use roundelay::sim::{Answer, NetworkConfig, World};
use roundelay::store::MemoryStore;

/// One operation on one key, as its client saw it.
#[derive(Clone, Debug)]
struct Seen {
    key: usize,
    write: bool,
    began: Time,
    ended: Option<Time>,
    /// The version written or read; none for a get of nothing, or an unknown outcome.
    version: Option<Version>,
    value: Option<Bytes>,
}

struct Run {
    seed: u64,
    world: World,
    rng: ChaCha8Rng,
    seen: Vec<Seen>,
    open: BTreeMap<Ticket, usize>,
    up: Vec<HostId>,
    down: Vec<HostId>,
    next_host: u64,
    acknowledged: usize,
    failed: usize,
}

const KEYS: usize = 3;

fn key(index: usize) -> Key {
    Key::new(format!("key {index}")).unwrap()
}

fn member(host: HostId) -> Member {
    Member::new(random(host.0, 4))
}

/// In every other world nothing heals by itself: neither hints nor repair hide what a quorum alone must
/// keep.
fn config(seed: u64, host: HostId) -> HostConfig {
    let mut config = HostConfig::new(host, seed ^ host.0);
    if seed.is_multiple_of(2) {
        config.keep.max_hints = 0;
        config.keep.repair = Duration::ZERO;
        config.keep.hint_after = Duration::ZERO;
    }
    config
}

impl Run {
    fn new(seed: u64, replicas: u8) -> Run {
        let mut network = NetworkConfig {
            link_down_ms: Some(300),
            ..NetworkConfig::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        network.loss = rng.random_range(0..150);
        network.duplicate = rng.random_range(0..100);
        network.late = rng.random_range(0..100);
        network.late_ms = 300;
        let mut world = World::new(seed, network);
        world.check_each_step(true);
        let hosts: Vec<HostId> = (1..=5).map(HostId).collect();
        let members = hosts.iter().map(|host| (*host, member(*host))).collect();
        let roster = std::sync::Arc::new(Roster::settled(RingId(seed), members, replicas).unwrap());
        for host in &hosts {
            world.add_host(config(seed, *host), Box::new(MemoryStore::default()));
            world.tell(*host, Input::Enter(roster.clone()));
        }
        world.run_until(Time::from_ms(100));
        let next_host = 6;
        Run {
            seed,
            world,
            rng,
            seen: Vec::new(),
            open: BTreeMap::new(),
            up: hosts,
            down: Vec::new(),
            next_host,
            acknowledged: 0,
            failed: 0,
        }
    }

    fn any_up(&mut self) -> HostId {
        self.up[self.rng.random_range(0..self.up.len())]
    }

    fn operate(&mut self) {
        let index = self.rng.random_range(0..KEYS);
        let host = self.any_up();
        let value = Bytes::from(format!("value {}", self.seen.len()));
        let (op, write) = match self.rng.random_range(0..10) {
            0..5 => (KeyOp::Get, false),
            5..9 => (KeyOp::from(value.clone()), true),
            _ if index == 0 => (KeyOp::Delete, true),
            _ => (KeyOp::Has, false),
        };
        let value = matches!(op, KeyOp::Put(..)).then_some(value);
        let ticket = self
            .world
            .request(host, Request::One(key(index), op), Options::default());
        self.open.insert(ticket, self.seen.len());
        self.seen.push(Seen {
            key: index,
            write,
            began: self.world.now(),
            ended: None,
            version: None,
            value,
        });
    }

    fn collect(&mut self) {
        let tickets: Vec<Ticket> = self.open.keys().copied().collect();
        for ticket in tickets {
            let Some(answer) = self.world.take_answer(ticket) else {
                continue;
            };
            let seen = &mut self.seen[self.open.remove(&ticket).unwrap()];
            if let Answer::Reply(Ok(outcome)) = answer {
                seen.ended = Some(self.world.now());
                self.acknowledged += 1;
                match outcome {
                    Outcome::Stored(version) | Outcome::Deleted(version, _) => {
                        seen.version = Some(version)
                    }
                    Outcome::Version(version) => seen.version = version,
                    Outcome::Value(found) => {
                        seen.version = found.as_ref().map(|found| found.version);
                        seen.value = found.map(|found| found.body.to_bytes());
                    }
                    other => panic!("an unexpected answer: {other:?}"),
                }
            } else {
                self.failed += 1;
            }
        }
    }

    /// One fault or one change of who is in.
    fn disturb(&mut self) {
        match self.rng.random_range(0..12) {
            0 | 1 if self.down.is_empty() => {
                let host = self.any_up();
                self.up.retain(|other| *other != host);
                self.down.push(host);
                self.world.crash(host);
            }
            0..=3 => {
                if let Some(host) = self.down.pop() {
                    self.world.restart(host);
                    self.up.push(host);
                }
            }
            4 | 8 if self.up.len() < 8 => self.join(),
            9 | 10 => {
                let slow = self.any_up();
                let ms = self.rng.random_range(0..3_000);
                self.world.slow_host(slow, ms);
            }
            5 if self.up.len() > 4 && self.down.is_empty() => {
                let host = self.any_up();
                self.world.request(host, Request::Leave, Options::default());
            }
            6 => {
                let some = vec![self.any_up()];
                let others: Vec<HostId> = self
                    .up
                    .iter()
                    .filter(|host| !some.contains(host))
                    .copied()
                    .collect();
                self.world.cut(&some, &others);
            }
            _ => self.world.heal(),
        }
    }

    fn join(&mut self) {
        let host = HostId(self.next_host);
        self.next_host += 1;
        let via = self.any_up();
        self.world
            .add_host(config(self.seed, host), Box::new(MemoryStore::default()));
        let request = Request::Join {
            via,
            replaces: None,
            replicas: None,
            member: Member::new([]),
            tokens: 4,
        };
        self.world.request(host, request, Options::default());
        self.up.push(host);
    }

    fn go_on(&mut self, ms: u64) {
        let until = self.world.now() + Duration::from_millis(ms);
        self.world.run_until(until);
        self.collect();
    }

    fn ask(&mut self, host: HostId, request: Request) -> Reply {
        let limit = self.world.now() + Duration::from_secs(60);
        match self.world.ask(host, request, limit) {
            Some(Answer::Reply(reply)) => reply,
            other => panic!("{host} did not answer within a minute: {other:?}"),
        }
    }

    /// Faults end; everything must work again, and nothing acknowledged may be gone.
    fn settle(&mut self) {
        self.world.heal();
        for host in 1..self.next_host {
            self.world.slow_host(HostId(host), 0);
        }
        let calm = NetworkConfig {
            link_down_ms: Some(300),
            ..NetworkConfig::default()
        };
        *self.world.network() = calm;
        for host in std::mem::take(&mut self.down) {
            self.world.restart(host);
            self.up.push(host);
        }
        self.go_on(90_000);
        for index in 0..KEYS {
            let newest = self
                .seen
                .iter()
                .filter(|seen| seen.key == index && seen.ended.is_some())
                .filter_map(|seen| seen.version)
                .max();
            for host in self.up.clone() {
                if self
                    .world
                    .host(host)
                    .is_none_or(|host| host.roster().is_none_or(|roster| !roster.has(host.id())))
                {
                    continue; // It has left, or never came in.
                }
                let read = match self.ask(host, Request::One(key(index), KeyOp::Get)) {
                    Ok(Outcome::Value(found)) => found.map(|found| found.version),
                    other => panic!("{host} must serve after the faults: {other:?}"),
                };
                if newest.is_some_and(|newest| !newest.delete) && index != 0 {
                    assert!(
                        read >= newest,
                        "key {index} at {host}: {read:?} is older than the acknowledged {newest:?}"
                    );
                }
            }
        }
    }

    /// The history of every key can be read off its versions.
    fn check(&self) {
        let mut values: BTreeMap<Version, Bytes> = BTreeMap::new();
        for seen in &self.seen {
            if let (Some(version), Some(value)) = (seen.version, &seen.value) {
                let before = values.entry(version).or_insert_with(|| value.clone());
                assert_eq!(before, value, "version {version} has two values");
            }
        }
        for (a, first) in self.seen.iter().enumerate() {
            for second in self
                .seen
                .iter()
                .skip(a + 1)
                .filter(|second| second.key == first.key)
            {
                let after = first.ended.is_some_and(|ended| ended <= second.began);
                let (Some(v1), true) = (first.version, after && second.ended.is_some()) else {
                    continue;
                };
                match second.version {
                    Some(v2) if second.write => {
                        assert!(v1 < v2, "{first:?} ended before {second:?} began")
                    }
                    Some(v2) => assert!(v1 <= v2, "{first:?} ended before {second:?} began"),
                    None => assert!(
                        second.key == 0 || second.write,
                        "{first:?} was lost to {second:?}"
                    ),
                }
            }
        }
    }
}

fn run(seed: u64, replicas: u8) -> (usize, usize) {
    let mut run = Run::new(seed, replicas);
    for step in 0..200 {
        run.operate();
        let pause = run.rng.random_range(1..100);
        run.go_on(pause);
        if step % 12 == 11 {
            run.disturb();
        }
    }
    run.go_on(6_000);
    run.check();
    run.settle();
    run.check();
    (run.acknowledged, run.failed)
}

#[test]
fn histories_are_linearizable_under_faults_and_moves() {
    let seeds = std::env::var("SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(10);
    let first: u64 = std::env::var("SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let (mut acknowledged, mut failed) = (0, 0);
    for seed in first..first + seeds {
        println!("seed {seed}");
        let (yes, no) = run(seed, 3);
        acknowledged += yes;
        failed += no;
    }
    println!("{acknowledged} operations acknowledged, {failed} failed");
    assert!(
        acknowledged > 3 * failed,
        "most operations succeed: {acknowledged} against {failed} that failed"
    );
}
