//! What a host has to merge in a move: one task a piece of the circle, one source or more a task.

use std::collections::BTreeMap;

use crate::keyspace::{Id, Span};
use crate::message::ReqId;
use crate::placement::{HostId, Piece};
use crate::record::{Key, Time};
use crate::roster::RosterVersion;

/// One source of one piece.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) req: ReqId,
    /// What is being compared or sent now.
    pub(super) span: Span,
    /// Whether spans are compared first, because something of them is here.
    pub(super) walks: bool,
    /// Parts still to be compared, and to be sent.
    pub(super) todo: Vec<Span>,
    pub(super) pulls: Vec<Span>,
    /// Comparisons that the store has not done yet.
    pub(super) checking: usize,
    /// All up to this one are merged, too.
    pub(super) after: Option<Key>,
    /// The last key of the chunk that is being merged.
    pub(super) coming: Option<Key>,
    /// Not asked for the next chunk, because what came must be paid for first.
    pub(super) paused: bool,
    pub(super) asked: Time,
    pub(super) since: Time,
    /// Records of the last chunk that are not merged yet.
    pub(super) merging: usize,
    /// Whether more follows the last chunk; `None` while it is awaited.
    pub(super) more: Option<bool>,
    /// A record could not be merged: the source is passed over.
    pub(super) failed: bool,
    /// Our store had no room for a record: the chunk is asked for again, later.
    pub(super) full: bool,
}

/// How many of a piece's holders have to be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A quorum, this host itself counted if it is one of them.
    Quorum,
    /// So many others that they meet every quorum, itself not counted: its store is not believed.
    Others,
    /// The same, if so many others believe theirs; or every other one, whether it does or not.
    OthersOrAll,
    /// Every other one.
    All,
}

/// One piece of the circle that this host has to merge.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) piece: Piece,
    pub(super) need: Need,
    pub(super) done: Vec<HostId>,
    pub(super) active: BTreeMap<HostId, Source>,
    /// Up to which id everything of a source is merged that is not done.
    pub(super) reached: BTreeMap<HostId, Id>,
    /// Sources passed over because they were silent; tried again when no other is left.
    pub(super) silent: Vec<HostId>,
    /// Sources that do not believe their own stores.
    pub(super) doubting: Vec<HostId>,
    pub(super) complete: bool,
    /// From how many other hosts this one needs fences and floors.
    pub(super) marks_needed: usize,
    /// Whose it durably holds.
    pub(super) marked: Vec<HostId>,
    /// Whether this host comes to the span and takes nothing for it before that.
    pub(super) newcomer: bool,
}

/// This host's part of a move.
#[derive(Debug, Default)]
pub(super) struct Mover {
    pub(super) at: RosterVersion,
    pub(super) tasks: Vec<Task>,
    pub(super) reqs: BTreeMap<ReqId, (usize, HostId)>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// Records from before that a source confirmed.
    pub(super) reused: u64,
    pub(super) said: bool,
    pub(super) waiting_for: Option<HostId>,
    /// Whom a trace has been told of already.
    pub(super) told: Vec<HostId>,
    /// When whom was asked for marks.
    pub(super) marks_asked: BTreeMap<HostId, Time>,
    /// Whose marks are on their way to the disk, and for which spans it lacked them.
    pub(super) learning: BTreeMap<HostId, Vec<Span>>,
    /// Whether some span is still closed to writes: see [`Task::is_closed`].
    pub(super) closed: bool,
    /// When it is tried again whether our store has room.
    pub(super) full_until: Option<Time>,
    /// When its places were last noted on disk.
    pub(super) noted: Time,
}

impl Task {
    pub(super) fn new(piece: Piece) -> Task {
        Task::needing(piece, Need::Quorum)
    }

    pub(super) fn needing(piece: Piece, need: Need) -> Task {
        Task {
            piece,
            need,
            done: Vec::new(),
            active: BTreeMap::new(),
            reached: BTreeMap::new(),
            silent: Vec::new(),
            doubting: Vec::new(),
            complete: false,
            marks_needed: 0,
            marked: Vec::new(),
            newcomer: false,
        }
    }

    /// The same with the fences and floors of a quorum of Old, itself counted if it is in Old and believes itself. A
    /// newcomer whose move has settled without it is in Old, and has none yet: still those of the others will do, for
    /// no round of collection ends before all holders are whole, so whoever has its marks has all there are.
    pub(super) fn with_marks(mut self, me: HostId, newcomer: bool) -> Task {
        self.marks_needed = match self.need {
            Need::Others => self.others_that_meet_quorums(),
            Need::Quorum | Need::OthersOrAll | Need::All => self.needed(me),
        };
        self.newcomer = newcomer;
        self
    }

