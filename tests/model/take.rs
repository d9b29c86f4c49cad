//! What each step does: the replica's and the coordinator's side of the protocol.

use roundelay::record::{Stamp, Version};

use super::case::Kind;
use super::check;
use super::state::{Host, Op, Phase, State, bit, each};
use super::table::REWRITTEN;
use super::world::{Step, World};

impl World {
    /// The state after a step. None: beyond the bounds of the case, which only mutants reach.
    pub(crate) fn take(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        match step {
            Step::Ask(op, host, version) => {
                self.ask(&mut next, op.into(), host.into(), version)?;
            }
            Step::Arrive(host, version, cells) => {
                self.adopt(&mut next, host.into(), version);
                self.store(&mut next, host.into(), cells);
            }
            Step::Again(op) => self.again(&mut next, op.into()),
            Step::Move(wish) => {
                let roster = state.view(&self.rosters, state.newest).moves[usize::from(wish)];
                choose(&mut next, roster);
            }
            Step::Finish => choose(&mut next, state.view(&self.rosters, state.newest).finished?),
            Step::GiveUp => choose(&mut next, state.view(&self.rosters, state.newest).given_up?),
            Step::Merge(to, from, sealed) => self.merge(&mut next, to.into(), from.into(), sealed),
            Step::Lose(host) => self.lose(&mut next, host.into()),
            Step::Forget(host) => next.hosts[usize::from(host)].at -= 1,
            Step::Drop(host) => {
                let held = &mut next.hosts[usize::from(host)].held;
                *held = self.words.pair(0, self.words.expiry(*held));
            }
        }
        Some(next)
    }

    /// The replica: keep the greater of each cell.
    fn store(&self, state: &mut State, host: usize, cells: u8) {
        let held = &mut state.hosts[host].held;
        *held = self.words.merged(*held, cells);
    }

    /// Durably, before anything is done under it.
    fn adopt(&self, state: &mut State, host: usize, version: u8) {
        if state.hosts[host].at == version {
            return;
        }
        let held = if self.case.rules.ghost {
            state.hosts[host].held
        } else {
            state.held_at(&self.rosters, host, version)
        };
        let moving = state.view(&self.rosters, version).moving();
        let merged = if self.case.rules.keeps_complete {
            state.hosts[host].merged
        } else {
            0
        };
        state.hosts[host] = Host {
            at: version,
            held,
            seal: if moving { held } else { 0 },
            merged,
        };
    }

    fn merge(&self, state: &mut State, to: usize, from: usize, sealed: bool) {
        self.adopt(state, to, state.newest);
        if !self.case.rules.unsealed && state.lost & bit(from) == 0 {
            self.adopt(state, from, state.newest);
        }
        let source = state.hosts[from];
        let cells = if sealed { source.seal } else { source.held };
        let values_only = self.case.rules.moves_values_only;
        let cells = if values_only {
            self.words.pair(self.words.value(cells), 0)
        } else {
            cells
        };
        self.store(state, to, cells);
        state.hosts[to].merged |= bit(from);
    }

    fn lose(&self, state: &mut State, host: usize) {
        state.losses += 1;
        state.hosts[host].held = 0;
        if self.case.rules.refills_in_place {
            state.hosts[host] = Host::default();
        } else {
            state.lost |= bit(host);
        }
    }

    /// A replica answers; with a quorum of answers the coordinator goes on at once.
    fn ask(&self, state: &mut State, i: usize, host: usize, version: u8) -> Option<()> {
        let kind = self.case.ops[i];
        if state.ops[i].phase == Phase::Idle {
            let before = check::done(self, state);
            let (need, before) = if self.case.history {
                (0, before)
            } else {
                (state.promised, 0)
            };
            state.ops[i] = Op {
                phase: Phase::Asking,
                at: version,
                need,
                before,
                ..Op::default()
            };
            if kind == Kind::Put && (self.case.rules.no_query || self.case.sole_writer()) {
                return self.stamp(state, i);
            }
        }
        self.adopt(state, host, version);
        let op = &mut state.ops[i];
        let held = state.hosts[host].held;
        let merged = self.words.merged(op.cells, held);
        if merged != op.cells {
            (op.cells, op.acks) = (merged, 0);
        }
        op.heard |= bit(host);
        if kind == Kind::Get && self.words.covers(held, merged) {
            op.acks |= bit(host);
        }
        let view = state.view(&self.rosters, version);
        let blind = self.case.rules.expires_blindly && kind == Kind::Expire;
        if !blind && !self.case.quorum(view, state.ops[i].heard) {
            return Some(());
        }
        match kind {
            Kind::Get => self.read(state, i),
            Kind::Put | Kind::Delete | Kind::Expire => return self.stamp(state, i),
        }
        Some(())
    }

