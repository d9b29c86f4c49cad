//! What does a seed mean?
//!
//! Everything about a run is drawn from its seed, and said in one line before anything else:
//!
//! ```text
//! seed 17: 5 hosts, 3 tokens, R 3, sync always, pace 1/8, 12 keys, 9 clients; crash partition move
//! ```
//!
//! The *pace* shortens everything a host waits for (retries, hints, repair, giving up), so that a virtual
//! minute holds as many faults as ten would.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::faults::Fault;
use crate::detect::DetectConfig;
use crate::find::{FindConfig, Routes};
use crate::keep::KeepConfig;
use crate::node::HostConfig;
use crate::placement::{HostId, Member, Zone, random};
use crate::sim::{DiskConfig, NetworkConfig, SyncPolicy};

/// What one seed means. All of it is drawn before the run begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Hosts at the beginning: `h1`, `h2` …
    pub hosts: u64,
    /// Tokens each of them has, for a weight of 1.
    pub tokens: u16,
    /// Copies of each key.
    pub replicas: u8,
    /// Zones the hosts lie in; 1: none are named.
    pub zones: u64,
    /// Whether some hosts weigh twice as much.
    pub weights: bool,
    /// When disks sync.
    pub disk: DiskConfig,
    /// By how much everything hosts wait for is shortened.
    pub pace: u32,
    /// Whether missed writes are brought up by themselves: hints and repair.
    pub heals: bool,
    /// How far hosts see.
    pub routes: Routes,
    /// Keys that clients ask for.
    pub keys: usize,
    /// Clients, each of which asks one thing after the other.
    pub clients: usize,
    /// Things the clients ask at most, while faults happen.
    pub operations: usize,
    /// How long faults go on, in milliseconds.
    pub survive_ms: u64,
    /// How long from one fault to the next at most, in milliseconds.
    pub fault_ms: u64,
    /// The faults that may happen.
    pub faults: Vec<Fault>,
    /// Whether the harness may destroy more copies than a quorum can spare.
    pub harsh: bool,
    /// Whether large values travel, of several pieces.
    pub large: bool,
    /// Whether what was deleted or has expired is collected soon. Then clocks differ by less, too.
    pub collects: bool,
    /// Whether hosts come back whose disks have lost what they had reported, in doubt of it, and others take the place of
    /// those whose disks are destroyed.
    pub returns: bool,
    /// A host that is silent for so long is removed; none: never.
    pub removes: Option<Duration>,
    /// Whether it is a wide world.
    pub wide: bool,
    /// Whether hosts look themselves who is alive, and by a detector.
    pub detects: bool,
}

