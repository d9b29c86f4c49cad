//! What clients asked real processes and were told, and whether that can be: the checker's rules, for who can
//! look at no store from inside.
//!
//! ```text
//! each key shows what one register would       `lab::check::register`: nothing acknowledged is lost, nothing
//!                                              old comes back, versions follow time
//! a version is of one write, and a write has one version
//! what failed saying that nothing was stored is never read
//! ```
//!
//! A write whose client lost its host is one of unknown outcome: it may show, later, or never. A delete of that
//! kind leaves no value by which its version could be known: of its key, gets of nothing after it say nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use roundelay::lab::check::history::{Kind, Operation, Told};
use roundelay::lab::check::register::{self, Did, NEVER, Step};
use roundelay::placement::HostId;
use roundelay::record::{Key, Stamp, Time, Version, WallMs};

use crate::host::now;

/// All that was asked, in the order in which it was.
pub(crate) struct History {
    begin: Instant,
    operations: Mutex<Vec<Operation>>,
}

impl History {
    pub(crate) fn new() -> History {
        History {
            begin: now(),
            operations: Mutex::new(Vec::new()),
        }
    }

    fn operations(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.operations.lock().unwrap()
    }

    fn now(&self) -> Time {
        Time::ZERO + self.begin.elapsed()
    }

    /// A client asks a host. The number of its question.
    pub(crate) fn began(&self, host: usize, key: &str, kind: Kind) -> usize {
        let mut operations = self.operations();
        operations.push(Operation {
            key: Key::new(key.as_bytes().to_vec()).unwrap(),
            at: HostId(host as u64),
            kind,
            one: false,
            began: self.now(),
            ended: None,
            told: Told::Silence,
        });
        operations.len() - 1
    }

    /// It was told something.
    pub(crate) fn ended(&self, number: usize, told: Told) {
        let now = self.now();
        let mut operations = self.operations();
        operations[number].ended = (told != Told::Silence).then_some(now);
        operations[number].told = told;
    }

    /// How many were asked, and how many writes were acknowledged.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let operations = self.operations();
        let written = operations.iter().filter(|op| op.writes() && op.succeeded());
        (operations.len(), written.count())
    }

    /// The last of those that failed, for whoever looks for a fault.
    pub(crate) fn failures(&self) -> String {
        let operations = self.operations();
        let failed = operations
            .iter()
            .enumerate()
            .filter(|(_, op)| !op.succeeded());
        let failed: Vec<String> = failed.map(|(number, op)| tell(number, op)).collect();
        failed[failed.len().saturating_sub(100)..].join("\n")
    }

    /// Fails with the contradiction, if there is one.
    #[track_caller]
    pub(crate) fn check(&self) {
        if let Err(why) = judge(&self.operations()) {
            panic!("{why}");
        }
    }
}

/// Whether all of it can be, and why not.
fn judge(operations: &[Operation]) -> Result<(), String> {
    let wrote = writers(operations)?;
    let mut keys: BTreeMap<&Key, Vec<Step>> = BTreeMap::new();
    let mut deleted: BTreeMap<&Key, Time> = BTreeMap::new();
    for operation in operations.iter().filter(|op| op.kind == Kind::Delete) {
        if operation.told == Told::Silence {
            let since = deleted.entry(&operation.key).or_insert(NEVER);
            *since = operation.began.min(*since);
        }
    }
    for (number, operation) in operations.iter().enumerate() {
        let since = deleted.get(&operation.key).copied().unwrap_or(NEVER);
        if let Some(step) = step(number, operation, &wrote, since) {
            keys.entry(&operation.key).or_default().push(step);
        }
    }
    for (key, mut steps) in keys {
        if let Err(wrong) = register::check(&mut steps, &[]) {
            let (first, second) = (wrong.first.number, wrong.second.number);
            let around = operations.iter().enumerate().filter(|(_, op)| {
                let apart = op.began.0.abs_diff(operations[first].began.0);
                op.key == *key && (apart < 2_000_000 || op.writes())
            });
            let around: Vec<String> = around.map(|(n, op)| tell(n, op)).collect();
            let from = around.len().saturating_sub(60);
            return Err(format!(
                "{key}: this one had ended before that one began, and they contradict each other:\n{}\n{}\nall of \
                 that key:\n{}",
                tell(first, &operations[first]),
                tell(second, &operations[second]),
                around[from..].join("\n"),
            ));
        }
    }
    Ok(())
}

