//! Any message at all, for property tests here and elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::{collection, option};

use crate::keyspace::{Id, Span};
use crate::message::{
    Answered, Balanced, Ballot, Chore, Differs, Envelope, FindMessage, Grant, KeepMessage,
    LinksAre, Lookup, LookupAnswer, MAX_AVOID, Manner, Message, MoveProgress, Peer, Purged,
    Question, Refusal, Report, ReqId, Road, Status, Step, Tuning, View, Want,
};
use crate::placement::{HostId, Member, Zone};
use crate::record::{
    Body, Cells, ExpiryCell, Key, Mark, Marks, PIECE_BYTES, Record, Stamp, Summary, ValueCell,
    Version, WallMs,
};
use crate::ring::Direction;
use crate::roster::{Change, MAX_ROSTER_VERSION, RingId, Roster, RosterVersion};
use crate::store::Digest;

use super::MAX_WALL_MS;

pub(crate) fn id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::from_bytes)
}

pub(crate) fn host() -> impl Strategy<Value = HostId> {
    prop_oneof![(0u64..20), any::<u64>()].prop_map(HostId)
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    (id(), id()).prop_map(|(from, to)| Span::new(from, to))
}

pub(crate) fn peer() -> impl Strategy<Value = Peer> {
    (id(), host()).prop_map(|(id, host)| Peer { id, host })
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    collection::vec(any::<u8>(), 1..40).prop_map(|bytes| Key::new(bytes).unwrap())
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    let stamp = prop_oneof![0u64..9, 0..MAX_WALL_MS << 16].prop_map(Stamp);
    (stamp, any::<bool>(), host(), any::<u32>()).prop_map(|(stamp, delete, host, start)| Version {
        stamp,
        delete,
        host,
        start,
    })
}

/// A value of one piece or none, or a bare one.
pub(crate) fn value() -> impl Strategy<Value = Body> {
    let bare = (PIECE_BYTES as u64 + 1..1 << 40).prop_map(|len| Body {
        len,
        content_type: None,
        pieces: Vec::new(),
    });
    let here = collection::vec(any::<u8>(), 0..200).prop_map(Body::new);
    let media_type = option::of("[a-z/]{0,20}".prop_map(Arc::from));
    (prop_oneof![1 => bare, 4 => here], media_type).prop_map(|(body, content_type)| Body {
        content_type,
        ..body
    })
}

pub(crate) fn expiry() -> impl Strategy<Value = ExpiryCell> {
    (
        version(),
        version(),
        option::of(any::<u64>().prop_map(WallMs)),
    )
        .prop_map(|(of, version, deadline)| ExpiryCell {
            of,
            version,
            deadline,
        })
}

pub(crate) fn cells() -> BoxedStrategy<Cells> {
    let value =
        (version(), option::of(value())).prop_map(|(version, body)| ValueCell { version, body });
    (option::of(value), option::of(expiry()))
        .prop_map(|(value, expiry)| Cells { value, expiry })
        .boxed()
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    (key(), cells()).prop_map(|(key, cells)| Record { key, cells })
}

pub(crate) fn summary() -> BoxedStrategy<Summary> {
    (option::of(version()), option::of(expiry()))
        .prop_map(|(value, expiry)| Summary { value, expiry })
        .boxed()
}

pub(crate) fn member() -> impl Strategy<Value = Member> {
    let zone = option::of("[a-z]{1,5}".prop_map(|name| Zone::new(&name).unwrap()));
    (zone, 1u32..9, collection::btree_set(id(), 1..4)).prop_map(|(zone, weight, tokens)| Member {
        zone,
        weight,
        tokens: tokens.into_iter().collect(),
    })
}

/// Settled, or moving because one host joins and R changes.
pub(crate) fn roster() -> BoxedStrategy<Arc<Roster>> {
    let members = collection::btree_map(host(), member(), 2..5);
    (any::<u64>(), members, 1u8..4, any::<bool>())
        .prop_map(|(ring, mut members, r, moving)| {
            let last = members.pop_last();
            let settled = Roster::settled(RingId(ring), members, r).unwrap();
            let (host, member) =
                last.unwrap_or_else(|| panic!("{:?}", BTreeMap::<HostId, Member>::new()));
            let changes = [Change::Join(host, member), Change::Replicas(4)];
            Arc::new(if moving {
                settled.moved(host, &changes).unwrap()
            } else {
                settled
            })
        })
        .boxed()
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (host(), member()).prop_map(|(host, member)| Change::Join(host, member)),
        host().prop_map(Change::Remove),
        (host(), collection::vec(id(), 0..4))
            .prop_map(|(host, tokens)| Change::Tokens(host, tokens)),
        any::<u8>().prop_map(Change::Replicas),
        host().prop_map(Change::Drain),
        host().prop_map(Change::EndDrain),
        collection::vec(host(), 0..4).prop_map(Change::AcceptLoss),
    ]
}

