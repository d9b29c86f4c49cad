//! What a search is about, and which rule it leaves out.

/// The rules that can be left out, one by one. All false is the design.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Rules {
    /// A round does not fence.
    pub(crate) no_fence: bool,
    /// A round makes two replicas equal, and leaves the third out.
    pub(crate) quorum_collects: bool,
    /// A late write ignores fence and floor.
    pub(crate) late_ignores_floor: bool,
    /// Repair does not hand the higher floor over.
    pub(crate) floor_stays: bool,
    /// Repair messages of one roster count in the next.
    pub(crate) repair_outlives_roster: bool,
    /// A round goes on under the next roster.
    pub(crate) round_outlives_roster: bool,
    /// A newcomer takes writes before it has the marks of a quorum.
    pub(crate) newcomer_unmarked: bool,
    /// A newcomer never hears of fences and floors.
    pub(crate) marks_stay: bool,
    /// A newcomer keeps what it held in an earlier life.
    pub(crate) leftovers: bool,
    /// What a read writes back is refused below the fence.
    pub(crate) write_back_fenced: bool,
    /// What a read could not write back is stamped anew.
    pub(crate) write_back_stamped: bool,
    /// A replica drops an expired value by its own clock.
    pub(crate) drops_by_clock: bool,
    /// New expiry cells are taken between fence and floor.
    pub(crate) not_frozen: bool,
    /// A round collects up to a deadline that some clocks have not reached.
    pub(crate) no_lag: bool,
    /// An expiry is a new version of the value.
    pub(crate) rewrites: bool,
    /// A read takes answers from before and from after a collection for one.
    pub(crate) mixes_answers: bool,
    /// A round does not wait for a host that is late.
    pub(crate) late_collects: bool,
    /// A newcomer without which a move has settled takes writes at once.
    pub(crate) late_unmarked: bool,
}

/// Where a search begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// a1 at A, B and C.
    Equal,
    /// A and B have heard of the delete at 2, C missed it and has a1.
    Missed,
    /// A put at 2 has reached A, a delete at 3 has reached C, B has a1; neither was acknowledged.
    Parted,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    /// A delete at that clock may begin; 0: none.
    pub(crate) delete: u8,
    /// A put at that clock may begin; 0: none.
    pub(crate) put: u8,
    /// An expiry of the first value, and one that takes it back, may begin.
    pub(crate) expire: bool,
    /// Up to which clock the round collects.
    pub(crate) upto: u8,
    pub(crate) moves: bool,
    /// A move may settle as soon as a quorum is whole.
    pub(crate) late: bool,
    pub(crate) gets: bool,
    /// A repair message may be late.
    pub(crate) copies: bool,
    pub(crate) rules: Rules,
}

impl Case {
    pub(crate) const fn new(name: &'static str) -> Case {
        Case {
            name,
            start: Start::Equal,
            delete: 0,
            put: 0,
            expire: false,
            upto: 2,
            moves: false,
            late: false,
            gets: false,
            copies: false,
            rules: Rules {
                no_fence: false,
                quorum_collects: false,
                late_ignores_floor: false,
                floor_stays: false,
                repair_outlives_roster: false,
                round_outlives_roster: false,
                newcomer_unmarked: false,
                marks_stay: false,
                leftovers: false,
                write_back_fenced: false,
                write_back_stamped: false,
                drops_by_clock: false,
                not_frozen: false,
                no_lag: false,
                rewrites: false,
                mixes_answers: false,
                late_collects: false,
                late_unmarked: false,
            },
        }
    }

    pub(crate) fn with(mut self, name: &'static str, rule: impl FnOnce(&mut Rules)) -> Case {
        self.name = name;
        rule(&mut self.rules);
        self
    }
}

const MISSED: Case = Case {
    start: Start::Missed,
    copies: true,
    ..Case::new("a delete that C missed, a put, a late repair")
};
const DELETED: Case = Case {
    delete: 2,
    copies: true,
    ..Case::new("a delete during a round, a late repair")
};
const READ: Case = Case {
    start: Start::Missed,
    gets: true,
    ..Case::new("a read in steps, a delete that C missed")
};
const PARTED: Case = Case {
    start: Start::Parted,
    upto: 3,
    gets: true,
    ..Case::new("a read in steps, a put and a delete half done")
};
const EXPIRED: Case = Case {
    expire: true,
    upto: 3,
    ..Case::new("an expiry set and taken back")
};
const MOVED: Case = Case {
    start: Start::Missed,
    moves: true,
    ..Case::new("a move, a delete that C missed")
};

