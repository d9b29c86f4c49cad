//! The program `roundelay` as a client: what it prints, and with which code it ends.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use roundelay::door::{DoorSettings, Password};

use super::harness::Ring;

/// Runs the program; its exit code, its output, and what it complained of.
fn run(words: &[&str], input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundelay"));
    let mut child = command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that needs no input may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), output.stdout, complaint)
}

/// The same at a ring.
fn at(ring: &Ring, words: &[&str]) -> (i32, String, String) {
    let node = ring.doors[0].to_string();
    let (code, output, complaint) = run(&[words, &["--node", &node]].concat(), b"");
    (
        code,
        String::from_utf8_lossy(&output).into_owned(),
        complaint,
    )
}

#[test]
fn values_go_in_and_out_as_they_are() {
    let ring = Ring::start(3, DoorSettings::default());
    let node = ring.doors[1].to_string();
    let (code, version, _) = at(
        &ring,
        &["put", "cat", "meow", "--ttl", "100", "--type", "text/plain"],
    );
    assert!(code == 0 && version.contains("@h1/"), "{version}");
    assert_eq!(
        at(&ring, &["get", "cat"]),
        (0, "meow".into(), String::new())
    );
    assert_eq!(at(&ring, &["haskey", "cat"]), (0, version, String::new()));
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[2])
        .collect();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, &bytes).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    assert_eq!(at(&ring, &["put", "file", "--file", &text(&from)]).0, 0);
    assert_eq!(
        at(&ring, &["get", "file", "--out", &text(&to)]),
        (0, String::new(), String::new())
    );
    assert!(std::fs::read(&to).unwrap() == bytes);
    assert_eq!(run(&["put", "stdin", "--node", &node], b"a\x00b\n").0, 0);
    assert_eq!(
        run(
            &["get", "stdin", "--node", &node, "--consistency", "all"],
            b""
        )
        .1,
        b"a\x00b\n"
    );
    assert_eq!(at(&ring, &["del", "cat", "file", "none"]).1, "2\n");
}

#[test]
fn what_fails_ends_with_its_code_and_says_why() {
    let ring = Ring::start(3, DoorSettings::default());
    for words in [&["get", "none"][..], &["del", "none"], &["haskey", "none"]] {
        let (code, output, complaint) = at(&ring, words);
        assert_eq!(
            (code, output.as_str(), complaint.as_str()),
            (1, "", "roundelay: none not found\n")
        );
    }
    let (code, _, complaint) = run(&["get", "a", "--node", "127.0.0.1:1"], b"");
    assert!(
        code == 1 && complaint.contains("127.0.0.1:1"),
        "{complaint}"
    );
    let node = ring.doors[0].to_string();
    let (code, output, _) = run(&["ping", "--node", "127.0.0.1:1", "--node", &node], b"");
    assert_eq!((code, output), (0, b"PONG\n".to_vec()));
    for words in [
        &["get"][..],
        &["get", "a", "--node", "nowhere"],
        &["put", "a", "--file", "/none/at/all"],
        &["get", "a", "--password-file", "/none/at/all"],
        &["get", "a", "--consistency", "some"],
    ] {
        let (code, _, complaint) = run(words, b"");
        assert!(code == 2 && !complaint.is_empty(), "{words:?}: {complaint}");
    }
    let (code, _, complaint) = at(&ring, &["cancel"]);
    assert!(code == 1 && complaint.contains("no move"), "{complaint}");
}

#[test]
fn a_password_comes_from_a_file() {
    let settings = DoorSettings {
        password: Some(Password::new(b"open sesame")),
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "open sesame\n").unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(
        at(&ring, &["ping", "--password-file", path]),
        (0, "PONG\n".into(), String::new())
    );
    let (code, _, complaint) = at(&ring, &["get", "a"]);
    assert!(code == 1 && complaint.contains("NOAUTH"), "{complaint}");
}
