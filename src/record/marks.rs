//! Which fence and which floor hold where on the circle?
//!
//! Spans are cut and merged as hosts come and go, so a replica does not keep its marks by span but as a
//! function on the circle, constant on stretches:
//!
//! ```text
//! (c0…, 40…]  fence 90 floor 90      a round over (c0…, 40…] ended
//! (40…, 60…]  fence 70 floor 20      a round over (40…, 60…] is under way
//! (60…, c0…]  nothing                never collected
//! ```
//!
//! Raising a stretch cuts those at its ends; neighbours that have become equal are one again. So there
//! are never more stretches than ends of spans that were raised apart.
//!
//! *Hold these true*: marks only rise, but where a replica has given a span up; no two neighbours are
//! equal; at most [`MAX_MARKS`] stretches, beyond which nothing is raised ([`MarksFull`]) and therefore
//! nothing collected.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use super::{Mark, Stamp};
use crate::keyspace::{Id, Span};

/// At most so many stretches; whatever would make more is refused.
pub const MAX_MARKS: usize = 8 * 1024;

/// Bytes of one stretch when written: its end, fence and floor.
const PART_BYTES: usize = Id::BYTES + 16;

/// The marks are cut up too much: [`MAX_MARKS`] stretches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "fences and floors differ on more than {MAX_MARKS} stretches of the circle: nothing more is collected until a round joins some"
)]
pub struct MarksFull;

/// Fence and floor of every place on the circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// By the last id of each stretch; it begins after the end of the one before, past zero for the first.
    /// A single stretch is the whole circle and ends at the greatest id. Empty: nothing anywhere.
    ends: BTreeMap<Id, Mark>,
}

impl Marks {
    /// The marks at one place.
    #[must_use]
    pub fn at(&self, id: Id) -> Mark {
        let after = self.ends.range(id..).next();
        let (_, mark) = after.or_else(|| self.ends.first_key_value()).unzip();
        mark.copied().unwrap_or(Mark::NONE)
    }

