//! How a host comes to be in a ring: it has been in one, it founds one, or it joins.
//!
//! ```text
//! started together:   h1 --join h1,h2,h3    meets h2 and h3: neither is in a ring; it is the first named: founds
//!                     h2 --join h1,h2,h3    meets h1: not yet in a ring; waits; is in one: joins
//!                     h3 --join h1,h2,h3    likewise
//! later, h1 anew with an empty disk:        meets h2, which is in a ring: joins it
//! h1 --join h1,h2 and h2 --join h2,h1       each founds a ring; they meet; the bare ring is given up
//! ```
//!
//! Here the others are met and asked; what to do then is decided by [`Beginning`]. A host that is in a ring still looks for
//! those named that it does not hear, for ever: they may be in another one.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;

use super::around::from_nothing;
use super::look::{Loud, Seen};
use super::radio::{Away, Ground};
use super::settings::{Place, Settings};
use crate::actor::{Input, live_anew};
use crate::dht::Dht;
use crate::message::Request;
use crate::node::{Begin, Beginning, HostConfig, Mine};
use crate::placement::{HostId, Member, Placement, even, random};
use crate::remote::{Address, os_seed};
use crate::roster::{RingId, Roster};

/// Copies of every key in a ring that is founded without a number.
const REPLICAS: u8 = 3;

/// The first pause before it asks again; each further one is half as long again, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// The first named founds a ring without those who are silent for so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// The first round, and every so many more, without success is worth a line.
const FIRST_TO_SAY: u32 = 4;
const ROUNDS_TO_SAY: u32 = 10;

/// What coming in needs to know.
pub(super) struct Entering {
    pub(super) ground: Rc<Ground>,
    pub(super) settings: Settings,
    pub(super) config: HostConfig,
    pub(super) dht: Dht,
    /// Who this host was before its store was damaged.
    pub(super) replaces: Option<HostId>,
    /// Where others were found in an earlier life.
    pub(super) remembered: Vec<Address>,
    pub(super) loud: Loud,
}

impl Entering {
    /// Sees to it that the host is in a ring, for as long as it runs.
    pub(super) async fn run(self) {
        let mut chance = ChaCha8Rng::from_seed(os_seed());
        let mut pause = FIRST_PAUSE;
        let mut seen = Seen::new(&self.ground.address, self.loud.clone());
        loop {
            let was_in = seen.was_in;
            self.round(&mut seen, &mut chance).await;
            match (was_in, seen.was_in) {
                (_, true) => pause = LAST_PAUSE,
                (true, false) => pause = FIRST_PAUSE,
                (false, false) => {}
            }
            let jitter = chance.random_range(0.5..1.0);
            sleep(pause.mul_f64(jitter)).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
        }
    }

    async fn round(&self, seen: &mut Seen, chance: &mut ChaCha8Rng) {
        let ring = self.ring();
        match ring {
            Some(Mine::In(_) | Mine::Bare(_)) => {
                seen.was_in = true;
                seen.gave_up &= matches!(ring, Some(Mine::Bare(_)));
                self.ground.is_in();
            }
            Some(Mine::Out(_)) if seen.was_in && !seen.gave_up && self.stays_out(seen) => return,
            // Who was in none was not away from it.
            None => self.ground.away.set(Away::No),
            Some(Mine::Out(_)) => {}
        }
        self.look_round(seen, ring.is_some()).await;
        seen.rounds += 1;
        let begin = self.decide(seen, ring);
        log::debug!("{}: {ring:?}, so {begin:?}", self.ground.me);
        match begin {
            Begin::GoOn(None) => {}
            Begin::GoOn(Some(why)) | Begin::Refuse(why) => seen.say_loudly(why),
            Begin::Found => self.found(chance),
            Begin::Join(name) => self.come_to(seen, &name, ring, chance).await,
            Begin::Wait(why) => self.say(seen, &why),
        }
    }

    /// Whether it has left, or was removed while it was there to be asked: then it stays out, and says so. Who was
    /// removed while it was down, or for its silence, comes in again.
    fn stays_out(&self, seen: &mut Seen) -> bool {
        let me = self.ground.me;
        let rest = "It stays out until it is started again";
        // Whoever proposed a roster saw to its end: nobody removes itself but by leaving.
        if self.ground.roster().is_some_and(|roster| roster.by == me) {
            seen.say(Level::Info, format!("{me} has left the ring. {rest}"));
            return true;
        }
        let away = self.ground.away.get() != Away::No;
        if !away {
            seen.say_loudly(format!(
                "{me} is not in the ring any more: it was removed, or has left. {rest}"
            ));
        }
        !away
    }

