//! Old copies go now, as far as all who hold them now are known to have them.
//!
//! ```text
//! h1 held (20, 30] once; now h2 h3 h4 do        h1 asks them, and itself, for lists of it
//!   cat   h1 v3   h2 v3   h3 v7   h4 v3         dropped: everyone has it, or newer
//!   dog   h1 v5   h2 v5   h3 -    h4 v5         kept: h3 lacks it
//!   …             h4 silent                     kept: h4 does not answer
//! ```
//!
//! Old copies also go by themselves once all new holders have said that they are complete (`keep::drive`). This is
//! for who does not want to wait, and says what stays and why.
//!
//! *Hold this true*: a copy is dropped only under a settled roster, and only if every holder said under that same
//! roster that it has this version or a newer one.

use std::collections::{BTreeMap, BTreeSet};

use crate::keyspace::{Id, Span};
use crate::message::{Purged, Report};
use crate::placement::HostId;
use crate::record::{Key, Summary};
use crate::roster::{Groups, RosterVersion};
use crate::store::{Done, Op};

use super::super::then::Next;
use super::super::{Context, Keeper};
use super::chores::{Asked, Work};
use super::lists::{For, Listing};

/// How far the purge of this host is.
#[derive(Debug)]
pub(in crate::keep) struct Purging {
    at: RosterVersion,
    spans: Vec<Span>,
    of: u32,
    /// Where the next page of the present span begins.
    after: Option<Key>,
    dropped: u64,
    kept: BTreeMap<String, u64>,
    /// Discards on their way to the store.
    dropping: u32,
}

impl Purging {
    pub(super) fn progress(&self) -> (u32, u32) {
        let left = u32::try_from(self.spans.len()).unwrap_or(u32::MAX);
        (self.of.saturating_sub(left), self.of)
    }

    fn keep(&mut self, why: String, records: u64) {
        *self.kept.entry(why).or_default() += records;
    }
}

impl Keeper {
    pub(super) fn begin_purge(&mut self, cx: &mut Context<'_>, asked: Asked) {
        let Some(roster) = self.roster.clone() else {
            let why = "this host is in no ring: nobody is known to hold what it has";
            return self.chore_done(cx, asked, Report::Refused(why.to_owned()));
        };
        if roster.is_moving() {
            let why = "spans are moving: nothing is dropped until it has settled";
            return self.chore_done(cx, asked, Report::Refused(why.to_owned()));
        }
        let spans = self.strange_spans(&roster);
        let purging = Purging {
            at: roster.version,
            of: u32::try_from(spans.len()).unwrap_or(u32::MAX),
            spans,
            after: None,
            dropped: 0,
            kept: BTreeMap::new(),
            dropping: 0,
        };
        self.ops.chores.work = Some((asked, Work::Purge(purging)));
        self.purge_on(cx);
    }

    fn purging(&mut self) -> Option<(Asked, &mut Purging)> {
        match &mut self.ops.chores.work {
            Some((asked, Work::Purge(purging))) => Some((*asked, purging)),
            Some((_, Work::Balance(_))) | None => None,
        }
    }

    /// The next page, or the report.
    fn purge_on(&mut self, cx: &mut Context<'_>) {
        let (me, Some(roster)) = (self.me, self.roster.clone()) else {
            return;
        };
        let Some((asked, purging)) = self.purging() else {
            return;
        };
        if let Some(span) = purging.spans.last().copied() {
            let after = purging.after.clone();
            let mut all = roster.new().holders(span.to);
            all.push(me);
            let groups = Groups { groups: vec![all] };
            return self.ask_lists(cx, For::Purge, span, after, groups);
        }
        if purging.dropping == 0 {
            let purged = Purged {
                dropped: purging.dropped,
                kept: std::mem::take(&mut purging.kept).into_iter().collect(),
            };
            self.chore_done(cx, asked, Report::Purged(purged));
        }
    }

    /// A page has come, from all or from those who answered.
    pub(super) fn purge_listed(&mut self, cx: &mut Context<'_>, listing: Listing) {
        let (me, version, adopting) = (self.me, self.version(), self.adopting.is_some());
        let Some((asked, purging)) = self.purging() else {
            return;
        };
        if listing.at != version || adopting || purging.at != version {
            let why = "the roster changed meanwhile: nothing more was dropped; ask again";
            return self.chore_done(cx, asked, Report::Refused(why.to_owned()));
        }
        let mut reached = listing.reached();
        let mut gone = BTreeMap::new();
        match listing.said.get(&me) {
            None => purging.keep("this host's own store does not answer".to_owned(), 0),
            Some((mine, _)) => {
                let upto = |key: &Key| {
                    reached
                        .as_ref()
                        .is_none_or(|end| listing.place(key) <= *end)
                };
                for (key, summary) in mine.iter().filter(|(key, _)| upto(key)) {
                    let why = lacking(&listing, me, key, summary);
                    let goes: &mut bool = gone.entry(key.id()).or_insert(true);
                    *goes &= why.is_none();
                    if let Some(why) = why {
                        purging.keep(why, 1);
                    }
                }
                // Nothing of ours is left beyond: what others have there does not matter.
                if mine.is_empty() {
                    reached = None;
                }
            }
        }
        purging.after = reached.map(|(_, key)| key);
        if purging.after.is_none() {
            purging.spans.pop();
        }
        self.drop_ids(cx, gone);
        self.purge_on(cx);
    }

    fn drop_ids(&mut self, cx: &mut Context<'_>, gone: BTreeMap<Id, bool>) {
        let one = Id::from_u64(1);
        let ids = gone.into_iter().filter(|(_, goes)| *goes);
        let spans: Vec<Span> = ids
            .map(|(id, _)| Span::new(id.wrapping_sub(one), id))
            .collect();
        if spans.is_empty() {
            return;
        }
        if let Some((_, purging)) = self.purging() {
            purging.dropping += 1;
        }
        self.store(cx, Op::Discard(spans), Next::Purged);
    }

    /// The store has dropped a page's worth.
    pub(in crate::keep) fn dropped(&mut self, cx: &mut Context<'_>, done: &Done) {
        let Some((_, purging)) = self.purging() else {
            return;
        };
        purging.dropping = purging.dropping.saturating_sub(1);
        if let Done::Discarded(records) = done {
            purging.dropped += records;
        } else {
            purging.keep("this host's store failed".to_owned(), 1);
        }
        if purging.spans.is_empty() {
            self.purge_on(cx);
        }
    }

    /// A purge whose lists are gone with an old roster would wait for ever.
    pub(super) fn purge_due(&mut self, cx: &mut Context<'_>) {
        let waits = self.ops.lists.values().any(|l| l.wanted == For::Purge);
        let stuck = |purging: &Purging| !waits && purging.dropping == 0;
        if let Some((_, purging)) = self.purging()
            && stuck(purging)
        {
            self.purge_on(cx);
        }
    }
}

/// Why a copy must stay.
fn lacking(listing: &Listing, me: HostId, key: &Key, mine: &Summary) -> Option<String> {
    let holders: BTreeSet<HostId> = listing.groups.hosts().into_iter().collect();
    for host in holders.into_iter().filter(|host| *host != me) {
        let Some((list, _)) = listing.said.get(&host) else {
            return Some(format!("{host} does not answer"));
        };
        let theirs = list.iter().find(|(other, _)| other == key);
        if !theirs.is_some_and(|(_, theirs)| theirs.covers(mine)) {
            return Some(format!("{host} lacks it"));
        }
    }
    None
}
