//! Who is in, and therefore who holds what?
//!
//! Each node follows its own links, and some suspect others wrongly. So links cannot say which three hosts
//! hold a key: two nodes may name different ones, and write past each other. Therefore the hosts agree on one value,
//! the *roster*: who is in, with which tokens, and how many copies (R) a key has. Everything about
//! placement is a pure function of it. Each change is a new version, agreed on by Paxos among the hosts
//! of the version before (see `keep::agree`), and goes through two steps:
//!
//! ```text
//! v7 Settled(h1 h2 h3)
//! v8 Moving(h1 h2 h3 -> h1 h2 h3 h4)     requests need a quorum in Old *and* in New; spans move
//! v9 Settled(h1 h2 h3 h4)                a quorum of New is complete for every span
//!    or Settled(h1 h2 h3), giving up
//! ```
//!
//! *Hold these true*: one roster per version; a version follows only its predecessor; who holds a key
//! is computed from the roster alone, never from links, routes or a failure detector.

mod change;
mod codec;
mod notes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::keyspace::{Id, Span};
use crate::placement::{HostId, Member, Piece, Placement, Token, pieces};

pub use change::{Change, ChangeError};
pub use codec::{MAX_HOSTS, MAX_ROSTER_BYTES, MAX_ROSTER_VERSION, MAX_TOKENS, RosterCodecError};
pub(crate) use codec::{MemberPb, tokens_from_bytes, tokens_to_bytes};
pub use notes::{Loss, MAX_LOSSES, Notes};

/// The greatest number of copies a ring may keep.
pub const MAX_REPLICAS: u8 = 16;

/// Which ring this is: drawn once, when it is founded, so that two rings never mix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingId(pub u64);

/// The number of a roster. 0 means *no roster*: links alone, one copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RosterVersion(pub u64);

impl RosterVersion {
    /// No roster: the ring lives by its links alone.
    pub const NONE: RosterVersion = RosterVersion(0);

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> RosterVersion {
        RosterVersion(self.0 + 1)
    }
}

impl fmt::Display for RosterVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// A set of hosts that hold all keys among them.
#[derive(Clone, Debug)]
pub struct Membership {
    /// How many copies a key has, where there are so many hosts.
    pub replicas: u8,
    /// Where everyone stands.
    pub placement: Placement,
    /// Hosts of it that an operator gave up: they take part in nothing any more. Only in an Old.
    lost: BTreeSet<HostId>,
    ring: OnceLock<Arc<[Token]>>,
}

impl PartialEq for Membership {
    fn eq(&self, other: &Membership) -> bool {
        self.replicas == other.replicas
            && self.placement == other.placement
            && self.lost == other.lost
    }
}

impl Eq for Membership {}

impl Membership {
    /// These hosts, with so many copies of each key.
    #[must_use]
    pub const fn new(replicas: u8, placement: Placement) -> Membership {
        Membership {
            replicas,
            placement,
            lost: BTreeSet::new(),
            ring: OnceLock::new(),
        }
    }

    /// All nodes in order of their ids, in one list that all who hold this membership share.
    #[must_use]
    pub fn ring(&self) -> Arc<[Token]> {
        Arc::clone(self.ring.get_or_init(|| self.placement.tokens().collect()))
    }

    /// How many replicas a key really has: R, or all hosts where they are fewer.
    #[must_use]
    pub fn r(&self) -> usize {
        usize::from(self.replicas).min(self.placement.len())
    }

    /// A majority of the replicas.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.r() / 2 + 1
    }

    /// The hosts that hold an id, the owner's first. Where a quorum of them is lost, those that are left.
    #[must_use]
    pub fn holders(&self, id: Id) -> Vec<HostId> {
        let mut all = self.placement.replicas(id, self.r());
        if self.is_short(id) {
            all.retain(|host| !self.lost.contains(host));
        }
        all
    }

    /// Whether a host is one of the [`holders`](Membership::holders) of an id.
    #[must_use]
    pub fn holds(&self, host: HostId, id: Id) -> bool {
        self.placement.is_replica(host, id, self.r())
            && !(self.lost.contains(&host) && self.is_short(id))
    }

    /// A majority of the hosts that are not lost.
    #[must_use]
    pub fn majority(&self) -> usize {
        (self.placement.len() - self.lost.len()) / 2 + 1
    }

    /// Whether this host is in.
    #[must_use]
    pub fn has(&self, host: HostId) -> bool {
        self.placement.member(host).is_some() && !self.lost.contains(&host)
    }
}

/// Settled, or on the way from one membership to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everyone is where they belong.
    Settled(Arc<Membership>),
    /// Spans are moving. Requests need a quorum in both.
    Moving {
        /// Who held the keys so far.
        old: Arc<Membership>,
        /// Who is to hold them.
        new: Arc<Membership>,
    },
}

/// The agreed value.
#[derive(Clone, Debug)]
pub struct Roster {
    /// Which ring.
    pub ring: RingId,
    /// Which version of its roster.
    pub version: RosterVersion,
    /// The host that proposed it; it drives a move to its end unless it dies.
    pub by: HostId,
    /// Settled or Moving.
    pub phase: Phase,
    /// Who may stop, what was lost.
    pub notes: Notes,
    written: Written,
}

/// The bytes of a roster once somebody asked for them: all who share a roster share them too. A copy of
/// a roster may be meant to differ, so it starts without.
#[derive(Debug, Default)]
struct Written(OnceLock<Bytes>, OnceLock<u64>);

impl Clone for Written {
    fn clone(&self) -> Written {
        Written::default()
    }
}

