//! A request that is being coordinated: what it wants, whom it asked, what they said.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::keyspace::Id;
use crate::message::{Consistency, KeyOp, ReqId, Ticket, UploadId};
use crate::placement::HostId;
use crate::record::{Cells, Key, Mark, Record, Summary, Time, Version};
use crate::roster::{Groups, RosterVersion};

/// Who is told the result of a request about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client's request for one key.
    One(Ticket),
    /// A client's request for a value under its content key.
    Content(Ticket),
    /// One of many keys: its place in the list.
    Many(Ticket, usize),
    /// A page of an export: the key's id.
    Export(ReqId, Id),
    /// A page of an import: the value's number.
    Import(ReqId, u64),
    /// A client's upload that has ended.
    Upload(Ticket, UploadId),
}

/// Where a request stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Asking what the replicas hold: the first half of a put, all of most gets.
    Ask {
        /// What each said.
        said: Vec<(HostId, Summary)>,
        /// The greatest cells received so far.
        cells: Cells,
    },
    /// A get found a large value: its pieces are fetched from one of those that hold it.
    Fetch {
        /// What each said.
        said: Vec<(HostId, Summary)>,
        /// The newest cells, with the pieces fetched so far.
        cells: Cells,
        /// How many sources have failed us.
        passed: usize,
    },
    /// Writing: a put, a delete, an expiry, or what a read writes back before it answers.
    Write {
        /// What is written, whole.
        record: Record,
        /// Whether a read writes back.
        back: bool,
        /// Who confirmed it.
        acked: Vec<HostId>,
        /// Whose store refused, and why.
        refused: Vec<(HostId, String)>,
        /// Whether it may be stored somewhere although nobody confirms it now: it was sent under an earlier
        /// roster, or lies below a fence, where it may have been stored and collected.
        unsure: bool,
    },
}

impl Phase {
    /// The beginning.
    pub(super) fn ask() -> Phase {
        Phase::Ask {
            said: Vec::new(),
            cells: Cells::default(),
        }
    }
}

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// Nobody, once the client has its answer and only slow replicas are waited for.
    pub(super) caller: Option<Caller>,
    pub(super) key: Key,
    pub(super) op: KeyOp,
    pub(super) consistency: Consistency,
    /// Only the first so many replicas of each group take part.
    pub(super) copies: Option<u8>,
    /// Without a roster: the host whose node owns the key, by the links.
    pub(super) linked: Option<HostId>,
    /// Under which roster it is asked now.
    pub(super) at: RosterVersion,
    /// Who was not asked yet, for others may do.
    pub(super) spared: Vec<HostId>,
    /// Who refused it because it lived by an earlier roster, and is asked again as soon as it has this one.
    pub(super) behind: Vec<HostId>,
    /// Whom it concerns.
    pub(super) groups: Groups,
    pub(super) deadline: Time,
    /// How long it may take; while a large value is pulled, from each piece to the next.
    pub(super) patience: Duration,
    /// When the present question was first put.
    pub(super) asked: Time,
    /// How often it was asked again.
    pub(super) tries: u32,
    pub(super) phase: Phase,
    /// Whether the key was there before: what a delete reports.
    pub(super) existed: bool,
    /// The greatest fence and floor that were told with the answers.
    pub(super) mark: Mark,
    /// The pieces of its value are not in it, but put by in our store.
    pub(super) upload: Option<UploadId>,
    /// What a read brings to others is not in it, but with these.
    pub(super) sources: Vec<HostId>,
    /// Which piece was last asked for by whom, of what a read brings to others.
    pub(super) relayed: Option<(HostId, u32)>,
    /// How many pieces each has asked for.
    pub(super) pulled: Vec<(HostId, u32)>,
}

impl Open {
    /// A request that has just begun: what it wants, how, and until when.
    pub(super) fn new(
        (caller, key, op): (Caller, Key, KeyOp),
        (consistency, copies): (Consistency, Option<u8>),
        (asked, patience): (Time, Duration),
    ) -> Open {
        Open {
            caller: Some(caller),
            key,
            op,
            consistency,
            copies,
            linked: None,
            at: RosterVersion::NONE,
            spared: Vec::new(),
            behind: Vec::new(),
            groups: Groups { groups: Vec::new() },
            deadline: asked + patience,
            patience,
            asked,
            tries: 0,
            phase: Phase::ask(),
            existed: false,
            mark: Mark::NONE,
            upload: None,
            sources: Vec::new(),
            relayed: None,
            pulled: Vec::new(),
        }
    }

    /// Whether enough members of every group are in `hosts`.
    pub(super) fn enough(&self, said: impl Fn(HostId) -> bool) -> bool {
        self.groups
            .reached(|group| quorum(self.consistency, group), said)
    }

    /// Whether a group that this host is in has not enough members in `hosts` yet.
    pub(super) fn lacks(&self, host: HostId, said: impl Fn(HostId) -> bool) -> bool {
        self.groups.groups.iter().any(|group| {
            let there = group.iter().filter(|other| said(**other)).count();
            group.contains(&host) && there < quorum(self.consistency, group.len())
        })
    }

