//! Which rosters may follow this one?
//!
//! A settled roster is followed by a Moving one that carries out a batch of [`Change`]s; a Moving one is
//! followed by Settled(New), or by Settled(Old) when the move is given up. There is nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    MAX_HOSTS, MAX_REPLICAS, MAX_ROSTER_BYTES, MAX_TOKENS, Membership, Notes, Phase, Roster,
};
use crate::keyspace::Id;
use crate::placement::{HostId, Member, Placement, PlacementError, Zone};

/// One wish about who is in. A batch of them is carried out in one move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Let a host in, with these tokens. Already in with the same: no change.
    Join(HostId, Member),
    /// Take a host out, with its consent or without. Not in: no change.
    Remove(HostId),
    /// Give a host these tokens instead of its present ones: how load is balanced.
    Tokens(HostId, Vec<Id>),
    /// Keep this many copies of every key.
    Replicas(u8),
    /// Take a host for one of another zone, or of none: its keys, and those of others, may have other holders then.
    Zone(HostId, Option<Zone>),
    /// Give a host another weight. No key moves by that alone: the next choosing of tokens looks at it.
    Weight(HostId, u32),
    /// This host may stop for a while. Always a batch by itself.
    Drain(HostId),
    /// It is back, or an operator says that the grant is over. Always a batch by itself.
    EndDrain(HostId),
    /// These hosts are gone for good, and what only they held with them. Always a batch by itself.
    AcceptLoss(Vec<HostId>),
}

/// Why a change cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another move is under way; wait for it or give it up.
    #[error("a move is under way: wait until it has settled, then try again")]
    Moving,
    /// The roster is settled; there is nothing to settle or to give up.
    #[error("the roster is settled: there is no move to end")]
    Settled,
    /// Nothing would change.
    #[error("nothing would change")]
    Nothing,
    /// The last host cannot go.
    #[error("the ring would be empty: the last host cannot be removed")]
    Empty,
    /// A host that is not in.
    #[error("host {0} is not in the roster")]
    Unknown(HostId),
    /// It is in with other tokens.
    #[error(
        "host {0} is in the roster already, with other tokens: remove it first, or move its tokens"
    )]
    Present(HostId),
    /// Another host holds the drain grant.
    #[error("{0} holds the drain grant: one host stops at a time; wait for it, or end its grant")]
    Drained(HostId),
    /// A quorum is left without those hosts.
    #[error(
        "nothing is lost: every span keeps a quorum without them, and so does the roster; remove them instead"
    )]
    NotLost,
    /// The roster is another one by now.
    #[error("the ring has changed meanwhile: ask again")]
    Void,
    /// Drain, its end and accepting a loss stand by themselves.
    #[error("a drain grant and an accepted loss are changes by themselves: ask for each alone")]
    Alone,
    /// R out of range.
    #[error("{0} copies are not possible: 1 to {MAX_REPLICAS}")]
    Replicas(u8),
    /// A host without a token would hold nothing.
    #[error("host {0} has no tokens: give it at least one")]
    Tokenless(HostId),
    /// More tokens than a roster may list.
    #[error("host {0} cannot have {1} tokens: at most {MAX_TOKENS}")]
    Tokens(HostId, usize),
    /// More than a roster may hold, so that nobody could read it.
    #[error(
        "the roster would be too large: at most {MAX_HOSTS} hosts and {MAX_ROSTER_BYTES} bytes; use fewer tokens"
    )]
    TooLarge,
    /// Tokens clash.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

/// R must be 1 to [`MAX_REPLICAS`].
pub(super) fn check_replicas(replicas: u8) -> Result<(), ChangeError> {
    if (1..=MAX_REPLICAS).contains(&replicas) {
        Ok(())
    } else {
        Err(ChangeError::Replicas(replicas))
    }
}

/// Every host stands somewhere.
pub(super) fn check_tokens(members: &BTreeMap<HostId, Member>) -> Result<(), ChangeError> {
    let tokenless = members.iter().find(|(_, member)| member.tokens.is_empty());
    if let Some((host, _)) = tokenless {
        return Err(ChangeError::Tokenless(*host));
    }
    if members.len() > MAX_HOSTS {
        return Err(ChangeError::TooLarge);
    }
    let crowded = members
        .iter()
        .find(|(_, member)| member.tokens.len() > MAX_TOKENS);
    crowded.map_or(Ok(()), |(host, member)| {
        Err(ChangeError::Tokens(*host, member.tokens.len()))
    })
}

