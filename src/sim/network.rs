//! What happens to a message between two hosts?
//!
//! ```text
//! h1 ── delay 1..10 ms ──> h2        most arrive
//! h1 ── lost ──x                     some do not
//! h1 ──────┬─────> h2                some arrive twice
//!          └────────────> h2
//! h1 ─────────────────> h2           some are overtaken by younger ones
//! {h1 h2} ──x {h3}                   a cut, one way or both, loses all that is sent or arrives in it
//! ```
//!
//! All chance comes from the one generator of the world, and never from how a message is encoded.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::message::Envelope;
use crate::placement::HostId;

/// How messages travel. All times are whole milliseconds, all chances are in a thousand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The shortest delay.
    pub min_ms: u64,
    /// The longest ordinary delay; in between every millisecond is as likely. Below `min_ms`: as `min_ms`.
    pub max_ms: u64,
    /// How many in a thousand are lost.
    pub loss: u16,
    /// How many in a thousand arrive twice.
    pub duplicate: u16,
    /// How many in a thousand are held up for up to `late_ms` more, so that younger ones overtake them.
    pub late: u16,
    /// How long such a message is held up at most.
    pub late_ms: u64,
    /// Keep the order of messages from one host to another, as a TCP connection does. Costs a table
    /// of all pairs that ever spoke.
    pub in_order: bool,
    /// Encode and decode every message, as a real network would. Off: faster, and no bytes are counted.
    pub encode: bool,
    /// The others hear that a host has crashed, or is back, after so many milliseconds, as links
    /// would report. `None`: nobody tells them.
    pub link_down_ms: Option<u64>,
}

impl Default for NetworkConfig {
    /// A calm local network: 1 to 5 ms, nothing lost, a broken link reported after a second.
    fn default() -> NetworkConfig {
        NetworkConfig {
            min_ms: 1,
            max_ms: 5,
            loss: 0,
            duplicate: 0,
            late: 0,
            late_ms: 0,
            in_order: false,
            encode: true,
            link_down_ms: Some(1000),
        }
    }
}

/// What is done to a message that a [`Rule`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is lost.
    Drop,
    /// It arrives so many milliseconds later than it would.
    Hold(u64),
}

/// A special fate for certain messages, to make an interleaving happen that chance rarely brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Only messages of this name, as traces write it, such as `Wrote`; empty: all.
    pub name: String,
    /// Only from this host.
    pub from: Option<HostId>,
    /// Only to this host.
    pub to: Option<HostId>,
    /// What is done to them.
    pub fate: Fate,
    /// To how many; then the rule is spent.
    pub times: u32,
}

impl Rule {
    fn fits(&self, envelope: &Envelope) -> bool {
        self.times > 0
            && self.from.is_none_or(|from| from == envelope.from)
            && self.to.is_none_or(|to| to == envelope.to)
            && (self.name.is_empty() || envelope.body.name() == self.name)
    }
}

/// A cut: nothing gets from one side to the other.
#[derive(Clone, Debug)]
struct Cut {
    from: BTreeSet<u32>,
    to: BTreeSet<u32>,
}

/// The network: its settings, its cuts and its slow places. Hosts are known by their place in the table.
pub(super) struct Network {
    pub(super) config: NetworkConfig,
    cuts: Vec<Cut>,
    pub(super) rules: Vec<Rule>,
    slow_hosts: BTreeMap<u32, u64>,
    slow_links: BTreeMap<(u32, u32), u64>,
    last: BTreeMap<(u32, u32), u64>,
}

/// When the copies of one message arrive: none, one or two.
pub(super) type Arrivals = [Option<u64>; 2];

