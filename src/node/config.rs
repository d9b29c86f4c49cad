//! What a host is told when it is made. Every limit has a name, a unit and an outcome.

use std::time::Duration;

use crate::find::{FindConfig, Routes};
use crate::message::Consistency;
use crate::placement::HostId;

/// The settings of one host.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its id: names its store, not its address.
    pub host: HostId,
    /// Seeds its one random generator.
    pub seed: u64,
    /// What a request gets that names no consistency.
    pub consistency: Consistency,
    /// A request that is not done after this long fails.
    pub deadline: Duration,
    /// A question without an answer is asked again after this long (doubling, up to eight times as long).
    pub retry: Duration,
    /// How often a host tells another one which roster it has. Zero: never.
    pub gossip: Duration,
    /// How often a host compares one of its spans with a replica's. Zero: never.
    pub repair: Duration,
    /// A host that has not answered for this long is passed over as a source, and a joiner silent for
    /// this long makes any host propose to give the move up.
    pub give_up: Duration,
    /// At most so many requests are coordinated at once; more are refused.
    pub max_open: usize,
    /// At most so many hints are kept, all in all; further ones are dropped and left to repair.
    pub max_hints: usize,
    /// At most so many bytes of values in hints.
    pub max_hint_bytes: u64,
    /// At most so many keys in one request of many.
    pub max_many: usize,
    /// The longest value, in bytes; a longer one is refused.
    pub max_value_bytes: u64,
    /// How many pulls of a move are under way at once.
    pub move_window: usize,
    /// At most so many records in one chunk of a move.
    pub chunk_records: usize,
    /// A chunk ends once it holds so many bytes of values.
    pub chunk_bytes: u64,
    /// How far this host sees when it looks an id up.
    pub routes: Routes,
    /// The settings of its links.
    pub find: FindConfig,
}

impl HostConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(host: HostId, seed: u64) -> HostConfig {
        HostConfig {
            host,
            seed,
            consistency: Consistency::Quorum,
            deadline: Duration::from_secs(5),
            retry: Duration::from_millis(200),
            gossip: Duration::from_secs(1),
            repair: Duration::from_secs(10),
            give_up: Duration::from_secs(30),
            max_open: 10_000,
            max_hints: 10_000,
            max_hint_bytes: 64 * 1024 * 1024,
            max_many: 10_000,
            max_value_bytes: 512 * 1024 * 1024,
            move_window: 16,
            chunk_records: 512,
            chunk_bytes: 512 * 1024,
            routes: Routes::All,
            find: FindConfig::default(),
        }
    }
}
