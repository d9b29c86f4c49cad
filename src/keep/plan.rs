//! A roster is adopted: what has this host to merge now, and from whom?
//!
//! One decision, from what is known at that moment. The first line that fits is taken:
//!
//! ```text
//! its store is in doubt       all it holds, from so many others that they meet every quorum, or from all
//! the roster moves            what it gives this host, from a quorum of Old; and what stays, and is closed
//! it is late                  all it holds: something of an earlier move is missing, and nobody noted what
//! its move has settled        what it had not finished of it, from those who hold it now
//! it slept through versions   what changed hands meanwhile; after two moves all it holds
//! ```
//!
//! *Hold these true*: nothing is planned but what the roster gives this host; complete belongs to one version, so no
//! task is taken over complete; a span that was closed stays closed, whatever moves next.

use std::sync::Arc;

use crate::keyspace::{Id, Span};
use crate::placement::{HostId, Piece, pieces};
use crate::roster::{Membership, Roster, same_hosts};

use super::closed::Closed;
use super::doubt::{Doubt, Unfinished};
use super::task::{Mover, Need, Task};

/// What a host knows as it adopts a roster.
#[derive(Debug)]
pub(super) struct Outlook<'a> {
    pub(super) me: HostId,
    /// The roster it lived by till now; none at the start of a life.
    pub(super) lived_by: Option<&'a Roster>,
    pub(super) roster: &'a Roster,
    /// Its part of the move before.
    pub(super) before: Mover,
    /// What its disk says of earlier moves.
    pub(super) unfinished: Unfinished,
}

/// What follows from it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// What its disk has to say from now on.
    pub(super) unfinished: Unfinished,
    /// Whether it is late with these tasks: the roster they come from has settled, or was never heard of.
    pub(super) behind: bool,
}

impl<'a> Outlook<'a> {
    pub(super) fn plan(mut self) -> Plan {
        let slept_since = self.slept_since();
        if self.unfinished.doubt != Doubt::None {
            self.note_gained();
        } else if let Some(lived_by) = slept_since {
            self.note_missed(lived_by);
        }
        let doubtful = self.doubtful();
        if doubtful.is_empty() {
            self.unfinished.doubt = Doubt::None; // It holds nothing to doubt.
        }
        let tasks = if !doubtful.is_empty() {
            doubtful
        } else if self.roster.is_moving() {
            let mut tasks = self.moving();
            tasks.extend(self.staying());
            tasks
        } else if self.unfinished.late {
            self.late()
        } else if self.has_settled() {
            self.went_on()
        } else if let Some(lived_by) = slept_since {
            self.slept_through(lived_by)
        } else {
            Vec::new()
        };
        let behind = !self.unfinished.late
            && self.unfinished.doubt == Doubt::None
            && (slept_since.is_some() || !self.roster.is_moving())
            && !tasks.is_empty();
        Plan {
            tasks,
            unfinished: self.unfinished,
            behind,
        }
    }

    fn follows(&self) -> bool {
        self.before.at.next() == self.roster.version
    }