/// What cannot be read back must never be agreed on: a little more than each host takes, all in all.
pub(super) fn check_size<'a>(
    members: impl Iterator<Item = (&'a HostId, &'a Member)>,
) -> Result<(), ChangeError> {
    let zone = |member: &Member| member.zone.as_ref().map_or(0, |zone| zone.as_str().len());
    let bytes: usize = members
        .map(|(_, member)| 60 + zone(member) + member.tokens.len() * Id::BYTES)
        .sum();
    if bytes + 256 > MAX_ROSTER_BYTES {
        return Err(ChangeError::TooLarge);
    }
    Ok(())
}

impl Roster {
    /// The Moving roster that carries out a batch of changes.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing is changed by asking.
    pub fn moved(&self, by: HostId, changes: &[Change]) -> Result<Roster, ChangeError> {
        if let Some(noted) = self.noted(by, changes) {
            return noted;
        }
        let Phase::Settled(old) = &self.phase else {
            return Err(ChangeError::Moving);
        };
        let mut replicas = old.replicas;
        let mut members = old.placement.members().clone();
        for change in changes {
            apply(&mut members, &mut replicas, change)?;
        }
        if members.is_empty() {
            return Err(ChangeError::Empty);
        }
        if replicas == old.replicas && members == *old.placement.members() {
            return Err(ChangeError::Nothing);
        }
        check_tokens(&members)?;
        let changed =
            |(host, member): &(&HostId, &Member)| old.placement.member(**host) != Some(*member);
        check_size(
            old.placement
                .members()
                .iter()
                .chain(members.iter().filter(changed)),
        )?;
        let placement = Placement::from_members(members)?;
        let new = Arc::new(Membership::new(replicas, placement));
        let notes = self.notes.for_hosts(|host| new.has(host));
        let phase = Phase::Moving {
            old: Arc::clone(old),
            new,
        };
        Ok(self.next(by, phase, notes))
    }

    /// The roster after this one.
    pub(super) fn next(&self, by: HostId, phase: Phase, notes: Notes) -> Roster {
        Roster {
            ring: self.ring,
            version: self.version.next(),
            by,
            phase,
            notes,
            written: super::Written::default(),
        }
    }

    /// The settled roster after this move has succeeded.
    ///
    /// # Errors
    /// [`ChangeError::Settled`] if none is under way.
    pub fn finished(&self, by: HostId) -> Result<Roster, ChangeError> {
        self.ended(by, true)
    }

    /// The settled roster after this move is given up.
    ///
    /// # Errors
    /// [`ChangeError::Settled`] if none is under way.
    pub fn given_up(&self, by: HostId) -> Result<Roster, ChangeError> {
        self.ended(by, false)
    }

    // region: ended
    fn ended(&self, by: HostId, succeeded: bool) -> Result<Roster, ChangeError> {
        let Phase::Moving { old, new } = &self.phase else {
            return Err(ChangeError::Settled);
        };
        if succeeded {
            let phase = Phase::Settled(Arc::clone(new));
            let notes = self.notes.after_move(self.version, &self.moves());
            return Ok(self.next(by, phase, notes));
        }
        let phase = Phase::Settled(Arc::clone(old));
        Ok(self.next(by, phase, self.notes.clone()))
    }
    // endregion: ended
}

fn apply(
    members: &mut BTreeMap<HostId, Member>,
    replicas: &mut u8,
    change: &Change,
) -> Result<(), ChangeError> {
    match change {
        Change::Join(host, member) => match members.get(host) {
            Some(present) if present == member => {}
            Some(_) => return Err(ChangeError::Present(*host)),
            None => {
                members.insert(*host, member.clone());
            }
        },
        Change::Remove(host) => {
            members.remove(host);
        }
        Change::Tokens(host, tokens) => {
            let member = known(members, host)?;
            member.tokens.clone_from(tokens);
            member.tokens.sort_unstable();
        }
        Change::Replicas(wanted) => {
            check_replicas(*wanted)?;
            *replicas = *wanted;
        }
        Change::Zone(host, zone) => known(members, host)?.zone.clone_from(zone),
        // A weight of 0 is refused where the members are placed.
        Change::Weight(host, weight) => known(members, host)?.weight = *weight,
        Change::Drain(_) | Change::EndDrain(_) | Change::AcceptLoss(_) => {
            return Err(ChangeError::Alone);
        }
    }
    Ok(())
}

fn known<'a>(
    members: &'a mut BTreeMap<HostId, Member>,
    host: &HostId,
) -> Result<&'a mut Member, ChangeError> {
    members.get_mut(host).ok_or(ChangeError::Unknown(*host))
}