    /// Whether it lacks marks of a quorum of Old.
    pub(super) fn is_unmarked(&self) -> bool {
        !self.complete && self.marked.len() < self.marks_needed
    }

    /// Whether this host takes nothing for the span yet: an old write that it let in now might undo a delete
    /// that all others have collected.
    pub(super) fn is_closed(&self) -> bool {
        self.newcomer && self.is_unmarked()
    }

    /// Whether the marks of that host are still of use.
    pub(super) fn wants_marks_of(&self, host: HostId) -> bool {
        self.is_unmarked() && self.piece.old.contains(&host) && !self.marked.contains(&host)
    }

    // region: needed
    /// How many other hosts this one must merge from: a quorum of Old, itself counted if it is in Old.
    pub(super) fn needed(&self, me: HostId) -> usize {
        let quorum = if self.piece.old.is_empty() {
            0
        } else {
            self.piece.old.len() / 2 + 1
        };
        quorum - usize::from(quorum > 0 && self.piece.old.contains(&me))
    }
    // endregion: needed

    /// Whether its first source is asked alone: what that sends need not come from a second one, too.
    pub(super) fn is_first_alone(&self, me: HostId) -> bool {
        !self.takes_all() && self.done.is_empty() && !self.piece.old.contains(&me)
    }

    /// Whether that source is asked for digests first, because something of the span is here: it stays here, lies on
    /// the shelf, or another source has sent it. Of a span whose quorum was given up all that is left is sent.
    pub(super) fn is_compared(&self, me: HostId, shelf: bool, host: HostId) -> bool {
        let stays = shelf || self.piece.old.contains(&me);
        let sent = !self.done.is_empty() || !self.reached.is_empty();
        !self.takes_all() && (stays || (sent && !self.reached.contains_key(&host)))
    }

    /// How many other hosts this one must merge from.
    pub(super) fn sources(&self, me: HostId) -> usize {
        let others = self.piece.old.iter().filter(|host| **host != me).count();
        if self.takes_all() {
            others
        } else if self.need == Need::Quorum {
            self.needed(me)
        } else {
            self.others_that_meet_quorums()
        }
    }

    /// A source says that it does not believe its own store.
    pub(super) fn doubts(&mut self, host: HostId) {
        if !self.doubting.contains(&host) {
            self.doubting.push(host);
        }
    }

    /// Whether every other one has to be merged, whatever it thinks of its store.
    pub(super) fn takes_all(&self) -> bool {
        let believing = || {
            let others = self.piece.old.len().saturating_sub(1);
            others.saturating_sub(self.doubting.len())
        };
        self.need == Need::All
            || (self.need == Need::OthersOrAll && believing() < self.others_that_meet_quorums())
    }

    /// How many others than this host, which is in Old but does not believe itself, meet every quorum of Old: of four
    /// replicas three are a quorum, two of them others, so two of the three others miss none.
    fn others_that_meet_quorums(&self) -> usize {
        let old = self.piece.old.len();
        (old - old / 2).min(old.saturating_sub(1))
    }

    /// The next source to ask: one not known to be down rather than one that is, then one that may be asked for more
    /// now, and of those that were passed over the one whose turn is longest ago, so that whoever comes back is asked
    /// again.
    pub(super) fn next_source(
        &self,
        me: HostId,
        down: impl Fn(HostId) -> bool,
        busy: impl Fn(HostId) -> bool,
    ) -> Option<HostId> {
        let free = |host: &HostId| {
            *host != me && !self.done.contains(host) && !self.active.contains_key(host)
        };
        let turn = |host: &HostId| self.silent.iter().position(|other| other == host);
        let sources = self.piece.old.iter().copied().filter(free);
        let rank = |host: &HostId| {
            let turn = turn(host).map_or(0, |turn| turn + 1);
            (down(*host), busy(*host), turn)
        };
        sources.min_by_key(rank)
    }
}

impl Mover {
    /// How many pulls from that source are under way.
    pub(super) fn pulls_from(&self, host: HostId) -> usize {
        let hosts = self.reqs.values().map(|(_, source)| *source);
        hosts.filter(|source| *source == host).count()
    }

