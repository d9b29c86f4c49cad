//! How is a key kept: on which hosts, in which version, whatever fails?
//!
//! Finding asks the ring; keeping asks the roster. The roster says who holds a key, and everything here
//! follows from it:
//!
//! ```text
//! begin, coordinate    a request becomes questions to the replicas; a quorum answers it (`question`: who is asked)
//! read, stamp          the second half of a get, and of a put; own: both, where nobody else is to be asked
//! hints                a write that a replica missed waits for it
//! replicate            what a replica does when asked
//! pieces, give         large values are pulled by who receives them, and given piece by piece
//! upload, download     large values from and to a client, piece by piece; fetch: one that is wanted whole
//! wish, agree, accept  the next roster is chosen by Paxos among the hosts of this one
//! adopt, life          what is chosen or stamped is made durable first
//! away                 who was away is told the roster, and asked again, once
//! join, drift          a host comes in; whether its clock may stamp
//! plan, task, progress  a roster is adopted: what this host has to merge now, from whom, and how far it is
//! moving, chunk, resume spans are merged from a quorum of Old by their new replicas, and go on after a crash
//! doubt, head           a store that may have lost writes; records from before, out of sight until confirmed
//! drive                somebody sees to it that a move ends
//! suspect, drain       who was silent for long goes; who may stop for a while, and who is lost for good
//! health               whether the own store keeps up
//! repair, heal         replicas compare their spans by digests and heal what differs (`compare` answers)
//! collect, marks       what was deleted is dropped everywhere, and nothing older comes in (`round` answers)
//! check                whether all of this keeps its own rules
//! ops                  what people who run a ring ask of it
//! ```
//!
//! A put by h1 on a ring whose replicas for the key are h2, h3 and h4:
//!
//! ```text
//! h1 -> h2 h3 h4   Ask versions            the greatest of a quorum's answers is 6
//! h1               stamps 7, once
//! h1 -> h2 h3 h4   Write 7                 two confirm: the put is acknowledged
//! h1               keeps a hint for h4     which did not answer
//! ```
//!
//! *Hold these true*: an acknowledged write is on a quorum of stores of one roster version (of Old and
//! of New while moving); a version is stamped once and never again for the same request; a replica
//! serves only the roster version it has durably adopted; no copy goes before its replacement is known
//! to be there.
//!
//! This part knows nothing of hops, links or sockets.

mod accept;
mod adopt;
mod agree;
mod away;
mod begin;
mod check;
mod chunk;
mod closed;
mod collect;
mod compare;
mod config;
mod coordinate;
mod dispatch;
mod doubt;
mod download;
mod drain;
mod drift;
mod drive;
mod fetch;
mod give;
mod head;
mod heal;
mod health;
mod hints;
mod join;
mod learned;
mod life;
mod marks;
mod moving;
mod open;
mod ops;
mod outcome;
mod own;
mod pieces;
mod plan;
mod progress;
mod question;
mod read;
mod repair;
mod replicate;
mod resume;
mod round;
mod stamp;
mod suspect;
mod task;
mod then;
mod timers;
mod upload;
#[cfg(test)]
mod wanted;
mod wish;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::keyspace::Span;
use crate::message::{Effects, Envelope, Event, KeepMessage, Message, Reply, ReqId, Ticket};
use crate::placement::HostId;
use crate::record::{Clock, Marks, Now, Stamp, Time};
use crate::roster::{Roster, RosterVersion};
use crate::store::{Done, Op, Setting};

use adopt::Adopting;
use agree::Agree;
use away::Away;
use collect::Collect;
use doubt::Unfinished;
use download::Downloads;
use drain::Draining;
use drift::Drift;
use drive::Drive;
use health::Health;
use hints::Hints;
use join::Joining;
use learned::Learned;
use life::Life;
use open::Opens;
use ops::Ops;
use own::Owns;
use suspect::Suspect;
use task::Mover;
use upload::Uploads;

use pieces::Pulls;
use repair::Repair;
use resume::MoveNote;
use then::Next;
use timers::Timers;

pub use config::KeepConfig;
pub use join::Entry;
pub use learned::marks_on_disk;
pub use life::reserved_until;
pub use open::Caller;
pub use then::Then;

/// So many operations of a store are gone on with in the call that asked for them: a request, or the answer to one, needs
/// one or two. Whoever asks for thousands, one after the other, leaves room for others.
const AT_ONCE: usize = 8;

/// The driver's effects, and the time of the call they belong to.
pub struct Context<'a> {
    /// Both clocks, as the driver has them.
    pub now: Now,
    /// The world.
    pub fx: &'a mut dyn Effects<Then>,
}

