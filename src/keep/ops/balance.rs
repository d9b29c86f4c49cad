//! Every copy of what this host owns is compared now.
//!
//! ```text
//! h1 owns (20, 30], held by h1 h2 h3
//!   round 1   with h2: pulls 2     with h3: pulls 1, pushes 2      h2 may lack what h3 had
//!   round 2   with h2: pushes 1    with h3: equal
//!   round 3   with h2: equal       with h3: equal                  done: three equal copies
//! ```
//!
//! Each span is owned by one host, so all hosts together compare every span once. A span is done when a round has
//! found nothing to heal. Under writes that never stop a round always finds something: after [`MAX_ROUNDS`] the span
//! is reported as differing.
//!
//! It is the comparison of repair (`keep::repair`), of which a host makes one at a time; a round of collection goes first.
//!
//! *Hold this true*: a span reported neither as differing nor with an unreachable holder had equal copies at the
//! moment of its last comparison, but for records whose store refused them, which are counted as differing.

use crate::keyspace::Span;
use crate::message::{Balanced, Report};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::RosterVersion;

use super::super::repair::Waits;
use super::super::{Context, Keeper};
use super::chores::{Asked, Work};

/// So often a span is compared with all its holders before it is reported as differing.
const MAX_ROUNDS: u32 = 6;

/// So often a comparison that does not get on is begun again before its peer is taken for unreachable.
const MAX_TRIES: u32 = 3;

/// How far the balance of this host is.
#[derive(Debug)]
pub(in crate::keep) struct Balancing {
    at: RosterVersion,
    spans: Vec<Span>,
    done: u32,
    round: u32,
    /// Holders still to be compared with in this round.
    peers: Vec<HostId>,
    /// The one that is being compared with.
    with: Option<HostId>,
    /// When that last got on, and how often it was begun again.
    since: Time,
    tries: u32,
    /// What this round has healed.
    healed: u64,
    found: Balanced,
}

impl Balancing {
    pub(super) fn progress(&self) -> (u32, u32) {
        (self.done, self.found.spans)
    }

    /// Brought here, and away.
    fn count(&mut self, (pulled, pushed): (u64, u64)) {
        self.healed += pulled + pushed;
        self.found.pulled += pulled;
        self.found.pushed += pushed;
    }

    /// This peer is to be compared with once more.
    fn again(&mut self, peer: HostId) {
        self.with = None;
        self.peers.push(peer);
    }
}

impl Keeper {
    pub(super) fn begin_balance(&mut self, cx: &mut Context<'_>, asked: Asked) {
        let Some(roster) = self.roster.clone() else {
            return self.chore_done(cx, asked, refused("this host is in no ring"));
        };
        if roster.is_moving() {
            let why = "spans are moving: wait until it has settled";
            return self.chore_done(cx, asked, refused(why));
        }
        if !self.is_whole() {
            let why = "this host still merges what it missed in a move: wait until it is complete";
            return self.chore_done(cx, asked, refused(why));
        }
        let spans: Vec<Span> = roster.new().placement.spans(self.me).collect();
        let found = Balanced {
            spans: u32::try_from(spans.len()).unwrap_or(u32::MAX),
            ..Balanced::default()
        };
        let balancing = Balancing {
            at: roster.version,
            spans,
            done: 0,
            round: 0,
            peers: Vec::new(),
            with: None,
            since: cx.now.at,
            tries: 0,
            healed: 0,
            found,
        };
        self.ops.chores.work = Some((asked, Work::Balance(balancing)));
        self.balance_on(cx);
    }

    fn balancing(&mut self) -> Option<(Asked, &mut Balancing)> {
        match &mut self.ops.chores.work {
            Some((asked, Work::Balance(balancing))) => Some((*asked, balancing)),
            Some((_, Work::Purge(_))) | None => None,
        }
    }

    /// The next holder of the present span, or the next round, or the next span. While something else is being
    /// compared, it waits.
    fn balance_on(&mut self, cx: &mut Context<'_>) {
        let (me, Some(roster)) = (self.me, self.roster.clone()) else {
            return;
        };
        let (busy, now) = (self.repair.pass.is_some(), cx.now.at);
        let Some((asked, balancing)) = self.balancing() else {
            return;
        };
        if balancing.at != roster.version {
            let why = format!("stopped after {} spans: the roster changed", balancing.done);
            return self.chore_done(cx, asked, Report::Refused(why));
        }
        while let Some(span) = balancing.spans.last().copied() {
            if busy && !balancing.peers.is_empty() {
                return;
            }
            if let Some(peer) = balancing.peers.pop() {
                (balancing.with, balancing.since) = (Some(peer), now);
                return self.begin_pass(cx, Waits::Balance, peer, roster.version, span);
            }
            let again = balancing.round == 0 || balancing.healed > 0;
            if again && balancing.round < MAX_ROUNDS {
                (balancing.round, balancing.healed) = (balancing.round + 1, 0);
                let mut peers = roster.new().holders(span.to);
                peers.retain(|host| *host != me && !balancing.found.unreachable.contains(host));
                peers.reverse();
                balancing.peers = peers;
                if !balancing.peers.is_empty() {
                    continue;
                }
            }
            balancing.found.differing += u64::from(balancing.healed > 0);
            balancing.spans.pop();
            (balancing.done, balancing.round, balancing.healed) = (balancing.done + 1, 0, 0);
        }
        let report = Report::Balanced(std::mem::take(&mut balancing.found));
        self.chore_done(cx, asked, report);
    }

    /// The comparison with one holder has ended.
    pub(in crate::keep) fn balanced_with(
        &mut self,
        cx: &mut Context<'_>,
        peer: HostId,
        brought: (u64, u64),
        equal: bool,
    ) {
        let Some((_, balancing)) = self.balancing() else {
            return;
        };
        balancing.count(brought);
        if equal {
            (balancing.with, balancing.tries) = (None, 0);
            return self.balance_on(cx);
        }
        balancing.tries += 1;
        if balancing.tries < MAX_TRIES {
            return balancing.again(peer); // Soon: it may have to adopt a roster, or to make room.
        }
        (balancing.with, balancing.tries) = (None, 0);
        balancing.found.differing += 1;
        self.balance_on(cx);
    }

    /// A comparison that does not get on is begun again; after a while its peer is not waited for.
    pub(super) fn balance_due(&mut self, cx: &mut Context<'_>) {
        let ours = |pass: &&super::super::repair::Pass| pass.waits == Waits::Balance;
        let brought = self.repair.pass.as_ref().filter(ours).map(|p| p.brought);
        let heard = self.repair.take_heard(Waits::Balance);
        let (now, patience) = (cx.now.at, self.config.source_patience / MAX_TRIES);
        let Some((_, balancing)) = self.balancing() else {
            return;
        };
        match (balancing.with, brought) {
            (None, _) => {}
            // A round of collection compares now instead.
            (Some(peer), None) => balancing.again(peer),
            (Some(_), Some(_)) if heard => {
                (balancing.since, balancing.tries) = (now, 0);
                return;
            }
            (Some(_), Some(_)) if now.since(balancing.since) < patience => return,
            (Some(peer), Some(brought)) => {
                balancing.count(brought);
                balancing.tries += 1;
                if balancing.tries < MAX_TRIES {
                    balancing.again(peer);
                } else {
                    (balancing.with, balancing.tries) = (None, 0);
                    balancing.found.unreachable.push(peer);
                }
                self.repair.end_pass(Waits::Balance);
            }
        }
        self.balance_on(cx);
    }
}

fn refused(why: &str) -> Report {
    Report::Refused(why.to_owned())
}
