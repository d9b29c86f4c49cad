//! Marks against the plainest there could be: a list of all places.

use proptest::prelude::*;

use super::*;

/// A circle of 16 places that matter: each 16th of it.
fn place(n: u64) -> Id {
    Id::from_top(n << 60)
}

fn span() -> impl Strategy<Value = Span> {
    (0u64..16, 0u64..16).prop_map(|(from, to)| Span::new(place(from), place(to)))
}

fn mark() -> impl Strategy<Value = Mark> {
    (0u64..6, 0u64..6).prop_map(|(a, b)| Mark {
        fence: Stamp(a.max(b)),
        floor: Stamp(a.min(b)),
    })
}

/// What is done to marks, and to a list of all places.
#[derive(Clone, Debug)]
enum Deed {
    Raise(Span, Mark),
    Merge(Span, Span, Mark),
    Clear(Span),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (span(), mark()).prop_map(|(span, mark)| Deed::Raise(span, mark)),
        2 => (span(), span(), mark()).prop_map(|(a, b, mark)| Deed::Merge(a, b, mark)),
        1 => span().prop_map(Deed::Clear),
    ]
}

fn apply(marks: &mut Marks, plain: &mut [Mark; 16], deed: &Deed) {
    let places = || (0..16).map(place).zip(0usize..);
    match deed {
        Deed::Raise(span, mark) => {
            marks.raise(*span, *mark).unwrap();
            for (_, at) in places().filter(|(id, _)| span.contains(*id)) {
                plain[at] = plain[at].max(*mark);
            }
        }
        Deed::Merge(span, theirs, mark) => {
            let mut other = Marks::default();
            other.raise(*theirs, *mark).unwrap();
            marks.merge(*span, &other).unwrap();
            let both = |id: &Id| span.contains(*id) && theirs.contains(*id);
            for (_, at) in places().filter(|(id, _)| both(id)) {
                plain[at] = plain[at].max(*mark);
            }
        }
        Deed::Clear(span) => {
            marks.clear(*span).unwrap();
            for (_, at) in places().filter(|(id, _)| span.contains(*id)) {
                plain[at] = Mark::NONE;
            }
        }
    }
}

proptest! {
    /// However spans are cut, merged and given up, each place has the marks that were set for it.
    #[test]
    fn marks_are_those_of_a_plain_list(deeds in prop::collection::vec(deed(), 0..20), asked in span()) {
        let (mut marks, mut plain) = (Marks::default(), [Mark::NONE; 16]);
        for deed in &deeds {
            apply(&mut marks, &mut plain, deed);
        }
        for at in 0..16u64 {
            let (id, expected) = (place(at), plain[usize::try_from(at).unwrap()]);
            prop_assert_eq!(marks.at(id), expected);
            prop_assert_eq!(marks.at(id.wrapping_sub(Id::from_u64(1))), expected, "constant up to its end");
        }
        let parts = marks.of(asked);
        prop_assert_eq!((parts[0].0.from, parts[parts.len() - 1].0.to), (asked.from, asked.to));
        prop_assert!(parts.windows(2).all(|pair| pair[0].0.to == pair[1].0.from && pair[0].1 != pair[1].1));
        prop_assert!(parts.iter().all(|(part, mark)| marks.at(part.to) == *mark));
        prop_assert_eq!(marks.least(asked).floor, parts.iter().map(|(_, mark)| mark.floor).min().unwrap());
        let only = marks.only(asked);
        for id in (0..16).map(place) {
            let expected = if asked.contains(id) { marks.at(id) } else { Mark::NONE };
            prop_assert_eq!(only.at(id), expected);
        }
    }

    /// No two neighbours are equal, so the same marks have the same bytes however they came about.
    #[test]
    fn equal_marks_have_equal_bytes(deeds in prop::collection::vec(deed(), 0..20)) {
        let (mut marks, mut plain) = (Marks::default(), [Mark::NONE; 16]);
        for deed in &deeds {
            apply(&mut marks, &mut plain, deed);
        }
        let mut again = Marks::default();
        for (at, mark) in plain.iter().enumerate().rev() {
            let to = u64::try_from(at).unwrap();
            again.raise(Span::new(place((to + 15) % 16), place(to)), *mark).unwrap();
        }
        prop_assert_eq!(&again, &marks);
        prop_assert_eq!(again.encode(), marks.encode());
        prop_assert_eq!(Marks::decode(&marks.encode()), Some(marks));
    }

    /// Whatever bytes arrive, they are read back as they were, or refused.
    #[test]
    fn any_bytes_are_marks_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Some(marks) = Marks::decode(&bytes) {
            prop_assert_eq!(marks.encode(), bytes);
        }
    }
}

#[test]
fn beyond_the_limit_nothing_changes() {
    let mut marks = Marks::default();
    let even = |n: usize| Id::from_u64(n as u64 * 10);
    for n in 1..=MAX_MARKS / 2 {
        let span = Span::new(even(2 * n), even(2 * n + 1));
        marks.raise(span, Mark::fence(Stamp(7))).unwrap();
    }
    assert_eq!(marks.len(), MAX_MARKS);
    let before = marks.clone();
    let one_more = Span::new(Id::from_top(1), Id::from_top(2));
    assert_eq!(marks.raise(one_more, Mark::fence(Stamp(7))), Err(MarksFull));
    assert_eq!(marks, before);
    let all = Span::whole(Id::MAX);
    marks.raise(all, Mark::floor(Stamp(9))).unwrap();
    assert_eq!(marks.len(), 1, "a round over all of it joins them");
    assert_eq!(Marks::decode(&marks.encode()), Some(marks));
}

#[test]
fn a_fence_below_its_floor_is_reported() {
    let mut marks = Marks::default();
    marks
        .raise(Span::whole(Id::MAX), Mark::floor(Stamp(5)))
        .unwrap();
    assert_eq!(marks.check(), Ok(()));
    let wrong = Mark {
        fence: Stamp(4),
        floor: Stamp(5),
    };
    marks.ends.insert(place(3), wrong);
    let said = marks.check().unwrap_err();
    assert!(
        said.contains("the fence 0.4 lies below the floor 0.5"),
        "{said}"
    );
    let stretch = |n: usize| (Id::from_u64(n as u64), Mark::NONE);
    marks.ends = (0..=MAX_MARKS).map(stretch).collect();
    assert!(marks.check().unwrap_err().contains("at most"));
}