impl Network {
    pub(super) fn new(config: NetworkConfig) -> Network {
        Network {
            config,
            cuts: Vec::new(),
            rules: Vec::new(),
            slow_hosts: BTreeMap::new(),
            slow_links: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// Nothing passes from `from` to `to` until [`Network::heal`].
    pub(super) fn cut(&mut self, from: BTreeSet<u32>, to: BTreeSet<u32>) {
        self.cuts.push(Cut { from, to });
    }

    /// Ends every cut.
    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }

    /// All that a host sends or gets takes so much longer; 0 makes it fast again.
    pub(super) fn slow_host(&mut self, host: u32, extra_ms: u64) {
        self.slow_hosts.insert(host, extra_ms);
        self.slow_hosts.retain(|_, extra| *extra > 0);
    }

    /// All from one host to another takes so much longer; 0 makes it fast again.
    pub(super) fn slow_link(&mut self, from: u32, to: u32, extra_ms: u64) {
        self.slow_links.insert((from, to), extra_ms);
        self.slow_links.retain(|_, extra| *extra > 0);
    }

    /// Whether a cut lies between two hosts.
    pub(super) fn is_cut(&self, from: u32, to: u32) -> bool {
        self.cuts
            .iter()
            .any(|cut| cut.from.contains(&from) && cut.to.contains(&to))
    }

    /// Bends the arrival of a message that a rule names. Without rules this costs nothing.
    pub(super) fn bend(&mut self, envelope: &Envelope, arrivals: Arrivals) -> Arrivals {
        let Some(at) = self.rules.iter().position(|rule| rule.fits(envelope)) else {
            return arrivals;
        };
        let rule = &mut self.rules[at];
        rule.times -= 1;
        let fate = rule.fate;
        if rule.times == 0 {
            self.rules.remove(at);
        }
        match fate {
            Fate::Drop => [None, None],
            Fate::Hold(ms) => arrivals.map(|due| due.map(|due| due + ms)),
        }
    }

    /// When a message sent now arrives. Draws the same numbers whatever the message says.
    pub(super) fn send(&mut self, rng: &mut ChaCha8Rng, now: u64, from: u32, to: u32) -> Arrivals {
        let dice = rng.next_u64();
        let lost = in_thousand(dice) < u64::from(self.config.loss);
        let twice = in_thousand(dice >> 20) < u64::from(self.config.duplicate);
        let first = self.arrival(rng, dice >> 40, now, from, to);
        let second = twice.then(|| {
            let dice = rng.next_u64() >> 40;
            self.arrival(rng, dice, now, from, to)
        });
        if lost || self.is_cut(from, to) {
            [None, None]
        } else {
            [Some(first), second]
        }
    }

    /// `dice` has 24 random bits.
    fn arrival(&mut self, rng: &mut ChaCha8Rng, dice: u64, now: u64, from: u32, to: u32) -> u64 {
        let config = &self.config;
        let range = config.max_ms.saturating_sub(config.min_ms) + 1;
        let mut due = now + config.min_ms + ((dice * range) >> 24);
        if config.late > 0 {
            let dice = rng.next_u64();
            if in_thousand(dice) < u64::from(config.late) {
                due += ((dice >> 40) * (config.late_ms + 1)) >> 24;
            }
        }
        if !self.slow_hosts.is_empty() || !self.slow_links.is_empty() {
            due += self.slowness(from, to);
        }
        if self.config.in_order {
            let last = self.last.entry((from, to)).or_default();
            due = due.max(*last);
            *last = due;
        }
        due
    }

    fn slowness(&self, from: u32, to: u32) -> u64 {
        let host = |host| self.slow_hosts.get(&host).copied().unwrap_or(0);
        host(from) + host(to) + self.slow_links.get(&(from, to)).copied().unwrap_or(0)
    }
}

/// Twenty random bits as a number from 0 to 999.
fn in_thousand(dice: u64) -> u64 {
    ((dice & 0xf_ffff) * 1000) >> 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    fn arrivals(config: NetworkConfig, messages: usize) -> Vec<Arrivals> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut network = Network::new(config);
        (0..messages)
            .map(|_| network.send(&mut rng, 100, 0, 1))
            .collect()
    }

    #[test]
    fn delays_stay_in_range_and_reach_both_ends() {
        let all = arrivals(NetworkConfig::default(), 1000);
        let dues: BTreeSet<u64> = all.iter().filter_map(|both| both[0]).collect();
        assert_eq!(dues, (101..=105).collect());
        assert!(all.iter().all(|both| both[1].is_none()));
    }

    #[test]
    fn losses_and_doubles_come_as_often_as_asked() {
        let config = NetworkConfig {
            loss: 100,
            duplicate: 200,
            ..NetworkConfig::default()
        };
        let all = arrivals(config, 10_000);
        let lost = all.iter().filter(|both| both[0].is_none()).count();
        let twice = all.iter().filter(|both| both[1].is_some()).count();
        assert!((900..1100).contains(&lost), "{lost} of 10,000 lost");
        assert!(
            (1650..1950).contains(&twice),
            "{twice} of 10,000 doubled (and not lost)"
        );
    }

    #[test]
    fn in_order_means_that_nobody_overtakes() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let late = NetworkConfig {
            late: 300,
            late_ms: 50,
            ..NetworkConfig::default()
        };
        let mut sorted = Vec::new();
        for in_order in [false, true] {
            let mut network = Network::new(NetworkConfig {
                in_order,
                ..late.clone()
            });
            let dues = (0..200).filter_map(|now| network.send(&mut rng, now, 0, 1)[0]);
            sorted.push(dues.is_sorted());
        }
        assert_eq!(sorted, [false, true]);
    }

    #[test]
    fn a_cut_has_a_direction_and_heals() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut network = Network::new(NetworkConfig::default());
        network.cut([0, 1].into(), [2].into());
        assert_eq!(network.send(&mut rng, 0, 0, 2), [None, None]);
        assert!(network.send(&mut rng, 0, 2, 0)[0].is_some());
        assert!(network.send(&mut rng, 0, 0, 1)[0].is_some());
        network.heal();
        assert!(network.send(&mut rng, 0, 0, 2)[0].is_some());
    }

    #[test]
    fn slow_places_add_up() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let config = NetworkConfig {
            min_ms: 1,
            max_ms: 1,
            ..NetworkConfig::default()
        };
        let mut network = Network::new(config);
        network.slow_host(1, 10);
        network.slow_link(0, 1, 100);
        assert_eq!(network.send(&mut rng, 0, 0, 1)[0], Some(111));
        assert_eq!(network.send(&mut rng, 0, 1, 0)[0], Some(11));
        network.slow_host(1, 0);
        network.slow_link(0, 1, 0);
        assert_eq!(network.send(&mut rng, 0, 0, 1)[0], Some(1));
    }
}
