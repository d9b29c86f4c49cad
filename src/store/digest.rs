//! Do two replicas hold the same, and if not, where do they differ?
//!
//! Each record has a hash of its id and its versions, and the digest of a span is the exclusive or of
//! the hashes in it. So a digest can be kept up to date record by record, in any order, and digests of
//! neighbouring spans add up. Two replicas compare the digests of, say, 16 equal parts of a span, cut up
//! again those parts that differ, and list the few keys that remain:
//!
//! ```text
//! (00…, 40…]  here   3f2a…  91c0…  77e1…  0000…
//!             there  3f2a…  91c0…  d40b…  0000…     only (20…, 30…] differs: cut that one again
//! ```

use super::Digest;
use crate::keyspace::{Id, Span};
use crate::record::{Summary, Version};

impl Digest {
    /// The digest of one record. The id stands for the key, of which it is the SHA-1.
    pub(crate) fn of(id: Id, summary: &Summary) -> Digest {
        Digest {
            records: 1,
            hash: record_hash(id, summary),
        }
    }

    /// Adds what lies in another, separate span.
    pub(crate) fn add(&mut self, other: Digest) {
        self.records += other.records;
        self.hash ^= other.hash;
    }

    /// Takes a part of this span out again.
    pub(crate) fn take(&mut self, other: Digest) {
        self.records -= other.records;
        self.hash ^= other.hash;
    }
}

/// Cuts a span into `parts` parts of equal width, in clockwise order; the last takes what remains.
///
/// A span of fewer ids than `parts` is cut into single ids. Both sides of a comparison cut alike.
#[must_use]
pub fn cut(span: Span, parts: u16) -> Vec<Span> {
    let step = match span.width() {
        _ if parts < 2 => return vec![span],
        Some(width) => divide(0, width, parts),
        None => divide(1, Id::ZERO, parts),
    };
    if step == Id::ZERO {
        return single_ids(span);
    }
    let mut ends: Vec<Id> = Vec::with_capacity(usize::from(parts) + 1);
    let mut end = span.from;
    for _ in 0..parts {
        ends.push(end);
        end = end.wrapping_add(step);
    }
    ends.push(span.to);
    ends.windows(2)
        .map(|pair| Span::new(pair[0], pair[1]))
        .collect()
}

/// A span so narrow that each of its ids is a part of its own.
fn single_ids(span: Span) -> Vec<Span> {
    let one = Id::from_u64(1);
    let mut parts = Vec::new();
    let mut at = span.from;
    while at != span.to {
        let next = at.wrapping_add(one);
        parts.push(Span::new(at, next));
        at = next;
    }
    parts
}

/// `carry * 2^160 + number`, divided by a small number and rounded down: long division, byte by byte.
/// With `carry` 1 the divisor must be at least 2, or the result would not fit.
fn divide(carry: u32, number: Id, by: u16) -> Id {
    let by = u32::from(by);
    let mut rest = carry;
    let bytes = number.to_bytes().map(|byte| {
        let value = rest << 8 | u32::from(byte);
        rest = value % by;
        u8::try_from(value / by)
            .expect("the rest is less than the divisor, so this is less than 256")
    });
    Id::from_bytes(bytes)
}

/// A hash that is the same on every host and in every build: replicas compare it.
fn record_hash(id: Id, summary: &Summary) -> u64 {
    let bytes = id.to_bytes();
    let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    // The words overlap: 20 bytes are two and a half.
    let mut hash = [word(0), word(8), word(12)].into_iter().fold(0, mix);
    hash = mix_version(hash, summary.value);
    if let Some(cell) = &summary.expiry {
        hash = mix_version(hash, Some(cell.of));
        hash = mix_version(hash, Some(cell.version));
        hash = mix(hash, cell.deadline.map_or(u64::MAX, |deadline| deadline.0));
    }
    hash
}

fn mix_version(hash: u64, version: Option<Version>) -> u64 {
    let Some(version) = version else {
        return mix(hash, 1);
    };
    let flags = u64::from(version.start) << 2 | u64::from(version.delete) << 1;
    [version.stamp.0, version.host.0, flags]
        .into_iter()
        .fold(hash, mix)
}

/// Folds a word in: the finalizer of `SplitMix64` (Steele et al., 2014), which no two inputs share.
fn mix(hash: u64, word: u64) -> u64 {
    let mut z = (hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> Id {
        Id::from_u64(n)
    }

    #[test]
    fn the_whole_circle_is_cut_into_quarters() {
        let ends: Vec<u64> = cut(Span::whole(Id::ZERO), 4)
            .iter()
            .map(|part| part.to.top() >> 60)
            .collect();
        assert_eq!(ends, [4, 8, 12, 0]);
    }

    #[test]
    fn parts_cover_the_span_once_even_past_zero() {
        for parts in [1, 2, 3, 7, 256] {
            for span in [
                Span::new(Id::MAX, id(1000)),
                Span::whole(id(9)),
                Span::new(id(5), Id::from_top(3)),
            ] {
                let cuts = cut(span, parts);
                assert_eq!(cuts.len(), usize::from(parts));
                assert_eq!(
                    (cuts[0].from, cuts[cuts.len() - 1].to),
                    (span.from, span.to)
                );
                assert!(cuts.windows(2).all(|pair| pair[0].to == pair[1].from));
                assert!(parts == 1 || cuts.iter().all(|part| !part.is_whole()));
            }
        }
    }

    #[test]
    fn a_narrow_span_is_cut_into_single_ids() {
        let cuts = cut(Span::new(Id::MAX, id(2)), 256);
        assert_eq!(
            cuts.iter().map(|part| part.to).collect::<Vec<_>>(),
            [id(0), id(1), id(2)]
        );
    }
}
