//! The rings that are compared: ours, the barest one actix allows, and the barest tokio allows.
//!
//! Each runs on one thread, sends one message anti-clockwise, and is measured the same way: memory
//! and processor time before the first process is started, after all are linked, and when the message is
//! dropped.

use std::{num::NonZeroU32, rc::Rc, time::Duration, time::Instant};

use actix::prelude::*;
use roundelay::ring::{Event, Name, Ring, Settings};
use tokio::sync::{Notify, mpsc};

/// What one run of one ring took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) ns_per_hop: u64,
    pub(crate) ns_to_start: u64,
    pub(crate) bytes: u64,
}

/// Reads the clock and the memory in the order of a run.
struct Meter {
    clock: Clock,
    bytes: u64,
}

impl Meter {
    fn start() -> Self {
        let bytes = resident_bytes();
        Self {
            clock: Clock::start(),
            bytes,
        }
    }

    fn linked(self, processes: u32) -> Figures {
        let ns_to_start = self.clock.nanos_each(processes);
        let bytes = resident_bytes().saturating_sub(self.bytes);
        Figures {
            ns_per_hop: 0,
            ns_to_start,
            bytes: bytes / u64::from(processes),
        }
    }
}

/// How long this thread has been on a processor. On an idle machine that is simply time; on a busy
/// one it leaves out the work of others. Where there is no `/proc`, it is simply time.
struct Clock {
    on_processor: Option<u64>,
    started: Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn start() -> Self {
        Self {
            on_processor: processor_nanos(),
            started: Instant::now(),
        }
    }

    fn nanos_each(&self, count: u32) -> u64 {
        let took = match (self.on_processor, processor_nanos()) {
            (Some(before), Some(after)) => after - before,
            _ => u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        };
        took / u64::from(count)
    }
}

fn processor_nanos() -> Option<u64> {
    // The kernel adds up when a thread is switched away from.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok()
}

/// Memory of this process that is in use; 0 where there is no `/proc`.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The library's ring, quiet.
pub(crate) fn ours(processes: NonZeroU32, hops: u32) -> anyhow::Result<Figures> {
    System::new().block_on(async {
        let dropped = Rc::new(Notify::new());
        let settings = Settings {
            delay: Duration::ZERO,
            watch: Box::new({
                let dropped = Rc::clone(&dropped);
                move |event| match event {
                    Event::Dropping(..) => dropped.notify_one(),
                    Event::Linking(..) | Event::Relaying(..) => {}
                }
            }),
        };
        let meter = Meter::start();
        let ring = Ring::start(processes, settings);
        ring.link_all()?;
        ring.send_anti_cw(Name(processes.get()), "", 0)?;
        dropped.notified().await;
        let mut figures = meter.linked(processes.get());

        let sent = Clock::start();
        ring.send_anti_cw(Name(1), "Hi", hops)?;
        dropped.notified().await;
        figures.ns_per_hop = sent.nanos_each(hops);
        Ok(figures)
    })
}

/// As little as a doubly linked actix ring can be: typed addresses, one message with one number, no
/// choice of direction, and nobody who watches.
struct Bare {
    prev: Option<Addr<Bare>>,
    next: Option<Addr<Bare>>,
    dropped: Rc<Notify>,
}

#[derive(Message)]
#[rtype(result = "()")]
enum BareSignal {
    Prev(Addr<Bare>),
    Next(Addr<Bare>),
    Hop(u32),
}

impl Actor for Bare {
    type Context = Context<Self>;
}

impl Handler<BareSignal> for Bare {
    type Result = ();

    fn handle(&mut self, signal: BareSignal, _: &mut Context<Self>) {
        match (signal, &self.prev) {
            (BareSignal::Prev(prev), _) => self.prev = Some(prev),
            (BareSignal::Next(next), _) => self.next = Some(next),
            (BareSignal::Hop(0), _) | (BareSignal::Hop(_), None) => self.dropped.notify_one(),
            (BareSignal::Hop(left), Some(prev)) => prev.do_send(BareSignal::Hop(left - 1)),
        }
    }
}

/// The ring of [`Bare`] actors.
pub(crate) fn actix(processes: NonZeroU32, hops: u32) -> anyhow::Result<Figures> {
    System::new().block_on(async {
        let dropped = Rc::new(Notify::new());
        let meter = Meter::start();
        let start = |_| {
            let (prev, next, dropped) = (None, None, Rc::clone(&dropped));
            Bare {
                prev,
                next,
                dropped,
            }
            .start()
        };
        let ring: Vec<Addr<Bare>> = (0..processes.get()).map(start).collect();
        for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            a.do_send(BareSignal::Next(b.clone()));
            b.do_send(BareSignal::Prev(a.clone()));
        }
        ring[ring.len() - 1].do_send(BareSignal::Hop(0));
        dropped.notified().await;
        let mut figures = meter.linked(processes.get());

        let sent = Clock::start();
        ring[0].do_send(BareSignal::Hop(hops));
        dropped.notified().await;
        figures.ns_per_hop = sent.nanos_each(hops);
        Ok(figures)
    })
}

/// The ring without actors: tokio tasks with an unbounded channel each, holding both neighbours'.
pub(crate) fn channels(processes: NonZeroU32, hops: u32) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let (done, mut dropped) = mpsc::unbounded_channel();
        let meter = Meter::start();
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..processes.get())
            .map(|_| mpsc::unbounded_channel::<u32>())
            .unzip();
        for (i, mut mail) in receivers.into_iter().enumerate() {
            let prev = senders[i.checked_sub(1).unwrap_or(senders.len() - 1)].clone();
            let next = senders[(i + 1) % senders.len()].clone();
            let done = done.clone();
            tokio::spawn(async move {
                while let Some(left) = mail.recv().await {
                    let sent = match left.checked_sub(1) {
                        Some(left) => prev.send(left).is_ok(),
                        None => done.send(()).is_ok(),
                    };
                    if !sent {
                        break;
                    }
                }
                drop(next);
            });
        }
        senders[senders.len() - 1].send(0)?;
        dropped.recv().await;
        let mut figures = meter.linked(processes.get());

        let sent = Clock::start();
        senders[0].send(hops)?;
        dropped.recv().await;
        figures.ns_per_hop = sent.nanos_each(hops);
        Ok(figures)
    })
}
