//! One client that asks one thing after the other, and notes how long each took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::Value;

use crate::host::connect;

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(2);

/// What a client saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each request took, retries counted.
    pub(crate) took: Vec<Duration>,
    /// How many were asked a second time.
    pub(crate) retried: usize,
    /// Why those failed that failed twice.
    pub(crate) failed: Vec<String>,
}

/// A client at work: puts and gets by turns, at one host after the other; what fails it asks once more, at the next.
pub(crate) struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Client {
    pub(crate) fn start(urls: Vec<String>) -> Client {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || ask(&urls, &ended));
        Client { stop, thread }
    }

    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn ask(urls: &[String], stop: &AtomicBool) -> Seen {
    let mut open: Vec<Option<redis::Connection>> = urls.iter().map(|_| None).collect();
    let mut seen = Seen::default();
    for number in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        if let Err(first) = serve(urls, &mut open, number, number) {
            seen.retried += 1;
            if let Err(second) = serve(urls, &mut open, number + 1, number) {
                let took = begin.elapsed();
                seen.failed
                    .push(format!("after {took:.1?}: {first}; then {second}"));
            }
        }
        seen.took.push(begin.elapsed());
        std::thread::sleep(PAUSE);
    }
    seen
}

/// Asks that host; says why it was not served.
fn serve(
    urls: &[String],
    open: &mut [Option<redis::Connection>],
    at: usize,
    number: usize,
) -> Result<(), String> {
    let host = at % urls.len();
    let slot = &mut open[host];
    if slot.is_none() {
        *slot = connect(&urls[host]);
    }
    let connection = slot.as_mut().ok_or("no connection")?;
    let key = format!("asked:{}", number / 2 % 1000);
    let put = number.is_multiple_of(2);
    let mut command = redis::cmd(if put { "SET" } else { "GET" });
    command.arg(&key);
    if put {
        command.arg("a value of some length, as clients have");
    }
    let told: redis::RedisResult<Value> = command.query(connection);
    told.map(drop).map_err(|error| {
        if error.is_io_error() {
            *slot = None;
        }
        error.to_string()
    })
}
