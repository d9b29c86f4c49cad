//! The memory engine against the plainest store there could be: a list of records, looked through
//! from end to end for every operation.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Digest, Done, Garbage, MemoryStore, Op, Page, Setting, Store, StoreError, Usage, cut};
use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{
    Body, Cells, ExpiryCell, Guard, Key, Mark, PIECE_BYTES, Record, Stamp, ValueCell, Version,
    WallMs,
};

#[derive(Default)]
struct Model {
    records: Vec<Record>,
    settings: Vec<(Setting, Bytes)>,
}

impl Model {
    fn cells(&self, key: &Key) -> Option<&Cells> {
        self.records
            .iter()
            .find(|record| record.key == *key)
            .map(|record| &record.cells)
    }

    fn merge(&mut self, record: Record) -> Done {
        let key = record.key.clone();
        match self.records.iter_mut().find(|mine| mine.key == key) {
            Some(mine) => mine.cells.merge(record.cells),
            None if record.cells == Cells::default() => {}
            None => self.records.push(record),
        }
        Done::Held(
            self.cells(&key)
                .map_or_else(Default::default, Cells::summary),
        )
    }

    /// The page, by its definition: sort by the steps from the span's beginning, then filter.
    fn page(&self, page: &Page) -> (Vec<Record>, bool) {
        let first = page.span.from.wrapping_add(Id::from_u64(1));
        let place = |key: &Key| (first.distance(key.id()), key.bytes().clone());
        let mut all: Vec<&Record> = self
            .records
            .iter()
            .filter(|record| page.span.contains(record.key.id()))
            .collect();
        all.sort_by_key(|record| place(&record.key));
        all.retain(|record| {
            page.after
                .as_ref()
                .is_none_or(|after| place(&record.key) > place(after))
        });
        let mut taken = Vec::new();
        let mut bytes = 0;
        for record in &all {
            if taken.len() >= page.max_records.max(1)
                || (!taken.is_empty() && bytes >= page.max_bytes)
            {
                break;
            }
            let record = Record {
                key: record.key.clone(),
                cells: record.cells.for_travel(),
            };
            bytes += record.key.bytes().len() as u64 + record.cells.value_bytes();
            taken.push(record);
        }
        let more = taken.len() < all.len();
        (taken, more)
    }

    fn digest(&self, span: Span) -> Digest {
        let mut sum = Digest::default();
        for record in self
            .records
            .iter()
            .filter(|record| span.contains(record.key.id()))
        {
            sum.add(Digest::of(record.key.id(), &record.cells.summary()));
        }
        sum
    }

    fn in_span(&self, span: Span) -> Vec<Key> {
        let all = Page {
            span,
            after: None,
            max_records: usize::MAX,
            max_bytes: u64::MAX,
        };
        let (records, _) = self.page(&all);
        records.into_iter().map(|record| record.key).collect()
    }

    fn garbage(&self, span: Span, floor: Stamp) -> Garbage {
        let mut garbage = Garbage::default();
        for key in self.in_span(span) {
            let summary = self.cells(&key).map(Cells::summary).unwrap_or_default();
            let delete = summary.value.is_some_and(|version| version.delete);
            garbage.mortal += u64::from(delete || summary.expiry.is_some());
            garbage.collectable += u64::from(summary.collected(floor) != summary);
        }
        garbage
    }

    fn collect(&mut self, span: Span, floor: Stamp, max_records: usize) -> Done {
        let mut keys = self.in_span(span);
        keys.retain(|key| {
            let summary = self.cells(key).map(Cells::summary).unwrap_or_default();
            summary.collected(floor) != summary
        });
        let more = keys.len() > max_records;
        keys.truncate(max_records);
        for record in &mut self.records {
            if keys.contains(&record.key) {
                record.cells.collect(floor);
            }
        }
        self.records
            .retain(|record| record.cells != Cells::default());
        Done::Collected(keys.len() as u64, more)
    }

