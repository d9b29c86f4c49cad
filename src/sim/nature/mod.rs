//! What is there besides the hosts?
//!
//! Time, the network, the disks, chance: all that both drivers share. A driver asks
//! [`Nature::next`] what happens next and to whom, lets that host think, and gives the effects back.
//!
//! ```text
//!              next ──> (host, Input) ──> Host ──> effects
//!   Nature  <────────────────────────────────────────┘
//! ```
//!
//! So the plain loop and the actors run the same world, and make the same trace.
//!
//! | room | what it is about |
//! |---|---|
//! | here | what falls due, and to whom it happens |
//! | `site` | the hosts: who is up, in which life, with which disk |
//! | `effects` | what a host wants is carried out, in an order |
//! | `mail` | messages on their way: sent, lost, doubled, delivered |
//! | `clients` | requests, and what became of them |
//! | `life` | processes start and end, and the others hear of it |

mod clients;
mod effects;
mod life;
mod mail;
mod site;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::network::{Network, NetworkConfig};
use super::queue::Queue;
use super::slab::Slab;
use super::trace::Trace;
use super::watch::Watch;
use crate::actor::Input;
use crate::keep::Then;
use crate::message::Envelope;
use crate::placement::HostId;
use crate::record::{Now, Time, WallMs};
use crate::store::Done;

use clients::Clients;
use life::Rumour;
use mail::Letter;
use site::{Index, Site};

pub use clients::Answer;
pub use site::Traffic;

/// The wall time at which every world begins: 14 November 2023.
pub const WALL_AT_START: WallMs = WallMs(1_700_000_000_000);

/// Something that falls due. Small: most wait for a second, and there are some for each host.
enum Occurrence {
    /// A message arrives.
    Arrival { from: u32, to: u32, letter: Letter },
    /// A host wanted to be woken.
    Alarm { site: u32 },
    /// The oldest operation of that life's disk queue is done.
    DiskDone { site: u32, life: u32 },
    /// A host is told something, by a client or by the world.
    Tell {
        site: u32,
        life: u32,
        input: Box<Input>,
    },
    /// All hear that a host has crashed (or is back), unless it has changed again.
    Rumour { about: u32, life: u32 },
}

impl Occurrence {
    /// The place of the host it happens to.
    const fn place(&self) -> u32 {
        match self {
            Occurrence::Arrival { to, .. } => *to,
            Occurrence::Alarm { site }
            | Occurrence::DiskDone { site, .. }
            | Occurrence::Tell { site, .. } => *site,
            Occurrence::Rumour { about, .. } => *about,
        }
    }
}

/// What happens to a host. What is large stays where it waits until the host is at hand.
pub(in crate::sim) enum Happening {
    /// A message arrives: [`Nature::open`] it.
    Arrival(Letter),
    /// The oldest operation of its store is done: [`Nature::done`] has it.
    Stored,
    /// The time it wanted to be woken at has come.
    Wake,
    /// Others see it go down, or come back.
    Rumour(HostId, bool),
    /// It is told something, by a client or by the world.
    Told(Box<Input>),
}

/// Time, network, disks and chance.
pub(in crate::sim) struct Nature {
    pub(in crate::sim) network: Network,
    pub(in crate::sim) trace: Trace,
    pub(in crate::sim) rng: ChaCha8Rng,
    pub(in crate::sim) watch: Option<Box<dyn Watch>>,
    queue: Queue<Occurrence>,
    /// The messages on their way that are not sealed.
    letters: Slab<Envelope>,
    sites: Vec<Site>,
    index: Index,
    rumour: Option<Rumour>,
    clients: Clients,
    delivered: u64,
}

impl Nature {
    pub(in crate::sim) fn new(seed: u64, config: NetworkConfig) -> Nature {
        Nature {
            network: Network::new(config),
            trace: Trace::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            watch: None,
            queue: Queue::new(),
            letters: Slab::default(),
            sites: Vec::new(),
            index: Index::default(),
            rumour: None,
            clients: Clients::default(),
            delivered: 0,
        }
    }

    /// Messages that reached a host, in all.
    pub(in crate::sim) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// A cut between hosts, one way.
    pub(in crate::sim) fn cut(&mut self, from: &[HostId], to: &[HostId]) {
        let places = |hosts: &[HostId]| hosts.iter().map(|host| self.known(*host)).collect();
        let (from_places, to_places) = (places(from), places(to));
        self.network.cut(from_places, to_places);
        self.trace
            .line(self.queue.now(), format_args!("cut: {from:?} -x {to:?}"));
    }

