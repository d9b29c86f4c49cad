//! One coordinator, h1, a replica like h2 and h3, whose answers are made up here.

use std::collections::BTreeMap;

use super::*;
use crate::keep::config::KeepConfig;
use crate::keep::open::Caller;
use crate::keep::wanted::Wanted;
use crate::keyspace::Id;
use crate::message::{Consistency, Expiry, KeepMessage, KeyOp, Message, Options, Outcome, Ticket};
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
        self.asks_at("cat", op, None);
    }

    fn asks_at(&mut self, key: &'static str, op: KeyOp, consistency: Option<Consistency>) {
        let (caller, key) = (Caller::One(Ticket(1)), Key::new(key).unwrap());
        let options = Options {
            consistency,
            ..Options::default()
        };
        self.call(|keeper, cx| keeper.begin(cx, caller, (key, op), options, None));
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

#[test]
fn one_who_has_slept_is_sent_the_roster_once_and_each_question_it_refused_once() {
    let mut one = One::of_three();
    for key in ["cat", "dog", "eel"] {
        one.asks_at(key, KeyOp::Get, Some(Consistency::All));
    }
    let sent = one.sent();
    let mut asked = Vec::new();
    for (to, message) in &sent {
        if let (H2, KeepMessage::Ask { req, at, .. }) = (*to, message) {
            asked.push((*req, *at));
        }
    }
    assert_eq!(asked.len(), 3, "{sent:?}");
    let refuse = |one: &mut One, (req, at)| {
        let result = Err(Refusal::Behind(RosterVersion::NONE));
        let mark = Mark::NONE;
        one.hears(
            H2,
            KeepMessage::Answer {
                req,
                at,
                mark,
                result,
            },
        );
    };
    // The network brings every refusal twice.
    for question in asked.iter().chain(&asked) {
        refuse(&mut one, *question);
    }
    let rosters = |sent: &[(HostId, KeepMessage)]| {
        let is_roster = |message: &KeepMessage| matches!(message, KeepMessage::RosterIs(_));
        sent.iter()
            .filter(|(_, message)| is_roster(message))
            .count()
    };
    let sent = one.sent();
    assert_eq!((rosters(&sent), sent.len()), (1, 1), "{sent:?}");
    let version = asked[0].1;
    let have = || KeepMessage::RosterHave { version };
    one.hears(H2, have());
    let again: Vec<(ReqId, RosterVersion)> = one
        .sent()
        .into_iter()
        .filter_map(|(to, message)| match message {
            KeepMessage::Ask { req, at, .. } if to == H2 => Some((req, at)),
            _ => panic!("it is asked nothing else: {to} {message:?}"),
        })
        .collect();
    assert_eq!(again, asked);
    one.hears(H2, have());
    assert_eq!(one.sent(), Vec::new(), "it was asked already");
    // A refusal that comes late, from before: it is told again, and that one question is asked again.
    refuse(&mut one, asked[1]);
    assert_eq!(rosters(&one.sent()), 1);
    one.hears(H2, have());
    assert_eq!(one.sent().len(), 1);
}
