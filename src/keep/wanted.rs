//! For tests: the effects of a keeper, gathered, and a coordinator whose peers are made up.

use std::collections::BTreeMap;

use crate::keyspace::Id;
use crate::message::{
    Effects, Envelope, Event, KeepMessage, KeyOp, Message, Options, Reply, Ticket,
};
use crate::placement::{HostId, Member};
use crate::record::{Key, Now, Stamp, Time, WallMs};
use crate::roster::{RingId, Roster};
use crate::store::{Done, MemoryStore, Op, Store};

use super::config::KeepConfig;
use super::open::Caller;
use super::{Context, Keeper, Then};

/// What a keeper wants done.
#[derive(Default)]
pub(super) struct Wanted {
    /// A store that answers at once.
    pub(super) at_once: Option<MemoryStore>,
    pub(super) stores: Vec<(Op, Then)>,
    pub(super) answers: Vec<Reply>,
    pub(super) sends: Vec<Envelope>,
}

impl Effects<Then> for Wanted {
    fn send(&mut self, envelope: Envelope) {
        self.sends.push(envelope);
    }
    fn store(&mut self, op: Op, then: Then) {
        self.stores.push((op, then));
    }
    fn store_at_once(&mut self, op: &mut Option<Op>) -> Option<Done> {
        let store = self.at_once.as_mut()?;
        op.take().map(|op| store.apply(op))
    }
    fn answer(&mut self, _: Ticket, reply: Reply) {
        self.answers.push(reply);
    }
    fn note(&mut self, _: Event) {}
}

pub(super) const H2: HostId = HostId(2);
pub(super) const H3: HostId = HostId(3);

/// One coordinator, h1, a replica like h2 and h3, whose answers the test makes up.
pub(super) struct One {
    pub(super) keeper: Keeper,
    pub(super) store: MemoryStore,
    pub(super) wanted: Wanted,
}

impl One {
    pub(super) fn of_three() -> One {
        let mut keeper = Keeper::new(HostId(1), KeepConfig::default(), 1, &|_| None);
        keeper.start = keeper.starting;
        keeper.clock.reserve(Stamp(u64::MAX / 2));
        let member = |host: u64| (HostId(host), Member::new([Id::from_u64(host)]));
        let members: BTreeMap<_, _> = (1..=3).map(member).collect();
        let roster = std::sync::Arc::new(Roster::settled(RingId(1), members, 3).unwrap());
        keeper.mover.at = roster.version;
        keeper.roster = Some(roster);
        One {
            keeper,
            store: MemoryStore::new(),
            wanted: Wanted::default(),
        }
    }

    /// It does something, and so does its store, until neither has more to do.
    pub(super) fn call(&mut self, what: impl FnOnce(&mut Keeper, &mut Context<'_>)) {
        let now = Now {
            at: Time::ZERO,
            wall: WallMs(1_000),
        };
        let fx = &mut self.wanted;
        what(&mut self.keeper, &mut Context { now, fx });
        while !self.wanted.stores.is_empty() {
            let (op, then) = self.wanted.stores.remove(0);
            let done = self.store.apply(op);
            let fx = &mut self.wanted;
            self.keeper.stored(&mut Context { now, fx }, done, then);
        }
        assert_eq!(self.keeper.check_all(), Ok(()));
    }

    pub(super) fn asks(&mut self, op: KeyOp) {
        self.asks_so("cat", op, Options::default());
    }

    pub(super) fn asks_so(&mut self, key: &'static str, op: KeyOp, options: Options) {
        let (caller, key) = (Caller::One(Ticket(1)), Key::new(key).unwrap());
        self.call(|keeper, cx| keeper.begin(cx, caller, (key, op), options, None));
    }

    /// What it has sent to others since it was last looked at.
    pub(super) fn sent(&mut self) -> Vec<(HostId, KeepMessage)> {
        let sent = std::mem::take(&mut self.wanted.sends).into_iter();
        let keep = sent.filter_map(|envelope| match envelope.body {
            Message::Keep(message) => Some((envelope.to, message)),
            Message::Find { .. } | Message::Detect(_) => None,
        });
        keep.collect()
    }

    pub(super) fn hears(&mut self, from: HostId, message: KeepMessage) {
        self.call(|keeper, cx| keeper.receive(cx, from, message));
    }
}