    /// How many stretches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing is marked anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A fence never lies below its floor, and there are not too many stretches.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        let wrong = self.ends.iter().find(|(_, mark)| mark.fence < mark.floor);
        if let Some((end, Mark { fence, floor })) = wrong {
            let end = end.short();
            return Err(format!(
                "up to {end} the fence {fence} lies below the floor {floor}"
            ));
        }
        let stretches = self.ends.len();
        if stretches > MAX_MARKS {
            return Err(format!(
                "marks on {stretches} stretches, at most {MAX_MARKS}"
            ));
        }
        Ok(())
    }

    /// Raises fence and floor of a span to at least `mark`.
    ///
    /// # Errors
    /// [`MarksFull`]; then nothing has changed.
    pub fn raise(&mut self, span: Span, mark: Mark) -> Result<(), MarksFull> {
        self.change(span, |old| old.max(mark))
    }

    /// Raises a span to what `other` has there.
    ///
    /// # Errors
    /// [`MarksFull`]; then nothing has changed.
    pub fn merge(&mut self, span: Span, other: &Marks) -> Result<(), MarksFull> {
        let mut raised = self.clone();
        for (part, mark) in other.of(span) {
            raised.raise(part, mark)?;
        }
        *self = raised;
        Ok(())
    }

    /// Forgets a span: its records have gone, too.
    ///
    /// # Errors
    /// [`MarksFull`]; then nothing has changed.
    pub fn clear(&mut self, span: Span) -> Result<(), MarksFull> {
        self.change(span, |_| Mark::NONE)
    }

    /// The stretches of a span, in clockwise order. Together they are the span.
    #[must_use]
    pub fn of(&self, span: Span) -> Vec<(Span, Mark)> {
        let mut parts: Vec<(Span, Mark)> = Vec::new();
        let mut from = span.from;
        for end in self.ends_within(span).into_iter().chain([span.to]) {
            let mark = self.at(end);
            match parts.last_mut().filter(|(_, last)| *last == mark) {
                Some((part, _)) => part.to = end,
                None => parts.push((Span::new(from, end), mark)),
            }
            from = end;
        }
        parts
    }

    /// The marks of a span alone.
    #[must_use]
    pub fn only(&self, span: Span) -> Marks {
        let mut marks = Marks::default();
        for (part, mark) in self.of(span) {
            // No more stretches than here, and one for what lies outside.
            let _ = marks.raise(part, mark);
        }
        marks
    }

    /// The least fence and the least floor in a span.
    #[must_use]
    pub fn least(&self, span: Span) -> Mark {
        let parts = self.of(span).into_iter().map(|(_, mark)| mark);
        parts
            .reduce(|a, b| Mark {
                fence: a.fence.min(b.fence),
                floor: a.floor.min(b.floor),
            })
            .unwrap_or(Mark::NONE)
    }

    /// The greatest fence and the greatest floor anywhere.
    #[must_use]
    pub fn greatest(&self) -> Mark {
        let all = self.ends.values().copied();
        all.fold(Mark::NONE, Mark::max)
    }

    /// The ends that lie in a span before its last id, in clockwise order.
    fn ends_within(&self, span: Span) -> Vec<Id> {
        let (over_zero, upto) = if span.from < span.to {
            (None, self.ends.range(span.from..span.to))
        } else {
            (
                Some(self.ends.range(span.from..)),
                self.ends.range(..span.to),
            )
        };
        let all = over_zero.into_iter().flatten().chain(upto);
        let ends = all.map(|(end, _)| *end);
        ends.filter(|end| *end != span.from).collect()
    }

    fn change(&mut self, span: Span, new: impl Fn(Mark) -> Mark) -> Result<(), MarksFull> {
        let parts = self.of(span);
        if parts.iter().all(|(_, mark)| new(*mark) == *mark) {
            return Ok(());
        }
        // A change makes two stretches more at most, one at each end of the span.
        if self.ends.len() + 2 <= MAX_MARKS {
            self.set(span, &parts, new);
            return Ok(());
        }
        let mut changed = self.clone();
        changed.set(span, &parts, new);
        if changed.ends.len() > MAX_MARKS {
            return Err(MarksFull);
        }
        *self = changed;
        Ok(())
    }

    fn set(&mut self, span: Span, parts: &[(Span, Mark)], new: impl Fn(Mark) -> Mark) {
        let before = self.at(span.from);
        for end in self.ends_within(span) {
            self.ends.remove(&end);
        }
        self.ends.insert(span.from, before);
        for (part, mark) in parts {
            self.ends.insert(part.to, new(*mark));
        }
        let before = self.ends.range(..span.from).next_back();
        let before = before.or_else(|| self.ends.last_key_value());
        let before: Vec<Id> = before.map(|(end, _)| *end).into_iter().collect();
        let touched = parts.iter().map(|(part, _)| part.to);
        for end in touched.chain([span.from]).chain(before) {
            self.join(end);
        }
    }

    /// Makes a stretch one with the next if they are equal.
    fn join(&mut self, end: Id) {
        let Some(mark) = self.ends.get(&end).copied() else {
            return;
        };
        let next = self.at(end.wrapping_add(Id::from_u64(1)));
        if self.ends.len() > 1 && next == mark {
            self.ends.remove(&end);
        }
        if self.ends.len() == 1 {
            let all = self.ends.pop_first().map(|(_, mark)| mark);
            let marked = all.filter(|mark| *mark != Mark::NONE);
            self.ends.extend(marked.map(|mark| (Id::MAX, mark)));
        }
    }

    /// As bytes, for the disk and for messages.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.ends.len() * PART_BYTES);
        for (end, mark) in &self.ends {
            out.extend_from_slice(&end.to_bytes());
            out.put_u64(mark.fence.0);
            out.put_u64(mark.floor.0);
        }
        out.into()
    }

    /// Back from bytes; `None` if they are not what [`Marks::encode`] writes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Marks> {
        let (parts, rest) = bytes.as_chunks::<PART_BYTES>();
        if !rest.is_empty() || parts.len() > MAX_MARKS {
            return None;
        }
        let mut ends = BTreeMap::new();
        for part in parts {
            let (end, mut stamps) = part.split_first_chunk::<{ Id::BYTES }>()?;
            let (fence, floor) = (Stamp(stamps.get_u64()), Stamp(stamps.get_u64()));
            ends.insert(Id::from_bytes(*end), Mark { fence, floor });
        }
        let mut marks = Marks { ends };
        let ends: Vec<Id> = marks.ends.keys().copied().collect();
        ends.into_iter().for_each(|end| marks.join(end));
        let sound = marks.ends.values().all(|mark| mark.floor <= mark.fence);
        (sound && marks.encode() == bytes).then_some(marks)
    }
}

#[cfg(test)]
mod tests;
