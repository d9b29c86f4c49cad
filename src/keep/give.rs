//! Large values: whoever has one gives it, piece by piece, to a host that pulls it.
//!
//! ```text
//! h2 -> h1   AskPiece 1 of 7     a client sends it to h1 now        from the request
//!                                h1 keeps a hint for h2             from the hint
//!                                h1 passes on what h3 has           asked of h3
//!                                h1 has stored it                   from its store
//! h1 -> h2   PieceIs 1, or that there is none: something newer is stored by now
//! ```
//!
//! *Hold these true*: a piece is of the version that was asked for, or none; a request whose value a replica pulls has
//! time as long as that gets on.

use crate::message::{KeepMessage, ReqId};
use crate::placement::HostId;
use crate::record::{Cells, Key, Version};
use crate::store::{Done, Op};

use bytes::Bytes;

use super::open::Phase;
use super::then::Next;
use super::timers::Wake;
use super::{Context, Keeper};

impl Keeper {
    /// Somebody pulls a value from us: an upload we coordinate, a hint we keep, or what we have stored.
    pub(super) fn piece_asked(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        (req, index): (ReqId, u32),
        key: &Key,
        version: Version,
    ) {
        self.pull_goes_on(cx, from, (req, index));
        let open = self.open.get(&req).and_then(|open| match &open.phase {
            Phase::Write { record, .. } => Some(&record.cells),
            Phase::Ask { .. } | Phase::Fetch { .. } => None,
        });
        let here = open.and_then(|cells| piece_of(cells, version, index));
        let hint = || piece_of(self.hints.find(from, key)?, version, index);
        if let Some(bytes) = here.or_else(hint) {
            let bytes = Some(bytes);
            let piece = KeepMessage::PieceIs {
                req,
                version,
                index,
                bytes,
            };
            return self.send(cx, from, piece);
        }
        if self.relayed(cx, from, (req, index), key, version) {
            return;
        }
        let (key, at) = self.piece_place(req, key, version);
        let op = Op::Piece {
            key,
            version: at,
            index,
        };
        let next = Next::Piece {
            to: from,
            req,
            version,
            index,
        };
        self.store(cx, op, next);
    }

    /// A replica gets on with a value that is not in the request: so it has time for the next piece.
    fn pull_goes_on(&mut self, cx: &mut Context<'_>, from: HostId, (req, index): (ReqId, u32)) {
        let open = self.open.get_mut(&req).filter(|open| open.is_bare());
        let Some(open) = open else { return };
        let known = open.pulled.iter_mut().find(|(host, _)| *host == from);
        let before = match known {
            Some((_, pieces)) => std::mem::replace(pieces, index.saturating_add(1).max(*pieces)),
            None => {
                open.pulled.push((from, index.saturating_add(1)));
                0
            }
        };
        if index < before {
            return;
        }
        if open.caller.is_some() {
            open.deadline = open.deadline.max(cx.now.at + open.patience);
        } else {
            let due = cx.now.at + self.config.hint_after;
            self.timers.set(Wake::Open(req), due);
        }
    }

    pub(super) fn stored_piece(
        &mut self,
        cx: &mut Context<'_>,
        done: Done,
        (to, req): (HostId, ReqId),
        version: Version,
        index: u32,
    ) {
        let bytes = if let Done::Piece(bytes) = done {
            bytes
        } else {
            None
        };
        let piece = KeepMessage::PieceIs {
            req,
            version,
            index,
            bytes,
        };
        self.send(cx, to, piece);
    }
}

fn piece_of(cells: &Cells, version: Version, index: u32) -> Option<Bytes> {
    let cell = cells
        .value
        .as_ref()
        .filter(|cell| cell.version == version)?;
    cell.body
        .as_ref()?
        .pieces
        .get(usize::try_from(index).ok()?)
        .cloned()
}
