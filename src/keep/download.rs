//! A value on its way out, piece by piece, of one version from the first to the last.
//!
//! ```text
//! client -> h1         Open "cat"            a get: a quorum decides that 7 is the newest; h2 and h3 hold it
//! client -> h1 -> h2   Piece 0 … 7, piece 0  h1 keeps nothing between two pieces
//! client -> h1 -> h2   Piece 1 …             h2 is silent …
//!              -> h3   7, piece 1            … h3 holds the same version
//! ```
//!
//! Each piece is a question of its own with a deadline of its own, so nothing is left open when a client goes, and
//! the pace is the client's. A replica gives a piece of just that version or none: what is overwritten or deleted
//! meanwhile ends the reading with [`Failure::Replaced`] as soon as nobody has it any more, and two values are never
//! mixed. A piece of another length than it must have is no piece.
//!
//! The same way goes what a read has to bring to replicas that lack it, without ever holding it: whoever pulls gets
//! each piece through us from one who has it (a *relay*).
//!
//! *Hold this true*: a piece that is answered is a piece of the version that was opened.
//!
//! Left out on purpose: reading ahead. Whoever reads may ask for several pieces at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::{Failure, KeepMessage, Large, Options, Outcome, ReqId, Ticket};
use crate::placement::HostId;
use crate::record::{Key, Time, Version};

use super::open::Phase;
use super::timers::Wake;
use super::{Context, Keeper};

/// A client waits for a piece.
#[derive(Debug)]
struct Wanted {
    ticket: Ticket,
    of: Arc<Large>,
    index: u32,
    /// Whom to ask, in this order, the first one now.
    hosts: Vec<HostId>,
    tries: u32,
    deadline: Time,
}

/// A piece that goes from one replica to another through us.
#[derive(Debug)]
struct Relay {
    to: HostId,
    /// The puller's question.
    req: ReqId,
    from: HostId,
    index: u32,
}

/// The pieces that are on their way through us, each under a question of our own.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    wanted: BTreeMap<ReqId, Wanted>,
    relays: BTreeMap<ReqId, Relay>,
}

impl Keeper {
    /// A client wants a piece of a value that it has opened.
    pub fn download(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        (of, index): (Arc<Large>, u32),
        options: Options,
    ) {
        let most = self.config.max_open;
        if self.downloads.wanted.len() >= most {
            let why = format!("{most} pieces are awaited at this host: at most so many; try again");
            return self.answer(cx, ticket, Err(Failure::Limit(why)));
        }
        let hosts = self.holders(cx.now.at, &of);
        if hosts.is_empty() {
            return self.answer(cx, ticket, Err(Failure::Replaced));
        }
        let wanted = Wanted {
            ticket,
            of,
            index,
            hosts,
            tries: 0,
            deadline: cx.now.at + options.deadline.unwrap_or(self.config.deadline),
        };
        let own = self.draw_req();
        self.downloads.wanted.insert(own, wanted);
        self.ask_holder(cx, own);
        self.settle_loopback(cx);
    }