    fn apply(&mut self, op: Op) -> Done {
        match op {
            Op::Get(key) => Done::Cells(self.cells(&key).cloned()),
            Op::Versions(key) => Done::Versions(
                self.cells(&key)
                    .map_or_else(Default::default, Cells::summary),
            ),
            Op::Merge(record) => self.merge(record),
            Op::Guarded(record, guard) => {
                let own = self.cells(&record.key).map(Cells::summary);
                let own = own.unwrap_or_default();
                if guard.admits(&own, &record.cells.summary()) {
                    self.merge(record)
                } else {
                    Done::Below(own)
                }
            }
            Op::Garbage(spans, floor) => Done::Garbage(
                spans
                    .iter()
                    .map(|span| self.garbage(*span, floor))
                    .collect(),
            ),
            Op::Collect {
                span,
                floor,
                max_records,
            } => self.collect(span, floor, max_records),
            Op::Scan(page) => {
                let (records, more) = self.page(&page);
                Done::Page(records, more)
            }
            Op::List(page) => {
                // No values are listed, so only keys count against the limit of bytes.
                let bare = |record: &Record| Record {
                    key: record.key.clone(),
                    cells: Cells::default(),
                };
                let keys = Model {
                    records: self.records.iter().map(bare).collect(),
                    settings: Vec::new(),
                };
                let (records, more) = keys.page(&page);
                let versions = |key: &Key| self.cells(key).map(Cells::summary).unwrap_or_default();
                Done::List(
                    records
                        .into_iter()
                        .map(|r| (r.key.clone(), versions(&r.key)))
                        .collect(),
                    more,
                )
            }
            Op::Digests { span, parts } => Done::Digests(
                cut(span, parts)
                    .into_iter()
                    .map(|part| self.digest(part))
                    .collect(),
            ),
            Op::Discard(spans) => {
                let before = self.records.len();
                self.records
                    .retain(|record| !spans.iter().any(|span| span.contains(record.key.id())));
                Done::Discarded((before - self.records.len()) as u64)
            }
            Op::Set(name, value) => {
                self.settings.retain(|(other, _)| *other != name);
                self.settings.push((name, value));
                Done::Set
            }
        }
    }

    fn usage(&self) -> Usage {
        let bytes = self
            .records
            .iter()
            .map(|r| r.key.bytes().len() as u64 + r.cells.value_bytes())
            .sum();
        Usage {
            records: self.records.len() as u64,
            bytes,
        }
    }
}

/// Ids few enough that records, ends of spans and `after` often coincide, on both sides of zero.
fn id() -> impl Strategy<Value = Id> {
    let near = (0u64..40).prop_map(|n| Id::from_u64(n).wrapping_sub(Id::from_u64(20)));
    prop_oneof![4 => near, 1 => any::<u64>().prop_map(Id::from_top)]
}

/// Keys whose ids are chosen, not hashed, so that several share one.
fn key() -> impl Strategy<Value = Key> {
    (id(), prop_oneof![Just("a"), Just("b"), Just("bb")])
        .prop_map(|(id, text)| Key::known(id, text.into()))
}

fn version() -> impl Strategy<Value = Version> {
    (0u64..6, any::<bool>(), 1u64..3).prop_map(|(stamp, delete, host)| Version {
        stamp: Stamp(stamp),
        delete,
        host: HostId(host),
        start: 1,
    })
}

