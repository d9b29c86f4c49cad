//! What the door is told: its limits, each with a name, a unit and what happens beyond it.

use std::time::Duration;

use super::password::Password;
use super::resp::Limits;
use crate::store::SyncPolicy;

/// The limits of a door.
#[derive(Clone, Debug)]
pub struct DoorSettings {
    /// At most so many clients. One more is told so, and closed.
    pub max_clients: usize,
    /// At most so many connections that have not said yet what they are. One more, and the oldest is closed.
    pub max_unknown: usize,
    /// At most so many requests of one connection are under way at once; the rest is not read until some
    /// are answered.
    pub max_under_way: usize,
    /// The same for all connections together: each has its share of this, one request at least.
    pub max_under_way_in_all: usize,
    /// The longest value, in bytes. A longer one is refused, and the connection closed.
    pub max_value_bytes: usize,
    /// At most so many bytes are kept by the store in memory, as `CONFIG GET` tells it; `None`: no limit, or they are on
    /// disk.
    pub max_memory_bytes: Option<u64>,
    /// When a write is on disk, as `CONFIG GET` tells it; `None`: data are in memory.
    pub fsync: Option<SyncPolicy>,
    /// At most so many bytes of half-read commands and unread answers of all connections together. Who
    /// brings more is told so, and closed.
    pub max_held_bytes: usize,
    /// At most so many bytes of answers wait for one client. In place of what would be more, it is told so.
    pub max_answer_bytes: usize,
    /// With so many bytes of answers unread, no more commands of that client are begun.
    pub pause_bytes: usize,
    /// A connection that says nothing at all for this long is closed.
    pub first_byte: Duration,
    /// One that has begun to speak must have said what it is after this long, or it is closed.
    pub sniff: Duration,
    /// Half a command without another byte for this long, or answers of which none is read: closed.
    pub stall: Duration,
    /// What clients have to know.
    pub password: Option<Password>,
    /// So many wrong passwords of an address are answered at once; after that each waits before it is looked at.
    /// At most so many wait. One more is refused without being looked at.
    pub tries: u32,
    /// So long it waits. After this long without a wrong one, an address may try once more at once.
    pub try_again: Duration,
}

impl Default for DoorSettings {
    fn default() -> DoorSettings {
        DoorSettings {
            max_clients: 10_000,
            max_unknown: 10_000,
            max_under_way: 256,
            max_under_way_in_all: 8_192,
            max_value_bytes: 512 * 1024 * 1024,
            max_memory_bytes: None,
            fsync: None,
            max_held_bytes: 2 * 1024 * 1024 * 1024,
            max_answer_bytes: 576 * 1024 * 1024,
            pause_bytes: 1024 * 1024,
            first_byte: Duration::from_secs(300),
            sniff: Duration::from_secs(5),
            stall: Duration::from_secs(60),
            password: None,
            tries: 10,
            try_again: Duration::from_secs(1),
        }
    }
}

impl DoorSettings {
    /// What a client may send, by whether it has given the password.
    #[must_use]
    pub fn limits(&self, known: bool) -> Limits {
        match known {
            true => Limits::of_values(self.max_value_bytes),
            false => Limits::for_strangers(),
        }
    }
}
