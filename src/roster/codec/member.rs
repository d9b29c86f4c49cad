//! One host of a roster as bytes, and all of them, each after its length.
//!
//! ```text
//! 2f | h1 · zone a · weight 1 · 0a00…00 4c00…00       47 bytes: a host with two tokens
//! 33 | h2 · …
//! ```
//!
//! *Hold this true*: hosts are read one after the other, so that too many, or one twice, are noticed before they take
//! room.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use prost::Message;

use super::{MAX_HOSTS, MAX_TOKENS, RosterCodecError, malformed};
use crate::keyspace::Id;
use crate::placement::{HostId, Member, PlacementError, Zone};

/// Hosts, in order.
pub(super) type Members = BTreeMap<HostId, Member>;

/// One host, as written. The wire uses it too, where a host asks to join.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MemberPb {
    #[prost(fixed64, tag = "1")]
    pub(super) host: u64,
    #[prost(string, optional, tag = "2")]
    pub(super) zone: Option<String>,
    #[prost(uint32, tag = "3")]
    pub(super) weight: u32,
    /// 20 bytes each, in order.
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) tokens: Bytes,
}

impl MemberPb {
    pub(crate) fn new(host: HostId, member: &Member) -> MemberPb {
        MemberPb {
            host: host.0,
            zone: member.zone.as_ref().map(ToString::to_string),
            weight: member.weight,
            tokens: tokens_to_bytes(&member.tokens),
        }
    }

    pub(crate) fn read(self) -> Result<(HostId, Member), RosterCodecError> {
        let host = HostId(self.host);
        let zone = self.zone.map(|name| Zone::new(&name));
        let zone = zone
            .transpose()
            .map_err(|error| RosterCodecError::Zone(host, error.to_string()))?;
        let tokens = tokens_from_bytes(host, &self.tokens)?;
        Ok((
            host,
            Member {
                zone,
                weight: self.weight,
                tokens,
            },
        ))
    }
}

pub(crate) fn tokens_to_bytes(tokens: &[Id]) -> Bytes {
    tokens
        .iter()
        .flat_map(|token| token.to_bytes())
        .collect::<Vec<u8>>()
        .into()
}

pub(crate) fn tokens_from_bytes(host: HostId, bytes: &[u8]) -> Result<Vec<Id>, RosterCodecError> {
    let (tokens, rest) = bytes.as_chunks::<{ Id::BYTES }>();
    if !rest.is_empty() || tokens.len() > MAX_TOKENS {
        return Err(RosterCodecError::Tokens(host, bytes.len()));
    }
    Ok(tokens.iter().map(|token| Id::from_bytes(*token)).collect())
}

pub(super) fn write_members<'a>(
    members: impl IntoIterator<Item = (&'a HostId, &'a Member)>,
) -> Bytes {
    let mut out = Vec::new();
    for (host, member) in members {
        let written = MemberPb::new(*host, member);
        written
            .encode_length_delimited(&mut out)
            .expect("a Vec grows as needed");
    }
    out.into()
}

/// Reads hosts into those that are there; one of them may come again only if it is to be replaced.
pub(super) fn read_members(
    mut bytes: Bytes,
    into: &mut Members,
    replace: bool,
) -> Result<(), RosterCodecError> {
    while bytes.has_remaining() {
        let read = MemberPb::decode_length_delimited(&mut bytes).map_err(malformed)?;
        let (host, member) = read.read()?;
        if into.insert(host, member).is_some() && !replace {
            return Err(PlacementError::ListedTwice(host).into());
        }
        if into.len() > MAX_HOSTS {
            return Err(RosterCodecError::TooManyHosts);
        }
    }
    Ok(())
}