const LATE: Case = Case {
    late: true,
    name: "a late host, a delete that C missed",
    ..MOVED
};

/// Small enough for every `cargo test`.
pub(crate) fn small() -> Vec<Case> {
    vec![Case { put: 3, ..MISSED }, DELETED, READ, PARTED, EXPIRED]
}

/// The rest: minutes, optimised.
pub(crate) fn large() -> Vec<Case> {
    vec![
        MOVED,
        Case {
            put: 3,
            name: "a delete during a round, a put, a late repair",
            ..DELETED
        },
        Case {
            delete: 2,
            start: Start::Equal,
            put: 3,
            name: "a read in steps, a delete, a put",
            ..READ
        },
        Case {
            put: 4,
            name: "an expiry set and taken back, a put",
            ..EXPIRED
        },
        Case {
            delete: 4,
            copies: true,
            name: "an expiry, a delete, a late repair",
            ..EXPIRED
        },
        Case {
            copies: true,
            name: "a move, a delete that C missed, a late repair",
            ..MOVED
        },
        Case {
            start: Start::Equal,
            delete: 2,
            name: "a move, a delete",
            ..MOVED
        },
        Case {
            put: 3,
            name: "a move, a delete that C missed, a put",
            ..MOVED
        },
    ]
}

/// Moves that settle before the last replica is whole: minutes, optimised.
pub(crate) fn late() -> Vec<Case> {
    vec![
        LATE,
        Case {
            start: Start::Equal,
            delete: 2,
            name: "a late host, a delete",
            ..LATE
        },
        Case {
            copies: true,
            name: "a late host, a delete that C missed, a late repair",
            ..LATE
        },
        Case {
            put: 3,
            name: "a late host, a delete that C missed, a put",
            ..LATE
        },
    ]
}

/// Each rule left out, with the case that notices.
pub(crate) fn mutants() -> Vec<Case> {
    let read = Case {
        gets: true,
        ..DELETED
    };
    vec![
        DELETED.with("a round does not fence", |r| r.no_fence = true),
        MISSED.with("a quorum is enough to collect", |r| {
            r.quorum_collects = true
        }),
        MISSED.with("a hint after collection", |r| r.late_ignores_floor = true),
        MISSED.with("the floor is not handed over by repair", |r| {
            r.floor_stays = true
        }),
        read.with("a write-back is fenced", |r| r.write_back_fenced = true),
        PARTED.with("a write-back is stamped anew", |r| {
            r.write_back_stamped = true
        }),
        READ.with("a read mixes answers", |r| r.mixes_answers = true),
        EXPIRED.with("expiries are taken between fence and floor", |r| {
            r.not_frozen = true
        }),
    ]
}

/// The same for moves and expiries, whose searches take longer.
pub(crate) fn large_mutants() -> Vec<Case> {
    let copied = Case {
        copies: true,
        ..MOVED
    };
    vec![
        copied.with("repair outlives its roster", |r| {
            r.repair_outlives_roster = true
        }),
        MOVED.with("a round outlives its roster", |r| {
            r.round_outlives_roster = true
        }),
        MOVED.with("a newcomer writes before it has marks", |r| {
            r.newcomer_unmarked = true
        }),
        LATE.with("a late newcomer writes before it has marks", |r| {
            r.late_unmarked = true
        }),
        LATE.with("a round does not wait for a late host", |r| {
            r.late_collects = true
        }),
        MOVED.with("a newcomer gets no marks", |r| r.marks_stay = true),
        MOVED.with("a newcomer keeps what it held", |r| r.leftovers = true),
        EXPIRED.with("expired values go by the clock", |r| {
            r.drops_by_clock = true
        }),
        EXPIRED.with("a round does not lag", |r| r.no_lag = true),
        Case { put: 2, ..EXPIRED }.with("an expiry rewrites the value", |r| r.rewrites = true),
    ]
}
