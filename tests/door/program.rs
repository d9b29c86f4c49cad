//! The program `roundelay` as a client: what it prints, and with which code it ends.

use std::io::{Read, Write};
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
    for words in [["get", "none"], ["haskey", "none"]] {
        let (code, output, complaint) = at(&ring, &words);
        assert_eq!(
            (code, output.as_str(), complaint.as_str()),
            (1, "", "roundelay: none not found\n")
        );
    }
    let none = at(&ring, &["del", "none", "neither"]);
    assert_eq!(none, (0, "0\n".into(), String::new()));
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
    for words in [&["remove", "h2", "h99"][..], &["purge", "h99"]] {
        let (code, _, complaint) = at(&ring, words);
        assert!(
            code == 1 && complaint.contains("h99 is not in the ring: h1 h2 h3 are"),
            "{words:?}: {complaint}"
        );
    }
    let (code, _, complaint) = at(&ring, &["replicas", "300"]);
    assert!(code == 2 && complaint.contains("1..=16"), "{complaint}");
}

#[test]
fn several_values_are_printed_each_after_its_key() {
    let ring = Ring::start(3, DoorSettings::default());
    for (key, value) in [("a", "1"), ("b", "two words"), ("minus", "-5")] {
        let (code, _, complaint) = at(&ring, &["put", key, value]);
        assert!(code == 0 && complaint.is_empty(), "{key}: {complaint}");
    }
    let all = at(&ring, &["get", "minus", "b", "a"]);
    assert_eq!(
        all,
        (0, "minus: -5\nb: two words\na: 1\n".into(), String::new())
    );
    let some = at(&ring, &["get", "none", "a", "neither"]);
    let without = "roundelay: none not found\nroundelay: neither not found\n";
    assert_eq!(some, (1, "a: 1\n".into(), without.into()));
    for flag in [["--out", "x"], ["--consistency", "all"]] {
        let (code, _, complaint) = at(&ring, &["get", "a", "b", flag[0], flag[1]]);
        assert!(code == 2 && complaint.contains(flag[0]), "{complaint}");
    }
}

#[test]
fn numbers_that_cannot_be_are_refused_as_numbers() {
    for (words, why) in [
        (&["replicas", "-1"][..], "-1 is not in 1..=16"),
        (
            &["get", "a", "--timeout", "-1"],
            "invalid value '-1' for '--timeout",
        ),
        (
            &["put", "a", "b", "--ttl", "-1"],
            "invalid value '-1' for '--ttl",
        ),
        (&["cluster", "--nodes", "-3"], "-3 is not in 1..=64"),
        (
            &["sim", "sweep", "--seeds", "-1"],
            "invalid value '-1' for '--seeds",
        ),
    ] {
        let (code, _, complaint) = run(words, b"");
        assert!(
            code == 2 && complaint.contains(why),
            "{words:?}: {complaint}"
        );
    }
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
    assert!(
        code == 1 && complaint.contains("NOAUTH") && complaint.contains("--password-file"),
        "{complaint}"
    );
    std::fs::write(file.path(), "open barley\n").unwrap();
    let node = ring.doors[0].to_string();
    for words in [["get", "a"], ["del", "a"]] {
        let (code, _, complaint) = at(&ring, &[&words[..], &["--password-file", path]].concat());
        assert!(
            code == 1
                && complaint.matches(&node).count() == 1
                && complaint.contains("look into the file named by --password-file"),
            "{complaint}"
        );
    }
}

/// A server that says that, whatever it is asked.
fn parrot(says: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for guest in listener.incoming() {
            let mut guest = guest.unwrap();
            let mut buf = [0; 1024];
            while guest.read(&mut buf).is_ok_and(|read| read > 0) {
                // Who has gone hears nothing.
                let _ = guest.write_all(says.as_bytes());
            }
        }
    });
    address
}

