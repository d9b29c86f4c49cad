//! The acceptor's half of Paxos: promise, accept, and never forget.
//!
//! What was promised or accepted for the version to come is on disk before it is said. It belongs to that
//! version alone: adopting a roster ends it.

use std::sync::Arc;

use bytes::Bytes;

use crate::message::{Ballot, KeepMessage};
use crate::placement::HostId;
use crate::roster::{Roster, RosterVersion};
use crate::store::{Op, Setting};

use super::then::Next;
use super::{Context, Keeper};

/// A roster accepted at a ballot.
pub(super) type Vote = (Ballot, Arc<Roster>);

// region: acceptor
/// What we promised and accepted, for one version.
#[derive(Clone, Debug, Default)]
pub(super) struct Acceptor {
    pub(super) version: RosterVersion,
    pub(super) promised: Ballot,
    pub(super) accepted: Option<Vote>,
}
// endregion: acceptor

impl Acceptor {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.version.0.to_be_bytes());
        put_ballot(&mut bytes, self.promised);
        if let Some((ballot, roster)) = &self.accepted {
            put_ballot(&mut bytes, *ballot);
            bytes.extend_from_slice(&roster.encode());
        }
        bytes.into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Acceptor> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (promised, rest) = take_ballot(rest)?;
        let accepted = match take_ballot(rest) {
            Some((ballot, roster)) => Some((ballot, Arc::new(Roster::decode(roster).ok()?))),
            None => None,
        };
        Some(Acceptor {
            version: RosterVersion(u64::from_be_bytes(*version)),
            promised,
            accepted,
        })
    }
}

fn put_ballot(bytes: &mut Vec<u8>, ballot: Ballot) {
    bytes.extend_from_slice(&ballot.round.to_be_bytes());
    bytes.extend_from_slice(&ballot.host.0.to_be_bytes());
}

fn take_ballot(bytes: &[u8]) -> Option<(Ballot, &[u8])> {
    let (round, rest) = bytes.split_first_chunk::<4>()?;
    let (host, rest) = rest.split_first_chunk::<8>()?;
    Some((
        Ballot {
            round: u32::from_be_bytes(*round),
            host: HostId(u64::from_be_bytes(*host)),
        },
        rest,
    ))
}

impl Keeper {
    /// A proposer asks for a promise.
    pub(super) fn prepare(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) {
        if self.votes_on(cx, from, version, ballot) {
            self.agree.acceptor.promised = ballot;
            let state = self.agree.acceptor.encode();
            self.store(
                cx,
                Op::Set(Setting::Acceptor, state),
                Next::Promised {
                    to: from,
                    version,
                    ballot,
                },
            );
        }
    }

    /// A proposer that has no vote writes its ballot down like one that has: no later life uses it again.
    pub(super) fn note_ballot(
        &mut self,
        cx: &mut Context<'_>,
        version: RosterVersion,
        ballot: Ballot,
    ) {
        self.agree.acceptor = Acceptor {
            version,
            promised: ballot,
            accepted: None,
        };
        let state = self.agree.acceptor.encode();
        let to = self.me;
        self.store(
            cx,
            Op::Set(Setting::Acceptor, state),
            Next::Promised {
                to,
                version,
                ballot,
            },
        );
    }

    /// The promise is on disk; if a greater one was made meanwhile, this one is not given.
    pub(super) fn promise_is_durable(
        &mut self,
        cx: &mut Context<'_>,
        to: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) {
        let acceptor = &self.agree.acceptor;
        if acceptor.version == version && acceptor.promised == ballot {
            let accepted = acceptor.accepted.clone();
            self.send(
                cx,
                to,
                KeepMessage::Promise {
                    version,
                    ballot,
                    accepted,
                },
            );
        }
    }

    /// A proposer asks us to accept a roster.
    pub(super) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        ballot: Ballot,
        roster: Arc<Roster>,
    ) {
        let version = roster.version;
        let same_ring = self
            .roster
            .as_ref()
            .is_some_and(|mine| mine.ring == roster.ring);
        if same_ring && self.votes_on(cx, from, version, ballot) {
            self.agree.acceptor.promised = ballot;
            self.agree.acceptor.accepted = Some((ballot, roster));
            let state = self.agree.acceptor.encode();
            self.store(
                cx,
                Op::Set(Setting::Acceptor, state),
                Next::Accepted {
                    to: from,
                    version,
                    ballot,
                },
            );
        }
    }

    /// Whether we vote on that version at that ballot; whoever is behind is helped on.
    fn votes_on(
        &mut self,
        cx: &mut Context<'_>,
        from: HostId,
        version: RosterVersion,
        ballot: Ballot,
    ) -> bool {
        let Some(roster) = self.roster.clone() else {
            return false;
        };
        if version <= roster.version {
            self.offer_roster(cx, from, RosterVersion::NONE);
            return false;
        }
        if version > roster.version.next() {
            self.send(
                cx,
                from,
                KeepMessage::RosterAsk {
                    have: roster.version,
                },
            );
            return false;
        }
        if self.adopting.is_some() || !roster.old().has(self.me) {
            return false;
        }
        self.agree.round = self.agree.round.max(ballot.round);
        let acceptor = &mut self.agree.acceptor;
        if acceptor.version != version {
            *acceptor = Acceptor {
                version,
                ..Acceptor::default()
            };
        }
        // region: judge
        if ballot < acceptor.promised {
            let promised = acceptor.promised;
            self.send(cx, from, KeepMessage::Rejected { version, promised });
            return false;
        }
        true
        // endregion: judge
    }
}
