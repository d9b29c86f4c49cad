//! What do several hosts hold in a stretch of the circle? One page of it, from each.
//!
//! ```text
//! h1 -> h2 h3 h4    ListAsk (20, 30] after cat
//! h1 <- h2 h4       dog cow … (more follow)        the page ends where the shortest list ends
//! h1 <- (h3)        silent                          asked again; after source_patience it is done without
//! ```
//!
//! *Hold these true*: all lists of a page were made under one roster version; a page that is done says who answered.

use std::collections::BTreeMap;

use crate::keyspace::{Id, Span};
use crate::message::{KeepMessage, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::{Key, Summary, Time};
use crate::roster::{Groups, RosterVersion};

use super::super::{Context, Keeper};
use super::pause::Pauses;

/// Keys with their versions, in order, and whether more follow.
pub(super) type List = (Vec<(Key, Summary)>, bool);

/// Who wants the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// The purge under way: every host must say.
    Purge,
    /// That export: a quorum of each group will do.
    Export(ReqId),
}

/// One page, asked of several hosts.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) wanted: For,
    pub(super) at: RosterVersion,
    pub(super) span: Span,
    pub(super) after: Option<Key>,
    /// Who is asked: for an export by group.
    pub(super) groups: Groups,
    pub(super) said: BTreeMap<HostId, List>,
    pauses: Pauses,
    since: Time,
}

/// A key's place in the order of ids, from zero up, then of bytes.
type Place = (Id, Key);

impl Listing {
    /// Whether all have said it who must.
    fn is_done(&self) -> bool {
        let said = |host: HostId| self.said.contains_key(&host);
        match self.wanted {
            For::Purge => self.groups.reached(|group| group, said),
            For::Export(_) => self.groups.reached(|group| group / 2 + 1, said),
        }
    }

    /// The last place that all lists reach; `None`: they all reach the span's end.
    pub(super) fn reached(&self) -> Option<Place> {
        let ends = self.said.values().filter(|(_, more)| *more);
        let ends = ends.filter_map(|(list, _)| list.last());
        ends.map(|(key, _)| self.place(key)).min()
    }

    /// Where a key stands in the order of the span.
    pub(super) fn place(&self, key: &Key) -> Place {
        let first = self.span.from.wrapping_add(Id::from_u64(1));
        (first.distance(key.id()), key.clone())
    }
}

impl Keeper {
    /// Asks for a page under the roster of now.
    pub(super) fn ask_lists(
        &mut self,
        cx: &mut Context<'_>,
        wanted: For,
        span: Span,
        after: Option<Key>,
        groups: Groups,
    ) {
        let req = self.draw_req();
        let at = self.version();
        let listing = Listing {
            wanted,
            at,
            span,
            after,
            groups,
            said: BTreeMap::new(),
            pauses: Pauses::new(cx.now.at, &self.config),
            since: cx.now.at,
        };
        self.ops.lists.insert(req, listing);
        self.ask_list(cx, req);
        self.arm_ops(cx.now.at);
    }

    fn ask_list(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let me = self.me;
        let Some(listing) = self.ops.lists.get(&req) else {
            return;
        };
        let purge = listing.wanted == For::Purge;
        let (at, span) = (listing.at, listing.span);
        let after = listing.after.clone();
        let hosts = listing.groups.hosts().into_iter();
        let silent: Vec<HostId> = hosts
            .filter(|host| !listing.said.contains_key(host))
            .collect();
        for host in silent {
            let after = after.clone();
            // What is to be dropped must be held by those who are whole; our own old copies never are.
            let whole = purge && host != me;
            let ask = KeepMessage::ListAsk {
                req,
                at,
                span,
                after,
                whole,
            };
            self.send(cx, host, ask);
        }
    }

    /// Whether a list belongs to a page.
    pub(in crate::keep) fn is_listing(&self, req: ReqId) -> bool {
        self.ops.lists.contains_key(&req)
    }

    /// A host's list, if it belongs to a page.
    pub(in crate::keep) fn listed(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        result: Result<List, Refusal>,
    ) {
        let Some(listing) = self.ops.lists.get_mut(&req) else {
            return;
        };
        match result {
            Ok(list) => {
                listing.said.insert(from, list);
                if listing.is_done() {
                    self.lists_done(cx, req);
                }
            }
            // Asked again, until it is taken for silent.
            Err(refusal) => self.agree_on_roster(cx, from, refusal),
        }
    }

    /// Lists that have not come are asked for again; after a while it must do without, or with another roster.
    pub(super) fn lists_due(&mut self, cx: &mut Context<'_>) {
        let version = self.version();
        let patience = self.config.source_patience;
        let reqs: Vec<ReqId> = self.ops.lists.keys().copied().collect();
        for req in reqs {
            let Some(listing) = self.ops.lists.get_mut(&req) else {
                continue;
            };
            let late = cx.now.at.since(listing.since) >= patience;
            if listing.at != version || late {
                self.lists_done(cx, req);
            } else if listing.pauses.is_over(cx.now.at, &self.config) {
                self.ask_list(cx, req);
            }
        }
    }

    fn lists_done(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(listing) = self.ops.lists.remove(&req) else {
            return;
        };
        match listing.wanted {
            For::Purge => self.purge_listed(cx, listing),
            For::Export(export) => {
                let enough = listing.is_done() && listing.at == self.version();
                self.export_listed(cx, export, listing, enough);
            }
        }
    }

    /// Whoever wanted pages does not want them any more.
    pub(super) fn drop_lists(&mut self, wanted: For) {
        self.ops.lists.retain(|_, listing| listing.wanted != wanted);
    }
}
