//! How a host comes into a ring that has a roster.
//!
//! It asks any member for the roster, chooses tokens that take an even share from the most loaded hosts
//! (unless it brings its own), and asks to be let in; again and again, until it finds itself in a settled
//! roster.

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Failure, KeepMessage, Outcome, ReqId, Ticket};
use crate::placement::{HostId, Member, even};
use crate::roster::{Change, ChangeError, MAX_TOKENS, Roster, RosterVersion};

use super::timers::Wake;
use super::{Context, Keeper};

/// How often a joiner asks again.
const JOIN_RETRY: Duration = Duration::from_secs(1);

/// Tokens the ring chose may clash with those of another joiner: so often it chooses again, then the
/// joiner is told why not.
const MAX_REFUSALS: u32 = 10;

/// How a host wants to come in.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Any member of the ring.
    pub via: HostId,
    /// A host whose place it takes.
    pub replaces: Option<HostId>,
    /// How many copies it was told the ring keeps.
    pub replicas: Option<u8>,
    /// What it brings; without tokens, those of the host it replaces, or so many even ones.
    pub member: Member,
    /// How many tokens to choose if `member` has none.
    pub tokens: u16,
}

/// A host on its way into a ring.
#[derive(Debug)]
pub(super) struct Joining {
    ticket: Ticket,
    /// Whom it asks: another member once this one is silent or out.
    via: HostId,
    /// Whom it was told to ask first, and asks again when all others are silent: they may have left since.
    told: HostId,
    /// Whom else it could ask.
    members: Vec<HostId>,
    /// Whether anything came since it last asked.
    heard: bool,
    /// How often it was refused.
    refused: u32,
    member: Member,
    tokens: u16,
    replaces: Option<HostId>,
    replicas: Option<u8>,
    /// The question under way: one per roster we learned of.
    req: Option<ReqId>,
    learned: RosterVersion,
    /// Whether a move that lets us in has begun.
    let_in: bool,
}

impl Joining {
    /// Whom it asks after one that is silent.
    fn another(&self) -> HostId {
        let mut known = self.members.clone();
        known.push(self.told);
        known.sort_unstable();
        after(&known, self.via)
    }

    /// The ring keeps another number of copies than this host was told.
    fn disagrees(&self, roster: &Roster) -> Option<String> {
        let copies = roster.new().replicas;
        let told = self.replicas.filter(|told| *told != copies)?;
        Some(format!(
            "the ring keeps {copies} copies of every key, but this host was told {told}: start it with {copies}, or \
             without a number, and change the ring's number with `replicas`"
        ))
    }

    /// Whom it replaces, if that host is still in, and where it wants to stand.
    fn place(&self, roster: &Roster) -> (Option<HostId>, Member) {
        let placement = &roster.new().placement;
        let replaced = self.replaces.filter(|host| roster.new().has(*host));
        let former = replaced.and_then(|host| placement.member(host));
        let mut member = self.member.clone();
        if member.tokens.is_empty() {
            member.tokens = match former {
                Some(former) => former.tokens.clone(),
                None => even(placement, member.weight, usize::from(self.tokens)),
            };
        }
        (replaced, member)
    }
}

impl Keeper {
    /// Joins the ring of which `entry.via` is a member.
    pub fn join(&mut self, cx: &mut Context<'_>, ticket: Ticket, entry: Entry) {
        let Entry {
            via,
            replaces,
            replicas,
            member,
            tokens,
        } = entry;
        if let Err(why) = self.may_join(&member, tokens) {
            return self.answer(cx, ticket, Err(Failure::Change(why)));
        }
        let learned = RosterVersion::NONE;
        self.joining = Some(Box::new(Joining {
            ticket,
            via,
            told: via,
            members: Vec::new(),
            heard: true,
            refused: 0,
            member,
            tokens,
            replaces,
            replicas,
            req: None,
            learned,
            let_in: false,
        }));
        self.join_due(cx);
    }

