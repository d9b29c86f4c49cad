//! Node actors, without a simulated network between them: every address is the next actor's own.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod panics;
mod timer;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use roundelay::actor::{Ask, Book, Carried, Clock, HostActor, Input, Shell, Stop, open};
use roundelay::dht::Dht;
use roundelay::keyspace::Id;
use roundelay::message::{
    Envelope, FindMessage, Lookup, LookupAnswer, Manner, Message, Peer, Question,
};
use roundelay::placement::HostId;
use roundelay::record::WallMs;
use roundelay::ring::Direction;
use roundelay::roster::Roster;
use roundelay::sim::{RingPlan, paused};
use roundelay::store::MemoryStore;

/// A ring of actors on one arbiter, and its address book.
struct House {
    book: Rc<RefCell<Book>>,
    hosts: BTreeMap<HostId, (Addr<HostActor>, Weak<RefCell<Shell>>)>,
    nodes: Vec<Peer>,
}

impl House {
    async fn build(plan: &RingPlan) -> House {
        let book = Rc::new(RefCell::new(Book::new()));
        let clock = Clock::beginning(WallMs(1_700_000_000_000));
        let roster = Arc::new(plan.roster().unwrap());
        let mut house = House::empty(&book, &roster);
        for id in plan.ids() {
            let opened = open(plan.config(id), Box::new(MemoryStore::new()), clock, &book);
            house.hosts.insert(id, opened);
        }
        house.enter(&roster).await;
        house
    }

    /// Without hosts yet.
    fn empty(book: &Rc<RefCell<Book>>, roster: &Roster) -> House {
        let tokens = roster.new().placement.tokens();
        let nodes = tokens
            .map(|token| Peer {
                id: token.id,
                host: token.host,
            })
            .collect();
        House {
            book: Rc::clone(book),
            hosts: BTreeMap::new(),
            nodes,
        }
    }

    /// All hosts begin by that roster.
    async fn enter(&self, roster: &Arc<Roster>) {
        for (actor, _) in self.hosts.values() {
            actor.do_send(Input::Enter(Arc::clone(roster)));
        }
        // Off the full second: nobody gossips while messages are counted.
        actix::clock::sleep(Duration::from_millis(2_100)).await;
    }

    fn carried(&self) -> Carried {
        let mut all = Carried::default();
        for (_, shell) in self.hosts.values() {
            all += shell.upgrade().unwrap().borrow().carried();
        }
        all
    }

    fn dht(&self, host: HostId) -> Dht {
        let door: Recipient<Ask> = self.hosts[&host].0.clone().recipient();
        Dht::new(door, host)
    }

    async fn stop(self) {
        let House { book, hosts, .. } = self;
        let shells: Vec<Weak<RefCell<Shell>>> = hosts
            .into_values()
            .map(|(actor, shell)| {
                actor.do_send(Stop);
                shell
            })
            .collect();
        actix::clock::sleep(Duration::from_secs(1)).await;
        let watched = Rc::downgrade(&book);
        drop(book);
        for shell in &shells {
            assert_eq!(
                shell.strong_count(),
                0,
                "an actor that was stopped still lives"
            );
        }
        assert_eq!(watched.strong_count(), 0, "somebody still holds the book");
    }
}

/// Stands outside the ring and hears the answer.
struct Probe(Vec<Envelope>);

impl Actor for Probe {
    type Context = Context<Self>;
}

impl Handler<Envelope> for Probe {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        self.0.push(envelope);
    }
}

#[derive(Message)]
#[rtype(result = "Vec<Envelope>")]
struct Heard;

impl Handler<Heard> for Probe {
    type Result = MessageResult<Heard>;

    fn handle(&mut self, Heard: Heard, _: &mut Context<Self>) -> Self::Result {
        MessageResult(std::mem::take(&mut self.0))
    }
}

/// A question for the first node in that direction that only the last one can answer, from `asker`.
fn question(house: &House, direction: Direction, asker: Peer) -> Envelope {
    let (first, last) = (house.nodes[0], house.nodes[house.nodes.len() - 1]);
    let (start, target) = match direction {
        Direction::Clockwise => (first, last.id),
        Direction::AntiClockwise => (last, first.id),
    };
    let left = match direction {
        Direction::Clockwise => start.id.distance(target),
        Direction::AntiClockwise => target.distance(start.id),
    };
    let lookup = Lookup {
        question: Question(77),
        asker,
        target,
        direction,
        left: left.wrapping_add(Id::from_u64(1)),
        relays: 1,
        limit: 1000,
        manner: Manner::PassOn,
        avoid: Vec::new(),
        path: Some(vec![asker]),
    };
    Envelope {
        from: asker.host,
        to: start.host,
        body: Message::Find {
            from: asker.id,
            to: start.id,
            message: FindMessage::Lookup(lookup),
        },
    }
}

