//! What people who run a ring ask of it: is it whole, is it well, and what is where?
//!
//! ```text
//! everyone           one host asks all others to do or tell something, and waits for each, but not for ever
//! chores             what a host does when it is asked so: one thing at a time, and says how far it is
//! balance, purge     two such things: copies compared now, old copies dropped now
//! status, views      how this host is; who sees the ring otherwise; whether it may be stopped
//! lists              a page of what several hosts hold
//! probe              one key: what each host that should hold it has
//! export, import     live values leave a ring page by page, and come into another one
//! pause              when a silent host is asked again
//! nearest, throttle  which replica is asked for a value; how fast a move may go
//! ```
//!
//! *Hold these true*: each of these ends by its deadline, and a host that does not answer is named, not waited for;
//! nothing here decides who holds a key or which version wins; a copy is dropped only if all who hold it now say
//! that they have it.

mod balance;
mod chores;
mod count;
mod everyone;
mod export;
mod import;
mod lists;
mod nearest;
mod pause;
mod probe;
mod purge;
mod status;
mod throttle;
mod views;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::ReqId;
use crate::record::Time;

use super::timers::Wake;
use super::{Context, Keeper};

use chores::Chores;
use count::Counts;
use everyone::Everyone;
use export::Exports;
use import::Imports;
use lists::Listing;
use nearest::Speeds;
use probe::Probes;
use throttle::Throttle;
use views::Views;

/// At most so many operations of a kind are under way at one host; one more is refused.
const MAX_OPERATIONS: usize = 64;

/// How long a ring-wide operation may take if nobody says otherwise.
const DEADLINE: Duration = Duration::from_secs(300);

/// All operations of one host.
#[derive(Debug, Default)]
pub(super) struct Ops {
    everyone: BTreeMap<ReqId, Everyone>,
    chores: Chores,
    probes: Probes,
    exports: Exports,
    imports: Imports,
    lists: BTreeMap<ReqId, Listing>,
    counts: Counts,
    pub(super) speeds: Speeds,
    pub(super) throttle: Throttle,
    views: Views,
}

impl Ops {
    fn is_idle(&self) -> bool {
        self.everyone.is_empty()
            && self.chores.is_idle()
            && self.probes.is_empty()
            && self.lists.is_empty()
            && self.exports.is_empty()
    }

    /// What there is of each kind, and how much there may be.
    pub(super) fn sizes(&self) -> [(&'static str, usize, usize); 6] {
        [
            ("ring-wide operations", self.everyone.len(), MAX_OPERATIONS),
            // The one under way is counted once it is done.
            ("chores", self.chores.len(), chores::MAX_CHORES + 1),
            ("checks", self.probes.len(), MAX_OPERATIONS),
            ("exports", self.exports.len(), MAX_OPERATIONS),
            ("imports", self.imports.len(), MAX_OPERATIONS),
            ("views", self.views.len(), views::MAX_VIEWS),
        ]
    }
}

impl Keeper {
    /// Wakes the operations again after a while, as long as one is under way.
    fn arm_ops(&mut self, now: Time) {
        if !self.ops.is_idle() {
            self.timers.set(Wake::Ops, now + self.config.retry);
        }
    }

    /// Operations that wait for others ask again, or end.
    pub(super) fn ops_due(&mut self, cx: &mut Context<'_>) {
        self.everyone_due(cx);
        self.chores_due(cx);
        self.probes_due(cx);
        self.lists_due(cx);
        self.exports_due(cx);
        self.arm_ops(cx.now.at);
    }
}

/// Why one more operation is refused.
fn too_many(what: &str, most: usize) -> String {
    format!("{most} {what} are under way at this host: at most so many; try again")
}
