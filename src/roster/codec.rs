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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use prost::Message;

use super::{
    Loss, MAX_LOSSES, MAX_REPLICAS, Membership, Notes, Phase, RingId, Roster, RosterVersion,
};
use crate::keyspace::{Id, Short};
use crate::placement::{HostId, Member, Placement, PlacementError, Zone};

/// The largest encoded roster, in bytes: 10,000 hosts of 16 tokens take some 3.5 MB.
pub const MAX_ROSTER_BYTES: usize = 8 * 1024 * 1024;

/// The greatest version of a roster: versions are counted on, and must not overflow.
pub const MAX_ROSTER_VERSION: u64 = 1 << 62;

/// Hosts a roster may have.
pub const MAX_HOSTS: usize = 16 * 1024;

/// Tokens one host may have.
pub const MAX_TOKENS: usize = 4 * 1024;

/// Why some bytes are not a roster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterCodecError {
    /// Not the schema at all: cut short, garbled or of another kind.
    #[error("these bytes are not a roster: {0}")]
    Malformed(String),
    /// More than [`MAX_ROSTER_BYTES`].
    #[error("a roster of {0} bytes is too large: at most {MAX_ROSTER_BYTES}")]
    TooLarge(usize),
    /// More than [`MAX_HOSTS`].
    #[error("a roster has at most {MAX_HOSTS} hosts")]
    TooManyHosts,
    /// None, more than [`MAX_TOKENS`], or a piece of one.
    #[error("host {0} has {1} bytes of tokens: they are 20 bytes each, 1 to {MAX_TOKENS} of them")]
    Tokens(HostId, usize),
    /// A version 0, which stands for no roster, or one beyond [`MAX_ROSTER_VERSION`].
    #[error("{0} is not the version of a roster: 1 to {MAX_ROSTER_VERSION}")]
    Version(u64),
    /// No host at all.
    #[error("a roster needs at least one host")]
    NoHosts,
    /// R out of range.
    #[error("a roster keeps 1 to {MAX_REPLICAS} copies, not {0}")]
    Replicas(u32),
    /// A change to a host that is not in Old.
    #[error("the new roster drops host {0}, which is not in the old one")]
    Unknown(HostId),
    /// More accepted losses than a roster remembers.
    #[error("a roster remembers at most {MAX_LOSSES} accepted losses")]
    Losses,
    /// Hosts that came to spans, and when, do not pair up.
    #[error("of the hosts that came to a span each has one version, and they are in order")]
    Gained,
    /// A zone's name.
    #[error("host {0}: its zone is not a name: {1}")]
    Zone(HostId, String),
    /// Tokens clash, or a host is listed twice or without weight.
    #[error("the hosts do not fit together: {0}")]
    Placement(#[from] PlacementError),
}

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
    /// Accepted losses: [`LossPb`]s, each after its length.
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

/// One host, as written. The wire uses it too, where a host asks to join.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MemberPb {
    #[prost(fixed64, tag = "1")]
    host: u64,
    #[prost(string, optional, tag = "2")]
    zone: Option<String>,
    #[prost(uint32, tag = "3")]
    weight: u32,
    /// 20 bytes each, in order.
    #[prost(bytes = "bytes", tag = "4")]
    tokens: Bytes,
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

type Members = BTreeMap<HostId, Member>;

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

fn write_members<'a>(members: impl IntoIterator<Item = (&'a HostId, &'a Member)>) -> Bytes {
    let mut out = Vec::new();
    for (host, member) in members {
        let written = MemberPb::new(*host, member);
        written
            .encode_length_delimited(&mut out)
            .expect("a Vec grows as needed");
    }
    out.into()
}

