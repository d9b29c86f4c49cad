//! The parent's side: sends, waits, and looks at the clock.

use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use roundelay::actor::Line;
use roundelay::message::{Envelope, KeepMessage, Message, ReqId};
use roundelay::placement::HostId;
use roundelay::record::{PIECE_BYTES, Stamp, Version};
use roundelay::remote::Address;

use crate::bare;
use crate::side::{COUNTED, MARK, PING, Side, small};

const ME: HostId = HostId(1);
const THEM: HostId = HostId(2);

/// Small messages of one round.
const MESSAGES: u32 = 2_000_000;
/// Handed over before it is looked whether too many wait.
const HANDFUL: u32 = 1_000;
/// Pings of one round.
const PINGS: u32 = 5_000;
/// Large values of one round.
const VALUES: u32 = 512;

pub(crate) struct Bench {
    side: Side,
    bare: String,
    line: Option<Line>,
    /// Everything is done so many times less often.
    pub(crate) less: u32,
}

impl Bench {
    pub(crate) async fn new() -> Bench {
        Bench {
            side: Side::new(ME, false).await,
            bare: String::new(),
            line: None,
            less: 1,
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.side.address.clone()
    }

    /// Gets to know the peer, and waits until both directions are there.
    pub(crate) async fn meets(&mut self, link: &Address, bare: String) {
        self.side.links.know(THEM, link, 0);
        self.bare = bare;
        self.line = self.side.book.borrow().line(&small(ME, PING)).cloned();
        self.there_and_back(PING).await;
    }

    fn send(&self, envelope: Envelope) {
        self.line
            .as_ref()
            .expect("the peer is known")
            .do_send(envelope);
    }

    async fn there_and_back(&self, kind: u64) {
        self.send(small(ME, kind));
        self.side.woken.notified().await;
    }

    /// Lets the link work until no more than so much waits.
    async fn until_waiting(&self, messages: usize, bytes: usize) {
        loop {
            tokio::task::yield_now().await;
            let status = &self.side.links.status()[0];
            if status.waiting_messages <= messages && status.waiting_bytes <= bytes {
                break;
            }
        }
    }

    fn lost(&self) -> u64 {
        self.side.links.status()[0].sent.lost
    }

    /// Messages per second, the last one answered.
    pub(crate) async fn small_messages(&mut self) -> f64 {
        let lost = self.lost();
        let begin = Instant::now();
        let messages = MESSAGES / self.less;
        for _ in 0..messages / HANDFUL {
            for _ in 0..HANDFUL {
                self.send(small(ME, COUNTED));
            }
            self.until_waiting(20_000, usize::MAX).await;
        }
        self.there_and_back(MARK).await;
        let rate = f64::from(messages) / begin.elapsed().as_secs_f64();
        assert_eq!(self.lost(), lost, "nothing may be lost");
        rate
    }

    /// Seconds there and back, from actor to actor.
    pub(crate) async fn ping_pong(&mut self) -> f64 {
        let begin = Instant::now();
        let pings = PINGS / self.less;
        for _ in 0..pings {
            self.there_and_back(PING).await;
        }
        begin.elapsed().as_secs_f64() / f64::from(pings)
    }

    pub(crate) async fn bare_ping_pong(&self) -> f64 {
        bare::ping_pong(&self.bare, PINGS / self.less).await
    }

    /// Bytes of values per second.
    pub(crate) async fn large_values(&mut self) -> f64 {
        let (lost, value) = (self.lost(), Bytes::from(vec![7; PIECE_BYTES]));
        let begin = Instant::now();
        let values = VALUES / self.less;
        for _ in 0..values {
            self.send(piece(value.clone()));
            self.until_waiting(usize::MAX, 4 * PIECE_BYTES).await;
        }
        self.there_and_back(MARK).await;
        assert_eq!(self.lost(), lost, "nothing may be lost");
        f64::from(values) * 1024.0 * 1024.0 / begin.elapsed().as_secs_f64()
    }

    pub(crate) async fn bare_large(&self) -> f64 {
        bare::large(&self.bare, VALUES / self.less).await
    }

    /// MiB by which this process grows while the peer is stopped: small messages, then large ones.
    pub(crate) async fn stopped_receiver(&mut self, child: u32) -> f64 {
        signal("-STOP", child);
        let before = resident_kib();
        let mut most = before;
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(2) {
            for _ in 0..HANDFUL {
                self.send(small(ME, COUNTED));
            }
            self.send(piece(Bytes::from(vec![7; PIECE_BYTES])));
            tokio::time::sleep(Duration::from_millis(1)).await;
            most = most.max(resident_kib());
        }
        signal("-CONT", child);
        (most - before) / 1024.0
    }
}

fn piece(bytes: Bytes) -> Envelope {
    let version = Version {
        stamp: Stamp(1),
        delete: false,
        host: ME,
        start: 1,
    };
    let body = KeepMessage::PieceIs {
        req: ReqId(1),
        version,
        index: 0,
        bytes: Some(bytes),
    };
    Envelope {
        from: ME,
        to: THEM,
        body: Message::Keep(body),
    }
}

fn signal(which: &str, process: u32) {
    let told = Command::new("kill")
        .args([which, &process.to_string()])
        .status();
    assert!(told.is_ok_and(|status| status.success()), "kill {which}");
}

/// Resident memory of this process in KiB, as Linux says.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|kib| kib.parse().ok())
        .expect("VmRSS is a number of KiB")
}
