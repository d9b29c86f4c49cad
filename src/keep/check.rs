//! Does a keeper keep its own rules?
//!
//! Each module here says what it holds true. What one host can see of that in its own memory is looked at here, between
//! two calls, and told in words with the numbers that contradict each other:
//!
//! ```text
//! h3 lives by v7         requests are asked under v7, each has a deadline, each said host is one that was asked
//! clock at 41 of 90      no write of this life is stamped above 41, and 41 lies within the 90 on disk
//! promised 5.h1          what was accepted, 3.h2, lies at or below it
//! 12 hints in 2 lists    7 + 5 of them, 31 bytes; none for itself; below both limits
//! move of v7             a complete span has its sources, its marks, and asks nobody any more
//! ```
//!
//! [`Keeper::check`] costs about as much as a few messages and runs after each step of a story, a simulation or a
//! sweep; [`Keeper::check_all`] walks all that is held and runs every so many steps.
//!
//! Left out on purpose: what can only be seen from outside (see `lab::check`). A host that broke a rule because it
//! forgot something cannot know it.

mod agree;
mod limits;
mod task;

use std::collections::BTreeMap;

use crate::message::ReqId;
use crate::record::WallMs;
use crate::roster::{RosterVersion, same_hosts};

use super::Keeper;
use super::doubt::Doubt;
use super::open::{Open, Phase};
use super::timers::Wake;

/// The words, unless it holds.
pub(super) fn ensure(holds: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(words()) }
}

impl Keeper {
    /// What must hold of it between two calls, as far as that costs little to see.
    ///
    /// # Errors
    /// What does not, in words.
    pub fn check(&self) -> Result<(), String> {
        ensure(self.loopback.is_empty(), || {
            "a message to itself was left lying".to_owned()
        })?;
        self.check_life()?;
        self.check_adopting()?;
        self.agree.check(self.version())?;
        self.collect.check(self.version())?;
        self.check_limits()?;
        self.own
            .iter()
            .try_for_each(|(req, own)| self.check_own(req, own))?;
        self.open
            .iter()
            .try_for_each(|(req, open)| self.check_open(req, open))
    }

    /// Only a newer roster of the same ring is on its way.
    fn check_adopting(&self) -> Result<(), String> {
        let (Some(adopting), mine) = (&self.adopting, self.version()) else {
            return Ok(());
        };
        let (version, ring) = (adopting.roster.version, adopting.roster.ring);
        ensure(version > mine, || {
            format!("adopts {version}, and lives by {mine}")
        })?;
        let known = self.roster.as_ref().map(|roster| roster.ring);
        ensure(known.is_none_or(|known| known == ring), || {
            "adopts a roster of another ring".to_owned()
        })
    }

    /// The same and what takes a walk through all it holds.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check_all(&self) -> Result<(), String> {
        self.check()?;
        self.marks.check()?;
        self.hints.check(self.me, &self.config)?;
        self.mover.check(self.me, self.config.move_window)?;
        self.check_move()
    }

    /// Stamps lie within what is reserved on disk; requests wait for nothing else.
    fn check_life(&self) -> Result<(), String> {
        let (start, next) = (self.start, self.starting);
        ensure(start == 0 || start == next, || {
            format!("lives its life {start}, and {next} is on disk")
        })?;
        let (above, reserved) = (self.clock.peek(WallMs(0), None), self.clock.reserved());
        ensure(above <= reserved.next(), || {
            format!("its clock is at {above}, beyond the {reserved} it has reserved")
        })
    }

    fn check_open(&self, req: ReqId, open: &Open) -> Result<(), String> {
        let (at, mine) = (open.at, self.version());
        ensure(at == mine || at == RosterVersion::NONE, || {
            format!("{req:?} is asked under {at}, and it lives by {mine}")
        })?;
        ensure(self.timers.is_set(Wake::Open(req)), || {
            format!("{req:?} has no deadline")
        })?;
        let groups = &open.groups.groups;
        let stranger = |host| !groups.iter().any(|group| group.contains(host));
        let mut said: Vec<_> = match &open.phase {
            Phase::Ask { said, .. } | Phase::Fetch { said, .. } => {
                said.iter().map(|(host, _)| *host).collect()
            }
            Phase::Write { acked, .. } => acked.clone(),
        };
        let count = said.len();
        said.sort_unstable();
        said.dedup();
        ensure(count == said.len(), || {
            format!("{req:?} counts an answer twice: {said:?}")
        })?;
        ensure(!said.iter().any(stranger), || {
            format!("{req:?} counts who does not hold its key: {said:?} of {groups:?}")
        })?;
        self.check_stamp(req, open)
    }

    /// What a request writes was stamped once, in this life, by this clock.
    fn check_stamp(&self, req: ReqId, open: &Open) -> Result<(), String> {
        let Phase::Write {
            record,
            back: false,
            ..
        } = &open.phase
        else {
            return Ok(());
        };
        let Some(version) = record.cells.summary().greatest() else {
            return Err(format!("{req:?} writes nothing"));
        };
        let own = version.host == self.me && version.start == self.start;
        let within = version.stamp < self.clock.peek(WallMs(0), None);
        ensure(own && within, || {
            format!("{req:?} writes {version}, which this life's clock has not issued")
        })
    }

    /// Complete belongs to one version; what is merged is what that version gives this host.
    fn check_move(&self) -> Result<(), String> {
        let Some(roster) = &self.roster else {
            return Ok(());
        };
        let (at, version) = (self.mover.at, roster.version);
        ensure(at == version, || {
            format!("is complete or not for {at}, and lives by {version}")
        })?;
        if self.unfinished.doubt != Doubt::None {
            return Ok(());
        }
        for task in &self.mover.tasks {
            let piece = &task.piece;
            let holders = roster.new().holders(piece.span.to);
            let mine = piece.new.contains(&self.me);
            // A closed span that stays while others move is merged for those who had it.
            let stays = task.newcomer
                && roster.is_moving()
                && same_hosts(&roster.old().holders(piece.span.to), &piece.new);
            ensure(mine && (stays || same_hosts(&holders, &piece.new)), || {
                let (span, new) = (piece.span, &piece.new);
                format!("merges {span:#} for {new:?}; by {version} it is {holders:?} who hold it")
            })?;
        }
        Ok(())
    }
}