    /// The roster it lived by, if there were others since of which it has not heard.
    fn slept_since(&self) -> Option<&'a Roster> {
        self.lived_by.filter(|_| !self.follows())
    }

    /// Whether the move it was in has ended well.
    fn has_settled(&self) -> bool {
        let new = self.roster.new();
        let mut tasks = self.before.tasks.iter();
        self.follows() && tasks.all(|task| new.holders(task.piece.span.to) == task.piece.new)
    }

    /// A host slept through versions. If it fell asleep in a move that has succeeded since, what it had not merged
    /// is late; and what a move that it missed gave it is closed, whatever moves now.
    fn note_missed(&mut self, lived_by: &Roster) {
        let (held, me) = (lived_by.held_until(self.roster), self.me);
        let went_through = lived_by.is_moving() && Arc::ptr_eq(held, lived_by.new());
        let unfinished = went_through && !self.before.is_complete();
        if !(unfinished || self.roster.is_moving()) {
            return;
        }
        let mut closed = self.unfinished.closed.clone();
        if went_through {
            closed.add(Closed::of(&self.before.tasks).spans().iter().copied());
        }
        let now = self.roster.old();
        let missed = pieces(&held.placement, held.r(), &now.placement, now.r()).into_iter();
        let came = missed.filter(|piece| piece.new.contains(&me) && !piece.old.contains(&me));
        closed.add(came.map(|piece| piece.span));
        let twice = lived_by.missed_two_moves(self.roster);
        if unfinished || twice || closed != self.unfinished.closed {
            (self.unfinished.late, self.unfinished.closed) = (true, closed);
        }
    }

    /// A host in doubt does not merge what a move gives it. Once it holds that all the same, it is closed.
    fn note_gained(&mut self) {
        let Some(held) = self.lived_by.map(Roster::old) else {
            return;
        };
        let (now, me) = (self.roster.old(), self.me);
        let came = pieces(&held.placement, held.r(), &now.placement, now.r()).into_iter();
        let came = came.filter(|piece| piece.new.contains(&me) && !piece.old.contains(&me));
        let mut closed = self.unfinished.closed.clone();
        closed.add(came.map(|piece| piece.span));
        if closed != self.unfinished.closed {
            (self.unfinished.late, self.unfinished.closed) = (true, closed);
        }
    }

    /// What a host in doubt has to merge before it serves.
    fn doubtful(&self) -> Vec<Task> {
        let old = self.roster.old();
        let need = match self.unfinished.doubt {
            Doubt::None => return Vec::new(),
            Doubt::Lost => Need::OthersOrAll,
            Doubt::Slept => Need::Others,
        };
        let tokens = old.placement.tokens();
        let mine = tokens.filter(|token| old.holds(self.me, token.id));
        let spans = mine.filter_map(|token| Some((token.id, old.placement.span_of(token.id)?)));
        let parts = spans.flat_map(|(id, span)| {
            let parts = self.unfinished.closed.cut(span).into_iter();
            parts.map(move |(part, closed)| (id, part, closed))
        });
        let task = |(id, span, closed): (Id, Span, bool)| {
            let piece = Piece {
                span,
                old: left(old, id),
                new: vec![self.me],
            };
            // Of some that were given up nobody knows what they held: all who are left are needed.
            let given_up = piece.old.len() < old.holders(id).len();
            let all = given_up && need == Need::OthersOrAll;
            // After a power cut its marks are as they were: settings are always synced.
            let task = Task::needing(piece, if all { Need::All } else { need });
            if need == Need::Others || closed {
                task.with_marks(self.me, true)
            } else {
                task
            }
        };
        parts.map(task).collect()
    }

    /// What the move gives this host.
    fn moving(&self) -> Vec<Task> {
        let moves = self.roster.moves().into_iter();
        let mine = moves.filter(|piece| piece.new.contains(&self.me));
        let parts = mine.flat_map(|piece| {
            let parts = self.unfinished.closed.cut(piece.span).into_iter();
            parts.map(move |(span, closed)| {
                let piece = Piece {
                    span,
                    ..piece.clone()
                };
                (piece, closed)
            })
        });
        let task = |(piece, closed): (Piece, bool)| {
            let newcomer = closed || !piece.old.contains(&self.me);
            lossy(self.roster, piece).with_marks(self.me, newcomer)
        };
        parts.map(task).collect()
    }

    /// Spans that stay where they are while others move, and are still closed.
    fn staying(&self) -> Vec<Task> {
        let (old, known) = (self.roster.old(), &self.unfinished.closed);
        let tokens = old.placement.tokens();
        let ours = tokens.filter(|token| !known.is_empty() && old.holds(self.me, token.id));
        let spans = ours.filter_map(|token| old.placement.span_of(token.id));
        let parts = spans.flat_map(|span| known.cut(span));
        let closed = parts.filter(|(_, closed)| *closed);
        let task = |(part, _)| Task::new(held(old, part)).with_marks(self.me, true);
        closed.map(task).collect()
    }

    /// All it holds.
    fn late(&self) -> Vec<Task> {
        let spans = self.roster.spans_of(self.me).into_iter();
        let parts = spans.flat_map(|span| self.unfinished.closed.cut(span));
        let whole = |span| Task::new(held(self.roster.new(), span));
        let task = |(part, closed)| whole(part).with_marks(self.me, closed);
        parts.map(task).collect()
    }

    /// What it had not finished of the move that has settled.
    fn went_on(&mut self) -> Vec<Task> {
        let tasks = std::mem::take(&mut self.before.tasks).into_iter();
        let unfinished = tasks.filter(|task| !task.complete);
        let task = |task: Task| {
            let newcomer = task.is_closed();
            Task::new(settled(task.piece)).with_marks(self.me, newcomer)
        };
        unfinished.map(task).collect()
    }

    /// What has changed hands between the roster it lived by and this settled one. After two moves that is all it holds:
    /// others may have come to a span and gone again, with writes that this host never heard of.
    fn slept_through(&self, lived_by: &Roster) -> Vec<Task> {
        let (old, new) = (lived_by.held_until(self.roster), self.roster.new());
        let twice = lived_by.missed_two_moves(self.roster);
        let missed = pieces(&old.placement, old.r(), &new.placement, new.r()).into_iter();
        let mine = missed.filter(|piece| {
            piece.new.contains(&self.me) && (twice || !same_hosts(&piece.old, &piece.new))
        });
        let task = |piece: Piece| {
            let newcomer = !piece.old.contains(&self.me);
            Task::new(settled(piece)).with_marks(self.me, newcomer)
        };
        mine.map(task).collect()
    }
}

