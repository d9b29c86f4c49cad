//! The plain loop: a world of hosts in one thread, without actors.
//!
//! ```text
//!   loop   nature.next ──> (h3, a message) ──> h3 thinks ──> effects ──> nature.carry_out
//! ```
//!
//! Here is who is in a world, how it is asked, and how time goes on; what can be done to it is in `faults`.

use std::collections::BTreeMap;
use std::io::Write;

use super::ahead::Ahead;
use super::disk::{Disk, DiskConfig};
use super::nature::{Answer, Happening, Nature, Traffic};
use super::network::NetworkConfig;
use super::slab::at;
use super::watch::Watch;
use crate::actor::{Collected, Input};
use crate::message::{Options, Reply, Request, Ticket};
use crate::node::{Host, HostConfig};
use crate::placement::HostId;
use crate::record::{Key, Time};
use crate::roster::RosterVersion;
use crate::store::{Op, Store, Usage};

/// Some hosts, what is between them, and the time.
///
/// *Invariant*: everything that happens is a function of the seed and of the calls made. Hosts are
/// known by their ids; asking about one that was never added is a mistake of the caller and panics.
pub struct World {
    pub(super) nature: Nature,
    pub(super) hosts: Vec<Option<Host>>,
    configs: Vec<HostConfig>,
    effects: Collected,
    ahead: Ahead,
    check: bool,
    /// How many steps were followed by a check, and after how many each time hosts check all that they hold.
    checked: u64,
    check_all_every: u64,
    /// The roster version each host was last seen to live by, in whichever life.
    pub(super) seen: Vec<RosterVersion>,
}

impl World {
    /// An empty world at time zero.
    #[must_use]
    pub fn new(seed: u64, network: NetworkConfig) -> World {
        World {
            nature: Nature::new(seed, network),
            hosts: Vec::new(),
            configs: Vec::new(),
            effects: Collected::default(),
            ahead: Ahead::default(),
            check: false,
            checked: 0,
            check_all_every: 64,
            seen: Vec::new(),
        }
    }

    /// Writes the trace there from now on; `None`: nowhere.
    pub fn trace(&mut self, out: Option<Box<dyn Write>>) {
        self.nature.trace.set(out);
    }

    /// Lets somebody look on from now on; `None`: nobody.
    pub fn watch(&mut self, watch: Option<Box<dyn Watch>>) {
        self.nature.watch = watch;
    }

    /// Lets every host check itself after each step, as tests do; every 64th time all that it holds. Slow.
    pub fn check_each_step(&mut self, check: bool) {
        self.check = check;
    }

    /// Lets hosts check all that they hold every so many steps instead; 1 is for small worlds.
    pub fn check_all_every(&mut self, steps: u64) {
        self.check_all_every = steps.max(1);
    }

    // ── hosts ──

    /// A new host with that store, and starts it.
    pub fn add_host(&mut self, config: HostConfig, store: Box<dyn Store>) -> HostId {
        self.add_host_on(config, DiskConfig::default(), store)
    }

    /// A new host whose store lies behind a disk of that kind, and starts it.
    pub fn add_host_on(
        &mut self,
        config: HostConfig,
        disk: DiskConfig,
        store: Box<dyn Store>,
    ) -> HostId {
        let id = config.host;
        let place = self.nature.add(id, Disk::new(disk, store));
        self.configs.push(config);
        self.hosts.push(None);
        self.seen.push(RosterVersion::NONE);
        self.start(place);
        id
    }

    pub(super) fn start(&mut self, place: u32) {
        let config = self.configs[at(place)].clone();
        let disk = self.nature.disk(place);
        self.hosts[at(place)] = Some(Host::new(config, &|name| disk.setting(name)));
        self.nature.start(place);
    }

    /// A host that is up.
    #[must_use]
    pub fn host(&self, host: HostId) -> Option<&Host> {
        self.nature
            .place(host)
            .and_then(|place| self.hosts[at(place)].as_ref())
    }

