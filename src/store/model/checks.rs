//! What every engine is asked.

use proptest::prelude::*;

use super::super::{Done, Op, Page, Store, StoreError, Usage};
use super::Model;
use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{Body, Cells, Key, PIECE_BYTES, Record, Stamp, ValueCell, Version};

/// Whatever is asked in whatever order, a store answers as the model does.
pub(crate) fn answers_as_the_model_does(
    store: &mut dyn Store,
    ops: Vec<Op>,
) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for mut op in ops {
        model.aim(&mut op);
        let asked = op.clone();
        prop_assert_eq!(store.apply(op.clone()), model.apply(op), "to {:?}", asked);
    }
    prop_assert_eq!(store.usage(), model.usage());
    for (name, value) in &model.settings {
        prop_assert_eq!(store.setting(*name), Some(value.clone()));
    }
    Ok(())
}

/// Reading a span page by page gives the same records as reading it at once.
pub(crate) fn pages_put_together_are_the_span(
    store: &mut dyn Store,
    records: Vec<Record>,
    span: Span,
    max_records: usize,
) -> Result<(), TestCaseError> {
    records
        .into_iter()
        .for_each(|record| drop(store.apply(Op::Merge(record))));
    let all = Page {
        span,
        after: None,
        max_records: usize::MAX,
        max_bytes: u64::MAX,
    };
    let Done::Page(whole, false) = store.apply(Op::Scan(all)) else {
        panic!("a scan without limits ends")
    };
    let (mut together, mut after) = (Vec::new(), None);
    loop {
        let page = Page {
            span,
            after: after.take(),
            max_records,
            max_bytes: u64::MAX,
        };
        let Done::Page(records, more) = store.apply(Op::Scan(page)) else {
            panic!("a scan gives a page")
        };
        together.extend(records);
        if !more {
            break;
        }
        after = together.last().map(|record: &Record| record.key.clone());
    }
    prop_assert_eq!(together, whole);
    Ok(())
}

pub(crate) fn put(n: u64, bytes: usize) -> Record {
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
pub(crate) fn digests_of_many_records_are_those_of_the_model(store: &mut dyn Store) {
    let mut model = Model::default();
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
    let Done::List(list, false) = store.apply(Op::List(Page {
        span: spans[0],
        after: None,
        max_records: usize::MAX,
        max_bytes: u64::MAX,
    })) else {
        panic!("a list without limits ends")
    };
    assert_eq!(list.len(), model.records.len());
}

/// A store with a limit of 100 bytes refuses new values when it is full, and still deletes.
pub(crate) fn a_full_store_refuses_new_values_and_still_deletes(store: &mut dyn Store) {
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

/// A value without its pieces changes nothing; with its pieces put by it is stored.
pub(crate) fn a_bare_value_needs_its_pieces(store: &mut dyn Store) {
    let whole = put(1, 2 * PIECE_BYTES);
    let mut bare = whole.clone();
    bare.cells = bare.cells.for_travel();
    let len = 2 * PIECE_BYTES as u64;
    let cell = whole.cells.value.as_ref().unwrap();
    let (key, version) = (whole.key.clone(), cell.version);
    let stage = |index: u32| Op::Stage {
        key: key.clone(),
        version,
        index,
        bytes: cell.body.as_ref().unwrap().pieces[index as usize].clone(),
    };
    for have in [0, PIECE_BYTES as u64] {
        assert_eq!(
            store.apply(Op::Merge(bare.clone())),
            Done::Failed(StoreError::Bare { have, len })
        );
        assert_eq!(store.usage(), Usage::default());
        assert_eq!(store.apply(stage(1)), Done::Staged);
    }
    let piece = Op::Piece {
        key: key.clone(),
        version,
        index: 1,
    };
    let there = Done::Piece(Some(vec![1; PIECE_BYTES].into()));
    assert_eq!(store.apply(piece.clone()), there, "put by, it can be read");
    assert_eq!(store.apply(stage(0)), Done::Staged);
    assert!(matches!(
        store.apply(Op::Merge(bare.clone())),
        Done::Held(_)
    ));
    // Used up, and not needed any more.
    assert!(matches!(
        store.apply(Op::Merge(bare.clone())),
        Done::Held(_)
    ));
    assert_eq!(
        store.apply(Op::Get(key.clone())),
        Done::Cells(Some(bare.cells))
    );
    assert_eq!(store.apply(piece), there);
}
