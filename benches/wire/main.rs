//! What a message costs as bytes: nanoseconds to write and to read the common ones.
//!
//! ```console
//! $ cargo bench --bench wire
//! ```
//!
//! A quorum put among three hosts is two rounds: four messages out, four back, less what a host says to
//! itself. At most 14 of them are written and read.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use roundelay::keyspace::Id;
use roundelay::message::{
    Answered, Envelope, FindMessage, KeepMessage, Lookup, Manner, Message, Peer, Question, ReqId,
    Road, Want,
};
use roundelay::placement::HostId;
use roundelay::record::{
    Body, Cells, Key, Mark, Record, Stamp, Summary, ValueCell, Version, WallMs,
};
use roundelay::ring::Direction;
use roundelay::roster::RosterVersion;
use roundelay::wire::{decode, encode};

fn main() -> ExitCode {
    if !std::env::args().any(|flag| flag == "--bench") {
        println!("wire: nothing measured; figures come from `cargo bench --bench wire`");
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<34} {:>9} {:>10} {:>10}",
        "message", "bytes", "write ns", "read ns"
    );
    for (name, message) in messages() {
        measure(name, message);
    }
    ExitCode::SUCCESS
}

fn measure(name: &str, body: Message) {
    let envelope = Envelope {
        from: HostId(0x1234_5678_9abc),
        to: HostId(0xcba9_8765_4321),
        body,
    };
    let frame = encode(&envelope);
    assert_eq!(decode(frame.clone()).as_ref(), Ok(&envelope), "{name}");
    let write = median(|| drop(black_box(encode(black_box(&envelope)))));
    let read = median(|| drop(black_box(decode(black_box(frame.clone())))));
    println!("{name:<34} {:>9} {write:>10.0} {read:>10.0}", frame.len());
}

/// The median over rounds of the mean time of one call, in nanoseconds.
fn median(mut call: impl FnMut()) -> f64 {
    let begin = Instant::now();
    call();
    let once = begin.elapsed().as_secs_f64().max(50e-9);
    let calls = (0.005 / once).clamp(1.0, 100_000.0).round();
    let mut rounds: Vec<f64> = (0..21)
        .map(|_| {
            let begin = Instant::now();
            let mut left = calls;
            while left > 0.0 {
                call();
                left -= 1.0;
            }
            begin.elapsed().as_secs_f64() * 1e9 / calls
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn version() -> Version {
    let stamp = Stamp::at(WallMs(1_700_000_000_123));
    Version {
        stamp,
        delete: false,
        host: HostId(0x1234_5678_9abc),
        start: 3,
    }
}

fn record(name: &str, bytes: usize) -> Record {
    let key = Key::new(name.to_owned()).expect("a short name is a key");
    let body = Some(Body::new(vec![7; bytes]));
    let value = Some(ValueCell {
        version: version(),
        body,
    });
    Record {
        key,
        cells: Cells {
            value,
            expiry: None,
        },
    }
}

#[allow(clippy::too_many_lines, reason = "a table of messages")]
fn messages() -> Vec<(&'static str, Message)> {
    let (req, at) = (ReqId(0x3_0000_0007), RosterVersion(9));
    let small = record("user:1234567:name", 100);
    let (key, cells) = (small.key.clone(), small.cells.clone());
    let versions = Summary {
        value: Some(version()),
        expiry: None,
    };
    let large = record("user:1234567:photo", 1024 * 1024);
    let chunk = (0..512)
        .map(|n| record(&format!("user:{n}:name"), 100))
        .collect();
    let write = |record| KeepMessage::Write {
        req,
        at,
        record,
        road: Road::Request,
    };
    let keep = [
        (
            "ask for versions",
            KeepMessage::Ask {
                req,
                at,
                key,
                want: Want::Versions,
            },
        ),
        (
            "answer: versions",
            KeepMessage::Answer {
                req,
                at,
                mark: Mark::NONE,
                result: Ok(Answered::Versions(versions)),
            },
        ),
        (
            "answer: a value of 100 bytes",
            KeepMessage::Answer {
                req,
                at,
                mark: Mark::NONE,
                result: Ok(Answered::Cells(cells)),
            },
        ),
        ("write 100 bytes", write(small)),
        (
            "wrote",
            KeepMessage::Wrote {
                req,
                at,
                result: Ok(versions),
            },
        ),
        ("write 1 MiB", write(large)),
        (
            "gossip",
            KeepMessage::Gossip {
                version: at,
                wall: WallMs(1_700_000_000_123),
                view: roundelay::message::View::default(),
            },
        ),
        (
            "chunk: 512 records of 100 bytes",
            KeepMessage::Chunk {
                req,
                at,
                result: Ok((chunk, true)),
            },
        ),
    ];
    let keep = keep
        .into_iter()
        .map(|(name, message)| (name, Message::Keep(message)));
    keep.chain(finds()).collect()
}

fn finds() -> impl Iterator<Item = (&'static str, Message)> {
    let (from, to) = (Id::of(b"a"), Id::of(b"b"));
    let lookup = Lookup {
        question: Question(7),
        asker: Peer {
            id: from,
            host: HostId(1),
        },
        target: Id::of(b"target"),
        direction: Direction::Clockwise,
        left: Id::of(b"left"),
        relays: 3,
        limit: 64,
        manner: Manner::PassOn,
        avoid: Vec::new(),
        path: None,
    };
    let ping = FindMessage::Ping {
        question: Question(7),
    };
    let all = [("lookup", FindMessage::Lookup(lookup)), ("ping", ping)];
    all.into_iter()
        .map(move |(name, message)| (name, Message::Find { from, to, message }))
}
