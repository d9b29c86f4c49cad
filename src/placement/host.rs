//! Who is on the ring: hosts, their zones, weights and tokens.

use std::fmt;
use std::str::FromStr;

use crate::keyspace::Id;

use super::PlacementError;

/// A host: a process with a store and an identity. A host that lost its store is a new host.
///
/// Written `h` and the number in hex, without padding: `h1`, `ha`, `h1f`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostId(pub u64);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("h{:x}", self.0))
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why some text is not a [`HostId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is written as h and 1 to 16 hex digits, such as h1f, got {0:?}")]
pub struct ParseHostError(String);

impl FromStr for HostId {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<HostId, ParseHostError> {
        let digits = text.strip_prefix('h').filter(|digits| digits.len() <= 16);
        // `from_str_radix` would also take a sign.
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(HostId)
            .ok_or_else(|| ParseHostError(text.to_owned()))
    }
}

/// What may fail together: a rack, a room, a data centre. Copies go to distinct zones first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

impl Zone {
    /// Bytes a zone's name may have.
    pub const LIMIT: usize = 32;

    /// A zone of this name: 1 to 32 of `a-z A-Z 0-9 - _ .`, so that it can stand in a table, a file
    /// name or a label without quoting.
    pub fn new(name: &str) -> Result<Zone, ZoneError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > Zone::LIMIT {
            return Err(ZoneError::Length(name.len()));
        }
        match name.chars().find(|c| !plain(*c)) {
            Some(found) => Err(ZoneError::Character(found)),
            None => Ok(Zone(name.to_owned())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Zone, ZoneError> {
        Zone::new(name)
    }
}

/// Why some text does not name a [`Zone`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// Nothing, or more than [`Zone::LIMIT`] bytes.
    #[error("a zone's name has 1 to {limit} bytes, got {0}", limit = Zone::LIMIT)]
    Length(usize),
    /// A character that would need quoting somewhere.
    #[error("a zone's name is made of a-z A-Z 0-9 - _ . only, got {0:?}")]
    Character(char),
}

/// What the ring knows about one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it may fail together with; `None` is taken as a zone of its own.
    pub zone: Option<Zone>,
    /// How much of the circle it should hold beside the others: weight 2 gets twice the share of
    /// weight 1. Only the choosing and rebalancing of tokens looks at it. At least 1.
    pub weight: u32,
    /// Its places on the circle, in order and each once. A host without a token holds nothing.
    pub tokens: Vec<Id>,
}

impl Member {
    /// A member of weight 1 without a zone.
    pub fn new(tokens: impl IntoIterator<Item = Id>) -> Member {
        let mut member = Member {
            zone: None,
            weight: 1,
            tokens: tokens.into_iter().collect(),
        };
        member.sort();
        member
    }

    /// The same member in this zone.
    pub fn in_zone(self, zone: Zone) -> Member {
        Member {
            zone: Some(zone),
            ..self
        }
    }

    /// The same member with this weight.
    pub fn weighing(self, weight: u32) -> Member {
        Member { weight, ..self }
    }

    /// Puts the tokens in order and leaves out repeated ones; refuses a weight of 0.
    pub(super) fn check(&mut self, host: HostId) -> Result<(), PlacementError> {
        self.sort();
        if self.weight == 0 {
            Err(PlacementError::NoWeight(host))
        } else {
            Ok(())
        }
    }

    fn sort(&mut self) {
        self.tokens.sort_unstable();
        self.tokens.dedup();
    }
}

/// A place on the circle and the host that stands there: a node, as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The place; also the last id of the span that belongs to it.
    pub id: Id,
    /// The host.
    pub host: HostId,
}

impl fmt::Display for Token {
    /// `522b276a@h3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id.short(), self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_and_read_in_hex() {
        for (number, text) in [
            (0, "h0"),
            (1, "h1"),
            (31, "h1f"),
            (u64::MAX, "hffffffffffffffff"),
        ] {
            assert_eq!(HostId(number).to_string(), text);
            assert_eq!(text.parse(), Ok(HostId(number)));
        }
        for bad in [
            "",
            "h",
            "1",
            "hx",
            "h+1",
            "h-1",
            "h 1",
            "h10000000000000000",
            "H1",
        ] {
            assert!(bad.parse::<HostId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn zones_have_short_plain_names() {
        assert_eq!(Zone::new("eu-west.1").unwrap().to_string(), "eu-west.1");
        assert_eq!(Zone::new(""), Err(ZoneError::Length(0)));
        assert_eq!(Zone::new(&"z".repeat(33)), Err(ZoneError::Length(33)));
        assert_eq!(Zone::new("a b"), Err(ZoneError::Character(' ')));
    }

    #[test]
    fn tokens_of_a_member_are_in_order_and_distinct() {
        let member = Member::new([3, 1, 3, 2].map(Id::from_u64));
        assert_eq!(member.tokens, [1, 2, 3].map(Id::from_u64));
    }
}