impl Plan {
    /// Draws what that seed means.
    #[must_use]
    pub fn draw(seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed_0f00_5eed_0f00);
        let hosts = *pick(&mut rng, &[1, 2, 3, 3, 4, 5, 5, 5, 6, 8]);
        let disk = disk(&mut rng);
        let (replicas, zones) = (
            *pick(&mut rng, &[1, 2, 3, 3, 3, 3, 4, 5]),
            *pick(&mut rng, &[1, 1, 2, 3]),
        );
        let mut faults = Vec::new();
        if rng.random_ratio(19, 20) {
            let later =
                |fault: &Fault| Fault::CHORES.contains(fault) || Fault::WIDE.contains(fault);
            let first = Fault::ALL.into_iter().filter(|fault| !later(fault));
            faults.extend(first.filter(|_| rng.random_ratio(2, 5)));
        }
        let (survive_ms, operations) = length(&mut rng);
        // Drawn apart: in every second world nothing of it happens.
        let mut apart = ChaCha8Rng::seed_from_u64(seed ^ 0xc0de_0f00_c0de_0f00);
        let more = apart.random_ratio(1, 2);
        let returns = more && apart.random_ratio(3, 4);
        let removes = (more && apart.random_ratio(1, 2))
            .then(|| Duration::from_millis(apart.random_range(100..1_000)));
        if more && !faults.is_empty() {
            let chores = Fault::CHORES.into_iter();
            faults.extend(chores.filter(|_| apart.random_ratio(2, 5)));
        }
        Plan {
            seed,
            hosts,
            tokens: *pick(&mut rng, &[1, 2, 4, 8]),
            replicas,
            zones,
            weights: rng.random_ratio(1, 4),
            disk,
            pace: *pick(&mut rng, &[1, 4, 8, 8, 8, 16]),
            heals: rng.random_ratio(2, 3),
            routes: routes(&mut rng),
            keys: *pick(&mut rng, &[1, 2, 4, 12, 40]),
            clients: rng.random_range(2..24),
            operations,
            survive_ms,
            fault_ms: *pick(&mut rng, &[60, 200, 800, 3_000]),
            faults,
            returns,
            removes,
            harsh: rng.random_ratio(1, 30),
            large: rng.random_ratio(1, 8),
            collects: rng.random_ratio(2, 3),
            wide: false,
            detects: false,
        }
    }

    /// The wide world of that seed: the same as [`Plan::draw`] has it, but for what is drawn here. Zones may go at once, disks be full
    /// or slow or answer at once, as a store in memory does, and hosts find out by a detector who is alive. All this came later, and so the others have stayed as they were.
    #[must_use]
    pub fn draw_wide(seed: u64) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x071d_e000_071d_e000);
        let mut plan = Plan::draw(seed);
        let more = Fault::WIDE.into_iter();
        plan.faults.extend(more.filter(|_| rng.random_ratio(1, 2)));
        if plan.faults.contains(&Fault::FullDisk) {
            // What comes twice may be refused the first time, for want of room, and stored the second: whoever was told that nothing
            // was stored was told a lie. A link delivers at most once.
            plan.faults.retain(|fault| *fault != Fault::Double);
        }
        plan.zones = plan.zones.max(*pick(&mut rng, &[1, 2, 3]));
        plan.detects = rng.random_ratio(1, 3);
        plan.disk.at_once = rng.random_ratio(1, 3);
        if plan.disk.at_once {
            plan.disk.sync_ms = 0;
        }
        plan.wide = true;
        plan
    }

    /// What comes after a duration at this pace.
    #[must_use]
    pub fn paced(&self, duration: Duration) -> Duration {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis((ms / u64::from(self.pace)).max(1))
    }

    /// The settings of one host.
    #[must_use]
    pub fn config(&self, host: HostId) -> HostConfig {
        let usual = KeepConfig::default();
        let mut keep = KeepConfig {
            deadline: self.paced(usual.deadline).max(Duration::from_secs(1)),
            retry: self.paced(usual.retry).max(Duration::from_millis(40)),
            hint_after: self.paced(usual.hint_after),
            hint_retry: self.paced(usual.hint_retry),
            gossip: self.paced(usual.gossip),
            repair: self.paced(usual.repair),
            drive: self.paced(usual.drive),
            source_patience: self.paced(usual.source_patience),
            give_up: self.paced(usual.give_up),
            change_deadline: self.paced(usual.change_deadline),
            upload_patience: self.paced(usual.upload_patience),
            chunk_records: 8,
            ..usual
        };
        if self.collects {
            keep.collect = self.paced(usual.collect);
            keep.max_drift = self.max_drift();
            keep.collect_age = 2 * keep.max_drift;
        }
        if self.wide {
            keep.store_deadline = self.paced(usual.store_deadline);
        }
        if let Some(after) = self.removes {
            keep.remove_after = after;
            keep.drain_for = self.paced(usual.drain_for);
        }
        if !self.heals {
            // What a quorum alone must keep is not hidden by what heals.
            keep.max_hints = 0;
            keep.repair = Duration::ZERO;
            keep.hint_after = Duration::ZERO;
        }
        let find = Arc::new(FindConfig {
            routes: self.routes,
            ..FindConfig::default()
        });
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ host.0;
        HostConfig {
            host,
            seed,
            keep,
            find,
            detect: self
                .detects
                .then(|| DetectConfig::new(NonZeroU32::MIN.saturating_add(7))),
        }
    }

    /// By how much clocks may differ.
    #[must_use]
    pub fn max_drift(&self) -> Duration {
        let usual = KeepConfig::default().max_drift;
        // No less than what a slow host may make of a clock's word that is on its way.
        let paced = self.paced(usual).max(Duration::from_secs(1));
        if self.collects { paced } else { usual }
    }

    /// What a host brings into the ring.
    #[must_use]
    pub fn member(&self, host: HostId) -> Member {
        let weight = if self.weights && host.0.is_multiple_of(3) {
            2
        } else {
            1
        };
        let tokens = usize::from(self.tokens) * usize::try_from(weight).unwrap_or(1);
        let member = Member::new(random(self.seed ^ (host.0 << 32), tokens)).weighing(weight);
        match self.zones {
            1 => member,
            zones => {
                let name = format!("z{}", host.0 % zones);
                member.in_zone(Zone::new(&name).expect("two letters are a name"))
            }
        }
    }

    /// A network without faults.
    #[must_use]
    pub fn calm(&self) -> NetworkConfig {
        NetworkConfig {
            link_down_ms: Some(300),
            ..NetworkConfig::default()
        }
    }
}