#[test]
fn a_server_of_another_kind_is_told_from_a_host() {
    let http = parrot("HTTP/1.1 400 Bad Request\r\n\r\n");
    let redis = parrot("-ERR unknown command\r\n");
    for words in [["get", "a"], ["del", "a"]] {
        let (code, _, complaint) = run(&[&words[..], &["--node", &http]].concat(), b"");
        let why = "no host of Roundelay: it speaks something else";
        assert!(code == 1 && complaint.contains(why), "{complaint}");
    }
    let (code, _, complaint) = run(&["get", "a", "--node", &redis], b"");
    let why = "no host of Roundelay, but some other server";
    assert!(code == 1 && complaint.contains(why), "{complaint}");
}

#[test]
fn the_ring_is_looked_at_and_changed() {
    let ring = Ring::start(4, DoorSettings::default());
    assert_eq!(at(&ring, &["put", "cat", "meow"]).0, 0);
    let (_, hosts, _) = at(&ring, &["whereis", "cat"]);
    assert_eq!(hosts.split_whitespace().count(), 3);
    let (_, copies, _) = at(&ring, &["whereis", "cat", "--check"]);
    assert_eq!(copies.matches("present").count(), 3, "{copies}");
    let (_, why, _) = at(&ring, &["explain", "cat"]);
    assert!(
        why.contains("owner: ") && why.contains("which wins"),
        "{why}"
    );
    let (_, who, _) = at(&ring, &["ring"]);
    assert!(
        who.contains("replicas: 3\n") && who.lines().any(|line| line.starts_with("  h4")),
        "{who}"
    );
    let columns = ["weight  tokens   share  keys", "bytes  max_bytes"];
    assert!(columns.iter().all(|names| who.contains(names)), "{who}");
    let (_, status, _) = at(&ring, &["status"]);
    assert!(status.contains("state: settled\n"), "{status}");
    let (_, all, _) = at(&ring, &["status", "--all"]);
    assert_eq!(all.matches("state: settled\n").count(), 4, "{all}");
    let (code, balanced, _) = at(&ring, &["balance"]);
    assert!(
        code == 0 && balanced.matches("unreachable: none").count() == 4,
        "{balanced}"
    );
    assert_eq!(at(&ring, &["purge"]).0, 0);
    assert_eq!(at(&ring, &["replicas"]).1, "3\n");
    assert_eq!(at(&ring, &["remove", "h4"]).0, 0);
    assert_eq!(at(&ring, &["replicas", "2"]).0, 0);
    assert_eq!(
        at(&ring, &["whereis", "cat"]).1.split_whitespace().count(),
        2
    );
    assert_eq!(at(&ring, &["get", "cat"]).1, "meow");
}

#[test]
fn a_member_is_given_another_zone_and_weight_and_nothing_is_shown_where_no_terminal_is() {
    let ring = Ring::start(4, DoorSettings::default());
    // Who waits sees how far it is on a terminal only.
    let (code, version, complaint) = at(&ring, &["remove", "h4"]);
    assert!(
        code == 0 && version.starts_with('v') && complaint.is_empty(),
        "{complaint}"
    );
    let quiet = at(&ring, &["member", "h1", "--zone", "north", "--quiet"]);
    assert!(quiet.0 == 0 && quiet.2.is_empty(), "{quiet:?}");
    let (code, version, _) = at(&ring, &["member", "h1", "--no-zone", "--weight", "3"]);
    assert!(code == 0 && version.starts_with('v'), "{version}");
    for words in [
        &["member", "h1"][..],
        &["member", "h1", "--zone", "a", "--no-zone"],
        &["member", "h1", "--weight", "0"],
        &["member", "h1", "--weight", "-1"],
    ] {
        assert_eq!(at(&ring, words).0, 2, "{words:?}");
    }
    let (code, _, complaint) = at(&ring, &["member", "h9", "--weight", "2"]);
    let why = "host h9 is not in the roster";
    assert!(code == 1 && complaint.contains(why), "{complaint}");
}

