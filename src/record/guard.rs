//! May this write still come in, or has what it would undo been collected?
//!
//! A tombstone that is dropped can no longer beat an old value that arrives late. So a replica keeps two
//! stamps for each stretch of the circle: no write at or below its *fence* comes in any more, but by repair;
//! and what was deleted or expired at or below its *floor* is gone for good. A round of collection raises
//! the fence at every replica, makes them equal below it, then raises the floor:
//!
//! ```text
//!                    floor 20                fence 50
//! ──────────────────────┼────────────────────────┼──────────────────> stamps
//!  only what is known   │  only by repair,        │  everything
//!  here already         │  no new expiry cells    │
//! ```
//!
//! *Hold these true*: a fence never lies below its floor; both only rise; what a replica holds already, or
//! holds newer, is confirmed whatever the marks say.
//!
//! Left out on purpose: by which road a version was first written does not matter, only by which it comes now.

use super::{Cells, ExpiryCell, Stamp, Summary};

/// The fence and the floor of one stretch of the circle at one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Writes at or below it come in by repair only.
    pub fence: Stamp,
    /// Nothing at or below it comes in; what was deleted or expired there is gone.
    pub floor: Stamp,
}

impl Mark {
    /// Nothing was ever collected.
    pub const NONE: Mark = Mark {
        fence: Stamp(0),
        floor: Stamp(0),
    };

    /// A fence without a floor of its own.
    #[must_use]
    pub const fn fence(at: Stamp) -> Mark {
        Mark {
            fence: at,
            floor: Stamp(0),
        }
    }

    /// A floor, and the fence that goes with it.
    #[must_use]
    pub const fn floor(at: Stamp) -> Mark {
        Mark {
            fence: at,
            floor: at,
        }
    }

    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Mark) -> Mark {
        Mark {
            fence: self.fence.max(other.fence),
            floor: self.floor.max(other.floor),
        }
    }

    /// Whether a round has fenced here and its floor has not come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.fence > self.floor
    }
}

/// What a replica checks before it takes a write, in the same step in which it stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    mark: Mark,
    repair: bool,
    newest: bool,
}

impl Guard {
    /// For puts, deletes, expiries and hints.
    #[must_use]
    pub const fn fenced(mark: Mark) -> Guard {
        Guard {
            mark,
            repair: false,
            newest: false,
        }
    }

    /// For repair, and for what a read writes back: they bring only what a replica of this roster holds.
    #[must_use]
    pub const fn repair(mark: Mark) -> Guard {
        Guard {
            mark,
            repair: true,
            newest: false,
        }
    }

    /// And only what lies above all that is held: for who has not asked before it stamped.
    #[must_use]
    pub const fn if_newest(self) -> Guard {
        Guard {
            newest: true,
            ..self
        }
    }

    /// Whether the guard refuses nothing at all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.mark == Mark::NONE && !self.newest
    }

    // region: admits
    /// Whether a replica that holds `own` may take `new`. All or nothing.
    #[must_use]
    pub fn admits(&self, own: &Summary, new: &Summary) -> bool {
        let stamp = |summary: &Summary| summary.greatest().map(|version| version.stamp);
        if self.newest && stamp(new) <= stamp(own) {
            return false;
        }
        let bar = if self.repair {
            self.mark.floor
        } else {
            self.mark.fence
        };
        let newer = new.value.filter(|_| new.value > own.value);
        if newer.is_some_and(|version| version.stamp <= bar) {
            return false;
        }
        let held = own.value.max(new.value);
        // The expiry of a value that a newer one has replaced does no harm.
        new.expiry
            .filter(|cell| Some(*cell) > own.expiry && held <= Some(cell.of))
            .is_none_or(|cell| self.admits_cell(held == Some(cell.of), &cell))
    }
    // endregion: admits

    /// `here`: whether its value is held.
    fn admits_cell(&self, here: bool, cell: &ExpiryCell) -> bool {
        let Mark { fence, floor } = self.mark;
        let collected = !here && cell.of.stamp <= floor;
        let frozen = self.mark.is_open() && cell.of.stamp <= fence;
        !collected && (self.repair || (cell.version.stamp > fence && !frozen))
    }
}

impl Summary {
    /// What is left of it once the floor has risen to `floor`: neither a delete at or below it, nor a value
    /// there whose deadline, too, has passed by then. No clock is asked.
    #[must_use]
    pub fn collected(mut self, floor: Stamp) -> Summary {
        let expired = self
            .deadline()
            .is_some_and(|deadline| deadline <= floor.wall());
        self.value = self.value.filter(|version| {
            let gone = version.delete || expired;
            version.stamp > floor || !gone
        });
        let orphan = self.value.is_none();
        self.expiry = self.expiry.filter(|cell| !orphan || cell.of.stamp > floor);
        self
    }
}

