//! A copy of the source tree in which things may be broken.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    time::Duration,
};

/// How long the test of a mutant may run, its building apart; beyond, it counts as endless.
const SECONDS_PER_TEST: u64 = 120;

/// How long its building may take; beyond, it counts as not built.
const SECONDS_PER_BUILD: u64 = 600;

/// Nobody looks at a mutant with a debugger: without what that needs it is built in half the time.
const QUICK: [&str; 4] = [
    "--config",
    "profile.dev.package.roundelay.debug=0",
    "--config",
    "profile.test.package.roundelay.debug=0",
];

/// For a sweep: a second build, worth its while since thousands of lives are lived in it.
const FASTER: [&str; 2] = ["--config", "profile.dev.package.roundelay.opt-level=1"];

/// How long a sweep may run, its building apart; beyond, it counts as one that noticed nothing.
const SECONDS_PER_SWEEP: u64 = 300;

/// What the test of a mutant did.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Failed,
    /// It was stopped after [`SECONDS_PER_TEST`]; that is noticed, too.
    Endless,
    /// The mutant lives.
    Passed,
    /// Stopped after [`SECONDS_PER_SWEEP`] without a seed that fails: that proves nothing.
    TooSlow,
    /// The patch makes no program, so it proves nothing.
    NotBuilt(String),
}

/// All files of the project, from its root, without what is built or hidden.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}

/// Makes `copy` like `root`, writing only what differs, so that little is built again.
pub(crate) fn mirror(root: &Path, copy: &Path) {
    fs::create_dir_all(copy).unwrap();
    let wanted = files(root);
    for file in files(copy) {
        if !wanted.contains(&file) {
            fs::remove_file(copy.join(file)).unwrap();
        }
    }
    for file in wanted {
        let (from, to) = (root.join(&file), copy.join(&file));
        let text = fs::read(from).unwrap();
        if fs::read(&to).ok().as_ref() != Some(&text) {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, text).unwrap();
        }
    }
}

/// Lends the mutants what is already built of other crates, so that only ours is built again.
///
/// Nothing of ours is lent: a mutant would be built under the same name, into the same file.
pub(crate) fn lend(target: &Path) {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().and_then(Path::parent).unwrap();
    let lent = target.join(built.file_name().unwrap());
    if lent.exists() {
        return;
    }
    for part in ["build", "deps", ".fingerprint"] {
        let is_library = |name: &str| name.starts_with("lib");
        for entry in fs::read_dir(built.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if !name.contains("roundelay") && (part != "deps" || is_library(name)) {
                link(&path, &lent.join(part).join(name));
            }
        }
    }
}

fn link(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            link(&path, &to.join(path.file_name().unwrap()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::hard_link(from, to).unwrap();
    }
}

/// Applies a patch, or only tries whether it could be; by git or, without it, by patch.
pub(crate) fn apply(folder: &Path, patch: &Path, only_try: bool) -> Result<(), String> {
    let mut git = Command::new("git");
    git.arg("apply")
        .args(only_try.then_some("--check"))
        .arg(patch);
    // A copy below the real tree is not a part of its repository.
    git.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
    let mut by_patch = Command::new("patch");
    by_patch
        .args(["-p1", "-s", "-f", "-F0", "-r-"])
        .args(only_try.then_some("--dry-run"));
    by_patch.arg("-i").arg(patch);
    let result = [git, by_patch]
        .iter_mut()
        .find_map(|command| command.current_dir(folder).output().ok());
    match result {
        Some(output) if output.status.success() => Ok(()),
        Some(output) => Err(format!("does not apply: {}", said(&output))),
        None => Err("neither `git` nor `patch` can be started".into()),
    }
}

/// Builds the tests that `arguments` name, then runs them.
pub(crate) fn test(folder: &Path, arguments: &[String]) -> Outcome {
    let cargo = |extra: &str| {
        let mut command = cargo(folder, "test");
        command
            .args(arguments)
            .args(Some(extra).filter(|e| !e.is_empty()));
        command
    };
    outcome(cargo("--no-run"), cargo(""), SECONDS_PER_TEST)
}

/// Lets the sweep look for a seed that fails among so many.
pub(crate) fn sweep(folder: &Path, seeds: u32) -> Outcome {
    let cargo = |extra: Option<&str>| {
        let mut command = cargo(folder, "test");
        command.args(FASTER).args(["--test", "sweep"]).args(extra);
        command
            .arg("the_first_seeds_hold")
            .env("FIRST", seeds.to_string());
        command
    };
    let outcome = outcome(cargo(Some("--no-run")), cargo(None), SECONDS_PER_SWEEP);
    if matches!(outcome, Outcome::Endless) {
        return Outcome::TooSlow;
    }
    outcome
}

fn cargo(folder: &Path, verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args([verb, "--offline", "-q"]).args(QUICK);
    command
        .env("CARGO_TARGET_DIR", folder.with_file_name("target"))
        .current_dir(folder);
    command
}

/// What came of a run that must fail, once it has been built.
fn outcome(mut build: Command, mut run: Command, seconds: u64) -> Outcome {
    let log = build.get_current_dir().unwrap();
    let log = log.with_file_name("build.log");
    let said = fs::File::create(&log).unwrap();
    let built = ended(build.stderr(said), SECONDS_PER_BUILD);
    if !built.is_some_and(|built| built.success()) {
        return Outcome::NotBuilt(fs::read_to_string(&log).unwrap());
    }
    match ended(run.stderr(Stdio::null()), seconds) {
        Some(status) if status.success() => Outcome::Passed,
        Some(_) => Outcome::Failed,
        None => Outcome::Endless,
    }
}

/// How a command ended; `None`: it was stopped after so many seconds.
fn ended(command: &mut Command, seconds: u64) -> Option<ExitStatus> {
    let mut run = command
        .process_group(0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..seconds * 10 {
        match run.try_wait().unwrap() {
            Some(status) => return Some(status),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    // The whole group: cargo alone would leave its test running.
    let group = format!("-{}", run.id());
    Command::new("kill")
        .args(["-KILL", "--", &group])
        .status()
        .unwrap();
    run.wait().unwrap();
    None
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text + &String::from_utf8_lossy(&output.stdout)
}
