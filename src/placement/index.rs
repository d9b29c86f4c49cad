//! The ordered tokens once more, laid flat for fast answers.
//!
//! A tree answers "first token at or after this id" in five or six levels among 100,000, each in
//! another place of memory. Hashed ids are spread evenly, so their first bits nearly tell the answer:
//! this index keeps the tokens in one array and, for each value of the first bits, where they begin.
//!
//! ```text
//!   first 2 bits     00   01   10   11  end
//!   begin             0    2    2    3    5          6c… begins 01: look from place 2
//!                     |     \  /    |
//!   tokens           13… 2f…   8e…  c0… f4…          2 is 8e…, at or after 6c…: the owner
//! ```
//!
//! Tokens set by hand may share their first bits; then a bucket is long and is searched by halves.

use crate::keyspace::{Id, Span};

use super::{HostId, Token};

/// How many tokens from the beginning of a bucket are looked at together. One or two in a hundred
/// buckets of hashed tokens have as many.
const LOOK: usize = 6;

/// What stands beyond the last token: never smaller than an id.
const BEYOND: Token = Token {
    id: Id::MAX,
    host: HostId(0),
};

/// Numbers up to which a list is looked through rather than a table of marks kept.
const FEW: usize = 32;

/// The tokens in one array, with an index of their first bits.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// All tokens, in order, and a few more beyond the last, so that one may look further.
    padded: Vec<Token>,
    /// For each token, the number of its host in `zones`.
    hosts: Vec<u32>,
    /// For each host, the number of its zone. Hosts without a named zone have numbers of their own.
    zones: Vec<u32>,
    /// How many hosts have tokens.
    host_count: usize,
    /// In how many zones they are.
    zone_count: usize,
    /// For each value of the first bits, where its tokens begin, and the end.
    begin: Vec<u32>,
    /// How far to shift an id's first 64 bits so that only the indexed ones are left.
    shift: u32,
}

impl Index {
    /// Lays out tokens that are in order. `slots` are their hosts' places in `zones`.
    pub(super) fn new(mut tokens: Vec<Token>, slots: Vec<u32>, zones: Vec<u32>) -> Index {
        let host_count = distinct(slots.iter().copied());
        let zone_count = distinct(slots.iter().map(|slot| zones[*slot as usize]));
        // One to two tokens a bucket: twice as many buckets would be shorter, but their beginnings would no
        // longer fit into a near cache. At least one bit, as a shift of 64 is none.
        let bits = tokens.len().next_power_of_two().trailing_zeros();
        let bits = bits.saturating_sub(1).clamp(1, 24);
        let shift = 64 - bits;
        let mut begin = Vec::with_capacity((1 << bits) + 1);
        for (place, token) in (0u32..).zip(&tokens) {
            let bucket = bucket(token.id, shift);
            while begin.len() <= bucket {
                begin.push(place);
            }
        }
        let end = u32::try_from(tokens.len())
            .expect("tokens are counted in 32 bits: 2^32 would need 160 GB");
        begin.resize((1 << bits) + 1, end);
        tokens.extend([BEYOND; LOOK]);
        Index {
            padded: tokens,
            hosts: slots,
            zones,
            host_count,
            zone_count,
            begin,
            shift,
        }
    }

