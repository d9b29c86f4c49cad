//! What a host is told when it is made.

use std::sync::Arc;

use crate::detect::DetectConfig;
use crate::find::{FindConfig, Routes};
use crate::keep::KeepConfig;
use crate::placement::HostId;

/// The settings of one host. Every limit in them has a name, a unit and an outcome.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its id: names its store, not its address.
    pub host: HostId,
    /// Seeds all its chance.
    pub seed: u64,
    /// How it keeps.
    pub keep: KeepConfig,
    /// How it finds, and how far it sees.
    pub find: Arc<FindConfig>,
    /// How it finds out who is alive; `None`: only by what its driver says.
    pub detect: Option<DetectConfig>,
}

impl HostConfig {
    /// The usual settings: a host that sees everyone asks a key's replicas at once.
    #[must_use]
    pub fn new(host: HostId, seed: u64) -> HostConfig {
        let find = FindConfig {
            routes: Routes::All,
            ..FindConfig::default()
        };
        HostConfig {
            host,
            seed,
            keep: KeepConfig::default(),
            find: Arc::new(find),
            detect: None,
        }
    }
}
