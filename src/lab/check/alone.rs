//! What can be said of one operation by itself, and of the expiries of one value.

use std::collections::BTreeMap;

use super::history::{Kind, Operation, Told};
use super::onlooker::Written;
use super::register::{self, Did, Step};
use super::verdict::{Rule, Violation};
use super::{Checker, Judgement};
use crate::record::{Key, Version, WallMs};

impl Checker {
    /// What one operation says must agree with what was seen to be written.
    pub(super) fn checked_alone(
        &self,
        number: usize,
        operation: &Operation,
        written: &Written,
        judgement: &mut Judgement,
    ) {
        let mut blame = |rule, words: String| {
            judgement.violations.push(Violation {
                rule,
                at: operation.ended.unwrap_or(operation.began),
                key: Some(operation.key.clone()),
                words: format!("{}: {words}", self.tell(number)),
            });
        };
        match &operation.told {
            Told::Nothing(_) if operation.kind == Kind::Put => {
                if let Some(version) = written.by_number.get(&number)
                    && written.may_be_stored(*version)
                {
                    blame(
                        Rule::NothingMeansNothing,
                        format!("yet {version} was stored"),
                    );
                }
            }
            Told::Wrote(version) if operation.kind == Kind::Expire && !version.delete => {
                if !written.expiries.contains_key(version) {
                    blame(Rule::NothingLost, "yet it was stored nowhere".into());
                }
            }
            Told::Wrote(version) => match written.values.get(version) {
                Some(origin) if origin.key == operation.key => {
                    if origin.number.is_some_and(|wrote| wrote != number) {
                        blame(
                            Rule::OneVersionOneWrite,
                            "that is another one's value".into(),
                        );
                    }
                }
                Some(_) | None => blame(Rule::NothingLost, "yet it was stored nowhere".into()),
            },
            Told::Found {
                version,
                number: wrote,
                deadline,
            } => {
                match written.values.get(version) {
                    Some(origin) if origin.key == operation.key && origin.number == *wrote => {}
                    _ => blame(Rule::OneVersionOneWrite, "nobody wrote that value".into()),
                }
                let ended = operation.ended.unwrap_or(operation.began);
                let (least, _) = self.clocks.between(operation.at, operation.began, ended);
                if deadline.is_some_and(|deadline| deadline <= least) {
                    blame(
                        Rule::TimeToLive,
                        format!("though its clock showed {} ms", least.0),
                    );
                }
            }
            Told::Present(version) => {
                if written
                    .values
                    .get(version)
                    .is_none_or(|origin| origin.key != operation.key)
                {
                    blame(Rule::OneVersionOneWrite, "nobody wrote that version".into());
                }
            }
            Told::Nothing(_) | Told::Absent | Told::Idle | Told::Silence | Told::Unknown(_) => {}
        }
    }

    /// The expiries of one value are a register of their own: an acknowledged one shows in every later get.
    pub(super) fn judge_expiries(&self, written: &Written, judgement: &mut Judgement) {
        let mut cells: BTreeMap<(Version, Option<WallMs>), Vec<Version>> = BTreeMap::new();
        for set in written.expiries.values() {
            let meaning = (set.cell.of, set.cell.deadline);
            cells.entry(meaning).or_default().push(set.cell.version);
        }
        let mut values: BTreeMap<(&Key, Version), Vec<Step>> = BTreeMap::new();
        for (number, operation) in self.operations.iter().enumerate() {
            let (Some(ended), false) = (operation.ended, operation.one) else {
                continue;
            };
            let (of, did) = match &operation.told {
                Told::Wrote(version) if operation.kind == Kind::Expire && !version.delete => {
                    let Some(set) = written.expiries.get(version) else {
                        continue;
                    };
                    (set.cell.of, Did::Wrote(*version))
                }
                Told::Found {
                    version, deadline, ..
                } => {
                    let same = cells.get(&(*version, *deadline)).map(Vec::as_slice);
                    let did = match (same, deadline) {
                        (None, None) => Did::FoundNothing(WallMs(0)),
                        (Some([cell]), Some(_)) => Did::Read(*cell),
                        // Two cells with the same deadline, or none and one that says for ever, cannot be
                        // told apart.
                        _ => continue,
                    };
                    (*version, did)
                }
                _ => continue,
            };
            let began = operation.began;
            let steps = values.entry((&operation.key, of)).or_default();
            steps.push(Step {
                number,
                did,
                began,
                ended,
            });
        }
        for ((key, _), mut steps) in values {
            if let Err(wrong) = register::check(&mut steps, &[]) {
                let mut violation = self.explain(key, wrong);
                violation.rule = Rule::TimeToLive;
                self.excuse_or_blame(violation, judgement);
            }
        }
    }
}
