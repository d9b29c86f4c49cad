//! What do the hosts really do?
//!
//! The checker does not believe what hosts say of themselves. It looks on while they ask their stores to keep
//! something: whatever is written anywhere, by request, write-back, hint, repair or move, passes here. So it
//! knows which versions there are, who wrote them, and which nobody wrote.
//!
//! *Hold these true*: a version of a value belongs to one key and one operation, an operation has one
//! version; a version of an expiry belongs to one deadline. What breaks that is kept as a violation.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::ballots::Ballots;
use super::drops::Dropped;
use super::floors::Floors;
use super::history::{number_in, written_by};
use super::lives::Lives;
use super::places::Places;
use super::verdict::{Rule, Violation};
use crate::keep::{marks_on_disk, reserved_until};
use crate::message::{Envelope, Event, Message};
use crate::placement::HostId;
use crate::record::{ExpiryCell, Key, Record, Time, Version};
use crate::roster::{Roster, RosterVersion};
use crate::sim::Watch;
use crate::store::{Op, Setting};

/// Where a version was first seen.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) key: Key,
    /// The operation that wrote it, as its value says; none for a tombstone.
    pub(super) number: Option<usize>,
    pub(super) first: Time,
}

/// An expiry that was seen.
#[derive(Clone, Debug)]
pub(super) struct SetExpiry {
    pub(super) key: Key,
    pub(super) cell: ExpiryCell,
    pub(super) first: Time,
}

/// All that was written anywhere.
#[derive(Default)]
pub(super) struct Written {
    pub(super) values: BTreeMap<Version, Origin>,
    /// For each operation, the version it was stored at.
    pub(super) by_number: BTreeMap<usize, Version>,
    /// How many times a store was asked to take a value, less those when it was not kept.
    takers: BTreeMap<Version, u32>,
    /// By the version of the cell.
    pub(super) expiries: BTreeMap<Version, SetExpiry>,
    /// Which operation wrote a large value, by its first piece.
    staged: BTreeMap<Version, usize>,
    rosters: BTreeMap<RosterVersion, bytes::Bytes>,
    /// Hosts that were sure again, and those whose removal was wished for because they were silent.
    pub(super) sure: u64,
    pub(super) silent: u64,
    /// Drops of copies that were there.
    pub(super) dropped: u64,
    /// Records that were collected.
    pub(super) collected: u64,
    pub(super) newest: Option<Arc<Roster>>,
    /// When each host last adopted a roster, or began or ceased to doubt its store.
    pub(super) adopted: BTreeMap<HostId, Time>,
    /// Values say nothing of who wrote them.
    pub(super) unnumbered: bool,
    lives: Lives,
    ballots: Ballots,
    pub(super) places: Places,
    pub(super) floors: Floors,
    /// What hosts have dropped since this was last looked at.
    pub(super) drops: Vec<Dropped>,
    /// Hosts whose disks lost what they had reported, until they are sure again of what they hold.
    pub(super) lossy: BTreeMap<HostId, Time>,
    pub(super) violations: Vec<Violation>,
}

impl Written {
    fn break_rule(&mut self, rule: Rule, at: Time, key: Option<&Key>, words: String) {
        let key = key.cloned();
        let fresh = !self
            .violations
            .iter()
            .any(|known| known.rule == rule && known.key == key);
        if fresh {
            self.violations.push(Violation {
                rule,
                at,
                key,
                words,
            });
        }
    }

    /// A violation, if there is one.
    fn must(&mut self, rule: Rule, at: Time, key: Option<&Key>, holds: Result<(), String>) {
        if let Err(words) = holds {
            self.break_rule(rule, at, key, words);
        }
    }

    /// Whether a value may be stored somewhere.
    pub(super) fn may_be_stored(&self, version: Version) -> bool {
        self.takers.get(&version).is_some_and(|takers| *takers > 0)
    }

    fn merged(&mut self, now: Time, host: HostId, record: &Record) {
        let own = self.places.stored(host, record.key.id());
        self.must(Rule::OwnSpans, now, Some(&record.key), own);
        if let Some(cell) = &record.cells.value {
            // A large value comes bare: its first piece has been seen before.
            let number = cell.body.as_ref().and_then(written_by);
            let bare = cell
                .body
                .as_ref()
                .and_then(|_| self.staged.get(&cell.version));
            let number = number.or(bare.copied()).filter(|_| !self.unnumbered);
            self.value(now, host, &record.key, cell.version, number);
            *self.takers.entry(cell.version).or_default() += 1;
        }
        if let Some(cell) = record.cells.expiry {
            self.expiry(now, &record.key, cell);
        }
    }