/// Reads hosts one after the other, so that too many are noticed before they take room.
fn read_members(
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

fn write_losses(losses: &[Loss]) -> Bytes {
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

/// Reads losses one after the other, so that too many are noticed before they take room.
fn read_notes(read: &RosterPb) -> Result<Notes, RosterCodecError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Change;
    use proptest::prelude::*;

    fn member() -> impl Strategy<Value = (HostId, Member)> {
        let zone = prop::option::of("[a-z]{1,5}".prop_map(|name| Zone::new(&name).unwrap()));
        let tokens = prop::collection::btree_set(any::<[u8; 20]>().prop_map(Id::from_bytes), 1..5);
        (any::<u64>(), zone, 1u32..9, tokens).prop_map(|(host, zone, weight, tokens)| {
            (
                HostId(host),
                Member {
                    zone,
                    weight,
                    tokens: tokens.into_iter().collect(),
                },
            )
        })
    }

    prop_compose! {
        fn roster()(
            members in prop::collection::btree_map(any::<u64>(), member(), 1..6),
            ring in any::<u64>(), version in 1..MAX_ROSTER_VERSION, by in any::<u64>(), replicas in 1..=MAX_REPLICAS,
            joiner in prop::option::of(member()), gone in any::<prop::sample::Index>(), r in 1..=MAX_REPLICAS,
        ) -> Roster {
            let members: Members = members.into_values().collect();
            let leaver = *members.keys().nth(gone.index(members.len())).unwrap();
            let settled = Roster::settled(RingId(ring), members, replicas).unwrap();
            let settled = Roster { version: RosterVersion(version), by: HostId(by), ..settled };
            let Some((host, member)) = joiner else { return settled };
            let changes = [Change::Join(host, member), Change::Remove(leaver), Change::Replicas(r)];
            let before = Roster { version: RosterVersion(version - 1), ..settled.clone() };
            before.moved(HostId(by), &changes).unwrap_or(settled)
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(roster in roster()) {
            let bytes = roster.encode();
            let read = Roster::decode(&bytes);
            prop_assert_eq!(read.as_ref(), Ok(&roster));
            prop_assert_eq!(read.unwrap().encode(), bytes, "equal rosters have equal bytes");
        }

        #[test]
        fn damaged_bytes_are_an_error_or_a_sound_roster(
            roster in roster(), at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = roster.encode().to_vec();
            let cut = cut.index(bytes.len());
            let place = at.index(bytes.len());
            let _ = Roster::decode(&bytes[..cut]);
            bytes[place] ^= flip;
            if let Ok(read) = Roster::decode(&bytes) {
                prop_assert_eq!(Roster::decode(&read.encode()), Ok(read));
            }
        }

        #[test]
        fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Roster::decode(&bytes);
        }
    }

    fn written(change: impl FnOnce(&mut RosterPb)) -> Result<Roster, RosterCodecError> {
        let member = Member::new([Id::from_u64(7)]);
        let members = write_members([(&HostId(1), &member)]);
        let mut roster = RosterPb {
            ring: 1,
            version: 2,
            by: 1,
            replicas: 3,
            members,
            new: None,
            ..RosterPb::default()
        };
        change(&mut roster);
        Roster::decode(&roster.encode_to_vec())
    }

    #[test]
    fn everything_is_checked() {
        use RosterCodecError as E;
        let at_seven = Member::new([Id::from_u64(7)]);
        let delta = |gone, come| {
            Some(DeltaPb {
                replicas: 1,
                gone,
                come,
            })
        };
        assert!(written(|_| ()).is_ok());
        assert_eq!(written(|r| r.version = 0), Err(E::Version(0)));
        assert_eq!(written(|r| r.replicas = 0), Err(E::Replicas(0)));
        assert_eq!(written(|r| r.replicas = 257), Err(E::Replicas(257)));
        assert_eq!(written(|r| r.members = Bytes::new()), Err(E::NoHosts));
        assert_eq!(
            written(|r| r.new = delta(vec![1], Bytes::new())),
            Err(E::NoHosts)
        );
        assert_eq!(
            written(|r| r.new = delta(vec![2], Bytes::new())),
            Err(E::Unknown(HostId(2)))
        );
        let twice = write_members([(&HostId(1), &at_seven), (&HostId(1), &at_seven)]);
        assert_eq!(
            written(|r| r.members = twice),
            Err(PlacementError::ListedTwice(HostId(1)).into())
        );
        let clash = write_members([(&HostId(1), &at_seven), (&HostId(2), &at_seven)]);
        assert!(matches!(
            written(|r| r.members = clash),
            Err(E::Placement(_))
        ));
        let light = write_members([(&HostId(1), &at_seven.weighing(0))]);
        assert!(matches!(
            written(|r| r.members = light),
            Err(E::Placement(_))
        ));
        assert_eq!(
            Roster::decode(&vec![0; MAX_ROSTER_BYTES + 1]),
            Err(E::TooLarge(MAX_ROSTER_BYTES + 1))
        );
    }

    #[test]
    fn tokens_and_zones_are_checked() {
        use RosterCodecError as E;
        let one = |tokens: usize, zone: Option<&str>| {
            let zone = zone.map(str::to_owned);
            let host = MemberPb {
                host: 1,
                zone,
                weight: 1,
                tokens: vec![0; tokens].into(),
            };
            written(|r| r.members = host.encode_length_delimited_to_vec().into())
        };
        assert_eq!(one(0, None), Err(E::Tokens(HostId(1), 0)));
        assert_eq!(one(21, None), Err(E::Tokens(HostId(1), 21)));
        let many = (MAX_TOKENS + 1) * Id::BYTES;
        assert_eq!(one(many, None), Err(E::Tokens(HostId(1), many)));
        assert!(matches!(one(20, Some("a b")), Err(E::Zone(HostId(1), _))));
        assert!(one(20, Some("ab")).is_ok());
    }

    #[test]
    fn a_roster_of_ten_thousand_hosts_fits() {
        let host = |n: u64| {
            (
                HostId(n),
                Member::new((0..16).map(|i| Id::of(format!("{n}#{i}").as_bytes()))),
            )
        };
        let roster = Roster::settled(RingId(1), (1..=10_000).map(host).collect(), 3).unwrap();
        let bytes = roster.encode();
        assert!(bytes.len() < MAX_ROSTER_BYTES / 2, "{} bytes", bytes.len());
        assert_eq!(Roster::decode(&bytes), Ok(roster));
    }
}
