//! What a host tells of itself, as a protobuf schema.

use std::time::Duration;

use prost::Message;

use super::ProgressPb;
use super::ops::{hosts, numbers};
use super::write::short_text;
use crate::message::{Differs, MoveProgress, Status, Stored};
use crate::placement::HostId;
use crate::record::{Mark, Stamp};
use crate::roster::RosterVersion;
use crate::wire::WireError;
use crate::wire::error::within;

/// The longest time a report may speak of: a hundred years, in milliseconds.
const MAX_LEFT_MS: u64 = 3_155_760_000_000;

#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusPb {
    #[prost(uint64, tag = "1")]
    version: u64,
    #[prost(bool, tag = "2")]
    moving: bool,
    #[prost(fixed64, repeated, tag = "3")]
    hosts: Vec<u64>,
    #[prost(fixed64, repeated, tag = "4")]
    down: Vec<u64>,
    #[prost(uint32, tag = "5")]
    replicas: u32,
    #[prost(uint32, tag = "6")]
    spans: u32,
    #[prost(uint32, tag = "7")]
    lacking: u32,
    #[prost(message, optional, tag = "8")]
    progress: Option<ProgressPb>,
    #[prost(uint64, optional, tag = "9")]
    left_ms: Option<u64>,
    #[prost(uint64, tag = "10")]
    move_bytes_per_s: u64,
    #[prost(uint64, tag = "11")]
    hints: u64,
    #[prost(uint64, tag = "12")]
    repaired: u64,
    #[prost(uint64, tag = "13")]
    open: u64,
    #[prost(message, repeated, tag = "14")]
    disagree: Vec<DiffersPb>,
    #[prost(string, tag = "15")]
    stop_not: String,
    #[prost(fixed64, optional, tag = "16")]
    drain: Option<u64>,
    #[prost(bool, tag = "17")]
    unwell: bool,
    #[prost(string, optional, tag = "18")]
    removal_waits: Option<String>,
    #[prost(uint64, tag = "19")]
    mortal: u64,
    #[prost(fixed64, optional, tag = "20")]
    collecting_waits_for: Option<u64>,
    #[prost(uint64, tag = "21")]
    fence: u64,
    #[prost(uint64, tag = "22")]
    floor: u64,
    #[prost(message, optional, tag = "23")]
    stored: Option<StoredPb>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredPb {
    #[prost(uint64, tag = "1")]
    keys: u64,
    #[prost(uint64, tag = "2")]
    bytes: u64,
    #[prost(uint64, optional, tag = "3")]
    limit: Option<u64>,
}

impl From<&Stored> for StoredPb {
    fn from(stored: &Stored) -> StoredPb {
        StoredPb {
            keys: stored.keys,
            bytes: stored.bytes,
            limit: stored.limit,
        }
    }
}

impl From<StoredPb> for Stored {
    fn from(read: StoredPb) -> Stored {
        Stored {
            keys: read.keys,
            bytes: read.bytes,
            limit: read.limit,
        }
    }
}

/// With a version: it lives by that one. Else by the code: 1 another roster, 2 other routes.
#[derive(Clone, Copy, PartialEq, Message)]
struct DiffersPb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    #[prost(uint64, optional, tag = "2")]
    version: Option<u64>,
    #[prost(uint32, tag = "3")]
    code: u32,
}

impl From<&Status> for StatusPb {
    fn from(status: &Status) -> StatusPb {
        let left = status.left.map(|left| left.as_millis());
        StatusPb {
            version: status.version.0,
            moving: status.moving,
            hosts: numbers(&status.hosts),
            down: numbers(&status.down),
            replicas: status.replicas.into(),
            spans: status.spans,
            lacking: status.lacking,
            progress: Some((&status.progress).into()),
            left_ms: left.map(|ms| u64::try_from(ms).unwrap_or(MAX_LEFT_MS).min(MAX_LEFT_MS)),
            move_bytes_per_s: status.move_bytes_per_s,
            hints: status.hints,
            repaired: status.repaired,
            open: status.open,
            disagree: status.disagree.iter().map(DiffersPb::from).collect(),
            stop_not: short_text(&status.stop_not),
            drain: status.drain.map(|host| host.0),
            unwell: status.unwell,
            removal_waits: status.removal_waits.as_deref().map(short_text),
            mortal: status.mortal,
            collecting_waits_for: status.collecting_waits_for.map(|host| host.0),
            fence: status.marks.fence.0,
            floor: status.marks.floor.0,
            stored: status.stored.as_ref().map(StoredPb::from),
        }
    }
}

impl StatusPb {
    pub(super) fn read(self) -> Result<Status, WireError> {
        let left = self
            .left_ms
            .map(|ms| within("a time left", ms, MAX_LEFT_MS));
        let disagree = self.disagree.into_iter().map(DiffersPb::read);
        Ok(Status {
            version: RosterVersion(self.version),
            moving: self.moving,
            hosts: hosts(&self.hosts)?,
            down: hosts(&self.down)?,
            replicas: u8::try_from(self.replicas).unwrap_or(u8::MAX),
            spans: self.spans,
            lacking: self.lacking,
            progress: self.progress.map(MoveProgress::from).unwrap_or_default(),
            left: left.transpose()?.map(Duration::from_millis),
            move_bytes_per_s: self.move_bytes_per_s,
            hints: self.hints,
            repaired: self.repaired,
            open: self.open,
            disagree: disagree.collect::<Result<_, _>>()?,
            stop_not: self.stop_not,
            drain: self.drain.map(HostId),
            unwell: self.unwell,
            removal_waits: self.removal_waits,
            mortal: self.mortal,
            collecting_waits_for: self.collecting_waits_for.map(HostId),
            marks: Mark {
                fence: Stamp(self.fence),
                floor: Stamp(self.floor),
            },
            stored: self.stored.map(Stored::from),
        })
    }
}

impl From<&(HostId, Differs)> for DiffersPb {
    fn from((host, differs): &(HostId, Differs)) -> DiffersPb {
        let (version, code) = match differs {
            Differs::Version(version) => (Some(version.0), 0),
            Differs::Roster => (None, 1),
            Differs::Routes => (None, 2),
        };
        DiffersPb {
            host: host.0,
            version,
            code,
        }
    }
}

impl DiffersPb {
    fn read(self) -> Result<(HostId, Differs), WireError> {
        let differs = match (self.version, self.code) {
            (Some(version), _) => Differs::Version(RosterVersion(version)),
            (None, 1) => Differs::Roster,
            (None, 2) => Differs::Routes,
            (None, _) => return Err(WireError::Missing("in what a host differs")),
        };
        Ok((HostId(self.host), differs))
    }
}

impl From<ProgressPb> for MoveProgress {
    fn from(read: ProgressPb) -> MoveProgress {
        MoveProgress {
            pieces: read.pieces,
            complete: read.complete,
            records: read.records,
            bytes: read.bytes,
            waiting_for: read.waiting_for.map(HostId),
            full: read.full,
        }
    }
}
