//! What can make no difference any more is forgotten, and what differs by names only is named alike.
//!
//! Two moments from which the same can happen count as one: that, and nothing else, is what makes the
//! searches end.

use super::case::{Case, Kind};
use super::places::View;
use super::state::{HOSTS, Host, ON_THE_WAY, Op, Phase, State, bit, each};
use super::table::Words;

impl State {
    /// Forgets what can make no difference any more.
    pub(crate) fn settle_down(&mut self, case: &Case, words: &Words, rosters: &[View]) {
        let moving = self.view(rosters, self.newest).moving();
        for host in &mut self.hosts {
            if !(moving && host.at == self.newest) {
                host.seal = 0;
                if !case.rules.keeps_complete {
                    host.merged = 0;
                }
            }
        }
        if case.rules.forgets_roster || case.rules.refills_in_place || case.rules.ghost {
            return; // hosts fall back: nothing is ever certain to be over
        }
        self.drop_messages(words, rosters);
        self.retire_hosts(case, rosters);
        self.end_the_stuck(case, rosters);
    }

    /// A message no host can learn from, now or when it joins, is as good as lost, and of two with the same cells the one that was
    /// sent earlier can do all that the other can.
    fn drop_messages(&mut self, words: &Words, rosters: &[View]) {
        let may_move = self.view(rosters, self.newest).may_move;
        let mut kept = [0; ON_THE_WAY];
        let mut n = 0;
        for (i, (sent, cells)) in self.messages().enumerate() {
            let useful = |version: u8| {
                let learns = |host| !words.covers(self.held_at(rosters, host, version), cells);
                each(self.view(rosters, version).all() & self.behind_or_at(version)).any(learns)
            };
            let earlier = self
                .messages()
                .any(|other| other.1 == cells && other.0 < sent);
            if !earlier && (may_move || (sent..=self.newest).any(useful)) {
                kept[n] = self.on_the_way[i];
                n += 1;
            }
        }
        self.on_the_way = kept;
    }

    /// Those who can still answer under a version, or have.
    fn within_reach(&self, version: u8) -> u8 {
        let ops = self.ops.iter().filter(|op| op.at == version);
        ops.fold(self.behind_or_at(version), |set, op| {
            set | op.heard | op.acks
        })
    }

    /// Whether a request under this version can still succeed.
    fn alive(&self, case: &Case, rosters: &[View], version: u8) -> bool {
        case.quorum(self.view(rosters, version), self.within_reach(version))
    }

    /// A store that no quorum needs and that would join empty is as good as gone.
    fn retire_hosts(&mut self, case: &Case, rosters: &[View]) {
        for host in each(!self.view(rosters, self.newest).all() & 31) {
            let serves = |version: &u8| self.view(rosters, *version).all() & bit(host) != 0;
            let mut versions = (self.hosts[host].at..self.newest).filter(serves);
            let gone = self.lost & bit(host) != 0;
            if gone || !versions.any(|version| self.alive(case, rosters, version)) {
                self.hosts[host] = Host {
                    at: self.newest,
                    ..Host::default()
                };
            }
        }
    }

    /// A request that cannot succeed under its roster starts again, if it has not yet written.
    fn end_the_stuck(&mut self, case: &Case, rosters: &[View]) {
        if case.rules.adds_acks || case.rules.stamps_again {
            return;
        }
        for i in 0..case.ops.len() {
            let op = self.ops[i];
            let waits = matches!(op.phase, Phase::Asking | Phase::Writing);
            if !waits || op.at == self.newest || self.alive(case, rosters, op.at) {
                continue;
            }
            if op.phase == Phase::Asking || case.ops[i] == Kind::Get {
                self.ops[i] = Op::default();
            } else {
                self.ops[i].acks = 0;
                self.ops[i].at += 1;
            }
        }
    }

    /// The smallest of the moments that differ from this one by names only.
    pub(crate) fn smallest(&self, case: &Case, renamings: &[[u8; HOSTS]]) -> State {
        let all = renamings.iter().map(|to| self.renamed(to).ordered(case));
        all.min().expect("the identity is a renaming")
    }

    /// Reads leave no trace of their own: two of them may change places.
    fn ordered(mut self, case: &Case) -> State {
        for i in 1..case.ops.len() {
            if !case.history && case.ops[i] == Kind::Get && case.ops[i - 1] == Kind::Get {
                let (a, b) = (self.ops[i - 1], self.ops[i]);
                (self.ops[i - 1], self.ops[i]) = (a.min(b), a.max(b));
            }
        }
        self
    }

    fn renamed(&self, to: &[u8; HOSTS]) -> State {
        let set = |set: u8| each(set).fold(0u8, |all, host| all | 1 << to[host]);
        let mut new = *self;
        for (host, to) in to.iter().enumerate() {
            let old = self.hosts[host];
            new.hosts[usize::from(*to)] = Host {
                merged: set(old.merged),
                ..old
            };
        }
        new.lost = set(self.lost);
        for op in &mut new.ops {
            (op.heard, op.acks) = (set(op.heard), set(op.acks));
        }
        new
    }
}
