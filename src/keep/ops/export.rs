//! Live values leave a ring, page by page, in the order of their ids.
//!
//! ```text
//! page 1   from the beginning        ids 00… to 3f…     lists of a quorum of each span's holders, then a get of
//! page 2   after the key "dog"       ids 3f… to 80…     each key that lives
//! …        until no next key is named
//! ```
//!
//! The cursor is a key, and the order of ids is the same whoever is in: so a page may be asked of any host, again and
//! again, and across a move. Each value is read by a quorum, like any get. A value written while the export goes on is
//! in it or not, depending on whether its place had been passed.
//!
//! *Hold these true*: a key that lived before the export began, and was left alone until it ended, is in it exactly
//! once; a page ends by its deadline, with what it has if that is anything; it holds one value more than its limit at
//! most, and [`WINDOW`] more are on their way to it, none of more than a piece: such a one is only found, and read piece
//! by piece by whoever asked for the page.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::keyspace::{Id, Span};
use crate::message::{
    ExportPage, Failure, Item, KeyOp, Large, Options, Outcome, Reply, ReqId, Ticket,
};
use crate::placement::{HostId, Placement};
use crate::record::{Key, Now, Summary, Time};
use crate::roster::{Groups, Roster};

use super::super::open::Caller;
use super::super::{Context, Keeper};
use super::lists::{For, Listing};
use super::{MAX_OPERATIONS, too_many};

/// So many values are read at once.
const WINDOW: usize = 8;

/// What a value counts for beside its bytes, so that a page of tiny ones ends, too.
const ITEM_BYTES: u64 = 64;

/// A page on its way.
#[derive(Debug)]
pub(super) struct Export {
    ticket: Ticket,
    max_bytes: u64,
    until: Time,
    options: Options,
    /// Beyond here nothing was listed: keys after this one, from the id after that one.
    from: Id,
    after: Option<Key>,
    /// Whether everything is listed.
    listed: bool,
    /// Live keys that are still to be read, in order.
    keys: VecDeque<Key>,
    /// Those being read, in order, with what came.
    reading: VecDeque<(Key, Option<Came>)>,
    page: Vec<Item>,
    large: Vec<Arc<Large>>,
    /// The last key that is on the page.
    last: Option<Key>,
    bytes: u64,
    failed: Option<Failure>,
}

/// What a get of a listed key has found.
#[derive(Debug)]
enum Came {
    /// Nothing any more.
    Nothing,
    Whole(Item),
    Large(Arc<Large>),
}

/// The pages on their way.
pub(super) type Exports = BTreeMap<ReqId, Export>;

impl Keeper {
    /// A client wants a page of live values.
    pub fn export(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        after: Option<Key>,
        max_bytes: u64,
        options: Options,
    ) {
        if self.roster.is_none() {
            return self.answer(cx, ticket, Err(Failure::NoRing));
        }
        if self.ops.exports.len() >= MAX_OPERATIONS {
            let why = too_many("exports", MAX_OPERATIONS);
            return self.answer(cx, ticket, Err(Failure::Limit(why)));
        }
        let one = Id::from_u64(1);
        let from = after
            .as_ref()
            .map_or(Id::MAX, |key| key.id().wrapping_sub(one));
        let until = cx.now.at + options.deadline.unwrap_or(self.config.deadline * 4);
        let export = Export {
            ticket,
            max_bytes,
            until,
            options,
            from,
            after,
            listed: false,
            keys: VecDeque::new(),
            reading: VecDeque::new(),
            page: Vec::new(),
            large: Vec::new(),
            last: None,
            bytes: 0,
            failed: None,
        };
        let req = self.draw_req();
        self.ops.exports.insert(req, export);
        self.export_on(cx, req);
        self.arm_ops(cx.now.at);
        self.settle_loopback(cx);
    }

    /// Reads on, lists on, or answers.
    fn export_on(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(export) = self.ops.exports.get_mut(&req) else {
            return;
        };
        export.take_what_came();
        if export.is_over() {
            return self.end_export(cx, req);
        }
        let left = export.until.since(cx.now.at);
        let options = Options {
            deadline: Some(left.min(export.options.deadline.unwrap_or(Duration::MAX))),
            ..export.options
        };
        let mut asks = Vec::new();
        while export.reading.len() < WINDOW
            && let Some(key) = export.keys.pop_front()
        {
            asks.push(key.clone());
            export.reading.push_back((key, None));
        }
        let lists = export.reading.is_empty() && !export.listed;
        for key in asks {
            let caller = Caller::Export(req, key.id());
            self.open_one(cx, caller, (key, KeyOp::Open), options, None);
        }
        if lists {
            self.export_list(cx, req);
        }
    }

    /// Asks the holders of the next stretch what they have in it.
    fn export_list(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let (Some(roster), Some(export)) = (self.roster.clone(), self.ops.exports.get(&req)) else {
            return;
        };
        let (span, groups) = stretch(&roster, export.from);
        let after = export.after.clone();
        self.ask_lists(cx, For::Export(req), span, after, groups);
    }

    /// The lists have come, or some of them.
    pub(super) fn export_listed(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        listing: Listing,
        enough: bool,
    ) {
        let now = cx.now;
        let Some(export) = self.ops.exports.get_mut(&req) else {
            return;
        };
        if enough {
            export.list(&listing, now);
            return self.export_on(cx, req);
        }
        if now.at >= export.until {
            export.failed = Some(no_quorum(&listing));
            return self.end_export(cx, req);
        }
        self.export_list(cx, req);
    }

