//! How does a node find its neighbours, and the owner of an id, with nobody in charge?
//!
//! Each node keeps a *next* (with a list of further successors in reserve), a *prev*, some *routes* to
//! far nodes, and the span it *holds*. This is Chord (Stoica et al., 2001) as corrected by Pamela Zave
//! (2017), with one addition, the hand-over: a node answers for an id only while it holds it.
//!
//! ```text
//!   <10> ⇄ <22> ⇄ <51> ⇄ <10>          <37> joins via <10>:
//!
//!   <37> ── Lookup 37 ──> <10> ──> <51>      who owns my id?  <51>, it holds (22, 51]
//!   <37> ── AskLinks ───> <51>               its whole successor list: 10, 22
//!   <37> <── records of (22, 37] ── <51>
//!   <37> ── Take (22, 37] ──> <51>           from here on <51> holds (37, 51] and its prev is <37>
//!   <37> <── Granted ──────── <51>           from here on <37> holds (22, 37]
//!   <37> ── LookAgain ──> <22>               <22> asks <51>, hears of <37>, asks <37>, adopts it
//! ```
//!
//! Hold these true:
//!
//! 1. At any time at most one node holds an id. A span passes from giver to taker at one moment: when
//!    the giver reads [`Take`](FindMessage::Take) it ceases to hold it, and only
//!    [`Granted`](FindMessage::Granted) lets the taker begin. Between the two, nobody holds it.
//! 2. In a settled ring every node's `next.prev` is itself and the spans cover the circle once.
//! 3. A node adopts a next only after *that node* answered.
//! 4. A node that awaits an answer which may change its links tells nobody what they are.
//! 5. Every hop of a lookup has less to go than the one before.
//!
//! [`Finder`] is pure: it is told messages and times, and says what to send and when to wake it.
//!
//! Left out on purpose: copies. One node holds a span, and if it crashes, its records are gone: copies
//! need a roster (module `keep`). And two nodes that suspect each other falsely for
//! longer than `takeover_after` may each believe to be the owner: links alone cannot exclude that,
//! which is why whatever must not be lost goes by the roster. Two rings that were parted for so long
//! do not merge by themselves.

mod alarm;
mod config;
mod event;
mod finger;
mod give;
mod join;
mod links;
mod lookup;
mod receive;
mod retry;
mod route;
mod stabilize;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::keyspace::{Id, Span};
use crate::message::{FindMessage, Peer, Question};
use crate::placement::HostId;
use crate::record::Time;
use crate::ring::Links;

use alarm::{Alarm, Alarms, Chance};
pub use config::{FindConfig, Routes};
pub use event::{FindEvent, FindOut, Found, LookupError};

/// How many hosts reported down a finder remembers; a further one replaces the smallest.
const MAX_DOWN: usize = 256;

/// How many silent nodes a finder remembers; while there are so many, further ones are asked in vain.
const MAX_SUSPECTS: usize = 64;

/// Where a node stands between joining and leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    /// In no ring, and never was or has quite gone.
    Outside,
    /// On its way in.
    Joining { via: Peer, tries: u32 },
    /// Spliced in.
    Member,
    /// Spliced in, and looking for somebody to take its span.
    Leaving { offers: u32 },
    /// Handed over and gone; still says so to whoever asks.
    Gone,
}

