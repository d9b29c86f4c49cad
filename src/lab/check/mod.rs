//! Did the ring keep its word?
//!
//! A ring that is tested by the code that runs it proves little. The checker stands apart: it knows what
//! clients asked and were told ([`history`]), what was written to any store (it looks on, see
//! [`Watch`]), which clocks were wrong and which disks were destroyed, because the
//! harness did that; and it has the world's own time. From these it judges:
//!
//! ```text
//! a version and a write are one to one            nothing inside mints a version for an old value
//! w1 acknowledged before w2 began: w1 < w2        also if the outcome of w2 is unknown
//! each key shows what one register would          put, delete, get, has; see `register`
//! nothing at all: only after a delete, an expiry, or before the first write
//! a version below an acknowledged delete          is a resurrection
//! a value lives until its deadline                by the clock of the host that was asked, exactly
//! a stamp                                         lies within what its host reserved on disk in that life
//! an acceptor                                     remembers what it promised and accepted
//! a host                                          stores what its roster gives it, and rosters follow one another
//! a floor rises                                   once the fences of all replicas are on disk
//! a copy goes                                     once everyone has it who holds its span now
//! an acknowledged write                           lies on a quorum of stores, at that moment and at the end
//! ```
//!
//! *Excused*, and counted apart, is only what is lost of a key after the harness itself destroyed more of its
//! copies than a quorum can spare ([`Checker::excuse`]).
//!
//! Left out on purpose: requests with consistency `one`. They promise nothing, so only what they found is
//! checked for having been written.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    reason = "a checker that looks for some answers passes over all others; its lists of rules are read as lists"
)]

mod alone;
mod ballots;
mod drops;
mod floors;
pub mod history;
mod judge;
mod lives;
mod onlooker;
mod places;
pub mod register;
pub mod ring;
pub mod stores;
mod times;
mod verdict;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use history::{Operation, Told};
use onlooker::{Onlooker, Written};

use crate::placement::HostId;
use crate::record::{ExpiryCell, Key, Summary, Time, Version};
use crate::roster::Roster;
use crate::sim::{Watch, World};

pub use times::Clocks;
pub use verdict::{Rule, Violation};

/// All that is known of one run, from outside.
#[derive(Default)]
pub struct Checker {
    operations: Vec<Operation>,
    written: Rc<RefCell<Written>>,
    clocks: Clocks,
    excused: BTreeMap<Key, Time>,
}

/// What came of judging a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The rules that were broken, the one that showed first in front.
    pub violations: Vec<Violation>,
    /// On how many keys something was lost that the harness had destroyed.
    pub excused: usize,
}

impl Checker {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Checker {
        Checker::default()
    }

    /// The same for a run whose values do not begin with the number of the operation that wrote them.
    #[must_use]
    pub fn unnumbered() -> Checker {
        let checker = Checker::default();
        checker.written.borrow_mut().unnumbered = true;
        checker
    }

    /// Its eyes, to be put into the world.
    #[must_use]
    pub fn watch(&self) -> Box<dyn Watch> {
        Box::new(Onlooker(Rc::clone(&self.written)))
    }

    /// How many records of what was deleted or had expired went for good, at each replica.
    #[must_use]
    pub fn collected(&self) -> u64 {
        self.written.borrow().collected
    }

