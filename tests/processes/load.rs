//! Clients that put, get and delete while hosts die. All of them use the same keys, and all they are told is written
//! down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::Value;
use roundelay::lab::check::history::{Kind, Told, number_in, value};

use crate::history::{History, version, version_in};
use crate::host::{Hosts, PATIENCE, connect, now, wait_for_or};

/// So few that every key is written by several at once.
const KEYS: u64 = 24;

/// Every so many puts one is of a value in two pieces.
const LARGE_EVERY: u64 = 50;
const LARGE_BYTES: usize = 1_200_000;

/// Between two requests of a client: hosts that are busy with nothing else than clients prove little.
const PAUSE: Duration = Duration::from_millis(3);

/// On a machine with nothing else to do a hundred writes take a third of a second. What is done to hosts meanwhile is to be
/// seen by them: links that are dialled again, detectors that ask.
const A_WHILE: Duration = Duration::from_secs(1);

/// Several clients, each asking one host until that one fails, and then the next.
pub(crate) struct Load {
    history: Arc<History>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many clients of these hosts.
    pub(crate) fn start(history: &Arc<History>, clients: usize, hosts: &[(usize, String)]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let threads = (0..clients).map(|client| {
            let (history, hosts) = (Arc::clone(history), hosts.to_vec());
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            std::thread::spawn(move || ask_on(client, &history, &hosts, &stop, &acknowledged))
        });
        Load {
            history: Arc::clone(history),
            threads: threads.collect(),
            stop,
            acknowledged,
        }
    }

    /// How many writes were acknowledged to these clients.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more writes are acknowledged, and a while at least.
    #[track_caller]
    pub(crate) fn goes_on(&self, more: usize) {
        let wanted = self.acknowledged() + more;
        let what = format!("{more} writes to be acknowledged");
        let begin = now();
        let tell = || self.history.failures();
        wait_for_or(&what, tell, || {
            (self.acknowledged() >= wanted && begin.elapsed() > A_WHILE).then_some(())
        });
    }

    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// Ends the load, reads every key at every one of these hosts, and judges everything that was ever told.
#[track_caller]
pub(crate) fn check(history: &History, loads: Vec<Load>, hosts: &Hosts, up: &[usize]) {
    loads.into_iter().for_each(Load::end);
    let (_, written) = history.counts();
    assert!(written > 100, "only {written} writes were acknowledged");
    for host in up {
        let mut connection = None;
        for key in (0..KEYS).map(key_named) {
            let begin = now();
            loop {
                connection = connection.or_else(|| connect(&hosts.url(*host)));
                let told = connection
                    .as_mut()
                    .map(|open| ask(history, open, *host, &key, Kind::Get, 0));
                match told {
                    Some(Told::Found { .. } | Told::Absent) => break,
                    Some(Told::Silence) => connection = None,
                    _ => {}
                }
                assert!(
                    begin.elapsed() < PATIENCE,
                    "{key} cannot be read at h{host}: {told:?}"
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
    history.check();
}

fn key_named(number: u64) -> String {
    format!("key-{number}")
}

fn ask_on(
    client: usize,
    history: &History,
    hosts: &[(usize, String)],
    stop: &AtomicBool,
    acknowledged: &AtomicUsize,
) {
    let mut dice = 0x9e37_79b9_7f4a_7c15 ^ (client as u64 + 1) << 40;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % sides
    };
    let (mut at, mut connection) = (client, None);
    while !stop.load(Ordering::Relaxed) {
        let (host, url) = &hosts[at % hosts.len()];
        connection = connection.or_else(|| connect(url));
        let Some(open) = connection.as_mut() else {
            at += 1;
            std::thread::sleep(PAUSE * 5);
            continue;
        };
        let key = roll(KEYS);
        let kind = match roll(10) {
            0..6 => Kind::Put,
            6 if key.is_multiple_of(4) => Kind::Delete,
            _ => Kind::Get,
        };
        let len = match roll(LARGE_EVERY) {
            0 => LARGE_BYTES,
            n => 8 * usize::try_from(n).unwrap(),
        };
        match ask(history, open, *host, &key_named(key), kind, len) {
            Told::Wrote(_) => drop(acknowledged.fetch_add(1, Ordering::Relaxed)),
            Told::Found { .. } | Told::Absent | Told::Present(_) | Told::Idle => {}
            Told::Silence | Told::Nothing(_) | Told::Unknown(_) => {
                (at, connection) = (at + 1, None);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Asks, and writes down what was asked and told.
pub(crate) fn ask(
    history: &History,
    connection: &mut redis::Connection,
    host: usize,
    key: &str,
    kind: Kind,
    len: usize,
) -> Told {
    let number = history.began(host, key, kind);
    let (word, body) = match kind {
        Kind::Put => ("DHT.PUT", Some(value(number, len))),
        Kind::Delete => ("DHT.DEL", None),
        Kind::Get => ("DHT.GET", None),
        Kind::Has | Kind::Expire => unreachable!("nobody asks for that here"),
    };
    let mut command = redis::cmd(word);
    command.arg(key);
    if let Some(body) = &body {
        command.arg(&body[..]);
    }
    let answer: redis::RedisResult<Value> = command.query(connection);
    let told = match answer {
        Ok(answer) => read(kind, &answer),
        Err(error) => failed(&error),
    };
    history.ended(number, told.clone());
    told
}

fn failed(error: &redis::RedisError) -> Told {
    let words = error.to_string();
    match error.code() {
        Some("UNCERTAIN") => Told::Unknown(version_in(&words).expect("it says which version")),
        Some(_) => Told::Nothing(words),
        None => Told::Silence,
    }
}

fn read(kind: Kind, answer: &Value) -> Told {
    let said = |value: &Value| {
        let text: String = redis::from_redis_value_ref(value).unwrap();
        version(&text).unwrap_or_else(|| panic!("no version: {text}"))
    };
    if kind == Kind::Put {
        return Told::Wrote(said(answer));
    }
    if *answer == Value::Nil {
        return Told::Absent;
    }
    let fields: BTreeMap<String, Value> = redis::from_redis_value_ref(answer).unwrap();
    let version = said(&fields["version"]);
    if kind == Kind::Delete {
        return Told::Wrote(version);
    }
    let bytes: Vec<u8> = redis::from_redis_value_ref(&fields["value"]).unwrap();
    let number = number_in(&bytes).filter(|number| value(*number, bytes.len())[..] == bytes[..]);
    Told::Found {
        version,
        number,
        deadline: None,
    }
}
