//! The history of a whole run, judged.
//!
//! First every operation is given its version: from its answer, or, if nobody answered, from what was seen
//! to be written. Then each key's operations are put into one register, and the expiries of each value into
//! another.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Kind, Operation, Told};
use super::onlooker::Written;
use super::register::{self, Contradiction, Did, Ends, NEVER, Step};
use super::verdict::{Rule, Violation};
use super::{Checker, Judgement};
use crate::record::{Key, Time, Version, WallMs};

/// What belongs to one key.
#[derive(Default)]
struct OfKey {
    steps: Vec<Step>,
    ends: Vec<Ends>,
}

impl Checker {
    /// Judges everything so far. May be called again later.
    #[must_use]
    pub fn judge(&self) -> Judgement {
        let written = self.written.borrow();
        let mut judgement = Judgement {
            violations: written.violations.clone(),
            excused: self.excused.len(),
        };
        let known = self.known_writes(&written, &mut judgement);
        let mut keys: BTreeMap<&Key, OfKey> = BTreeMap::new();
        let mut floors: BTreeMap<&Key, Vec<(Time, WallMs)>> = BTreeMap::new();
        for (number, operation) in self.operations.iter().enumerate() {
            self.checked_alone(number, operation, &written, &mut judgement);
            let step = self.step(number, operation, &written, &known);
            if let Some(mut step) = step.and_then(|step| self.before_excuse(&operation.key, step)) {
                if let Did::FoundNothing(most) = &mut step.did {
                    let floors = floors.entry(&operation.key);
                    let floors = floors.or_insert_with(|| written.floors.over(&operation.key));
                    let risen = floors.partition_point(|(at, _)| *at <= step.ended);
                    let passed = risen.checked_sub(1).map(|last| floors[last].1);
                    *most = (*most).max(passed.unwrap_or_default());
                }
                keys.entry(&operation.key).or_default().steps.push(step);
            }
        }
        for set in written.expiries.values() {
            if let (Some(deadline), Some(of_key)) = (set.cell.deadline, keys.get_mut(&set.key)) {
                let (of, began) = (set.cell.of, set.first);
                of_key.ends.push(Ends {
                    of,
                    began,
                    deadline,
                });
            }
        }
        for (key, mut of_key) in keys {
            of_key.ends.sort_by_key(|end| end.of);
            let stamps = stamped_above(&of_key.steps);
            let register = register::check(&mut of_key.steps, &of_key.ends);
            for wrong in [stamps, register].into_iter().filter_map(Result::err) {
                let violation = self.explain(key, wrong);
                self.excuse_or_blame(violation, &mut judgement);
            }
        }
        self.judge_expiries(&written, &mut judgement);
        judgement.violations.sort_by_key(|violation| violation.at);
        judgement
    }

    /// What was seen of a key, or began, after the harness had destroyed what was known of it contradicts nothing; what was
    /// written then may have stayed or not.
    fn before_excuse(&self, key: &Key, mut step: Step) -> Option<Step> {
        let Some(since) = self.excused.get(key) else {
            return Some(step);
        };
        if step.began >= *since || (step.ended >= *since && !matches!(step.did, Did::Wrote(_))) {
            return None;
        }
        if step.ended >= *since {
            step.ended = NEVER;
        }
        Some(step)
    }

    pub(super) fn excuse_or_blame(&self, violation: Violation, judgement: &mut Judgement) {
        let excused = violation.key.as_ref().and_then(|key| self.excused.get(key));
        if excused.is_none_or(|since| violation.at < *since) {
            judgement.violations.push(violation);
        }
    }

    /// The versions of writes, by operation; and a violation for every tombstone that nobody wrote.
    fn known_writes(
        &self,
        written: &Written,
        judgement: &mut Judgement,
    ) -> BTreeMap<usize, Version> {
        let mut known = written.by_number.clone();
        // What no store has kept was not written.
        known.retain(|_, version| written.may_be_stored(*version));
        let mut owned: BTreeSet<Version> = BTreeSet::new();
        let mut unsaid: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
        for (number, operation) in self.operations.iter().enumerate() {
            match operation.told {
                Told::Wrote(version) | Told::Unknown(version) => {
                    owned.insert(version);
                    known.insert(number, version);
                }
                Told::Silence if operation.writes() => {
                    unsaid.entry(&operation.key).or_default().push(number);
                }
                _ => {}
            }
        }
        let tombstones = written.values.iter().filter(|(version, _)| version.delete);
        for (version, origin) in tombstones.filter(|(version, _)| !owned.contains(version)) {
            let of_key = unsaid.get(&origin.key).into_iter().flatten();
            let fits = of_key.filter(|number| {
                let operation = &self.operations[**number];
                operation.at == version.host
                    && operation.began <= origin.first
                    && !known.contains_key(number)
            });
            // Of several the one that promised least: which of them it was nobody can say.
            let author = fits.min_by_key(|number| !self.operations[**number].one);
            if let Some(author) = author {
                known.insert(*author, *version);
                continue;
            }
            judgement.violations.push(Violation {
                rule: Rule::OneVersionOneWrite,
                at: origin.first,
                key: Some(origin.key.clone()),
                words: format!("nobody deleted anything at {version}"),
            });
        }
        known
    }

