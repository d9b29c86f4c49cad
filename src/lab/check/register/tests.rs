//! The fast checker against one that tries every order (Wing and Gong, 1993).

use proptest::prelude::*;

use super::*;
use crate::placement::HostId;
use crate::record::Stamp;

fn version(stamp: u64, delete: bool) -> Version {
    Version {
        stamp: Stamp(stamp),
        delete,
        host: HostId(1),
        start: 1,
    }
}

/// Whether some order of the operations, each within its time, makes a register: by trying them all.
fn some_order_fits(steps: &[Step], ends: &[Ends], done: u32, now: Option<Version>) -> bool {
    let open = |index: &usize| done & (1 << index) == 0;
    let left: Vec<usize> = (0..steps.len()).filter(open).collect();
    if left.iter().all(|index| steps[*index].ended == NEVER) {
        return true; // What may never have happened need not be placed.
    }
    let first_end = left.iter().map(|index| steps[*index].ended).min().unwrap();
    left.iter().any(|index| {
        let step = &steps[*index];
        let next = match step.did {
            _ if step.began > first_end => None, // Something else had ended before it began.
            Did::Wrote(version) => (Some(version) > now).then_some(Some(version)),
            Did::Read(version) => (Some(version) == now).then_some(now),
            Did::FoundNothing(wall) => {
                let absent = now.is_none_or(|version| {
                    let mut of_it = ends.iter().filter(|end| end.of == version);
                    let up = |end: &Ends| end.deadline <= wall && end.began <= step.ended;
                    version.delete || of_it.any(up)
                });
                absent.then_some(now)
            }
        };
        next.is_some_and(|next| some_order_fits(steps, ends, done | (1 << index), next))
    })
}

/// A few operations over a short time: many overlap, many contradict each other.
fn histories() -> impl Strategy<Value = (Vec<Step>, Vec<Ends>)> {
    let step = (0u64..30, 0u64..12, 0u8..8, 1u64..6, any::<bool>(), 0u64..40);
    let steps = prop::collection::vec(step, 1..9);
    let ends = prop::collection::vec((1u64..6, 0u64..30, 0u64..40), 0..3);
    (steps, ends).prop_map(|(drawn, ends)| {
        let mut written = [false; 6];
        let mut steps = Vec::new();
        for (number, (began, took, kind, stamp, unknown, wall)) in drawn.into_iter().enumerate() {
            // Versions 2 and 4 are deletes; each is written once at most.
            let delete = stamp == 2 || stamp == 4;
            let named = version(stamp, delete);
            let written = &mut written[usize::try_from(stamp).unwrap()];
            let did = match kind {
                0..=2 if !*written => Did::Wrote(named),
                3..=5 if !delete => Did::Read(named),
                _ => Did::FoundNothing(WallMs(wall)),
            };
            *written |= did == Did::Wrote(named);
            let never = unknown && matches!(did, Did::Wrote(_));
            let ended = if never { NEVER } else { Time(began + took) };
            let began = Time(began);
            steps.push(Step {
                number,
                did,
                began,
                ended,
            });
        }
        // A value that nobody wrote is another rule's business.
        steps.retain(|step| match step.did {
            Did::Read(version) => written[usize::try_from(version.stamp.0).unwrap()],
            Did::Wrote(_) | Did::FoundNothing(_) => true,
        });
        let ends = ends.into_iter().map(|(stamp, began, deadline)| Ends {
            of: version(stamp, stamp == 2 || stamp == 4),
            began: Time(began),
            deadline: WallMs(deadline),
        });
        let mut ends: Vec<Ends> = ends.filter(|end| !end.of.delete).collect();
        ends.sort_by_key(|end| end.of);
        (steps, ends)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn it_says_what_trying_every_order_says((steps, ends) in histories()) {
        let fits = some_order_fits(&steps, &ends, 0, None);
        let said = check(&mut steps.clone(), &ends);
        prop_assert_eq!(said.is_ok(), fits, "{:?}", said);
    }
}

fn step(number: usize, did: Did, began: u64, ended: u64) -> Step {
    let (began, ended) = (Time(began), Time(ended));
    Step {
        number,
        did,
        began,
        ended,
    }
}

#[test]
fn the_history_of_the_lesson() {
    let (w5, w7) = (version(5, false), version(7, false));
    let mut steps = vec![
        step(0, Did::Wrote(w5), 0, 10),
        step(1, Did::Wrote(w7), 5, 17),
        step(2, Did::Read(w5), 8, 11),
        step(3, Did::Read(w7), 12, 17),
    ];
    assert_eq!(check(&mut steps, &[]), Ok(()));
    let late = step(4, Did::Read(w5), 20, 23);
    steps.push(late);
    let wrong = check(&mut steps, &[]).unwrap_err();
    assert_eq!((wrong.first.number, wrong.second), (1, late));
}

#[test]
fn a_hundred_thousand_operations_take_no_time() {
    let mut steps = Vec::new();
    for n in 0..50_000u64 {
        let delete = n % 3 == 0;
        let wrote = Did::Wrote(version(n, delete));
        steps.push(step(0, wrote, n * 10, n * 10 + 500));
        let read = if delete {
            Did::FoundNothing(WallMs(0))
        } else {
            Did::Read(version(n, false))
        };
        steps.push(step(0, read, n * 10 + 2, n * 10 + 600));
    }
    assert_eq!(check(&mut steps, &[]), Ok(()));
}
