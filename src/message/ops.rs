//! What people who run a ring ask of it, and what hosts say to each other for that.
//!
//! ```text
//! client -> h1        Balance
//! h1 -> h1 h2 h3      ChoreAsk balance         every host of the roster, itself too
//! h1 <- h2            ChoreIs 3 of 8           so h2 is alive, and at it
//! h1 <- h2            ChoreIs pulled 2, pushed 5
//! h1 <- (h3)          nothing for 3 s          reported as silent; it hangs nothing
//! client <- h1        what each host said
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{Body, Key, Mark, Summary, Version, WallMs};
use crate::roster::RosterVersion;

use super::{Large, MoveProgress, Peer, Route};

/// What every host, or one, is asked to do or to tell. Asked again, it is not begun again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Tell how you are.
    Status,
    /// Compare the spans you own with their other holders, and heal what differs.
    Balance,
    /// Drop the copies that are no longer yours and that all holders have.
    Purge,
    /// Take these settings.
    Configure(Tuning),
    /// Count the keys in the spans of which you are the first replica.
    Count,
    /// Tell which writes of keys at this place wait with you for a host that missed them.
    Hints(Id),
}

/// Settings that can be changed while a host runs; a restart forgets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Bytes of keys and values a second that a host takes in while spans move; 0: as many as come.
    /// `None`: as it is.
    pub move_bytes_per_s: Option<u64>,
}

/// What a host says of its chore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Not done yet: so many of so many.
    Going(u32, u32),
    /// How it is.
    Status(Box<Status>),
    /// Its spans are compared.
    Balanced(Balanced),
    /// Its old copies are looked through.
    Purged(Purged),
    /// The settings it has now.
    Tuned(Tuning),
    /// So many keys are there.
    Counted(u64),
    /// Who waits for which write.
    Hints(Vec<(HostId, Summary)>),
    /// It does not do that; in words.
    Refused(String),
}

/// What each host said, or why it said nothing.
pub type PerHost<T> = Vec<(HostId, Result<T, String>)>;

/// What a host found when it compared the spans it owns with their other holders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balanced {
    /// How many spans.
    pub spans: u32,
    /// Records that were newer elsewhere, and are here now.
    pub pulled: u64,
    /// Records that were newer here, and are there now.
    pub pushed: u64,
    /// Records that could not be brought over, and spans that still differed after several comparisons
    /// because writes went on.
    pub differing: u64,
    /// Holders that did not answer: their copies were not compared.
    pub unreachable: Vec<HostId>,
}

/// What a host did with copies that are no longer its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Records dropped: every holder has them, or newer ones.
    pub dropped: u64,
    /// Records kept, by the reason.
    pub kept: Vec<(String, u64)>,
}

/// What a host's store keeps, and how much it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Keys that have a value here, one that has expired too until it is collected.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// The most bytes it may keep. `None`: no limit of its own; on disk the free space decides.
    pub limit: Option<u64>,
}

/// What a host knows of the ring and of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The roster it has adopted.
    pub version: RosterVersion,
    /// Whether spans are moving.
    pub moving: bool,
    /// The hosts in Old or New.
    pub hosts: Vec<HostId>,
    /// Those of them that it takes for down.
    pub down: Vec<HostId>,
    /// How many copies a key has, where there are so many hosts.
    pub replicas: u8,
    /// Spans of the ring.
    pub spans: u32,
    /// Those that have fewer complete holders, of those it takes for up, than they should.
    pub lacking: u32,
    /// Its own part in the move.
    pub progress: MoveProgress,
    /// How long its part will still take, as fast as it went so far. `None`: nothing to do, or not known yet.
    pub left: Option<Duration>,
    /// Bytes a second it takes in while spans move, at most; 0: no limit.
    pub move_bytes_per_s: u64,
    /// Hints it keeps for others.
    pub hints: u64,
    /// Records that comparing brought up since it started, here or elsewhere.
    pub repaired: u64,
    /// Requests it is coordinating.
    pub open: u64,
    /// Who may stop for a while, by the roster.
    pub drain: Option<HostId>,
    /// Whether its own store does not keep up.
    pub unwell: bool,
    /// Why a silent host stays in for now, if one is due to be removed.
    pub removal_waits: Option<String>,
    /// Deletes, and records with an expiry, in the spans of which it is the first replica, as last counted.
    pub mortal: u64,
    /// The host for which collecting what was deleted waits: it is silent, or its copies are not whole.
    pub collecting_waits_for: Option<HostId>,
    /// The least fence and the least floor of the spans it holds: how long ago, by wall time, everything was
    /// last fenced and collected. Zero: never.
    pub marks: Mark,
    /// Who sees the ring otherwise, and in what, as gossip last said.
    pub disagree: Vec<(HostId, Differs)>,
    /// Why it must not be stopped now; empty: it may be.
    pub stop_not: String,
    /// What its store keeps. `None`: it does not say, as in a laboratory.
    pub stored: Option<Stored>,
}

