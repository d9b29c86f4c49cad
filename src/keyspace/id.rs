//! A number of 160 bits on the circle.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};

/// A place on the circle of 2^160 numbers.
///
/// Kept as three words, most significant first, so that the derived order is the numeric order and a
/// comparison is usually decided by its first word. On the wire it is 20 bytes, big-endian.
// region: id
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id {
    /// Bits 159 to 96.
    high: u64,
    /// Bits 95 to 32.
    middle: u64,
    /// Bits 31 to 0.
    low: u32,
}
// endregion: id

impl Id {
    /// Zero, where the circle closes.
    pub const ZERO: Id = Id {
        high: 0,
        middle: 0,
        low: 0,
    };
    /// The greatest id, 2^160 - 1; one step clockwise from it lies zero.
    pub const MAX: Id = Id {
        high: u64::MAX,
        middle: u64::MAX,
        low: u32::MAX,
    };
    /// Bits in an id.
    pub const BITS: u32 = 160;
    /// Bytes of an id on the wire.
    pub const BYTES: usize = 20;

    /// The id of some bytes, usually a key: their SHA-1.
    // region: of
    pub fn of(bytes: &[u8]) -> Id {
        Id::from_bytes(Sha1::digest(bytes).into())
    }
    // endregion: of

    /// The SHA-1 of all these pieces, one after the other.
    pub fn of_pieces<P: AsRef<[u8]>>(pieces: &[P]) -> Id {
        let mut hash = Sha1::new();
        for piece in pieces {
            hash.update(piece);
        }
        Id::from_bytes(hash.finalize().into())
    }

    /// Reads 20 big-endian bytes.
    pub fn from_bytes(bytes: [u8; 20]) -> Id {
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        let low = u32::from_be_bytes(std::array::from_fn(|i| bytes[16 + i]));
        Id {
            high: word(0),
            middle: word(8),
            low,
        }
    }

    /// The 20 big-endian bytes that stand for this id on the wire.
    pub fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&self.high.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.middle.to_be_bytes());
        bytes[16..].copy_from_slice(&self.low.to_be_bytes());
        bytes
    }

    /// The id with this small value: `Id::from_u64(7)` is seven steps clockwise from zero.
    pub const fn from_u64(value: u64) -> Id {
        // Both shifts leave a value that fits; `as` is the only conversion a `const fn` has.
        #[allow(clippy::cast_possible_truncation)]
        let low = value as u32;
        Id {
            high: 0,
            middle: value >> 32,
            low,
        }
    }

    /// The id whose 64 most significant bits are `top`, and the rest zero: `top` 2^64ths of the circle.
    pub const fn from_top(top: u64) -> Id {
        Id {
            high: top,
            middle: 0,
            low: 0,
        }
    }

    /// The distance that covers so many 2^64ths of the circle; whole turns count for nothing.
    pub(crate) fn from_parts_of_circle(parts: u128) -> Id {
        Id::from_parts(parts << 64, 0)
    }

    /// The 64 most significant bits. Read as a distance: how many 2^64ths of the circle, rounded down.
    pub const fn top(self) -> u64 {
        self.high
    }

    /// 2^`bit`, the distance to a finger. `bit` 160 and above are whole turns and give zero.
    pub const fn power_of_two(bit: u32) -> Id {
        match bit {
            0..32 => Id {
                low: 1 << bit,
                ..Id::ZERO
            },
            32..96 => Id {
                middle: 1 << (bit - 32),
                ..Id::ZERO
            },
            96..160 => Id {
                high: 1 << (bit - 96),
                ..Id::ZERO
            },
            _ => Id::ZERO,
        }
    }

    /// The id `step` further clockwise, passing zero if need be.
    pub fn wrapping_add(self, step: Id) -> Id {
        let (low, carry) = self.low.overflowing_add(step.low);
        let upper = self
            .upper()
            .wrapping_add(step.upper())
            .wrapping_add(u128::from(carry));
        Id::from_parts(upper, low)
    }

    /// The id `step` further anti-clockwise, passing zero if need be.
    pub fn wrapping_sub(self, step: Id) -> Id {
        let (low, borrow) = self.low.overflowing_sub(step.low);
        let upper = self
            .upper()
            .wrapping_sub(step.upper())
            .wrapping_sub(u128::from(borrow));
        Id::from_parts(upper, low)
    }

    /// How far it is from here clockwise to `to`: zero if they are the same, otherwise 1 to 2^160 - 1.
    // region: distance
    pub fn distance(self, to: Id) -> Id {
        to.wrapping_sub(self)
    }
    // endregion: distance

    /// The id halfway from here clockwise to `to`, rounded towards here. Halfway to itself is itself.
    pub fn midpoint(self, to: Id) -> Id {
        self.wrapping_add(self.distance(to).half())
    }

    /// Half of this number, rounded down.
    pub fn half(self) -> Id {
        let carried = u32::from(self.middle & 1 == 1) << 31;
        Id::from_parts(self.upper() >> 1, self.low >> 1 | carried)
    }

    /// Read as a distance: the share of the circle it covers, from 0 up to (not quite) 1.
    pub fn fraction(self) -> f64 {
        const TURN: f64 = 18_446_744_073_709_551_616.0; // 2^64
        (self.high as f64 + self.middle as f64 / TURN) / TURN
    }

    /// A display of the first eight hex digits, for tables and traces.
    pub fn short(self) -> Short {
        Short(self)
    }

    /// Bits 159 to 32.
    fn upper(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.middle)
    }

    fn from_parts(upper: u128, low: u32) -> Id {
        // The two halves of a u128: neither conversion loses a bit that the other does not keep.
        #[allow(clippy::cast_possible_truncation)]
        let (high, middle) = ((upper >> 64) as u64, upper as u64);
        Id { high, middle, low }
    }
}