impl Cells {
    /// Drops what [`Summary::collected`] drops; whether there was anything.
    pub fn collect(&mut self, floor: Stamp) -> bool {
        let before = self.summary();
        let after = before.collected(floor);
        if after.value.is_none() {
            self.value = None;
        }
        self.expiry = after.expiry;
        before != after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::HostId;
    use crate::record::{Version, WallMs};

    fn version(ms: u64, delete: bool) -> Version {
        Version {
            stamp: Stamp::at(WallMs(ms)),
            delete,
            host: HostId(1),
            start: 1,
        }
    }

    fn put(ms: u64) -> Summary {
        Summary {
            value: Some(version(ms, false)),
            expiry: None,
        }
    }

    fn delete(ms: u64) -> Summary {
        Summary {
            value: Some(version(ms, true)),
            expiry: None,
        }
    }

    fn cell(of: u64, set: u64, deadline: Option<u64>) -> Option<ExpiryCell> {
        Some(ExpiryCell {
            of: version(of, false),
            version: version(set, false),
            deadline: deadline.map(WallMs),
        })
    }

    fn mark(fence: u64, floor: u64) -> Mark {
        Mark {
            fence: Stamp::at(WallMs(fence)),
            floor: Stamp::at(WallMs(floor)),
        }
    }

    const NOTHING: Summary = Summary {
        value: None,
        expiry: None,
    };

    #[test]
    fn below_the_floor_only_what_is_known_already() {
        for guard in [
            Guard::fenced(mark(20, 20)),
            Guard::repair(mark(20, 20)),
            Guard::repair(mark(50, 20)),
        ] {
            assert!(!guard.admits(&NOTHING, &put(20)));
            assert!(!guard.admits(&put(10), &delete(15)));
            assert!(guard.admits(&put(20), &put(20)), "known");
            assert!(guard.admits(&put(90), &put(20)), "known newer");
        }
        assert!(Guard::fenced(mark(20, 20)).admits(&NOTHING, &put(21)));
    }

    #[test]
    fn between_floor_and_fence_only_repair() {
        let mark = mark(50, 20);
        assert!(!Guard::fenced(mark).admits(&NOTHING, &put(30)));
        assert!(Guard::repair(mark).admits(&NOTHING, &put(30)));
        assert!(Guard::fenced(mark).admits(&NOTHING, &put(51)));
    }

    #[test]
    fn who_did_not_ask_writes_only_above_all_that_is_held() {
        let guard = Guard::fenced(mark(20, 20)).if_newest();
        assert!(guard.admits(&NOTHING, &put(21)));
        assert!(!guard.admits(&NOTHING, &put(20)), "the fence stands");
        assert!(guard.admits(&put(29), &put(30)));
        assert!(!guard.admits(&put(30), &put(30)));
        assert!(!guard.admits(&delete(30), &put(30)));
        let expiry = Summary {
            expiry: cell(10, 40, None),
            ..put(30)
        };
        assert!(!guard.admits(&expiry, &put(40)), "nor at its expiry");
        assert!(guard.admits(&expiry, &put(41)));
        assert!(!Guard::fenced(Mark::NONE).if_newest().is_open());
    }

    #[test]
    fn no_new_expiry_of_a_fenced_value_until_its_floor_has_come() {
        let expiry = Summary {
            value: None,
            expiry: cell(30, 60, None),
        };
        assert!(!Guard::fenced(mark(50, 20)).admits(&put(30), &expiry));
        assert!(Guard::repair(mark(50, 20)).admits(&put(30), &expiry));
        assert!(Guard::fenced(mark(50, 50)).admits(&put(30), &expiry));
        let early = Summary {
            value: None,
            expiry: cell(30, 40, None),
        };
        assert!(!Guard::fenced(mark(50, 50)).admits(&put(30), &early));
        assert!(
            Guard::fenced(mark(50, 20)).admits(&put(70), &expiry),
            "stale"
        );
    }

    #[test]
    fn no_expiry_of_a_value_that_was_collected() {
        let expiry = Summary {
            value: None,
            expiry: cell(30, 60, None),
        };
        for guard in [Guard::fenced(mark(50, 50)), Guard::repair(mark(50, 50))] {
            assert!(!guard.admits(&NOTHING, &expiry));
            assert!(!guard.admits(&put(20), &expiry));
            assert!(guard.admits(&put(30), &expiry));
        }
    }

    #[test]
    fn deletes_and_expired_values_are_collected_by_the_floor_alone() {
        let floor = Stamp::at(WallMs(50));
        assert_eq!(delete(50).collected(floor), NOTHING);
        assert_eq!(delete(51).collected(floor), delete(51));
        assert_eq!(put(10).collected(floor), put(10));
        let until = |deadline| Summary {
            expiry: cell(10, 11, deadline),
            ..put(10)
        };
        assert_eq!(until(Some(50)).collected(floor), NOTHING);
        assert_eq!(until(Some(51)).collected(floor), until(Some(51)));
        assert_eq!(until(None).collected(floor), until(None));
        let orphan = Summary {
            value: None,
            ..until(None)
        };
        assert_eq!(orphan.collected(floor), NOTHING);
    }
}
