//! Who seems alive?
//!
//! Each host probes one other a second, by turns. Who does not answer is probed through three others; who
//! does not answer them either is *suspected*, and has some seconds to contradict before it is declared
//! down. What is learnt travels with the probes and by gossip (SWIM: Das, Gupta, Motivala, 2002):
//!
//! ```text
//! <h1> --ping--> <h4>   ·  ·  ·                  no answer within 0.5 s
//! <h1> --ping h4 for me--> <h2> --ping--> <h4>   ·  ·  ·
//! <h1> gossips: h4 is suspected                  h4 may say: I am here
//! <h1> gossips: h4 is down                       all of 8 hosts know 5 to 9 s after the crash
//! ```
//!
//! The protocol is the crate foca's. Here it is fitted to our words: hosts, our time, one seeded
//! generator; it has no clock and no socket.
//!
//! A host that should be there and was never heard of cannot be probed: nobody knows in which life it is. After a while
//! it is taken for down, too, or one that does not come back after all have lost their power would seem to be well.
//!
//! *Hold these true*: the same calls give the same signals, in the same order; [`Signal::Up`] and
//! [`Signal::Down`] of a host alternate, `Down` first only of one that was waited for in vain, and `Up` twice only of one that was then heard by another road; a greeting is repeated until
//! somebody answers; hosts that were declared down are greeted from time to time, so that a healed partition grows together.
//!
//! Left out on purpose: any influence on who holds a key. A detector errs; it only orders whom to ask
//! first. Who is in stands in the roster.

mod codec;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use foca::{Config, Foca, NoCustomBroadcast, Notification, PeriodicParams, Runtime, Timer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::placement::HostId;
use crate::record::Time;
use codec::{Life, Plain};

pub use tell::tell;

/// The largest packet, in bytes; a larger one is dropped.
pub const MAX_PACKET_BYTES: usize = 1400;

/// The settings of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectConfig {
    /// About how many hosts there will be: with more, a suspected host gets longer to contradict.
    pub hosts: NonZeroU32,
    /// A greeting nobody answered is repeated after this long.
    pub greet_again: Duration,
    /// Some of the hosts that were declared down are greeted this often.
    pub greet_down: Duration,
    /// A host that should be there and was never heard of is taken for down after this long.
    pub wait_for: Duration,
}

impl DetectConfig {
    /// The usual settings for so many hosts near each other.
    #[must_use]
    pub fn new(hosts: NonZeroU32) -> DetectConfig {
        DetectConfig {
            hosts,
            greet_again: Duration::from_secs(2),
            greet_down: Duration::from_secs(10),
            wait_for: Duration::from_secs(10),
        }
    }

    fn for_foca(&self) -> Config {
        let two = NonZeroUsize::MIN.saturating_add(1);
        let greet_down = PeriodicParams {
            frequency: self.greet_down,
            num_members: two,
        };
        Config {
            max_packet_size: NonZeroUsize::MIN.saturating_add(MAX_PACKET_BYTES - 1),
            periodic_announce_to_down_members: Some(greet_down),
            ..Config::new_lan(self.hosts)
        }
    }
}

/// What a detector wants done, or has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Send these bytes. They may be lost.
    Send {
        /// To whom.
        to: HostId,
        /// A packet of at most [`MAX_PACKET_BYTES`].
        bytes: Bytes,
    },
    /// This host is alive.
    Up(HostId),
    /// This host is taken for dead. It may be wrong.
    Down(HostId),
}

/// One host's view of who is alive.
pub struct Detector {
    foca: Foca<Life, Plain, ChaCha8Rng, NoCustomBroadcast>,
    me: HostId,
    /// By when they are due, then in the order in which they were set.
    timers: BTreeMap<(Time, u64), Due>,
    timers_set: u64,
    up: BTreeSet<HostId>,
    /// Hosts to greet until somebody answers.
    seeds: Vec<HostId>,
    /// Hosts that should be there and were never heard of: until when they are waited for; none: they were told to be down.
    awaited: BTreeMap<HostId, Option<Time>>,
    /// Hosts that were heard of at some time.
    known: BTreeSet<HostId>,
    greet_again: Duration,
    wait_for: Duration,
    dropped: u64,
}

/// What is to be done at some time.
enum Due {
    Foca(Timer<Life>),
    Greet,
    /// Somebody has been waited for long enough.
    Silent,
}

/// Collects what foca wants while it is called.
#[derive(Default)]
struct Collected {
    sends: Vec<Signal>,
    timers: Vec<(Timer<Life>, Duration)>,
    changed: bool,
}

impl Runtime<Life> for Collected {
    fn notify(&mut self, notification: Notification<'_, Life>) {
        self.changed |= match notification {
            Notification::MemberUp(_) | Notification::MemberDown(_) | Notification::Rename(..) => {
                true
            }
            Notification::Active
            | Notification::Idle
            | Notification::Defunct
            | Notification::Rejoin(_) => false,
        };
    }

    fn send_to(&mut self, to: Life, data: &[u8]) {
        self.sends.push(Signal::Send {
            to: to.host,
            bytes: Bytes::copy_from_slice(data),
        });
    }

    fn submit_after(&mut self, event: Timer<Life>, after: Duration) {
        self.timers.push((event, after));
    }
}

