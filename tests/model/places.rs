//! The rosters of a case, and what the real code says of them.

use std::collections::BTreeMap;

use roundelay::keyspace::Id;
use roundelay::placement::{HostId, Member};
use roundelay::roster::{Change, Groups, RingId, Roster};

use super::case::Case;
use super::state::{HOSTS, VERSIONS};
use super::table::small;

/// One roster a case can come to, and which sets of hosts are quorums in it.
pub(crate) struct View {
    pub(crate) roster: Roster,
    /// Replicas of the key, as a set of hosts (bit 0 is A).
    pub(crate) old: u8,
    pub(crate) new: u8,
    quorum: [u8; 32],
    /// What may follow: by each wish, by success, by giving up.
    pub(crate) moves: Vec<u8>,
    pub(crate) finished: Option<u8>,
    pub(crate) given_up: Option<u8>,
    /// Whether hosts may still join, now or after what follows.
    pub(crate) may_move: bool,
}

impl View {
    pub(crate) fn all(&self) -> u8 {
        self.old | self.new
    }

    pub(crate) fn moving(&self) -> bool {
        self.roster.is_moving()
    }

    /// Whether these hosts are a quorum of each group.
    pub(crate) fn quorum(&self, hosts: u8) -> bool {
        self.quorum[usize::from(hosts)] & 1 != 0
    }

    pub(crate) fn quorum_of_old(&self, hosts: u8) -> bool {
        self.quorum[usize::from(hosts)] & 2 != 0
    }
}

fn key() -> Id {
    Id::ZERO
}

/// E, D, A, B, C stand clockwise behind the key: who joins becomes its owner.
fn member(host: usize) -> Member {
    let place = [3u64, 4, 5, 2, 1][host];
    Member::new([Id::from_u64(place)])
}

pub(crate) fn host(name: char) -> usize {
    "ABCDE".find(name).unwrap()
}

fn id(host: usize) -> HostId {
    HostId(host as u64)
}

fn view(roster: Roster) -> View {
    let set = |hosts: &[HostId]| hosts.iter().fold(0u8, |set, host| set | 1 << host.0);
    let groups = roster.groups(key());
    let (old, new) = (&groups.groups[0], &groups.groups[groups.groups.len() - 1]);
    assert_eq!(roster.old().quorum(), old.len() / 2 + 1);
    let only = |group: &[HostId]| Groups {
        groups: vec![group.to_vec()],
    };
    let mut quorum = [0; 32];
    for (hosts, bits) in quorum.iter_mut().enumerate() {
        let majority = |n: usize| n / 2 + 1;
        let said = |host: HostId| hosts >> host.0 & 1 == 1;
        *bits = u8::from(groups.reached(majority, said))
            | u8::from(only(old).reached(majority, said)) << 1;
    }
    let (old, new) = (set(old), set(new));
    View {
        roster,
        old,
        new,
        quorum,
        moves: Vec::new(),
        finished: None,
        given_up: None,
        may_move: false,
    }
}

/// All rosters a case can come to; the first is Settled(A B C).
pub(crate) fn rosters(case: &Case) -> Vec<View> {
    let members: BTreeMap<HostId, Member> = (0..3).map(|host| (id(host), member(host))).collect();
    let first = Roster::settled(RingId(1), members, 3).unwrap();
    let mut all = vec![view(first)];
    let mut at = 0;
    while at < all.len() {
        let roster = all[at].roster.clone();
        if usize::try_from(roster.version.0).unwrap() < case.versions.min(VERSIONS) {
            let mut place = |next: Roster| {
                let known = all.iter().position(|view| view.roster == next);
                small(known.unwrap_or_else(|| {
                    all.push(view(next));
                    all.len() - 1
                }))
            };
            let by = id(0);
            let wishes = case.moves.iter().map(|wish| changes(wish));
            let moves = wishes.filter_map(|wish| roster.moved(by, &wish).ok());
            let moves: Vec<u8> = moves.map(&mut place).collect();
            let finished = roster.finished(by).ok().map(&mut place);
            let given_up = roster
                .given_up(by)
                .ok()
                .filter(|_| case.give_up)
                .map(&mut place);
            (all[at].moves, all[at].finished, all[at].given_up) = (moves, finished, given_up);
        }
        at += 1;
    }
    // What follows a roster stands behind it.
    for at in (0..all.len()).rev() {
        let follows = all[at].finished.into_iter().chain(all[at].given_up);
        let later = follows
            .into_iter()
            .any(|next| all[usize::from(next)].may_move);
        all[at].may_move = later || !all[at].moves.is_empty();
    }
    all
}

/// `"+D-A"`: D joins, A is removed.
fn changes(wish: &str) -> Vec<Change> {
    let letters: Vec<char> = wish.chars().collect();
    let one = |pair: &[char]| match pair[0] {
        '+' => Change::Join(id(host(pair[1])), member(host(pair[1]))),
        _ => Change::Remove(id(host(pair[1]))),
    };
    letters.chunks(2).map(one).collect()
}

/// The ways to rename hosts that no roster of the case can tell apart.
pub(crate) fn renamings(rosters: &[View]) -> Vec<[u8; HOSTS]> {
    let role = |host: u8| -> Vec<u8> {
        rosters
            .iter()
            .map(|view| view.old >> host & 1 | (view.new >> host & 1) << 1)
            .collect()
    };
    let mut all = vec![];
    for code in 0..HOSTS.pow(HOSTS as u32) {
        let to: [u8; HOSTS] = std::array::from_fn(|i| small(code / HOSTS.pow(i as u32) % HOSTS));
        let distinct = to.iter().fold(0u8, |set, host| set | 1 << host) == 31;
        if distinct && (0..5u8).all(|host| role(host) == role(to[usize::from(host)])) {
            all.push(to);
        }
    }
    all
}