    /// Whether it writes that version now.
    pub(super) fn writes(&self, version: Version) -> bool {
        let Phase::Write { record, .. } = &self.phase else {
            return false;
        };
        record.cells.summary().value == Some(version)
    }

    /// Whether it writes a value that is not in it.
    pub(super) fn is_bare(&self) -> bool {
        matches!(&self.phase, Phase::Write { record, .. } if !record.cells.is_whole())
    }

    /// Whether a read wants the value itself from some replica.
    pub(super) const fn reads(&self) -> bool {
        matches!(
            self.op,
            KeyOp::Get | KeyOp::Open | KeyOp::Has | KeyOp::Ttl | KeyOp::Expire(_)
        )
    }

    /// The replicas that have not answered the present question.
    pub(super) fn silent(&self) -> Vec<HostId> {
        let mut hosts = self.groups.hosts();
        match &self.phase {
            Phase::Ask { said, .. } => {
                hosts.retain(|host| !said.iter().any(|(other, _)| other == host))
            }
            Phase::Fetch { .. } => hosts.clear(),
            Phase::Write { acked, refused, .. } => hosts.retain(|host| {
                !acked.contains(host) && !refused.iter().any(|(other, _)| other == host)
            }),
        }
        hosts
    }

    /// Those of them that were asked.
    pub(super) fn awaited(&self) -> Vec<HostId> {
        let mut hosts = self.silent();
        hosts.retain(|host| !self.spared.contains(host));
        hosts
    }

    /// How many hosts answered the present question, and how many are needed in the largest group.
    pub(super) fn tally(&self) -> (usize, usize) {
        let needed = self
            .groups
            .groups
            .iter()
            .map(|group| quorum(self.consistency, group.len()))
            .max()
            .unwrap_or(0);
        let answered = match &self.phase {
            Phase::Ask { said, .. } | Phase::Fetch { said, .. } => said.len(),
            Phase::Write { acked, .. } => acked.len(),
        };
        (answered, needed)
    }
}

/// The requests under way.
pub(super) type Opens = Table<Open>;

/// Requests in order of their questions. Most are closed a moment later, so they lie in a short array, not in a tree;
/// each in a box whose memory goes from one request to the next and stays warm.
#[derive(Debug)]
pub(super) struct Table<T>(VecDeque<(ReqId, Box<T>)>);

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table(VecDeque::new())
    }
}

impl<T> Table<T> {
    /// Where a question is, or belongs. If none between the first one and it is closed, it lies as far from the
    /// first as their numbers say.
    fn place(&self, req: ReqId) -> Result<usize, usize> {
        let first = self.0.front().map_or(req, |(first, _)| *first);
        let guess = usize::try_from(req.0.wrapping_sub(first.0)).unwrap_or(usize::MAX);
        if self.0.get(guess).is_some_and(|(here, _)| *here == req) {
            return Ok(guess);
        }
        self.0.binary_search_by_key(&req, |(req, _)| *req)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, req: &ReqId) -> Option<&T> {
        let place = self.place(*req).ok()?;
        Some(&self.0[place].1)
    }

    pub(super) fn get_mut(&mut self, req: &ReqId) -> Option<&mut T> {
        let place = self.place(*req).ok()?;
        Some(&mut self.0[place].1)
    }

    /// A new one goes to the end: questions are numbered upwards.
    pub(super) fn insert(&mut self, req: ReqId, open: T) {
        if self.0.back().is_none_or(|(last, _)| *last < req) {
            return self.0.push_back((req, Box::new(open)));
        }
        match self.place(req) {
            Ok(place) => *self.0[place].1 = open,
            Err(place) => self.0.insert(place, (req, Box::new(open))),
        }
    }

    /// The old ones, which mostly go first, leave without moving the others.
    pub(super) fn remove(&mut self, req: &ReqId) -> Option<Box<T>> {
        let place = self.place(*req).ok()?;
        self.0.remove(place).map(|(_, open)| open)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ReqId, &T)> {
        self.0.iter().map(|(req, open)| (*req, open.as_ref()))
    }
}

// region: quorum
/// How many of a group of so many must agree.
pub(super) const fn quorum(consistency: Consistency, group: usize) -> usize {
    match consistency {
        Consistency::One => 1,
        Consistency::Quorum => group / 2 + 1,
        Consistency::All => group,
    }
}
// endregion: quorum

/// The greatest cell of everything that was said.
pub(super) fn greatest(said: &[(HostId, Summary)]) -> Summary {
    let mut all = Summary::default();
    for (_, summary) in said {
        all.merge(*summary);
    }
    all
}

/// Adds a piece to a body that is being fetched; whether it fitted in its place.
pub(super) fn add_piece(cells: &mut Cells, index: u32, bytes: Bytes) -> bool {
    let Some(body) = cells.value.as_mut().and_then(|cell| cell.body.as_mut()) else {
        return false;
    };
    let fits = body.pieces.len() as u64 == u64::from(index)
        && bytes.len() as u64 == body.piece_len(u64::from(index));
    if fits {
        body.pieces.push(bytes);
    }
    fits
}