/// What one host needs to keep its part of the keys: its roster, the requests it coordinates, its hints, its
/// share in a move. It does nothing by itself: each call tells it what happened, and what it wants done
/// goes to the [`Effects`] of that call.
pub struct Keeper {
    me: HostId,
    /// How often this host was started; 0 until that is on disk.
    start: u32,
    /// The start number that is on its way to the disk.
    starting: u32,
    next_req: u32,
    /// The roster it lives by.
    roster: Option<Arc<Roster>>,
    adopting: Option<Adopting>,
    timers: Timers,
    /// The requests under way.
    open: Opens,
    /// Those that only the own store can answer.
    own: Owns,
    clock: Clock,
    /// The stamp whose reservation is on its way to the disk.
    reserving: Option<Stamp>,
    /// Requests that wait until the host has a life, or a stamp is reserved.
    stalled: VecDeque<ReqId>,
    /// Messages to ourselves: handled before the call returns.
    loopback: VecDeque<KeepMessage>,
    /// How many operations the store has done at once in this call.
    at_once: usize,
    /// Hosts reported down, and since when.
    down: BTreeMap<HostId, Time>,
    /// Whether the stores keep up, ours and others'.
    health: Health,
    /// Requests by links alone whose owner has moved: to be looked up again.
    relocate: Vec<ReqId>,
    /// Spans that links alone have brought here, whole.
    received: Vec<Span>,
    /// Spans that are being handed over by links alone, and until when writes to them are refused.
    giving: Vec<(Span, Time)>,
    many: BTreeMap<Ticket, outcome::Many>,
    /// Messages that came while a roster was being adopted.
    parked: Vec<(HostId, KeepMessage)>,
    drift: Drift,
    /// Whether spans of ours may still lack what others hold, and whether they can be believed: on disk, too.
    unfinished: Unfinished,
    /// A store that may have lost writes is compared with the others no sooner.
    merges_from: Time,
    /// Its fences and floors: on disk, or on their way there.
    marks: Marks,
    /// Whose they are, of those it comes to a span from.
    learned: Box<Learned>,

    // What few messages are about lies elsewhere, so that the rest is together: a large ring has thousands
    // of keepers, and each message finds another one cold.
    config: Box<KeepConfig>,
    rng: Box<ChaCha8Rng>,
    joining: Option<Box<Joining>>,
    agree: Box<Agree>,
    drive: Box<Drive>,
    mover: Box<Mover>,
    pulls: Box<Pulls>,
    uploads: Box<Uploads>,
    downloads: Box<Downloads>,
    hints: Box<Hints>,
    away: Box<Away>,
    suspect: Box<Suspect>,
    draining: Option<Draining>,
    collect: Box<Collect>,
    repair: Box<Repair>,
    ops: Box<Ops>,
    /// How far an earlier life was with a move, until it is taken up.
    noted: Box<MoveNote>,
}

impl Keeper {
    /// The keeper of a host, with what its store held when it was opened.
    pub fn new(
        me: HostId,
        config: KeepConfig,
        seed: u64,
        settings: &dyn Fn(Setting) -> Option<Bytes>,
    ) -> Keeper {
        let life = settings(Setting::Life).and_then(|bytes| Life::decode(&bytes));
        let life = life.unwrap_or_default();
        let roster = settings(Setting::Roster).and_then(|bytes| Roster::decode(&bytes).ok());
        let marks = settings(Setting::Marks).and_then(|said| Learned::decode(&said));
        let (learned, marks) = marks.unwrap_or_default();
        Keeper {
            me,
            config: Box::new(config),
            rng: Box::new(ChaCha8Rng::seed_from_u64(seed)),
            timers: Timers::default(),
            start: 0,
            starting: life.start + 1,
            clock: Clock::new(life.reserved),
            reserving: None,
            next_req: 0,
            roster: roster.map(Arc::new),
            adopting: None,
            joining: None,
            agree: Box::new(Agree::new(settings(Setting::Acceptor).as_deref())),
            drive: Box::default(),
            away: Box::default(),
            mover: Box::default(),
            unfinished: Unfinished::decode(settings(Setting::Move).as_deref()),
            merges_from: Time::ZERO,
            noted: Box::new(MoveNote::decode(settings(Setting::Places).as_deref())),
            marks,
            learned: Box::new(learned),
            drift: Drift::default(),
            open: Opens::default(),
            own: Owns::default(),
            many: BTreeMap::new(),
            stalled: VecDeque::new(),
            relocate: Vec::new(),
            received: Vec::new(),
            giving: Vec::new(),
            pulls: Box::default(),
            uploads: Box::default(),
            downloads: Box::default(),
            hints: Box::default(),
            repair: Box::default(),
            ops: Box::default(),
            down: BTreeMap::new(),
            suspect: Box::default(),
            draining: None,
            health: Health::default(),
            collect: Box::default(),
            loopback: VecDeque::new(),
            at_once: 0,
            parked: Vec::new(),
        }
    }

    /// Begins a new life: its number, and stamps ahead of use, go to disk before anything is stamped.
    pub fn start(&mut self, cx: &mut Context<'_>, lost: bool) {
        self.reserve(cx, None);
        self.begin_in_doubt(cx, lost);
        self.begin_periods(cx.now.at);
        self.collect_again(cx);
        if let Some(roster) = self.roster.clone() {
            self.sweep_later(Some(&roster));
            self.live_by(cx, None, &roster);
        }
        self.settle_loopback(cx);
    }

