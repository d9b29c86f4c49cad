//! Clients that write while hosts die, and remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::TypedCommands;

/// One client, writing to keys of its own, each again and again with a greater number.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Written>,
}

/// What a writer knows of each key: the last number acknowledged, and the last one sent.
pub(crate) type Written = BTreeMap<String, (u64, u64)>;

const KEYS: u64 = 20;

impl Writer {
    /// Writes by whichever of these addresses answers.
    pub(crate) fn start(name: &str, urls: Vec<String>) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (Arc::clone(&stop), name.to_string());
        let thread = std::thread::spawn(move || write(&name, &urls, &stopped));
        Writer { stop, thread }
    }

    pub(crate) fn end(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn write(name: &str, urls: &[String], stop: &AtomicBool) -> Written {
    let (mut written, mut number, mut at) = (Written::new(), 0u64, 0usize);
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        if connection.is_none() {
            at = (at + 1) % urls.len();
            let client = redis::Client::open(urls[at].as_str()).unwrap();
            connection = client
                .get_connection_with_timeout(Duration::from_millis(500))
                .ok();
        }
        let Some(open) = connection.as_mut() else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        let _ = open.set_read_timeout(Some(Duration::from_secs(10)));
        number += 1;
        let key = format!("{name}-{}", number % KEYS);
        let known = written.entry(key.clone()).or_default();
        known.1 = number;
        match open.set(&key, number) {
            Ok(()) => known.0 = number,
            // It may be stored or not; it will not be sent again.
            Err(_) => connection = None,
        }
    }
    written
}

/// Every key has what was acknowledged last, or something that was sent after it.
pub(crate) fn check(written: &Written, connection: &mut redis::Connection) {
    let mut acknowledged = 0;
    for (key, (last, sent)) in written {
        let read: u64 = connection
            .get(key)
            .unwrap()
            .map_or(0, |text| text.parse().unwrap());
        assert!(
            (*last..=*sent).contains(&read),
            "{key}: {last} was acknowledged, {sent} sent last, {read} is read"
        );
        acknowledged += u64::from(*last > 0);
    }
    assert!(acknowledged > 0, "something was written");
}