    /// A host that was given up, or has left, comes in like a new one: what it still holds are records
    /// like any others.
    fn may_join(&self, member: &Member, tokens: u16) -> Result<(), String> {
        if let Some(roster) = self.roster.as_ref().filter(|roster| roster.has(self.me)) {
            let version = roster.version;
            return Err(format!("this host is in a ring already (roster {version})"));
        }
        if self.joining.is_some() {
            return Err("this host is joining already: wait for the answer".into());
        }
        let wanted = if member.tokens.is_empty() {
            usize::from(tokens)
        } else {
            member.tokens.len()
        };
        match wanted {
            0 => {
                Err("a host needs at least one token: name some, or say how many to choose".into())
            }
            1..=MAX_TOKENS => Ok(()),
            _ => Err(ChangeError::Tokens(self.me, wanted).to_string()),
        }
    }

    pub(super) fn join_due(&mut self, cx: &mut Context<'_>) {
        let Some(joining) = self.joining.as_mut() else {
            return;
        };
        if !std::mem::take(&mut joining.heard) {
            joining.via = joining.another();
        }
        let via = joining.via;
        self.timers.set(Wake::Join, cx.now.at + JOIN_RETRY);
        let have = RosterVersion::NONE; // So that whoever is there says something.
        self.send(cx, via, KeepMessage::RosterAsk { have });
    }

    /// A roster without us in it: what a joiner goes by.
    pub(super) fn learn(&mut self, cx: &mut Context<'_>, roster: Arc<Roster>) {
        let Some(joining) = self.joining.as_mut() else {
            return;
        };
        joining.heard = true;
        if let Some(why) = joining.disagrees(&roster) {
            return self.join_failed(cx, &why);
        }
        joining.members = roster.old().placement.hosts().collect();
        if roster.is_moving() {
            joining.learned = roster.version;
            return; // Somebody else is joining: wait for it to settle.
        }
        if !roster.has(joining.via) {
            joining.via = after(&joining.members, joining.via);
        }
        let req = match joining.req {
            Some(req) if joining.learned == roster.version => req,
            _ => ReqId(0),
        };
        let (replaced, member) = joining.place(&roster);
        let via = joining.via;
        let removed = replaced.map(Change::Remove);
        let changes = removed.into_iter().chain([Change::Join(self.me, member)]);
        let changes: Vec<Change> = changes.collect();
        joining.learned = roster.version;
        let req = if req == ReqId(0) {
            self.draw_req()
        } else {
            req
        };
        if let Some(joining) = self.joining.as_mut() {
            joining.req = Some(req);
        }
        self.send(cx, via, KeepMessage::ChangeAsk { req, changes });
    }

    /// Whether a joiner has seen, in this life, a roster it was not in.
    pub(super) fn has_learned(&self) -> bool {
        let joining = self.joining.as_ref();
        joining.is_some_and(|joining| joining.learned != RosterVersion::NONE)
    }

    /// The join ends here.
    pub(super) fn join_failed(&mut self, cx: &mut Context<'_>, why: &str) {
        if let Some(joining) = self.joining.take() {
            self.timers.clear(Wake::Join);
            self.answer(cx, joining.ticket, Err(Failure::Change(why.into())));
        }
    }

    /// The member we asked has let us in, or says why not. A clash of tokens is mended by asking again.
    pub(super) fn change_is(
        &mut self,
        cx: &mut Context<'_>,
        req: ReqId,
        result: Result<RosterVersion, String>,
    ) {
        let Some(joining) = self
            .joining
            .as_ref()
            .filter(|joining| joining.req == Some(req))
        else {
            return;
        };
        let Err(why) = result else { return };
        if joining.member.tokens.is_empty() && joining.refused < MAX_REFUSALS {
            if let Some(joining) = self.joining.as_mut() {
                joining.req = None;
                joining.refused += 1;
            }
            return;
        }
        self.join_failed(cx, &why);
    }

