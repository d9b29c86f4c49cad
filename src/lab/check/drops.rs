//! Does a copy go only once its replacement is there?
//!
//! A host that gives a span away keeps its copy until all who hold the span now have merged what a quorum of those before
//! them had. So whenever a host drops something, the disks of the others are looked at:
//!
//! ```text
//! v6 Settled   k1: h1 h2 h3      put k1 -> stored w4
//! v7 Moving
//! v8 Settled   k1: h2 h3 h4      h1 drops k1      h2: w4   h3: w7   h4: w4       fine
//!                                                 h2: w4   h3: w4   h4 nothing   too early: k1 had three copies
//! ```
//!
//! What was acknowledged before the move began that took the span away must be on *every* replica, not only on a quorum. What
//! was acknowledged later is looked at when it is acknowledged. Passed over are replicas whose stores were destroyed, and
//! those that have given the span to others since.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::history::{Kind, Operation, Told};
use super::onlooker::Written;
use super::stores::held;
use crate::keyspace::Span;
use crate::placement::HostId;
use crate::record::{ExpiryCell, Key, Summary, Time, Version};
use crate::roster::Roster;
use crate::sim::World;

/// What a host drops.
#[derive(Clone, Debug)]
pub(super) struct Dropped {
    pub(super) host: HostId,
    pub(super) spans: Vec<Span>,
}

/// Whether every replica has what was acknowledged of what a host drops before the move began that took it away; of how many
/// values and expiries.
///
/// # Errors
/// The key, and who lacks what, in words.
pub(super) fn replaced(
    world: &mut World,
    drop: &Dropped,
    written: &Written,
    operations: &[Operation],
    passed_over: impl Fn(HostId, &Key) -> bool,
) -> Result<usize, (Key, String)> {
    let Some(roster) = written.places.roster_of(drop.host) else {
        return Ok(0); // It holds nothing by a roster, or nobody knows by which.
    };
    let newest = written.newest.as_deref().unwrap_or(roster);
    let mut moved: BTreeMap<&Key, Option<Time>> = BTreeMap::new();
    let when = |key: &Key| {
        let dropped = drop.spans.iter().any(|span| span.contains(key.id()));
        let last = dropped.then(|| written.places.last_move(roster.version, key.id()));
        last.flatten()
    };
    let before = operations.iter().filter(|operation| {
        let key = &operation.key;
        let moved = *moved.entry(key).or_insert_with(|| when(key));
        let (ended, moved) = (operation.ended, moved.unwrap_or(Time::ZERO));
        !operation.one && ended.is_some_and(|ended| ended < moved)
    });
    let all = newest_of(before, written);
    let count = all.len();
    for (key, wanted) in all {
        let lacking = lacking(world, roster, newest, key, &wanted, &passed_over);
        let of = wanted.value.or(wanted.expiry.map(|cell| cell.of));
        if !lacking.is_empty() && !of.is_some_and(|of| may_be_collected(written, key, of)) {
            let (host, at) = (drop.host, roster.version);
            let what = wanted
                .greatest()
                .map_or_else(String::new, |version| version.to_string());
            let words = format!("{host} drops {what} at {at}, and it is not yet at{lacking}");
            return Err((key.clone(), words));
        }
    }
    Ok(count)
}

/// The greatest version of each key that one of these wrote, and its greatest expiry.
fn newest_of<'a>(
    operations: impl Iterator<Item = &'a Operation>,
    written: &Written,
) -> Vec<(&'a Key, Summary)> {
    let mut values: BTreeMap<&Key, Version> = BTreeMap::new();
    let mut expiries: BTreeMap<&Key, ExpiryCell> = BTreeMap::new();
    for operation in operations {
        let Told::Wrote(version) = operation.told else {
            continue;
        };
        let key = &operation.key;
        if let Kind::Put | Kind::Delete = operation.kind {
            let of_key = values.entry(key).or_insert(version);
            *of_key = (*of_key).max(version);
        } else if let Some(set) = written.expiries.get(&version) {
            let of_key = expiries.entry(key).or_insert(set.cell);
            *of_key = (*of_key).max(set.cell);
        }
    }
    let value = |(key, version)| (key, Some(version), None);
    let expiry = |(key, cell)| (key, None, Some(cell));
    let all = values
        .into_iter()
        .map(value)
        .chain(expiries.into_iter().map(expiry));
    all.map(|(key, value, expiry)| (key, Summary { value, expiry }))
        .collect()
}