/// What a host tells of how it sees the ring, with each gossip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// A hash of the roster it has adopted, with its version.
    pub roster: u64,
    /// A hash of the hosts it takes for down; 0: none.
    pub routes: u64,
    /// Whether something it should hold is not whole there yet, or in doubt.
    pub late: bool,
}

/// In what another host's view differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    /// It lives by another version of the roster.
    Version(RosterVersion),
    /// It has another roster under the same version: that must never be.
    Roster,
    /// It takes other hosts for down.
    Routes,
}

/// One copy of a key, as a check found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The host that should hold it.
    pub host: HostId,
    /// How it is.
    pub state: CopyState,
    /// The versions it has.
    pub summary: Summary,
}

/// How a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// As new as the newest that answered.
    Present,
    /// Older than that.
    Stale,
    /// Nothing is there, but elsewhere something is.
    Missing,
    /// Nothing is there, nor anywhere else.
    Nothing,
    /// No answer in time.
    Silent,
}

/// Why a key is where it is, and what a get would find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The key.
    pub key: Key,
    /// Under which roster.
    pub version: RosterVersion,
    /// The first token at or after the key's id, and its host.
    pub owner: Peer,
    /// The span of that token.
    pub span: Span,
    /// Who would be asked: one group, or while moving Old and New.
    pub groups: Vec<Vec<HostId>>,
    /// How a lookup from this host went, or why nobody was found.
    pub route: Result<Route, String>,
    /// Each copy.
    pub replicas: Vec<Replica>,
    /// Writes of this key that wait anywhere for a host that missed them.
    pub hints: Vec<Hint>,
    /// Hosts that have not said which hints they keep: they are down, or were too slow.
    pub hints_unknown: Vec<HostId>,
    /// What a get with a quorum would find now.
    pub verdict: Verdict,
}

/// A write that waits for a host that missed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Who keeps it.
    pub at: HostId,
    /// For whom.
    pub host: HostId,
    /// The versions that wait.
    pub summary: Summary,
}

/// What a get would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This version wins.
    Value(Version),
    /// Absent: it was deleted at this version.
    Deleted(Version),
    /// Absent: this version's time has run out, then.
    Expired(Version, WallMs),
    /// Absent: nobody who answered has ever heard of it.
    Never,
    /// Nothing: too few answered.
    NoQuorum,
}

/// One live value on its way out of a ring or into one. Its version stays behind: it belongs to that ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Key,
    /// The value, with its content type.
    pub body: Body,
    /// From when on it is absent.
    pub deadline: Option<WallMs>,
}

/// A page of live values in the order of their ids, from zero up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportPage {
    /// The values.
    pub items: Vec<Item>,
    /// Those of more than a piece, to be read piece by piece.
    pub large: Vec<Arc<Large>>,
    /// Where the next page begins: after this key. `None`: this was the last one.
    pub next: Option<Key>,
}

/// How many keys are in the ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// So many, as far as they were counted; where a host has not said, as many as its share lets expect.
    pub keys: u64,
    /// Who has not said.
    pub silent: Vec<HostId>,
}

/// What became of the values of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Written.
    pub written: u64,
    /// Left alone, because the key was there.
    pub present: u64,
    /// Not written, because their time had run out.
    pub expired: u64,
}
