//! The real types behind the small numbers of the model.
//!
//! A state of the model is about a hundred bytes, so it cannot hold real [`Cells`] and [`Roster`]s: it
//! holds their places in these tables. Every entry is computed by the code the nodes run, once:
//!
//! ```text
//! merge[a][b]    Cells::merge            covers[a][b]   Summary::covers
//! clock[a]       Clock::issue above a    shown[a]       Summary::live, all deadlines passed
//! next roster    Roster::moved, finished, given_up      quorum of a set   Groups::reached   (`places`)
//! ```

use roundelay::placement::HostId;
use roundelay::record::{
    Body, Cells, Clock, ExpiryCell, Stamp, Summary, ValueCell, Version, WallMs,
};

use super::case::{Case, Kind};

const DEADLINE: WallMs = WallMs(50);
const AFTER: WallMs = WallMs(100);

/// Every version, expiry and pair of cells that a case can come to hold. Number 0 is always *nothing*.
pub(crate) struct Words {
    values: Vec<Option<Version>>,
    expiries: Vec<Option<ExpiryCell>>,
    /// By value: the value a rewriting expiry copied it from, or itself.
    pub(crate) original: Vec<u8>,
    merge: Vec<u8>,
    covers: Vec<bool>,
    /// By cells: the clock a write that saw them is stamped with.
    pub(crate) clock: Vec<u8>,
    /// By cells: whether a reader sees a value once all deadlines have passed.
    pub(crate) shown: Vec<bool>,
}

impl Words {
    pub(crate) fn new(case: &Case) -> Words {
        let mut words = Words {
            values: vec![None],
            expiries: vec![None],
            original: Vec::new(),
            merge: Vec::new(),
            covers: Vec::new(),
            clock: Vec::new(),
            shown: Vec::new(),
        };
        let clocks = case.clocks();
        for (op, kind) in case.ops.iter().enumerate() {
            if matches!(kind, Kind::Put | Kind::Delete) {
                words
                    .values
                    .extend((1..=clocks).map(|clock| Some(case.version(op, clock, 0))));
            }
        }
        if case.rules.ghost {
            words.values.push(Some(ghost()));
        }
        words.values.sort_unstable();
        words.values.dedup();
        words.expiring(case, clocks);
        words.original = words
            .values
            .iter()
            .map(|version| words.origin(*version))
            .collect();
        words.fill();
        words
    }

    /// Adds the expiry cells, and for the rewriting mutant the rewritten values.
    fn expiring(&mut self, case: &Case, clocks: u8) {
        let plain = self.values.clone();
        for (op, _) in case
            .ops
            .iter()
            .enumerate()
            .filter(|(_, kind)| **kind == Kind::Expire)
        {
            for (place, of) in plain.iter().enumerate() {
                let Some(of) = of.filter(|of| !of.delete) else {
                    continue;
                };
                for clock in (1..=clocks).filter(|clock| u64::from(*clock) > of.stamp.0) {
                    let start = if case.rules.rewrite {
                        REWRITTEN + u32::try_from(place).unwrap()
                    } else {
                        0
                    };
                    let version = case.version(op, clock, start);
                    let of = if case.rules.rewrite { version } else { of };
                    if case.rules.rewrite {
                        self.values.push(Some(version));
                    }
                    self.expiries.push(Some(ExpiryCell {
                        of,
                        version,
                        deadline: Some(DEADLINE),
                    }));
                }
            }
        }
        self.values.sort_unstable();
        self.expiries.sort_unstable();
        assert!(
            self.values.len() * self.expiries.len() <= 256,
            "the case has too many cells"
        );
    }

    fn origin(&self, version: Option<Version>) -> u8 {
        let base = |wanted: Option<Version>| self.values.iter().position(|value| *value == wanted);
        let rewritten = version.filter(|version| version.start >= REWRITTEN);
        let Some(rewritten) = rewritten else {
            return small(base(version).unwrap());
        };
        // `start` names the place among the plain values, which come in the same order.
        let mut plain = self
            .values
            .iter()
            .filter(|v| v.is_none_or(|v| v.start < REWRITTEN));
        let from = plain
            .nth((rewritten.start - REWRITTEN) as usize)
            .copied()
            .unwrap();
        small(base(from).unwrap())
    }

