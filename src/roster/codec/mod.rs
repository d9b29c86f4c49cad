//! A roster as bytes: on disk, in an acceptor's memory, and on the wire.
//!
//! The schema is protobuf's, so that a later build can add a field and an earlier one will skip it. While
//! moving, New is written as what differs from Old, since it mostly does not:
//!
//! ```text
//! ring 7 · version 8 · by h3 · old: R 3, [h1 …][h2 …][h3 …] · new: R 3, gone [], come [h4 …]
//!                                         each host: id, zone, weight, tokens of 20 bytes
//! ```
//!
//! *Hold these true*: what `encode` wrote, `decode` reads back equal; equal rosters have equal bytes;
//! nothing malformed becomes a roster, and reading it allocates no more than a small multiple of what
//! arrived.

mod error;
mod member;
mod notes;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::{MAX_REPLICAS, Membership, Phase, RingId, Roster, RosterVersion};
use crate::keyspace::{Id, Short};
use crate::placement::{HostId, Placement};

use member::{Members, read_members, write_members};
use notes::{read_notes, write_losses};

pub use error::RosterCodecError;
pub(crate) use member::{MemberPb, tokens_from_bytes, tokens_to_bytes};

/// The largest encoded roster, in bytes: 10,000 hosts of 16 tokens take some 3.5 MB.
pub const MAX_ROSTER_BYTES: usize = 8 * 1024 * 1024;

/// The greatest version of a roster: versions are counted on, and must not overflow.
pub const MAX_ROSTER_VERSION: u64 = 1 << 62;

/// Hosts a roster may have.
pub const MAX_HOSTS: usize = 16 * 1024;

/// Tokens one host may have.
pub const MAX_TOKENS: usize = 4 * 1024;

/// A roster, as written.
#[derive(Clone, PartialEq, Message)]
struct RosterPb {
    #[prost(fixed64, tag = "1")]
    ring: u64,
    #[prost(uint64, tag = "2")]
    version: u64,
    #[prost(fixed64, tag = "3")]
    by: u64,
    #[prost(uint32, tag = "4")]
    replicas: u32,
    /// The hosts of Old: [`MemberPb`]s, each after its length. Not a repeated field, which would be
    /// built in full before anything about it could be checked.
    #[prost(bytes = "bytes", tag = "5")]
    members: Bytes,
    /// What New changes; absent when settled.
    #[prost(message, optional, tag = "6")]
    new: Option<DeltaPb>,
    /// Who holds the drain grant.
    #[prost(fixed64, optional, tag = "7")]
    drain: Option<u64>,
    /// Accepted losses: `LossPb`s, each after its length.
    #[prost(bytes = "bytes", tag = "8")]
    losses: Bytes,
    /// Hosts of Old that are lost.
    #[prost(fixed64, repeated, tag = "9")]
    lost: Vec<u64>,
    /// The Moving versions of the last two moves that succeeded.
    #[prost(uint64, tag = "10")]
    last_move_but_one: u64,
    #[prost(uint64, tag = "11")]
    last_move: u64,
    /// Which hosts came to a span, in order, and in which Moving version each did so last.
    #[prost(fixed64, repeated, tag = "12")]
    gainers: Vec<u64>,
    #[prost(uint64, repeated, tag = "13")]
    gained_at: Vec<u64>,
}

/// How New differs from Old.
#[derive(Clone, PartialEq, Message)]
struct DeltaPb {
    #[prost(uint32, tag = "1")]
    replicas: u32,
    /// Hosts that go.
    #[prost(fixed64, repeated, tag = "2")]
    gone: Vec<u64>,
    /// Hosts that come, or change: as `members`.
    #[prost(bytes = "bytes", tag = "3")]
    come: Bytes,
}

