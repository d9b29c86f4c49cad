//! The commands of a story, carried out by processes that talk over TCP.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use roundelay::dht::DhtError;
use roundelay::keyspace::Id;
use roundelay::message::{Consistency, Expiry, KeyOp, Options, Outcome, Reply, Request};
use roundelay::placement::{HostId, Member};
use roundelay::record::{Body, Key};
use roundelay::roster::Change;
use roundelay::sim::RingPlan;

use super::words::{Words, host, time};
use crate::ring::{Doors, dht, start};
use crate::world::{World, seconds};

/// No request takes longer, in virtual time.
const PATIENCE: u64 = 300;

/// A ring of processes.
pub(super) struct Tcp {
    world: World,
    doors: Doors,
    plan: RingPlan,
    /// Who is up.
    pub(super) up: BTreeSet<u64>,
    asked: u64,
}

impl Tcp {
    pub(super) fn ring(words: &Words) -> Tcp {
        let hosts = words.number("hosts").unwrap_or(3);
        let mut plan = RingPlan::new(
            u32::try_from(hosts).unwrap(),
            words.number("seed").unwrap_or(1),
        );
        plan.tokens = u16::try_from(words.number("tokens").unwrap_or(2)).unwrap();
        plan.replicas = u8::try_from(words.number("replicas").unwrap_or(3)).unwrap();
        plan.keep.deadline = words.time("deadline").unwrap_or(plan.keep.deadline);
        plan.keep.repair = words.time("repair").unwrap_or(plan.keep.repair);
        let mut tcp = Tcp {
            world: World::new(plan.seed, 1),
            doors: Doors::default(),
            plan,
            up: (1..=hosts).collect(),
            asked: 0,
        };
        for host in 1..=hosts {
            start(&mut tcp.world, &tcp.plan, host, &tcp.doors);
        }
        tcp.world.run(seconds(3));
        tcp
    }

    pub(super) fn deed(&mut self, name: &str, words: &Words) {
        match name {
            "crash" => words.places().for_each(|host| {
                self.world.sim.crash(format!("h{host}"));
                self.up.remove(&host);
            }),
            "restart" => words.places().for_each(|host| {
                self.world.sim.bounce(format!("h{host}"));
                self.up.insert(host);
            }),
            "run" => self.world.run(time(words.place(0).unwrap())),
            _ => self.world.run(seconds(30)),
        }
        // Links break and are made at once there, here within some seconds.
        self.world.run(seconds(3));
    }

    /// What a client is told.
    pub(super) fn ask(&mut self, name: &str, words: &Words) -> String {
        let first = self.up.first().copied().unwrap_or(1);
        let mut at = words.get("at").map_or(first, host);
        let request = match name {
            "join" | "leave" => {
                at = host(words.place(0).unwrap());
                if name == "leave" {
                    Request::Leave
                } else {
                    self.join(at, words)
                }
            }
            "replicas" => match words.place(0) {
                Some(copies) => Request::Change(vec![Change::Replicas(copies.parse().unwrap())]),
                None => Request::Status,
            },
            _ => match request(name, words) {
                Ok(request) => request,
                Err(refused) => return refused,
            },
        };
        let options = Options {
            consistency: words.get("consistency").map(|text| match text {
                "one" => Consistency::One,
                "all" => Consistency::All,
                _ => Consistency::Quorum,
            }),
            replicas: words
                .number("replicas")
                .filter(|_| !matches!(name, "join"))
                .map(|copies| u8::try_from(copies).unwrap()),
            deadline: words.time("deadline"),
        };
        told(&self.reply(at, request, options))
    }

    /// A host that is not in the ring yet wants to be.
    fn join(&mut self, at: u64, words: &Words) -> Request {
        if self.up.insert(at) && !self.doors.borrow().contains_key(&HostId(at)) {
            start(&mut self.world, &self.plan, at, &self.doors);
            self.world.run(seconds(3));
        }
        Request::Join {
            via: HostId(host(words.get("via").unwrap())),
            replaces: None,
            replicas: words
                .number("replicas")
                .map(|copies| u8::try_from(copies).unwrap()),
            member: Member::new([]),
            tokens: u16::try_from(words.number("tokens").unwrap_or(self.plan.tokens.into()))
                .unwrap(),
        }
    }

    fn reply(&mut self, at: u64, request: Request, options: Options) -> Reply {
        let door = dht(&self.doors, at).with(options);
        let answer = Rc::new(RefCell::new(None));
        let told = Rc::clone(&answer);
        self.asked += 1;
        self.world
            .sim
            .client(format!("client{}", self.asked), async move {
                let reply = match door.ask(request).await {
                    Ok(outcome) => Ok(outcome),
                    Err(DhtError::Failed(failure)) => Err(failure),
                    Err(other) => panic!("{other}"),
                };
                *told.borrow_mut() = Some(reply);
                Ok(())
            });
        let until = self.world.sim.elapsed() + seconds(PATIENCE);
        while answer.borrow().is_none() && self.world.sim.elapsed() < until {
            self.world.run(Duration::from_millis(1));
        }
        // What is still on its way arrives.
        self.world.run(Duration::from_millis(50));
        answer.take().expect("an answer in time")
    }
}

fn request(name: &str, words: &Words) -> Result<Request, String> {
    let body = |at| match words.number("size") {
        Some(size) => {
            let bytes = (b'a'..=b'z').cycle().take(usize::try_from(size).unwrap());
            Body::new(bytes.collect::<Vec<u8>>())
        }
        None => Body::new(words.place(at).unwrap_or_default().to_owned()),
    };
    if name == "put-content" {
        return Ok(Request::PutContent(body(0)));
    }
    let (bytes, at) = match words.number("key-size") {
        Some(size) => (vec![b'k'; usize::try_from(size).unwrap()], 0),
        None => (words.place(0).unwrap().as_bytes().to_vec(), 1),
    };
    let key = Key::new(bytes).map_err(|error| format!("refused: {error}"))?;
    let op = match name {
        "put" => KeyOp::Put(body(at), words.time("ttl").map(Expiry::In)),
        "del" => KeyOp::Delete,
        "has" => KeyOp::Has,
        "ttl" => KeyOp::Ttl,
        "expire" => KeyOp::Expire(match words.get("in") {
            Some("never") | None => Expiry::Never,
            Some(text) => Expiry::In(time(text)),
        }),
        "whereis" => return Ok(Request::WhereIs(key)),
        _ => KeyOp::Get,
    };
    Ok(Request::One(key, op))
}

/// In the words of a story.
fn told(reply: &Reply) -> String {
    match reply {
        Err(failure) => format!("failed: {failure}"),
        Ok(Outcome::Value(Some(found))) => {
            let bytes = found.body.to_bytes();
            let value = if bytes.len() <= 40 {
                format!("\"{}\"", bytes.escape_ascii())
            } else {
                format!("{} bytes with SHA-1 {}", bytes.len(), Id::of(&bytes))
            };
            let until = if found.deadline.is_some() {
                ", will expire"
            } else {
                ""
            };
            format!("{value} {}{until}", found.version)
        }
        Ok(Outcome::StoredContent(key, version)) => format!("stored {key} {version}"),
        Ok(Outcome::Ttl(Some(Some(_)))) => "will expire".to_owned(),
        Ok(Outcome::Settled(version)) if version.0 == 0 => "has left".to_owned(),
        Ok(outcome) => outcome.to_string(),
    }
}
