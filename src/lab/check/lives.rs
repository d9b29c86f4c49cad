//! Was a stamp its host's to issue?
//!
//! A host writes down how often it was started, and up to which stamp it may go, before it stamps anything. So each
//! version that is seen anywhere must lie within that:
//!
//! ```text
//! h2 sets life 1, reserved 40      w 12@h2/1   fine
//!                                  w 41@h2/1   never reserved
//! h2 sets life 2, reserved 90      w 47@h2/2   fine: above all of life 1
//!                                  w 12@h2/2   below what life 1 has issued
//! ```

use std::collections::BTreeMap;

use crate::placement::HostId;
use crate::record::{Stamp, Version};

/// What is known of one life of a host.
#[derive(Clone, Copy, Debug)]
struct Life {
    reserved: Stamp,
    /// The least and the greatest stamp seen of it.
    issued: Option<(Stamp, Stamp)>,
}

/// The lives of all hosts.
#[derive(Debug, Default)]
pub(super) struct Lives(BTreeMap<(HostId, u32), Life>);

impl Lives {
    /// A host asks its disk to keep the number of its life and how far it may stamp. Whether this life is a new one.
    pub(super) fn reserved(&mut self, host: HostId, (start, reserved): (u32, Stamp)) -> bool {
        let new = !self.0.contains_key(&(host, start));
        let life = self.0.entry((host, start)).or_insert(Life {
            reserved,
            issued: None,
        });
        life.reserved = life.reserved.max(reserved);
        new
    }

    /// A version is seen for the first time.
    ///
    /// # Errors
    /// Why its host could not issue it, in words.
    pub(super) fn seen(&mut self, version: Version) -> Result<(), String> {
        let Version {
            stamp, host, start, ..
        } = version;
        let Some(life) = self.0.get_mut(&(host, start)) else {
            return Err(format!(
                "{version}: {host} has written down no life {start}"
            ));
        };
        let reserved = life.reserved;
        if stamp > reserved {
            return Err(format!(
                "{version} lies beyond {reserved}, all that {host} has reserved"
            ));
        }
        let (least, most) = life.issued.unwrap_or((stamp, stamp));
        life.issued = Some((least.min(stamp), most.max(stamp)));
        let issued = |life: &Life| life.issued;
        let before = self.0.range((host, 0)..(host, start));
        let before = before
            .filter_map(|(_, life)| issued(life))
            .map(|(_, most)| most);
        let after = self.0.range((host, start)..=(host, u32::MAX)).skip(1);
        let after = after
            .filter_map(|(_, life)| issued(life))
            .map(|(least, _)| least);
        if let Some(earlier) = before.max().filter(|earlier| *earlier >= stamp) {
            return Err(format!(
                "{version} is not above {earlier}, which an earlier life issued"
            ));
        }
        match after.min().filter(|later| *later <= stamp) {
            Some(later) => Err(format!(
                "{version} is not below {later}, which a later life issued"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(stamp: u64, start: u32) -> Version {
        Version {
            stamp: Stamp(stamp),
            delete: false,
            host: HostId(2),
            start,
        }
    }

    #[test]
    fn stamps_lie_within_what_is_reserved_and_above_earlier_lives() {
        let mut lives = Lives::default();
        let wrong = |lives: &mut Lives, version| lives.seen(version).unwrap_err();
        assert!(wrong(&mut lives, version(1, 1)).contains("no life 1"));
        lives.reserved(HostId(2), (1, Stamp(40)));
        assert_eq!(lives.seen(version(12, 1)), Ok(()));
        assert!(wrong(&mut lives, version(41, 1)).contains("beyond 0.40"));
        lives.reserved(HostId(2), (2, Stamp(90)));
        assert_eq!(lives.seen(version(47, 2)), Ok(()));
        assert_eq!(lives.seen(version(13, 1)), Ok(()), "seen late");
        assert!(wrong(&mut lives, version(12, 2)).contains("an earlier life issued"));
        let mut late = Lives::default();
        late.reserved(HostId(2), (1, Stamp(90)));
        late.reserved(HostId(2), (2, Stamp(90)));
        assert_eq!(late.seen(version(30, 2)), Ok(()));
        assert!(wrong(&mut late, version(40, 1)).contains("a later life issued"));
    }
}