impl Roster {
    /// The roster as bytes. Equal rosters have equal bytes. They are made once and then shared.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.written.0.get_or_init(|| self.write()).clone()
    }

    fn write(&self) -> Bytes {
        let old = self.old();
        let new = match &self.phase {
            Phase::Settled(_) => None,
            Phase::Moving { old, new } => Some(delta(old, new)),
        };
        let written = RosterPb {
            ring: self.ring.0,
            version: self.version.0,
            by: self.by.0,
            replicas: u32::from(old.replicas),
            members: write_members(old.placement.members()),
            new,
            drain: self.notes.drain.map(|host| host.0),
            losses: write_losses(&self.notes.losses),
            lost: old.lost.iter().map(|host| host.0).collect(),
            last_move_but_one: self.notes.moves[0].0,
            last_move: self.notes.moves[1].0,
            gainers: self.notes.gained.keys().map(|host| host.0).collect(),
            gained_at: self.notes.gained.values().map(|at| at.0).collect(),
        };
        written.encode_to_vec().into()
    }

    /// Reads a roster back and checks everything about it.
    ///
    /// # Errors
    /// [`RosterCodecError`] says what is wrong. No bytes whatever make this panic.
    pub fn decode(bytes: &[u8]) -> Result<Roster, RosterCodecError> {
        if bytes.len() > MAX_ROSTER_BYTES {
            return Err(RosterCodecError::TooLarge(bytes.len()));
        }
        let read = RosterPb::decode(bytes).map_err(malformed)?;
        if !(1..=MAX_ROSTER_VERSION).contains(&read.version) {
            return Err(RosterCodecError::Version(read.version));
        }
        let mut members = Members::new();
        let notes = read_notes(&read)?;
        read_members(read.members, &mut members, false)?;
        let phase = match read.new {
            None => Phase::Settled(membership(read.replicas, members)?),
            Some(delta) => {
                let old = membership(read.replicas, members.clone())?;
                Phase::Moving {
                    old: without(old, &read.lost)?,
                    new: apply(delta, members)?,
                }
            }
        };
        let (ring, version) = (RingId(read.ring), RosterVersion(read.version));
        Ok(Roster {
            ring,
            version,
            by: HostId(read.by),
            phase,
            notes,
            written: super::Written::default(),
        })
    }

    /// What tells rosters apart when hosts compare theirs: the beginning of the SHA-1 of the bytes, made once.
    #[must_use]
    pub fn hash(&self) -> u64 {
        *self.written.1.get_or_init(|| Id::of(&self.encode()).top())
    }

    /// What tells rosters apart in a trace: the first eight hex digits of the SHA-1 of the bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Short {
        Id::of(&self.encode()).short()
    }
}

fn malformed(error: prost::DecodeError) -> RosterCodecError {
    RosterCodecError::Malformed(error.to_string())
}

/// Old without its lost hosts: each was in it, and somebody is left.
fn without(old: Arc<Membership>, lost: &[u64]) -> Result<Arc<Membership>, RosterCodecError> {
    if lost.is_empty() {
        return Ok(old);
    }
    let lost: BTreeSet<HostId> = lost.iter().copied().map(HostId).collect();
    if let Some(stranger) = lost.iter().find(|host| !old.has(**host)) {
        return Err(RosterCodecError::Unknown(*stranger));
    }
    if lost.len() == old.placement.len() {
        return Err(RosterCodecError::NoHosts);
    }
    Ok(Arc::new(old.without(lost)))
}

fn membership(replicas: u32, members: Members) -> Result<Arc<Membership>, RosterCodecError> {
    let in_range = u8::try_from(replicas)
        .ok()
        .filter(|r| (1..=MAX_REPLICAS).contains(r));
    let replicas = in_range.ok_or(RosterCodecError::Replicas(replicas))?;
    if members.is_empty() {
        return Err(RosterCodecError::NoHosts);
    }
    if let Some((host, _)) = members.iter().find(|(_, member)| member.tokens.is_empty()) {
        return Err(RosterCodecError::Tokens(*host, 0));
    }
    let placement = Placement::from_members(members)?;
    Ok(Arc::new(Membership::new(replicas, placement)))
}

fn delta(old: &Membership, new: &Membership) -> DeltaPb {
    let (before, after) = (old.placement.members(), new.placement.members());
    let gone = before.keys().filter(|host| !after.contains_key(host));
    let come = after
        .iter()
        .filter(|(host, member)| before.get(host) != Some(member));
    DeltaPb {
        replicas: u32::from(new.replicas),
        gone: gone.map(|host| host.0).collect(),
        come: write_members(come),
    }
}

fn apply(delta: DeltaPb, mut members: Members) -> Result<Arc<Membership>, RosterCodecError> {
    for host in delta.gone.into_iter().map(HostId) {
        members
            .remove(&host)
            .ok_or(RosterCodecError::Unknown(host))?;
    }
    read_members(delta.come, &mut members, true)?;
    membership(delta.replicas, members)
}
