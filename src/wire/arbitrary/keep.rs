//! Any message between hosts.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::{collection, option};

use super::chores::{about_chores, progress};
use super::{
    MAX_WALL_MS, cells, host, id, key, mark, member, record, roster, span, stamp, summary, version,
};
use crate::message::{Answered, Ballot, KeepMessage, Refusal, ReqId, Road, Step, View, Want};
use crate::record::{Marks, WallMs};
use crate::roster::{Change, MAX_ROSTER_VERSION, RosterVersion};
use crate::store::Digest;

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (host(), member()).prop_map(|(host, member)| Change::Join(host, member)),
        host().prop_map(Change::Remove),
        (host(), collection::vec(id(), 0..4))
            .prop_map(|(host, tokens)| Change::Tokens(host, tokens)),
        any::<u8>().prop_map(Change::Replicas),
        (host(), member()).prop_map(|(host, member)| Change::Zone(host, member.zone)),
        (host(), any::<u32>()).prop_map(|(host, weight)| Change::Weight(host, weight)),
        host().prop_map(Change::Drain),
        host().prop_map(Change::EndDrain),
        collection::vec(host(), 0..4).prop_map(Change::AcceptLoss),
    ]
}

pub(super) fn req() -> impl Strategy<Value = ReqId> {
    any::<u64>().prop_map(ReqId)
}

pub(super) fn at() -> impl Strategy<Value = RosterVersion> {
    prop_oneof![0u64..4, 0..=MAX_ROSTER_VERSION].prop_map(RosterVersion)
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (0u32..1 << 31, host()).prop_map(|(round, host)| Ballot { round, host })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        at().prop_map(Refusal::Behind),
        roster().prop_map(Refusal::Ahead),
        Just(Refusal::NotMine),
        ".{0,20}".prop_map(Refusal::Store),
        Just(Refusal::Below),
        Just(Refusal::Incomplete),
        Just(Refusal::Doubts),
    ]
}

fn or_refused<T: std::fmt::Debug + 'static>(
    good: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Result<T, Refusal>> {
    prop_oneof![3 => good.prop_map(Ok), 1 => refusal().prop_map(Err)].boxed()
}

fn bytes() -> impl Strategy<Value = Bytes> {
    collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from)
}

fn marks() -> impl Strategy<Value = Marks> {
    collection::vec((span(), mark()), 0..4).prop_map(|raised| {
        let mut marks = Marks::default();
        for (span, mark) in raised {
            marks.raise(span, mark).unwrap();
        }
        marks
    })
}

fn digests() -> impl Strategy<Value = Vec<Digest>> {
    let digest = any::<(u64, u64)>().prop_map(|(records, hash)| Digest { records, hash });
    collection::vec(digest, 0..20)
}

/// Requests and their answers.
fn about_data() -> BoxedStrategy<KeepMessage> {
    use KeepMessage as M;
    let want = prop_oneof![Just(Want::Versions), Just(Want::Value)];
    let road = prop_oneof![
        Just(Road::Request),
        Just(Road::WriteBack),
        Just(Road::Hint),
        Just(Road::Repair)
    ];
    let answer = prop_oneof![
        summary().prop_map(Answered::Versions),
        cells().prop_map(Answered::Cells)
    ];
    prop_oneof![
        (req(), at(), key(), want).prop_map(|(req, at, key, want)| M::Ask { req, at, key, want }),
        (req(), at(), mark(), or_refused(answer)).prop_map(|(req, at, mark, result)| M::Answer {
            req,
            at,
            mark,
            result
        }),
        (req(), at(), record(), road).prop_map(|(req, at, record, road)| M::Write {
            req,
            at,
            record,
            road
        }),
        (req(), at(), or_refused(summary())).prop_map(|(req, at, result)| M::Wrote {
            req,
            at,
            result
        }),
        (req(), key(), version(), any::<u32>()).prop_map(|(req, key, version, index)| {
            M::AskPiece {
                req,
                key,
                version,
                index,
            }
        }),
        (req(), version(), any::<u32>(), option::of(bytes())).prop_map(
            |(req, version, index, bytes)| M::PieceIs {
                req,
                version,
                index,
                bytes
            }
        ),
    ]
    .boxed()
}