/// The holders of an id that are not given up.
fn left(membership: &Membership, id: Id) -> Vec<HostId> {
    let holders = membership.holders(id).into_iter();
    holders.filter(|host| membership.has(*host)).collect()
}

/// A piece of a move. Of a span whose quorum was given up all that is left is merged.
fn lossy(roster: &Roster, piece: Piece) -> Task {
    let need = if roster.old().is_short(piece.span.to) {
        Need::All
    } else {
        Need::Quorum
    };
    Task::needing(piece, need)
}

/// A span of a membership, to be merged from those who hold it.
fn held(membership: &Membership, span: Span) -> Piece {
    let holders = membership.holders(span.to);
    Piece {
        span,
        old: holders.clone(),
        new: holders,
    }
}

/// Once settled, what is unfinished is merged from those who hold it now.
fn settled(piece: Piece) -> Piece {
    Piece {
        span: piece.span,
        old: piece.new.clone(),
        new: piece.new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Member;
    use crate::roster::{Change, RingId};

    fn member(id: u64) -> Member {
        Member::new([Id::from_u64(id)])
    }

    /// h1 h2 h3 h4 at 10 20 30 40, two copies: (10, 20] is on h2 h3, (20, 30] on h3 h4, (30, 40] on h4 h1, (40, 10] on
    /// h1 h2. Then h5 joins at 25: (20, 25] goes to it and h3, (10, 20] to h2 and it. Settled, moving, settled.
    fn rosters() -> [Roster; 3] {
        let members = (1..=4).map(|host| (HostId(host), member(10 * host)));
        let settled = Roster::settled(RingId(1), members.collect(), 2).unwrap();
        let join = [Change::Join(HostId(5), member(25))];
        let moving = settled.moved(HostId(1), &join).unwrap();
        let done = moving.finished(HostId(1)).unwrap();
        [settled, moving, done]
    }

    fn outlook<'a>(me: u64, lived_by: Option<&'a Roster>, roster: &'a Roster) -> Outlook<'a> {
        Outlook {
            me: HostId(me),
            lived_by,
            roster,
            before: Mover {
                at: lived_by.map_or(roster.version, |before| before.version),
                ..Mover::default()
            },
            unfinished: Unfinished::decode(None),
        }
    }

    /// Start and end of each task's span, from whom it is merged, and whether it is closed.
    type Shown = Vec<(u64, u64, Vec<u64>, bool)>;

    fn shown(plan: &Plan) -> Shown {
        let number = |id: Id| u64::from_be_bytes(id.to_bytes()[12..].try_into().unwrap());
        let hosts = |hosts: &[HostId]| hosts.iter().map(|host| host.0).collect();
        let task = |task: &Task| {
            let Piece { span, old, .. } = &task.piece;
            let (from, to) = (number(span.from), number(span.to));
            (from, to, hosts(old), task.is_closed())
        };
        plan.tasks.iter().map(task).collect()
    }

    #[test]
    fn a_move_brings_the_newcomer_its_spans_and_who_stays_merges_what_changes_hands() {
        let [settled, moving, _] = rosters();
        let plan = outlook(5, None, &moving).plan();
        let both = vec![(10, 20, vec![2, 3], true), (20, 25, vec![3, 4], true)];
        assert_eq!(shown(&plan), both);
        assert!(!plan.behind, "the move is still under way");
        let plan = outlook(3, Some(&settled), &moving).plan();
        assert_eq!(shown(&plan), [(20, 25, vec![3, 4], false)]);
        assert_eq!(plan.tasks[0].sources(HostId(3)), 1);
        assert!(shown(&outlook(1, Some(&settled), &moving).plan()).is_empty());
    }

    #[test]
    fn what_is_unfinished_when_the_move_settles_comes_from_its_new_holders_and_none_is_complete() {
        let [_, moving, done] = rosters();
        let mut next = outlook(5, Some(&moving), &done);
        next.before.tasks = outlook(5, None, &moving).plan().tasks;
        next.before.tasks[0].complete = true;
        let plan = next.plan();
        assert_eq!(shown(&plan), [(20, 25, vec![5, 3], true)]);
        assert!(plan.behind);
        // Given up instead, nothing is left of it.
        let given_up = moving.given_up(HostId(1)).unwrap();
        let mut next = outlook(5, Some(&moving), &given_up);
        next.before.tasks = outlook(5, None, &moving).plan().tasks;
        let plan = next.plan();
        assert!(shown(&plan).is_empty() && !plan.behind);
    }

    #[test]
    fn a_move_that_was_slept_through_is_made_up_for() {
        let [settled, moving, done] = rosters();
        let plan = outlook(3, Some(&settled), &done).plan();
        assert_eq!(shown(&plan), [(20, 25, vec![5, 3], false)]);
        assert!(plan.behind);
        // Who fell asleep in the move, with nothing merged, is late with all it holds, and closed where it is new.
        let mut next = outlook(5, Some(&moving), &done);
        next.before.tasks = outlook(5, None, &moving).plan().tasks;
        next.before.at = settled.version;
        let plan = next.plan();
        let (closed, late) = (&plan.unfinished.closed, plan.unfinished.late);
        let span = |from, to| Span::new(Id::from_u64(from), Id::from_u64(to));
        assert_eq!((closed.spans(), late), (&[span(10, 25)][..], true));
        let both = vec![(10, 20, vec![2, 5], true), (20, 25, vec![5, 3], true)];
        assert_eq!(shown(&plan), both);
    }

    #[test]
    fn two_moves_that_were_slept_through_may_have_gone_there_and_back() {
        let [settled, _, there] = rosters();
        let leave = [Change::Remove(HostId(5))];
        let moving = there.moved(HostId(1), &leave).unwrap();
        let back = moving.finished(HostId(1)).unwrap();
        // h1 holds what it held, with the same others; while h5 was in, they may have been one quorum, and h5 another.
        let plan = outlook(1, Some(&settled), &back).plan();
        let both = vec![(40, 10, vec![1, 2], false), (30, 40, vec![4, 1], false)];
        let mut told = shown(&plan);
        told.sort_by_key(|(from, ..)| std::cmp::Reverse(*from));
        assert_eq!(told, both);
        assert!(plan.behind);
        // If spans move just then, it is late with all it holds once that has ended.
        let plan = outlook(1, Some(&settled), &moving).plan();
        assert!(!plan.unfinished.late, "of one move it knows all");
        let next = back.moved(HostId(1), &[Change::Replicas(3)]).unwrap();
        assert!(outlook(1, Some(&settled), &next).plan().unfinished.late);
    }

    #[test]
    fn a_closed_span_that_stays_while_others_move_is_merged_too() {
        let [settled, moving, _] = rosters();
        let mut next = outlook(1, Some(&settled), &moving);
        let from_35 = [Span::new(Id::from_u64(35), Id::from_u64(40))];
        next.unfinished.late = true;
        next.unfinished.closed.add(from_35);
        let plan = next.plan();
        assert_eq!(shown(&plan), [(35, 40, vec![4, 1], true)]);
        assert_eq!(plan.unfinished.closed.spans(), from_35);
    }

    #[test]
    fn in_doubt_all_it_holds_is_merged_whatever_moves() {
        let [_, moving, done] = rosters();
        for roster in [&moving, &done] {
            for (doubt, need) in [
                (Doubt::Lost, Need::OthersOrAll),
                (Doubt::Slept, Need::Others),
            ] {
                let mut next = outlook(4, None, roster);
                next.unfinished.doubt = doubt;
                let plan = next.plan();
                let spans = shown(&plan);
                let ends: Vec<_> = spans.iter().map(|(from, to, ..)| (*from, *to)).collect();
                let from_25 = if roster.is_moving() { 20 } else { 25 };
                assert_eq!(ends, [(from_25, 30), (30, 40)], "{doubt:?}");
                assert!(plan.tasks.iter().all(|task| task.need == need));
                assert_eq!(plan.unfinished.doubt, doubt);
            }
        }
        // What came to it while it doubted, and it never merged, is closed.
        let mut next = outlook(5, Some(&moving), &done);
        next.unfinished.doubt = Doubt::Lost;
        let plan = next.plan();
        let span = |from, to| Span::new(Id::from_u64(from), Id::from_u64(to));
        assert_eq!(plan.unfinished.closed.spans(), [span(10, 20), span(20, 25)]);
        assert!(plan.tasks.iter().all(Task::is_closed) && plan.tasks.len() == 2);
        // Who holds nothing has nothing to doubt.
        let mut next = outlook(7, None, &done);
        next.unfinished.doubt = Doubt::Lost;
        assert_eq!(next.plan().unfinished.doubt, Doubt::None);
    }
}
