//! Values from elsewhere come into this ring.
//!
//! ```text
//! cat   "meow"              has cat? none       put: a new version of this ring's own
//! dog   "woof"              has dog? v3@h2      left alone, unless it is told to overwrite
//! owl   … until yesterday   expired             left alone
//! ```
//!
//! Versions do not come along: they order the writes of one ring, and another ring's say nothing here. So the same
//! page may be imported again and again: what is there is left alone. That makes an import resumable, and is how two
//! rings that were formed apart become one: export one, import it into the other.
//!
//! *Hold this true*: it is answered when every value of the page is on a quorum, was there, or had expired; if one
//! fails, the import fails with that failure, and what was written stays written.
//!
//! Left out on purpose: compare and set. A client that puts the same absent key at the very moment may lose to the
//! import, as to any other put of that moment.

use std::collections::{BTreeMap, VecDeque};

use crate::message::{
    Expiry, Failure, Imported, Item, KeyOp, Options, Outcome, Reply, ReqId, Ticket,
};

use super::super::open::Caller;
use super::super::{Context, Keeper};
use super::{MAX_OPERATIONS, too_many};

/// So many values are written at once.
const WINDOW: usize = 16;

/// A page on its way in.
#[derive(Debug)]
pub(super) struct Import {
    ticket: Ticket,
    overwrite: bool,
    options: Options,
    waiting: VecDeque<Item>,
    /// Under way, by number: asked whether it is there, then put.
    under_way: BTreeMap<u64, Option<Item>>,
    last: u64,
    count: Imported,
    failed: Option<Failure>,
}

/// The pages on their way in.
pub(super) type Imports = BTreeMap<ReqId, Import>;

impl Keeper {
    /// A client brings values from elsewhere.
    pub fn import(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        items: Vec<Item>,
        overwrite: bool,
        options: Options,
    ) {
        let most = self.config.max_many;
        let refused = if self.roster.is_none() {
            Some(Failure::NoRing)
        } else if self.ops.imports.len() >= MAX_OPERATIONS {
            Some(Failure::Limit(too_many("imports", MAX_OPERATIONS)))
        } else if items.len() > most {
            let why = format!("{} values in one page: at most {most}", items.len());
            Some(Failure::Limit(why))
        } else {
            None
        };
        if let Some(failure) = refused {
            return self.answer(cx, ticket, Err(failure));
        }
        let import = Import {
            ticket,
            overwrite,
            options,
            waiting: items.into(),
            under_way: BTreeMap::new(),
            last: 0,
            count: Imported::default(),
            failed: None,
        };
        let req = self.draw_req();
        self.ops.imports.insert(req, import);
        self.import_on(cx, req);
        self.settle_loopback(cx);
    }

    /// Begins with further values, or answers.
    fn import_on(&mut self, cx: &mut Context<'_>, req: ReqId) {
        loop {
            let Some(import) = self.ops.imports.get_mut(&req) else {
                return;
            };
            if import.failed.is_some() {
                import.waiting.clear();
            }
            if import.under_way.len() >= WINDOW {
                return;
            }
            let Some(item) = import.waiting.pop_front() else {
                break;
            };
            if item
                .deadline
                .is_some_and(|deadline| deadline <= cx.now.wall)
            {
                import.count.expired += 1;
                continue;
            }
            import.last += 1;
            let (number, options) = (import.last, import.options);
            let (key, op) = if import.overwrite {
                import.under_way.insert(number, None);
                put(item)
            } else {
                let key = item.key.clone();
                import.under_way.insert(number, Some(item));
                (key, KeyOp::Has)
            };
            let caller = Caller::Import(req, number);
            self.open_one(cx, caller, (key, op), options, None);
        }
        let done = |import: &Import| import.under_way.is_empty() && import.waiting.is_empty();
        if self.ops.imports.get(&req).is_some_and(done)
            && let Some(import) = self.ops.imports.remove(&req)
        {
            let count = import.count;
            let reply = import.failed.map_or(Ok(Outcome::Imported(count)), Err);
            self.answer(cx, import.ticket, reply);
        }
    }

    /// Whether a key is there was answered, or a value was put.
    pub(in crate::keep) fn imported(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        number: u64,
        reply: Reply,
    ) {
        let Some(import) = self.ops.imports.get_mut(&req) else {
            return;
        };
        let Some(item) = import.under_way.remove(&number) else {
            return;
        };
        match (reply, item) {
            (Ok(Outcome::Version(None)), Some(item)) if import.failed.is_none() => {
                import.under_way.insert(number, None);
                let options = import.options;
                let caller = Caller::Import(req, number);
                return self.open_one(cx, caller, put(item), options, None);
            }
            (Ok(Outcome::Version(Some(_))), Some(_)) => import.count.present += 1,
            (Ok(_), None) => import.count.written += 1,
            (Ok(_), Some(_)) => {}
            (Err(failure), _) => import.failed = Some(import.failed.take().unwrap_or(failure)),
        }
        self.import_on(cx, req);
    }
}

fn put(item: Item) -> (crate::record::Key, KeyOp) {
    let expiry = item.deadline.map(Expiry::At);
    (item.key, KeyOp::Put(item.body, expiry))
}