    fn value(
        &mut self,
        now: Time,
        host: HostId,
        key: &Key,
        version: Version,
        number: Option<usize>,
    ) {
        if let Some(origin) = self.values.get(&version) {
            if origin.key != *key || origin.number != number {
                let words = format!(
                    "{version} is #{:?} of {} first, then #{number:?} of {key} at {host}",
                    origin.number, origin.key
                );
                self.break_rule(Rule::OneVersionOneWrite, now, Some(key), words);
            }
            return;
        }
        let (first, key) = (now, key.clone());
        if let Some(number) = number
            && let Some(before) = self.by_number.insert(number, version)
            && !self.was_never_kept(before)
        {
            let words = format!("#{number} is written at {before}, and again at {version}");
            self.break_rule(Rule::OneVersionOneWrite, now, Some(&key), words);
        }
        let issued = self.lives.seen(version);
        self.must(Rule::StampsReserved, now, Some(&key), issued);
        self.values.insert(version, Origin { key, number, first });
    }

    /// Whether no store that was asked to take a version has kept it. From here on it counts as never written: where it
    /// shows all the same, its number is written a second time.
    fn was_never_kept(&mut self, version: Version) -> bool {
        let never = !self.may_be_stored(version);
        if never {
            self.values.remove(&version);
        }
        never
    }

    fn expiry(&mut self, now: Time, key: &Key, cell: ExpiryCell) {
        match self.expiries.get(&cell.version) {
            Some(known) if known.cell != cell || known.key != *key => {
                let words = format!("the expiry {} has two meanings", cell.version);
                self.break_rule(Rule::OneVersionOneWrite, now, Some(key), words);
            }
            Some(_) => {}
            None => {
                let issued = self.lives.seen(cell.version);
                self.must(Rule::StampsReserved, now, Some(key), issued);
                let (key, first) = (key.clone(), now);
                self.expiries
                    .insert(cell.version, SetExpiry { key, cell, first });
            }
        }
    }

    /// A host writes a roster down, to live by it.
    fn roster(&mut self, now: Time, host: HostId, bytes: &bytes::Bytes) {
        let Ok(roster) = Roster::decode(bytes) else {
            return;
        };
        let version = roster.version;
        self.places.writes(host);
        match self.rosters.get(&version) {
            Some(known) if known != bytes => {
                let words = format!("{host} adopts another {version} than others did");
                self.break_rule(Rule::OneRoster, now, None, words);
            }
            Some(_) => {}
            None => {
                self.rosters.insert(version, bytes.clone());
                let roster = Arc::new(roster);
                let follows = self.places.written(now, Arc::clone(&roster));
                self.must(Rule::OneAfterTheOther, now, None, follows);
                if self
                    .newest
                    .as_ref()
                    .is_none_or(|newest| newest.version < version)
                {
                    self.newest = Some(roster);
                }
            }
        }
    }
}

/// The eyes of the checker in the world.
pub(super) struct Onlooker(pub(super) Rc<RefCell<Written>>);

impl Watch for Onlooker {
    fn store(&mut self, now: Time, host: HostId, op: &Op) {
        if let Op::Merge(record) | Op::Guarded(record, _) = op {
            self.0.borrow_mut().merged(now, host, record);
        } else if let Op::Stage {
            version,
            index: 0,
            bytes,
            ..
        } = op
        {
            let number = number_in(bytes);
            self.0
                .borrow_mut()
                .staged
                .extend(number.map(|number| (*version, number)));
        } else if let Op::Set(Setting::Roster, bytes) = op {
            self.0.borrow_mut().roster(now, host, bytes);
        } else if let Op::Set(Setting::Life, bytes) = op {
            let written = &mut self.0.borrow_mut();
            let life = reserved_until(bytes);
            if life.is_some_and(|life| written.lives.reserved(host, life)) {
                written.places.began(host);
            }
        } else if let Op::Set(Setting::Marks, bytes) = op {
            let marks = marks_on_disk(bytes).unwrap_or_default();
            self.0.borrow_mut().floors.written(now, host, marks);
        } else if let Op::Discard(spans) = op {
            let spans = spans.clone();
            self.0.borrow_mut().drops.push(Dropped { host, spans });
        }
    }

    fn not_kept(&mut self, _now: Time, _host: HostId, op: &Op) {
        if let Op::Merge(record) | Op::Guarded(record, _) = op
            && let Some(cell) = &record.cells.value
            && let Some(takers) = self.0.borrow_mut().takers.get_mut(&cell.version)
        {
            *takers -= 1;
        }
    }

    fn note(&mut self, now: Time, host: HostId, event: &Event) {
        let mut written = self.0.borrow_mut();
        if let Event::Adopted { .. } | Event::Doubts | Event::Sure = event {
            written.adopted.insert(host, now);
        }
        if let Event::Sure = event {
            written.lossy.remove(&host);
            written.sure += 1;
        }
        if let Event::Removing { .. } = event {
            written.silent += 1;
        }
        if let Event::Collected { records, .. } = event {
            written.collected += records;
        }
        if let Event::Adopted { version, .. } = event {
            written.places.adopted(host, *version);
        }
    }

    fn sent(&mut self, now: Time, from: HostId, envelope: &Envelope) {
        if let Message::Keep(message) = &envelope.body {
            let mut written = self.0.borrow_mut();
            let heard = written.ballots.heard(from, message);
            written.must(Rule::VotesRemembered, now, None, heard);
        }
    }
}
