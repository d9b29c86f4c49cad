//! Large values: whoever receives one pulls it, piece by piece.
//!
//! ```text
//! h1 -> h2   Write 7, 3 MiB, bare            (a put, a hint, a repair or a chunk of a move)
//! h2 -> h1   AskPiece 0 … PieceIs 0 … AskPiece 1 … PieceIs 1 … AskPiece 2 … PieceIs 2
//! h2         puts each piece by in its store; then merges 7: only now is it visible
//! h2 -> h1   Wrote 7
//! ```
//!
//! The roster may pass while the pieces come. What a write, a repair or a move of the last one brings is then not
//! stored: the write is refused like any other that comes too late, and what the next roster gives this host a move of
//! its own brings.
//!
//! So no message is ever longer than a piece, the receiver never has more than one of them in memory, its
//! disk sets the pace, and an upload that is given up leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::{KeepMessage, Refusal, ReqId};
use crate::placement::HostId;
use crate::record::{Cells, Key, Record, Time, Version};
use crate::roster::RosterVersion;
use crate::store::{Done, Op};

use super::open::{Phase, add_piece};
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

/// How often a missing piece is asked for before the pull is given up.
const MAX_PIECE_TRIES: u32 = 20;

/// A value on its way to our store.
#[derive(Debug)]
struct Pull {
    from: HostId,
    /// The question it came with: pieces are asked for under it.
    asked: ReqId,
    record: Record,
    /// How many pieces are put by.
    have: u32,
    /// The next one is on its way to the disk.
    staging: bool,
    /// Our store had no room for a piece.
    full: bool,
    next: Vec<Next>,
    tries: u32,
}

impl Pull {
    /// The piece that is missing next; none while the last one that came is on its way to the disk.
    fn wanted(&self) -> Option<(Version, u32)> {
        let cell = self.record.cells.value.as_ref()?;
        let missing = u64::from(self.have) < cell.body.as_ref()?.piece_count();
        (missing && !self.staging).then_some((cell.version, self.have))
    }

    /// How long that piece must be.
    fn wanted_bytes(&self) -> u64 {
        let value = self.record.cells.value.as_ref();
        let body = value.and_then(|cell| cell.body.as_ref());
        body.map_or(0, |body| body.piece_len(u64::from(self.have)))
    }

    /// Under which name its pieces are put by.
    fn place(&self) -> Option<(Key, Version)> {
        let version = self.record.cells.summary().value?;
        Some((self.record.key.clone(), version))
    }
}

/// The values on their way, each under a question of our own.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    under_way: BTreeMap<ReqId, Pull>,
}

impl Pulls {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }
}

impl Keeper {
    /// Stores a record, pulling its pieces from `from` first if it came bare.
    pub(super) fn keep(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        asked: ReqId,
        record: Record,
        next: Next,
    ) {
        if record.cells.is_whole() {
            let op = self.merge_op(record, &next);
            return self.store(cx, op, next);
        }
        let version = record.cells.summary().value;
        let known = self.pulls.under_way.values_mut().find(|pull| {
            pull.from == from
                && pull.record.key == record.key
                && pull.record.cells.summary().value == version
        });
        if let Some(pull) = known {
            if !pull.next.contains(&next) {
                pull.next.push(next);
            }
            return;
        }
        if self.pulls.under_way.len() >= self.config.max_pulls {
            return self.pull_failed(
                cx,
                next,
                &Refusal::Store("too many large values are on their way here: try again".into()),
                false,
            );
        }
        let own = self.draw_req();
        let pull = Pull {
            from,
            asked,
            record: emptied(record),
            have: 0,
            staging: false,
            full: false,
            next: vec![next],
            tries: 0,
        };
        self.pulls.under_way.insert(own, pull);
        self.ask_piece(cx, own);
    }

