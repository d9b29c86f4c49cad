//! `examples/ring.rs` as one who types it sees it: good arguments, bad ones, and a closed pipe.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn program() -> PathBuf {
    // `cargo test` builds the examples beside the tests.
    let own = std::env::current_exe().unwrap();
    let debug = own.parent().and_then(Path::parent).unwrap();
    debug.join("examples/ring")
}

fn ring(arguments: &str) -> Output {
    let arguments = arguments.split_whitespace();
    Command::new(program()).args(arguments).output().unwrap()
}

fn lines(arguments: &str) -> Vec<String> {
    let output = ring(arguments);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"", "{arguments}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_tutorials_transcript() {
    let expected = r#"Linking <1> to <2>
Linking <2> to <3>
Linking <3> to <4>
Linking <4> to <5>
Linking <5> to <1>
{relay,anti_clockwise,10,1,"Hi"}
<1> Relaying 1 "Hi"
<5> Relaying 2 "Hi"
<4> Relaying 3 "Hi"
<3> Relaying 4 "Hi"
<2> Relaying 5 "Hi"
<1> Relaying 6 "Hi"
<5> Relaying 7 "Hi"
<4> Relaying 8 "Hi"
<3> Relaying 9 "Hi"
<2> Relaying 10 "Hi"
<1> Dropping message "Hi" after 10 relays."#;
    assert_eq!(lines("5 10"), expected.lines().collect::<Vec<_>>());
}

#[test]
fn clockwise_with_another_message() {
    assert_eq!(
        lines("3 4 --direction clockwise --message Yo")[3..],
        [
            r#"{relay,clockwise,4,1,"Yo"}"#,
            r#"<1> Relaying 1 "Yo""#,
            r#"<2> Relaying 2 "Yo""#,
            r#"<3> Relaying 3 "Yo""#,
            r#"<1> Relaying 4 "Yo""#,
            r#"<2> Dropping message "Yo" after 4 relays."#
        ]
    );
}

#[test]
fn the_smallest_rings() {
    assert_eq!(
        lines("1 1"),
        [
            "Linking <1> to <1>",
            r#"{relay,anti_clockwise,1,1,"Hi"}"#,
            r#"<1> Relaying 1 "Hi""#,
            r#"<1> Dropping message "Hi" after 1 relays."#
        ]
    );
    assert_eq!(
        lines("2 0")[2..],
        [
            r#"{relay,anti_clockwise,0,1,"Hi"}"#,
            r#"<1> Dropping message "Hi" after 0 relays."#
        ]
    );
}

#[test]
fn many_messages_both_ways_with_delays_print_the_same_every_time() {
    for arguments in [
        "4 6 --tokens 5 --direction both",
        "4 6 --tokens 5 --direction both --delay-ms 3",
    ] {
        let first = lines(arguments);
        assert_eq!(first.len(), 4 + 10 + 10 * 7, "{arguments}");
        assert_eq!(first, lines(arguments), "{arguments}");
    }
}

#[test]
fn quiet_prints_only_figures() {
    let lines = lines("100 1000 --tokens 3 --direction both --quiet");
    let (names, values): (Vec<&str>, Vec<&str>) = lines
        .iter()
        .map(|line| line.split_once(": ").unwrap())
        .unzip();
    let expected = [
        "actors",
        "ns to start and link one",
        "bytes per actor",
        "hops",
        "ns per hop",
    ];
    assert_eq!(names, expected);
    assert_eq!((values[0], values[3]), ("100", "6000"));
    assert!(values[1].parse::<u64>().unwrap() > 0 && values[4].parse::<u64>().unwrap() > 0);
}

#[test]
fn bad_arguments_are_named_on_stderr_with_exit_code_2() {
    for (arguments, named) in [
        ("0 10", "'0'"),
        ("-1 10", "'-1'"),
        ("5 -1", "'-1'"),
        ("99999999999999999999 10", "'99999999999999999999'"),
        ("5 4000000000", "'4000000000'"),
        ("five 10", "'five'"),
        ("5 10 --tokens 0", "'0'"),
        ("5 10 --delay-ms -5", "'-5'"),
        ("5 10 --direction up", "'up'"),
        ("5 10 --fast", "'--fast'"),
        ("5 10 15", "'15'"),
        ("5", "<RELAYS>"),
    ] {
        let output = ring(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert_eq!(output.stdout, b"", "{arguments}");
        assert!(
            error.starts_with("error: ") && error.contains(named),
            "{arguments}: {error}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_without_complaint() {
    let mut child = Command::new(program())
        .args(["5", "1000000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}