    /// What an operation is in the register of its key, if it takes part.
    fn step(
        &self,
        number: usize,
        operation: &Operation,
        written: &Written,
        known: &BTreeMap<usize, Version>,
    ) -> Option<Step> {
        let ended = operation.ended.unwrap_or(NEVER);
        let mut step = Step {
            number,
            did: Did::FoundNothing(WallMs(0)),
            began: operation.began,
            ended,
        };
        let promises = !operation.one;
        match &operation.told {
            Told::Found { version, .. } | Told::Present(version) => {
                step.did = Did::Read(*version);
                promises.then_some(step)
            }
            Told::Absent => {
                let (_, most) = self.clocks.between(operation.at, operation.began, ended);
                step.did = Did::FoundNothing(most);
                promises.then_some(step)
            }
            Told::Wrote(version) | Told::Unknown(version)
                if operation.kind == Kind::Expire && !version.delete =>
            {
                // It read the value it was set for; the cell itself is judged apart.
                let set = written.expiries.get(version)?;
                step.did = Did::Read(set.cell.of);
                (promises && operation.succeeded()).then_some(step)
            }
            Told::Idle => None,
            Told::Wrote(version) => {
                step.did = Did::Wrote(*version);
                if !promises {
                    (step.began, step.ended) = (Time::ZERO, NEVER);
                }
                Some(step)
            }
            Told::Unknown(_) | Told::Silence | Told::Nothing(_) => {
                let version = known.get(&number).filter(|_| operation.writes())?;
                step.did = Did::Wrote(*version);
                step.ended = NEVER;
                if !promises {
                    step.began = Time::ZERO;
                }
                written.values.contains_key(version).then_some(step)
            }
        }
    }

    /// A contradiction in words.
    pub(super) fn explain(&self, key: &Key, wrong: Contradiction) -> Violation {
        let (first, second) = (wrong.first, wrong.second);
        let deleted = matches!(first.did, Did::Wrote(version) if version.delete);
        let acknowledged = matches!(first.did, Did::Wrote(_));
        let rule = match second.did {
            Did::Wrote(_) => Rule::StampedAbove,
            Did::Read(_) if deleted => Rule::NoResurrection,
            Did::FoundNothing(_) => Rule::NothingLost,
            Did::Read(_) if acknowledged => Rule::NothingLost,
            Did::Read(_) => Rule::OneRegister,
        };
        let words = format!(
            "{} had ended before {} began",
            self.tell(first.number),
            self.tell(second.number)
        );
        let at = self.operations[second.number].ended.unwrap_or(second.began);
        Violation {
            rule,
            at,
            key: Some(key.clone()),
            words,
        }
    }

    /// An operation in words.
    #[must_use]
    pub fn tell(&self, number: usize) -> String {
        let operation = &self.operations[number];
        let verb = match operation.kind {
            Kind::Put => "put",
            Kind::Delete => "delete",
            Kind::Get => "get",
            Kind::Has => "has",
            Kind::Expire => "expire",
        };
        let told = match &operation.told {
            Told::Silence => "never answered".to_owned(),
            Told::Nothing(why) => format!("failed: {why}"),
            Told::Unknown(version) => format!("outcome unknown: {version}"),
            Told::Wrote(version) => format!("wrote {version}"),
            Told::Found { version, .. } => format!("found {version}"),
            Told::Present(version) => format!("there at {version}"),
            Told::Absent => "found nothing".to_owned(),
            Told::Idle => "had nothing to do".to_owned(),
        };
        let ended = operation.ended.map_or("…".to_owned(), |at| at.to_string());
        let (at, began) = (operation.at, operation.began);
        format!("#{number} {verb} at {at} [{began} {ended}] {told}")
    }
}

/// A write that began after another operation had ended is newer than what that one wrote or saw; also if its
/// own outcome is unknown and nobody has seen it yet.
fn stamped_above(steps: &[Step]) -> Result<(), Contradiction> {
    let version = |step: &Step| match step.did {
        Did::Wrote(version) | Did::Read(version) => Some(version),
        Did::FoundNothing(_) => None,
    };
    let mut by_end: Vec<&Step> = steps.iter().filter(|step| step.ended != NEVER).collect();
    by_end.sort_by_key(|step| step.ended);
    let mut by_begin: Vec<&Step> = steps
        .iter()
        .filter(|step| matches!(step.did, Did::Wrote(_)) && step.began != Time::ZERO)
        .collect();
    by_begin.sort_by_key(|step| step.began);
    let mut ended = by_end.into_iter().peekable();
    let mut greatest: Option<&Step> = None;
    for write in by_begin {
        while let Some(step) = ended.next_if(|step| step.ended < write.began) {
            if greatest.is_none_or(|known| version(step) > version(known)) {
                greatest = Some(step);
            }
        }
        if let Some(first) = greatest.filter(|first| version(first) >= version(write)) {
            let (first, second) = (*first, *write);
            return Err(Contradiction { first, second });
        }
    }
    Ok(())
}
