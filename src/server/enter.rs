//! How a host comes to be in a ring: it has been in one, it founds one, or it joins.
//!
//! ```text
//! started together:   h1 --join h1,h2,h3    meets h2 and h3: neither is in a ring; it is the first named: founds
//!                     h2 --join h1,h2,h3    meets h1: not yet in a ring; waits; is in one: joins
//!                     h3 --join h1,h2,h3    likewise
//! later, h1 anew with an empty disk:        meets h2, which is in a ring: joins it
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep};

use super::packet::{Found, Said};
use super::radio::{Ground, resolve};
use super::settings::{Place, Settings};
use crate::actor::Input;
use crate::dht::Dht;
use crate::message::Request;
use crate::placement::{HostId, Member, Placement, even, random};
use crate::remote::{Address, os_seed};
use crate::roster::{RingId, Roster};

/// Copies of every key in a ring that is founded without a number.
const REPLICAS: u8 = 3;

/// The first pause before it asks again; each further one is half as long again, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// So long it waits for a host it has met to say whether it is in a ring.
const SAY: Duration = Duration::from_millis(600);

/// The first named founds a ring only after it has looked round so often.
const LOOKS: u32 = 2;

/// Every so many rounds without success are worth a line.
const ROUNDS_TO_SAY: u32 = 10;

/// What was seen at the address of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nobody answered.
    Nobody,
    /// A host that is in no ring, or does not say.
    Alone,
    /// A member of a ring.
    Member(HostId),
}

/// What a host without a ring does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Join(HostId),
    Found,
    Wait,
}

/// `first`: whether it is the first of those named.
fn step(first: bool, looks: u32, seen: &[Seen]) -> Step {
    let member = seen.iter().find_map(|seen| match seen {
        Seen::Member(host) => Some(*host),
        Seen::Nobody | Seen::Alone => None,
    });
    match member {
        Some(host) => Step::Join(host),
        None if first && looks >= LOOKS => Step::Found,
        None => Step::Wait,
    }
}

/// What coming in needs to know.
pub(super) struct Entering {
    pub(super) ground: Rc<Ground>,
    pub(super) settings: Settings,
    pub(super) dht: Dht,
    pub(super) tell: actix::Recipient<Input>,
    /// Who this host was before its store was damaged.
    pub(super) replaces: Option<HostId>,
    /// Where others were found in an earlier life.
    pub(super) remembered: Vec<Address>,
}

impl Entering {
    /// Sees to it that the host is in a ring, for as long as it runs.
    pub(super) async fn run(self) {
        let mut chance = ChaCha8Rng::from_seed(os_seed());
        let mut pause = FIRST_PAUSE;
        let mut looks = 0;
        loop {
            if self.is_in() {
                self.look_for_the_others().await;
                pause = LAST_PAUSE;
            } else if self.settings.join.is_empty() && self.ground.roster().is_none() {
                self.found(&mut chance);
            } else {
                let seen = self.look_round().await;
                looks += 1;
                let step = step(self.is_first(), looks, &seen);
                log::debug!("{}: {seen:?}, so {step:?}", self.ground.me);
                match step {
                    Step::Join(via) => self.join(via, &mut chance).await,
                    Step::Found => self.found(&mut chance),
                    Step::Wait => self.say(looks, &seen),
                }
            }
            let jitter = chance.random_range(0.5..1.0);
            sleep(pause.mul_f64(jitter)).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
        }
    }

    /// In a ring, or on its way out of none: a roster has it.
    fn is_in(&self) -> bool {
        let roster = self.ground.roster();
        roster.is_some_and(|roster| roster.has(self.ground.me) || roster.is_moving())
    }

    /// Whether it is the first of those named.
    fn is_first(&self) -> bool {
        self.settings.join.first() == Some(&self.ground.address)
    }

    /// The others of those named, and those it remembers.
    fn others(&self) -> Vec<Address> {
        let named = self.settings.join.iter().chain(&self.remembered);
        let mut others: Vec<Address> = named.cloned().collect();
        let known = self.ground.known.borrow();
        others.extend(known.values().map(|known| known.found.address.clone()));
        others.sort();
        others.dedup();
        others.retain(|address| *address != self.ground.address);
        others
    }

    /// Meets all seeds at once.
    async fn look_round(&self) -> Vec<Seen> {
        let all = Rc::new(RefCell::new(Vec::new()));
        let meetings: Vec<_> = self
            .others()
            .into_iter()
            .map(|address| {
                let (ground, all) = (Rc::clone(&self.ground), Rc::clone(&all));
                actix::spawn(async move {
                    let seen = look_at(&ground, &address).await;
                    all.borrow_mut().push(seen);
                })
            })
            .collect();
        for meeting in meetings {
            // A meeting that panicked has met nobody.
            let _ = meeting.await;
        }
        all.take()
    }

