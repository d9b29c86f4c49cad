//! Who lives where others were named, and what do they say of themselves?
//!
//! ```text
//! name ──TCP──> handshake: it is h2 ──UDP──> where are you? ──> I am h2, in ring 7, and my store is empty
//!           └─> it is this host itself: one of its own names
//! ```
//!
//! *Hold this true*: what a host said of itself counts only for a while.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, sleep};

use super::enter::Entering;
use super::packet::Found;
use super::radio::{Ground, resolve};
use crate::node::Said;
use crate::placement::HostId;
use crate::remote::{Address, LinkError, Refusal};

/// So long it waits for a host it has met to say whether it is in a ring.
const SAY: Duration = Duration::from_millis(600);

/// What somebody must know who runs the host: as it was said last.
pub(super) type Loud = Rc<RefCell<String>>;

/// What was seen so far.
pub(super) struct Seen {
    pub(super) since: Instant,
    pub(super) rounds: u32,
    /// Who lives behind a name.
    pub(super) met: BTreeMap<Address, HostId>,
    /// Names of this very host.
    pub(super) mine: Vec<Address>,
    /// Why nobody was met there, when it was last tried.
    pub(super) whys: BTreeMap<Address, String>,
    /// What was last said loudly: once is enough.
    pub(super) loud: Loud,
    /// It has been in a ring in this life.
    pub(super) was_in: bool,
    /// It has given one up for another: it founds none then.
    pub(super) gave_up: bool,
}

impl Entering {
    /// Where others live that were not named: those it remembers, and those it knows.
    pub(super) fn more(&self) -> Vec<Address> {
        let known = self.ground.known.borrow();
        let known = known.values().map(|known| known.found.address.clone());
        self.remembered.iter().cloned().chain(known).collect()
    }

    /// Who lives behind a name, as far as is known.
    pub(super) fn host_of(&self, seen: &Seen, name: &str) -> Option<HostId> {
        let met = seen
            .met
            .iter()
            .find(|(address, _)| address.as_str() == name);
        let known = self.ground.known.borrow();
        let listens = known
            .iter()
            .find(|(_, known)| known.found.address.as_str() == name);
        met.map(|(_, host)| *host)
            .or_else(|| listens.map(|(host, _)| *host))
    }

    /// What whoever lives there has said of itself.
    pub(super) fn said(&self, seen: &Seen, name: &str) -> Said {
        let Some(host) = self.host_of(seen, name) else {
            return Said::Silent;
        };
        let known = self.ground.known.borrow();
        match known.get(&host).filter(|known| known.is_fresh()) {
            None => Said::Silent,
            Some(known) => match known.ring {
                None => Said::Empty,
                Some(ring) if known.bare => Said::Bare(ring),
                Some(ring) => Said::In(ring),
            },
        }
    }

    /// Meets all at once; once in a ring, only those who are silent.
    pub(super) async fn look_round(&self, seen: &mut Seen, only_silent: bool) {
        let named = self.settings.join.iter().cloned();
        let mut names: Vec<Address> = named.chain(self.more()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| !seen.mine.contains(name));
        if only_silent {
            names.retain(|name| self.said(seen, name.as_str()) == Said::Silent);
        }
        let all = Rc::new(RefCell::new(Vec::new()));
        let meetings: Vec<_> = names
            .into_iter()
            .map(|name| {
                let (ground, all) = (Rc::clone(&self.ground), Rc::clone(&all));
                actix::spawn(async move {
                    let met = look_at(&ground, &name).await;
                    all.borrow_mut().push((name, met));
                })
            })
            .collect();
        for meeting in meetings {
            // A meeting that panicked has met nobody.
            let _ = meeting.await;
        }
        for (name, met) in all.take() {
            seen.note(name, met);
        }
    }
}

/// Who lives there.
enum Met {
    Somebody(HostId),
    /// It is this very host.
    Myself,
    Nobody(String),
}

impl Seen {
    pub(super) fn new(address: &Address, loud: Loud) -> Seen {
        Seen {
            since: Instant::now(),
            rounds: 0,
            met: BTreeMap::new(),
            mine: vec![address.clone()],
            whys: BTreeMap::new(),
            loud,
            was_in: false,
            gave_up: false,
        }
    }

    fn note(&mut self, name: Address, met: Met) {
        match met {
            Met::Somebody(host) => {
                self.whys.remove(&name);
                self.met.insert(name, host);
            }
            Met::Myself => {
                self.whys.remove(&name);
                self.mine.push(name);
            }
            Met::Nobody(why) => {
                self.whys.insert(name, why);
            }
        }
    }

    pub(super) fn say_loudly(&mut self, why: String) {
        self.say(Level::Error, why);
    }

    /// Says it, once.
    pub(super) fn say(&mut self, level: Level, why: String) {
        if *self.loud.borrow() != why {
            log::log!(level, "{why}");
            self.loud.replace(why);
        }
    }
}

/// Meets who lives at an address, and asks whether it is in a ring.
async fn look_at(ground: &Ground, address: &Address) -> Met {
    let before = ground.links.own_dials();
    let met = match ground.links.meet(address).await {
        Ok(met) => met,
        Err(LinkError::Refused(Refusal::Myself)) if ground.links.own_dials() == before => {
            ground.links.has_double(address);
            return Met::Nobody(
                "another process with the identity of this host lives there".into(),
            );
        }
        Err(LinkError::Refused(Refusal::Myself)) => return Met::Myself,
        Err(error) => return Met::Nobody(error.to_string()),
    };
    ground.learn(&Found {
        host: met.host,
        life: met.incarnation,
        address: met.listen.unwrap_or_else(|| address.clone()),
    });
    let Some(socket) = resolve(address).await else {
        return Met::Nobody("its name is not found".into());
    };
    let begin = Instant::now();
    while begin.elapsed() < SAY {
        ground
            .send(socket, super::packet::Said::Where(Vec::new()))
            .await;
        sleep(SAY / 6).await;
        let known = ground.known.borrow();
        let heard = known.get(&met.host).and_then(|known| known.heard);
        if heard.is_some_and(|heard| heard >= begin) {
            return Met::Somebody(met.host);
        }
    }
    Met::Nobody("it answers over TCP, but not over UDP: is that port open, too?".into())
}
