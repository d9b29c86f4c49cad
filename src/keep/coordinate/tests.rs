//! Answers of h2 and h3 are made up here.

use super::*;
use crate::keep::wanted::{H2, H3, One};
use crate::message::{Expiry, KeepMessage, KeyOp, Outcome};
use crate::record::{Body, Cells, Key, Record, Stamp, ValueCell, Version};
use crate::store::{Op, Store};

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
fn a_late_word_of_doubt_is_no_refusal_of_what_is_written_by_now() {
    let mut one = One::of_three();
    one.asks(KeyOp::Put(Body::new("meow"), None));
    let (asked, req, at) = match &one.sent()[..] {
        [(to, KeepMessage::Ask { req, at, .. })] => (*to, *req, *at),
        sent => panic!("one more must answer: {sent:?}"),
    };
    let answer = |result| KeepMessage::Answer {
        req,
        at,
        mark: Mark::NONE,
        result,
    };
    one.hears(asked, answer(Ok(Answered::Versions(Summary::default()))));
    let sent = one.sent();
    let (write, _, new) = write_to(&sent, H2);
    let wrote = |result| KeepMessage::Wrote {
        req: write,
        at,
        result,
    };
    // Asked for versions h2 was in doubt; that comes late. h3 has no room. That is one refusal of the write.
    one.hears(H2, answer(Err(Refusal::Doubts)));
    one.hears(H3, wrote(Err(Refusal::Store("no room".into()))));
    assert!(one.wanted.answers.is_empty(), "h1 and h2 may still do");
    one.hears(H2, wrote(Ok(new)));
    let stored = one.wanted.answers.pop();
    assert!(matches!(stored, Some(Ok(Outcome::Stored(_)))), "{stored:?}");
}
