//! Servers in processes of their own, ended when they are let go of.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use redis::Value;
use tempfile::TempDir;

use crate::process::connect;

/// A server that has not answered by then will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether all that is needed of Redis is installed.
pub(crate) fn are_here() -> Result<(), String> {
    for tool in ["redis-server", "redis-benchmark", "redis-cli"] {
        let version = Command::new(tool).arg("--version").output();
        let version = version.map_err(|error| {
            format!("{tool} cannot be run ({error}): install Redis (redis-server and redis-tools)")
        })?;
        println!("{}", String::from_utf8_lossy(&version.stdout).trim());
    }
    Ok(())
}

/// What runs, and where it keeps its files.
pub(crate) struct Servers {
    dir: TempDir,
    running: Vec<Child>,
}

impl Servers {
    pub(crate) fn new() -> anyhow::Result<Servers> {
        Ok(Servers {
            dir: tempfile::tempdir()?,
            running: Vec::new(),
        })
    }

    /// Where all their directories lie.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The time that server has spent on processors so far: all its threads, in the order the servers were started.
    pub(crate) fn spent(&self, server: usize) -> Duration {
        let tasks = format!("/proc/{}/task", self.running[server].id());
        let tasks = std::fs::read_dir(tasks).into_iter().flatten().flatten();
        let ns = tasks.filter_map(|task| {
            let told = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            told.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(ns.sum())
    }

    /// A directory of its own for a server.
    fn home(&self) -> anyhow::Result<PathBuf> {
        let home = self.dir.path().join(self.running.len().to_string());
        std::fs::create_dir(&home)?;
        Ok(home)
    }

    fn spawn(&mut self, command: &mut Command, home: &Path) -> anyhow::Result<()> {
        let log = std::fs::File::create(home.join("log"))?;
        command.stdin(Stdio::null()).stderr(log.try_clone()?);
        let child = command.stdout(log).spawn();
        let name = command.get_program().to_string_lossy().into_owned();
        self.running
            .push(child.with_context(|| format!("{name} cannot be started"))?);
        Ok(())
    }

    /// A redis-server.
    pub(crate) fn redis(&mut self, port: u16, flags: &[&str]) -> anyhow::Result<()> {
        let home = self.home()?;
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--dir"])
            .arg(&home)
            .args(flags);
        self.spawn(&mut command, &home)?;
        wait_for("redis-server to answer", &home, || told(port, &["PING"]))?;
        Ok(())
    }

    /// A host; with `durable`, one that keeps its records on the disk.
    pub(crate) fn host(&mut self, port: u16, durable: bool, flags: &[&str]) -> anyhow::Result<()> {
        let home = self.home()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_roundelay"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(flags);
        if durable {
            command.arg("--data-dir").arg(home.join("data"));
        }
        self.spawn(&mut command, &home)?;
        // In the ring it founds, or that others do.
        wait_for("a host to serve", &home, || told(port, &["GET", "nothing"]))?;
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.running {
            // One that has ended already cannot be killed, and need not be.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a server says to a command; nothing if it cannot be reached, or refuses.
pub(crate) fn told(port: u16, words: &[&str]) -> Option<Value> {
    let mut connection = connect(&format!("redis://127.0.0.1:{port}"))?;
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command.query(&mut connection).ok()
}

/// Looks again and again until there is something. If there is nothing: what the log in that directory says.
pub(crate) fn wait_for<T>(
    what: &str,
    home: &Path,
    mut look: impl FnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
    bail!("waited {PATIENCE:?} for {what}\n{log}");
}

/// Ports that nobody has now.
pub(crate) fn free_ports(n: usize) -> anyhow::Result<Vec<u16>> {
    let held: Result<Vec<TcpListener>, _> =
        (0..n).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let ports = held?
        .iter()
        .map(|held| held.local_addr().map(|address| address.port()))
        .collect::<Result<Vec<u16>, _>>()?;
    Ok(ports)
}