    /// How many of them the busiest source has.
    pub(super) fn most_pulls(&self) -> usize {
        let hosts = self
            .reqs
            .values()
            .map(|(_, source)| self.pulls_from(*source));
        hosts.max().unwrap_or(0)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.tasks.iter().all(|task| task.complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_merges_from_a_quorum_of_old_counting_itself() {
        let hosts = |numbers: &[u64]| numbers.iter().map(|n| HostId(*n)).collect::<Vec<_>>();
        for (old, me, needed) in [
            (&[1, 2, 3][..], 4, 2), // a newcomer: two of the three
            (&[1, 2, 3], 2, 1),     // one that stays is a source to itself
            (&[1, 2, 3, 4], 5, 3),
            (&[1], 2, 1),
            (&[1], 1, 0),
            (&[], 1, 0), // a ring that was empty
        ] {
            let span = Span::whole(Id::ZERO);
            let (old, new) = (hosts(old), vec![HostId(me)]);
            let shown = format!("{old:?} to h{me}");
            let task = Task::new(Piece { span, old, new });
            assert_eq!(task.needed(HostId(me)), needed, "{shown}");
        }
    }

    #[test]
    fn a_late_newcomer_needs_the_marks_of_no_more_hosts_than_a_quorum_has_beside_it() {
        let hosts = |r: u64| (1..=r).map(HostId).collect::<Vec<_>>();
        for (r, me, late, slept) in [
            (1, 1, 0, 0),
            (2, 1, 1, 1),
            (3, 1, 1, 2), // one of the others may be lost for good
            (4, 1, 2, 2),
            (5, 1, 2, 3),
            (3, 9, 2, 2), // it is not in Old
        ] {
            for (need, needed) in [(Need::Quorum, late), (Need::Others, slept)] {
                let (span, old) = (Span::whole(Id::ZERO), hosts(r));
                let new = vec![HostId(me)];
                let task = Task::needing(Piece { span, old, new }, need);
                let task = task.with_marks(HostId(me), true);
                assert_eq!(task.marks_needed, needed, "{need:?} of {r}, h{me}");
                assert_eq!(task.is_closed(), needed > 0);
            }
        }
    }

    /// Of how many others a store that lost writes needs what they have, if so many of them do not believe theirs.
    #[test]
    fn who_lost_writes_takes_all_if_too_few_believe_themselves() {
        for (r, doubting, needed, all) in [
            (1u64, 0u64, 0, false),
            (2, 0, 1, false),
            (2, 1, 1, true),
            (3, 0, 2, false),
            (3, 1, 2, true),
            (4, 0, 2, false),
            (4, 1, 2, false),
            (4, 2, 3, true),
            (5, 0, 3, false),
            (5, 1, 3, false),
            (5, 2, 4, true),
        ] {
            let (span, old) = (Span::whole(Id::ZERO), (0..r).map(HostId).collect());
            let new = vec![HostId(0)];
            let mut task = Task::needing(Piece { span, old, new }, Need::OthersOrAll);
            for host in 1..=doubting {
                task.doubts(HostId(host));
                task.doubts(HostId(host));
            }
            let shown = format!("{doubting} of {r}");
            assert_eq!(task.takes_all(), all, "{shown}");
            assert_eq!(task.sources(HostId(0)), needed, "{shown}");
        }
    }

    /// Every quorum of r, less the host that does not believe itself, has one in common with any so many others.
    #[test]
    fn so_many_others_meet_every_quorum_and_one_less_does_not() {
        for r in 1u32..=7 {
            let hosts: Vec<HostId> = (0..u64::from(r)).map(HostId).collect();
            let span = Span::whole(Id::ZERO);
            let new = vec![HostId(0)];
            let task = Task::needing(
                Piece {
                    span,
                    old: hosts,
                    new,
                },
                Need::Others,
            );
            let needed = u32::try_from(task.sources(HostId(0))).unwrap();
            let meets = |count: u32| {
                let sets = |size| (0u32..1 << r).filter(move |set| set.count_ones() == size);
                let others = sets(count).filter(|set| set & 1 == 0);
                let mut pairs = others.flat_map(|others| sets(r / 2 + 1).map(move |q| (others, q)));
                // What only this host has is gone with its store.
                pairs.all(|(others, quorum)| others & quorum != 0 || quorum == 1)
            };
            assert!(meets(needed), "{needed} of {r}");
            assert!(
                needed == 0 || !meets(needed - 1),
                "{needed} of {r}: one less is enough"
            );
        }
    }
}
