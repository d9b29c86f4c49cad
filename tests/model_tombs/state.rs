//! One moment: what each replica holds and refuses, and what is under way.

use roundelay::placement::HostId;
use roundelay::record::{ExpiryCell, Guard, Mark, Stamp, Summary, Version, WallMs};

/// A, B and C hold the key; E takes the place of C if there is a move.
pub(crate) const HOSTS: usize = 4;
pub(crate) const E: usize = 3;

/// A moment on all clocks.
pub(crate) fn stamp(clock: u8) -> Stamp {
    Stamp::at(WallMs(clock.into()))
}

/// A put or a delete. `copy`: a value that was stamped anew though it had a version.
pub(crate) fn version(clock: u8, delete: bool, copy: bool) -> Version {
    Version {
        stamp: stamp(clock),
        delete,
        host: HostId(1),
        start: if copy { 2 } else { 1 },
    }
}

pub(crate) fn value(version: Version) -> Summary {
    Summary {
        value: Some(version),
        expiry: None,
    }
}

/// Sets the time to live of a value; without a deadline it lives for ever.
pub(crate) fn expiry(of: Version, clock: u8, deadline: Option<u8>) -> Summary {
    Summary {
        value: None,
        expiry: Some(ExpiryCell {
            of,
            version: version(clock, false, false),
            deadline: deadline.map(|clock| WallMs(clock.into())),
        }),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    pub(crate) held: Summary,
    pub(crate) mark: Mark,
    /// The roster it lives by: 0 ABC, 1 ABC moving to ABE, 2 ABE.
    pub(crate) at: u8,
    /// Whose records it has merged in the move.
    pub(crate) merged: u8,
    /// Whose marks it has.
    pub(crate) learned: u8,
}

impl Host {
    /// Takes a write, or refuses it: the rule of the nodes.
    pub(crate) fn take(&mut self, guard: Guard, new: &Summary) -> bool {
        let admitted = guard.admits(&self.held, new);
        if admitted {
            self.held.merge(*new);
        }
        admitted
    }

    /// Raises its marks, and drops what that allows.
    pub(crate) fn raise(&mut self, mark: Mark) {
        self.mark = self.mark.max(mark);
        self.held = self.held.collected(self.mark.floor);
    }
}

/// A write that was begun: it may arrive anywhere, at any time and often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Write {
    pub(crate) new: Summary,
    pub(crate) at: u8,
    pub(crate) acks: u8,
    pub(crate) done: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    /// Up to which clock; 0: not begun.
    pub(crate) upto: u8,
    pub(crate) at: u8,
    pub(crate) fenced: u8,
    /// How many of the comparisons are done.
    pub(crate) passed: u8,
    pub(crate) floored: u8,
}

/// A read in steps: two answers, then a write-back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Get {
    pub(crate) begun: bool,
    pub(crate) need: Option<Version>,
    pub(crate) heard: u8,
    pub(crate) newest: Summary,
    /// What each said.
    pub(crate) said: [Option<Summary>; 3],
    pub(crate) floor: Stamp,
    pub(crate) acks: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) hosts: [Host; HOSTS],
    pub(crate) writes: Vec<Write>,
    pub(crate) round: Round,
    /// A repair message that is late: what it carries, and its roster.
    pub(crate) copy: Option<(Summary, u8)>,
    pub(crate) newest: u8,
    /// Who was not whole when the move settled, and is not yet.
    pub(crate) late: u8,
    /// The greatest version that was acknowledged or returned.
    pub(crate) promised: Option<Version>,
    /// Whether somebody was promised that the value lives for ever.
    pub(crate) kept: bool,
    /// The deadline: ahead, passed on fast clocks, passed on all.
    pub(crate) time: u8,
    pub(crate) get: Get,
    pub(crate) broken: Option<&'static str>,
}

pub(crate) fn bit(host: usize) -> u8 {
    1 << host
}

pub(crate) fn each(set: u8) -> impl Iterator<Item = usize> {
    (0..HOSTS).filter(move |host| set & bit(*host) != 0)
}

/// Who is a replica under a roster, in either group.
pub(crate) fn replicas(at: u8) -> u8 {
    [0b0111, 0b1111, 0b1011][usize::from(at)]
}

/// Two of ABC, two of ABE, or both.
pub(crate) fn quorum(at: u8, set: u8) -> bool {
    let two = |group: u8| (set & group).count_ones() >= 2;
    (at == 2 || two(0b0111)) && (at == 0 || two(0b1011))
}
