//! `examples/net_dht` as one who types it sees it: it ends by itself, or when it is told to, and leaves nothing behind.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn program() -> PathBuf {
    // `cargo test` builds the examples beside the tests.
    let own = std::env::current_exe().unwrap();
    let debug = own.parent().and_then(Path::parent).unwrap();
    debug.join("examples/net_dht")
}

/// It, with a place of its own for temporary files.
fn net_dht(place: &Path) -> Command {
    let mut command = Command::new(program());
    command.env("TMPDIR", place).stdin(Stdio::null());
    command
}

/// Processes whose environment names that place. It is the parent's, and so that of its hosts.
fn processes(place: &Path) -> Vec<String> {
    let wanted = place.to_str().unwrap().as_bytes().to_vec();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let theirs = |pid: &String| {
        // Of one that has ended, or is somebody else's, there is nothing to be read.
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(wanted.len()).any(|part| part == wanted)
    };
    pids.filter(theirs).collect()
}

fn is_empty(place: &Path) -> bool {
    std::fs::read_dir(place).unwrap().next().is_none()
}

/// Waits for what must come, but not for ever.
fn wait_for(what: &str, is: impl Fn() -> bool) {
    for _ in 0..2400 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}");
}

/// A play that has begun: its three processes form a ring.
fn begun(place: &Path) -> Child {
    let mut child = net_dht(place).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.as_mut().unwrap());
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "three processes form a ring\n");
    child
}

#[test]
fn it_tells_its_story_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let output = net_dht(place.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?}\n{text}", output.stderr);
    let chapters = [
        "three processes form a ring",
        "12 lines are stored at h1",
        "all lines are read at h3",
        "h2 is killed (SIGKILL)",
        "all lines are read at h1",
        "a fourth has joined and holds its share",
        "all lines are read at h4",
        "h2 is back, with what its disk kept",
        "all lines are read at h2",
        "nothing was lost",
    ];
    let mut rest = text.as_str();
    for chapter in chapters {
        let at = rest.find(chapter);
        let at = at.unwrap_or_else(|| panic!("{chapter:?} is missing in\n{text}"));
        rest = &rest[at..];
    }
    assert!(is_empty(place.path()));
    assert_eq!(processes(place.path()), Vec::<String>::new());
}

#[test]
fn told_to_end_in_its_midst_it_leaves_nothing_behind_either() {
    for signal in ["INT", "TERM"] {
        let place = tempfile::tempdir().unwrap();
        let mut child = begun(place.path());
        assert!(!is_empty(place.path()));
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        assert!(is_empty(place.path()), "{signal}");
        wait_for("a process runs on", || processes(place.path()).is_empty());
    }
}

#[test]
fn no_host_outlives_it_when_it_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let mut child = begun(place.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("a process runs on", || processes(place.path()).is_empty());
}

#[test]
fn it_says_what_it_does_and_takes_no_arguments() {
    let place = tempfile::tempdir().unwrap();
    for word in ["--help", "-h"] {
        let output = net_dht(place.path()).arg(word).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(
            text.contains("Usage: net_dht") && text.contains("nothing is lost"),
            "{text}"
        );
    }
    let output = net_dht(place.path()).arg("--fast").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told.contains("takes no arguments, got \"--fast\"; --help says"),
        "{told}"
    );
    assert!(is_empty(place.path()));
}