/// Which operation wrote a version, and which version an operation wrote: one each.
#[derive(Default)]
struct Writers {
    by_version: BTreeMap<Version, usize>,
    by_number: BTreeMap<usize, Version>,
}

fn writers(operations: &[Operation]) -> Result<Writers, String> {
    let mut wrote = Writers::default();
    for (number, operation) in operations.iter().enumerate() {
        let (version, writer) = match operation.told {
            Told::Wrote(version) | Told::Unknown(version) => (version, number),
            Told::Found {
                version,
                number: Some(writer),
                ..
            } => (version, writer),
            Told::Found { number: None, .. } => {
                return Err(format!("no client wrote this: {}", tell(number, operation)));
            }
            Told::Silence | Told::Nothing(_) | Told::Present(_) | Told::Absent | Told::Idle => {
                continue;
            }
        };
        let write = operations.get(writer).filter(|write| {
            write.key == operation.key
                && write.writes()
                && write.began <= operation.began.max(write.began)
        });
        let Some(write) = write else {
            return Err(format!("no client wrote this: {}", tell(number, operation)));
        };
        if let Told::Nothing(_) = write.told {
            return Err(format!(
                "it failed, and yet it was stored:\n{}\n{}",
                tell(writer, write),
                tell(number, operation)
            ));
        }
        let same = *wrote.by_version.entry(version).or_insert(writer) == writer
            && *wrote.by_number.entry(writer).or_insert(version) == version;
        if !same {
            return Err(format!(
                "two versions of one write, or two writes of one version:\n{}\n{}",
                tell(writer, write),
                tell(number, operation)
            ));
        }
    }
    Ok(wrote)
}

/// What an operation is in the register of its key, if it takes part.
fn step(number: usize, operation: &Operation, wrote: &Writers, deleted: Time) -> Option<Step> {
    let (began, ended) = (operation.began, operation.ended.unwrap_or(NEVER));
    let (did, ended) = match operation.told {
        Told::Wrote(version) => (Did::Wrote(version), ended),
        Told::Unknown(version) => (Did::Wrote(version), NEVER),
        Told::Silence => (Did::Wrote(*wrote.by_number.get(&number)?), NEVER),
        Told::Found { version, .. } | Told::Present(version) => (Did::Read(version), ended),
        Told::Absent if ended < deleted => (Did::FoundNothing(WallMs(0)), ended),
        Told::Absent | Told::Nothing(_) | Told::Idle => return None,
    };
    Some(Step {
        number,
        did,
        began,
        ended,
    })
}

fn tell(number: usize, operation: &Operation) -> String {
    let (at, kind, key) = (operation.at, operation.kind, &operation.key);
    let ended = operation.ended.map_or("never".into(), |at| at.to_string());
    let told = match &operation.told {
        Told::Silence => "silence".into(),
        Told::Nothing(why) => format!("nothing: {why}"),
        Told::Unknown(version) => format!("unknown: {version}"),
        Told::Wrote(version) => format!("wrote {version}"),
        Told::Found {
            version, number, ..
        } => format!("found {version} of {number:?}"),
        Told::Present(version) => format!("there at {version}"),
        Told::Absent => "absent".into(),
        Told::Idle => "idle".into(),
    };
    format!(
        "#{number} {kind:?} {key} at {at} [{} {ended}] {told}",
        operation.began
    )
}

