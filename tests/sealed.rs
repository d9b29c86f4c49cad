//! A source that has given its snapshot confirms nothing more under the roster before.
//!
//! The model of the rules (`tests/model`, "a source is not sealed") shows what is lost otherwise: a write is
//! acknowledged by a replica whose snapshot went to the new replicas without it. A large value comes in pieces
//! and takes its time, so the roster may change between the write and its last piece.

#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the other messages are not looked at"
)]

mod one;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use roundelay::keep::Then;
use roundelay::keyspace::Id;
use roundelay::message::{KeepMessage, Refusal, ReqId, Road};
use roundelay::placement::{HostId, Member};
use roundelay::record::{Body, Cells, Key, PIECE_BYTES, Record, Stamp, ValueCell, Version};
use roundelay::roster::{Change, RingId, Roster};
use roundelay::store::Op;

use one::Replica;

impl Replica {
    /// Says that piece of the value it waits for.
    fn piece(&mut self, index: u32, version: Version) {
        let asked = self.world.sent.drain(..).find_map(|message| match message {
            KeepMessage::AskPiece {
                req, index: asked, ..
            } if asked == index => Some(req),
            _ => None,
        });
        let req = asked.expect("the next piece is asked for");
        let bytes = Some(Bytes::from(vec![7; PIECE_BYTES]));
        self.hear(KeepMessage::PieceIs {
            req,
            version,
            index,
            bytes,
        });
    }
}

fn member(host: u64) -> Member {
    Member::new([Id::from_u64(host)])
}

fn version() -> Version {
    Version {
        stamp: Stamp(9),
        delete: false,
        host: HostId(1),
        start: 1,
    }
}

/// A value of two pieces, without them.
fn bare() -> Record {
    let body = Body::new(vec![7; 2 * PIECE_BYTES]).for_travel();
    let value = ValueCell {
        version: version(),
        body: Some(body),
    };
    let cells = Cells {
        value: Some(value),
        expiry: None,
    };
    Record {
        key: Key::new("large").unwrap(),
        cells,
    }
}

/// Replica h3 of h1 h2 h3, to whom h1 has begun to send a value of two pieces.
fn begun() -> (Replica, Roster) {
    let members: BTreeMap<HostId, Member> =
        (1..=3).map(|host| (HostId(host), member(host))).collect();
    let roster = Roster::settled(RingId(1), members, 3).unwrap();
    let mut replica = Replica::new(HostId(3));
    let settled = Arc::new(roster.clone());
    replica.call(|keeper, cx| keeper.enter(cx, settled));
    replica.write_to_disk();
    let record = bare();
    let (req, at) = (ReqId(5), roster.version);
    replica.hear(KeepMessage::Write {
        req,
        at,
        record,
        road: Road::Request,
    });
    replica.piece(0, version());
    replica.write_to_disk();
    (replica, roster)
}

fn confirmations(replica: &Replica) -> Vec<Result<(), &Refusal>> {
    let sent = replica.world.sent.iter();
    sent.filter_map(|message| match message {
        KeepMessage::Wrote { result, .. } => Some(result.as_ref().map(|_| ())),
        _ => None,
    })
    .collect()
}

#[test]
fn a_large_value_is_confirmed_when_its_last_piece_is_stored() {
    let (mut replica, _) = begun();
    replica.piece(1, version());
    replica.write_to_disk();
    assert_eq!(confirmations(&replica), [Ok(())]);
}

#[test]
fn a_large_value_whose_roster_has_passed_is_not_confirmed() {
    // Its last piece comes while the Moving roster is on its way to the disk, or when it is there.
    for adopted in [false, true] {
        let (mut replica, roster) = begun();
        let joins = Change::Join(HostId(4), member(4));
        let moving = roster.moved(HostId(1), &[joins]).unwrap();
        let asked = std::mem::take(&mut replica.world.sent);
        replica.hear(KeepMessage::RosterIs(Arc::new(moving)));
        if adopted {
            replica.write_to_disk();
        }
        replica.world.sent = asked;
        replica.piece(1, version());
        replica.write_to_disk();
        let confirmed = confirmations(&replica);
        assert!(
            !confirmed.contains(&Ok(())),
            "sealed, and yet: {confirmed:?}"
        );
        if adopted {
            assert!(
                matches!(confirmed[..], [Err(Refusal::Ahead(_))]),
                "{confirmed:?}"
            );
        }
    }
}

#[test]
fn a_large_value_that_a_move_was_bringing_is_not_stored_once_the_place_is_anothers() {
    for given_up in [false, true] {
        let (mut newcomer, moving) = Replica::newcomer();
        let (req, _) = newcomer.pulls();
        newcomer.hear(KeepMessage::Chunk {
            req,
            at: moving.version,
            result: Ok((vec![bare()], false)),
        });
        newcomer.piece(0, version());
        newcomer.write_to_disk();
        if given_up {
            let asked = std::mem::take(&mut newcomer.world.sent);
            let old = moving.given_up(HostId(1)).unwrap();
            newcomer.hear(KeepMessage::RosterIs(Arc::new(old)));
            newcomer.write_to_disk();
            newcomer.world.sent = asked;
        }
        newcomer.piece(1, version());
        let mut stored = false;
        while !newcomer.world.ops.is_empty() {
            let merges = |(op, _): &(Op, Then)| matches!(op, Op::Merge(_) | Op::Guarded(..));
            stored |= newcomer.world.ops.iter().any(merges);
            newcomer.write_one();
        }
        assert_eq!(stored, !given_up);
    }
}