/// A version belongs to one write for ever, so the value is made from it.
fn value_cell(version: Version) -> ValueCell {
    let text = format!("{version:?}");
    let mut body = match version.stamp.0 {
        0 => Body::default(),
        4 => Body::new(vec![7; 20_000]),
        5 => Body::new(vec![8; PIECE_BYTES + 1]),
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

fn record() -> impl Strategy<Value = Record> {
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

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![4 => (id(), id()).prop_map(|(from, to)| Span::new(from, to)), 1 => id().prop_map(Span::whole)]
}

fn page() -> impl Strategy<Value = Page> {
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
    (0u64..6, 0u64..6, any::<bool>()).prop_map(|(a, b, repair)| {
        let (fence, floor) = (Stamp(a.max(b)), Stamp(a.min(b)));
        let mark = Mark { fence, floor };
        if repair {
            Guard::repair(mark)
        } else {
            Guard::fenced(mark)
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let setting = prop_oneof![
        Just(Setting::Life),
        Just(Setting::Roster),
        Just(Setting::Acceptor),
        Just(Setting::Move)
    ];
    prop_oneof![
        20 => record().prop_map(Op::Merge),
        8 => (record(), guard()).prop_map(|(record, guard)| Op::Guarded(record, guard)),
        2 => (prop::collection::vec(span(), 0..3), 0u64..6).prop_map(|(spans, n)| Op::Garbage(spans, Stamp(n))),
        2 => (span(), 0u64..6, 1usize..9).prop_map(|(span, n, max_records)| {
            Op::Collect { span, floor: Stamp(n), max_records }
        }),
        3 => key().prop_map(Op::Get),
        3 => key().prop_map(Op::Versions),
        3 => page().prop_map(Op::Scan),
        3 => page().prop_map(Op::List),
        3 => (span(), 1u16..20).prop_map(|(span, parts)| Op::Digests { span, parts }),
        1 => prop::collection::vec((id(), id()).prop_map(|(a, b)| Span::new(a, b)), 0..3).prop_map(Op::Discard),
        1 => (setting, any::<[u8; 3]>()).prop_map(|(name, bytes)| Op::Set(name, Bytes::copy_from_slice(&bytes))),
    ]
}

proptest! {
    /// Whatever is asked in whatever order, both stores answer alike.
    #[test]
    fn memory_answers_as_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let (mut store, mut model) = (MemoryStore::new(), Model::default());
        for op in ops {
            prop_assert_eq!(store.apply(op.clone()), model.apply(op), "to the last operation");
        }
        prop_assert_eq!(store.usage(), model.usage());
        for (name, value) in &model.settings {
            prop_assert_eq!(store.setting(*name), Some(value.clone()));
        }
    }

    /// Reading a span page by page gives the same records as reading it at once.
    #[test]
    fn pages_put_together_are_the_span(
        records in prop::collection::vec(record(), 0..60), span in span(), max_records in 1usize..7,
    ) {
        let mut store = MemoryStore::new();
        records.into_iter().for_each(|record| drop(store.apply(Op::Merge(record))));
        let all = Page { span, after: None, max_records: usize::MAX, max_bytes: u64::MAX };
        let Done::Page(whole, false) = store.apply(Op::Scan(all)) else { panic!("a scan without limits ends") };
        let (mut together, mut after) = (Vec::new(), None);
        loop {
            let page = Page { span, after: after.take(), max_records, max_bytes: u64::MAX };
            let Done::Page(records, more) = store.apply(Op::Scan(page)) else { panic!("a scan gives a page") };
            together.extend(records);
            if !more {
                break;
            }
            after = together.last().map(|record: &Record| record.key.clone());
        }
        prop_assert_eq!(together, whole);
    }
}

fn put(n: u64, bytes: usize) -> Record {
    let version = Version {
        stamp: Stamp(n),
        delete: false,
        host: HostId(1),
        start: 1,
    };
    let value = Some(ValueCell {
        version,
        body: Some(Body::new(vec![1; bytes])),
    });
    Record {
        key: Key::new(format!("key-{n}")).unwrap(),
        cells: Cells {
            value,
            expiry: None,
        },
    }
}

/// Many records, so that runs split and their digests are added up unread.
#[test]
fn digests_of_many_records_are_those_of_the_model() {
    let (mut store, mut model) = (MemoryStore::new(), Model::default());
    for n in 0..3000 {
        store.apply(Op::Merge(put(n, 3)));
        model.records.push(put(n, 3));
    }
    let quarter = Span::new(Id::from_top(0xf << 60), Id::from_top(0x3 << 60));
    let spans = [
        Span::whole(Id::from_top(77 << 50)),
        quarter,
        Span::new(quarter.to, quarter.from),
    ];
    for span in spans {
        let op = Op::Digests { span, parts: 37 };
        assert_eq!(store.apply(op.clone()), model.apply(op));
    }
    assert_eq!(
        store.apply(Op::Discard(vec![quarter])),
        model.apply(Op::Discard(vec![quarter]))
    );
    let op = Op::Digests {
        span: spans[0],
        parts: 256,
    };
    assert_eq!(store.apply(op.clone()), model.apply(op));
    assert_eq!(store.usage(), model.usage());
    assert_eq!(store.records().count(), model.records.len());
}

#[test]
fn a_full_store_refuses_new_values_and_still_deletes() {
    let mut store = MemoryStore::with_limit(100);
    assert!(matches!(store.apply(Op::Merge(put(1, 80))), Done::Held(_)));
    let full = Done::Failed(StoreError::Full {
        used: 85,
        limit: 100,
    });
    assert_eq!(store.apply(Op::Merge(put(2, 80))), full);
    assert_eq!(
        store.apply(Op::Versions(put(2, 0).key)),
        Done::Versions(Default::default())
    );
    let mut gone = put(1, 0);
    let version = Version {
        delete: true,
        ..gone.cells.value.as_ref().unwrap().version
    };
    gone.cells.value = Some(ValueCell {
        version,
        body: None,
    });
    assert!(
        matches!(store.apply(Op::Merge(gone)), Done::Held(held) if held.value == Some(version))
    );
    assert!(matches!(store.apply(Op::Merge(put(2, 80))), Done::Held(_)));
}

#[test]
fn a_value_without_its_pieces_is_refused_and_changes_nothing() {
    let mut store = MemoryStore::new();
    let mut bare = put(1, 2 * PIECE_BYTES);
    bare.cells = bare.cells.for_travel();
    let len = 2 * PIECE_BYTES as u64;
    assert_eq!(
        store.apply(Op::Merge(bare)),
        Done::Failed(StoreError::Bare { have: 0, len })
    );
    assert_eq!(store.usage(), Usage::default());
}