/// A version as it is printed: `-1700000000123.4@h2f/1`.
pub(crate) fn version(text: &str) -> Option<Version> {
    let (delete, rest) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (stamp, host) = rest.split_once('@')?;
    let (ms, count) = stamp.split_once('.')?;
    let (host, start) = host.split_once('/')?;
    let stamp = Stamp::at(WallMs(ms.parse().ok()?)).0 + count.parse::<u64>().ok()?;
    Some(Version {
        stamp: Stamp(stamp),
        delete,
        host: host.parse().ok()?,
        start: start.parse().ok()?,
    })
}

/// The version in an error that says that the outcome is unknown.
pub(crate) fn version_in(words: &str) -> Option<Version> {
    let (_, rest) = words.split_once("version ")?;
    version(rest.split_whitespace().next()?)
}

mod tests {
    use super::*;

    const KEY: &str = "cat";

    /// Asked one after the other, each answered before the next is asked.
    fn judged(told: &[(Kind, Told)]) -> Result<(), String> {
        let operations = (0..).zip(told).map(|(n, (kind, told))| Operation {
            key: Key::new(KEY.as_bytes().to_vec()).unwrap(),
            at: HostId(0),
            kind: *kind,
            one: false,
            began: Time::from_ms(10 * n + 1),
            ended: (*told != Told::Silence).then_some(Time::from_ms(10 * n + 5)),
            told: told.clone(),
        });
        judge(&operations.collect::<Vec<_>>())
    }

    fn at(ms: u64) -> Version {
        version(&format!("{ms}.0@h1/1")).unwrap()
    }

    fn found(ms: u64, number: usize) -> (Kind, Told) {
        let told = Told::Found {
            version: at(ms),
            number: Some(number),
            deadline: None,
        };
        (Kind::Get, told)
    }

    fn put(ms: u64) -> (Kind, Told) {
        (Kind::Put, Told::Wrote(at(ms)))
    }

    #[test]
    fn what_can_be_is_let_be() {
        let silent = (Kind::Put, Told::Silence);
        let deleted = Told::Wrote(version("-30.0@h1/1").unwrap());
        let absent = (Kind::Get, Told::Absent);
        let delete = (Kind::Delete, deleted);
        judged(&[
            absent.clone(),
            put(10),
            found(10, 1),
            silent,
            found(20, 3),
            delete,
            absent.clone(),
        ])
        .unwrap();
        judged(&[put(10), (Kind::Delete, Told::Silence), absent, found(10, 0)]).unwrap();
        let unknown = (Kind::Put, Told::Unknown(at(20)));
        judged(&[put(10), unknown, found(10, 0), found(20, 1), found(20, 1)]).unwrap();
    }

    #[test]
    fn what_cannot_be_is_found() {
        let absent = (Kind::Get, Told::Absent);
        let refused = (Kind::Put, Told::Nothing("TRYAGAIN".into()));
        for (told, why) in [
            (vec![put(10), absent], "contradict"),
            (vec![put(10), put(20), found(10, 0)], "contradict"),
            (vec![put(20), put(10)], "contradict"),
            (
                vec![
                    put(10),
                    (Kind::Put, Told::Unknown(at(20))),
                    found(20, 1),
                    found(10, 0),
                ],
                "contradict",
            ),
            (vec![refused, found(10, 0)], "it failed, and yet"),
            (
                vec![put(10), (Kind::Put, Told::Silence), found(10, 1)],
                "two versions of one write",
            ),
            (vec![put(10), found(11, 0)], "two versions of one write"),
            (vec![put(10), found(10, 7)], "no client wrote this"),
        ] {
            let judged = judged(&told).unwrap_err();
            assert!(judged.contains(why), "{why}: {judged}");
        }
    }

    #[test]
    fn versions_are_read_as_they_are_printed() {
        for text in ["1700000000123.4@h2f/1", "-1700000000123.65535@h1/77"] {
            assert_eq!(version(text).unwrap().to_string(), text);
        }
        let words = "UNCERTAIN the outcome is unknown: version 17.4@h2f/1 is on h2f; read the key";
        assert_eq!(version_in(words), version("17.4@h2f/1"));
        assert_eq!(version("17@h1/1"), None);
    }
}
