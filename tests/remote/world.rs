//! Hosts in a simulated network, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use roundelay::actor::Book;
use roundelay::placement::HostId;
use roundelay::remote::{Address, BoxChannel, Config, Dial, Dialling, Limits, Links, Secret};
use turmoil::net::{TcpListener, TcpStream};

use crate::heard::{Heard, Probe, Shared, numbered};

pub(crate) const PORT: u16 = 50140;

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The simulated time, the same for everybody.
pub(crate) fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

pub(crate) fn at(name: &str) -> Address {
    format!("{name}:{PORT}").parse().unwrap()
}

/// Dials in the simulated network.
pub(crate) struct SimDial;

impl Dial for SimDial {
    fn dial(&self, to: &Address) -> Dialling {
        let to = to.as_str().to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect(to.as_str()).await?;
            Ok(Box::new(stream) as BoxChannel)
        })
    }
}

/// What one host is to do.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) host: u64,
    /// Where it stands: a name in the network.
    pub(crate) name: String,
    pub(crate) secret: &'static str,
    pub(crate) cluster: &'static str,
    /// Whom it knows from the beginning, and where.
    pub(crate) knows: Vec<(u64, String)>,
    /// To whom it says a number each 100 ms.
    pub(crate) speaks_to: Vec<u64>,
    /// How many numbers each time.
    pub(crate) each_time: u64,
    /// Its next life.
    pub(crate) life: Rc<Cell<u64>>,
    pub(crate) limits: Limits,
}

impl Seat {
    pub(crate) fn new(host: u64) -> Seat {
        Seat {
            host,
            name: format!("h{host}"),
            secret: "tern",
            cluster: "birds",
            knows: Vec::new(),
            speaks_to: Vec::new(),
            each_time: 1,
            life: Rc::new(Cell::new(1)),
            limits: Limits::default(),
        }
    }

    /// Knows these at their own names, and speaks to them.
    pub(crate) fn speaking_to(mut self, others: &[u64]) -> Seat {
        self.knows = others
            .iter()
            .map(|other| (*other, format!("h{other}")))
            .collect();
        self.speaks_to = others.to_vec();
        self
    }

    pub(crate) fn config(&self, life: u64) -> Config {
        Config {
            cluster: self.cluster.into(),
            host: HostId(self.host),
            incarnation: life,
            listen: at(&self.name),
            secret: Secret::new(self.secret),
            tls: None,
            limits: self.limits,
        }
    }
}

/// The links of those who are up, to be looked at.
pub(crate) type Looks = Rc<RefCell<BTreeMap<u64, Links>>>;

/// A network with hosts in it.
pub(crate) struct World {
    pub(crate) sim: turmoil::Sim<'static>,
    pub(crate) ledger: Shared,
    pub(crate) looks: Looks,
}

impl World {
    pub(crate) fn new(seed: u64, tick_ms: u64) -> World {
        crate::said::listen();
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(seed)
            .tick_duration(Duration::from_millis(tick_ms))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(5))
            .simulation_duration(seconds(3600))
            .tcp_capacity(256);
        World {
            sim: builder.build(),
            ledger: Shared::default(),
            looks: Looks::default(),
        }
    }

    pub(crate) fn add(&mut self, seat: Seat) {
        let (ledger, looks) = (Rc::clone(&self.ledger), Rc::clone(&self.looks));
        let name = seat.name.clone();
        self.sim.host(name, move || {
            sit(seat.clone(), Rc::clone(&ledger), Rc::clone(&looks))
        });
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.sim.elapsed() + time;
        while self.sim.elapsed() < until {
            self.sim.step().unwrap();
        }
    }

    /// Numbers heard by `to` from `from` in the last so much time.
    pub(crate) fn heard_lately(&self, from: u64, to: u64, time: Duration) -> usize {
        let since = self.sim.elapsed().saturating_sub(time);
        let ledger = self.ledger.borrow();
        let lately = |h: &&Heard| (h.from, h.to) == (from, to) && h.at >= since;
        ledger.heard.iter().filter(lately).count()
    }

    pub(crate) fn told(&self, host: u64, other: u64) -> String {
        self.ledger.borrow().told(host, other)
    }

    pub(crate) fn with_links<T>(&self, host: u64, look: impl FnOnce(&Links) -> T) -> T {
        look(&self.looks.borrow()[&host])
    }
}

/// The program of one host.
async fn sit(seat: Seat, ledger: Shared, looks: Looks) -> turmoil::Result {
    let life = seat.life.get();
    seat.life.set(life + 1);
    let probe = Probe {
        host: seat.host,
        ledger: Rc::clone(&ledger),
        now,
    };
    let book = Rc::new(RefCell::new(Book::new()));
    let seed = [u8::try_from(seat.host * 16 + life % 16).unwrap(); 32];
    let links = Links::new(
        seat.config(life),
        SimDial,
        probe.start_it(),
        Rc::clone(&book),
        seed,
    );
    looks.borrow_mut().insert(seat.host, links.clone());
    for (host, name) in &seat.knows {
        links.know(HostId(*host), &at(name), 0);
    }
    actix::spawn(speak(seat, life, book, ledger));
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, from) = listener.accept().await?;
        links.accept(stream, Bytes::new(), from);
    }
}

async fn speak(seat: Seat, life: u64, book: Rc<RefCell<Book>>, ledger: Shared) {
    let mut number = 0;
    loop {
        for _ in 0..seat.each_time {
            number += 1;
            for to in &seat.speaks_to {
                let envelope = numbered(seat.host, *to, life, number);
                if let Some(line) = book.borrow().line(&envelope) {
                    let (from, to, at) = (seat.host, *to, now());
                    ledger.borrow_mut().sent.push(Heard {
                        from,
                        to,
                        life,
                        number,
                        at,
                    });
                    line.do_send(envelope);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
