//! Do votes and proposals fit together?

use super::ensure;
use crate::keep::agree::Agree;
use crate::keep::wish::MAX_WISHES;
use crate::roster::RosterVersion;

impl Agree {
    /// A vote lies at or below the promise, both belong to the version to come at the latest, and no ballot is above
    /// the greatest round heard of.
    pub(in crate::keep) fn check(&self, lived_by: RosterVersion) -> Result<(), String> {
        let (acceptor, next) = (&self.acceptor, lived_by.next());
        let (voted, promised) = (acceptor.version, acceptor.promised);
        ensure(voted <= next, || {
            format!("votes on {voted}, and lives by {lived_by}")
        })?;
        if let Some((ballot, roster)) = &acceptor.accepted {
            ensure(*ballot <= promised && roster.version == voted, || {
                let version = roster.version;
                format!(
                    "accepted {version} at {ballot:?}, having promised {promised:?} for {voted}"
                )
            })?;
        }
        let ballot = self.proposal.as_ref().map(|proposal| proposal.ballot);
        let round = self.round;
        let greatest = promised.max(ballot.unwrap_or_default());
        ensure(greatest.round <= round, || {
            format!("knows of {greatest:?}, and of no round above {round}")
        })?;
        let wishes = self.wishes.len();
        ensure(wishes <= MAX_WISHES, || {
            format!("{wishes} changes wait, at most {MAX_WISHES}")
        })?;
        let proposed = self.proposal.as_ref().map(|proposal| proposal.version);
        ensure(proposed.is_none_or(|version| version <= next), || {
            format!("proposes {proposed:?}, and lives by {lived_by}")
        })
    }
}
