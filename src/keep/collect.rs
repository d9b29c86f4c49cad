//! When may a deleted key be forgotten?
//!
//! A delete is a version like any other, so that it beats an older value wherever they meet. It may go once no
//! older value can come any more. The first replica of a span sees to that, in rounds:
//!
//! ```text
//! h1 -> h1 h2 h3   fence 50      durable at all three: nothing <= 50 comes in any more, but by repair
//! h1 <-> h2, h3                  h1 has all that is <= 50 …
//! h1 <-> h2, h3                  … and so have h2 and h3: all are equal there
//! h1 -> h1 h2 h3   floor 50      each drops what was deleted or had expired by then
//! ```
//!
//! One dead replica holds a round up: what it may still hold is what the delete is there for. Then the round
//! waits, says for whom, and begins anew once that host is back, or out.
//!
//! What is compared is what repair compares, so only differences travel. A host begins no round when there
//! is nothing to collect, and then no message is sent.
//!
//! *Hold these true*: a round belongs to one settled roster; every replica takes part, whole; the stamp lies
//! further behind than clocks may differ; no replica drops anything by its own clock.
//!
//! Left out on purpose: an age after which a delete goes in any case. It would come back.

use std::collections::{BTreeSet, VecDeque};

use crate::keyspace::Span;
use crate::message::{Event, KeepMessage, Refusal, ReqId, Step};
use crate::placement::HostId;
use crate::record::{Now, Stamp, Time, WallMs};
use crate::roster::RosterVersion;
use crate::store::{Done, Garbage, Op};

use super::check::ensure;
use super::repair::Waits;
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// Where a round stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Every replica is asked whether it could take part: a fence that stays without its floor is a burden.
    Asking,
    /// Our own fence goes first, so that a round that was broken off is seen here and begun again.
    FencingSelf,
    /// The others fence.
    Fencing,
    /// All become equal below the fence.
    Passing,
    /// All raise their floors.
    Flooring,
}

/// One round over one span.
#[derive(Debug)]
struct Round {
    at: RosterVersion,
    span: Span,
    upto: Stamp,
    stage: Stage,
    req: ReqId,
    /// Who has not done the present step.
    waiting: BTreeSet<HostId>,
    /// Whom to compare with: first to gather, then to give.
    passes: VecDeque<HostId>,
    peers: Vec<HostId>,
    since: Time,
}

/// Everything about collecting what this host is the first replica of.
#[derive(Debug, Default)]
pub(super) struct Collect {
    round: Option<Round>,
    /// The span that was collected last: the next one's turn comes first.
    last: Option<Span>,
    /// How much of our spans is there for a while only, as last counted.
    pub(super) mortal: u64,
    /// The host for which collecting waits.
    pub(super) waits_for: Option<HostId>,
}

impl Collect {
    /// A round belongs to the roster lived by, and each replica has one place in it.
    pub(super) fn check(&self, lived_by: RosterVersion) -> Result<(), String> {
        let Some(round) = &self.round else {
            return Ok(());
        };
        let at = round.at;
        ensure(at == lived_by, || {
            format!("leads a round of {at}, and lives by {lived_by}")
        })?;
        let strange = |host: &&HostId| !round.peers.contains(host);
        let stranger = round.passes.iter().find(strange);
        ensure(stranger.is_none(), || {
            format!(
                "compares with {stranger:?} for a round of {:?}",
                round.peers
            )
        })
    }
}

impl Keeper {
    /// Looks whether there is anything to collect, unless a round is under way.
    pub(super) fn collect_due(&mut self, cx: &mut Context<'_>) {
        self.timers
            .set(Wake::Collect, cx.now.at + self.config.collect);
        let fit = self.drift.lead(cx.now) <= self.config.max_drift;
        if self.collect.round.is_some() || !fit || !self.is_whole() {
            return;
        }
        let (at, spans) = (self.version(), self.own_spans());
        let upto = self.upto(cx.now);
        if !spans.is_empty() && upto > Stamp(0) {
            self.store(cx, Op::Garbage(spans, upto), Next::Counted(at, upto));
        }
    }

    /// The spans of which this host is the first replica.
    pub(super) fn own_spans(&self) -> Vec<Span> {
        let Some(roster) = &self.roster else {
            return Vec::new();
        };
        let placement = &roster.new().placement;
        let tokens = placement.member(self.me).map(|member| &member.tokens);
        let spans = tokens.into_iter().flatten();
        spans
            .filter_map(|token| placement.span_of(*token))
            .collect()
    }

    // region: upto
    /// Up to which stamp a round that begins now may collect.
    fn upto(&self, now: Now) -> Stamp {
        let behind = self.config.collect_age.max(self.config.max_drift * 2);
        let ms = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
        Stamp::at(WallMs(now.wall.0.saturating_sub(ms)))
    }
    // endregion: upto

