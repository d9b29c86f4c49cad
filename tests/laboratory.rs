//! `roundelay sim` as it is typed.

#![cfg(feature = "server")]

use std::process::{Command, Output};

fn sim(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundelay"));
    command
        .arg("sim")
        .args(args)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it speaks in words")
}

#[test]
fn a_sweep_says_the_same_twice_and_whether_a_rule_was_broken() {
    let args = ["sweep", "--seeds", "3", "--seed", "18", "--threads", "2"];
    let (once, again) = (sim(&args), sim(&args));
    assert_eq!(text(&once.stdout), text(&again.stdout));
    assert!(once.status.success());
    assert!(text(&once.stdout).starts_with("3 seeds, "));
    assert!(text(&once.stdout).ends_with("no rule was broken\n"));
}

#[test]
fn a_replay_says_the_same_twice_and_traces_up_to_a_time() {
    let args = ["replay", "18", "--until", "0.15"];
    let (once, again) = (sim(&args), sim(&args));
    assert!(once.status.success());
    assert_eq!(once.stdout, again.stdout);
    let said = text(&once.stdout);
    let time = |line: &str| {
        let word = line.split(' ').next().filter(|word| word.contains('.'))?;
        word.parse().ok()
    };
    let times: Vec<f64> = said.lines().filter_map(time).collect();
    assert!(times.len() > 20, "{said}");
    assert!(times.iter().all(|time| *time <= 0.15), "{said}");
    assert!(said.contains("no rule was broken"), "{said}");
    let whole = text(&sim(&["replay", "18"]).stdout);
    assert!(whole.lines().all(|line| time(line).is_none()), "{whole}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    for (args, words) in [
        (&["sweep", "--seeds", "0"][..], "0 is not in 1.."),
        (
            &["sweep", "--seeds", "1", "--threads", "0"],
            "at least one thread",
        ),
        (&["sweep", "--seed", "18446744073709551615"], "beyond 2^64"),
        (&["replay", "18", "--until=-1"], "--until"),
        (&["replay", "x"], "invalid digit"),
    ] {
        let told = sim(args);
        let said = text(&told.stderr);
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!(told.status.code(), Some(2), "{args:?}: {said}");
    }
}
