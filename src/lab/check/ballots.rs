//! Does whoever votes remember what it said?
//!
//! Paxos is safe only as long as an acceptor keeps what it promised, whatever becomes of it in between. What hosts say
//! to each other is heard here, and kept without forgetting:
//!
//! ```text
//! h2 -> h1  Promise v8, ballot 3.h1, accepted nothing
//! h2 -> h1  Accepted v8 at 3.h1
//! h2 -> h3  Promise v8, ballot 4.h3, accepted nothing     it forgot its vote, perhaps in a crash
//! h2 -> h1  Accepted v8 at 3.h1                           it forgot that it promised 4.h3
//! h1 -> h2  Propose v8 at 3.h1, twice with two rosters    a ballot proposes one thing
//! ```
//!
//! What a host says to itself is not heard.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::message::{Ballot, KeepMessage};
use crate::placement::HostId;
use crate::roster::{Roster, RosterVersion};

/// What one host has said about one version.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    promised: Ballot,
    accepted: Option<Ballot>,
}

/// What all have said.
#[derive(Debug, Default)]
pub(super) struct Ballots {
    said: BTreeMap<(RosterVersion, HostId), Said>,
    proposed: BTreeMap<(RosterVersion, Ballot), Arc<Roster>>,
}

impl Ballots {
    /// A host says something to another one.
    ///
    /// # Errors
    /// What it contradicts, in words.
    pub(super) fn heard(&mut self, from: HostId, message: &KeepMessage) -> Result<(), String> {
        match message {
            KeepMessage::Promise {
                version,
                ballot,
                accepted,
            } => {
                let said = self.said.entry((*version, from)).or_default();
                let (before, vote) = (said.promised, said.accepted);
                said.promised = before.max(*ballot);
                let told = accepted.as_ref().map(|(ballot, _)| *ballot);
                if before > *ballot {
                    Err(format!(
                        "{from} promises {ballot:?} for {version} after {before:?}"
                    ))
                } else if told < vote {
                    Err(format!(
                        "{from} says of {version} that it accepted {told:?}, and had said {vote:?}"
                    ))
                } else {
                    Ok(())
                }
            }
            KeepMessage::Accepted { version, ballot } => {
                let said = self.said.entry((*version, from)).or_default();
                said.accepted = said.accepted.max(Some(*ballot));
                let promised = said.promised;
                if promised > *ballot {
                    return Err(format!(
                        "{from} accepts {ballot:?} for {version}, having promised {promised:?}"
                    ));
                }
                Ok(())
            }
            KeepMessage::Propose { ballot, roster } => {
                let version = roster.version;
                let known = self.proposed.entry((version, *ballot));
                let known = known.or_insert_with(|| Arc::clone(roster));
                if Arc::ptr_eq(known, roster) || known == roster {
                    Ok(())
                } else {
                    Err(format!(
                        "{from} proposes two rosters for {version} at {ballot:?}"
                    ))
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Member;
    use crate::roster::RingId;

    const V: RosterVersion = RosterVersion(8);

    fn ballot(round: u32, host: u64) -> Ballot {
        Ballot {
            round,
            host: HostId(host),
        }
    }

    fn roster(replicas: u8) -> Arc<Roster> {
        let member = Member::new([crate::keyspace::Id::from_u64(9)]);
        Arc::new(Roster::found(RingId(1), HostId(1), member, replicas).unwrap())
    }

    fn promise(round: u32, accepted: Option<(Ballot, Arc<Roster>)>) -> KeepMessage {
        KeepMessage::Promise {
            version: V,
            ballot: ballot(round, 1),
            accepted,
        }
    }

    fn accepted(round: u32) -> KeepMessage {
        KeepMessage::Accepted {
            version: V,
            ballot: ballot(round, 1),
        }
    }

    #[test]
    fn an_acceptor_that_forgets_is_found_out() {
        let mut ballots = Ballots::default();
        let hear = |ballots: &mut Ballots, message| ballots.heard(HostId(2), &message);
        assert_eq!(hear(&mut ballots, promise(3, None)), Ok(()));
        assert_eq!(hear(&mut ballots, accepted(3)), Ok(()));
        let vote = Some((ballot(3, 1), roster(1)));
        assert_eq!(hear(&mut ballots, promise(4, vote)), Ok(()));
        let forgot = hear(&mut ballots, promise(5, None)).unwrap_err();
        assert!(forgot.contains("that it accepted None"), "{forgot}");
        let back = hear(&mut ballots, promise(3, None)).unwrap_err();
        assert!(back.contains("promises"), "{back}");
        let late = hear(&mut ballots, accepted(3)).unwrap_err();
        assert!(late.contains("having promised"), "{late}");
    }

    #[test]
    fn a_ballot_proposes_one_thing() {
        let mut ballots = Ballots::default();
        let propose = |replicas| KeepMessage::Propose {
            ballot: ballot(3, 1),
            roster: roster(replicas),
        };
        assert_eq!(ballots.heard(HostId(1), &propose(2)), Ok(()));
        assert_eq!(ballots.heard(HostId(1), &propose(2)), Ok(()), "sent again");
        let two = ballots.heard(HostId(1), &propose(3)).unwrap_err();
        assert!(two.contains("two rosters"), "{two}");
    }
}
