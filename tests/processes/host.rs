//! A host in a process of its own, as people start it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{ConnectionLike, Value};
use tempfile::TempDir;

/// Nothing here takes longer, but for a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A client waits so long for an answer. A host says within five seconds what became of a request.
const ANSWER: Duration = Duration::from_secs(10);

/// Where one host lives and how it is started. It may be changed between two lives.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) address: String,
    pub(crate) home: PathBuf,
    /// What stands before the program: it starts the program in the same process.
    pub(crate) before: Vec<String>,
    pub(crate) environment: Vec<(String, OsString)>,
    pub(crate) flags: Vec<String>,
}

/// Several hosts, each with an address and a directory that outlive its process.
pub(crate) struct Hosts {
    pub(crate) dir: TempDir,
    pub(crate) seats: Vec<Seat>,
    processes: Vec<Option<Child>>,
    /// How often each was started.
    lives: Vec<usize>,
}

impl Hosts {
    /// So many hosts on loopback, started at once, all told of the first two.
    pub(crate) fn start(n: usize, flags: &[&str]) -> Hosts {
        Hosts::start_at(&free_ports(n), |seat, _| {
            seat.flags.extend(flags.iter().map(ToString::to_string));
        })
    }

    /// Hosts at these addresses, each seat made ready by `change`.
    pub(crate) fn start_at(addresses: &[String], change: impl Fn(&mut Seat, usize)) -> Hosts {
        let mut hosts = Hosts {
            dir: tempfile::tempdir().unwrap(),
            seats: Vec::new(),
            processes: Vec::new(),
            lives: Vec::new(),
        };
        for (host, address) in addresses.iter().enumerate() {
            hosts.sit(address.clone());
            change(&mut hosts.seats[host], host);
        }
        hosts.all().for_each(|host| hosts.spawn(host));
        hosts.all().for_each(|host| hosts.wait_until_in(host));
        hosts
    }

    fn sit(&mut self, address: String) -> usize {
        let host = self.seats.len();
        self.seats.push(Seat {
            address,
            home: self.dir.path().join(format!("h{host}")),
            before: Vec::new(),
            environment: Vec::new(),
            flags: Vec::new(),
        });
        self.processes.push(None);
        self.lives.push(0);
        host
    }

