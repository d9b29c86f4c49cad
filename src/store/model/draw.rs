//! Operations drawn by chance, on so few keys that they often meet.

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{Digest, Op, Page, Setting};
use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{
    Body, Cells, ExpiryCell, Guard, Key, Mark, PIECE_BYTES, Record, Stamp, ValueCell, Version,
    WallMs,
};

/// The one value of two pieces.
static EIGHTS: LazyLock<Bytes> = LazyLock::new(|| vec![8; PIECE_BYTES + 1].into());

/// Ids few enough that records, ends of spans and `after` often coincide, on both sides of zero.
pub(crate) fn id() -> impl Strategy<Value = Id> {
    let near = (0u64..40).prop_map(|n| Id::from_u64(n).wrapping_sub(Id::from_u64(20)));
    prop_oneof![4 => near, 1 => any::<u64>().prop_map(Id::from_top)]
}

/// Keys whose ids are chosen, not hashed, so that several share one.
pub(crate) fn key() -> impl Strategy<Value = Key> {
    (id(), prop_oneof![Just("a"), Just("b"), Just("bb")])
        .prop_map(|(id, text)| Key::known(id, text.into()))
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    (0u64..6, any::<bool>(), 1u64..3).prop_map(|(stamp, delete, host)| Version {
        stamp: Stamp(stamp),
        delete,
        host: HostId(host),
        start: 1,
    })
}

/// A version belongs to one write for ever, so the value is made from it.
pub(crate) fn value_cell(version: Version) -> ValueCell {
    let text = format!("{version:?}");
    let mut body = match version.stamp.0 {
        0 => Body::default(),
        4 => Body::new(vec![7; 20_000]),
        5 => Body::new(EIGHTS.clone()),
        _ => Body::new(text),
    };
    if version.stamp.0.is_multiple_of(2) {
        body.content_type = Some("text/plain".into());
    }
    ValueCell {
        version,
        body: (!version.delete).then_some(body),
    }
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let expiry = (
        version(),
        version(),
        prop::option::of((0u64..9).prop_map(WallMs)),
    );
    let expiry = expiry.prop_map(|(of, version, deadline)| ExpiryCell {
        of,
        version,
        deadline,
    });
    (
        key(),
        prop::option::weighted(0.9, version()),
        prop::option::weighted(0.2, expiry),
    )
        .prop_map(|(key, value, expiry)| Record {
            key,
            cells: Cells {
                value: value.map(value_cell),
                expiry,
            },
        })
}

/// The same record without its pieces, if the value has several.
fn bare(mut record: Record) -> Record {
    record.cells = record.cells.for_travel();
    record
}

/// A piece of the one value that has two: put by, or asked for. Of few keys, so that both often come.
fn piece() -> impl Strategy<Value = Op> {
    let version = version().prop_map(|version| Version {
        stamp: Stamp(5),
        ..version
    });
    (key(), version, 0u32..3, any::<bool>()).prop_map(|(key, version, index, put)| {
        let len = if index == 0 { PIECE_BYTES } else { 1 };
        if put {
            let bytes = EIGHTS.slice(..len);
            Op::Stage {
                key,
                version,
                index: index.min(1),
                bytes,
            }
        } else {
            Op::Piece {
                key,
                version,
                index,
            }
        }
    })
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    prop_oneof![4 => (id(), id()).prop_map(|(from, to)| Span::new(from, to)), 1 => id().prop_map(Span::whole)]
}

pub(crate) fn page() -> impl Strategy<Value = Page> {
    let bytes = prop_oneof![Just(u64::MAX), 0u64..200, Just(30_000)];
    (
        span(),
        prop::option::of(key()),
        prop_oneof![0usize..8, Just(1000)],
        bytes,
    )
        .prop_map(|(span, after, max_records, max_bytes)| Page {
            span,
            after,
            max_records,
            max_bytes,
        })
}

fn guard() -> impl Strategy<Value = Guard> {
    (0u64..6, 0u64..6, any::<bool>(), any::<bool>()).prop_map(|(a, b, repair, newest)| {
        let (fence, floor) = (Stamp(a.max(b)), Stamp(a.min(b)));
        let mark = Mark { fence, floor };
        if repair {
            Guard::repair(mark)
        } else if newest {
            Guard::fenced(mark).if_newest()
        } else {
            Guard::fenced(mark)
        }
    })
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let setting = prop_oneof![
        Just(Setting::Life),
        Just(Setting::Roster),
        Just(Setting::Acceptor),
        Just(Setting::Move),
        Just(Setting::Places),
        Just(Setting::Marks)
    ];
    prop_oneof![
        20 => record().prop_map(Op::Merge),
        4 => record().prop_map(|record| Op::Merge(bare(record))),
        6 => piece(),
        1 => (key(), version()).prop_map(|(key, version)| Op::Unstage(key, version)),
        8 => (record(), guard()).prop_map(|(record, guard)| Op::Guarded(record, guard)),
        2 => (prop::collection::vec(span(), 0..3), 0u64..6).prop_map(|(spans, n)| Op::Garbage(spans, Stamp(n))),
        2 => (span(), 0u64..6, 1usize..9).prop_map(|(span, n, max_records)| {
            Op::Collect { span, floor: Stamp(n), max_records }
        }),
        2 => prop::collection::vec(span(), 0..3).prop_map(Op::Shelve),
        3 => (span(), any::<bool>()).prop_map(|(span, known)| {
            Op::Confirm { span, like: Digest { records: u64::from(known), hash: 0 } }
        }),
        1 => (prop::collection::vec(span(), 0..3), 0u64..5).prop_map(|(spans, most)| Op::Review(spans, most)),
        2 => page().prop_map(Op::Aside),
        3 => key().prop_map(Op::Get),
        3 => key().prop_map(Op::Versions),
        3 => page().prop_map(Op::Scan),
        3 => page().prop_map(Op::List),
        3 => (span(), 1u16..20).prop_map(|(span, parts)| Op::Digests { span, parts }),
        1 => prop::collection::vec((id(), id()).prop_map(|(a, b)| Span::new(a, b)), 0..3).prop_map(Op::Discard),
        1 => (setting, any::<[u8; 3]>()).prop_map(|(name, bytes)| Op::Set(name, Bytes::copy_from_slice(&bytes))),
    ]
}
