//! What must a host be told that was away, and what asked again?
//!
//! A host that slept lives by an earlier roster, and refuses what is asked under ours. What was sent to one whose link
//! broke is lost, or its answer is:
//!
//! ```text
//! h1 -> h2   Ask 7, Ask 8, Ask 9      h2 slept through v5
//! h2 -> h1   refused, three times: behind, at v4
//! h1 -> h2   RosterIs v5              once
//! h2 -> h1   RosterHave v5
//! h1 -> h2   Ask 7, Ask 8, Ask 9      once each
//! ```
//!
//! Hundreds of requests may be open. If each refusal brought the roster, and each `RosterHave` all questions anew, a host
//! that wakes up would drown in what it is told.
//!
//! *Hold these true*: a refusal brings the roster at most once in half a [`retry`](super::KeepConfig::retry), a broken link every
//! question at most once in a whole one; a question that was refused is asked again once; a write that may have arrived before counts as
//! one that may be stored.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use crate::message::{KeepMessage, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::{Roster, RosterVersion};

use super::open::{Open, Phase};
use super::timers::Wake;
use super::{Context, Keeper};

/// At most so many hosts are remembered as down; more are taken for up, and asked in vain.
const MAX_AWAY: usize = 100_000;

/// Those who were away.
#[derive(Debug, Default)]
pub(super) struct Away {
    /// Who was sent the roster because it lives by an earlier one and has not said that it has it, and when.
    offered: BTreeMap<HostId, Time>,
    /// To whom messages were lost since it was last asked again.
    lost: BTreeSet<HostId>,
    /// Who was asked everything again, and when.
    asked_again: BTreeMap<HostId, Time>,
}

impl Keeper {
    /// A roster was adopted: what was told about earlier ones says nothing of this one.
    pub(super) fn forget_offers(&mut self) {
        self.away.offered.clear();
    }

    /// A host says by which roster it lives.
    pub(super) fn no_longer_offered(&mut self, host: HostId) {
        self.away.offered.remove(&host);
    }

    /// A question was refused that is asked again, or not, whatever the reason: all that counts is who has the older roster.
    pub(super) fn agree_on_roster(&mut self, cx: &mut Context<'_>, from: HostId, refusal: Refusal) {
        match refusal {
            Refusal::Behind(theirs) => self.offer_roster(cx, from, theirs),
            Refusal::Ahead(roster) => self.roster_is(cx, Some(from), roster),
            Refusal::NotMine
            | Refusal::Store(_)
            | Refusal::Below
            | Refusal::Incomplete
            | Refusal::Doubts => {}
        }
    }

    /// Sends our roster to somebody whose version is older.
    pub(super) fn offer_roster(&mut self, cx: &mut Context<'_>, to: HostId, theirs: RosterVersion) {
        let (now, window) = (cx.now.at, self.config.retry / 2);
        let newer = |roster: &&Arc<Roster>| roster.version > theirs;
        let Some(roster) = self.roster.as_ref().filter(newer) else {
            return;
        };
        self.away.offered.retain(|_, at| now < *at + window);
        if let Entry::Vacant(offered) = self.away.offered.entry(to) {
            offered.insert(now);
            let message = KeepMessage::RosterIs(Arc::clone(roster));
            self.send(cx, to, message);
        }
    }

    /// A host is taken for down; messages to it are lost.
    pub(super) fn went_away(&mut self, now: Time, host: HostId) {
        if self.down.len().max(self.away.lost.len()) < MAX_AWAY {
            self.down.entry(host).or_insert(now);
            self.away.lost.insert(host);
            self.drift.forget_all_but(now, |other| other != host);
        }
    }

    /// A host that was down is heard again.
    pub(super) fn heard_again(&mut self, cx: &Context<'_>, host: HostId) {
        if self.down.remove(&host).is_some() {
            self.timers.set(Wake::Hints, cx.now.at);
        }
    }

    /// A host can be reached again: it is asked what may have been lost.
    pub(super) fn came_back(&mut self, cx: &mut Context<'_>, host: HostId) {
        self.heard_again(cx, host);
        let (now, retry) = (cx.now.at, self.config.retry);
        self.away.asked_again.retain(|_, at| now < *at + retry);
        if self.away.lost.remove(&host) && !self.away.asked_again.contains_key(&host) {
            self.away.asked_again.insert(host, now);
            self.no_longer_offered(host);
            self.ask_again(cx, host, true);
        }
    }

    /// Asks a replica again what it refused because it lived by an earlier roster, or `all` it has not answered.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>, host: HostId, all: bool) {
        let version = self.version();
        let again = |open: &Open| open.at == version && (all || open.behind.contains(&host));
        let waiting = self.open.iter().filter(|(_, open)| again(open));
        let reqs: Vec<ReqId> = waiting.map(|(req, _)| req).collect();
        for req in reqs {
            let Some(open) = self.open.get_mut(&req) else {
                continue;
            };
            if !open.silent().contains(&host) {
                continue;
            }
            let refused = open.behind.contains(&host);
            open.behind.retain(|other| *other != host);
            if let Phase::Write { unsure, .. } = &mut open.phase {
                *unsure |= !refused;
            }
            self.put_question(cx, req, host, true);
        }
    }
}
