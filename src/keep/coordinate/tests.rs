//! One coordinator, h1, a replica like h2 and h3, whose answers are made up here.

use std::collections::BTreeMap;

use super::*;
use crate::keep::config::KeepConfig;
use crate::keep::open::Caller;
use crate::keep::wanted::Wanted;
use crate::keyspace::Id;
use crate::message::{Expiry, KeepMessage, KeyOp, Message, Options, Outcome, Ticket};
use crate::placement::Member;
use crate::record::{Body, Cells, Key, Now, Record, Stamp, ValueCell, Version, WallMs};
use crate::roster::{RingId, Roster};
use crate::store::{MemoryStore, Op, Store};

const H2: HostId = HostId(2);
const H3: HostId = HostId(3);

struct One {
    keeper: Keeper,
    store: MemoryStore,
    wanted: Wanted,
}

impl One {
    fn of_three() -> One {
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
    fn call(&mut self, what: impl FnOnce(&mut Keeper, &mut Context<'_>)) {
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

    fn asks(&mut self, op: KeyOp) {
        let (caller, key) = (Caller::One(Ticket(1)), Key::new("cat").unwrap());
        self.call(|keeper, cx| keeper.begin(cx, caller, (key, op), Options::default(), None));
    }

    /// What it has sent to others since it was last looked at.
    fn sent(&mut self) -> Vec<(HostId, KeepMessage)> {
        let sent = std::mem::take(&mut self.wanted.sends).into_iter();
        let keep = sent.filter_map(|envelope| match envelope.body {
            Message::Keep(message) => Some((envelope.to, message)),
            Message::Find { .. } | Message::Detect(_) => None,
        });
        keep.collect()
    }

    fn hears(&mut self, from: HostId, message: KeepMessage) {
        self.call(|keeper, cx| keeper.receive(cx, from, message));
    }
}

/// The one write that was sent to a host.
fn write_to(sent: &[(HostId, KeepMessage)], host: HostId) -> (ReqId, RosterVersion, Summary) {
    let mut writes = sent.iter().filter_map(|(to, message)| {
        if let KeepMessage::Write {
            req, at, record, ..
        } = message
            && *to == host
        {
            return Some((*req, *at, record.cells.summary()));
        }
        None
    });
    let write = writes.next().expect("a write was sent");
    assert_eq!(writes.next(), None);
    write
}

#[test]
fn a_late_refusal_of_a_write_back_is_none_of_what_is_written_next() {
    let mut one = One::of_three();
    let version = Version {
        stamp: Stamp(7),
        delete: false,
        host: H3,
        start: 1,
    };
    let body = Some(Body::new("meow"));
    one.store.apply(Op::Merge(Record {
        key: Key::new("cat").unwrap(),
        cells: Cells {
            value: Some(ValueCell { version, body }),
            expiry: None,
        },
    }));
    one.asks(KeyOp::Expire(Expiry::In(Duration::from_secs(60))));
    let (asked, req, at) = match &one.sent()[..] {
        [(to, KeepMessage::Ask { req, at, .. })] => (*to, *req, *at),
        sent => panic!("one more must answer: {sent:?}"),
    };
    let nothing = Ok(Answered::Versions(Summary::default()));
    one.hears(
        asked,
        KeepMessage::Answer {
            req,
            at,
            mark: Mark::NONE,
            result: nothing,
        },
    );
    // It is on one replica only: the read brings it to the others before the expiry is written.
    let sent = one.sent();
    let (back, at, held) = write_to(&sent, H3);
    assert_eq!(write_to(&sent, H2).0, back);
    let wrote = |req, result| KeepMessage::Wrote { req, at, result };
    one.hears(H3, wrote(back, Ok(held)));
    let sent = one.sent();
    let (next, _, new) = write_to(&sent, H2);
    // Late, h2 refuses what was written back; h3 refuses what is written now. That is one refusal of it.
    let full = || Err(Refusal::Store("no room".into()));
    one.hears(H2, wrote(back, full()));
    one.hears(H3, wrote(next, full()));
    assert!(one.wanted.answers.is_empty(), "h1 and h2 may still do");
    one.hears(H2, wrote(next, Ok(new)));
    let answer = one.wanted.answers.pop();
    assert_eq!(answer, Some(Ok(Outcome::Version(new.greatest()))));
}