/// One place on the ring, thinking.
///
/// Invariants, asserted by [`Finder::check`]:
/// 1. The successor list is in clockwise order, without itself and without doubles, at most as long as
///    configured.
/// 2. Its span ends in itself, and its prev does not lie inside the span.
/// 3. It waits for an answer about its links exactly while an alarm for it is set.
/// 4. Only a member holds a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finder {
    me: Peer,
    config: Arc<FindConfig>,
    chance: Chance,
    role: Role,
    /// Whether the links come from a roster; then it does not stabilize and needs no lease.
    fed: bool,
    prev: Option<Peer>,
    /// When the prev last showed that it is a member.
    prev_heard: Time,
    /// The next first. Empty: it is alone, and its own next.
    successors: Vec<Peer>,
    /// The span it holds, unless `lapsed`.
    held: Option<Span>,
    /// The lease ran out: it holds nothing until its next confirms it.
    lapsed: bool,
    /// The only entry of its list is silent and it knows no other node: it may be the last one alive.
    cut_off: bool,
    /// The question about links it awaits an answer to.
    errand: Option<stabilize::Errand>,
    /// The span it is receiving.
    transfer: Option<join::Transfer>,
    /// The last span it gave, to say so again word for word.
    given: Option<Box<give::Given>>,
    lookups: BTreeMap<Question, Box<lookup::Asking>>,
    /// Far nodes in clockwise order from here, at most two per digit and value.
    fingers: Vec<Peer>,
    next_finger: u32,
    /// All nodes in order of id, shared with others, if it was fed them.
    everyone: Option<Arc<[Peer]>>,
    /// Nodes that were silent, and until when they are not asked for lookups.
    suspects: BTreeMap<Id, Time>,
    down: BTreeSet<HostId>,
    alarms: Alarms,
    next_question: u64,
}

impl Finder {
    /// A node that is in no ring yet.
    #[must_use]
    pub fn new(me: Peer, config: Arc<FindConfig>, rng: ChaCha8Rng) -> Finder {
        config.check();
        let mut chance = Chance(rng);
        let next_question = chance.0.next_u64() >> 1;
        Finder {
            me,
            config,
            chance,
            role: Role::Outside,
            fed: false,
            prev: None,
            prev_heard: Time::ZERO,
            successors: Vec::new(),
            held: None,
            lapsed: false,
            cut_off: false,
            errand: None,
            transfer: None,
            given: None,
            lookups: BTreeMap::new(),
            fingers: Vec::new(),
            next_finger: 0,
            everyone: None,
            suspects: BTreeMap::new(),
            down: BTreeSet::new(),
            alarms: Alarms::default(),
            next_question,
        }
    }

    /// Found a ring: it is its own next, and holds the whole circle.
    pub fn start_alone(&mut self, now: Time, out: &mut Vec<FindOut>) {
        self.forget_ring();
        self.role = Role::Member;
        self.hold(Span::whole(self.me.id), out);
        self.keep_house(now);
    }

    /// Start as a member of a ring that is known to be settled: `ring` is all its nodes in order of id.
    /// Unlike after [`Finder::set_links`], it looks after its links itself from then on.
    ///
    /// # Panics
    /// If `ring` is not in order or does not contain this node.
    pub fn start_in_ring(&mut self, now: Time, ring: &Arc<[Peer]>, out: &mut Vec<FindOut>) {
        self.forget_ring();
        self.take_place(ring, out);
        assert_eq!(
            self.role,
            Role::Member,
            "{} starts in a ring it is no member of",
            self.me
        );
        if self.config.routes != Routes::All {
            self.everyone = None;
        }
        self.prev_heard = now;
        self.keep_house(now);
        self.renew_lease(now, now, out);
    }

    /// Links from a roster: `ring` is all its nodes in order of id. The next and prev are the neighbours
    /// in that order; the node does not stabilize, and takes nothing over, as long as it is fed.
    /// A node that is not among them is in no ring, but may look up.
    pub fn set_links(&mut self, ring: &Arc<[Peer]>, out: &mut Vec<FindOut>) {
        let before = (self.role, self.prev, self.next());
        if !self.fed {
            self.forget_ring();
            self.fed = true;
        }
        self.take_place(ring, out);
        if before != (self.role, self.prev, self.next()) {
            out.push(FindOut::LinksChanged);
        }
    }