    /// No cuts any more.
    pub(in crate::sim) fn heal(&mut self) {
        self.network.heal();
        self.trace
            .line(self.queue.now(), format_args!("all cuts are healed"));
    }

    pub(in crate::sim) fn now_ms(&self) -> u64 {
        self.queue.now()
    }

    /// Lets time go on to `now` if nothing happens before.
    pub(in crate::sim) fn catch_up(&mut self, now: u64) {
        if self.next_due().is_none_or(|due| due > now) {
            let nothing = self.queue.pop(now);
            debug_assert!(nothing.is_none(), "nothing was due");
        }
    }

    /// How many things are to come.
    pub(in crate::sim) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// When the next thing happens.
    pub(in crate::sim) fn next_due(&self) -> Option<u64> {
        if self.rumour.is_some() {
            Some(self.queue.now())
        } else {
            self.queue.next_due()
        }
    }

    /// Both clocks, as that host sees them.
    pub(in crate::sim) fn now(&self, place: u32) -> Now {
        let ms = self.queue.now();
        let wall = WALL_AT_START.0.saturating_add(ms);
        let wall = WallMs(wall.saturating_add_signed(self.site(place).skew_ms));
        Now {
            at: Time::from_ms(ms),
            wall,
        }
    }

    /// The places of those to whom the next things happen, at most so many, and whether their stores are to
    /// carry something out. None where nothing is due soon.
    pub(in crate::sim) fn coming(&self, most: usize) -> impl Iterator<Item = (u32, bool)> {
        let coming = self.queue.coming().take(most);
        coming.map(|occurrence| {
            let stores = matches!(occurrence, Occurrence::DiskDone { .. });
            (occurrence.place(), stores)
        })
    }

    /// What happens next, and to whom, if it happens at `limit` or before.
    pub(in crate::sim) fn next(&mut self, limit: u64) -> Option<(u32, Happening)> {
        loop {
            if let Some(told) = self.spread() {
                return Some(told);
            }
            let occurrence = self.queue.pop(limit)?;
            if let Some(happened) = self.happen(occurrence) {
                return Some(happened);
            }
        }
    }

    fn happen(&mut self, occurrence: Occurrence) -> Option<(u32, Happening)> {
        match occurrence {
            Occurrence::Arrival { from, to, letter } => self.arrive(from, to, letter),
            Occurrence::Alarm { site } => self.ring(site),
            Occurrence::DiskDone { site, life } => {
                (self.site(site).life == life).then_some((site, Happening::Stored))
            }
            Occurrence::Tell { site, life, input } => {
                (self.site(site).life == life).then_some((site, Happening::Told(input)))
            }
            Occurrence::Rumour { about, life } => {
                self.hear(about, life);
                None
            }
        }
    }

    /// Carries out the oldest operation of a store, which is done now.
    pub(in crate::sim) fn done(&mut self, place: u32) -> (Done, Then) {
        let now = self.queue.now();
        let done = self.site_mut(place).disk.done(now);
        self.tell_not_kept(place);
        done.expect("a disk that is done was asked")
    }

    /// What happens to a host as one value.
    pub(in crate::sim) fn input(&mut self, place: u32, happening: Happening) -> Input {
        match happening {
            Happening::Arrival(letter) => Input::Receive(self.open(letter)),
            Happening::Stored => {
                let (done, then) = self.done(place);
                Input::Stored(done, then)
            }
            Happening::Wake => Input::Wake,
            Happening::Rumour(host, true) => Input::HostUp(host),
            Happening::Rumour(host, false) => Input::HostDown(host),
            Happening::Told(input) => *input,
        }
    }

    /// An alarm rings: for the host, unless it has since been put off or set anew.
    fn ring(&mut self, place: u32) -> Option<(u32, Happening)> {
        let now = self.queue.now();
        let site = self.site_mut(place);
        if site.armed != Some(now) {
            return None;
        }
        site.armed = None;
        let wants = site.wants?;
        if wants > now {
            self.arm(place);
            return None;
        }
        Some((place, Happening::Wake))
    }

    /// Tells a host something as the next thing that happens to it now.
    pub(in crate::sim) fn tell(&mut self, place: u32, input: Input) {
        let life = self.site(place).life;
        let tell = Occurrence::Tell {
            site: place,
            life,
            input: Box::new(input),
        };
        self.queue.push(self.queue.now(), tell);
    }
}