#[test]
fn what_was_exported_is_imported_elsewhere() {
    let (one, other) = (Ring::start(3, DoorSettings::default()), Ring::alone());
    for n in 0..300 {
        one.client(n % 3)
            .ask(format!("SET key{n} value{n}\r\n"), "+OK\r\n");
    }
    one.client(0)
        .ask("DEL key7\r\nEXPIRE key8 1000\r\n", ":1\r\n:1\r\n");
    other.client(0).ask("SET key9 mine\r\n", "+OK\r\n");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let (code, _, told) = at(&one, &["export", "--out", path]);
    assert_eq!((code, told.as_str()), (0, "299 values exported\n"));
    let (code, _, told) = at(&other, &["import", path]);
    assert_eq!(
        (code, told.as_str()),
        (0, "298 values written, 1 were there, 0 had expired\n")
    );
    let mut me = other.client(0);
    me.ask(
        "GET key5\r\nGET key7\r\nGET key9\r\nTTL key5\r\n",
        "$6\r\nvalue5\r\n$-1\r\n$4\r\nmine\r\n:-1\r\n",
    );
    me.send("TTL key8\r\n");
    let left = me.line();
    assert!(left == ":1000" || left.starts_with(":99"), "{left}");
    assert_eq!(at(&other, &["import", path, "--overwrite"]).0, 0);
    me.ask("GET key9\r\n", "$6\r\nvalue9\r\n");
    let mut bytes = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), &bytes[..bytes.len() / 2]).unwrap();
    let (code, _, told) = at(&other, &["import", path]);
    assert!(code == 1 && told.contains("cut off"), "{told}");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file.path(), &bytes).unwrap();
    let (code, _, told) = at(&other, &["import", path]);
    assert!(
        code == 1 && told.contains("damaged") || told.contains("no export"),
        "{told}"
    );
}

#[test]
fn large_values_are_exported_and_imported_piece_by_piece() {
    let (one, other) = (Ring::start(3, DoorSettings::default()), Ring::alone());
    let folder = tempfile::tempdir().unwrap();
    let (from, file) = (folder.path().join("from"), folder.path().join("file"));
    let (from, file) = (from.to_str().unwrap(), file.to_str().unwrap());
    let bytes: Vec<u8> = (0..3_000_001_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[2])
        .collect();
    std::fs::write(from, &bytes).unwrap();
    for key in ["film", "song"] {
        let put = ["put", key, "--file", from, "--type", "a/b", "--ttl", "1000"];
        assert_eq!(at(&one, &put).0, 0);
    }
    assert_eq!(at(&one, &["put", "cat", "meow"]).0, 0);
    assert_eq!(at(&other, &["put", "song", "of its own"]).0, 0);
    let (code, _, told) = at(&one, &["export", "--out", file]);
    assert_eq!((code, told.as_str()), (0, "3 values exported\n"));

    // A byte of the last large value differs: it is not stored, what was confirmed before is.
    let whole = std::fs::read(file).unwrap();
    let mut spoiled = whole.clone();
    let end = spoiled.len();
    spoiled[end - 1_000] ^= 1;
    std::fs::write(file, &spoiled).unwrap();
    let (code, _, told) = at(&other, &["import", file]);
    assert!(code == 1 && told.contains("a sum is wrong"), "{told}");
    let there = |key: &str| at(&other, &["haskey", key]).0 == 0;
    assert!(there("cat") && there("song"));
    std::fs::write(file, &whole[..end - 1_000]).unwrap();
    let (code, _, told) = at(&other, &["import", file]);
    assert!(code == 1 && told.contains("cut off"), "{told}");

    std::fs::write(file, &whole).unwrap();
    let (code, _, told) = at(&other, &["import", file]);
    assert_eq!(code, 0, "{told}");
    assert!(told.ends_with(" were there, 0 had expired\n"), "{told}");
    assert_eq!(at(&other, &["get", "song"]).1, "of its own");
    assert_eq!(at(&other, &["get", "film", "--out", from]).0, 0);
    assert!(std::fs::read(from).unwrap() == bytes);
    let (code, _, told) = at(&other, &["import", file, "--overwrite"]);
    assert_eq!(
        (code, told.as_str()),
        (0, "3 values written, 0 were there, 0 had expired\n")
    );
    let mut me = other.client(0);
    me.ask("STRLEN song\r\n", ":3000001\r\n")
        .send("TTL song\r\n");
    let left: u32 = me.line()[1..].parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");
}
