//! What a host is to its links, and what they may use.

use std::time::Duration;

use super::address::Address;
use super::proof::Secret;
use super::tls::Tls;
use crate::placement::HostId;

/// Bytes a cluster's name may have.
pub const MAX_CLUSTER_BYTES: usize = 64;

/// Who this host is to others.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's name: hosts of two clusters refuse each other. At most [`MAX_CLUSTER_BYTES`]; what is
    /// longer is cut.
    pub cluster: String,
    /// This host.
    pub host: HostId,
    /// Which life of the host this is: a counter on its disk, raised and synced at each start.
    pub incarnation: u64,
    /// Where others reach it.
    pub listen: Address,
    /// What all hosts of the cluster know, and nobody else. An empty one keeps nobody out.
    pub secret: Secret,
    /// Certificates, where the network is not trusted.
    pub tls: Option<Tls>,
    /// What the links may use.
    pub limits: Limits,
}

/// What links may use: each with what happens beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that wait to be sent to one host. Beyond: the message is lost, and so is each one until half
    /// has left; the host is told that the other is down, and later that it is up.
    pub queue_bytes: usize,
    /// Messages that wait to be sent to one host. Beyond: likewise.
    pub queue_frames: usize,
    /// Bytes read from one host before the messages in them must have been handled.
    pub window_bytes: usize,
    /// Connections that have not yet proved who they are. Beyond: closed unread.
    pub handshakes: usize,
    /// Hosts whose addresses are kept. Beyond: not taken in, which the log says.
    pub hosts: usize,
    /// How long a connection may take to be there.
    pub dial: Duration,
    /// How long a handshake may take. Beyond: closed.
    pub handshake: Duration,
    /// After so long a silence a ping is sent.
    pub ping_after: Duration,
    /// After so long a silence the connection is given up.
    pub dead_after: Duration,
    /// The first pause before another attempt to connect; each further one is twice as long.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queue_bytes: 8 * 1024 * 1024,
            queue_frames: 64 * 1024,
            window_bytes: 256 * 1024,
            handshakes: 256,
            hosts: 4096,
            dial: Duration::from_secs(3),
            handshake: Duration::from_secs(3),
            ping_after: Duration::from_secs(1),
            dead_after: Duration::from_secs(4),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}