    fn ask_piece(&mut self, cx: &mut Context<'_>, own: ReqId) {
        let Some(pull) = self.pulls.under_way.get(&own) else {
            return;
        };
        let Some((version, index)) = pull.wanted() else {
            return;
        };
        let (from, req, key) = (pull.from, pull.asked, pull.record.key.clone());
        let at: Time = cx.now.at + self.config.retry * (1 + pull.tries.min(7));
        self.timers.set(Wake::Pull(own), at);
        self.send(
            cx,
            from,
            KeepMessage::AskPiece {
                req,
                key,
                version,
                index,
            },
        );
    }

    /// A piece has come: for a get we coordinate, or for a value on its way to our store.
    pub(super) fn piece_is(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        req: ReqId,
        (version, index): (Version, u32),
        bytes: Option<Bytes>,
    ) {
        if self.passed_on(cx, (from, req), (version, index), bytes.as_ref()) {
            return;
        }
        // A number names a question of one host only, and a chunk brings many records under one: whose
        // piece this is, its version says.
        let awaited = |cells: &Cells| wanted(cells) == Some((version, index));
        if let Some(open) = self.open.get_mut(&req)
            && let Phase::Fetch { cells, .. } = &mut open.phase
            && awaited(cells)
        {
            let Some(bytes) = bytes else {
                return self.fetch_elsewhere(cx, req);
            };
            if add_piece(cells, index, bytes) {
                self.piece_fetched(cx, req, version);
            }
            return;
        }
        let own = self.pulls.under_way.iter().find(|(_, pull)| {
            pull.from == from && pull.asked == req && pull.wanted() == Some((version, index))
        });
        let Some(own) = own.map(|(own, _)| *own) else {
            return;
        };
        let Some(bytes) = bytes else {
            return self.give_pull_up(cx, own, &Refusal::Below); // It has something newer by now.
        };
        self.put_by(cx, own, (version, index), bytes);
    }

    /// A piece goes to the store; the next one is asked for once it is there.
    fn put_by(
        &mut self,
        cx: &mut Context<'_>,
        own: ReqId,
        (version, index): (Version, u32),
        bytes: Bytes,
    ) {
        let Some(pull) = self.pulls.under_way.get_mut(&own) else {
            return;
        };
        if bytes.len() as u64 != pull.wanted_bytes() {
            return;
        }
        pull.staging = true;
        let stage = Op::Stage {
            key: pull.record.key.clone(),
            version,
            index,
            bytes,
        };
        self.timers.clear(Wake::Pull(own));
        self.store(cx, stage, Next::Staged(own));
    }

    pub(super) fn staged(&mut self, cx: &mut Context<'_>, done: Done, own: ReqId) {
        let Some(pull) = self.pulls.under_way.get_mut(&own) else {
            return;
        };
        if let Done::Failed(error) = done {
            pull.full = error.is_full();
            return self.give_pull_up(cx, own, &Refusal::Store(error.to_string()));
        }
        pull.staging = false;
        pull.have += 1;
        pull.tries = 0;
        let wanted = pull.wanted().is_some();
        if wanted && self.is_for_nothing(own) {
            self.give_pull_up(cx, own, &Refusal::Below);
        } else if wanted {
            self.ask_piece(cx, own);
        } else {
            self.pulled(cx, own);
        }
    }

    /// Whether nobody waits for the value any more but moves that are over, and its place is not ours by the roster we
    /// live by. A place that is still ours the next move may ask for again: it takes up what has come.
    fn is_for_nothing(&self, own: ReqId) -> bool {
        let (Some(pull), Some(roster)) = (self.pulls.under_way.get(&own), &self.roster) else {
            return false;
        };
        let over = |next: &Next| matches!(next, Next::Moved { at, .. } if *at != self.mover.at);
        pull.next.iter().all(over) && !roster.holds(self.me, pull.record.key.id())
    }