    /// A roster was adopted: is the joiner in, on its way in, or was its move given up?
    pub(super) fn join_after(&mut self, cx: &mut Context<'_>, roster: &Arc<Roster>) {
        let (moving, member) = (roster.is_moving(), roster.has(self.me));
        let Some(joining) = self.joining.as_mut() else {
            return;
        };
        if moving {
            joining.let_in |= member;
            return;
        }
        let reply = if member {
            Ok(Outcome::Settled(roster.version))
        } else if joining.let_in {
            let why = "the move that was to let this host in was given up: ask again";
            Err(Failure::Change(why.into()))
        } else {
            return self.learn(cx, Arc::clone(roster));
        };
        let ticket = joining.ticket;
        self.joining = None;
        self.timers.clear(Wake::Join);
        self.answer(cx, ticket, reply);
    }
}

/// The next one in a list, round and round.
fn after(hosts: &[HostId], host: HostId) -> HostId {
    let next = hosts.iter().find(|other| **other > host);
    next.or(hosts.first()).copied().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keep::config::KeepConfig;
    use crate::keep::wanted::Wanted;
    use crate::keyspace::Id;
    use crate::message::Message;
    use crate::record::{Now, Time, WallMs};
    use crate::roster::RingId;

    /// A host on its way in, told to ask h2, and what it wants done.
    struct Outside {
        keeper: Keeper,
        wanted: Wanted,
        second: u64,
    }

    impl Outside {
        fn told_h2() -> Outside {
            let mut host = Outside {
                keeper: Keeper::new(HostId(9), KeepConfig::default(), 1, &|_| None),
                wanted: Wanted::default(),
                second: 0,
            };
            let entry = Entry {
                via: HostId(2),
                replaces: None,
                replicas: None,
                member: Member::new([]),
                tokens: 1,
            };
            host.call(|keeper, cx| keeper.join(cx, Ticket(1), entry));
            host
        }

        fn call(&mut self, what: impl FnOnce(&mut Keeper, &mut Context<'_>)) {
            let now = Now {
                at: Time::from_ms(1_000 * self.second),
                wall: WallMs(1_000),
            };
            let fx = &mut self.wanted;
            what(&mut self.keeper, &mut Context { now, fx });
        }

        /// Whom it asks for the roster in the next so many seconds, if nobody says anything.
        fn asks(&mut self, seconds: u64) -> Vec<u64> {
            self.wanted.sends.clear();
            for _ in 0..seconds {
                self.second += 1;
                self.call(Keeper::join_due);
            }
            let sent = self.wanted.sends.iter();
            let asks = sent
                .filter(|sent| matches!(sent.body, Message::Keep(KeepMessage::RosterAsk { .. })));
            asks.map(|sent| sent.to.0).collect()
        }

        fn hears_of(&mut self, hosts: &[u64]) {
            let member = |host: &u64| (HostId(*host), Member::new([Id::from_u64(*host)]));
            let members: BTreeMap<_, _> = hosts.iter().map(member).collect();
            let roster = Arc::new(Roster::settled(RingId(1), members, 3).unwrap());
            self.call(|keeper, cx| keeper.learn(cx, roster));
        }
    }

    #[test]
    fn who_hears_nothing_asks_whom_it_was_told_again_and_again() {
        let mut host = Outside::told_h2();
        assert_eq!(host.asks(3), [2, 2, 2]);
    }

    #[test]
    fn a_silent_member_is_followed_by_another_and_all_of_them_by_whom_it_was_told() {
        let mut host = Outside::told_h2();
        host.hears_of(&[4, 7]); // h2 itself has left, or is not in yet.
        assert_eq!(host.asks(6), [4, 7, 2, 4, 7, 2]);
    }

    #[test]
    fn once_a_member_answers_it_is_asked_on() {
        let mut host = Outside::told_h2();
        host.hears_of(&[2, 4]);
        assert_eq!(host.asks(2), [2, 4], "h2 has answered once");
        host.hears_of(&[2, 4]);
        assert_eq!(host.asks(1), [4]);
    }
}