/// Who should hold that, or something newer, and does not.
fn lacking(
    world: &mut World,
    roster: &Roster,
    newest: &Roster,
    key: &Key,
    wanted: &Summary,
    passed_over: impl Fn(HostId, &Key) -> bool,
) -> String {
    let mut lacking = String::new();
    for host in roster.new().holders(key.id()) {
        let gave_it_on = !newest.old().holds(host, key.id());
        if gave_it_on || passed_over(host, key) {
            continue;
        }
        let has = held(world, host, key);
        // The expiry of a value that a newer one has replaced need not be kept.
        let replaced = wanted.expiry.is_some_and(|cell| has.value > Some(cell.of));
        if !replaced && !has.covers(wanted) {
            let _ = write!(lacking, " {host}");
        }
    }
    lacking
}

/// Whether nothing may be left of a version: a floor has passed it, and it was deleted or had a deadline.
fn may_be_collected(written: &Written, key: &Key, version: Version) -> bool {
    let floors = written.floors.over(key);
    let Some((_, floor)) = floors
        .last()
        .filter(|(_, floor)| *floor >= version.stamp.wall())
    else {
        return false;
    };
    let mut values = written.values.iter();
    let mut expiries = written.expiries.values();
    values.any(|(other, origin)| other.delete && *other >= version && origin.key == *key)
        || expiries.any(|set| set.key == *key && set.cell.deadline.is_some_and(|at| at <= *floor))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keyspace::Id;
    use crate::placement::Member;
    use crate::record::{Body, Cells, Record, Stamp, ValueCell};
    use crate::roster::{Change, RosterVersion};
    use crate::sim::{NetworkConfig, RingPlan};
    use crate::store::Op;

    #[test]
    fn a_copy_that_goes_before_a_replica_has_it_is_found_out() {
        let mut world = World::ring(&RingPlan::new(3, 1), NetworkConfig::default()).unwrap();
        world.run_until(Time::from_ms(100));
        let settled = world.host(HostId(1)).unwrap().roster().unwrap().clone();
        let key = Key::new("cat").unwrap();
        // The next token before the key's takes over from the third replica.
        let join = Member::new([key.id()]);
        let moving = settled
            .moved(HostId(1), &[Change::Join(HostId(4), join)])
            .unwrap();
        let done = moving.finished(HostId(1)).unwrap();
        let (new, last) = (done.new().holders(key.id()), done.version);
        let mut old = settled.old().holders(key.id()).into_iter();
        let drops = old.find(|host| !new.contains(host)).unwrap();
        let store = |world: &mut World, host, stamp| {
            let version = Version {
                stamp: Stamp(stamp),
                delete: false,
                host: HostId(1),
                start: 1,
            };
            let body = Some(Body::new("meow"));
            let value = Some(ValueCell { version, body });
            let (key, expiry) = (key.clone(), None);
            let cells = Cells { value, expiry };
            world.store(host).apply(Op::Merge(Record { key, cells }));
            version
        };
        let version = store(&mut world, drops, 40);
        let mut written = Written::default();
        for (at, roster) in [settled, Arc::new(moving), Arc::new(done)]
            .into_iter()
            .enumerate()
        {
            let at = Time::from_ms(100 + at as u64);
            assert_eq!(written.places.written(at, Arc::clone(&roster)), Ok(()));
            written.newest = Some(roster);
        }
        written.places.adopted(drops, last);
        let spans = vec![Span::new(key.id().wrapping_sub(Id::from_u64(1)), key.id())];
        let drop = Dropped { host: drops, spans };
        let put = |ended| Operation {
            key: key.clone(),
            at: HostId(1),
            kind: Kind::Put,
            one: false,
            began: Time::ZERO,
            ended: Some(Time::from_ms(ended)),
            told: Told::Wrote(version),
        };
        let look = |world: &mut World, ended, gone: Option<HostId>| {
            let gone = |host, _: &Key| Some(host) == gone;
            replaced(world, &drop, &written, &[put(ended)], gone)
        };
        // Host 4 was never added to this world: it counts only where its disk must be looked at.
        let others: Vec<HostId> = new.into_iter().filter(|host| *host != HostId(4)).collect();
        let four = Some(HostId(4));
        let (of, words) = look(&mut world, 50, four).unwrap_err();
        assert_eq!(of, key);
        assert!(
            words.contains("drops 0.40") && words.contains(&format!("{}", others[0])),
            "{words}"
        );
        store(&mut world, others[0], 40);
        assert!(
            look(&mut world, 50, four)
                .unwrap_err()
                .1
                .ends_with(&format!("at {}", others[1]))
        );
        assert_eq!(
            look(&mut world, 101, four),
            Ok(0),
            "acknowledged since the move began"
        );
        store(&mut world, others[1], 50);
        assert_eq!(look(&mut world, 50, four), Ok(1), "a newer one will do");
        assert_eq!(written.places.last_move(RosterVersion(9), key.id()), None);
    }
}