fn req() -> impl Strategy<Value = ReqId> {
    any::<u64>().prop_map(ReqId)
}

fn at() -> impl Strategy<Value = RosterVersion> {
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

fn stamp() -> impl Strategy<Value = Stamp> {
    (0..MAX_WALL_MS << 16).prop_map(Stamp)
}

fn mark() -> impl Strategy<Value = Mark> {
    (stamp(), stamp()).prop_map(|(a, b)| Mark {
        fence: a.max(b),
        floor: a.min(b),
    })
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

fn progress() -> impl Strategy<Value = MoveProgress> {
    (
        any::<(u32, u32, u64, u64)>(),
        option::of(host()),
        any::<bool>(),
    )
        .prop_map(
            |((pieces, complete, records, bytes), waiting_for, full)| MoveProgress {
                pieces,
                complete,
                records,
                bytes,
                waiting_for,
                full,
            },
        )
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
        (at(), wall, any::<(u64, u64)>()).prop_map(|(version, wall, (roster, routes))| M::Gossip {
            version,
            wall,
            view: View { roster, routes },
        }),
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

fn tuning() -> impl Strategy<Value = Tuning> {
    option::of(any::<u64>()).prop_map(|move_bytes_per_s| Tuning { move_bytes_per_s })
}

fn hosts() -> impl Strategy<Value = Vec<HostId>> {
    collection::vec(host(), 0..5)
}

#[allow(clippy::too_many_lines, reason = "one line for each field")]
fn status() -> BoxedStrategy<Status> {
    let differs = prop_oneof![
        at().prop_map(Differs::Version),
        Just(Differs::Roster),
        Just(Differs::Routes)
    ];
    let left = option::of((0u64..1 << 40).prop_map(std::time::Duration::from_millis));
    let ring = (
        at(),
        any::<bool>(),
        hosts(),
        hosts(),
        any::<(u8, u32, u32)>(),
    );
    let counts = any::<(u64, u64, u64, u64)>();
    let disagree = collection::vec((host(), differs), 0..3);
    let stops = (option::of(host()), any::<bool>(), option::of(".{0,20}"));
    let collecting = (any::<u64>(), option::of(host()), mark());
    (
        ring,
        progress(),
        left,
        counts,
        disagree,
        ".{0,20}",
        stops,
        collecting,
    )
        .prop_map(
            |(ring, progress, left, counts, disagree, stop_not, stops, collecting)| {
                let (mortal, collecting_waits_for, marks) = collecting;
                let (drain, unwell, removal_waits) = stops;
                let (version, moving, hosts, down, (replicas, spans, lacking)) = ring;
                let (move_bytes_per_s, hints, repaired, open) = counts;
                Status {
                    version,
                    moving,
                    hosts,
                    down,
                    replicas,
                    spans,
                    lacking,
                    progress,
                    left,
                    move_bytes_per_s,
                    hints,
                    repaired,
                    open,
                    disagree,
                    stop_not,
                    drain,
                    unwell,
                    removal_waits,
                    mortal,
                    collecting_waits_for,
                    marks,
                }
            },
        )
        .boxed()
}

/// What hosts are asked by people, and what they report.
fn about_chores() -> BoxedStrategy<KeepMessage> {
    use KeepMessage as M;
    let chore = prop_oneof![
        Just(Chore::Status),
        Just(Chore::Balance),
        Just(Chore::Purge),
        tuning().prop_map(Chore::Configure)
    ];
    let balanced = (any::<(u32, u64, u64, u64)>(), hosts()).prop_map(
        |((spans, pulled, pushed, differing), unreachable)| Balanced {
            spans,
            pulled,
            pushed,
            differing,
            unreachable,
        },
    );
    let kept = collection::vec((".{0,20}", any::<u64>()), 0..4);
    let purged = (any::<u64>(), kept).prop_map(|(dropped, kept)| Purged { dropped, kept });
    let report = prop_oneof![
        any::<(u32, u32)>().prop_map(|(done, of)| Report::Going(done, of)),
        status().prop_map(|status| Report::Status(Box::new(status))),
        balanced.prop_map(Report::Balanced),
        purged.prop_map(Report::Purged),
        tuning().prop_map(Report::Tuned),
        ".{0,20}".prop_map(Report::Refused),
    ];
    prop_oneof![
        (req(), chore).prop_map(|(req, chore)| M::ChoreAsk { req, chore }),
        (req(), report).prop_map(|(req, report)| M::ChoreIs { req, report }),
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

fn question() -> impl Strategy<Value = Question> {
    any::<u64>().prop_map(Question)
}

fn peers() -> impl Strategy<Value = Vec<Peer>> {
    collection::vec(peer(), 0..9)
}

fn lookup() -> impl Strategy<Value = Lookup> {
    let direction = prop_oneof![Just(Direction::Clockwise), Just(Direction::AntiClockwise)];
    let manner = prop_oneof![Just(Manner::PassOn), Just(Manner::StepByStep)];
    let numbers = (question(), 0u32..1 << 31, 0u32..1 << 31);
    let avoid = collection::vec(id(), 0..=MAX_AVOID);
    (
        numbers,
        peer(),
        id(),
        direction,
        id(),
        manner,
        avoid,
        option::of(peers()),
    )
        .prop_map(
            |((question, relays, limit), asker, target, direction, left, manner, avoid, path)| {
                Lookup {
                    question,
                    asker,
                    target,
                    direction,
                    left,
                    relays,
                    limit,
                    manner,
                    avoid,
                    path,
                }
            },
        )
}

/// Lookups and their answers.
fn about_lookups() -> BoxedStrategy<FindMessage> {
    use FindMessage as M;
    let relays = 0u32..1 << 31;
    let found = (
        relays.clone(),
        option::of(peer()),
        peers(),
        option::of(peers()),
    );
    let go_on = (peer(), id(), relays.clone(), option::of(peers()));
    use LookupAnswer as A;
    let answer = prop_oneof![
        found.prop_map(|(relays, prev, successors, path)| A::Found {
            relays,
            prev,
            successors,
            path
        }),
        go_on.prop_map(|(to, left, relays, path)| A::GoOn {
            to,
            left,
            relays,
            path
        }),
        relays.prop_map(|relays| A::Dropped { relays }),
        Just(A::Unsettled),
    ];
    prop_oneof![
        lookup().prop_map(M::Lookup),
        (question(), answer).prop_map(|(question, answer)| M::Answer { question, answer }),
    ]
    .boxed()
}

/// Stabilizing, joining and leaving.
fn about_links() -> BoxedStrategy<FindMessage> {
    use FindMessage as M;
    let links = (question(), option::of(peer()), peers(), option::of(span()));
    let granted = (question(), span(), option::of(peer()), peers(), peers());
    prop_oneof![
        (question(), any::<bool>())
            .prop_map(|(question, joining)| M::AskLinks { question, joining }),
        links.prop_map(|(question, prev, successors, holds)| M::Links {
            question,
            links: LinksAre {
                prev,
                successors,
                holds
            }
        }),
        question().prop_map(|question| M::Busy { question }),
        question().prop_map(|question| M::NotInRing { question }),
        Just(M::Notify),
        question().prop_map(|question| M::Ping { question }),
        question().prop_map(|question| M::Pong { question }),
        Just(M::LookAgain),
        (question(), span()).prop_map(|(question, span)| M::Offer { question, span }),
        (question(), span()).prop_map(|(question, span)| M::Take { question, span }),
        granted.prop_map(|(question, span, prev, successors, routes)| M::Granted {
            question,
            grant: Grant {
                span,
                prev,
                successors,
                routes
            }
        }),
        question().prop_map(|question| M::Refused { question }),
        Just(M::Left),
    ]
    .boxed()
}

pub(crate) fn find_message() -> impl Strategy<Value = (Id, Id, FindMessage)> {
    (id(), id(), prop_oneof![about_lookups(), about_links()])
}

/// Any message, as it travels: values of several pieces are bare.
pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let keep = keep_message().prop_map(Message::Keep);
    let find = find_message().prop_map(|(from, to, message)| Message::Find { from, to, message });
    let detect =
        collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Message::Detect(bytes.into()));
    (
        host(),
        host(),
        prop_oneof![4 => keep, 4 => find, 1 => detect],
    )
        .prop_map(|(from, to, body)| Envelope { from, to, body })
}
