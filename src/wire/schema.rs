//! The parts of headers, as protobuf schemas, and their meaning.
//!
//! A field keeps its tag for ever. A later build may add fields, which an earlier one skips; a field that
//! is absent reads as zero or nothing.

use prost::Message;

use super::WireError;
use super::error::within;
use crate::keyspace::{Id, Span};
use crate::message::{Ballot, Peer};
use crate::placement::HostId;
use crate::record::{Cells, ExpiryCell, Stamp, Summary, Version, WallMs};

/// The latest wall time a stamp may have, in milliseconds: the year 6429. Stamps are counted on, and
/// must never overflow because of one that was received.
pub const MAX_WALL_MS: u64 = 1 << 47;

/// The greatest Paxos round: rounds are counted on.
pub const MAX_ROUND: u64 = 1 << 31;

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct IdPb {
    #[prost(fixed64, tag = "1")]
    high: u64,
    #[prost(fixed64, tag = "2")]
    middle: u64,
    #[prost(fixed32, tag = "3")]
    low: u32,
}

impl From<Id> for IdPb {
    fn from(id: Id) -> IdPb {
        let bytes = id.to_bytes();
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        let low = u32::from_be_bytes(std::array::from_fn(|i| bytes[16 + i]));
        IdPb {
            high: word(0),
            middle: word(8),
            low,
        }
    }
}

impl From<IdPb> for Id {
    fn from(read: IdPb) -> Id {
        let mut bytes = [0; Id::BYTES];
        bytes[..8].copy_from_slice(&read.high.to_be_bytes());
        bytes[8..16].copy_from_slice(&read.middle.to_be_bytes());
        bytes[16..].copy_from_slice(&read.low.to_be_bytes());
        Id::from_bytes(bytes)
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct SpanPb {
    #[prost(message, optional, tag = "1")]
    from: Option<IdPb>,
    #[prost(message, optional, tag = "2")]
    to: Option<IdPb>,
}

impl From<Span> for SpanPb {
    fn from(span: Span) -> SpanPb {
        SpanPb {
            from: Some(span.from.into()),
            to: Some(span.to.into()),
        }
    }
}

impl SpanPb {
    pub(super) fn read(self) -> Result<Span, WireError> {
        let from = self.from.ok_or(WireError::Missing("beginning of a span"))?;
        let to = self.to.ok_or(WireError::Missing("end of a span"))?;
        Ok(Span::new(from.into(), to.into()))
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct PeerPb {
    #[prost(message, optional, tag = "1")]
    id: Option<IdPb>,
    #[prost(fixed64, tag = "2")]
    host: u64,
}

impl From<Peer> for PeerPb {
    fn from(peer: Peer) -> PeerPb {
        PeerPb {
            id: Some(peer.id.into()),
            host: peer.host.0,
        }
    }
}

impl PeerPb {
    pub(super) fn read(self) -> Result<Peer, WireError> {
        let id = self.id.ok_or(WireError::Missing("id of a peer"))?;
        Ok(Peer {
            id: id.into(),
            host: HostId(self.host),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct VersionPb {
    #[prost(fixed64, tag = "1")]
    stamp: u64,
    #[prost(bool, tag = "2")]
    delete: bool,
    #[prost(fixed64, tag = "3")]
    host: u64,
    #[prost(uint32, tag = "4")]
    start: u32,
}

impl From<Version> for VersionPb {
    fn from(version: Version) -> VersionPb {
        let Version {
            stamp,
            delete,
            host,
            start,
        } = version;
        VersionPb {
            stamp: stamp.0,
            delete,
            host: host.0,
            start,
        }
    }
}

impl VersionPb {
    pub(super) fn read(self) -> Result<Version, WireError> {
        let stamp = Stamp(self.stamp);
        within("the wall time of a stamp", stamp.wall().0, MAX_WALL_MS)?;
        Ok(Version {
            stamp,
            delete: self.delete,
            host: HostId(self.host),
            start: self.start,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ExpiryPb {
    #[prost(message, optional, tag = "1")]
    of: Option<VersionPb>,
    #[prost(message, optional, tag = "2")]
    version: Option<VersionPb>,
    #[prost(uint64, optional, tag = "3")]
    deadline: Option<u64>,
}

impl From<ExpiryCell> for ExpiryPb {
    fn from(cell: ExpiryCell) -> ExpiryPb {
        let deadline = cell.deadline.map(|deadline| deadline.0);
        ExpiryPb {
            of: Some(cell.of.into()),
            version: Some(cell.version.into()),
            deadline,
        }
    }
}

impl ExpiryPb {
    pub(super) fn read(self) -> Result<ExpiryCell, WireError> {
        let of = self
            .of
            .ok_or(WireError::Missing("version an expiry is for"))?
            .read()?;
        let version = self
            .version
            .ok_or(WireError::Missing("version of an expiry"))?
            .read()?;
        Ok(ExpiryCell {
            of,
            version,
            deadline: self.deadline.map(WallMs),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct SummaryPb {
    #[prost(message, optional, tag = "1")]
    value: Option<VersionPb>,
    #[prost(message, optional, tag = "2")]
    expiry: Option<ExpiryPb>,
}

impl From<&Summary> for SummaryPb {
    fn from(summary: &Summary) -> SummaryPb {
        SummaryPb {
            value: summary.value.map(Into::into),
            expiry: summary.expiry.map(Into::into),
        }
    }
}

impl From<&Cells> for SummaryPb {
    fn from(cells: &Cells) -> SummaryPb {
        SummaryPb::from(&cells.summary())
    }
}

impl SummaryPb {
    pub(super) fn read(self) -> Result<Summary, WireError> {
        let value = self.value.map(VersionPb::read).transpose()?;
        let expiry = self.expiry.map(ExpiryPb::read).transpose()?;
        Ok(Summary { value, expiry })
    }
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct BallotPb {
    #[prost(uint32, tag = "1")]
    round: u32,
    #[prost(fixed64, tag = "2")]
    host: u64,
}

impl From<Ballot> for BallotPb {
    fn from(ballot: Ballot) -> BallotPb {
        BallotPb {
            round: ballot.round,
            host: ballot.host.0,
        }
    }
}

impl BallotPb {
    pub(super) fn read(self) -> Result<Ballot, WireError> {
        let round = within("a Paxos round", self.round, MAX_ROUND)?;
        Ok(Ballot {
            round,
            host: HostId(self.host),
        })
    }
}
