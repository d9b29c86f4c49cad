//! A host in a process of its own, as people start it, and a client of its port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing here takes longer, but for a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Several hosts, each with a port and a directory that outlive its process.
pub(crate) struct Hosts {
    pub(crate) dir: TempDir,
    ports: Vec<u16>,
    processes: Vec<Option<Child>>,
    /// How often each was started.
    lives: Vec<usize>,
    flags: Vec<String>,
}

impl Hosts {
    /// So many hosts, started at once, all told of the first two.
    pub(crate) fn start(n: usize, flags: &[&str]) -> Hosts {
        let mut hosts = Hosts {
            dir: tempfile::tempdir().unwrap(),
            ports: free_ports(n),
            processes: (0..n).map(|_| None).collect(),
            lives: vec![0; n],
            flags: flags.iter().map(ToString::to_string).collect(),
        };
        (0..n).for_each(|host| hosts.spawn(host));
        (0..n).for_each(|host| hosts.wait_until_in(host));
        hosts
    }

    pub(crate) fn len(&self) -> usize {
        self.ports.len()
    }

    pub(crate) fn home(&self, host: usize) -> PathBuf {
        self.dir.path().join(format!("h{host}"))
    }

    fn log(&self, host: usize) -> PathBuf {
        self.dir.path().join(format!("h{host}.log"))
    }

    /// What a host has said in all its lives.
    pub(crate) fn said(&self, host: usize) -> String {
        std::fs::read_to_string(self.log(host)).unwrap_or_default()
    }

    /// Starts a host, in whatever its directory is.
    pub(crate) fn spawn(&mut self, host: usize) {
        let name = |host: usize| format!("127.0.0.1:{}", self.ports[host]);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(host))
            .unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_roundelay"))
            .args(["serve", "--listen", &name(host)])
            .args(["--join", &format!("{},{}", name(0), name(1)), "--data-dir"])
            .arg(self.home(host))
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.processes[host] = Some(process.unwrap());
        self.lives[host] += 1;
    }

    /// One host more.
    pub(crate) fn add(&mut self) -> usize {
        self.ports.extend(free_ports(1));
        self.processes.push(None);
        self.lives.push(0);
        let host = self.len() - 1;
        self.spawn(host);
        host
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, host: usize) {
        let mut process = self.processes[host].take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn signal(&self, host: usize, signal: &str) {
        let process = self.processes[host].as_ref().unwrap();
        let kill = format!("kill -{signal} {}", process.id());
        let done = Command::new("sh").args(["-c", &kill]).status();
        assert!(done.unwrap().success());
    }

    /// SIGTERM, and what it ends with.
    pub(crate) fn stop(&mut self, host: usize) -> Option<i32> {
        self.signal(host, "TERM");
        let mut process = self.processes[host].take().unwrap();
        wait_for("the host to end", || process.try_wait().unwrap()).code()
    }

    pub(crate) fn url(&self, host: usize) -> String {
        format!("redis://127.0.0.1:{}", self.ports[host])
    }

    /// A connection to a host.
    pub(crate) fn client(&self, host: usize) -> redis::RedisResult<redis::Connection> {
        let client = redis::Client::open(self.url(host))?;
        let connection = client.get_connection_with_timeout(Duration::from_secs(1))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(connection)
    }

    /// Waits until a host, in its present life, holds its share of a ring.
    pub(crate) fn wait_until_in(&self, host: usize) {
        let lives = self.lives[host];
        wait_for(&format!("h{host} in a ring"), || {
            let said = self.said(host);
            (said.matches(" is in a ring of ").count() >= lives).then_some(())
        });
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().flatten() {
            // One that has ended already cannot be killed, and need not be.
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            for host in 0..self.len() {
                eprintln!("--- h{host}\n{}", self.said(host));
            }
        }
    }
}

/// Looks again and again until there is something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    #[expect(clippy::disallowed_methods, reason = "real processes take real time")]
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited {PATIENCE:?} for {what}")
}

/// Ports that nobody has now. Somebody else may take one; then its host says so, and the test fails.
fn free_ports(n: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..n)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports = held.iter().map(|held| held.local_addr().unwrap().port());
    ports.collect()
}

/// Flips a bit in the middle of every file of that kind.
pub(crate) fn damage(dir: &Path, ending: &str) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == ending) {
            let mut bytes = std::fs::read(&path).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            bytes[used / 2] ^= 16;
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    damaged
}