fn disk(rng: &mut ChaCha8Rng) -> DiskConfig {
    let policy = match rng.random_range(0..4) {
        0 => SyncPolicy::EverySecond,
        1 => SyncPolicy::Never,
        _ => SyncPolicy::Always,
    };
    DiskConfig {
        policy,
        access_ms: 0,
        sync_ms: rng.random_range(0..3),
        at_once: false,
    }
}

/// Half of the worlds are short: many small ones find other things than few large ones.
fn length(rng: &mut ChaCha8Rng) -> (u64, usize) {
    if rng.random_ratio(1, 2) {
        (rng.random_range(1_000..4_000), rng.random_range(200..600))
    } else {
        (
            rng.random_range(6_000..16_000),
            rng.random_range(2_000..6_000),
        )
    }
}

fn routes(rng: &mut ChaCha8Rng) -> Routes {
    match rng.random_range(0..5) {
        0 => Routes::Fingers,
        1 => Routes::Neighbours,
        _ => Routes::All,
    }
}

fn pick<'a, T>(rng: &mut ChaCha8Rng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sync = match self.disk.policy {
            SyncPolicy::Always => "always",
            SyncPolicy::EverySecond => "every second",
            SyncPolicy::Never => "never",
        };
        let wide = if self.wide { ", wide" } else { "" };
        write!(
            f,
            "seed {}{wide}: {} hosts, {} tokens, R {}, sync {sync}, pace 1/{}, {} keys, {} clients",
            self.seed, self.hosts, self.tokens, self.replicas, self.pace, self.keys, self.clients
        )?;
        if self.zones > 1 {
            write!(f, ", {} zones", self.zones)?;
        }
        for (said, what) in [
            (self.weights, "weights"),
            (!self.heals, "nothing heals by itself"),
            (self.large, "large values"),
            (self.collects, "deletes are collected"),
            (self.returns, "lost disks come back"),
            (self.removes.is_some(), "silent hosts are removed"),
            (self.detects, "a detector"),
            (self.disk.at_once, "stores that answer at once"),
            (self.harsh, "disks destroyed beyond a quorum"),
        ] {
            if said {
                write!(f, ", {what}")?;
            }
        }
        write!(f, "; faults:")?;
        self.faults
            .iter()
            .try_for_each(|fault| write!(f, " {}", fault.name()))?;
        if self.faults.is_empty() {
            write!(f, " none")
        } else {
            Ok(())
        }
    }
}
