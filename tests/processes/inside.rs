//! Tests that need a network or disks of their own make them in namespaces: the test starts itself again in there, and
//! all of it is gone when that process has ended, however it ends.
//!
//! Where the tools are missing such a test says so and does nothing, except on a CI machine: there it fails. Where the
//! system forbids namespaces it says so, on a CI machine, too: nothing can be installed against that.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// In there this variable is set.
const INSIDE: &str = "ROUNDELAY_TEST_INSIDE";

const NAMESPACES: [&str; 6] = [
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// With the rights of root, if this process has them; else those that anybody has in namespaces of his own.
const WAYS: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];

/// True inside. Outside it runs the test of that name there, sees that it passes, and says false. `first` is a script
/// that makes ready what the test needs; if the system forbids that, the test cannot be.
#[track_caller]
pub(crate) fn is_inside(test: &str, tools: &[&str], first: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        sh(first);
        return true;
    }
    let needed = tools.iter().chain(&["unshare", "mount"]);
    let missing: Vec<&str> = needed.copied().filter(|tool| !has(tool)).collect();
    if !missing.is_empty() {
        lacking(
            test,
            &format!("{missing:?} is not here; apt-get install iproute2 util-linux"),
        );
        return false;
    }
    let tried = WAYS.map(|way| (way, said(unshare(way).args(["sh", "-ec", first]))));
    let Some((way, _)) = tried.iter().find(|(_, (may, _))| *may) else {
        let why: Vec<&str> = tried.iter().map(|(_, (_, said))| said.trim()).collect();
        skip(
            test,
            &format!("the system forbids what it needs: {}", why.join("; or: ")),
        );
        return false;
    };
    let mut again = unshare(way);
    again
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, "1");
    let (passed, said) = said(&mut again);
    assert!(passed && said.contains("1 passed"), "inside:\n{said}");
    false
}

fn unshare(way: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(NAMESPACES).args(way).stdin(Stdio::null());
    command
}

/// Runs a script; what it printed, if it fails, too.
pub(crate) fn try_sh(script: &str) -> Result<String, String> {
    let (done, said) = said(Command::new("sh").args(["-ec", script]));
    if done { Ok(said) } else { Err(said) }
}

/// Runs a script that must succeed.
#[track_caller]
pub(crate) fn sh(script: &str) -> String {
    try_sh(script).unwrap_or_else(|said| panic!("{script}\n{said}"))
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn has(tool: &str) -> bool {
    said(Command::new("sh").args(["-c", &format!("command -v {tool}")])).0
}

/// Something is not installed: on a CI machine it must be.
#[track_caller]
fn lacking(test: &str, what: &str) {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "{test}: {what}");
    skip(test, what);
}

/// Said past the test's own output, which is only shown if it fails.
fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}

/// The library by which a process sees another time.
#[track_caller]
pub(crate) fn faketime(test: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let places = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let found = places.into_iter().find(|place| place.exists());
    if found.is_none() {
        lacking(test, "libfaketime is not here; apt-get install faketime");
    }
    found
}