/// Agreement about the roster.
fn about_the_roster() -> BoxedStrategy<KeepMessage> {
    use KeepMessage as M;
    let wall = (0..=MAX_WALL_MS).prop_map(WallMs);
    let accepted = option::of((ballot(), roster()));
    let outcome = prop_oneof![at().prop_map(Ok), ".{0,20}".prop_map(Err)];
    prop_oneof![
        (at(), wall, any::<(u64, u64, bool)>()).prop_map(
            |(version, wall, (roster, routes, late))| M::Gossip {
                version,
                wall,
                view: View {
                    roster,
                    routes,
                    late
                },
            }
        ),
        at().prop_map(|have| M::RosterAsk { have }),
        (at(), host()).prop_map(|(at, host)| M::SuspectAsk { at, host }),
        (at(), host()).prop_map(|(at, host)| M::SuspectIs { at, host }),
        any::<bool>().prop_map(|well| M::Health { well }),
        roster().prop_map(M::RosterIs),
        at().prop_map(|version| M::RosterHave { version }),
        (at(), ballot()).prop_map(|(version, ballot)| M::Prepare { version, ballot }),
        (at(), ballot(), accepted).prop_map(|(version, ballot, accepted)| M::Promise {
            version,
            ballot,
            accepted
        }),
        (ballot(), roster()).prop_map(|(ballot, roster)| M::Propose { ballot, roster }),
        (at(), ballot()).prop_map(|(version, ballot)| M::Accepted { version, ballot }),
        (at(), ballot()).prop_map(|(version, promised)| M::Rejected { version, promised }),
        (req(), collection::vec(change(), 0..4))
            .prop_map(|(req, changes)| M::ChangeAsk { req, changes }),
        (req(), outcome).prop_map(|(req, result)| M::ChangeIs { req, result }),
    ]
    .boxed()
}

/// Moves and repair.
fn about_spans() -> BoxedStrategy<KeepMessage> {
    use KeepMessage as M;
    let chunk = (collection::vec(record(), 0..5), any::<bool>());
    let list = (collection::vec((key(), summary()), 0..5), any::<bool>());
    prop_oneof![
        (req(), at(), span(), option::of(key()), any::<bool>()).prop_map(
            |(req, at, span, after, all)| M::Pull {
                all,
                req,
                at,
                span,
                after
            }
        ),
        (req(), at(), or_refused(chunk)).prop_map(|(req, at, result)| M::Chunk { req, at, result }),
        at().prop_map(|at| M::MoveAsk { at }),
        (at(), progress()).prop_map(|(at, progress)| M::MoveIs { at, progress }),
        (req(), at(), span(), 1u16..=256, marks()).prop_map(|(req, at, span, parts, marks)| {
            M::DigestAsk {
                req,
                at,
                span,
                parts,
                marks,
            }
        }),
        (req(), marks(), or_refused(digests())).prop_map(|(req, marks, result)| {
            let marks = if result.is_ok() {
                marks
            } else {
                Marks::default()
            };
            M::DigestsAre { req, marks, result }
        }),
        (req(), at(), span(), option::of(key()), any::<bool>()).prop_map(
            |(req, at, span, after, whole)| M::ListAsk {
                req,
                at,
                span,
                after,
                whole
            }
        ),
        (req(), or_refused(list)).prop_map(|(req, result)| M::ListIs { req, result }),
    ]
    .boxed()
}

/// Fences and floors.
fn about_collecting() -> BoxedStrategy<KeepMessage> {
    use KeepMessage as M;
    let step = prop_oneof![Just(Step::Ready), Just(Step::Fence), Just(Step::Floor)];
    prop_oneof![
        at().prop_map(|at| M::MarksAsk { at }),
        (at(), or_refused((marks(), collection::vec(span(), 0..4))))
            .prop_map(|(at, result)| M::MarksAre { at, result }),
        (req(), at(), span(), stamp(), step).prop_map(|(req, at, span, upto, step)| {
            M::RoundAsk {
                req,
                at,
                span,
                upto,
                step,
            }
        }),
        (req(), at(), or_refused(Just(()))).prop_map(|(req, at, result)| M::RoundIs {
            req,
            at,
            result
        }),
    ]
    .boxed()
}

pub(crate) fn keep_message() -> impl Strategy<Value = KeepMessage> {
    // Boxed: as one type, the choice of all messages is larger than a test's stack.
    prop_oneof![
        about_data(),
        about_the_roster(),
        about_spans(),
        about_collecting(),
        about_chores()
    ]
}