    /// How much there is, span by span: a round over the first one, in turn, that has something.
    pub(super) fn counted(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (at, upto): (RosterVersion, Stamp),
    ) {
        let Done::Garbage(counts) = done else { return };
        let spans = self.own_spans();
        if at != self.version() || self.collect.round.is_some() || counts.len() != spans.len() {
            return;
        }
        self.collect.mortal = counts.iter().map(|count| count.mortal).sum();
        let last = self.collect.last;
        let turn = spans.iter().position(|span| Some(*span) == last);
        let order = (1..=spans.len()).map(|step| (turn.unwrap_or(0) + step) % spans.len());
        let worth = order.filter(|place| self.is_worth(spans[*place], &counts[*place], upto));
        let worth: Vec<Span> = worth.map(|place| spans[place]).collect();
        let open = worth.iter().find(|span| self.is_broken_off(**span));
        let Some(span) = open.or(worth.first()).copied() else {
            self.collect.waits_for = None;
            return;
        };
        self.collect.last = Some(span);
        self.begin_round(cx, span, upto);
    }

    /// Something can be dropped; or a round was broken off between fence and floor, and until a floor has
    /// come no expiry of older values is taken; or so many stretches are told apart that it is time to join some.
    fn is_worth(&self, span: Span, count: &Garbage, upto: Stamp) -> bool {
        let parts = self.marks.of(span);
        let open = self.is_broken_off(span);
        let crowded = parts.len() > 1 && self.marks.len() > crate::record::MAX_MARKS / 2;
        let risen = parts.iter().any(|(_, mark)| mark.floor < upto);
        risen && (count.collectable > 0 || open || crowded)
    }

    /// Whether a round has fenced there, and its floor has not come.
    fn is_broken_off(&self, span: Span) -> bool {
        let parts = self.marks.of(span);
        parts.iter().any(|(_, mark)| mark.is_open())
    }

    /// What was broken off is begun anew soon: until then no new deadline of an older value is taken there.
    pub(super) fn take_up_rounds(&mut self, now: Time) {
        let spans = self.own_spans();
        if !self.config.collect.is_zero() && spans.iter().any(|span| self.is_broken_off(*span)) {
            self.timers
                .set_sooner(Wake::Collect, now + self.config.retry);
        }
    }

    fn begin_round(&mut self, cx: &mut Context<'_>, span: Span, upto: Stamp) {
        let Some(roster) = &self.roster else { return };
        let mut peers = roster.new().holders(span.to);
        peers.retain(|host| *host != self.me);
        self.collect.round = Some(Round {
            at: roster.version,
            span,
            upto,
            stage: Stage::Asking,
            req: ReqId(0),
            waiting: BTreeSet::new(),
            passes: VecDeque::new(),
            peers,
            since: cx.now.at,
        });
        self.enter_stage(cx, Stage::Asking);
    }

    /// Asks everyone concerned to do the next step; a stage that concerns nobody is over at once.
    fn enter_stage(&mut self, cx: &mut Context<'_>, stage: Stage) {
        let (req, me) = (self.draw_req(), self.me);
        let Some(round) = self.collect.round.as_mut() else {
            return;
        };
        (round.stage, round.req, round.since) = (stage, req, cx.now.at);
        round.waiting = match stage {
            Stage::Asking | Stage::Fencing => round.peers.iter().copied().collect(),
            Stage::FencingSelf => BTreeSet::from([me]),
            Stage::Flooring => round.peers.iter().copied().chain([me]).collect(),
            Stage::Passing => BTreeSet::new(),
        };
        if stage == Stage::Passing {
            round.passes = round.peers.iter().chain(&round.peers).copied().collect();
            return self.next_pass(cx);
        }
        if round.waiting.is_empty() {
            return self.stage_done(cx);
        }
        self.ask_waiting(cx);
    }

    fn ask_waiting(&mut self, cx: &mut Context<'_>) {
        let Some(round) = &self.collect.round else {
            return;
        };
        let step = match round.stage {
            Stage::Asking => Step::Ready,
            Stage::FencingSelf | Stage::Fencing => Step::Fence,
            Stage::Flooring => Step::Floor,
            Stage::Passing => return,
        };
        let message = KeepMessage::RoundAsk {
            req: round.req,
            at: round.at,
            span: round.span,
            upto: round.upto,
            step,
        };
        let hosts: Vec<HostId> = round.waiting.iter().copied().collect();
        for host in hosts {
            self.send(cx, host, message.clone());
        }
        self.timers
            .set(Wake::Round, cx.now.at + self.config.retry * 2);
    }

    fn stage_done(&mut self, cx: &mut Context<'_>) {
        let Some(round) = &self.collect.round else {
            return;
        };
        match round.stage {
            Stage::Asking => self.enter_stage(cx, Stage::FencingSelf),
            Stage::FencingSelf => self.enter_stage(cx, Stage::Fencing),
            Stage::Fencing => self.enter_stage(cx, Stage::Passing),
            Stage::Passing => self.enter_stage(cx, Stage::Flooring),
            Stage::Flooring => {
                self.timers.clear(Wake::Round);
                self.collect.round = None;
                self.collect.waits_for = None;
                self.take_up_rounds(cx.now.at);
            }
        }
    }