/// Forty lower-case hex digits; a precision keeps the first few: `{:.4}`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{:016x}{:016x}{:08x}",
            self.high, self.middle, self.low
        ))
    }
}

/// The same digits as the display, so that a failed assertion can be searched for in a trace.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An id shown by its first eight hex digits; see [`Id::short`]. Ids from 1 to 2^32, which no hash
/// gives and small circles on paper have, are shown as the numbers they are: `<1>`, `<6>`, `<10>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short(Id);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.upper() == 0 && self.0.low != 0 {
            return f.pad(&format!("{}", self.0.low));
        }
        f.pad(&format!("{:08x}", self.0.high >> 32))
    }
}

/// Why some text is not an [`Id`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// There was nothing to read.
    #[error("an id needs 1 to 40 hex digits, got an empty text")]
    Empty,
    /// More than 40 digits do not fit in 160 bits.
    #[error("an id has at most 40 hex digits, got {digits}")]
    TooLong {
        /// Characters given.
        digits: usize,
    },
    /// Something else than 0-9, a-f, A-F.
    #[error("an id is written in hex digits, got {found:?} at position {position}")]
    NotHex {
        /// The character that is not a hex digit.
        found: char,
        /// Its place in the text, counted in characters from 1.
        position: usize,
    },
}

/// Reads 1 to 40 hex digits of either case. Fewer than 40 are a small number, as on paper:
/// `"7"` is seven, and lies right after zero.
impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Id, ParseIdError> {
        if text.is_empty() {
            return Err(ParseIdError::Empty);
        }
        let digits = text.chars().count();
        if digits > 40 {
            return Err(ParseIdError::TooLong { digits });
        }
        let mut bytes = [0; Id::BYTES];
        for (i, found) in text.chars().enumerate() {
            let value = found
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok());
            let value = value.ok_or(ParseIdError::NotHex {
                found,
                position: i + 1,
            })?;
            let place = 40 - digits + i;
            bytes[place / 2] |= if place.is_multiple_of(2) {
                value << 4
            } else {
                value
            };
        }
        Ok(Id::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ruint::Uint;

    /// The oracle: somebody else's integers of exactly 160 bits.
    type Big = Uint<160, 3>;

    fn big(id: Id) -> Big {
        Big::from_be_bytes::<20>(id.to_bytes())
    }

    fn id(big: Big) -> Id {
        Id::from_bytes(big.to_be_bytes::<20>())
    }

    /// Ids of every kind: anywhere, and close to where words end and the circle closes.
    pub(crate) fn any_id() -> impl Strategy<Value = Id> {
        prop_oneof![
            any::<[u8; 20]>().prop_map(Id::from_bytes),
            any::<u8>().prop_map(|n| Id::from_u64(u64::from(n))),
            any::<u8>().prop_map(|n| Id::MAX.wrapping_sub(Id::from_u64(u64::from(n)))),
            (0u32..160, 0u64..3)
                .prop_map(|(bit, less)| { Id::power_of_two(bit).wrapping_sub(Id::from_u64(less)) }),
        ]
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_big_integers(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.wrapping_add(b), id(big(a).wrapping_add(big(b))));
            prop_assert_eq!(a.wrapping_sub(b), id(big(a).wrapping_sub(big(b))));
            prop_assert_eq!(a.distance(b), id(big(b).wrapping_sub(big(a))));
            prop_assert_eq!(a.half(), id(big(a) >> 1));
            let halfway = big(a).wrapping_add(big(b).wrapping_sub(big(a)) >> 1);
            prop_assert_eq!(a.midpoint(b), id(halfway));
            prop_assert_eq!(a.cmp(&b), big(a).cmp(&big(b)));
            prop_assert_eq!(Id::from_u64(a.top()), id(big(a) >> 96));
        }

        #[test]
        fn the_two_ways_round_make_the_whole_circle(a in any_id(), b in any_id()) {
            prop_assert_eq!(a.distance(b).wrapping_add(b.distance(a)), Id::ZERO);
            prop_assert_eq!(a.distance(b) == Id::ZERO, a == b);
        }

        #[test]
        fn text_and_bytes_come_back(a in any_id()) {
            let text = a.to_string();
            prop_assert_eq!(text.len(), 40);
            prop_assert_eq!(&text, &format!("{:040x}", big(a)));
            prop_assert_eq!(text.parse(), Ok(a));
            prop_assert_eq!(text.to_uppercase().parse(), Ok(a));
            prop_assert_eq!(text.trim_start_matches('0').parse().unwrap_or(Id::ZERO), a);
            let small = big(a) > Big::ZERO && big(a) < Big::from(1u64 << 32);
            let short = if small { big(a).to_string() } else { text[..8].to_owned() };
            prop_assert_eq!(a.short().to_string(), short);
            prop_assert_eq!(Id::from_bytes(a.to_bytes()), a);
        }

        #[test]
        fn any_text_parses_or_says_why(text in "\\PC{0,44}") {
            if let Ok(id) = text.parse::<Id>() {
                prop_assert!(id.to_string().ends_with(&text.to_lowercase()));
            }
        }
    }

    #[test]
    fn powers_of_two_are_those_of_the_oracle() {
        for bit in 0..160 {
            assert_eq!(Id::power_of_two(bit), id(Big::from(1) << bit), "bit {bit}");
        }
        assert_eq!(Id::power_of_two(160), Id::ZERO);
    }

    #[test]
    fn a_key_hashes_to_its_sha_1() {
        assert_eq!(
            Id::of(b"abc").to_string(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(Id::of(b"").short().to_string(), "da39a3ee");
    }

    #[test]
    fn bad_text_is_refused_with_its_place() {
        assert_eq!("".parse::<Id>(), Err(ParseIdError::Empty));
        assert_eq!(
            "0".repeat(41).parse::<Id>(),
            Err(ParseIdError::TooLong { digits: 41 })
        );
        let refused = "12g4".parse::<Id>().unwrap_err();
        assert_eq!(
            refused,
            ParseIdError::NotHex {
                found: 'g',
                position: 3
            }
        );
        assert_eq!(
            refused.to_string(),
            "an id is written in hex digits, got 'g' at position 3"
        );
        assert_eq!(
            "é1".parse::<Id>(),
            Err(ParseIdError::NotHex {
                found: 'é',
                position: 1
            })
        );
    }

    #[test]
    fn fractions_are_shares_of_the_circle() {
        assert_eq!(Id::power_of_two(159).fraction(), 0.5);
        assert_eq!(Id::power_of_two(157).fraction(), 0.125);
        assert_eq!(Id::ZERO.fraction(), 0.0);
    }
}