    /// How the host stands to the ring of its roster.
    fn ring(&self) -> Option<Mine> {
        let roster = self.ground.roster()?;
        Some(match roster.has(self.ground.me) || roster.is_moving() {
            true if self.ground.is_bare() => Mine::Bare(roster.ring),
            true => Mine::In(roster.ring),
            false => Mine::Out(roster.ring),
        })
    }

    fn decide(&self, seen: &Seen, ring: Option<Mine>) -> Begin {
        let join = &self.settings.join;
        // Only who was told of others waits for one of them to found a ring.
        let more = ring.is_some() || !join.is_empty() || seen.gave_up;
        let more = more.then(|| self.more());
        let listed = join.iter().cloned().chain(more.into_iter().flatten());
        let me = join.iter().find(|name| seen.mine.contains(name));
        let me = me.unwrap_or(&self.ground.address);
        let beginning = Beginning {
            me: me.to_string(),
            listed: listed.map(|name| name.to_string()).collect(),
            ring,
            patience: PATIENCE,
        };
        beginning.decide(seen.since.elapsed(), |name| self.said(seen, name))
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
                // Between two lives of the host nobody is told: the next round founds it.
                if let Some(actor) = self.ground.actor() {
                    actor.do_send(Input::Enter(Arc::new(roster)));
                }
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

    /// Joins the ring of whoever lives there, and gives up its own for it, if that is bare.
    async fn come_to(
        &self,
        seen: &mut Seen,
        name: &str,
        ring: Option<Mine>,
        chance: &mut ChaCha8Rng,
    ) {
        let Some(via) = self.host_of(seen, name) else {
            return;
        };
        if let Some(Mine::Bare(mine)) = ring {
            return self.give_up(seen, mine, via).await;
        }
        log::info!("{} joins the ring of {via}", self.ground.me);
        let request = Request::Join {
            via,
            replaces: self.replaces,
            replicas: self.settings.replicas,
            member: self.member(chance),
            tokens: self.settings.tokens,
        };
        match self.dht.ask(request).await {
            Ok(_) => {
                self.ground.away.set(Away::No);
                // Should it leave before the next round, it has been in.
                seen.was_in = true;
                log::info!("{} is in, and holds its share", self.ground.me);
            }
            Err(error) => log::warn!("{} is not in yet: {error}", self.ground.me),
        }
    }

    /// Gives up a ring in which nothing is stored: leaves it, the one that is first in it last, and forgets it.
    /// Should something be stored meanwhile, those who stay have it.
    async fn give_up(&self, seen: &mut Seen, mine: RingId, via: HostId) {
        let me = self.ground.me;
        seen.gave_up = true;
        let hosts = self.ground.roster().map(|roster| roster.hosts());
        let hosts = hosts.unwrap_or_default();
        if hosts.len() > 1 && hosts.first() == Some(&me) {
            return; // Until the others have left.
        }
        if hosts.len() > 1
            && let Err(error) = self.dht.leave().await
        {
            return log::warn!("{me} has not left the ring {:x} yet: {error}", mine.0);
        }
        let Some(shell) = self.ground.shell.upgrade() else {
            return;
        };
        // Nothing is asked of the host between this look and the end of its life.
        let alone = hosts.len() == 1;
        if (alone && !self.ground.is_bare()) || self.ground.actor().is_none() {
            return;
        }
        if let Some(begins) = from_nothing(&self.ground.shelf, self.config.clone()) {
            log::info!(
                "{me} gives up the ring {:x}, in which nothing is stored, for that of {via}",
                mine.0
            );
            live_anew(&shell, begins);
            // As in the beginning: it must not take long to be in a ring again.
            seen.was_in = false;
        }
    }

    fn say(&self, seen: &Seen, why: &str) {
        if seen.rounds == FIRST_TO_SAY || seen.rounds.is_multiple_of(ROUNDS_TO_SAY) {
            let whys = seen.whys.iter();
            let whys: Vec<String> = whys.map(|(name, why)| format!("{name}: {why}")).collect();
            let whys = match whys.is_empty() {
                true => String::new(),
                false => format!(" ({})", whys.join("; ")),
            };
            log::warn!("{} is in no ring yet: {why}{whys}", self.ground.me);
        }
    }
}
