//! An actor panics: it is noticed, and its host begins again from its records, or stays down.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use actix::WeakRecipient;
use roundelay::actor::{
    Begins, Book, Clock, Input, Local, ReplyTo, Shell, Surroundings, open, start,
};
use roundelay::dht::{Dht, DhtError};
use roundelay::find::{FindConfig, Routes};
use roundelay::keep::Then;
use roundelay::message::{
    Envelope, Event, KeepMessage, Message, Options, Reply, Request, Ticket, View,
};
use roundelay::node::Host;
use roundelay::placement::HostId;
use roundelay::record::{Now, WallMs};
use roundelay::ring::Direction;
use roundelay::roster::RosterVersion;
use roundelay::sim::{NetworkConfig, RingPlan, Stage, paused};
use roundelay::store::{Done, MemoryStore, Op, Store};

use super::{House, question, walk};

/// The host that has a trap.
const TRAPPED: HostId = HostId(1);

/// Surroundings in which the next look at the clock panics, when the trap is set.
struct Trapped {
    inner: Local,
    trap: Rc<Cell<bool>>,
    notes: Rc<RefCell<Vec<Event>>>,
}

impl Surroundings for Trapped {
    fn born(&mut self, actor: WeakRecipient<Input>) {
        self.inner.born(actor);
    }

    fn now(&self) -> Now {
        assert!(!self.trap.take(), "in the trap");
        self.inner.now()
    }

    fn store(&mut self, op: Op, then: Then) -> Option<(Done, Then)> {
        self.inner.store(op, then)
    }

    fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        self.inner.ticket(reply)
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.inner.answer(ticket, reply);
    }

    fn note(&mut self, event: Event) {
        if matches!(event, Event::Fell { .. }) {
            self.notes.borrow_mut().push(event);
        }
    }

    fn forget(&mut self) {
        self.inner.forget();
    }

    fn again(&mut self) -> Option<Begins> {
        self.inner.again()
    }

    fn settled(&mut self, wake: Option<roundelay::record::Time>) {
        self.inner.settled(wake);
    }
}

/// A ring whose first host has a trap.
struct Pitfall {
    house: House,
    trap: Rc<Cell<bool>>,
    notes: Rc<RefCell<Vec<Event>>>,
    shell: Weak<RefCell<Shell>>,
}

impl Pitfall {
    async fn build() -> Pitfall {
        let mut plan = RingPlan::new(4, 7);
        plan.find = Arc::new(FindConfig {
            routes: Routes::Neighbours,
            ..FindConfig::default()
        });
        let (trap, notes) = (Rc::default(), Rc::default());
        let book = Rc::new(RefCell::new(Book::new()));
        let clock = Clock::beginning(WallMs(1_700_000_000_000));
        let roster = Arc::new(plan.roster().unwrap());
        let mut house = House::empty(&book, &roster);
        for id in plan.ids() {
            let (config, store) = (plan.config(id), Box::new(MemoryStore::new()));
            if id != TRAPPED {
                let opened = open(config, store, clock, &book);
                house.hosts.insert(id, opened);
                continue;
            }
            let host = Host::new(config.clone(), &|name| store.setting(name));
            let surroundings = Trapped {
                inner: Local::new(id, clock, store).again_as(config),
                trap: Rc::clone(&trap),
                notes: Rc::clone(&notes),
            };
            let shell = Shell::new(host, Box::new(surroundings), Rc::clone(&book));
            let watch = Rc::downgrade(&shell);
            house.hosts.insert(id, (start(shell, &book), watch));
        }
        house.enter(&roster).await;
        let shell = house.hosts[&TRAPPED].1.clone();
        let pitfall = Pitfall {
            house,
            trap,
            notes,
            shell,
        };
        let dht = pitfall.house.dht(HostId(2));
        for key in 0..20 {
            dht.put(format!("key {key}"), "value").await.unwrap();
        }
        pitfall
    }

    /// Sets the trap and sends the host something, which is the first to step into it.
    async fn spring(&self, envelope: Envelope) {
        let line = self.house.book.borrow().listed(&envelope).cloned();
        self.trap.set(true);
        line.expect("the host is up").do_send(envelope);
        actix::clock::sleep(Duration::from_secs(1)).await;
        assert!(!self.trap.get(), "nobody stepped into the trap");
    }

    /// The handle on the trapped host as it is now.
    fn dht(&self) -> Option<Dht> {
        let door = self.shell.upgrade()?.borrow().door()?;
        Some(Dht::new(door, TRAPPED))
    }

