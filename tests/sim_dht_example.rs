//! `examples/sim_dht` as one who types it sees it: good arguments and bad ones.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn program() -> PathBuf {
    // `cargo test` builds the examples beside the tests.
    let own = std::env::current_exe().unwrap();
    let debug = own.parent().and_then(Path::parent).unwrap();
    debug.join("examples/sim_dht")
}

fn sim_dht(arguments: &str) -> Output {
    let arguments = arguments.split_whitespace();
    Command::new(program()).args(arguments).output().unwrap()
}

fn told(arguments: &str) -> String {
    let output = sim_dht(arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    assert_eq!(output.stderr, b"", "{arguments}");
    String::from_utf8(output.stdout).unwrap()
}

fn assert_has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in\n{text}");
    }
}

#[test]
fn without_arguments_it_tells_its_story_the_same_each_time() {
    let text = told("");
    let chapters = [
        "h1 founds a ring, alone",
        "ha joins: v19 settled",
        "89 lines are stored, 5 copies of each, 3 to agree",
        "by neighbours: ",
        "by fingers: ",
        "in one hop: 1 relay, ",
        "  before: 89 of 89 lines as they were; ",
        " with hb: 89 of 89 lines as they were; ",
        "h3 leaves",
        " crash at once",
        "at once: 89 of 89 lines are there",
        "all 5 copies of every line are back",
    ];
    let mut rest = text.as_str();
    for chapter in chapters {
        let at = rest
            .find(chapter)
            .unwrap_or_else(|| panic!("{chapter:?} is missing in\n{text}"));
        rest = &rest[at..];
    }
    assert_eq!(told(""), text, "the same seed, the same bytes");
    assert_ne!(told("--seed 2"), text);
}

#[test]
fn hosts_die_one_after_the_other_and_nothing_is_lost() {
    let text = told("--nodes 12 --kill 3 --keys 40");
    assert_eq!(
        text.matches("every line has 5 copies again").count(),
        3,
        "{text}"
    );
    assert_has(&text, &["40 of 40 lines are there"]);
}

#[test]
fn hosts_die_all_at_once_and_the_losses_are_counted() {
    let text = told("--nodes 40 --kill 20 --at-once --replicas 3 --keys 200");
    assert_has(
        &text,
        &[
            "keys without a copy: ",
            "of 200; expected p^R = 0.5^3: 25.0",
        ],
    );
    assert_has(&text, &["refused, 0 absent"]);
}

#[test]
fn whatever_the_routes_the_keys_are_there() {
    for routes in ["neighbours", "fingers"] {
        let text = told(&format!("--routes {routes} --keys 30"));
        assert_has(&text, &["at once: 30 of 30 lines are there"]);
    }
}

#[test]
fn values_may_be_large_and_rings_small() {
    assert_has(
        &told("--value-size 1100000 --keys 4"),
        &["4 of 4 lines are there"],
    );
    assert_has(&told("--nodes 1"), &["nobody can be spared"]);
    assert_has(&told("--nodes 3 --trace"), &["0.000 h1 starts", "Write v"]);
}

#[test]
fn bad_arguments_are_named_and_end_with_2() {
    for (arguments, words) in [
        ("--nodes 0", "give a whole number from 1 to 100000"),
        ("--nodes -3", "give a whole number from 1 to 100000"),
        ("--replicas 17", "give a whole number from 1 to 16"),
        (
            "--kill 10",
            "--kill 10 of --nodes 10: at least one host must stay",
        ),
        (
            "--nodes 5 --kill 4",
            "one after the other two hosts must stay",
        ),
        (
            "--replicas 2 --kill 1",
            "one after the other takes 3 copies or more",
        ),
        ("--at-once", "--kill <KILL>"),
        ("--routes up", "[possible values: neighbours, fingers, all]"),
        ("--text /no/such/file", "name a readable text file"),
        ("--bogus", "unexpected argument '--bogus'"),
    ] {
        let output = sim_dht(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("error: ") && said.contains(words),
            "{arguments}: {said}"
        );
        assert_eq!(output.stdout, b"", "{arguments}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_may_go() {
    for arguments in ["", "--nodes 3 --trace"] {
        let mut child = Command::new(program())
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
        assert_eq!(output.stderr, b"", "{arguments}");
    }
}
