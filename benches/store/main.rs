//! What the memory engine costs: bytes a key beyond key and value, and nanoseconds an operation.
//!
//! ```console
//! $ cargo bench --bench store
//! ```
//!
//! Bytes a key are the slope of the process's memory from one to two million keys.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use roundelay::keyspace::{Id, Span};
use roundelay::placement::HostId;
use roundelay::record::{Body, Cells, Key, Record, Stamp, ValueCell, Version};
use roundelay::store::{MemoryStore, Op, Page, Store};

/// Bytes of each value.
const VALUE_BYTES: usize = 100;

const MILLION: u64 = 1_000_000;

fn main() -> ExitCode {
    if !std::env::args().any(|flag| flag == "--bench") {
        println!("store: nothing measured; figures come from `cargo bench --bench store`");
        return ExitCode::SUCCESS;
    }
    let mut store = MemoryStore::new();
    let first = fill(&mut store, 0);
    let second = fill(&mut store, MILLION);
    match first.zip(second) {
        Some((first, second)) => {
            let slope = (second - first) / MILLION as f64;
            let payload = store.usage().bytes as f64 / store.usage().records as f64;
            println!(
                "bytes per key beyond key and value   {:>8.1}",
                slope - payload
            );
        }
        None => println!("bytes per key                        unknown: no /proc/self/statm here"),
    }
    reads(&mut store);
    digests(&mut store);
    ExitCode::SUCCESS
}

/// Adds a million records, and says how many bytes the process holds then.
fn fill(store: &mut MemoryStore, from: u64) -> Option<f64> {
    let begin = Instant::now();
    for n in from..from + MILLION {
        black_box(store.apply(Op::Merge(record(n))));
    }
    let ns = begin.elapsed().as_nanos() as f64 / MILLION as f64;
    println!(
        "merge a new record, {:>9} held      {ns:>8.0} ns",
        from + MILLION
    );
    let pages: f64 = std::fs::read_to_string("/proc/self/statm")
        .ok()?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some(pages * 4096.0)
}

fn reads(store: &mut MemoryStore) {
    let keys: Vec<Key> = (0..100_000u64)
        .map(|n| key(n * 7919 % (2 * MILLION)))
        .collect();
    let each = |name: &str, ops: Vec<Op>, store: &mut MemoryStore| {
        let count = ops.len() as f64;
        let begin = Instant::now();
        for op in ops {
            black_box(store.apply(op));
        }
        println!(
            "{name:<36} {:>8.0} ns",
            begin.elapsed().as_nanos() as f64 / count
        );
    };
    each(
        "versions of a key",
        keys.iter().cloned().map(Op::Versions).collect(),
        store,
    );
    each(
        "get a value of 100 bytes",
        keys.iter().cloned().map(Op::Get).collect(),
        store,
    );
    let page = |key: &Key| {
        let span = Span::whole(key.id());
        Op::Scan(Page {
            span,
            after: None,
            max_records: 512,
            max_bytes: u64::MAX,
        })
    };
    each(
        "scan 512 records",
        keys.iter().take(1000).map(page).collect(),
        store,
    );
}

fn digests(store: &mut MemoryStore) {
    let tenth = Span::new(Id::ZERO, Id::from_top(u64::MAX / 10));
    for (name, span, parts) in [
        ("digests of the circle, 1 part", Span::whole(Id::ZERO), 1),
        ("digests of the circle, 16 parts", Span::whole(Id::ZERO), 16),
        (
            "digests of the circle, 256 parts",
            Span::whole(Id::ZERO),
            256,
        ),
        ("digests of a tenth, 16 parts", tenth, 16),
    ] {
        let begin = Instant::now();
        for _ in 0..50 {
            black_box(store.apply(Op::Digests { span, parts }));
        }
        println!(
            "{name:<36} {:>8.1} us",
            begin.elapsed().as_secs_f64() * 1e6 / 50.0
        );
    }
}

fn key(n: u64) -> Key {
    Key::new(format!("user:{n:010}")).expect("a short name is a key")
}

fn record(n: u64) -> Record {
    let version = Version {
        stamp: Stamp(n << 16),
        delete: false,
        host: HostId(1),
        start: 1,
    };
    let body = Some(Body::new(vec![7; VALUE_BYTES]));
    let value = Some(ValueCell { version, body });
    Record {
        key: key(n),
        cells: Cells {
            value,
            expiry: None,
        },
    }
}