    /// A value was read.
    pub(in crate::keep) fn export_read(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        id: Id,
        reply: Reply,
    ) {
        let Some(export) = self.ops.exports.get_mut(&req) else {
            return;
        };
        let waiting = |(key, came): &&mut (Key, Option<Came>)| key.id() == id && came.is_none();
        let Some((key, came)) = export.reading.iter_mut().find(waiting) else {
            return;
        };
        match reply {
            Ok(Outcome::Value(found)) => {
                let item = |found: crate::message::Found| Item {
                    key: key.clone(),
                    body: found.body,
                    deadline: found.deadline,
                };
                *came = Some(found.map_or(Came::Nothing, |found| Came::Whole(item(found))));
            }
            Ok(Outcome::Large(large)) => *came = Some(Came::Large(large)),
            Ok(other) => export.failed = Some(Failure::Limit(format!("a get was told {other}"))),
            Err(failure) => export.failed = Some(failure),
        }
        self.export_on(cx, req);
    }

    pub(super) fn exports_due(&mut self, cx: &mut Context<'_>) {
        let late = |(_, export): &(&ReqId, &Export)| cx.now.at >= export.until;
        let late = self.ops.exports.iter().filter(late);
        let reqs: Vec<ReqId> = late.map(|(req, _)| *req).collect();
        for req in reqs {
            let lists = self.ops.lists.values();
            let mut waiting = lists.filter(|listing| listing.wanted == For::Export(req));
            let failure = waiting.next().map(no_quorum).unwrap_or_else(|| {
                let why = "the page was not ready in time: ask again, or for a smaller one";
                Failure::Limit(why.into())
            });
            if let Some(export) = self.ops.exports.get_mut(&req) {
                export.failed.get_or_insert(failure);
                self.end_export(cx, req);
            }
        }
    }

    fn end_export(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(export) = self.ops.exports.remove(&req) else {
            return;
        };
        self.drop_lists(For::Export(req));
        let ticket = export.ticket;
        self.answer(cx, ticket, export.reply());
    }
}

impl Export {
    /// Values that came go on the page, in order.
    fn take_what_came(&mut self) {
        while self.bytes < self.max_bytes
            && let Some((key, Some(came))) = self.reading.front_mut()
        {
            let head = ITEM_BYTES + key.bytes().len() as u64;
            match std::mem::replace(came, Came::Nothing) {
                Came::Nothing => {}
                Came::Whole(item) => {
                    self.bytes += head + item.body.len;
                    self.last = Some(item.key.clone());
                    self.page.push(item);
                }
                Came::Large(large) => {
                    self.bytes += head;
                    self.last = Some(large.key.clone());
                    self.large.push(large);
                }
            }
            self.reading.pop_front();
        }
    }

    fn is_over(&self) -> bool {
        let all = self.listed && self.keys.is_empty() && self.reading.is_empty();
        let full = self.bytes >= self.max_bytes && self.last.is_some();
        all || full || self.failed.is_some()
    }

    /// Which keys live, by lists of a quorum, and where the next list begins.
    fn list(&mut self, listing: &Listing, now: Now) {
        let reached = listing.reached();
        let mut all: BTreeMap<(Id, Key), Summary> = BTreeMap::new();
        for (key, summary) in listing.said.values().flat_map(|(list, _)| list) {
            let place = listing.place(key);
            if reached.as_ref().is_none_or(|end| place <= *end) {
                all.entry(place).or_default().merge(*summary);
            }
        }
        let live = all
            .into_iter()
            .filter(|(_, summary)| summary.live(now.wall).is_some());
        self.keys.extend(live.map(|((_, key), _)| key));
        match reached {
            Some((_, key)) => {
                self.from = key.id().wrapping_sub(Id::from_u64(1));
                self.after = Some(key);
            }
            None => {
                self.listed = listing.span.to == Id::MAX;
                (self.from, self.after) = (listing.span.to, None);
            }
        }
    }

    /// What there is, and where the next page begins; a failure only if there is nothing.
    fn reply(self) -> Reply {
        let all = self.listed && self.keys.is_empty() && self.reading.is_empty();
        match (self.failed, self.last) {
            (Some(failure), None) => Err(failure),
            (failed, last) => {
                let done = all && failed.is_none();
                Ok(Outcome::Exported(ExportPage {
                    items: self.page,
                    large: self.large,
                    next: if done { None } else { last },
                }))
            }
        }
    }
}

/// From after an id to the next token of Old or New, or to the end of the circle: who holds it is the same throughout.
fn stretch(roster: &Roster, from: Id) -> (Span, Groups) {
    let first = from.wrapping_add(Id::from_u64(1));
    let end = |placement: &Placement| match placement.owner(first) {
        Ok(token) if token.id >= first => token.id,
        Ok(_) | Err(_) => Id::MAX,
    };
    let to = end(&roster.old().placement).min(end(&roster.new().placement));
    (Span::new(from, to), roster.groups(to))
}

fn no_quorum(listing: &Listing) -> Failure {
    let said = |host: &HostId| listing.said.contains_key(host);
    let groups = listing.groups.groups.iter();
    let needed = groups.map(|group| group.len() / 2 + 1).max();
    let mut silent = listing.groups.hosts();
    silent.retain(|host| !said(host));
    Failure::NoQuorum {
        answered: listing.said.len(),
        needed: needed.unwrap_or(0),
        silent,
    }
}