    /// Their numbers.
    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.seats.len()
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
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(host))
            .unwrap();
        let seat = &self.seats[host];
        let program = env!("CARGO_BIN_EXE_roundelay");
        let mut words = seat.before.iter().map(String::as_str).chain([program]);
        let named = format!("{},{}", self.seats[0].address, self.seats[1].address);
        let process = Command::new(words.next().unwrap())
            .args(words)
            .args(["serve", "--listen", &seat.address, "--join", &named])
            .arg("--data-dir")
            .arg(&seat.home)
            .args(&seat.flags)
            .envs(seat.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.processes[host] = Some(process.unwrap());
        self.lives[host] += 1;
    }

    /// One host more, on loopback.
    pub(crate) fn add(&mut self, change: impl FnOnce(&mut Seat)) -> usize {
        let host = self.sit(free_ports(1).remove(0));
        change(&mut self.seats[host]);
        self.spawn(host);
        host
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, host: usize) {
        let mut process = self.processes[host].take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn pid(&self, host: usize) -> u32 {
        self.processes[host].as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, host: usize, signal: &str) {
        let kill = format!("kill -{signal} {}", self.pid(host));
        let done = Command::new("sh").args(["-c", &kill]).status();
        assert!(done.unwrap().success());
    }

    /// SIGTERM, and what it ends with.
    pub(crate) fn stop(&mut self, host: usize) -> Option<i32> {
        self.signal(host, "TERM");
        self.ended(host)
    }

    /// What a host that was told to end ends with.
    pub(crate) fn ended(&mut self, host: usize) -> Option<i32> {
        let mut process = self.processes[host].take().unwrap();
        wait_for("the host to end", || process.try_wait().unwrap()).code()
    }

    pub(crate) fn url(&self, host: usize) -> String {
        format!("redis://{}", self.seats[host].address)
    }

    /// Their numbers and URLs, for clients.
    pub(crate) fn urls(&self, hosts: impl IntoIterator<Item = usize>) -> Vec<(usize, String)> {
        let hosts = hosts.into_iter();
        hosts.map(|host| (host, self.url(host))).collect()
    }

    /// Waits until a host, in its present life, holds its share of a ring.
    pub(crate) fn wait_until_in(&self, host: usize) {
        let lives = self.lives[host];
        let what = format!("h{host} in a ring");
        wait_for_or(
            &what,
            || self.tell(),
            || {
                let said = self.said(host);
                let begun: Vec<&str> = said.split(" listens on ").skip(1).collect();
                let is_in = begun.last()?.contains(" is in a ring of ");
                (begun.len() == lives && is_in).then_some(())
            },
        );
    }

    /// Waits until these hosts say the same of the ring: settled, with so many hosts in it.
    pub(crate) fn wait_until_agreed(&self, hosts: &[usize], members: usize) {
        let settled = format!("state=settled, members={members}, ");
        wait_for_or(
            "all to agree",
            || self.tell(),
            || {
                let told: Option<BTreeSet<String>> =
                    hosts.iter().map(|host| self.ring(*host)).collect();
                let told = told?;
                (told.len() == 1 && told.first()?.starts_with(&settled)).then_some(())
            },
        );
    }

    /// What a host says of the ring, in a line.
    fn ring(&self, host: usize) -> Option<String> {
        let (told, state) = (self.told(host, "DHT.RING")?, self.state(host)?);
        let members = many(told.get("hosts")?);
        Some(format!("state={state}, members={members}, {told:?}"))
    }

    /// Whether a host says that the ring is settled, or moving.
    pub(crate) fn state(&self, host: usize) -> Option<String> {
        redis::from_redis_value_ref(self.told(host, "DHT.RING")?.get("state")?).ok()
    }

    /// How many hosts a host takes for down.
    pub(crate) fn down(&self, host: usize) -> Option<usize> {
        self.told(host, "DHT.STATUS")?.get("down").map(many)
    }

    fn told(&self, host: usize, command: &str) -> Option<BTreeMap<String, Value>> {
        let mut connection = connect(&self.url(host))?;
        redis::cmd(command).query(&mut connection).ok()
    }

    /// What all have said, for whoever looks for a fault.
    fn tell(&self) -> String {
        self.all().fold(String::new(), |mut all, host| {
            let _ = write!(all, "--- h{host}\n{}", self.said(host));
            all
        })
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
            eprintln!("{}", self.tell());
        }
    }
}

/// How many there are in a list.
fn many(list: &Value) -> usize {
    let Value::Array(items) = list else {
        panic!("no list: {list:?}");
    };
    items.len()
}

/// A connection to a host, if it takes one.
pub(crate) fn connect(url: &str) -> Option<redis::Connection> {
    let client = redis::Client::open(url).unwrap();
    let wait = Duration::from_secs(1);
    let connection = client.get_connection_with_timeout(wait).ok()?;
    connection.set_read_timeout(Some(ANSWER)).ok()?;
    connection.set_write_timeout(Some(ANSWER)).ok()?;
    connection.is_open().then_some(connection)
}

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Looks again and again until there is something.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for_or(what, String::new, look)
}

/// The same, and says this if there is nothing.
pub(crate) fn wait_for_or<T>(
    what: &str,
    tell: impl Fn() -> String,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let begin = now();
    while begin.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited {PATIENCE:?} for {what}\n{}", tell())
}

/// Ports that nobody has now. Somebody else may take one; then its host says so, and the test fails.
pub(crate) fn free_ports(n: usize) -> Vec<String> {
    let held: Vec<TcpListener> = (0..n)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let addresses = held.iter().map(|held| held.local_addr().unwrap());
    addresses.map(|address| address.to_string()).collect()
}

/// What a disk writes or spoils at once.
const SECTOR_BYTES: usize = 512;

/// Fills a sector in the middle of every file of that kind with other bytes.
pub(crate) fn damage(dir: &Path, ending: &str) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == ending) {
            let mut bytes = std::fs::read(&path).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            let sector = bytes.iter_mut().skip(used / 2).take(SECTOR_BYTES);
            sector.for_each(|byte| *byte ^= 0x55);
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    damaged
}
