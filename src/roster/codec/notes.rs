//! What a roster remembers beside its hosts, as bytes: the drain grant, accepted losses, the last moves, who came when.
//!
//! ```text
//! drain h2 · losses [v5 by h1: h3] · last moves v6, v8 · h4 came in v8
//! ```

use bytes::{Buf, Bytes};
use prost::Message;

use super::{MAX_ROSTER_VERSION, RosterCodecError, RosterPb, malformed};
use crate::placement::HostId;
use crate::roster::{Loss, MAX_LOSSES, Notes, RosterVersion};

/// An accepted loss, as written.
#[derive(Clone, PartialEq, Message)]
struct LossPb {
    #[prost(uint64, tag = "1")]
    at: u64,
    #[prost(fixed64, tag = "2")]
    by: u64,
    #[prost(fixed64, repeated, tag = "3")]
    hosts: Vec<u64>,
}

pub(super) fn write_losses(losses: &[Loss]) -> Bytes {
    let mut out = Vec::new();
    for loss in losses {
        let written = LossPb {
            at: loss.at.0,
            by: loss.by.0,
            hosts: loss.hosts.iter().map(|host| host.0).collect(),
        };
        written
            .encode_length_delimited(&mut out)
            .expect("a Vec grows as needed");
    }
    out.into()
}

/// Reads notes; losses one after the other, so that too many are noticed before they take room.
pub(super) fn read_notes(read: &RosterPb) -> Result<Notes, RosterCodecError> {
    let version = |number: u64| {
        let fits = number <= MAX_ROSTER_VERSION;
        fits.then_some(RosterVersion(number))
            .ok_or(RosterCodecError::Version(number))
    };
    let mut bytes = read.losses.clone();
    let mut losses = Vec::new();
    while bytes.has_remaining() {
        let loss = LossPb::decode_length_delimited(&mut bytes).map_err(malformed)?;
        losses.push(Loss {
            at: version(loss.at)?,
            by: HostId(loss.by),
            hosts: loss.hosts.into_iter().map(HostId).collect(),
        });
        if losses.len() > MAX_LOSSES {
            return Err(RosterCodecError::Losses);
        }
    }
    if read.gainers.len() != read.gained_at.len() || !read.gainers.is_sorted_by(|a, b| a < b) {
        return Err(RosterCodecError::Gained);
    }
    let hosts = read.gainers.iter().copied().map(HostId);
    let pairs = hosts.zip(read.gained_at.iter().copied());
    let gained = pairs.map(|(host, at)| version(at).map(|at| (host, at)));
    let gained = gained.collect::<Result<_, _>>()?;
    Ok(Notes {
        drain: read.drain.map(HostId),
        losses,
        moves: [version(read.last_move_but_one)?, version(read.last_move)?],
        gained,
    })
}