/// Whether things that are counted are counted right.
pub(super) fn same_count<K: Ord, V>(
    what: &str,
    lists: &BTreeMap<K, V>,
    each: impl Fn(&V) -> usize,
    counted: usize,
) -> Result<(), String> {
    let all: usize = lists.values().map(each).sum();
    ensure(all == counted, || {
        format!("{all} {what}, counted {counted}")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::keep::adopt::Adopting;
    use crate::keep::closed::Closed;
    use crate::keep::config::KeepConfig;
    use crate::keep::open::Caller;
    use crate::keep::task::Task;
    use crate::keep::{Context, Then};
    use crate::keyspace::{Id, Span};
    use crate::message::{
        Ballot, Effects, Envelope, Event, KeepMessage, KeyOp, Options, Reply, Ticket,
    };
    use crate::placement::{HostId, Member, Piece};
    use crate::record::{Cells, Key, Now, Record, Stamp, Time, ValueCell, Version};
    use crate::roster::{Change, RingId, Roster};
    use crate::store::Op;

    pub(super) const ME: HostId = HostId(1);

    /// Nothing that is sent or stored arrives.
    struct Nowhere;

    impl Effects<Then> for Nowhere {
        fn send(&mut self, _: Envelope) {}
        fn store(&mut self, _: Op, _: Then) {}
        fn answer(&mut self, _: Ticket, _: Reply) {}
        fn note(&mut self, _: Event) {}
    }

    pub(super) fn roster() -> Roster {
        let member = |id| Member::new([Id::from_u64(id)]);
        let members = BTreeMap::from([(ME, member(10)), (HostId(2), member(20))]);
        Roster::settled(RingId(1), members, 2).unwrap()
    }

    /// A keeper in its first life, settled, with one request under way.
    fn keeper() -> Keeper {
        let mut keeper = Keeper::new(ME, KeepConfig::default(), 1, &|_| None);
        keeper.start = keeper.starting;
        let roster = roster();
        keeper.mover.at = roster.version;
        keeper.clock.reserve(Stamp(90));
        keeper.roster = Some(Arc::new(roster));
        let now = Now {
            at: Time::ZERO,
            wall: WallMs(0),
        };
        let fx = &mut Nowhere;
        let (caller, key) = (Caller::One(Ticket(1)), Key::new("cow").unwrap());
        let options = Options::default();
        keeper.begin(
            &mut Context { now, fx },
            caller,
            (key, KeyOp::Get),
            options,
            None,
        );
        keeper
    }

    /// What is said of the keeper once it is broken so.
    fn broken(how: impl FnOnce(&mut Keeper)) -> String {
        let mut keeper = keeper();
        assert_eq!(keeper.check_all(), Ok(()));
        how(&mut keeper);
        keeper.check_all().expect_err("a broken state is reported")
    }

    pub(super) fn must_say(words: &str, how: impl FnOnce(&mut Keeper)) {
        let said = broken(how);
        assert!(said.contains(words), "{words}: {said}");
    }

    /// The number of its one request.
    fn req(keeper: &Keeper) -> ReqId {
        keeper.open.iter().next().unwrap().0
    }

    fn open(keeper: &mut Keeper) -> &mut Open {
        let req = req(keeper);
        keeper.open.get_mut(&req).unwrap()
    }

    #[test]
    fn a_life_or_a_roster_that_cannot_be_is_reported() {
        must_say("a message to itself", |keeper| {
            let have = RosterVersion::NONE;
            keeper.loopback.push_back(KeepMessage::RosterAsk { have });
        });
        must_say("lives its life 9", |keeper| keeper.start = 9);
        must_say("adopts v1, and lives by v1", |keeper| {
            let (roster, tell) = (Arc::new(roster()), Vec::new());
            keeper.adopting = Some(Adopting { roster, tell });
        });
        must_say("lacks marks", |keeper| {
            keeper.unfinished.closed = Closed::decode("closed:0a-0b").unwrap();
        });
    }

    #[test]
    fn a_request_without_an_end_or_with_a_wrong_answer_is_reported() {
        must_say("has no deadline", |keeper| {
            let req = req(keeper);
            keeper.timers.clear(Wake::Open(req));
        });
        must_say("is asked under v9", |keeper| {
            open(keeper).at = RosterVersion(9);
        });
        let said = |hosts: &[u64]| Phase::Ask {
            said: hosts
                .iter()
                .map(|host| (HostId(*host), crate::record::Summary::default()))
                .collect(),
            cells: Cells::default(),
        };
        must_say("counts an answer twice", |keeper| {
            open(keeper).phase = said(&[2, 2]);
        });
        must_say("who does not hold its key", |keeper| {
            open(keeper).phase = said(&[2, 3]);
        });
        for (host, stamp) in [(2, 1), (1, 91)] {
            must_say("has not issued", |keeper| {
                let version = Version {
                    stamp: Stamp(stamp),
                    delete: true,
                    host: HostId(host),
                    start: keeper.start,
                };
                let body = None;
                let value = Some(ValueCell { version, body });
                let (key, expiry) = (open(keeper).key.clone(), None);
                open(keeper).phase = Phase::Write {
                    record: Record {
                        key,
                        cells: Cells { value, expiry },
                    },
                    back: false,
                    acked: Vec::new(),
                    refused: Vec::new(),
                    unsure: false,
                };
            });
        }
    }

    #[test]
    fn a_vote_against_a_promise_is_reported() {
        let ballot = |round| Ballot { round, host: ME };
        let join = [Change::Join(HostId(3), Member::new([Id::from_u64(30)]))];
        let next = || Arc::new(roster().moved(ME, &join).unwrap());
        must_say("accepted v2", |keeper| {
            keeper.agree.round = 5;
            keeper.agree.acceptor.version = RosterVersion(2);
            keeper.agree.acceptor.promised = ballot(4);
            keeper.agree.acceptor.accepted = Some((ballot(5), next()));
        });
        must_say("votes on v3, and lives by v1", |keeper| {
            keeper.agree.acceptor.version = RosterVersion(3);
        });
        must_say("no round above 0", |keeper| {
            keeper.agree.acceptor.promised = ballot(4);
        });
    }

    #[test]
    fn a_span_that_is_complete_without_a_reason_is_reported() {
        let task = |new: &[u64]| {
            let piece = Piece {
                span: Span::new(Id::from_u64(10), Id::from_u64(20)),
                old: vec![HostId(1), HostId(2), HostId(3)],
                new: new.iter().map(|host| HostId(*host)).collect(),
            };
            Task::new(piece)
        };
        must_say("is complete from 0 of 1 sources", |keeper| {
            keeper.mover.tasks = vec![task(&[1, 2])];
            keeper.mover.tasks[0].complete = true;
        });
        must_say("merged twice from one host", |keeper| {
            keeper.mover.tasks = vec![task(&[1, 2])];
            keeper.mover.tasks[0].done = vec![HostId(2), HostId(2)];
        });
        must_say("who hold it", |keeper| {
            keeper.mover.tasks = vec![task(&[1, 3])];
        });
        // A span that stays is merged while others move only where it is closed.
        must_say("who hold it", |keeper| {
            let join = [Change::Join(HostId(3), Member::new([Id::from_u64(30)]))];
            let moving = roster().moved(ME, &join).unwrap();
            let moves = moving.moves().remove(0);
            keeper.mover.at = moving.version;
            open(keeper).at = moving.version;
            let piece = Piece {
                new: moves.old.clone(),
                ..moves
            };
            keeper.mover.tasks = vec![Task::new(piece).with_marks(ME, false)];
            keeper.roster = Some(Arc::new(moving));
        });
        must_say("is complete or not for v9", |keeper| {
            keeper.mover.at = RosterVersion(9);
        });
        must_say("closed to writes: true, noted false", |keeper| {
            keeper.mover.tasks = vec![task(&[1, 2]).with_marks(HostId(4), true)];
        });
        must_say("0 sources of a move", |keeper| {
            keeper.mover.reqs.insert(ReqId(7), (0, HostId(2)));
        });
    }
}