    /// The next thing that is due, if anything is.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.alarms.next()
    }

    /// Does everything that is due.
    pub fn wake(&mut self, now: Time, out: &mut Vec<FindOut>) {
        while let Some(alarm) = self.alarms.pop(now) {
            match alarm {
                Alarm::Stabilize => self.stabilize(now, out),
                Alarm::FixFinger => self.fix_finger(now, out),
                Alarm::Errand => self.errand_silent(now, out),
                Alarm::Transfer => self.transfer_silent(now, out),
                Alarm::Offer => self.offer(now, out),
                Alarm::Lease => self.lease_ran_out(out),
                Alarm::Takeover => self.take_over(now, out),
                Alarm::Lookup(question) => self.lookup_silent(now, question, out),
            }
        }
    }

    /// A report from below: this host cannot be reached (a link broke, the detector says so). Whatever
    /// waits for it waits no longer.
    pub fn host_down(&mut self, now: Time, host: HostId, out: &mut Vec<FindOut>) {
        if host == self.me.host {
            return;
        }
        self.down.insert(host);
        if self.down.len() > MAX_DOWN {
            self.down.pop_first();
        }
        self.fingers.retain(|peer| peer.host != host);
        if self.fed {
            return self.lookups_lost(now, host, out);
        }
        let asked = self.errand.as_ref().map(|errand| errand.of);
        if let Some(of) = asked.filter(|of| of.host == host) {
            self.errand_failed(now, of, out);
        }
        if let Some(prev) = self.prev.filter(|prev| prev.host == host) {
            self.prev_died(now, prev, out);
        }
        if self.transfer.as_ref().is_some_and(|t| t.from.host == host) {
            self.transfer_failed(now, out);
        }
        self.lookups_lost(now, host, out);
        if self
            .successors
            .first()
            .is_some_and(|next| next.host == host)
            && self.errand.is_none()
        {
            self.stabilize(now, out);
        }
    }

    /// A report from below: this host can be reached again.
    pub fn host_up(&mut self, host: HostId) {
        self.down.remove(&host);
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> Peer {
        self.me
    }

    /// Whether it is spliced into a ring.
    #[must_use]
    pub fn is_member(&self) -> bool {
        matches!(self.role, Role::Member | Role::Leaving { .. })
    }

    /// Whether it has left for good, or gave up joining, or never began.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        matches!(self.role, Role::Outside | Role::Gone)
    }

    /// Whether it answers for this id now.
    #[must_use]
    pub fn holds(&self, id: Id) -> bool {
        self.span().is_some_and(|span| span.contains(id))
    }

    /// The span it answers for now; none while it is not a member or its lease has run out.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.held.filter(|_| !self.lapsed)
    }

    /// Its next and prev; itself where it is alone or knows none.
    #[must_use]
    pub fn links(&self) -> Links<Peer> {
        Links {
            prev: self.prev.unwrap_or(self.me),
            next: self.next(),
        }
    }

    /// Its prev, if it knows one.
    #[must_use]
    pub fn prev(&self) -> Option<Peer> {
        self.prev
    }

    /// Its next and what comes after it. Empty: it is alone.
    #[must_use]
    pub fn successors(&self) -> &[Peer] {
        &self.successors
    }

    /// The far nodes it knows, in clockwise order from itself.
    #[must_use]
    pub fn fingers(&self) -> &[Peer] {
        &self.fingers
    }

    /// Moves every time in it as if `now` were zero and its prev had just been heard. For models, where two
    /// moments that differ only in what the clock shows are one.
    pub fn rebase(&mut self, now: Time) {
        self.alarms.rebase(now);
        self.prev_heard = Time::ZERO;
        for until in self.suspects.values_mut() {
            *until = Time::ZERO + until.since(now);
        }
        if let Some(errand) = &mut self.errand {
            errand.asked_at = Time::ZERO;
        }
    }

    fn question(&mut self) -> Question {
        self.next_question += 1;
        Question(self.next_question)
    }

    fn about(&mut self, base: std::time::Duration) -> std::time::Duration {
        self.chance.about(base, self.config.jitter_percent)
    }
}

fn send(to: Peer, message: FindMessage, out: &mut Vec<FindOut>) {
    out.push(FindOut::Send { to, message });
}