    /// All tokens, in order.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.padded[..self.hosts.len()]
    }

    /// The place of the first token at or after `id`, passing zero if need be. `None` when there is none.
    // region: at_or_after
    pub(super) fn at_or_after(&self, id: Id) -> Option<usize> {
        let tokens = self.tokens();
        if tokens.is_empty() {
            return None;
        }
        let bucket = bucket(id, self.shift);
        let first = self.begin[bucket] as usize;
        // Counting the smaller ones of a few takes no branch that a processor could guess wrong.
        let near = &self.padded[first..first + LOOK];
        let smaller = |near: &Token| usize::from(near.id.top() < id.top());
        let mut place = first + near.iter().map(smaller).sum::<usize>();
        if place == first + LOOK || self.padded[place].id.top() == id.top() {
            // A long bucket, or a token with the same 64 bits: look at all of the id.
            let bucket = &tokens[first..self.begin[bucket + 1] as usize];
            place = first + bucket.partition_point(|token| token.id < id);
        }
        // Past the last token the next one is the first.
        Some(if place == tokens.len() { 0 } else { place })
    }
    // endregion: at_or_after

    /// What each of `hosts` hosts owns, by their numbers, in 2^64ths of the circle.
    pub(super) fn loads(&self, hosts: usize) -> Vec<u128> {
        let mut loads = vec![0; hosts];
        let mut from = self.tokens().last().map_or(Id::ZERO, |token| token.id);
        for (token, host) in self.tokens().iter().zip(&self.hosts) {
            loads[*host as usize] += Span::new(from, token.id).parts();
            from = token.id;
        }
        loads
    }

    /// Tokens going clockwise once round, from the first at or after `id`, with their hosts' numbers.
    fn clockwise(&self, id: Id) -> impl Iterator<Item = (HostId, u32)> {
        let start = self.at_or_after(id).unwrap_or(0);
        let pair = |place: usize| (self.padded[place].host, self.hosts[place]);
        (start..self.hosts.len()).chain(0..start).map(pair)
    }

    /// The first `count` distinct hosts clockwise, whatever their zones.
    // region: successors
    pub(super) fn successors(&self, id: Id, count: usize) -> Vec<HostId> {
        let wanted = count.min(self.host_count);
        let mut found = Vec::with_capacity(wanted);
        let mut seen = Seen::default();
        for (host, number) in self.clockwise(id) {
            if found.len() == wanted {
                break;
            }
            // A few copies are quicker to look through than to keep a list of.
            let new = if wanted <= FEW {
                !found.contains(&host)
            } else {
                seen.first_time(number)
            };
            if new {
                found.push(host);
            }
        }
        found
    }
    // endregion: successors

    /// Whether a host is among the `count` that [`Index::replicas`] names. Every question a replica is asked
    /// asks this first, so where no zones are named it makes no list.
    pub(super) fn is_replica(&self, host: HostId, id: Id, count: usize) -> bool {
        let wanted = count.min(self.host_count);
        if self.zone_count != self.host_count || wanted > FEW {
            return self.replicas(id, count).contains(&host);
        }
        let (mut met, mut places) = (0, [HostId(0); FEW]);
        for (other, _) in self.clockwise(id) {
            if met == wanted || other == host {
                return met < wanted;
            }
            if !places[..met].contains(&other) {
                places[met] = other;
                met += 1;
            }
        }
        false
    }

    /// The first `count` distinct hosts clockwise, those of zones not met before coming first.
    pub(super) fn replicas(&self, id: Id, count: usize) -> Vec<HostId> {
        if self.zone_count == self.host_count {
            return self.successors(id, count);
        }
        let wanted = count.min(self.host_count);
        let wanted_zones = wanted.min(self.zone_count);
        let (mut found, mut skipped) = (Vec::with_capacity(wanted), Vec::new());
        let (mut hosts, mut zones) = (Seen::default(), Seen::default());
        for (host, number) in self.clockwise(id) {
            if found.len() == wanted_zones && found.len() + skipped.len() >= wanted {
                break;
            }
            if !hosts.first_time(number) {
                continue;
            }
            if found.len() < wanted_zones && zones.first_time(self.zones[number as usize]) {
                found.push(host);
            } else if skipped.len() < wanted {
                skipped.push(host);
            }
        }
        found.extend(skipped.into_iter().take(wanted - wanted_zones));
        found
    }
}

/// The bucket of an id: its first bits as a number.
fn bucket(id: Id, shift: u32) -> usize {
    usize::try_from(id.top() >> shift).expect("at most 24 bits are left after the shift")
}

/// How many distinct numbers there are.
fn distinct(numbers: impl Iterator<Item = u32>) -> usize {
    let mut seen = Seen::default();
    numbers.filter(|number| seen.first_time(*number)).count()
}

/// Numbers met so far: a list while they are few, then a table of marks.
#[derive(Default)]
struct Seen {
    few: Vec<u32>,
    marks: Vec<bool>,
}

impl Seen {
    /// Whether `number` was not met before; it is now.
    fn first_time(&mut self, number: u32) -> bool {
        if self.marks.is_empty() && self.few.len() < FEW {
            let new = !self.few.contains(&number);
            if new {
                self.few.push(number);
            }
            return new;
        }
        for old in std::mem::take(&mut self.few) {
            self.mark(old);
        }
        self.mark(number)
    }

    fn mark(&mut self, number: u32) -> bool {
        let place = number as usize;
        if self.marks.len() <= place {
            self.marks.resize(place + 1, false);
        }
        !std::mem::replace(&mut self.marks[place], true)
    }
}