    /// In a ring already, but some of its hosts are not known: perhaps those named know them.
    async fn look_for_the_others(&self) {
        let Some(roster) = self.ground.roster() else {
            return;
        };
        let known = self.ground.known.borrow().len();
        if known + 1 < roster.hosts().len() {
            self.look_round().await;
        }
    }

    fn found(&self, chance: &mut ChaCha8Rng) {
        let mut member = self.member(chance);
        if member.tokens.is_empty() {
            let tokens = usize::from(self.settings.tokens);
            member.tokens = even(&Placement::new(), member.weight, tokens);
        }
        let replicas = self.settings.replicas.unwrap_or(REPLICAS);
        let ring = RingId(chance.random_range(1..=u64::MAX));
        match Roster::found(ring, self.ground.me, member, replicas) {
            Ok(roster) => {
                log::info!(
                    "{} founds a ring with {replicas} copies of every key",
                    self.ground.me
                );
                self.tell.do_send(Input::Enter(Arc::new(roster)));
            }
            Err(error) => log::error!("no ring can be founded: {error}"),
        }
    }

    fn member(&self, chance: &mut ChaCha8Rng) -> Member {
        let tokens = match &self.settings.place {
            Place::Even => Vec::new(),
            Place::Random => random(chance.random(), usize::from(self.settings.tokens)),
            Place::At(ids) => ids.clone(),
        };
        let member = Member::new(tokens).weighing(self.settings.weight);
        match &self.settings.zone {
            Some(zone) => member.in_zone(zone.clone()),
            None => member,
        }
    }

    async fn join(&self, via: HostId, chance: &mut ChaCha8Rng) {
        log::info!("{} joins the ring of {via}", self.ground.me);
        let request = Request::Join {
            via,
            replaces: self.replaces,
            replicas: self.settings.replicas,
            member: self.member(chance),
            tokens: self.settings.tokens,
        };
        match self.dht.ask(request).await {
            Ok(_) => log::info!("{} is in, and holds its share", self.ground.me),
            Err(error) => log::warn!("{} is not in yet: {error}", self.ground.me),
        }
    }

    fn say(&self, looks: u32, seen: &[Seen]) {
        if looks.is_multiple_of(ROUNDS_TO_SAY) {
            let met = seen.iter().filter(|seen| **seen == Seen::Alone).count();
            log::warn!(
                "{} is in no ring yet: of {} hosts named {met} answer, and none of them is in one; a new one is \
                 founded by the first named, {}",
                self.ground.me,
                seen.len(),
                self.settings.join.first().map_or("nobody", Address::as_str),
            );
        }
    }
}

/// Meets who lives at an address, and asks whether it is in a ring.
async fn look_at(ground: &Ground, address: &Address) -> Seen {
    let met = match ground.links.meet(address).await {
        Ok(met) if met.host == ground.me => return Seen::Nobody,
        Ok(met) => met,
        Err(error) => {
            log::debug!("nobody at {address}: {error}");
            return Seen::Nobody;
        }
    };
    ground.learn(&Found {
        host: met.host,
        life: met.incarnation,
        address: met.listen.unwrap_or_else(|| address.clone()),
    });
    let Some(socket) = resolve(address).await else {
        return Seen::Alone;
    };
    let begin = Instant::now();
    while begin.elapsed() < SAY {
        ground.send(socket, Said::Where(Vec::new())).await;
        sleep(SAY / 6).await;
        let known = ground.known.borrow();
        let said = known
            .get(&met.host)
            .filter(|known| known.heard.is_some_and(|heard| heard >= begin));
        if let Some(known) = said {
            return match known.ring {
                Some(_) => Seen::Member(met.host),
                None => Seen::Alone,
            };
        }
    }
    Seen::Alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_named_founds_and_only_after_it_met_no_member() {
        let (nobody, alone, member) = (Seen::Nobody, Seen::Alone, Seen::Member(HostId(7)));
        assert_eq!(step(true, 1, &[alone, alone]), Step::Wait);
        assert_eq!(step(true, 2, &[alone, nobody]), Step::Found);
        assert_eq!(step(true, 2, &[alone, member]), Step::Join(HostId(7)));
        assert_eq!(step(false, 99, &[alone, nobody]), Step::Wait);
        assert_eq!(step(false, 1, &[nobody, member]), Step::Join(HostId(7)));
    }
}