    async fn all_keys_are_there(&self, by: &Dht) {
        for key in 0..20 {
            let found = by.get(format!("key {key}")).await.unwrap();
            assert_eq!(found.unwrap().body.to_bytes(), "value");
        }
    }
}

/// What one host says to another now and then.
fn gossip(to: HostId) -> Envelope {
    let (version, wall) = (RosterVersion(1), WallMs(1_700_000_000_000));
    let body = Message::Keep(KeepMessage::Gossip {
        version,
        wall,
        view: View::default(),
    });
    let from = HostId(2);
    Envelope { from, to, body }
}

#[test]
fn a_node_that_panics_is_noticed_and_its_host_begins_again_from_its_records() {
    paused().block_on(async {
        let pitfall = Pitfall::build().await;
        let node = pitfall.house.nodes.iter().find(|node| node.host == TRAPPED);
        let node = *node.unwrap();
        let mut envelope = question(&pitfall.house, Direction::Clockwise, node);
        if let Message::Find { to, .. } = &mut envelope.body {
            *to = node.id;
        }
        envelope.to = TRAPPED;
        pitfall.spring(envelope).await;
        let fell = Event::Fell {
            node: Some(node.id),
            why: "in the trap".into(),
            again: true,
        };
        assert_eq!(*pitfall.notes.borrow(), [fell]);
        let gone = pitfall.house.dht(TRAPPED).get("key 0").await;
        assert!(matches!(gone, Err(DhtError::Gone(TRAPPED))), "{gone:?}");
        pitfall.all_keys_are_there(&pitfall.dht().unwrap()).await;
        // Its neighbours find its new actors.
        let path = walk(&pitfall.house, Direction::Clockwise).await;
        assert_eq!(path[1..], pitfall.house.nodes[..]);
        pitfall.dht().unwrap().put("key 20", "new").await.unwrap();
    });
}

#[test]
fn a_host_whose_own_actor_panics_begins_again_too() {
    paused().block_on(async {
        let pitfall = Pitfall::build().await;
        pitfall.spring(gossip(TRAPPED)).await;
        let again = matches!(
            pitfall.notes.borrow()[..],
            [Event::Fell {
                node: None,
                again: true,
                ..
            }]
        );
        assert!(again, "{:?}", pitfall.notes.borrow());
        pitfall.all_keys_are_there(&pitfall.dht().unwrap()).await;
    });
}

#[test]
#[allow(clippy::wildcard_enum_match_arm, reason = "only a panic is counted")]
fn a_host_that_panics_again_and_again_stays_down_and_the_others_go_on() {
    paused().block_on(async {
        let pitfall = Pitfall::build().await;
        for _ in 0..4 {
            pitfall.spring(gossip(TRAPPED)).await;
        }
        let notes = pitfall.notes.borrow().clone();
        let again = notes.iter().map(|note| match note {
            Event::Fell { again, .. } => *again,
            other => panic!("{other}"),
        });
        assert_eq!(again.collect::<Vec<_>>(), [true, true, true, false]);
        assert!(
            notes[3].to_string().ends_with("it stays down"),
            "{}",
            notes[3]
        );
        assert!(pitfall.dht().is_none() && pitfall.shell.strong_count() == 0);
        let listed = pitfall
            .house
            .book
            .borrow()
            .listed(&gossip(TRAPPED))
            .is_some();
        assert!(!listed, "nobody is sent to who is not there");
        pitfall
            .all_keys_are_there(&pitfall.house.dht(HostId(3)))
            .await;
    });
}

#[test]
fn on_the_stage_a_panic_is_a_crash() {
    paused().block_on(async {
        let mut stage = Stage::ring(&RingPlan::new(4, 1), NetworkConfig::default()).unwrap();
        stage
            .run_until(roundelay::record::Time::from_ms(1000))
            .await;
        // Nobody asked under that number, so the world panics when it is answered.
        let request = Input::Request(Ticket(u64::MAX), Request::Status, Options::default());
        stage.tell(HostId(2), request);
        stage
            .run_until(roundelay::record::Time::from_ms(3000))
            .await;
        assert!(!stage.is_up(HostId(2)));
        let dht = Dht::new(stage.door(), HostId(1));
        dht.put("cat", "meow").await.unwrap();
        stage.restart(HostId(2));
        let dht = Dht::new(stage.door(), HostId(2));
        assert!(dht.get("cat").await.unwrap().is_some());
        stage.stop();
    });
}
