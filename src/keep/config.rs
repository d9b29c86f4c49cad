//! What the keeping side is told. Every limit has a name, a unit and an outcome.

use std::time::Duration;

use crate::message::Consistency;

/// How long keeping waits, how much of what it holds at once, and what happens beyond.
#[derive(Clone, Debug)]
pub struct KeepConfig {
    /// What a request gets that names no consistency.
    pub consistency: Consistency,
    /// A request that is not done after this long fails and says what that means.
    pub deadline: Duration,
    /// A question without an answer is asked again after this long, doubling up to eight times as long.
    pub retry: Duration,
    /// A replica that has not confirmed a write this long after the others gets a hint instead.
    pub hint_after: Duration,
    /// How often hints are tried again.
    pub hint_retry: Duration,
    /// How often a host tells another one which roster it has. Zero: never.
    pub gossip: Duration,
    /// How often a host compares one of its spans with another replica's. Zero: never.
    pub repair: Duration,
    /// How often a host looks whether anything it is the first replica of can be collected. Zero: never.
    pub collect: Duration,
    /// What was deleted is collected at the earliest this long after, and never sooner than after twice
    /// [`KeepConfig::max_drift`].
    pub collect_age: Duration,
    /// At most so many records are dropped in one operation of the store; the rest follows in further ones.
    pub collect_records: usize,
    /// How often whoever drives a move asks how far it is.
    pub drive: Duration,
    /// A source silent for this long is passed over for another one while a span moves.
    pub source_patience: Duration,
    /// If too many of a move's receivers are silent for this long, giving up is proposed.
    pub give_up: Duration,
    /// A change of the roster that has not begun after this long is dropped, and whoever asked is told.
    pub change_deadline: Duration,
    /// A host that has been down for this long is proposed for removal. Zero: never.
    pub remove_after: Duration,
    /// A host that may stop (a drain grant) is left alone for so much longer.
    pub drain_for: Duration,
    /// A host whose store has not done an operation after this long calls itself unwell, and is asked last.
    pub store_deadline: Duration,
    /// At most so many records from before that no replica confirmed are kept set aside; more are dropped, and counted.
    pub max_aside: u64,
    /// The clock reserves stamps this far ahead, so that the disk is not asked at each write.
    pub clock_ahead: Duration,
    /// A host whose wall clock leads the median of its peers' by more than this coordinates no writes: its
    /// stamps would outrank everybody's until then.
    pub max_drift: Duration,
    /// At most so many requests are coordinated at once; one more is refused.
    pub max_open: usize,
    /// At most so many hints are kept; one more is dropped and left to repair.
    pub max_hints: usize,
    /// At most so many bytes of values in hints; more are dropped and left to repair.
    pub max_hint_bytes: u64,
    /// At most so many hints are being delivered to one host at once; the rest waits.
    pub hint_window: usize,
    /// At most so many keys in one request; a longer one is refused.
    pub max_many: usize,
    /// The longest value, in bytes; a longer one is refused.
    pub max_value_bytes: u64,
    /// At most so many large values are being pulled at once; one more is refused for now.
    pub max_pulls: usize,
    /// At most so many uploads are open at once; one more is refused for now.
    pub max_uploads: usize,
    /// At most so many pieces of one upload are on their way to the store at once; one more is refused.
    pub upload_window: u32,
    /// An upload of which nothing comes for so long is dropped, and what was put by for it.
    pub upload_patience: Duration,
    /// At most so many messages wait while a roster is being adopted; one more is dropped, and asked again.
    pub max_parked: usize,
    /// How many pulls of a move are under way at once; the rest waits.
    pub move_window: usize,
    /// How many of them from one source: a request that comes to it waits for no more chunks than that.
    pub move_from_one: usize,
    /// Bytes of keys and values a second that a host takes in while spans move; 0: as many as come. It can be
    /// changed while the host runs.
    pub move_bytes_per_s: u64,
    /// At most so many records in one chunk of a move.
    pub chunk_records: usize,
    /// A chunk ends once it holds so many bytes of values.
    pub chunk_bytes: u64,
}

impl Default for KeepConfig {
    fn default() -> KeepConfig {
        KeepConfig {
            consistency: Consistency::Quorum,
            deadline: Duration::from_secs(5),
            retry: Duration::from_millis(200),
            hint_after: Duration::from_secs(1),
            hint_retry: Duration::from_secs(5),
            gossip: Duration::from_secs(1),
            repair: Duration::from_secs(10),
            collect: Duration::from_secs(5),
            collect_age: Duration::from_secs(60),
            collect_records: 4_096,
            drive: Duration::from_millis(500),
            source_patience: Duration::from_secs(3),
            give_up: Duration::from_secs(30),
            change_deadline: Duration::from_secs(300),
            remove_after: Duration::from_secs(300),
            drain_for: Duration::from_secs(900),
            store_deadline: Duration::from_secs(2),
            max_aside: 100_000,
            clock_ahead: Duration::from_secs(10),
            max_drift: Duration::from_secs(10),
            max_open: 10_000,
            max_hints: 10_000,
            max_hint_bytes: 64 * 1024 * 1024,
            hint_window: 32,
            max_many: 10_000,
            max_value_bytes: 512 * 1024 * 1024,
            max_pulls: 64,
            max_uploads: 64,
            upload_window: 4,
            upload_patience: Duration::from_secs(60),
            max_parked: 1_000,
            move_window: 16,
            move_from_one: 2,
            move_bytes_per_s: 0,
            chunk_records: 512,
            chunk_bytes: 128 * 1024,
        }
    }
}
