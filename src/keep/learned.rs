//! Whose fences and floors does this host hold already, in the move that is under way?
//!
//! Written with the marks themselves, in one setting, so that a crash leaves both or neither. Without it a host that
//! had opened a span, and said that it was complete, would come back with the span closed: two such hosts, and nobody
//! is left who could tell them what they both knew.
//!
//! ```text
//! version   hosts   host host …   the marks, as [`Marks::encode`] writes them
//! 8 bytes   2       8 each        36 each
//! ```
//!
//! *Hold this true*: a host is noted only when all its marks that were wanted under that version are in the same
//! setting; it counts under that version alone.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes};

use crate::placement::HostId;
use crate::record::Marks;
use crate::roster::RosterVersion;

/// Those whose marks were merged under a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    pub(super) at: RosterVersion,
    pub(super) from: BTreeSet<HostId>,
}

impl Learned {
    pub(super) fn note(&mut self, at: RosterVersion, from: HostId) {
        if self.at != at {
            *self = Learned {
                at,
                from: BTreeSet::new(),
            };
        }
        self.from.insert(from);
    }

    pub(super) fn encode(&self, marks: &Marks) -> Bytes {
        let mut out = Vec::new();
        out.put_u64(self.at.0);
        // More hosts than that hold no span together.
        let count = u16::try_from(self.from.len()).unwrap_or(u16::MAX);
        out.put_u16(count);
        let hosts = self.from.iter().take(usize::from(count));
        hosts.for_each(|host| out.put_u64(host.0));
        out.extend_from_slice(&marks.encode());
        out.into()
    }

    /// Back from what was written; `None` if it cannot be read: nothing was marked, or the store is damaged.
    pub(super) fn decode(mut said: &[u8]) -> Option<(Learned, Marks)> {
        let at = RosterVersion(said.try_get_u64().ok()?);
        let count = said.try_get_u16().ok()?;
        let host = |_| said.try_get_u64().ok().map(HostId);
        let from = (0..count).map(host).collect::<Option<_>>()?;
        Some((Learned { at, from }, Marks::decode(said)?))
    }
}

/// The marks that [`Setting::Marks`](crate::store::Setting::Marks) holds.
#[must_use]
pub fn marks_on_disk(said: &[u8]) -> Option<Marks> {
    Learned::decode(said).map(|(_, marks)| marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Id, Span};
    use crate::record::{Mark, Stamp};

    #[test]
    fn it_is_read_back_with_the_marks_and_belongs_to_one_version() {
        let mut marks = Marks::default();
        let (fence, floor) = (Stamp(9), Stamp(7));
        let span = Span::new(Id::from_u64(1), Id::from_u64(5));
        marks.raise(span, Mark { fence, floor }).unwrap();
        let mut learned = Learned::default();
        assert_eq!(Learned::decode(b""), None);
        learned.note(RosterVersion(3), HostId(1));
        learned.note(RosterVersion(3), HostId(2));
        let said = learned.encode(&marks);
        assert_eq!(Learned::decode(&said), Some((learned.clone(), marks)));
        assert_eq!(Learned::decode(&said[..said.len() - 1]), None);
        learned.note(RosterVersion(4), HostId(3));
        assert_eq!(learned.from, BTreeSet::from([HostId(3)]));
    }
}
