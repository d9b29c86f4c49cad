//! Where a host should stand: four ways to choose tokens.
//!
//! | how | tokens from | evenness with n tokens a host |
//! |---|---|---|
//! | by hand | whoever runs the ring | as you make it |
//! | [`by_name`] | SHA-1 of `name#0`, `name#1`, … | shares vary by 1/sqrt(n) |
//! | [`random`] | a seeded generator | shares vary by 1/sqrt(n) |
//! | [`even`] | cuts, sized to leave everybody level, from the most loaded hosts | max/mean below 1.10 with 16 |
//!
//! A host of weight 2 asks the first two for twice as many tokens; `even` is told the weight.
//!
//! How `even` cuts. Take the most loaded hosts, at most as many as there are cuts to make, and lower them
//! to one common level, as water would be: what they give is the newcomer's due.
//!
//! ```text
//!   load  |#  #                      |
//!         |#  #  #                   |          #  #  #  . . taken, and given to the newcomer
//!   level |#--#--#-----       =>     |#  #  #  #  #
//!         |#  #  #  #                |#  #  #  #  #
//!           h1 h2 h3 h4                h1 h2 h3 h4 h5
//! ```
//!
//! A cut takes the first part of a host's longest span. Between two cuts a host waits until the ring
//! has grown by a sixteenth, so its load drifts by a sixteenth too: the bound of 1.10 has room for that.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::keyspace::{Id, Span};

use super::Placement;
use super::load::{CIRCLE, Weighed, weighed};

/// `n` tokens from a name: the SHA-1 of `name#0` to `name#{n-1}`. The same name always stands at the
/// same places, which is all the agreement that hosts without a roster have.
// region: by_name
pub fn by_name(name: &str, n: usize) -> Vec<Id> {
    (0..n)
        .map(|i| Id::of(format!("{name}#{i}").as_bytes()))
        .collect()
}
// endregion: by_name

/// `n` tokens at random, the same for the same seed.
pub fn random(seed: u64, n: usize) -> Vec<Id> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut token = || {
        let mut bytes = [0; Id::BYTES];
        generator.fill_bytes(&mut bytes);
        Id::from_bytes(bytes)
    };
    (0..n).map(|_| token()).collect()
}

/// `n` tokens for a newcomer of this weight, cut from the most loaded hosts so that it and they
/// are level. None of them is taken yet. Fewer than `n` only where the circle is too crowded to cut.
pub fn even(placement: &Placement, weight: u32, n: usize) -> Vec<Id> {
    if placement.tokens().len() == 0 {
        return spread(n);
    }
    let givers = level(placement, weight, n);
    let mut cuts: Vec<Span> = share_out(givers, n).iter().flat_map(Giver::cuts).collect();
    // Too few spans to cut from: then the newcomer cuts its own, so that later hosts find places.
    while let Some(place) = (0..cuts.len()).max_by_key(|place| cuts[*place].parts()) {
        let middle = cuts[place].midpoint();
        let (true, Some((left, right))) = (cuts.len() < n, cuts[place].split_at(middle)) else {
            break;
        };
        cuts[place] = left;
        cuts.push(right);
    }
    let mut tokens: Vec<Id> = cuts.into_iter().map(|cut| cut.to).collect();
    tokens.sort_unstable();
    tokens
}

/// `n` tokens at equal distances, for the first host.
fn spread(n: usize) -> Vec<Id> {
    let parts = CIRCLE.checked_div(n as u128).unwrap_or(0);
    (0..n as u128)
        .map(|i| Id::from_parts_of_circle(i * parts))
        .collect()
}

/// A host that gives something to the newcomer.
struct Giver {
    /// What it should give, in 2^64ths of the circle.
    give: u128,
    /// Its spans, the longest first.
    spans: Vec<Span>,
    /// From how many of its spans, the longest ones.
    cuts: usize,
}

impl Giver {
    /// What its longest spans, as many as it makes cuts, hold together.
    fn within_reach(&self) -> u128 {
        self.spans.iter().take(self.cuts).map(Span::parts).sum()
    }

    /// The cuts: of each of its longest spans the first part, in proportion.
    fn cuts(&self) -> Vec<Span> {
        let reach = self.within_reach().max(1);
        let cut = |span: &Span| {
            // In 2^32ths, so that the product fits: a span has at most 2^64 parts.
            let part = ((self.give << 32) / reach).min(1 << 32);
            let size = (span.parts() * part) >> 32;
            let size = size.min(span.parts().saturating_sub(1));
            let end = span.from.wrapping_add(Id::from_parts_of_circle(size));
            (size > 0).then_some(Span::new(span.from, end))
        };
        self.spans.iter().take(self.cuts).filter_map(cut).collect()
    }
}

/// The most loaded hosts, at most `most` of them, each with what it gives so that all are level and the
/// newcomer of this weight gets its due.
fn level(placement: &Placement, weight: u32, most: usize) -> Vec<Giver> {
    let mut hosts: Vec<Weighed> = weighed(placement);
    hosts.sort_by_key(|host| std::cmp::Reverse(host.level()));
    let weights: u128 = hosts.iter().map(|host| host.weight).sum();
    let due = CIRCLE * u128::from(weight) / (weights + u128::from(weight));
    let (mut count, mut load, mut weight, mut water) = (0, 0, 0, 0);
    for host in hosts.iter().take(most) {
        if count > 0 && host.level() <= water {
            break;
        }
        (count, load, weight) = (count + 1, load + host.load, weight + host.weight);
        water = (load.saturating_sub(due) << 32) / weight;
    }
    let giver = |host: Weighed| Giver {
        give: host.load.saturating_sub((host.weight * water) >> 32),
        spans: longest_first(placement.spans(host.host)),
        cuts: 0,
    };
    hosts.into_iter().take(count).map(giver).collect()
}

fn longest_first(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_by_key(|span| std::cmp::Reverse(span.parts()));
    spans
}

/// Says how many cuts each giver makes, `n` in all: first as many as it needs to give its part, then
/// the rest where a cut is largest.
fn share_out(mut givers: Vec<Giver>, n: usize) -> Vec<Giver> {
    let mut left = n;
    for giver in &mut givers {
        while left > 0 && giver.within_reach() <= giver.give && giver.cuts < giver.spans.len() {
            giver.cuts += 1;
            left -= 1;
        }
    }
    while left > 0 {
        let room = givers
            .iter_mut()
            .filter(|giver| giver.cuts < giver.spans.len());
        let Some(giver) = room.max_by_key(|giver| giver.give / (giver.cuts as u128 + 1)) else {
            break;
        };
        giver.cuts += 1;
        left -= 1;
    }
    givers
}
