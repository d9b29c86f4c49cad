//! One moment of the model: what the hosts hold, where the requests stand, what is on the way.

use std::hash::{Hash, Hasher};

use super::places::View;

pub(crate) const HOSTS: usize = 5;
pub(crate) const VERSIONS: usize = 5;
pub(crate) const OPS: usize = 4;
pub(crate) const ON_THE_WAY: usize = 10;

/// A store with an identity.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host {
    /// The roster it has durably adopted.
    pub(crate) at: u8,
    /// The cells it holds.
    pub(crate) held: u8,
    /// What it held when it adopted the present Moving roster: the weakest snapshot it can give.
    pub(crate) seal: u8,
    /// The sources it has merged for the present move.
    pub(crate) merged: u8,
}

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Not begun, or begun and forgotten: nothing depends on it.
    #[default]
    Idle,
    /// At least one replica has answered.
    Asking,
    /// A write is stamped and sent, or a read writes back.
    Writing,
    Done,
}

/// One client request and its coordinator.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Op {
    pub(crate) phase: Phase,
    /// The roster version it is made under.
    pub(crate) at: u8,
    /// Asking: the merge of what it heard. Writing: what it writes. Done: what it wrote or returned.
    pub(crate) cells: u8,
    /// Who answered the question.
    pub(crate) heard: u8,
    /// Who is known to hold `cells`.
    pub(crate) acks: u8,
    /// The merge of all that was acknowledged or returned before it began.
    pub(crate) need: u8,
    /// The requests that were done before it began (kept with `Case::history` only).
    pub(crate) before: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    /// The rosters chosen so far, by version.
    pub(crate) rosters: [u8; VERSIONS],
    pub(crate) newest: u8,
    pub(crate) hosts: [Host; HOSTS],
    /// Stores that are gone for good.
    pub(crate) lost: u8,
    pub(crate) losses: u8,
    /// Writes that may still arrive, once or often: roster version and cells, greatest first.
    pub(crate) on_the_way: [u16; ON_THE_WAY],
    pub(crate) ops: [Op; OPS],
    /// The merge of all that was acknowledged or returned.
    pub(crate) promised: u8,
    /// The rules found broken (`check`).
    pub(crate) broken: u8,
}

/// One write of all bytes: several times faster than field by field.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut bytes = [0u8; 96];
        let mut at = 0;
        let mut put = |more: &[u8]| {
            bytes[at..at + more.len()].copy_from_slice(more);
            at += more.len();
        };
        put(&self.rosters);
        put(&[
            self.newest,
            self.lost,
            self.losses,
            self.promised,
            self.broken,
        ]);
        for host in &self.hosts {
            put(&[host.at, host.held, host.seal, host.merged]);
        }
        for write in &self.on_the_way {
            put(&write.to_le_bytes());
        }
        for op in &self.ops {
            put(&[
                op.phase as u8,
                op.at,
                op.cells,
                op.heard,
                op.acks,
                op.need,
                op.before,
            ]);
        }
        hasher.write(&bytes);
    }
}

/// The hosts of a set.
pub(crate) fn each(set: u8) -> impl Iterator<Item = usize> {
    (0..HOSTS).filter(move |host| set >> host & 1 == 1)
}

pub(crate) fn bit(host: usize) -> u8 {
    1 << host
}

impl State {
    pub(crate) fn first() -> State {
        State {
            rosters: [0; VERSIONS],
            newest: 0,
            hosts: [Host::default(); HOSTS],
            lost: 0,
            losses: 0,
            on_the_way: [0; ON_THE_WAY],
            ops: [Op::default(); OPS],
            promised: 0,
            broken: 0,
        }
    }

    pub(crate) fn view<'a>(&self, rosters: &'a [View], version: u8) -> &'a View {
        &rosters[usize::from(self.rosters[usize::from(version)])]
    }

    /// The live hosts that have adopted nothing newer than this version.
    pub(crate) fn behind_or_at(&self, version: u8) -> u8 {
        (0..HOSTS)
            .filter(|host| self.hosts[*host].at <= version)
            .map(bit)
            .sum::<u8>()
            & !self.lost
    }

    /// What a host shows under a version it adopts now or has adopted. Who joins shows nothing of an earlier
    /// life: that is a head start, invisible until sources confirm it.
    pub(crate) fn held_at(&self, rosters: &[View], host: usize, version: u8) -> u8 {
        let Host { at, held, .. } = self.hosts[host];
        let joins = at < version && self.view(rosters, version).old & bit(host) == 0;
        if joins { 0 } else { held }
    }

    /// A message that may be lost, late, or doubled is simply one that stays deliverable; whoever keeps it as
    /// a hint sends it again under a newer roster.
    pub(crate) fn send(&mut self, version: u8, cells: u8) {
        let message = (u16::from(version) + 1) << 8 | u16::from(cells);
        if self.on_the_way.contains(&message) {
            return;
        }
        let free = self.on_the_way.iter().position(|message| *message == 0);
        self.on_the_way[free.expect("room for every message of the case")] = message;
        self.on_the_way.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The messages under way, as (roster version, cells).
    pub(crate) fn messages(&self) -> impl Iterator<Item = (u8, u8)> + use<> {
        let messages = self
            .on_the_way
            .into_iter()
            .take_while(|message| *message != 0);
        messages.map(|message| {
            let [cells, version] = message.to_le_bytes();
            (version - 1, cells)
        })
    }
}