    fn pulled(&mut self, cx: &mut Context<'_>, own: ReqId) {
        let Some(mut pull) = self.pulls.under_way.remove(&own) else {
            return;
        };
        let mut used = false;
        for next in std::mem::take(&mut pull.next) {
            if let Next::Wrote { to, req, at, .. } = next
                && self.outlived(at)
            {
                self.too_late(cx, to, req, at);
            } else if let Next::Healed { req, at } = next
                && !self.repairs_at(at)
            {
                self.healed(cx, req, false);
            } else if let Next::Moved { at, .. } = next
                && at != self.mover.at
            {
                // What that move brought is merged by the next one, or belongs to others now.
            } else {
                used = true;
                let op = self.merge_op(pull.record.clone(), &next);
                self.store(cx, op, next);
            }
        }
        if !used {
            self.drop_pieces(cx, &pull);
        }
    }

    /// What was put by is not needed; another pull of the same value may still need it.
    fn drop_pieces(&mut self, cx: &mut Context<'_>, pull: &Pull) {
        let Some((key, version)) = pull.place() else {
            return;
        };
        let place = Some((key.clone(), version));
        if !self
            .pulls
            .under_way
            .values()
            .any(|other| other.place() == place)
        {
            self.store(cx, Op::Unstage(key, version), Next::Nothing);
        }
    }

    /// Whether a write made under that roster may no longer be confirmed: a snapshot given under the next
    /// one may have been taken without it, so confirming it would unseal this source.
    fn outlived(&self, at: RosterVersion) -> bool {
        self.adopting.is_some() || at != self.version()
    }

    /// The pieces came after the roster they were sent under. While the next one is being adopted nothing
    /// is said: the coordinator asks again, and is told then.
    fn too_late(&mut self, cx: &mut Context<'_>, to: HostId, req: ReqId, at: RosterVersion) {
        let ahead = self.roster.as_ref().filter(|roster| roster.version > at);
        if let Some(roster) = ahead.map(Arc::clone) {
            let result = Err(Refusal::Ahead(roster));
            self.send(cx, to, KeepMessage::Wrote { req, at, result });
        }
    }

    /// A piece was asked for and has not come.
    pub(super) fn pull_due(&mut self, cx: &mut Context<'_>, own: ReqId) {
        let Some(pull) = self.pulls.under_way.get_mut(&own) else {
            return;
        };
        pull.tries += 1;
        if pull.tries > MAX_PIECE_TRIES {
            self.give_pull_up(cx, own, &Refusal::Store("the pieces did not come".into()))
        } else {
            self.ask_piece(cx, own)
        }
    }

    fn give_pull_up(&mut self, cx: &mut Context<'_>, own: ReqId, why: &Refusal) {
        self.timers.clear(Wake::Pull(own));
        let Some(mut pull) = self.pulls.under_way.remove(&own) else {
            return;
        };
        for next in std::mem::take(&mut pull.next) {
            self.pull_failed(cx, next, why, pull.full);
        }
        self.drop_pieces(cx, &pull);
    }

    fn pull_failed(&mut self, cx: &mut Context<'_>, next: Next, why: &Refusal, full: bool) {
        if let Next::Healed { req, .. } = next {
            self.healed(cx, req, false);
        } else if let Next::Wrote { to, req, at, .. } = next {
            self.send(
                cx,
                to,
                KeepMessage::Wrote {
                    req,
                    at,
                    result: Err(why.clone()),
                },
            );
        } else if let Next::Moved {
            at,
            task,
            from,
            req,
        } = next
        {
            self.moved_failed(cx, at, (task, from, req), full);
        }
    }
}

/// The piece that is missing next.
pub(super) fn wanted(cells: &Cells) -> Option<(Version, u32)> {
    let cell = cells.value.as_ref()?;
    let body = cell.body.as_ref().filter(|body| !body.is_whole())?;
    Some((cell.version, u32::try_from(body.pieces.len()).ok()?))
}

/// A record that came bare begins without pieces, whatever it brought.
fn emptied(mut record: Record) -> Record {
    if let Some(body) = record
        .cells
        .value
        .as_mut()
        .and_then(|cell| cell.body.as_mut())
    {
        body.pieces.clear();
    }
    record
}
