//! How a request ends: the answer, or a failure that says what is stored.

use crate::message::{Failure, KeyOp, Outcome, Reply, ReqId, Ticket};
use crate::record::{Key, Summary};

use super::open::{Caller, Open, Phase};
use super::{Context, Keeper};

/// Many keys at once: results come in any order and are answered in the order asked.
#[derive(Debug)]
pub(super) struct Many {
    results: Vec<Option<Reply>>,
    left: usize,
}

impl Many {
    /// Waits for so many results.
    pub(super) fn new(count: usize) -> Many {
        Many {
            results: vec![None; count],
            left: count,
        }
    }
}

impl Keeper {
    /// Tells whoever asked. The request stays only as long as somebody still waits for slow replicas.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>, req: ReqId, reply: Reply) {
        let Some(open) = self.open.get_mut(&req) else {
            return;
        };
        if let Some(caller) = open.caller.take() {
            self.tell(cx, caller, reply);
        }
    }

    /// The same for a request that never began.
    pub fn tell(&mut self, cx: &mut Context<'_>, caller: Caller, reply: Reply) {
        match caller {
            Caller::One(ticket) | Caller::Content(ticket) => self.answer(cx, ticket, reply),
            Caller::Many(ticket, place) => self.one_of_many(cx, ticket, place, reply),
            Caller::Export(req, id) => self.export_read(cx, req, id, reply),
            Caller::Import(req, number) => self.imported(cx, req, number, reply),
            Caller::Upload(ticket, upload) => {
                self.drop_upload(upload);
                self.answer(cx, ticket, reply);
            }
        }
    }

    fn one_of_many(&mut self, cx: &mut Context<'_>, ticket: Ticket, place: usize, reply: Reply) {
        let Some(many) = self.many.get_mut(&ticket) else {
            return;
        };
        if let Some(slot) = many.results.get_mut(place).filter(|slot| slot.is_none()) {
            *slot = Some(reply);
            many.left -= 1;
        }
        if many.left == 0 {
            let results = self
                .many
                .remove(&ticket)
                .map(|many| many.results)
                .unwrap_or_default();
            let results = results.into_iter().flatten().collect();
            self.answer(cx, ticket, Ok(Outcome::Many(results)));
        }
    }

    /// The deadline has passed.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, req: ReqId) {
        let Some(open) = self.open.get(&req) else {
            return;
        };
        let failure = failure(open);
        self.finish(cx, req, Err(failure));
        self.close(req);
    }
}

/// What a request that ran out of time has to say.
fn failure(open: &Open) -> Failure {
    let silent = open.silent();
    if let Phase::Write {
        record,
        back: false,
        acked,
        ..
    } = &open.phase
        && let Some(version) = record.cells.summary().greatest()
    {
        return Failure::Unknown {
            version,
            taken: acked.clone(),
        };
    }
    let (answered, needed) = open.tally();
    Failure::NoQuorum {
        answered,
        needed,
        silent,
    }
}

/// The answer to a write that is confirmed.
pub(super) fn written(open: &Open, summary: Summary) -> Option<Reply> {
    outcome_of_write(&open.op, open.caller?, &open.key, open.existed, summary)
}

/// The same, of its parts.
pub(super) fn outcome_of_write(
    op: &KeyOp,
    caller: Caller,
    key: &Key,
    existed: bool,
    summary: Summary,
) -> Option<Reply> {
    let version = summary.greatest()?;
    Some(Ok(match (op, caller) {
        (KeyOp::Delete, _) => Outcome::Deleted(version, existed),
        (KeyOp::Expire(_), _) => Outcome::Version(Some(version)),
        (_, Caller::Content(_)) => Outcome::StoredContent(key.clone(), version),
        (KeyOp::Put(..) | KeyOp::Get | KeyOp::Open | KeyOp::Has | KeyOp::Ttl, _) => {
            Outcome::Stored(version)
        }
    }))
}