/// Two rosters are equal if they say the same; whether their bytes were asked for does not matter.
impl PartialEq for Roster {
    fn eq(&self, other: &Roster) -> bool {
        self.ring == other.ring
            && self.version == other.version
            && self.by == other.by
            && self.phase == other.phase
            && self.notes == other.notes
    }
}

impl Eq for Roster {}

/// The replicas a request must reach: one group, or two while moving; a quorum is needed in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Hosts, the owner's first; while moving the Old group, then the New.
    pub groups: Vec<Vec<HostId>>,
}

impl Groups {
    /// Every host in any group, once, in order of first mention.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostId> {
        let mut all = Vec::with_capacity(8);
        for host in self.groups.iter().flatten() {
            if !all.contains(host) {
                all.push(*host);
            }
        }
        all
    }

    /// Whether `said` holds in enough members of every group: `need` of a group of so many. A group of which
    /// nobody is left has nothing to say.
    pub fn reached(&self, need: impl Fn(usize) -> usize, said: impl Fn(HostId) -> bool) -> bool {
        self.groups
            .iter()
            .filter(|group| !group.is_empty())
            .all(|group| group.iter().filter(|host| said(**host)).count() >= need(group.len()))
    }
}

impl Roster {
    /// The first roster of a new ring: one host, alone.
    ///
    /// # Errors
    /// If the tokens are not valid or `replicas` is not 1 to [`MAX_REPLICAS`].
    pub fn found(
        ring: RingId,
        host: HostId,
        member: Member,
        replicas: u8,
    ) -> Result<Roster, ChangeError> {
        Roster::settled(ring, BTreeMap::from([(host, member)]), replicas)
    }

    /// A settled first roster of several hosts at once: how large rings start in the laboratory.
    ///
    /// # Errors
    /// If there is no host, two hosts share a token, or `replicas` is not 1 to [`MAX_REPLICAS`].
    pub fn settled(
        ring: RingId,
        members: BTreeMap<HostId, Member>,
        replicas: u8,
    ) -> Result<Roster, ChangeError> {
        change::check_replicas(replicas)?;
        let by = *members.keys().next().ok_or(ChangeError::Empty)?;
        change::check_tokens(&members)?;
        change::check_size(members.iter())?;
        let placement = Placement::from_members(members)?;
        let phase = Phase::Settled(Arc::new(Membership::new(replicas, placement)));
        Ok(Roster {
            ring,
            version: RosterVersion(1),
            by,
            phase,
            notes: Notes::default(),
            written: Written::default(),
        })
    }

    /// The membership requests were served by so far: Old while moving.
    #[must_use]
    pub fn old(&self) -> &Arc<Membership> {
        match &self.phase {
            Phase::Settled(membership) => membership,
            Phase::Moving { old, .. } => old,
        }
    }

    /// The membership to come: the same one when settled.
    #[must_use]
    #[expect(
        clippy::new_ret_no_self,
        reason = "Old and New are the protocol's words"
    )]
    pub fn new(&self) -> &Arc<Membership> {
        match &self.phase {
            Phase::Settled(membership) => membership,
            Phase::Moving { new, .. } => new,
        }
    }

    /// Whether spans are moving.
    #[must_use]
    pub const fn is_moving(&self) -> bool {
        matches!(self.phase, Phase::Moving { .. })
    }

    /// Every host in Old or New, in order.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostId> {
        let mut all: Vec<HostId> = self
            .old()
            .placement
            .hosts()
            .chain(self.new().placement.hosts())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether a host is in Old or New.
    #[must_use]
    pub fn has(&self, host: HostId) -> bool {
        self.old().has(host) || self.new().has(host)
    }

    // region: groups
    /// The replicas of an id, by group.
    #[must_use]
    pub fn groups(&self, id: Id) -> Groups {
        let groups = match &self.phase {
            Phase::Settled(membership) => vec![membership.holders(id)],
            Phase::Moving { old, new } => vec![old.holders(id), new.holders(id)],
        };
        Groups { groups }
    }
    // endregion: groups

    /// Whether a host is a replica of an id, in either group.
    #[must_use]
    pub fn holds(&self, host: HostId, id: Id) -> bool {
        match &self.phase {
            Phase::Settled(membership) => membership.holds(host, id),
            Phase::Moving { old, new } => old.holds(host, id) || new.holds(host, id),
        }
    }

    /// The spans whose holders differ between Old and New, with both lists. None when settled.
    #[must_use]
    pub fn moves(&self) -> Vec<Piece> {
        let Phase::Moving { old, new } = &self.phase else {
            return Vec::new();
        };
        let mut all = pieces(&old.placement, old.r(), &new.placement, new.r());
        if !old.lost.is_empty() {
            for piece in &mut all {
                piece.old = old.holders(piece.span.to);
            }
        }
        all.retain(|piece| !same_hosts(&piece.old, &piece.new));
        all
    }

    /// The spans a host is a replica of, by New.
    #[must_use]
    pub fn spans_of(&self, host: HostId) -> Vec<Span> {
        let new = self.new();
        let mut spans = Vec::new();
        for token in new.placement.tokens() {
            if new.holds(host, token.id) {
                spans.extend(new.placement.span_of(token.id));
            }
        }
        spans
    }
}

/// Whether two lists name the same hosts, in whatever order: then a quorum of one is a quorum of the
/// other, and nothing has to move.
pub(crate) fn same_hosts(a: &[HostId], b: &[HostId]) -> bool {
    a.len() == b.len() && a.iter().all(|host| b.contains(host))
}
