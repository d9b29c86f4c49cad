//! Whole rings at once, for lessons and tests.
//!
//! ```text
//!   RingPlan { hosts: 5, tokens: 8, replicas: 3, seed: 7 } ──> roster ──> World::ring    the plain loop
//!                                                                     └─> Stage::ring    actors
//! ```
//!
//! The same plan makes the same ring for both: who has which tokens is drawn from the seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::DiskConfig;
use super::network::NetworkConfig;
use super::stage::Stage;
use super::world::World;
use crate::actor::Input;
use crate::detect::DetectConfig;
use crate::dht::{Dht, DhtError};
use crate::find::{FindConfig, Routes};
use crate::keep::KeepConfig;
use crate::message::Options;
use crate::node::HostConfig;
use crate::placement::{self, HostId, Member};
use crate::record::Time;
use crate::roster::{ChangeError, RingId, Roster};
use crate::store::MemoryStore;

/// A ring to be made.
#[derive(Clone, Debug)]
pub struct RingPlan {
    /// How many hosts: `h1`, `h2` …
    pub hosts: u32,
    /// How many tokens each has, at random from the seed.
    pub tokens: u16,
    /// How many copies of each key.
    pub replicas: u8,
    /// The seed of everything.
    pub seed: u64,
    /// How its hosts keep.
    pub keep: KeepConfig,
    /// How they find, and how far they see.
    pub find: Arc<FindConfig>,
    /// How they find out who is alive; `None`: only by what the network says.
    pub detect: Option<DetectConfig>,
    /// What their stores lie behind.
    pub disk: DiskConfig,
}

impl RingPlan {
    /// That many hosts with eight tokens each, three copies of every key, and everyone seeing everyone.
    #[must_use]
    pub fn new(hosts: u32, seed: u64) -> RingPlan {
        let (tokens, replicas) = (8, 3);
        let find = Arc::new(FindConfig {
            routes: Routes::All,
            ..FindConfig::default()
        });
        RingPlan {
            hosts,
            tokens,
            replicas,
            seed,
            keep: KeepConfig::default(),
            find,
            detect: None,
            disk: DiskConfig::default(),
        }
    }

    /// The ids of the hosts.
    pub fn ids(&self) -> impl Iterator<Item = HostId> {
        (1..=u64::from(self.hosts)).map(HostId)
    }

    /// The roster in which all of them have settled.
    ///
    /// # Errors
    /// Without a host, or if so many copies are not possible.
    pub fn roster(&self) -> Result<Roster, ChangeError> {
        let each = usize::from(self.tokens);
        let all = placement::random(self.seed, each * usize::try_from(self.hosts).unwrap_or(0));
        let members: BTreeMap<HostId, Member> = self
            .ids()
            .zip(all.chunks(each.max(1)))
            .map(|(host, tokens)| (host, Member::new(tokens.iter().copied())))
            .collect();
        Roster::settled(RingId(self.seed), members, self.replicas)
    }

    /// The settings of one host.
    #[must_use]
    pub fn config(&self, host: HostId) -> HostConfig {
        HostConfig {
            host,
            seed: self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ host.0,
            keep: self.keep.clone(),
            find: Arc::clone(&self.find),
            detect: self.detect.clone(),
        }
    }
}

impl World {
    /// A world with a settled ring in it.
    ///
    /// # Errors
    /// As [`RingPlan::roster`].
    pub fn ring(plan: &RingPlan, network: NetworkConfig) -> Result<World, ChangeError> {
        let mut world = World::new(plan.seed, network);
        world.settle(plan)?;
        Ok(world)
    }

    /// Adds all hosts of a plan, and settles them.
    ///
    /// # Errors
    /// As [`RingPlan::roster`].
    pub fn settle(&mut self, plan: &RingPlan) -> Result<(), ChangeError> {
        let roster = Arc::new(plan.roster()?);
        for id in plan.ids() {
            self.add_host_on(plan.config(id), plan.disk, Box::new(MemoryStore::new()));
            self.tell(id, Input::Enter(Arc::clone(&roster)));
        }
        Ok(())
    }
}

impl Stage {
    /// A stage with a settled ring on it.
    ///
    /// # Errors
    /// As [`RingPlan::roster`].
    pub fn ring(plan: &RingPlan, network: NetworkConfig) -> Result<Stage, ChangeError> {
        let mut stage = Stage::new(plan.seed, network);
        stage.settle(plan)?;
        Ok(stage)
    }

    /// Adds all hosts of a plan, and settles them.
    ///
    /// # Errors
    /// As [`RingPlan::roster`].
    pub fn settle(&mut self, plan: &RingPlan) -> Result<(), ChangeError> {
        let roster = Arc::new(plan.roster()?);
        for id in plan.ids() {
            self.add_host_on(plan.config(id), plan.disk, Box::new(MemoryStore::new()));
            self.tell(id, Input::Enter(Arc::clone(&roster)));
        }
        Ok(())
    }

    /// A handle on one of its hosts.
    #[must_use]
    pub fn dht(&self, host: HostId) -> Dht {
        Dht::new(self.door(), host)
    }
}

impl Dht {
    /// A handle on `h1` of a simulated ring of so many hosts, played by actors on this arbiter. Best
    /// inside [`paused`](super::paused), where it takes no time. The ring lives as long as the arbiter.
    ///
    /// # Errors
    /// Without a host.
    pub async fn simulated(hosts: u32, seed: u64) -> Result<Dht, DhtError> {
        let made = Stage::ring(&RingPlan::new(hosts, seed), NetworkConfig::default());
        let stage = made.map_err(|error| crate::message::Failure::Change(error.to_string()))?;
        stage.run_until(Time::from_ms(100)).await;
        Ok(stage.dht(HostId(1)).with(Options::default()))
    }
}
