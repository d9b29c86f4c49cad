//! What it costs to find a command in what a client sent, beside the parser of `resp-rs`, in one run.
//!
//! ```console
//! $ cargo bench --bench resp
//! ```
//!
//! Each round parses 64 KiB of pipelined commands, as one read brings them. To reach: at most 170 ns a command.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use roundelay::door::resp::{Limits, Parser};

/// As much as one read brings.
const READ_BYTES: usize = 64 * 1024;

/// Rounds of which the median is taken.
const ROUNDS: usize = 301;

fn main() -> ExitCode {
    if !std::env::args().any(|flag| flag == "--bench") {
        println!("resp: nothing measured; figures come from `cargo bench --bench resp`");
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<34} {:>8} {:>10} {:>12}",
        "command", "bytes", "ours ns", "resp-rs ns"
    );
    let value = |n: usize| vec![b'v'; n];
    measure("PING", &command(&[b"PING"]));
    measure("GET key:0000012345", &command(&[b"GET", b"key:0000012345"]));
    measure(
        "SET key:0000012345, 3 bytes",
        &command(&[b"SET", b"key:0000012345", b"abc"]),
    );
    measure(
        "SET key:0000012345, 100 bytes",
        &command(&[b"SET", b"key:0000012345", &value(100)]),
    );
    measure(
        "SET key:0000012345, 4 KiB",
        &command(&[b"SET", b"key:0000012345", &value(4096)]),
    );
    measure("GET key, typed by hand", b"get key:0000012345\r\n");
    let keys: Vec<Vec<u8>> = (0..100)
        .map(|n| format!("key:{n:010}").into_bytes())
        .collect();
    let words = std::iter::once(&b"MGET"[..]).chain(keys.iter().map(|key| &key[..]));
    measure("MGET of 100 keys", &command(&words.collect::<Vec<&[u8]>>()));
    ExitCode::SUCCESS
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn measure(name: &str, one: &[u8]) {
    let count = READ_BYTES / one.len();
    let bytes = one.repeat(count);
    let ours = median(count, || {
        let (mut parser, mut buffer) = (Parser::new(Limits::default()), BytesMut::from(&bytes[..]));
        let mut seen = 0;
        while let Ok(Some(command)) = parser.next(&mut buffer) {
            black_box(command);
            seen += 1;
        }
        assert_eq!(seen, count);
    });
    let theirs = one.starts_with(b"*").then(|| {
        median(count, || {
            let mut rest = Bytes::copy_from_slice(&bytes);
            let mut seen = 0;
            while !rest.is_empty() {
                let (frame, after) = resp_rs::resp2::parse_frame(rest).expect("it is well formed");
                black_box(frame);
                rest = after;
                seen += 1;
            }
            assert_eq!(seen, count);
        })
    });
    let theirs = theirs.map_or("-".to_owned(), |ns| format!("{ns:.0}"));
    println!("{name:<34} {:>8} {ours:>10.0} {theirs:>12}", one.len());
}

/// The median over rounds of the time for one command, in nanoseconds.
fn median(count: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            round();
            begin.elapsed().as_secs_f64() * 1e9 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