    /// A replica has done the present step, or says why not.
    pub(super) fn round_is(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        result: Result<(), Refusal>,
    ) {
        let Some(round) = self.collect.round.as_mut().filter(|r| r.req == req) else {
            return;
        };
        match result {
            Ok(()) => {
                if round.waiting.remove(&from) && round.waiting.is_empty() {
                    self.stage_done(cx);
                }
            }
            // It adopts our roster and is asked again.
            Err(Refusal::Behind(theirs)) => self.offer_roster(cx, from, theirs),
            Err(Refusal::Ahead(roster)) => self.roster_is(cx, Some(from), roster),
            Err(
                why @ (Refusal::NotMine
                | Refusal::Store(_)
                | Refusal::Below
                | Refusal::Incomplete
                | Refusal::Doubts),
            ) => {
                log::debug!("{}: {from} takes no part in a round: {why}", self.me);
                self.drop_round(cx, from);
            }
        }
    }

    /// Asks again; after a while the round is dropped, and begun anew later.
    pub(super) fn round_due(&mut self, cx: &mut Context<'_>) {
        let moved = self.repair.take_moved(Waits::Round);
        let Some(round) = self.collect.round.as_mut() else {
            return;
        };
        let passing = round.stage == Stage::Passing;
        if passing && moved {
            round.since = cx.now.at;
        }
        let (patience, retry) = if passing {
            (self.config.deadline * 4, self.config.source_patience)
        } else {
            (self.config.source_patience, self.config.retry * 2)
        };
        if cx.now.at.since(round.since) >= patience {
            let late = round.waiting.first().or(round.passes.front()).copied();
            return self.drop_round(cx, late.unwrap_or(self.me));
        }
        self.timers.set(Wake::Round, cx.now.at + retry);
        let (at, span, peer) = (round.at, round.span, round.passes.front().copied());
        match peer.filter(|_| passing) {
            // What was healed so far is equal now, so comparing anew costs little.
            Some(peer) if !moved => self.begin_pass(cx, Waits::Round, peer, at, span),
            Some(_) => {}
            None => self.ask_waiting(cx),
        }
    }

    /// This round cannot end now, because of that host.
    fn drop_round(&mut self, cx: &mut Context<'_>, host: HostId) {
        let Some(round) = self.collect.round.take() else {
            return;
        };
        self.timers.clear(Wake::Round);
        self.repair.end_pass(Waits::Round);
        if self.collect.waits_for != Some(host) {
            self.collect.waits_for = Some(host);
            let span = round.span;
            self.note(cx, Event::CollectingWaits { span, host });
        }
    }

    /// A roster was adopted: what was fenced under the one before is not finished under this one.
    pub(super) fn forget_round(&mut self) {
        self.timers.clear(Wake::Round);
        self.repair.end_pass(Waits::Round);
        self.collect.round = None;
        self.collect.waits_for = None;
    }

    /// Compares with the next peer, or is done with it.
    fn next_pass(&mut self, cx: &mut Context<'_>) {
        let Some(round) = self.collect.round.as_mut() else {
            return;
        };
        round.since = cx.now.at;
        let (span, at) = (round.span, round.at);
        let Some(peer) = round.passes.front().copied() else {
            return self.stage_done(cx);
        };
        self.timers
            .set(Wake::Round, cx.now.at + self.config.source_patience);
        self.begin_pass(cx, Waits::Round, peer, at, span);
    }

    /// A comparison for the round has ended: everything that differed is durably equal, or not.
    pub(super) fn passed(&mut self, cx: &mut Context<'_>, peer: HostId, equal: bool) {
        let Some(round) = self.collect.round.as_mut() else {
            return;
        };
        if round.stage != Stage::Passing || round.passes.front() != Some(&peer) {
            return;
        }
        if equal {
            round.passes.pop_front();
            self.next_pass(cx)
        } else {
            self.drop_round(cx, peer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Id;

    #[test]
    fn a_round_of_another_roster_or_with_a_stranger_is_reported() {
        let round = |at, passes: &[u64]| Collect {
            round: Some(Round {
                at: RosterVersion(at),
                span: Span::whole(Id::ZERO),
                upto: Stamp(5),
                stage: Stage::Passing,
                req: ReqId(1),
                waiting: BTreeSet::new(),
                passes: passes.iter().map(|host| HostId(*host)).collect(),
                peers: vec![HostId(2), HostId(3)],
                since: Time::ZERO,
            }),
            ..Collect::default()
        };
        let now = RosterVersion(4);
        assert_eq!(round(4, &[2, 3, 2, 3]).check(now), Ok(()));
        let old = round(3, &[]).check(now).unwrap_err();
        assert_eq!(old, "leads a round of v3, and lives by v4");
        let stranger = round(4, &[9]).check(now).unwrap_err();
        assert!(
            stranger.contains("h9") || stranger.contains("HostId(9)"),
            "{stranger}"
        );
    }
}