    /// How often hosts were sure again, were silent and to go, and dropped copies that they had.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let written = self.written.borrow();
        (written.sure, written.silent, written.dropped)
    }

    /// The number the next operation will have.
    #[must_use]
    pub fn next_number(&self) -> usize {
        self.operations.len()
    }

    /// A client asks something.
    pub fn began(&mut self, operation: Operation) -> usize {
        self.operations.push(operation);
        self.operations.len() - 1
    }

    /// What came so far of it had no effect: it is asked only now.
    pub(super) fn begins_only_now(&mut self, number: usize, now: Time) {
        self.operations[number].began = now;
    }

    /// Which operation wrote the value of that version, as it says itself.
    pub(super) fn writer(&self, version: Version) -> Option<usize> {
        let written = self.written.borrow();
        written.values.get(&version)?.number
    }

    /// It was told something.
    pub fn ended(&mut self, number: usize, now: Time, told: Told) {
        let operation = &mut self.operations[number];
        operation.ended = Some(now);
        operation.told = told;
    }

    /// All operations, in the order they were asked.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The wall clocks, which the harness sets wrong.
    pub fn clocks(&mut self) -> &mut Clocks {
        &mut self.clocks
    }

    /// The newest roster that any host has written down.
    #[must_use]
    pub fn roster(&self) -> Option<Arc<Roster>> {
        self.written.borrow().newest.clone()
    }

    /// The expiry that was set at that version, if it was written anywhere.
    #[must_use]
    pub fn expiry(&self, version: Version) -> Option<ExpiryCell> {
        let written = self.written.borrow();
        written.expiries.get(&version).map(|set| set.cell)
    }

    /// When a host last adopted a roster, or began or ceased to doubt its store.
    #[must_use]
    pub fn adopted(&self, host: HostId) -> Option<Time> {
        self.written.borrow().adopted.get(&host).copied()
    }

    /// From now on anything may be lost of this key: the harness has destroyed more of its copies than a
    /// quorum can spare.
    pub fn excuse(&mut self, key: Key, now: Time) {
        self.excused.entry(key).or_insert(now);
    }

    /// Whether a key is excused.
    #[must_use]
    pub fn is_excused(&self, key: &Key) -> bool {
        self.excused.contains_key(key)
    }

    /// Something that was seen to be wrong, by whoever drives the run.
    pub fn found(&mut self, violation: Violation) {
        self.written.borrow_mut().violations.push(violation);
    }

    /// The disk of a host has lost what it had reported: until it is sure again of what it holds, its store counts as one
    /// that may have held anything.
    pub fn lost_writes(&mut self, host: HostId, now: Time) {
        self.written.borrow_mut().lossy.insert(host, now);
    }

    /// When the disk of a host lost what it had reported, if it has not made up for that yet.
    #[must_use]
    pub fn lost_writes_at(&self, host: HostId) -> Option<Time> {
        self.written.borrow().lossy.get(&host).copied()
    }

    /// When what was written was first seen anywhere.
    #[must_use]
    pub fn first_seen(&self, wrote: &Summary) -> Time {
        let written = self.written.borrow();
        let value = wrote.value.and_then(|version| written.values.get(&version));
        let expiry = wrote
            .expiry
            .and_then(|cell| written.expiries.get(&cell.version));
        let seen = value
            .map(|origin| origin.first)
            .max(expiry.map(|set| set.first));
        seen.unwrap_or(Time::ZERO)
    }

    /// Looks at the disks if a host has raised a floor, or dropped copies, since this was last called; costs nothing if none
    /// has.
    pub fn look(&mut self, world: &mut World, destroyed: impl Fn(HostId) -> bool) {
        self.look_at_drops(world, &destroyed);
        let (risen, rosters) = {
            let mut written = self.written.borrow_mut();
            let risen = written.floors.take();
            let by = |(host, _): &(HostId, _)| written.places.roster_of(*host).cloned();
            let rosters: Vec<Option<Arc<Roster>>> = risen.iter().map(by).collect();
            (risen, rosters)
        };
        for ((host, risen), roster) in risen.into_iter().zip(rosters) {
            let Some(roster) = roster else { continue };
            if let Err(words) = floors::fenced(world, (host, &risen), &roster, &destroyed) {
                let (rule, at, key) = (Rule::FencedBelowFloors, world.now(), None);
                self.found(Violation {
                    rule,
                    at,
                    key,
                    words,
                });
            }
        }
    }

    fn look_at_drops(&mut self, world: &mut World, destroyed: impl Fn(HostId) -> bool) {
        let drops = std::mem::take(&mut self.written.borrow_mut().drops);
        for drop in drops {
            let replaced = {
                let written = self.written.borrow();
                let passed_over = |host, key: &Key| {
                    destroyed(host) || written.lossy.contains_key(&host) || self.is_excused(key)
                };
                drops::replaced(world, &drop, &written, &self.operations, passed_over)
            };
            if replaced.as_ref().is_ok_and(|keys| *keys > 0) {
                self.written.borrow_mut().dropped += 1;
            }
            if let Err((key, words)) = replaced {
                self.found(Violation {
                    rule: Rule::ReplacedBeforeDropped,
                    at: world.now(),
                    key: Some(key),
                    words,
                });
            }
        }
    }

    /// The first thing that is known to be wrong, without judging all.
    #[must_use]
    pub fn first(&self) -> Option<Violation> {
        self.written.borrow().violations.first().cloned()
    }

    /// Whether something is known to be wrong already, without judging all.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.written.borrow().violations.is_empty()
    }
}
