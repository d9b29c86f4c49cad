//! The memory engine, asked what every engine is asked.

use proptest::prelude::*;

use super::MemoryStore;
use super::model::{self, op, record, span};

proptest! {
    #[test]
    fn memory_answers_as_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        model::answers_as_the_model_does(&mut MemoryStore::new(), ops)?;
    }

    #[test]
    fn pages_put_together_are_the_span(
        records in prop::collection::vec(record(), 0..60), span in span(), max_records in 1usize..7,
    ) {
        model::pages_put_together_are_the_span(&mut MemoryStore::new(), records, span, max_records)?;
    }
}

#[test]
fn digests_of_many_records_are_those_of_the_model() {
    let mut store = MemoryStore::new();
    model::digests_of_many_records_are_those_of_the_model(&mut store);
    assert!(store.records().count() > 1000);
}

#[test]
fn a_full_store_refuses_new_values_and_still_deletes() {
    model::a_full_store_refuses_new_values_and_still_deletes(&mut MemoryStore::with_limit(100));
}

#[test]
fn a_value_without_its_pieces_is_refused_and_with_them_it_is_stored() {
    model::a_bare_value_needs_its_pieces(&mut MemoryStore::new());
}
