//! As every engine: what the model of all stores says.

use proptest::prelude::*;

use super::*;
use crate::keyspace::{Id, Span};
use crate::record::PIECE_BYTES;
use crate::store::model::{self, Model, op, put, record, span};
use crate::store::{Done, Op, Page, Store};

fn all() -> Page {
    Page {
        span: Span::whole(Id::MAX),
        after: None,
        max_records: usize::MAX,
        max_bytes: u64::MAX,
    }
}

/// Everything a store can be asked about what it holds.
fn contents(store: &mut dyn Store) -> Vec<Done> {
    let parts = Op::Digests {
        span: Span::whole(Id::from_u64(3)),
        parts: 16,
    };
    vec![
        store.apply(Op::Scan(all())),
        store.apply(Op::List(all())),
        store.apply(parts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn disk_answers_as_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let (_dir, mut store) = fresh();
        model::answers_as_the_model_does(&mut store, ops)?;
    }

    #[test]
    fn pages_put_together_are_the_span(
        records in prop::collection::vec(record(), 0..60), span in span(), max_records in 1usize..7,
    ) {
        let (_dir, mut store) = fresh();
        model::pages_put_together_are_the_span(&mut store, records, span, max_records)?;
    }

    /// A store that was closed and opened again, anywhere between two operations, is the same store; but for
    /// pieces that were put by.
    #[test]
    fn opened_again_it_is_the_same(ops in prop::collection::vec(op(), 1..60), more in prop::collection::vec(op(), 1..20)) {
        let (dir, mut store) = fresh();
        let mut model = Model::default();
        let stages = |op: &Op| matches!(op, Op::Stage { .. });
        for mut op in ops.into_iter().filter(|op| !stages(op)) {
            model.aim(&mut op);
            prop_assert_eq!(store.apply(op.clone()), model.apply(op));
        }
        let before = contents(&mut store);
        drop(store);
        let mut store = DiskStore::open(config(dir.path())).unwrap();
        prop_assert_eq!(contents(&mut store), before);
        prop_assert_eq!(store.usage(), model.usage());
        for op in more.into_iter().filter(|op| !stages(op)) {
            prop_assert_eq!(store.apply(op.clone()), model.apply(op));
        }
    }
}

#[test]
fn digests_of_many_records_are_those_of_the_model() {
    let (dir, mut store) = fresh();
    model::digests_of_many_records_are_those_of_the_model(&mut store);
    let before = contents(&mut store);
    assert!(
        store.runs.between(Id::ZERO, Id::MAX).count() > 3,
        "runs were split"
    );
    drop(store);
    let mut store = DiskStore::open(config(dir.path())).unwrap();
    assert_eq!(contents(&mut store), before);
}

#[test]
fn a_full_store_refuses_new_values_and_still_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let config = DiskConfig {
        limit_bytes: 100,
        ..config(dir.path())
    };
    let mut store = DiskStore::open(config).unwrap();
    model::a_full_store_refuses_new_values_and_still_deletes(&mut store);
}

#[test]
fn a_value_without_its_pieces_is_refused_and_with_them_it_is_stored() {
    let (_dir, mut store) = fresh();
    model::a_bare_value_needs_its_pieces(&mut store);
}

#[test]
fn pieces_put_by_are_gone_after_a_restart_and_leave_nothing() {
    let (dir, mut store) = fresh();
    let record = put(1, PIECE_BYTES);
    let stage = Op::Stage {
        key: record.key.clone(),
        version: record.cells.value.as_ref().unwrap().version,
        index: 0,
        bytes: vec![1; PIECE_BYTES].into(),
    };
    assert_eq!(store.apply(stage), Done::Staged);
    drop(store);
    let store = DiskStore::open(config(dir.path())).unwrap();
    assert!(store.tables().unwrap().pieces.is_empty().unwrap());
    assert!(store.tables().unwrap().staged.is_empty().unwrap());
}

#[test]
fn ten_times_the_cache_is_stored_and_read_back() {
    let (dir, mut store) = fresh();
    for n in 0..20 {
        assert!(matches!(
            store.apply(Op::Merge(put(n, PIECE_BYTES / 2))),
            Done::Held(_)
        ));
    }
    drop(store);
    let mut store = DiskStore::open(config(dir.path())).unwrap();
    for n in (0..20).rev() {
        let record = put(n, PIECE_BYTES / 2);
        let found = store.apply(Op::Get(record.key));
        assert_eq!(found, Done::Cells(Some(record.cells)));
    }
    let tables = store.tables().unwrap();
    assert!(tables.db.cache_size() <= tables.db.cache_capacity());
}