    /// All hosts that are up, in the order they were added.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().flatten()
    }

    /// Tells a host something, as the next thing that happens to it now; to one that is down, nothing.
    pub fn tell(&mut self, host: HostId, input: Input) {
        let place = self.nature.known(host);
        if self.nature.is_up(place) {
            self.nature.tell(place, input);
        }
    }

    /// What a host keeps, crashed or not.
    pub fn usage(&mut self, host: HostId) -> Usage {
        let place = self.nature.known(host);
        self.nature.disk(place).store.usage()
    }

    /// Whether a host's store has a value, or a tombstone, under a key.
    pub fn holds(&mut self, host: HostId, key: &Key) -> bool {
        let place = self.nature.known(host);
        self.nature.holds(place, key)
    }

    /// A host's store as it lies on its disk.
    pub fn store(&mut self, host: HostId) -> &mut dyn Store {
        let place = self.nature.known(host);
        self.nature.disk(place).store.as_mut()
    }

    /// How much a host has said and heard.
    #[must_use]
    pub fn traffic(&self, host: HostId) -> Traffic {
        self.nature.traffic(self.nature.known(host))
    }

    /// Every host checks itself.
    pub fn check(&self) {
        self.hosts().for_each(Host::check_all);
    }

    // ── clients ──

    /// A client asks a host; [`World::reply`] has the answer when there is one.
    pub fn request(&mut self, host: HostId, request: Request, options: Options) -> Ticket {
        self.nature
            .request(self.nature.known(host), request, options)
    }

    /// What became of a request: nothing yet, an answer, or the host crashed.
    #[must_use]
    pub fn answer(&self, ticket: Ticket) -> Option<&Answer> {
        self.nature.answered(ticket)
    }

    /// The answer to a request, if there is one.
    #[must_use]
    pub fn reply(&self, ticket: Ticket) -> Option<&Reply> {
        match self.nature.answered(ticket) {
            Some(Answer::Reply(reply)) => Some(reply),
            Some(Answer::Broken) | None => None,
        }
    }

    /// Takes an answer out, so that a long run does not gather them.
    pub fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.nature.take_answer(ticket)
    }

    /// Takes out what became of requests since the last time.
    pub fn take_answers(&mut self) -> BTreeMap<Ticket, Answer> {
        self.nature.take_answers()
    }

    /// Asks, and lets time go on until there is an answer or that time has come.
    pub fn ask(&mut self, host: HostId, request: Request, limit: Time) -> Option<Answer> {
        let ticket = self.request(host, request, Options::default());
        self.run_while(limit, |world| world.answer(ticket).is_none());
        self.take_answer(ticket)
    }

    // ── time ──

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_ms(self.nature.now_ms())
    }

    /// How many messages have reached a host, in all.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.nature.delivered()
    }

    /// How many things are to come: messages on their way, alarms, disks at work.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.nature.waiting()
    }

    /// Lets the next thing happen; false if nothing will ever happen.
    pub fn step(&mut self) -> bool {
        self.step_before(u64::MAX)
    }

    /// Lets the next thing happen if it is due by that time; else stands at that time and returns false.
    pub fn step_until(&mut self, time: Time) -> bool {
        self.step_before(time.as_ms())
    }

    /// How many requests have been answered and not been taken out.
    #[must_use]
    pub fn answers_waiting(&self) -> usize {
        self.nature.answers_waiting()
    }

    /// Lets everything happen up to that time, and stands there.
    pub fn run_until(&mut self, time: Time) {
        while self.step_before(time.as_ms()) {}
    }

    /// Lets time go on while a condition holds, to that time at most. It is looked at whenever all that
    /// was due in a millisecond has happened. Returns whether it has ceased to hold.
    pub fn run_while(&mut self, limit: Time, mut condition: impl FnMut(&World) -> bool) -> bool {
        loop {
            self.run_until(self.now());
            if !condition(self) {
                return true;
            }
            match self.nature.next_due() {
                Some(due) if due <= limit.as_ms() => self.run_until(Time::from_ms(due)),
                Some(_) | None => {
                    self.run_until(limit);
                    return !condition(self);
                }
            }
        }
    }

    fn step_before(&mut self, limit: u64) -> bool {
        let (nature, hosts) = (&self.nature, &self.hosts);
        self.ahead.step(nature, |place, depth| {
            let host = hosts[at(place)].as_ref();
            host.map_or(0, |host| host.glance(depth))
        });
        let Some((place, happening)) = self.nature.next(limit) else {
            return false;
        };
        let now = self.nature.now(place);
        let host = self.hosts[at(place)]
            .as_mut()
            .expect("nature speaks to those who are up");
        let (nature, effects) = (&mut self.nature, &mut self.effects);
        match happening {
            Happening::Arrival(letter) => {
                let envelope = nature.open(letter);
                let fx = &mut effects.beside(|op: &mut Option<Op>| nature.store_at_once(place, op));
                host.receive(now, envelope, fx);
            }
            Happening::Stored => {
                let (done, then) = nature.done(place);
                let fx = &mut effects.beside(|op: &mut Option<Op>| nature.store_at_once(place, op));
                host.stored(now, done, then, fx);
            }
            other @ (Happening::Wake | Happening::Rumour(..) | Happening::Told(_)) => {
                let input = nature.input(place, other);
                let fx = &mut effects.beside(|op: &mut Option<Op>| nature.store_at_once(place, op));
                input.apply(host, now, fx);
            }
        }
        if self.check {
            self.checked += 1;
            if self.checked.is_multiple_of(self.check_all_every) {
                host.check_all();
            } else {
                host.check();
            }
            let (version, seen) = (
                host.roster()
                    .map_or(RosterVersion::NONE, |roster| roster.version),
                &mut self.seen[at(place)],
            );
            let id = host.id();
            assert!(version >= *seen, "{id}: lives by {version} after {seen}");
            *seen = version;
        }
        let wake = host.next_wake();
        self.nature.carry_out(place, &mut self.effects, wake);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::RingPlan;

    #[test]
    #[should_panic(expected = "lives by v1 after v7")]
    fn a_host_that_goes_back_to_an_older_roster_is_found_out() {
        let plan = RingPlan::new(3, 1);
        let mut world = World::ring(&plan, NetworkConfig::default()).unwrap();
        world.run_until(Time::from_ms(100));
        world.check_each_step(true);
        world.seen = vec![RosterVersion(7); 3];
        world.run_until(Time::from_ms(20_000));
    }
}
