//! Is a delete forgotten only where no older value can come in any more?
//!
//! A floor says that what was deleted at or below it is gone. That is safe only if every replica refuses older values by
//! then, which a fence on its disk does. So whenever a host raises a floor, the disks of the others are looked at:
//!
//! ```text
//! h1 raises the floor of (10, 20] to 50      h2: fence 50   h3: fence 50      fine
//!                                            h2: fence 50   h3: fence 20      h3 may still let a 30 in
//! ```
//!
//! Passed over are those who take nothing for a span yet: late, in doubt, not yet under that roster, or destroyed. While a
//! move goes on no round begins; then nothing is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::keep::marks_on_disk;
use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::{Key, Marks, Time, WallMs};
use crate::roster::Roster;
use crate::sim::World;
use crate::store::Setting;

/// Which marks each host has written down, and who has raised a floor since that was last asked.
#[derive(Debug, Default)]
pub(super) struct Floors {
    marks: BTreeMap<HostId, Marks>,
    risen: Vec<(HostId, Marks)>,
    /// Which floors rose when, anywhere.
    history: Vec<(Time, Marks)>,
}

impl Floors {
    /// A host writes its marks down.
    pub(super) fn written(&mut self, now: Time, host: HostId, marks: Marks) {
        let before = self.marks.get(&host).cloned().unwrap_or_default();
        let parts = marks.of(Span::whole(Id::MAX)).into_iter();
        let rises =
            |(part, mark): &(Span, crate::record::Mark)| before.least(*part).floor < mark.floor;
        let mut risen = Marks::default();
        for (part, mark) in parts.filter(rises) {
            // No more stretches than the host has, and one between each two.
            let _ = risen.raise(part, mark);
        }
        if !risen.is_empty() {
            self.history.push((now, risen.clone()));
            self.risen.push((host, risen));
        }
        self.marks.insert(host, marks);
    }

    /// When which floor was first raised over a key, each higher than the one before: a deadline that has passed by a floor has
    /// passed for good, whatever a clock says later.
    pub(super) fn over(&self, key: &Key) -> Vec<(Time, WallMs)> {
        let mut over: Vec<(Time, WallMs)> = Vec::new();
        for (at, risen) in &self.history {
            let floor = risen.at(key.id()).floor.wall();
            if over.last().map_or(WallMs(0), |(_, last)| *last) < floor {
                over.push((*at, floor));
            }
        }
        over
    }

    /// Who has raised a floor, and where, since this was last asked.
    pub(super) fn take(&mut self) -> Vec<(HostId, Marks)> {
        std::mem::take(&mut self.risen)
    }
}

/// Whether every replica of what `host` has raised its floor for refuses what lies below, by its disk.
///
/// # Errors
/// Who does not, in words.
pub(super) fn fenced(
    world: &mut World,
    (host, risen): (HostId, &Marks),
    roster: &Arc<Roster>,
    destroyed: impl Fn(HostId) -> bool,
) -> Result<(), String> {
    if roster.is_moving() {
        return Ok(());
    }
    let membership = roster.new();
    for token in membership.placement.tokens() {
        let floor = risen.at(token.id).floor;
        if floor.0 == 0 || !membership.holds(host, token.id) {
            continue;
        }
        for other in membership.holders(token.id) {
            if destroyed(other) || !takes_writes(world, other, roster) {
                continue;
            }
            let bytes = world.store(other).setting(Setting::Marks);
            let marks = bytes.and_then(|bytes| marks_on_disk(&bytes));
            let fence = marks.unwrap_or_default().at(token.id).fence;
            if fence < floor {
                let id = token.id.short();
                return Err(format!(
                    "{host} raises the floor before {id} to {floor}, and the fence of {other} is at {fence}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether by its disk a host lives by that roster, with nothing left to merge.
fn takes_writes(world: &mut World, host: HostId, roster: &Roster) -> bool {
    let store = world.store(host);
    let late = store
        .setting(Setting::Move)
        .is_some_and(|said| !said.is_empty());
    let lives_by = store.setting(Setting::Roster);
    let lives_by = lives_by.and_then(|bytes| Roster::decode(&bytes).ok());
    !late && lives_by.is_some_and(|mine| mine.version == roster.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Mark, Stamp};
    use crate::sim::{NetworkConfig, RingPlan};
    use crate::store::Op;

    #[test]
    fn a_floor_above_a_replicas_fence_is_found_out() {
        let mut world = World::ring(&RingPlan::new(3, 1), NetworkConfig::default()).unwrap();
        world.run_until(Time::from_ms(100));
        let roster = world.host(HostId(1)).unwrap().roster().unwrap().clone();
        let marks = |mark| {
            let mut marks = Marks::default();
            marks.raise(Span::whole(Id::MAX), mark).unwrap();
            marks
        };
        let mut floors = Floors::default();
        floors.written(Time::ZERO, HostId(1), marks(Mark::fence(Stamp(50))));
        assert_eq!(floors.take(), [], "a fence alone");
        floors.written(Time::ZERO, HostId(1), marks(Mark::floor(Stamp(50))));
        let risen = floors.take();
        let [(host, risen)] = &risen[..] else {
            panic!("{risen:?}")
        };
        for _ in 0..3 {
            let wrong = fenced(&mut world, (*host, risen), &roster, |_| false).unwrap_err();
            let named =
                |host: &u64| wrong.contains(&format!("0.50, and the fence of h{host} is at 0.0"));
            let unfenced = (1..=3).find(named);
            let unfenced = HostId(unfenced.expect("it names one without a fence"));
            // Before the marks: under which version whose were learned.
            let mut fence = vec![0; 10];
            fence.extend_from_slice(&marks(Mark::fence(Stamp(50))).encode());
            world
                .store(unfenced)
                .apply(Op::Set(Setting::Marks, fence.into()));
        }
        assert_eq!(
            fenced(&mut world, (*host, risen), &roster, |_| false),
            Ok(())
        );
    }
}
