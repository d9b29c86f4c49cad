//! How the world of a story is made, and how that is said.

use std::num::NonZeroU32;

use crate::detect::DetectConfig;
use crate::find::{FindConfig, Routes};
use crate::keep::KeepConfig;
use crate::sim::{DiskConfig, NetworkConfig, SyncPolicy};

use super::args::Args;

/// What every host of a story is told, and how its world is made.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) tokens: u16,
    pub(super) replicas: u8,
    pub(super) by_links: bool,
    pub(super) keep: KeepConfig,
    pub(super) find: FindConfig,
    pub(super) detect: Option<DetectConfig>,
    pub(super) network: NetworkConfig,
    pub(super) disk: DiskConfig,
    /// How many bytes of keys and values a new host's store takes.
    pub(super) store_bytes: u64,
}

impl Default for Plan {
    /// Two tokens a host, three copies, one hop, and a network on which everything takes a millisecond, so
    /// that nothing is overtaken unless the story says so.
    fn default() -> Plan {
        let network = NetworkConfig {
            min_ms: 1,
            max_ms: 1,
            ..NetworkConfig::default()
        };
        let find = FindConfig {
            routes: Routes::All,
            ..FindConfig::default()
        };
        Plan {
            seed: 1,
            tokens: 2,
            replicas: 3,
            by_links: false,
            keep: KeepConfig::default(),
            find,
            detect: None,
            network,
            disk: DiskConfig::default(),
            store_bytes: u64::MAX,
        }
    }
}

/// How far a host sees, by name.
const ROUTES: [(&str, Routes); 3] = [
    ("neighbours", Routes::Neighbours),
    ("fingers", Routes::Fingers),
    ("all", Routes::All),
];

/// About how many hosts a story has: what a detector is told.
const USUAL_HOSTS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");

/// When a disk syncs, by name.
const SYNC: [(&str, SyncPolicy); 3] = [
    ("always", SyncPolicy::Always),
    ("everysec", SyncPolicy::EverySecond),
    ("never", SyncPolicy::Never),
];

/// The settings of a new world.
pub(super) fn plan(args: &mut Args<'_>) -> Result<Plan, String> {
    let mut plan = Plan::default();
    set(&mut plan.seed, args.parsed("seed")?);
    set(&mut plan.tokens, args.parsed("tokens")?);
    set(&mut plan.replicas, args.parsed("replicas")?);
    set(&mut plan.disk.policy, args.one_of("sync", &SYNC)?);
    super::faults::network(&mut plan.network, args)?;
    let keep = &mut plan.keep;
    set(&mut keep.deadline, args.time("deadline")?);
    set(&mut keep.retry, args.time("retry")?);
    set(&mut keep.hint_after, args.time("hint-after")?);
    set(&mut keep.hint_retry, args.time("hint-retry")?);
    set(&mut keep.gossip, args.time("gossip")?);
    set(&mut keep.repair, args.time("repair")?);
    set(&mut keep.drive, args.time("drive")?);
    set(&mut keep.give_up, args.time("give-up")?);
    set(&mut keep.remove_after, args.time("remove-after")?);
    set(&mut keep.drain_for, args.time("drain-for")?);
    set(&mut keep.source_patience, args.time("patience")?);
    set(&mut keep.move_bytes_per_s, args.parsed("move-rate")?);
    set(&mut keep.chunk_records, args.parsed("chunk")?);
    set(&mut keep.max_open, args.parsed("max-open")?);
    set(&mut keep.max_many, args.parsed("max-many")?);
    set(&mut keep.max_value_bytes, args.parsed("max-value")?);
    set(&mut keep.max_hints, args.parsed("max-hints")?);
    set(&mut keep.collect, args.time("collect")?);
    set(&mut keep.collect_age, args.time("collect-age")?);
    set(&mut plan.store_bytes, args.parsed("store")?);
    if args.one_of("detect", &[("on", true), ("off", false)])? == Some(true) {
        plan.detect = Some(DetectConfig::new(USUAL_HOSTS));
    }
    let find = &mut plan.find;
    set(&mut find.routes, args.one_of("routes", &ROUTES)?);
    set(&mut find.relay_limit, args.parsed("relay-limit")?);
    set(&mut find.successors, args.parsed("successors")?);
    set(&mut find.stabilize_every, args.time("stabilize")?);
    set(&mut find.lease, args.time("lease")?);
    set(&mut find.takeover_after, args.time("takeover")?);
    if plan.tokens == 0 {
        return Err("tokens is 0, but a host without a token holds nothing".to_owned());
    }
    if find.successors == 0 || find.stabilize_every.is_zero() || find.takeover_after < find.lease {
        return Err("successors and stabilize must be above 0, takeover at least lease".to_owned());
    }
    Ok(plan)
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