    /// Whoever may have it: us, those who said so, then the replicas of now; the unwell at last.
    fn holders(&self, now: Time, of: &Large) -> Vec<HostId> {
        let mut hosts: Vec<HostId> = Vec::new();
        let roster = self.roster.as_ref();
        let replicas = roster.map(|roster| roster.groups(of.key.id()).hosts());
        for host in of
            .holders
            .iter()
            .copied()
            .chain(replicas.into_iter().flatten())
        {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let fastest = self.ops.speeds.fastest(of.holders.iter().copied());
        hosts.sort_by_key(|host| {
            let rank = (*host != self.me, Some(*host) != fastest);
            (self.is_last_to_ask(now, *host), rank)
        });
        hosts
    }

    fn ask_holder(&mut self, cx: &mut Context<'_>, own: ReqId) {
        let Some(wanted) = self.downloads.wanted.get(&own) else {
            return;
        };
        let Some(host) = wanted.hosts.first().copied() else {
            return self.has_piece(cx, own, Err(Failure::Replaced));
        };
        let patience = self.config.retry * (1 << wanted.tries.min(3));
        let due = (cx.now.at + patience).min(wanted.deadline);
        let ask = KeepMessage::AskPiece {
            req: own,
            key: wanted.of.key.clone(),
            version: wanted.of.found.version,
            index: wanted.index,
        };
        self.timers.set(Wake::Download(own), due);
        self.send(cx, host, ask);
    }

    /// Whoever was asked is silent: the next one.
    pub(super) fn download_due(&mut self, cx: &mut Context<'_>, own: ReqId) {
        let Some(wanted) = self.downloads.wanted.get_mut(&own) else {
            return;
        };
        if cx.now.at >= wanted.deadline {
            let silent = wanted.hosts.clone();
            let failure = Failure::NoQuorum {
                answered: 0,
                needed: 1,
                silent,
            };
            return self.has_piece(cx, own, Err(failure));
        }
        wanted.tries += 1;
        wanted.hosts.rotate_left(1);
        self.ask_holder(cx, own);
    }

    fn has_piece(&mut self, cx: &mut Context<'_>, own: ReqId, told: Result<Bytes, Failure>) {
        self.timers.clear(Wake::Download(own));
        if let Some(wanted) = self.downloads.wanted.remove(&own) {
            self.answer(cx, wanted.ticket, told.map(Outcome::Piece));
        }
    }

    /// A piece has come: whether it was for a client or a relay, or is for somebody else.
    pub(super) fn passed_on(
        &mut self,
        cx: &mut Context<'_>,
        (from, own): (HostId, ReqId),
        (version, index): (Version, u32),
        bytes: Option<&Bytes>,
    ) -> bool {
        if let Some(wanted) = self.downloads.wanted.get_mut(&own) {
            let found = &wanted.of.found;
            if (found.version, wanted.index) != (version, index) {
                return false;
            }
            let due = found.body.piece_len(u64::from(index));
            if let Some(bytes) = bytes.filter(|bytes| bytes.len() as u64 == due) {
                self.has_piece(cx, own, Ok(bytes.clone()));
                return true;
            }
            let asked = wanted.hosts.first() == Some(&from);
            wanted.hosts.retain(|host| *host != from);
            if asked {
                self.ask_holder(cx, own);
            }
            return true;
        }
        let relay = self.downloads.relays.remove(&own);
        let Some(relay) = relay.filter(|relay| relay.index == index) else {
            return false;
        };
        match bytes.cloned() {
            Some(bytes) => {
                let piece = KeepMessage::PieceIs {
                    req: relay.req,
                    version,
                    index,
                    bytes: Some(bytes),
                };
                self.send(cx, relay.to, piece);
            }
            None => self.source_lost(cx, &relay),
        }
        true
    }

    /// A replica pulls what a read brings it: from one that has it, through us. Whether that is so.
    pub(super) fn relayed(
        &mut self,
        cx: &mut Context<'_>,
        to: HostId,
        (req, index): (ReqId, u32),
        key: &Key,
        version: Version,
    ) -> bool {
        let open = self.open.get_mut(&req);
        let Some(open) = open.filter(|open| open.writes(version) && !open.sources.is_empty())
        else {
            return false;
        };
        if open.sources.contains(&self.me) {
            return false;
        }
        // Asked again: the first time did not go well.
        if open.relayed == Some((to, index)) {
            open.sources.rotate_left(1);
        }
        open.relayed = Some((to, index));
        let from = open.sources[0];
        let own = self.draw_req();
        let relay = Relay {
            to,
            req,
            from,
            index,
        };
        if self.downloads.relays.len() >= self.config.max_pulls {
            // The oldest is answered by nobody any more, or asked for again.
            self.downloads.relays.pop_first();
        }
        self.downloads.relays.insert(own, relay);
        let ask = KeepMessage::AskPiece {
            req: own,
            key: key.clone(),
            version,
            index,
        };
        self.send(cx, from, ask);
        true
    }

    /// A source does not hold that version any more. If it was the last one, the read asks again.
    fn source_lost(&mut self, cx: &mut Context<'_>, relay: &Relay) {
        let Some(open) = self.open.get_mut(&relay.req) else {
            return;
        };
        if matches!(open.phase, Phase::Write { back: true, .. }) {
            open.sources.retain(|host| *host != relay.from);
            if open.sources.is_empty() {
                self.restart(cx, relay.req);
            }
        }
    }
}