    /// A message from another host.
    pub fn receive(&mut self, cx: &mut Context<'_>, from: HostId, message: KeepMessage) {
        if !self.down.is_empty() {
            self.heard_again(cx, from);
        }
        self.handle(cx, from, message);
        self.settle_loopback(cx);
    }

    /// The result of a store operation.
    pub fn stored(&mut self, cx: &mut Context<'_>, done: Done, then: Then) {
        self.health.done();
        self.stored_next(cx, done, then.0);
        self.settle_loopback(cx);
    }

    /// Time has come to what was waiting for it.
    pub fn wake(&mut self, cx: &mut Context<'_>) {
        while let Some(wake) = self.timers.due(cx.now.at) {
            self.woken(cx, wake);
        }
        self.settle_loopback(cx);
    }

    /// When it wants to be woken.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The layer below, or a detector, says that a host is down. Only the order in which hosts are asked
    /// depends on it, never who holds what.
    pub fn host_down(&mut self, cx: &mut Context<'_>, host: HostId) {
        self.went_away(cx.now.at, host);
        self.suspect_later(cx.now.at);
        self.mover_host_down(cx, host);
        self.settle_loopback(cx);
    }

    /// Whether that host is taken for down.
    #[must_use]
    pub fn takes_for_down(&self, host: HostId) -> bool {
        !self.down.is_empty() && self.down.contains_key(&host)
    }

    /// That host is there again.
    pub fn host_up(&mut self, cx: &mut Context<'_>, host: HostId) {
        self.came_back(cx, host);
        self.settle_loopback(cx);
    }

    /// The roster it lives by.
    #[must_use]
    pub const fn roster(&self) -> Option<&Arc<Roster>> {
        self.roster.as_ref()
    }

    /// The version of that roster; [`RosterVersion::NONE`] without one.
    #[must_use]
    pub fn version(&self) -> RosterVersion {
        self.roster
            .as_ref()
            .map_or(RosterVersion::NONE, |roster| roster.version)
    }

    /// How often this host was started, this time included.
    #[must_use]
    pub const fn start_number(&self) -> u32 {
        self.starting
    }

    /// Requests by links alone that must be looked up again: their owner has moved.
    pub fn take_relocations(&mut self) -> Vec<ReqId> {
        std::mem::take(&mut self.relocate)
    }

    /// Spans received by links alone since this was last asked.
    pub fn take_received(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.received)
    }

    /// Reads a word here and there: see [`Store::glance`](crate::store::Store::glance).
    pub(crate) fn glance(&self, depth: u8) -> u64 {
        match depth {
            0 => {
                let lens = [
                    self.timers.len(),
                    self.open.len(),
                    self.loopback.len(),
                    self.down.len(),
                    self.relocate.len(),
                    self.parked.len(),
                    self.stalled.len(),
                ];
                lens.iter()
                    .fold(u64::from(self.start), |sum, len| sum ^ *len as u64)
            }
            1 => {
                let next = self.timers.next().map_or(0, |at| at.0);
                next ^ self.open.iter().next().map_or(0, |(req, _)| req.0)
            }
            2.. => 0,
        }
    }

    /// How many hints it keeps.
    #[must_use]
    pub fn hint_count(&self) -> usize {
        self.hints.len()
    }

    fn settle_loopback(&mut self, cx: &mut Context<'_>) {
        while let Some(message) = self.loopback.pop_front() {
            self.handle(cx, self.me, message);
        }
        self.at_once = 0;
        self.unstage_uploads(cx);
    }

    fn send(&mut self, cx: &mut Context<'_>, to: HostId, message: KeepMessage) {
        if to == self.me {
            self.loopback.push_back(message);
        } else {
            cx.fx.send(Envelope {
                from: self.me,
                to,
                body: Message::Keep(message),
            });
        }
    }

    fn store(&mut self, cx: &mut Context<'_>, op: Op, next: Next) {
        self.health.asked(cx.now.at);
        cx.fx.store(op, Then(next));
    }

    /// The same for what is small and the last thing its caller does: a store that need not be waited for has answered
    /// when this returns, and that is gone on with. Not so after [`AT_ONCE`] in one call, for what goes on may ask again.
    fn store_soon(&mut self, cx: &mut Context<'_>, op: Op, next: Next) {
        let mut op = Some(op);
        if self.at_once >= AT_ONCE {
            // As ever.
        } else if let Some(done) = cx.fx.store_at_once(&mut op) {
            self.at_once += 1;
            return self.stored_next(cx, done, next);
        }
        if let Some(op) = op {
            self.store(cx, op, next);
        }
    }

    fn note(&mut self, cx: &mut Context<'_>, event: Event) {
        cx.fx.note(event);
    }

    fn answer(&mut self, cx: &mut Context<'_>, ticket: Ticket, reply: Reply) {
        cx.fx.answer(ticket, reply);
    }

    /// A question of this life that was never asked before.
    fn draw_req(&mut self) -> ReqId {
        self.next_req = self.next_req.wrapping_add(1);
        ReqId(u64::from(self.starting) << 32 | u64::from(self.next_req))
    }
}
