//! A wish about who is in, as bytes.
//!
//! ```text
//! ChangeAsk [join h4, replicas 5]      12 | join: h4, weight 1, tokens …      02 | replicas: 5
//!                                      each after its length
//! ```

use bytes::Bytes;
use prost::Message;

use super::list::{MAX_HEAD_BYTES, read_list};
use crate::keyspace::Id;
use crate::placement::{HostId, Zone};
use crate::roster::{
    Change, MAX_HOSTS, MAX_TOKENS, MemberPb, RosterCodecError, tokens_from_bytes, tokens_to_bytes,
};
use crate::wire::WireError;
use crate::wire::error::within;

/// One wish about who is in.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ChangePb {
    #[prost(oneof = "ChangeCase", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    case: Option<ChangeCase>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ChangeCase {
    #[prost(message, tag = "1")]
    Join(MemberPb),
    #[prost(fixed64, tag = "2")]
    Remove(u64),
    #[prost(message, tag = "3")]
    Tokens(TokensPb),
    #[prost(uint32, tag = "4")]
    Replicas(u32),
    #[prost(fixed64, tag = "5")]
    Drain(u64),
    #[prost(fixed64, tag = "6")]
    EndDrain(u64),
    #[prost(message, tag = "7")]
    AcceptLoss(HostsPb),
    #[prost(message, tag = "8")]
    Zone(ZonePb),
    #[prost(message, tag = "9")]
    Weight(WeightPb),
}

#[derive(Clone, PartialEq, Message)]
struct HostsPb {
    #[prost(fixed64, repeated, tag = "1")]
    hosts: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct ZonePb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    /// None: a zone of its own.
    #[prost(string, optional, tag = "2")]
    zone: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct WeightPb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    #[prost(uint32, tag = "2")]
    weight: u32,
}

#[derive(Clone, PartialEq, Message)]
struct TokensPb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    /// 20 bytes each.
    #[prost(bytes = "bytes", tag = "2")]
    tokens: Bytes,
}

impl From<&Change> for ChangePb {
    fn from(change: &Change) -> ChangePb {
        let case = match change {
            Change::Join(host, member) => ChangeCase::Join(MemberPb::new(*host, member)),
            Change::Remove(host) => ChangeCase::Remove(host.0),
            Change::Tokens(host, tokens) => ChangeCase::Tokens(TokensPb {
                host: host.0,
                tokens: tokens_to_bytes(tokens),
            }),
            Change::Replicas(replicas) => ChangeCase::Replicas(u32::from(*replicas)),
            Change::Drain(host) => ChangeCase::Drain(host.0),
            Change::EndDrain(host) => ChangeCase::EndDrain(host.0),
            Change::AcceptLoss(hosts) => ChangeCase::AcceptLoss(HostsPb {
                hosts: hosts.iter().map(|host| host.0).collect(),
            }),
            Change::Zone(host, zone) => ChangeCase::Zone(ZonePb {
                host: host.0,
                zone: zone.as_ref().map(ToString::to_string),
            }),
            Change::Weight(host, weight) => ChangeCase::Weight(WeightPb {
                host: host.0,
                weight: *weight,
            }),
        };
        ChangePb { case: Some(case) }
    }
}

pub(in crate::wire) fn read_changes(bytes: &mut Bytes) -> Result<Vec<Change>, WireError> {
    read_list(bytes, MAX_HOSTS as u64, |head: ChangePb, _| {
        match head.case {
            Some(ChangeCase::Join(member)) => {
                let (host, member) = member.read()?;
                Ok(Change::Join(host, member))
            }
            Some(ChangeCase::Remove(host)) => Ok(Change::Remove(HostId(host))),
            Some(ChangeCase::Tokens(TokensPb { host, tokens })) => {
                let host = HostId(host);
                Ok(Change::Tokens(host, tokens_from_bytes(host, &tokens)?))
            }
            Some(ChangeCase::Replicas(replicas)) => {
                let value = within("a number of copies", replicas, u64::from(u8::MAX))?;
                Ok(Change::Replicas(u8::try_from(value).unwrap_or(u8::MAX)))
            }
            Some(ChangeCase::Drain(host)) => Ok(Change::Drain(HostId(host))),
            Some(ChangeCase::EndDrain(host)) => Ok(Change::EndDrain(HostId(host))),
            Some(ChangeCase::AcceptLoss(lost)) => Ok(Change::AcceptLoss(
                lost.hosts.into_iter().map(HostId).collect(),
            )),
            Some(ChangeCase::Zone(ZonePb { host, zone })) => {
                let (host, zone) = (HostId(host), zone.map(|name| Zone::new(&name)));
                let zone = zone.transpose();
                let zone = zone.map_err(|error| RosterCodecError::Zone(host, error.to_string()))?;
                Ok(Change::Zone(host, zone))
            }
            Some(ChangeCase::Weight(WeightPb { host, weight })) => {
                Ok(Change::Weight(HostId(host), weight))
            }
            None => Err(WireError::Missing("kind of a change")),
        }
    })
}

/// So that a host with the most tokens can ask to join.
const _: () = assert!(Id::BYTES * MAX_TOKENS + 1024 < MAX_HEAD_BYTES);