impl Detector {
    /// A detector that knows nobody yet.
    ///
    /// `start` says how often this host has been started: a later life is believed over an earlier one.
    #[must_use]
    pub fn new(me: HostId, start: u32, config: &DetectConfig, seed: u64) -> Detector {
        let chance = ChaCha8Rng::seed_from_u64(seed);
        Detector {
            foca: Foca::new(Life::first(me, start), config.for_foca(), chance, Plain),
            me,
            timers: BTreeMap::new(),
            timers_set: 0,
            up: BTreeSet::new(),
            seeds: Vec::new(),
            awaited: BTreeMap::new(),
            known: BTreeSet::new(),
            greet_again: config.greet_again,
            wait_for: config.wait_for,
            dropped: 0,
        }
    }

    /// Greets these hosts, and again until one of them, or anybody, answers. They should be there: whoever is never heard
    /// of is told to be down after a while.
    pub fn join(&mut self, now: Time, peers: impl IntoIterator<Item = HostId>) -> Vec<Signal> {
        let me = self.me;
        self.seeds = peers.into_iter().filter(|peer| *peer != me).collect();
        self.await_seeds(now);
        self.greet(now)
    }

    fn await_seeds(&mut self, now: Time) {
        let (seeds, until) = (&self.seeds, now + self.wait_for);
        self.awaited.retain(|host, _| seeds.contains(host));
        let strange = seeds.iter().filter(|host| !self.known.contains(host));
        let mut more = false;
        for host in strange {
            more |= !self.awaited.contains_key(host);
            self.awaited.entry(*host).or_insert(Some(until));
        }
        if more {
            self.set_timer(until, Due::Silent);
        }
    }

    /// Whoever has been waited for long enough.
    fn give_up_waiting(&mut self, now: Time) -> Vec<Signal> {
        let late = self.awaited.iter_mut();
        let late = late.filter(|(_, until)| until.is_some_and(|until| until <= now));
        late.map(|(host, until)| {
            *until = None;
            Signal::Down(*host)
        })
        .collect()
    }

    /// Whether a host should be there and was never heard of.
    #[must_use]
    pub fn awaits(&self, host: HostId) -> bool {
        self.awaited.contains_key(&host)
    }

    /// A host was heard by another road: it is not waited for any more.
    pub fn heard(&mut self, host: HostId) -> Option<Signal> {
        let until = self.awaited.remove(&host)?;
        self.known.insert(host);
        until.is_none().then_some(Signal::Up(host))
    }

    /// A packet came in from a host. A bad one is dropped and counted.
    pub fn receive(&mut self, now: Time, bytes: &[u8]) -> Vec<Signal> {
        self.call(now, |foca, runtime| foca.handle_data(bytes, runtime))
    }

    /// Does what is due. Call it at [`Detector::next_wake`], or later.
    pub fn wake(&mut self, now: Time) -> Vec<Signal> {
        let mut signals = Vec::new();
        while let Some(entry) = self
            .timers
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            signals.extend(match entry.remove() {
                Due::Foca(timer) => {
                    self.call(now, |foca, runtime| foca.handle_timer(timer, runtime))
                }
                Due::Greet => self.greet(now),
                Due::Silent => self.give_up_waiting(now),
            });
        }
        signals
    }

    /// When it next wants to be woken.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.timers.first_key_value().map(|((due, _), _)| *due)
    }

    /// The hosts it takes for alive, itself not among them, in order.
    pub fn up(&self) -> impl Iterator<Item = HostId> {
        self.up.iter().copied()
    }

    /// How many packets were dropped because they could not be read.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Greets the seeds, unless somebody is known already.
    fn greet(&mut self, now: Time) -> Vec<Signal> {
        if !self.up.is_empty() || self.seeds.is_empty() {
            return Vec::new();
        }
        let mut signals = Vec::new();
        for peer in self.seeds.clone() {
            signals.extend(self.call(now, |foca, runtime| {
                foca.announce(Life::unknown(peer), runtime)
            }));
        }
        self.set_timer(now + self.greet_again, Due::Greet);
        signals
    }

    fn set_timer(&mut self, at: Time, due: Due) {
        self.timers_set += 1;
        self.timers.insert((at, self.timers_set), due);
    }

    /// Calls foca and translates what it wants.
    fn call(
        &mut self,
        now: Time,
        what: impl FnOnce(
            &mut Foca<Life, Plain, ChaCha8Rng, NoCustomBroadcast>,
            &mut Collected,
        ) -> Result<(), foca::Error>,
    ) -> Vec<Signal> {
        let mut collected = Collected::default();
        // Foca stays sound after an error: the packet is dropped, or a probe began late and counts for nothing.
        if what(&mut self.foca, &mut collected).is_err() {
            self.dropped += 1;
        }
        for (timer, after) in collected.timers {
            self.set_timer(now + after, Due::Foca(timer));
        }
        let mut signals = collected.sends;
        if collected.changed {
            signals.extend(self.changes());
        }
        signals
    }

    /// Compares who is alive with who was.
    fn changes(&mut self) -> Vec<Signal> {
        let alive: BTreeSet<HostId> = self
            .foca
            .iter_members()
            .map(|member| member.id().host)
            .collect();
        let down = self.up.difference(&alive).map(|host| Signal::Down(*host));
        let up = alive.difference(&self.up).map(|host| Signal::Up(*host));
        self.awaited.retain(|host, _| !alive.contains(host));
        self.known.extend(&alive);
        let signals = down.chain(up).collect();
        self.up = alive;
        signals
    }
}