/// Asks round the whole ring in that direction; returns who handled the question.
async fn walk(house: &House, direction: Direction) -> Vec<Peer> {
    let asker = Peer {
        id: Id::from_u64(1),
        host: HostId(999),
    };
    let probe = Probe(Vec::new()).start();
    let line = probe.clone().recipient();
    house.book.borrow_mut().add_host(asker.host, line);
    let envelope = question(house, direction, asker);
    let first = house.book.borrow().listed(&envelope).unwrap().clone();
    first.do_send(envelope);
    actix::clock::sleep(Duration::from_millis(1)).await;
    let heard = probe.send(Heard).await.unwrap();
    house.book.borrow_mut().remove_host(asker.host);
    let answers = heard.into_iter().filter_map(|envelope| {
        if let Message::Find {
            message: FindMessage::Answer { answer, .. },
            ..
        } = envelope.body
        {
            Some(answer)
        } else {
            None
        }
    });
    match answers.last() {
        Some(LookupAnswer::Found {
            path: Some(path), ..
        }) => path,
        other => panic!("the walk {direction} ended with {other:?}"),
    }
}

#[test]
fn the_whole_ring_is_walked_by_next_alone_and_by_prev_alone() {
    paused().block_on(async {
        let mut plan = RingPlan::new(6, 11);
        plan.tokens = 4;
        plan.find = Arc::new(roundelay::find::FindConfig {
            routes: roundelay::find::Routes::Neighbours,
            ..Default::default()
        });
        let house = House::build(&plan).await;
        let steps = house.nodes.len() as u64 - 1;

        let before = house.carried();
        let path = walk(&house, Direction::Clockwise).await;
        assert_eq!(path[1..], house.nodes[..], "each node in turn");
        let after = house.carried();
        assert_eq!(
            after.by_prev, before.by_prev,
            "clockwise nothing leaves by Prev"
        );
        let inside = same_host_steps(&house);
        assert_eq!(
            after.by_next - before.by_next,
            steps - inside,
            "one message by each Next"
        );

        let before = house.carried();
        let mut path = walk(&house, Direction::AntiClockwise).await;
        path.reverse();
        assert_eq!(
            path[..path.len() - 1],
            house.nodes[..],
            "each node in turn, backwards"
        );
        let after = house.carried();
        assert_eq!(
            after.by_next, before.by_next,
            "anti-clockwise nothing leaves by Next"
        );
        assert_eq!(
            after.by_prev - before.by_prev,
            steps - inside,
            "one message by each Prev"
        );
        house.stop().await;
    });
}

/// Steps between two nodes of one host: a host loops those back itself.
fn same_host_steps(house: &House) -> u64 {
    let same = |pair: &&[Peer]| pair[0].host == pair[1].host;
    house.nodes.windows(2).filter(same).count() as u64
}

#[test]
fn a_ring_of_actors_in_one_process_keeps_keys_and_ends_when_it_is_told() {
    paused().block_on(async {
        let house = House::build(&RingPlan::new(5, 2)).await;
        house.dht(HostId(1)).put("cat", "meow").await.unwrap();
        let found = house.dht(HostId(4)).get("cat").await.unwrap().unwrap();
        assert_eq!(found.body.to_bytes(), "meow");
        assert!(house.dht(HostId(3)).delete("cat").await.unwrap());
        assert_eq!(house.dht(HostId(2)).has("cat").await.unwrap(), None);
        house.stop().await;
    });
}

#[test]
fn neighbours_are_reached_by_their_own_address_and_rebound_when_they_change() {
    paused().block_on(async {
        let house = House::build(&RingPlan::new(5, 2)).await;
        let dht = house.dht(HostId(1));
        for key in 0..50 {
            dht.put(format!("key {key}"), "value").await.unwrap();
        }
        let before = house.carried();
        assert!(before.by_next > 0 && before.by_prev > 0, "{before:?}");
        dht.remove(&[HostId(5)]).await.unwrap();
        for key in 0..50 {
            assert!(dht.get(format!("key {key}")).await.unwrap().is_some());
        }
        let shell = house.hosts[&HostId(1)].1.upgrade().unwrap();
        for node in shell.borrow().host().nodes() {
            let links = node.links();
            assert!(links.next.host != HostId(5) && links.prev.host != HostId(5));
        }
        let after = house.carried();
        assert!(after.by_next > before.by_next && after.by_prev > before.by_prev);
        drop(shell);
        house.stop().await;
    });
}

/// Six pieces are put by, and later read, one after the other: more steps than a host takes in one turn.
#[test]
fn a_long_walk_through_a_store_in_memory_goes_on_in_the_next_turn() {
    paused().block_on(async {
        let house = House::build(&RingPlan::new(1, 3)).await;
        let dht = house.dht(HostId(1));
        let large = vec![7; 6 * 1024 * 1024];
        dht.put("large", large.clone()).await.unwrap();
        let found = dht.get("large").await.unwrap().expect("it was put");
        assert!(found.body.to_bytes() == large);
        house.stop().await;
    });
}
