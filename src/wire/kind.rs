//! Which kinds of frames are there?
//!
//! The byte behind the layout says what a frame holds. All there is to know of a kind stands in one line of the
//! table below: its number, who speaks, and how large it may be.
//!
//! ```text
//! 00 00 00 47   01   03        03: a Write, from host to host, of one key and one piece at most
//! length    layout   kind
//! ```
//!
//! *Hold this true*: the numbers are for ever. A new kind gets the next one, and one that is no longer sent keeps its
//! own.

use super::WireError;
use super::frame::{MAX_FRAME_BYTES, MAX_LIST_FRAME_BYTES, MAX_ROSTER_FRAME_BYTES};

/// Who speaks in a message; each has a header of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Hosts, about data.
    Keep,
    /// Nodes, about the ring.
    Find,
    /// Detectors, about hosts.
    Detect,
}

/// What a frame has room for.
#[derive(Clone, Copy)]
enum Size {
    /// One key and one piece of a value.
    One,
    /// A list.
    List,
    /// A roster, be it as the reason of a refusal.
    Roster,
}

/// Makes the kinds of a table: each line is a number, a name, who speaks, and what there is room for.
macro_rules! kinds {
    ($($number:literal $name:ident $speaker:ident $size:ident;)*) => {
        /// What a frame holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind {
            $($name = $number,)*
        }

        impl Kind {
            /// The kind with that number.
            pub(super) const fn of(byte: u8) -> Result<Kind, WireError> {
                match byte {
                    $($number => Ok(Kind::$name),)*
                    _ => Err(WireError::Kind(byte)),
                }
            }

            /// Who speaks.
            pub(super) const fn speaker(self) -> Speaker {
                match self {
                    $(Kind::$name => Speaker::$speaker,)*
                }
            }

            const fn size(self) -> Size {
                match self {
                    $(Kind::$name => Size::$size,)*
                }
            }
        }
    };
}

kinds! {
     1 Ask        Keep    One;
     2 Answer     Keep    Roster;
     3 Write      Keep    One;
     4 Wrote      Keep    Roster;
     5 AskPiece   Keep    One;
     6 PieceIs    Keep    One;
     7 Gossip     Keep    One;
     8 RosterAsk  Keep    One;
     9 RosterIs   Keep    Roster;
    10 RosterHave Keep    One;
    11 Prepare    Keep    One;
    12 Promise    Keep    Roster;
    13 Propose    Keep    Roster;
    14 Accepted   Keep    One;
    15 Rejected   Keep    One;
    16 ChangeAsk  Keep    List;
    17 ChangeIs   Keep    One;
    18 Pull       Keep    One;
    19 Chunk      Keep    Roster;
    20 MoveAsk    Keep    One;
    21 MoveIs     Keep    One;
    22 DigestAsk  Keep    One;
    23 DigestsAre Keep    Roster;
    24 ListAsk    Keep    One;
    25 ListIs     Keep    Roster;
    26 Lookup     Find    List;
    27 Found      Find    List;
    28 GoOn       Find    List;
    29 Dropped    Find    One;
    30 Unsettled  Find    One;
    31 AskLinks   Find    One;
    32 Links      Find    List;
    33 Busy       Find    One;
    34 NotInRing  Find    One;
    35 Notify     Find    One;
    36 Ping       Find    One;
    37 Pong       Find    One;
    38 LookAgain  Find    One;
    39 Offer      Find    One;
    40 Take       Find    One;
    41 Granted    Find    List;
    42 Refused    Find    One;
    43 Left       Find    One;
    44 Detect     Detect  One;
    45 SuspectAsk Keep    One;
    46 SuspectIs  Keep    One;
    47 Health     Keep    One;
    48 MarksAsk   Keep    One;
    49 MarksAre   Keep    Roster;
    50 RoundAsk   Keep    One;
    51 RoundIs    Keep    Roster;
    52 ChoreAsk   Keep    One;
    53 ChoreIs    Keep    List;
}

impl Kind {
    /// Bytes a frame of this kind may have, its length field included.
    pub(super) const fn limit(self) -> usize {
        match self.size() {
            Size::One => MAX_FRAME_BYTES,
            Size::List => MAX_LIST_FRAME_BYTES,
            Size::Roster => MAX_ROSTER_FRAME_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_consecutive() {
        let known = (0..=u8::MAX).filter_map(|byte| Kind::of(byte).ok());
        let numbers: Vec<u8> = known.map(|kind| kind as u8).collect();
        assert_eq!(numbers, Vec::from_iter(1..=53));
        assert_eq!(Kind::of(0), Err(WireError::Kind(0)));
        assert_eq!(Kind::of(255), Err(WireError::Kind(255)));
    }
}
