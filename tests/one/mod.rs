//! One host's keeping, without a world: what it sends and stores is remembered, and done when a test says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use roundelay::keep::{Context, KeepConfig, Keeper, Then};
use roundelay::keyspace::Id;
use roundelay::message::{Effects, Envelope, Event, KeepMessage, Message, Reply, ReqId, Ticket};
use roundelay::placement::{HostId, Member};
use roundelay::record::{Key, Now};
use roundelay::roster::{Change, RingId, Roster};
use roundelay::store::{MemoryStore, Op, Store};

/// Remembers what was sent; carries out store operations when told to.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) sent: Vec<KeepMessage>,
    pub(crate) ops: Vec<(Op, Then)>,
}

impl Effects<Then> for World {
    fn send(&mut self, envelope: Envelope) {
        if let Message::Keep(message) = envelope.body {
            self.sent.push(message);
        }
    }

    fn store(&mut self, op: Op, then: Then) {
        self.ops.push((op, then));
    }

    fn answer(&mut self, _: Ticket, _: Reply) {}

    fn note(&mut self, _: Event) {}
}

/// One replica and its disk.
pub(crate) struct Replica {
    keeper: Keeper,
    pub(crate) world: World,
    disk: MemoryStore,
}

impl Replica {
    /// A host in the first moments of its first life.
    pub(crate) fn new(host: HostId) -> Replica {
        let keeper = Keeper::new(host, KeepConfig::default(), 1, &|_| None);
        let mut replica = Replica {
            keeper,
            world: World::default(),
            disk: MemoryStore::default(),
        };
        replica.call(|keeper, cx| keeper.start(cx, false));
        replica.write_to_disk();
        replica
    }

    /// h2 as it comes to the ring of h1 with one copy of each key, and the Moving roster: all but one id is to be its own.
    pub(crate) fn newcomer() -> (Replica, Arc<Roster>) {
        let alone = BTreeMap::from([(HostId(1), Member::new([Id::ZERO]))]);
        let settled = Roster::settled(RingId(1), alone, 1).unwrap();
        let joins = Change::Join(HostId(2), Member::new([Id::MAX]));
        let moving = Arc::new(settled.moved(HostId(1), &[joins]).unwrap());
        let mut newcomer = Replica::new(HostId(2));
        newcomer.call(|keeper, cx| keeper.enter(cx, Arc::clone(&moving)));
        newcomer.write_to_disk();
        (newcomer, moving)
    }

    /// What it last asked h1 for its span, and after which key.
    pub(crate) fn pulls(&mut self) -> (ReqId, Option<Key>) {
        let pull = |message| {
            if let KeepMessage::Pull { req, after, .. } = message {
                Some((req, after))
            } else {
                None
            }
        };
        let asked = self.world.sent.drain(..).filter_map(pull).next_back();
        asked.expect("it asks for its span")
    }

    pub(crate) fn call(&mut self, call: impl FnOnce(&mut Keeper, &mut Context<'_>)) {
        let mut cx = Context {
            now: Now::default(),
            fx: &mut self.world,
        };
        call(&mut self.keeper, &mut cx);
    }

    /// Hears that from h1.
    pub(crate) fn hear(&mut self, message: KeepMessage) {
        self.call(|keeper, cx| keeper.receive(cx, HostId(1), message));
    }

    pub(crate) fn write_to_disk(&mut self) {
        while !self.world.ops.is_empty() {
            self.write_one();
        }
    }

    /// The oldest operation is done.
    pub(crate) fn write_one(&mut self) {
        let (op, then) = self.world.ops.remove(0);
        let done = self.disk.apply(op);
        self.call(|keeper, cx| keeper.stored(cx, done, then));
    }
}
