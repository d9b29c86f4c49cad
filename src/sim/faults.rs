//! What can be done to a world?
//!
//! Hosts crash and come back, the network is cut and made slow, disks lose what was not synced, clocks jump:
//!
//! ```text
//!   crash(h2)                 power is gone: of what was written, what was not synced is lost
//!   kill(h2)                  the process is gone, the machine runs on: nothing is lost
//!   cut([h1], [h2, h3])       h1 and the others hear nothing of each other; what is on its way is lost, too
//!   slow_disk(h2, 50)         each operation of its disk takes 50 ms
//!   fill_disk(h2, true)       its disk has no room for new values; what it holds it reads and deletes
//! ```
//!
//! *Hold this true*: what is done here is part of the run, as the seed is: done again at the same times, it gives
//! the same trace.

use super::network::{NetworkConfig, Rule};
use super::slab::at;
use super::world::World;
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::RosterVersion;
use crate::store::Store;

impl World {
    /// The host's process ends without a word; its disk keeps what a power cut would leave.
    /// Returns how many writes that were reported done are lost: none if its disk syncs always.
    pub fn crash(&mut self, host: HostId) -> usize {
        let place = self.nature.known(host);
        self.hosts[at(place)] = None;
        self.nature.crash(place, true)
    }

    /// The host's process ends without a word, but its machine runs on: nothing that was reported is lost.
    pub fn kill(&mut self, host: HostId) {
        let place = self.nature.known(host);
        self.hosts[at(place)] = None;
        self.nature.crash(place, false);
    }

    /// Starts a crashed host again, with what its disk kept.
    pub fn restart(&mut self, host: HostId) {
        self.start(self.nature.known(host));
    }

    /// Puts another store, an empty one for instance, into a crashed host.
    pub fn replace_store(&mut self, host: HostId, store: Box<dyn Store>) {
        let place = self.nature.known(host);
        assert!(
            !self.nature.is_up(place),
            "host {host} is up: crash it first"
        );
        self.nature.disk(place).store = store;
        self.seen[at(place)] = RosterVersion::NONE;
    }

    /// The settings of the network, which may be changed at any time.
    pub fn network(&mut self) -> &mut NetworkConfig {
        &mut self.nature.network.config
    }

    /// Loses everything that goes from the first hosts to the second, until [`World::heal`].
    pub fn cut_one_way(&mut self, from: &[HostId], to: &[HostId]) {
        self.nature.cut(from, to);
    }

    /// Loses everything between the first hosts and the second, until [`World::heal`].
    pub fn cut(&mut self, some: &[HostId], others: &[HostId]) {
        self.nature.cut(some, others);
        self.nature.cut(others, some);
    }

    /// Ends every cut.
    pub fn heal(&mut self) {
        self.nature.heal();
    }

    /// Gives certain messages a fate of their own. Of several rules that fit, the oldest counts.
    pub fn add_rule(&mut self, rule: Rule) {
        if rule.times > 0 {
            self.nature.network.rules.push(rule);
        }
    }

    /// Takes every rule back.
    pub fn clear_rules(&mut self) {
        self.nature.network.rules.clear();
    }

    /// All that a host sends or gets takes so much longer; 0 makes it fast again.
    pub fn slow_host(&mut self, host: HostId, extra_ms: u64) {
        let place = self.nature.known(host);
        self.nature.network.slow_host(place, extra_ms);
    }

    /// Each operation of a host's disk takes so long from now on, in milliseconds; 0 makes it fast again.
    pub fn slow_disk(&mut self, host: HostId, access_ms: u64) {
        let place = self.nature.known(host);
        self.nature.disk(place).config.access_ms = access_ms;
    }

    /// Whether a host's disk has no room for new values.
    pub fn fill_disk(&mut self, host: HostId, full: bool) {
        let place = self.nature.known(host);
        self.nature.disk(place).full = full;
    }

    /// When all that waits for a host's disk will be done.
    pub fn disk_busy_until(&mut self, host: HostId) -> Time {
        let place = self.nature.known(host);
        Time::from_ms(self.nature.disk(place).busy_until())
    }

    /// All from one host to another takes so much longer; 0 makes it fast again.
    pub fn slow_link(&mut self, from: HostId, to: HostId, extra_ms: u64) {
        let (from, to) = (self.nature.known(from), self.nature.known(to));
        self.nature.network.slow_link(from, to, extra_ms);
    }

    /// A host's wall clock is so much ahead of the world's from now on, or behind: it jumps.
    pub fn set_clock(&mut self, host: HostId, ahead_ms: i64) {
        let place = self.nature.known(host);
        self.nature.skew(place, ahead_ms);
    }
}
