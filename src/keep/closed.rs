//! For which spans does this host lack fences and floors?
//!
//! A host that comes to a span takes no write for it before it durably holds the marks of a quorum of those who had
//! it: the span is *closed* until then. It may still be closed when the move has settled without this host, and then
//! neither a restart nor the next move may open it. But only that span: what else the host holds it has marks for,
//! and whoever asks for those is told. Two hosts that shut all they have because each lacks a part would wait for
//! each other for ever.
//!
//! ```text
//! held     (10, 40]              closed   (20, 30]
//! cut      (10, 20] open   (20, 30] closed   (30, 40] open        a task of its own for each
//! ```
//!
//! *Hold these true*: what is closed is on disk before the version is lived by that needs it; a span is opened only
//! when the marks of a quorum of its holders are on disk, those of a late newcomer itself, which has none, counted.

use std::fmt::Write as _;

use crate::keyspace::{Id, Span};

use super::task::Task;

/// The spans of this host that are closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Closed {
    spans: Vec<Span>,
}

impl Closed {
    /// What these tasks still have to open, neighbours as one.
    pub(super) fn of(tasks: &[Task]) -> Closed {
        let closed = tasks.iter().filter(|task| task.is_closed());
        let mut spans: Vec<Span> = Vec::new();
        for span in closed.map(|task| task.piece.span) {
            match spans.last_mut() {
                Some(last) if last.to == span.from && last.from != span.to => last.to = span.to,
                _ => spans.push(span),
            }
        }
        Closed { spans }
    }

    /// These, too.
    pub(super) fn add(&mut self, spans: impl IntoIterator<Item = Span>) {
        for span in spans {
            if self.cut(span).iter().any(|(_, closed)| !closed) {
                self.spans.push(span);
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// A span in parts, in clockwise order, each wholly closed or wholly open.
    pub(super) fn cut(&self, span: Span) -> Vec<(Span, bool)> {
        let closed: Vec<Span> = self
            .spans
            .iter()
            .flat_map(|other| span.intersect(other))
            .collect();
        let ends = closed.iter().flat_map(|part| [part.from, part.to]);
        let mut ends: Vec<Id> = ends.chain([span.to]).collect();
        // The end of a whole circle is as far from its start as can be, not at it.
        let far = |id: &Id| span.from.distance(*id).wrapping_sub(Id::from_u64(1));
        ends.retain(|end| *end != span.from || span.is_whole());
        ends.sort_by_key(far);
        ends.dedup();
        let mut parts: Vec<(Span, bool)> = Vec::new();
        let mut from = span.from;
        for end in ends {
            let shut = closed.iter().any(|part| part.contains(end));
            match parts.last_mut().filter(|(_, last)| *last == shut) {
                Some((part, _)) => part.to = end,
                None => parts.push((Span::new(from, end), shut)),
            }
            from = end;
        }
        parts
    }

    /// As a word without spaces; nothing if nothing is closed.
    pub(super) fn encode(&self) -> String {
        let mut word = String::new();
        for span in &self.spans {
            let before = if word.is_empty() { "closed:" } else { "," };
            let _ = write!(word, "{before}{}-{}", span.from, span.to);
        }
        word
    }

    /// Back from such a word; `None` if it is none.
    pub(super) fn decode(word: &str) -> Option<Closed> {
        let spans = word.strip_prefix("closed:")?.split(',').map(|span| {
            let (from, to) = span.split_once('-')?;
            Some(Span::new(from.parse().ok()?, to.parse().ok()?))
        });
        Some(Closed {
            spans: spans.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{HostId, Piece};

    fn span(from: u64, to: u64) -> Span {
        Span::new(Id::from_u64(from), Id::from_u64(to))
    }

    fn closed(spans: &[(u64, u64)]) -> Closed {
        Closed {
            spans: spans.iter().map(|(from, to)| span(*from, *to)).collect(),
        }
    }

    #[test]
    fn a_span_is_cut_where_it_is_closed() {
        type Ends = (u64, u64);
        type Case<'a> = (&'a [Ends], Ends, &'a [(u64, u64, bool)]);
        let cases: [Case<'_>; 8] = [
            (&[], (10, 40), &[(10, 40, false)]),
            (&[(5, 60)], (10, 40), &[(10, 40, true)]),
            (&[(10, 40)], (10, 40), &[(10, 40, true)]),
            (
                &[(20, 30)],
                (10, 40),
                &[(10, 20, false), (20, 30, true), (30, 40, false)],
            ),
            (
                &[(5, 20), (20, 30)],
                (10, 40),
                &[(10, 30, true), (30, 40, false)],
            ),
            (&[(50, 60)], (10, 40), &[(10, 40, false)]),
            (
                &[(20, 30)],
                (40, 40),
                &[(40, 20, false), (20, 30, true), (30, 40, false)],
            ),
            (&[(40, 40)], (40, 40), &[(40, 40, true)]),
        ];
        for (shut, (from, to), parts) in cases {
            let expected: Vec<(Span, bool)> =
                parts.iter().map(|(a, b, is)| (span(*a, *b), *is)).collect();
            assert_eq!(closed(shut).cut(span(from, to)), expected, "{shut:?}");
        }
    }

    #[test]
    fn what_is_closed_is_read_back() {
        for shut in [closed(&[]), closed(&[(1, 2)]), closed(&[(30, 4), (9, 10)])] {
            let word = shut.encode();
            assert_eq!(Closed::decode(&word).unwrap_or_default(), shut, "{word}");
        }
        assert_eq!(Closed::decode("closed:1-2,"), None);
    }

    #[test]
    fn tasks_side_by_side_are_closed_as_one() {
        let task = |from, to, newcomer| {
            let (old, new) = (vec![HostId(1), HostId(2)], vec![HostId(3)]);
            let span = span(from, to);
            Task::new(Piece { span, old, new }).with_marks(HostId(3), newcomer)
        };
        let tasks = [
            task(1, 2, true),
            task(2, 5, true),
            task(5, 6, false),
            task(8, 9, true),
        ];
        assert_eq!(Closed::of(&tasks), closed(&[(1, 5), (8, 9)]));
    }
}