    /// A get has heard a quorum: answer if a quorum holds the newest, else write it back first.
    fn read(&self, state: &mut State, i: usize) {
        let op = state.ops[i];
        let view = state.view(&self.rosters, op.at);
        if self.case.quorum(view, op.acks) {
            check::done_now(self, state, i);
            return;
        }
        let value = self.words.value(op.cells);
        let cells = if self.case.rules.value_only_back {
            self.words.pair(value, 0)
        } else {
            op.cells
        };
        state.send(op.at, cells);
        if self.case.rules.late_write_back {
            check::done_now(self, state, i);
        } else {
            state.ops[i].phase = Phase::Writing;
            state.ops[i].heard = 0;
        }
    }

    /// A write has heard a quorum: stamp once above all it heard, and send.
    fn stamp(&self, state: &mut State, i: usize) -> Option<()> {
        let op = state.ops[i];
        let clock = self.words.clock[usize::from(op.cells)];
        let seen = self.words.version(op.cells);
        let cells = match self.case.ops[i] {
            Kind::Put | Kind::Delete => self.words.find_value(self.case.version(i, clock, 0))?,
            Kind::Expire => {
                let alive = seen.filter(|_| self.words.shown[usize::from(op.cells)]);
                let Some(seen) = alive else {
                    state.ops[i] = Op::default(); // no such key: nothing to expire
                    return Some(());
                };
                self.expiring(i, op.cells, seen, clock)?
            }
            Kind::Get => unreachable!("a get stamps nothing"),
        };
        let taken = |other: &Op| other.phase == Phase::Writing && other.cells == cells;
        if state.ops.iter().any(taken) {
            state.broken |= check::TWO_VALUES;
        }
        state.ops[i] = Op {
            phase: Phase::Writing,
            cells,
            heard: 0,
            acks: 0,
            ..op
        };
        state.send(op.at, cells);
        Some(())
    }

    fn expiring(&self, i: usize, heard: u8, seen: Version, clock: u8) -> Option<u8> {
        if !self.case.rules.rewrite {
            return self.words.find_expiry(seen, self.case.version(i, clock, 0));
        }
        let from = self.words.original[usize::from(self.words.value(heard))];
        let version = self.case.version(i, clock, REWRITTEN + u32::from(from));
        let value = self.words.find_value(version)?;
        let expiry = self.words.find_expiry(version, version)?;
        Some(self.words.merged(value, expiry))
    }

    /// A coordinator hears from every replica that holds its write under its roster version, and is done when
    /// they are a quorum. An acknowledgement may come late or never, but a request that is done earlier only
    /// binds the others to more, and its write stays on the way.
    pub(crate) fn complete_requests(&self, state: &mut State) {
        for i in 0..self.case.ops.len() {
            let Op {
                phase, at, cells, ..
            } = state.ops[i];
            let deaf = self.case.rules.stamps_again && i == 0; // its acknowledgements are lost
            if phase != Phase::Writing || deaf {
                continue;
            }
            let value_only = self.case.rules.value_only_back && self.case.ops[i] == Kind::Get;
            let sent = if value_only {
                self.words.pair(self.words.value(cells), 0)
            } else {
                cells
            };
            let view = state.view(&self.rosters, at);
            for host in each(view.all() & !state.lost) {
                let Host {
                    at: version, held, ..
                } = state.hosts[host];
                if version == at && self.words.covers(held, sent) {
                    state.ops[i].acks |= bit(host);
                }
            }
            if self.case.quorum(view, state.ops[i].acks) {
                check::done_now(self, state, i);
            }
        }
    }

    /// Without an answer, or refused by a replica that is ahead.
    fn again(&self, state: &mut State, i: usize) {
        let op = state.ops[i];
        let writes = self.case.ops[i] != Kind::Get && op.phase == Phase::Writing;
        let rules = &self.case.rules;
        if writes && rules.stamps_again {
            let cleared = Op {
                cells: 0,
                heard: 0,
                acks: 0,
                phase: Phase::Asking,
                ..op
            };
            state.ops[i] = Op {
                at: op.at + 1,
                ..cleared
            };
        } else if writes {
            let acks = if rules.adds_acks { op.acks } else { 0 };
            state.ops[i] = Op {
                at: op.at + 1,
                acks,
                ..op
            };
        } else if rules.adds_acks && op.phase == Phase::Asking && op.at < state.newest {
            state.ops[i].at += 1;
        } else {
            state.ops[i] = Op::default();
        }
    }
}

fn choose(state: &mut State, roster: u8) {
    state.newest += 1;
    state.rosters[usize::from(state.newest)] = roster;
}

/// Whether two versions were stamped for the same request, by the life that stamped them.
pub(crate) fn same_request(a: Version, b: Version) -> bool {
    let life = |version: Version| (version.host, version.start, version.delete, Stamp(0));
    life(a) == life(b)
}
