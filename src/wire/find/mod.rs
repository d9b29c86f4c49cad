//! Messages between nodes, as header and body.
//!
//! The body holds the lists, as raw bytes: `avoid | successors | routes | path`, an id in 20 bytes, a
//! peer in 28 (its id, then its host). The header says how many of each.

mod read;
mod write;

use prost::Message;

use super::schema::{IdPb, PeerPb, SpanPb};
use crate::keyspace::Id;
use crate::message::Peer;
use crate::placement::HostId;

pub(super) use read::Reader;
pub(super) use write::write;

/// Peers in a successor list, or routes in one message.
pub const MAX_PEERS: u64 = 4096;

/// Nodes in the trace of a lookup.
pub const MAX_PATH: u64 = 64 * 1024;

/// How often a lookup may be relayed at most. Relays are counted on.
pub const MAX_RELAYS: u64 = 1 << 31;

/// The header of every message between nodes; each kind uses some of it. Tags 1 and 2 are everyone's.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FindHeader {
    #[prost(fixed64, tag = "1")]
    pub(super) from: u64,
    #[prost(fixed64, tag = "2")]
    pub(super) to: u64,
    #[prost(message, optional, tag = "3")]
    pub(super) from_node: Option<IdPb>,
    #[prost(message, optional, tag = "4")]
    pub(super) to_node: Option<IdPb>,
    #[prost(fixed64, tag = "5")]
    question: u64,
    #[prost(message, optional, tag = "6")]
    asker: Option<PeerPb>,
    #[prost(message, optional, tag = "7")]
    target: Option<IdPb>,
    #[prost(message, optional, tag = "8")]
    left: Option<IdPb>,
    /// 0: clockwise, 1: anti-clockwise.
    #[prost(uint32, tag = "9")]
    direction: u32,
    /// 0: passed on, 1: step by step.
    #[prost(uint32, tag = "10")]
    manner: u32,
    #[prost(uint32, tag = "11")]
    relays: u32,
    #[prost(uint32, tag = "12")]
    limit: u32,
    /// How many ids to avoid.
    #[prost(uint32, tag = "13")]
    avoid: u32,
    /// How many successors.
    #[prost(uint32, tag = "14")]
    successors: u32,
    /// How many routes.
    #[prost(uint32, tag = "15")]
    routes: u32,
    /// How many peers in the trace; absent if it is not traced.
    #[prost(uint32, optional, tag = "16")]
    path: Option<u32>,
    /// A prev, or the node to ask next.
    #[prost(message, optional, tag = "17")]
    peer: Option<PeerPb>,
    #[prost(message, optional, tag = "18")]
    span: Option<SpanPb>,
    #[prost(bool, tag = "19")]
    joining: bool,
}

/// Bytes of a peer in a list.
const PEER_BYTES: usize = Id::BYTES + 8;

/// A peer as it stands in a list.
pub(super) fn peer_bytes(peer: &Peer) -> [u8; PEER_BYTES] {
    let mut bytes = [0; PEER_BYTES];
    bytes[..Id::BYTES].copy_from_slice(&peer.id.to_bytes());
    bytes[Id::BYTES..].copy_from_slice(&peer.host.0.to_be_bytes());
    bytes
}

fn read_peer(bytes: [u8; PEER_BYTES]) -> Peer {
    let id = Id::from_bytes(std::array::from_fn(|i| bytes[i]));
    let host = u64::from_be_bytes(std::array::from_fn(|i| bytes[Id::BYTES + i]));
    Peer {
        id,
        host: HostId(host),
    }
}
