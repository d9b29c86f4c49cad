//! The tools of Redis, as people use them.

use std::io::Write;
use std::process::{Command, Stdio};

use super::harness::Ring;
use roundelay::door::DoorSettings;

/// Whether a program is here; if not, it is said loudly.
fn is_here(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    let here = found.is_ok_and(|found| found.status.success());
    if !here {
        println!("SKIPPED: {program} is not here; apt-get install redis-tools netcat-openbsd");
    }
    here
}

fn told(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn cli(ring: &Ring, words: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command
        .args(["-p", &ring.doors[0].port().to_string()])
        .args(words);
    told(&mut command, "")
}

#[test]
fn redis_cli_talks() {
    if !is_here("redis-cli") {
        return;
    }
    let ring = Ring::start(3, DoorSettings::default());
    assert_eq!(cli(&ring, &["SET", "cat", "meow"]), "OK\n");
    assert_eq!(cli(&ring, &["GET", "cat"]), "meow\n");
    assert_eq!(cli(&ring, &["-3", "GET", "dog"]), "\n");
    assert_eq!(cli(&ring, &["-3", "DHT.HASKEY", "dog"]), "\n");
    assert!(cli(&ring, &["INFO", "server"]).contains("roundelay_version:"));
    assert!(cli(&ring, &["COMMAND", "DOCS", "get"]).contains("The value, or nothing."));
    assert_eq!(cli(&ring, &["DHT.WHEREIS", "cat"]).lines().count(), 3);
    // A person's session, in which it asks for the commands first; and a script from stdin.
    let port = ring.doors[0].port().to_string();
    let script = "SET a 1\nMGET a b\nEXPIRE a 100\nTTL a\nDEL a\n";
    let talked = told(Command::new("redis-cli").args(["-p", &port]), script);
    assert_eq!(talked, "OK\n1\n\n1\n100\n1\n");
    let piped: String = (0..1_000).map(|n| format!("SET key{n} {n}\r\n")).collect();
    let told = told(
        Command::new("redis-cli").args(["-p", &port, "--pipe"]),
        &piped,
    );
    assert!(told.contains("errors: 0, replies: 1000"), "{told}");
}

#[test]
fn redis_benchmark_runs() {
    if !is_here("redis-benchmark") {
        return;
    }
    let ring = Ring::alone();
    let port = ring.doors[0].port().to_string();
    for pipeline in ["1", "16"] {
        let mut command = Command::new("redis-benchmark");
        command.args([
            "-p",
            &port,
            "-t",
            "ping,set,get,mset",
            "-n",
            "2000",
            "-c",
            "50",
            "-d",
            "100",
        ]);
        let told = told(command.args(["-P", pipeline, "--csv"]), "");
        let rows = told.lines().filter(|line| line.starts_with('"')).count();
        assert!(
            rows >= 6 && !told.to_lowercase().contains("error"),
            "{told}"
        );
    }
}

#[test]
fn netcat_talks() {
    if !is_here("nc") {
        return;
    }
    let ring = Ring::alone();
    let port = ring.doors[0].port().to_string();
    let mut nc = Command::new("nc");
    let talked = told(
        nc.args(["-N", "127.0.0.1", &port]),
        "set a 1\nget a\nquit\n",
    );
    assert_eq!(talked, "+OK\r\n$1\r\n1\r\n+OK\r\n");
}
