//! What a source of a move says a second time counts for nothing.
//!
//! A question that is asked again, because its answer was late, is answered twice. If the second answer were taken for
//! that to the next question, a source could be done while a part of its span was never sent.

#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

mod one;

use roundelay::message::KeepMessage;
use roundelay::placement::HostId;
use roundelay::record::{Body, Cells, Key, Record, Stamp, ValueCell, Version};

use one::Replica;

fn record(key: &str) -> Record {
    let version = Version {
        stamp: Stamp(9),
        delete: false,
        host: HostId(1),
        start: 1,
    };
    let body = Some(Body::new("a value"));
    let value = Some(ValueCell { version, body });
    let expiry = None;
    Record {
        key: Key::new(key.to_owned()).unwrap(),
        cells: Cells { value, expiry },
    }
}

#[test]
fn a_chunk_that_comes_twice_is_not_the_next_one() {
    let (mut newcomer, moving) = Replica::newcomer();
    let (req, after) = newcomer.pulls();
    assert_eq!(after, None);
    let cat = record("cat");
    let chunk = KeepMessage::Chunk {
        req,
        at: moving.version,
        result: Ok((vec![cat.clone()], true)),
    };
    newcomer.hear(chunk.clone());
    newcomer.write_to_disk();
    let (next, after) = newcomer.pulls();
    assert_eq!(after, Some(cat.key), "more follows");
    newcomer.hear(chunk);
    assert!(newcomer.world.ops.is_empty() && newcomer.world.sent.is_empty());
    // And what it waits for is still taken.
    let last = KeepMessage::Chunk {
        req: next,
        at: moving.version,
        result: Ok((vec![record("cow")], false)),
    };
    newcomer.hear(last);
    assert_eq!(newcomer.world.ops.len(), 1, "one record to merge");
}