    fn fill(&mut self) {
        let all: Vec<Cells> = (0..self.len())
            .map(|cells| self.cells(small(cells)))
            .collect();
        let place = |wanted: &Cells| small(all.iter().position(|cells| cells == wanted).unwrap());
        for a in &all {
            for b in &all {
                let mut merged = a.clone();
                merged.merge(b.clone());
                self.merge.push(place(&merged));
                self.covers.push(a.summary().covers(&b.summary()));
            }
            let seen = a.summary().greatest().map(|version| version.stamp);
            let mut clock = Clock::new(Stamp(0));
            clock.reserve(Stamp(100));
            self.clock
                .push(u8::try_from(clock.issue(WallMs(0), seen).unwrap().0).unwrap());
            self.shown.push(a.live(AFTER).is_some());
        }
    }

    /// How many pairs of cells there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len() * self.expiries.len()
    }

    fn cells(&self, cells: u8) -> Cells {
        let value = self.values[usize::from(self.value(cells))].map(|version| ValueCell {
            version,
            body: (!version.delete).then(|| Body::new(version.to_string())),
        });
        Cells {
            value,
            expiry: self.expiries[usize::from(self.expiry(cells))],
        }
    }

    pub(crate) fn pair(&self, value: u8, expiry: u8) -> u8 {
        value * small(self.expiries.len()) + expiry
    }

    pub(crate) fn value(&self, cells: u8) -> u8 {
        cells / small(self.expiries.len())
    }

    pub(crate) fn expiry(&self, cells: u8) -> u8 {
        cells % small(self.expiries.len())
    }

    pub(crate) fn merged(&self, a: u8, b: u8) -> u8 {
        self.merge[usize::from(a) * self.len() + usize::from(b)]
    }

    pub(crate) fn covers(&self, a: u8, b: u8) -> bool {
        self.covers[usize::from(a) * self.len() + usize::from(b)]
    }

    pub(crate) fn version(&self, cells: u8) -> Option<Version> {
        self.values[usize::from(self.value(cells))]
    }

    pub(crate) fn expiry_cell(&self, cells: u8) -> Option<ExpiryCell> {
        self.expiries[usize::from(self.expiry(cells))]
    }

    /// The cells that hold just this value, if the case has it.
    pub(crate) fn find_value(&self, version: Version) -> Option<u8> {
        let value = self
            .values
            .iter()
            .position(|value| *value == Some(version))?;
        Some(self.pair(small(value), 0))
    }

    /// The cells that hold just this expiry, if the case has it.
    pub(crate) fn find_expiry(&self, of: Version, version: Version) -> Option<u8> {
        let wanted = Some(ExpiryCell {
            of,
            version,
            deadline: Some(DEADLINE),
        });
        let expiry = self.expiries.iter().position(|cell| *cell == wanted)?;
        Some(self.pair(0, small(expiry)))
    }

    /// As a trace shows it.
    pub(crate) fn show(&self, cells: u8) -> String {
        let Summary { value, expiry } = self.cells(cells).summary();
        let value = value.map_or_else(|| "-".to_owned(), |version| version.to_string());
        expiry.map_or(value.clone(), |cell| {
            format!("{value} (of {} at {})", cell.of, cell.version)
        })
    }
}

/// Start numbers from here on mark a value that an expiry rewrote (a mutant).
pub(crate) const REWRITTEN: u32 = 100;

/// A version that was deleted and collected long ago, and lies in a store that was away.
pub(crate) fn ghost() -> Version {
    Version {
        stamp: Stamp(1),
        delete: false,
        host: HostId(9),
        start: 1,
    }
}

pub(crate) fn small(number: usize) -> u8 {
    u8::try_from(number).expect("the tables of the model have at most 256 entries")
}
