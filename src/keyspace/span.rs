//! A stretch of the circle, open at its start and closed at its end.

use std::fmt;

use super::Id;

/// The ids met going clockwise after `from`, up to and including `to`.
///
/// Never empty: when `from == to` it is the whole circle, which is what a node that is alone on the
/// ring owns. So a span has 1 to 2^160 ids, and [`Span::width`] says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The last id before the span; not in it, unless the span is the whole circle.
    pub from: Id,
    /// The last id of the span.
    pub to: Id,
}

impl Span {
    /// The span `(from, to]`; the whole circle if they are equal.
    pub const fn new(from: Id, to: Id) -> Span {
        Span { from, to }
    }

    /// The whole circle, cut open after `at`: its first id is `at + 1` and its last is `at`.
    pub const fn whole(at: Id) -> Span {
        Span { from: at, to: at }
    }

    /// Whether this is the whole circle.
    pub fn is_whole(&self) -> bool {
        self.from == self.to
    }

    /// Whether `id` lies in the span.
    // region: contains
    pub fn contains(&self, id: Id) -> bool {
        if self.from < self.to {
            self.from < id && id <= self.to
        } else {
            // The span passes zero, or is whole: then one of the two is true of every id.
            self.from < id || id <= self.to
        }
    }
    // endregion: contains

    /// How many ids the span has; `None` for the whole circle, whose 2^160 do not fit in an [`Id`].
    // region: width
    pub fn width(&self) -> Option<Id> {
        (!self.is_whole()).then(|| self.from.distance(self.to))
    }
    // endregion: width

    /// The share of the circle that lies in the span, above 0 and up to 1.
    pub fn fraction(&self) -> f64 {
        self.width().map_or(1.0, Id::fraction)
    }

    /// The width in 2^64ths of the circle, counted between the first 64 bits of both ends. Off by less
    /// than one, but additive: the parts of a span cut in two, or of a whole ring of spans, add up exactly.
    pub fn parts(&self) -> u128 {
        let (from, to) = (u128::from(self.from.top()), u128::from(self.to.top()));
        let over_zero = if self.from < self.to { 0 } else { 1 << 64 };
        over_zero + to - from
    }

    /// The id halfway through the span, rounded towards its start: for the whole circle, the far side.
    pub fn midpoint(&self) -> Id {
        let half = self
            .width()
            .map_or(Id::power_of_two(Id::BITS - 1), Id::half);
        self.from.wrapping_add(half)
    }

    /// Cuts the span after `at` into `(from, at]` and `(at, to]`.
    /// `None` where there is nothing to cut: `at` lies outside, or is the span's last id.
    pub fn split_at(&self, at: Id) -> Option<(Span, Span)> {
        let cuts = self.contains(at) && at != self.to;
        cuts.then(|| (Span::new(self.from, at), Span::new(at, self.to)))
    }

    /// What two spans share, in the order met going clockwise from this one's start: nothing, one
    /// span, or two, since two long spans on a circle may meet at both of their ends.
    ///
    /// ```text
    ///   this     (-----------------------]
    ///   other    ------]          (-------      passes this one's start: two pieces
    /// ```
    pub fn intersect(&self, other: &Span) -> Vec<Span> {
        let Some(width) = self.width() else {
            return vec![*other];
        };
        if other.is_whole() {
            return vec![*self];
        }
        // Turn the circle until this span starts at zero and is (0, width].
        let (start, end) = (self.from.distance(other.from), self.from.distance(other.to));
        let turned = if end == Id::ZERO || start < end {
            // The other reaches at most up to zero again; an end at zero is the end of the circle.
            let last = if end == Id::ZERO {
                width
            } else {
                end.min(width)
            };
            vec![(start, last)]
        } else {
            vec![(Id::ZERO, end.min(width)), (start, width)]
        };
        let back = |(from, to): (Id, Id)| {
            Span::new(self.from.wrapping_add(from), self.from.wrapping_add(to))
        };
        turned
            .into_iter()
            .filter(|(from, to)| from < to)
            .map(back)
            .collect()
    }
}

