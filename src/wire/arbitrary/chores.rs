//! Anything hosts are asked by people, and anything they report.

use std::time::Duration;

use proptest::prelude::*;
use proptest::{collection, option};

use super::keep::{at, req};
use super::{host, id, mark, summary};
use crate::message::{
    Balanced, Chore, Differs, KeepMessage, MoveProgress, Purged, Report, Status, Stored, Tuning,
};
use crate::placement::HostId;

pub(super) fn progress() -> impl Strategy<Value = MoveProgress> {
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

fn tuning() -> impl Strategy<Value = Tuning> {
    option::of(any::<u64>()).prop_map(|move_bytes_per_s| Tuning { move_bytes_per_s })
}

fn hosts() -> impl Strategy<Value = Vec<HostId>> {
    collection::vec(host(), 0..5)
}

/// A host's report on itself, part by part: the ring, its work, what stops it.
fn status() -> BoxedStrategy<Status> {
    (ring(), work(), stops())
        .prop_map(|(ring, work, stops)| Status {
            progress: work.progress,
            left: work.left,
            move_bytes_per_s: work.move_bytes_per_s,
            hints: work.hints,
            repaired: work.repaired,
            open: work.open,
            stop_not: stops.stop_not,
            drain: stops.drain,
            unwell: stops.unwell,
            removal_waits: stops.removal_waits,
            mortal: stops.mortal,
            collecting_waits_for: stops.collecting_waits_for,
            marks: stops.marks,
            stored: stops.stored,
            ..ring
        })
        .boxed()
}

fn ring() -> impl Strategy<Value = Status> {
    let differs = prop_oneof![
        at().prop_map(Differs::Version),
        Just(Differs::Roster),
        Just(Differs::Routes)
    ];
    let disagree = collection::vec((host(), differs), 0..3);
    let counts = any::<(bool, u8, u32, u32)>();
    (at(), hosts(), hosts(), disagree, counts).prop_map(
        |(version, hosts, down, disagree, (moving, replicas, spans, lacking))| Status {
            version,
            moving,
            hosts,
            down,
            replicas,
            spans,
            lacking,
            disagree,
            ..Status::default()
        },
    )
}

fn work() -> impl Strategy<Value = Status> {
    let left = option::of((0u64..1 << 40).prop_map(Duration::from_millis));
    let counts = any::<(u64, u64, u64, u64)>();
    (progress(), left, counts).prop_map(
        |(progress, left, (move_bytes_per_s, hints, repaired, open))| Status {
            progress,
            left,
            move_bytes_per_s,
            hints,
            repaired,
            open,
            ..Status::default()
        },
    )
}

fn stops() -> impl Strategy<Value = Status> {
    let waits = (
        option::of(host()),
        option::of(".{0,20}"),
        option::of(host()),
    );
    let stored = option::of(any::<(u64, u64, Option<u64>)>());
    let stored =
        stored.prop_map(|stored| stored.map(|(keys, bytes, limit)| Stored { keys, bytes, limit }));
    let texts = (".{0,20}", stored);
    (texts, any::<(bool, u64)>(), waits, mark()).prop_map(
        |(
            (stop_not, stored),
            (unwell, mortal),
            (drain, removal_waits, collecting_waits_for),
            marks,
        )| {
            Status {
                stored,
                stop_not,
                drain,
                unwell,
                removal_waits,
                mortal,
                collecting_waits_for,
                marks,
                ..Status::default()
            }
        },
    )
}

/// What hosts are asked by people, and what they report.
pub(super) fn about_chores() -> BoxedStrategy<KeepMessage> {
    use KeepMessage as M;
    let chore = prop_oneof![
        Just(Chore::Status),
        Just(Chore::Balance),
        Just(Chore::Purge),
        Just(Chore::Count),
        tuning().prop_map(Chore::Configure),
        id().prop_map(Chore::Hints)
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
        any::<u64>().prop_map(Report::Counted),
        collection::vec((host(), summary()), 0..3).prop_map(Report::Hints),
        ".{0,20}".prop_map(Report::Refused),
    ];
    prop_oneof![
        (req(), chore).prop_map(|(req, chore)| M::ChoreAsk { req, chore }),
        (req(), report).prop_map(|(req, report)| M::ChoreIs { req, report }),
    ]
    .boxed()
}
