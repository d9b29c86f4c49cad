//! What must hold, looked at where it could break: when a request is done, and in the stores.
//!
//! Versions order all writes, so for *linearizable* it is enough that every request lies where its version
//! says: an answer is at least as new as all that was acknowledged or returned before the request began, and
//! a write is newer than all of it. That needs no memory of single requests, so a case covers any number
//! of gets. Where a write may appear at two versions (a mutant), that argument falls; cases with `history`
//! remember who was done before whom and search for an order that explains every answer.

use super::case::Kind;
use super::state::{OPS, Op, Phase, State, bit, each};
use super::take::same_request;
use super::world::World;

/// A get returned less than was acknowledged or returned before it began.
pub(crate) const STALE: u8 = 1;
/// A write was acknowledged that is not newer than what was so before it began.
pub(crate) const ORDER: u8 = 2;
/// Two writes have one version.
pub(crate) const TWO_VALUES: u8 = 4;
/// A live quorum of the current roster lacks what was acknowledged or returned.
pub(crate) const LOST: u8 = 8;
/// No order of the requests explains the answers.
pub(crate) const HISTORY: u8 = 16;
/// A deleted and collected record came back.
pub(crate) const GHOST: u8 = 32;
/// A value is hidden by an expiry that was not set for it, or by an older value written anew.
pub(crate) const HIDDEN: u8 = 64;
/// A value is shown after an acknowledged expiry.
pub(crate) const SHOWN: u8 = 128;

/// The broken rules in words.
pub(crate) fn words(broken: u8) -> Vec<&'static str> {
    let all = [
        (
            STALE,
            "a get returned less than was promised before it began",
        ),
        (
            ORDER,
            "a write is older than what was promised before it began",
        ),
        (TWO_VALUES, "two writes have one version"),
        (LOST, "a live quorum lacks what was promised"),
        (HISTORY, "no order of the requests explains the answers"),
        (GHOST, "a collected record came back"),
        (HIDDEN, "a value is hidden by what was not meant for it"),
        (SHOWN, "a value is shown after its acknowledged expiry"),
    ];
    all.into_iter()
        .filter(|(bit, _)| broken & bit != 0)
        .map(|(_, words)| words)
        .collect()
}

/// The requests that are done.
pub(crate) fn done(world: &World, state: &State) -> u8 {
    let all = state.ops[..world.case.ops.len()].iter().enumerate();
    all.filter(|(_, op)| op.phase == Phase::Done)
        .map(|(i, _)| bit(i))
        .sum()
}

/// Request `i` has succeeded: its answer goes out now.
pub(crate) fn done_now(world: &World, state: &mut State, i: usize) {
    let op = state.ops[i];
    let kind = world.case.ops[i];
    state.broken |= if kind == Kind::Get {
        answer(world, op)
    } else {
        written(world, kind, op)
    };
    if world.case.history {
        state.ops[i] = Op {
            phase: Phase::Done,
            cells: op.cells,
            before: op.before,
            ..Op::default()
        };
        if !explained(world, state) {
            state.broken |= HISTORY;
        }
        return;
    }
    state.promised = world.words.merged(state.promised, op.cells);
    let phase = if kind == Kind::Get {
        Phase::Idle
    } else {
        Phase::Done
    };
    state.ops[i] = Op {
        phase,
        ..Op::default()
    };
}

fn answer(world: &World, op: Op) -> u8 {
    let words = &world.words;
    let mut broken = 0;
    if !words.covers(op.cells, op.need) {
        broken |= STALE;
    }
    if world.case.rules.ghost && words.version(op.cells) == Some(super::table::ghost()) {
        broken |= GHOST;
    }
    let Some(version) = words.version(op.cells).filter(|version| !version.delete) else {
        return broken;
    };
    // All deadlines have passed. `shown` is the real code's opinion, `meant` follows from the cells.
    let unbound = world.case.rules.unbound && words.expiry(op.cells) != 0;
    let shown = words.shown[usize::from(op.cells)] && !unbound;
    let meant = |cells: u8| {
        words
            .expiry_cell(cells)
            .is_none_or(|cell| cell.of != version)
    };
    if shown != meant(op.cells) {
        broken |= HIDDEN;
    }
    if shown && !meant(op.need) {
        broken |= SHOWN;
    }
    let base = |cells: u8| words.original[usize::from(words.value(cells))];
    if base(op.cells) < base(op.need) {
        broken |= HIDDEN;
    }
    broken
}

fn written(world: &World, kind: Kind, op: Op) -> u8 {
    let words = &world.words;
    let newer = if kind == Kind::Expire {
        let of = words.expiry_cell(op.cells).map(|cell| cell.of);
        of >= words.version(op.need) && words.expiry_cell(op.cells) > words.expiry_cell(op.need)
    } else {
        words.version(op.cells) > words.version(op.need)
    };
    if newer { 0 } else { ORDER }
}

/// Every live quorum of the current roster has what was promised among its stores, each cell by itself: the
/// stores that lack the value are no quorum, nor are those that lack the expiry.
pub(crate) fn stores(world: &World, state: &mut State) {
    let words = &world.words;
    let value = words.pair(words.value(state.promised), 0);
    let expiry = words.pair(0, words.expiry(state.promised));
    for promised in [value, expiry] {
        let lacks = |host: &usize| !words.covers(state.hosts[*host].held, promised);
        let lacking: u8 = each(!state.lost & 31).filter(lacks).map(bit).sum();
        if promised != 0
            && state
                .view(&world.rosters, state.newest)
                .quorum_of_old(lacking)
        {
            state.broken |= LOST;
        }
    }
}

/// Whether there is an order of the done requests, and of any unfinished writes, that respects *before* and in
/// which every get returns the write before it.
fn explained(world: &World, state: &State) -> bool {
    let in_phase = |wanted: &[Phase]| {
        let ops = (0..world.case.ops.len()).filter(|op| wanted.contains(&state.ops[*op].phase));
        ops.map(bit).sum::<u8>()
    };
    let writes = |op: &usize| world.case.ops[*op] != Kind::Get;
    let writes: u8 = (0..world.case.ops.len()).filter(writes).map(bit).sum();
    let done = in_phase(&[Phase::Done]);
    let pending = in_phase(&[Phase::Asking, Phase::Writing]) & writes;
    let search = Search {
        world,
        state,
        done,
        pending,
    };
    search.from(0, None)
}

struct Search<'a> {
    world: &'a World,
    state: &'a State,
    done: u8,
    pending: u8,
}

impl Search<'_> {
    fn from(&self, placed: u8, last: Option<usize>) -> bool {
        if self.done & !placed == 0 {
            return true;
        }
        (0..OPS)
            .filter(|op| (self.done | self.pending) & !placed & bit(*op) != 0)
            .any(|op| {
                let Op { before, cells, .. } = self.state.ops[op];
                if before & !placed != 0 {
                    return false;
                }
                if self.world.case.ops[op] != Kind::Get {
                    return self.from(placed | bit(op), Some(op));
                }
                let version = self.world.words.version(cells);
                let wrote = last.map(|write| self.world.case.version(write, 1, 0));
                let agrees = match (version, wrote) {
                    (None, None) => true,
                    (Some(a), Some(b)) => same_request(a, b),
                    (None, Some(_)) | (Some(_), None) => false,
                };
                agrees && self.from(placed | bit(op), last)
            })
    }
}