/// `(from, to]` with the full digits of both; `{:#}` shows eight of each.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "({}, {}]", self.from.short(), self.to.short())
        } else {
            write!(f, "({}, {}]", self.from, self.to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u64) -> Id {
        Id::from_u64(n)
    }

    /// Ends of spans: few enough that equal, touching and crossing ends come up often.
    fn end() -> impl Strategy<Value = Id> {
        prop_oneof![
            (0u64..6).prop_map(id),
            (0u64..6).prop_map(|n| Id::MAX.wrapping_sub(id(n))),
            any::<[u8; 20]>().prop_map(Id::from_bytes),
        ]
    }

    fn span() -> impl Strategy<Value = Span> {
        (end(), end()).prop_map(|(from, to)| Span::new(from, to))
    }

    proptest! {
        #[test]
        fn a_span_holds_what_is_met_before_its_end(s in span(), x in end()) {
            let steps = s.from.distance(x);
            let met = match s.width() {
                None => true,
                Some(width) => steps != Id::ZERO && steps <= width,
            };
            prop_assert_eq!(s.contains(x), met);
            prop_assert!(s.contains(s.to));
            prop_assert!(s.contains(s.midpoint()) || s.width() == Some(id(1)));
        }

        #[test]
        fn both_halves_of_a_cut_make_the_whole(s in span(), at in end(), x in end()) {
            match s.split_at(at) {
                None => prop_assert!(!s.contains(at) || at == s.to),
                Some((left, right)) => {
                    prop_assert_eq!(s.contains(x), left.contains(x) || right.contains(x));
                    prop_assert!(!(left.contains(x) && right.contains(x)));
                    let sum = left.width().and_then(|l| Some(l.wrapping_add(right.width()?)));
                    prop_assert_eq!(sum, Some(s.width().unwrap_or(Id::ZERO)));
                    prop_assert_eq!(s.parts(), left.parts() + right.parts());
                }
            }
        }

        #[test]
        fn an_intersection_holds_what_both_hold(a in span(), b in span(), x in end()) {
            let pieces = a.intersect(&b);
            prop_assert!(pieces.len() <= 2);
            // Every end is a place where an answer may change, so look at and after each of them.
            for x in [x, a.from, a.to, b.from, b.to].into_iter().flat_map(|x| [x, x.wrapping_add(id(1))]) {
                let times = pieces.iter().filter(|piece| piece.contains(x)).count();
                prop_assert_eq!(times, usize::from(a.contains(x) && b.contains(x)), "at {}", x);
            }
        }
    }

    #[test]
    fn a_span_past_zero_holds_both_sides_of_it() {
        let span = Span::new(Id::from_top(0xc << 60), Id::from_top(0x4 << 60));
        assert!(span.contains(Id::MAX) && span.contains(Id::ZERO) && span.contains(span.to));
        assert!(!span.contains(span.from) && !span.contains(Id::from_top(0x8 << 60)));
        assert_eq!(span.fraction(), 0.5);
        assert_eq!(format!("{span:#}"), "(c0000000, 40000000]");
    }

    #[test]
    fn two_long_spans_meet_at_both_ends() {
        let pieces = Span::new(id(10), id(2)).intersect(&Span::new(id(1), id(20)));
        assert_eq!(pieces, [Span::new(id(10), id(20)), Span::new(id(1), id(2))]);
    }

    #[test]
    fn the_whole_circle_is_wider_than_any_id() {
        let whole = Span::whole(id(5));
        assert_eq!(
            (whole.width(), whole.fraction(), whole.parts()),
            (None, 1.0, 1 << 64)
        );
        assert_eq!(
            whole.split_at(id(9)),
            Some((Span::new(id(5), id(9)), Span::new(id(9), id(5))))
        );
        assert_eq!(whole.split_at(id(5)), None);
    }
}
