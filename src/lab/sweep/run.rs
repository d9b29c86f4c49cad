//! One seed, lived through.
//!
//! ```text
//! act one, survive    clients ask all the time; faults begin and end
//! act two, settle     faults have ended: the ring must come to rest, serve, and have kept everything
//! ```
//!
//! The loop lets the world go on to the next moment at which a client, a fault or the harness itself wants
//! something; answers are looked at the moment they come, because what they promise about stores must be true
//! at that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::faults::{End, Fault};
use super::plan::Plan;
use super::reach::{Cut, Reach};
use super::report::{Active, Counts, MOVING, Rates};
use super::streams::Streams;
use crate::actor::Input;
use crate::lab::check::{Checker, Rule, Violation, stores};
use crate::message::{Outcome, Request, Ticket};
use crate::placement::HostId;
use crate::record::{Key, Summary, Time};
use crate::roster::{RingId, Roster, RosterVersion};
use crate::sim::{Answer, World};
use crate::store::MemoryStore;

/// What the harness did with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs.
    Up,
    /// It will be started again.
    Down,
    /// Its store is destroyed; it never comes back.
    Gone,
    /// It has left the ring and stopped.
    Left,
}

/// A request of a client that is under way.
pub(super) struct Waiting {
    /// The numbers of its operations: one, or several for many keys at once.
    pub(super) numbers: Vec<usize>,
    pub(super) client: usize,
    /// Whose stream it is a part of, if of any.
    pub(super) stream: Option<usize>,
    /// From when on its host must not have been disturbed, if it is to be served.
    pub(super) since: Time,
    /// What went wrong while it was asked.
    pub(super) during: u32,
    pub(super) all: bool,
}

/// A change of the ring that somebody has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// Who stops when it is granted.
    pub(super) leaving: Option<HostId>,
    /// Who stops for a while when it is granted.
    pub(super) pausing: Option<HostId>,
    /// The only host a joiner knows.
    pub(super) via: Option<HostId>,
}

/// One client: it asks one thing after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// When it asks next; none: it waits for an answer.
    pub(super) next: Option<Time>,
}

/// A seed while it is lived through.
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) world: World,
    pub(super) rng: ChaCha8Rng,
    pub(super) checker: Checker,
    pub(super) hosts: BTreeMap<HostId, State>,
    /// Under which roster a host that is down was whole when it stopped.
    pub(super) asleep: BTreeMap<HostId, Option<RosterVersion>>,
    next_host: u64,
    pub(super) reach: Reach,
    /// Whose disks are fast again, and have much to do still.
    pub(super) catching_up: BTreeSet<HostId>,
    next_end: u64,
    pub(super) ends: BTreeMap<(Time, u64), (Fault, End)>,
    pub(super) active: Active,
    pub(super) rates: Rates,
    pub(super) clients: Vec<Client>,
    pub(super) open: BTreeMap<Ticket, Waiting>,
    /// Changes of the ring under way.
    pub(super) changes: BTreeMap<Ticket, Wish>,
    pub(super) streams: Streams,
    pub(super) counts: Counts,
    pub(super) keys: Vec<Key>,
    /// Content keys beyond those that are asked for again.
    pub(super) keys_asked_once: Vec<Key>,
    /// Whether faults are over: then everything must be served.
    pub(super) calm: bool,
    /// Whether clients ask nothing by themselves any more.
    pub(super) quiet: bool,
    seen_roster: RosterVersion,
}

impl Run {
    /// A settled ring as the plan wants it, at rest.
    pub(super) fn new(plan: Plan) -> Run {
        Run::traced(plan, None)
    }

    /// The same, written down as it happens.
    pub(super) fn traced(plan: Plan, trace: Option<Box<dyn Write>>) -> Run {
        let checker = Checker::new();
        let mut world = World::new(plan.seed, plan.calm());
        world.trace(trace);
        world.watch(Some(checker.watch()));
        world.check_each_step(true);
        let names =
            (0..plan.keys).map(|n| Key::new(format!("k{n}")).expect("a short key is a key"));
        let mut run = Run {
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            world,
            checker,
            hosts: BTreeMap::new(),
            asleep: BTreeMap::new(),
            next_host: 1,
            reach: Reach::default(),
            catching_up: BTreeSet::new(),
            next_end: 0,
            ends: BTreeMap::new(),
            active: Active::default(),
            rates: Rates::default(),
            clients: Vec::new(),
            open: BTreeMap::new(),
            changes: BTreeMap::new(),
            streams: Streams::new(&plan),
            counts: Counts::default(),
            keys: names.collect(),
            keys_asked_once: Vec::new(),
            calm: false,
            quiet: false,
            seen_roster: RosterVersion::NONE,
            plan,
        };
        run.begin();
        run
    }

    fn begin(&mut self) {
        let hosts: Vec<HostId> = (0..self.plan.hosts).map(|_| self.add_host()).collect();
        let members = hosts
            .iter()
            .map(|host| (*host, self.plan.member(*host)))
            .collect();
        let roster = Roster::settled(RingId(self.plan.seed), members, self.plan.replicas);
        let roster = Arc::new(roster.expect("the plan is one of a ring"));
        for host in hosts {
            self.world.tell(host, Input::Enter(roster.clone()));
        }
        self.world.run_until(Time::from_ms(100));
        let now = self.world.now();
        for _ in 0..self.plan.clients {
            let next = Some(now + Duration::from_millis(self.rng.random_range(0..50)));
            self.clients.push(Client { next });
        }
    }

    /// A new host with an empty store.
    pub(super) fn add_host(&mut self) -> HostId {
        let host = HostId(self.next_host);
        self.next_host += 1;
        let (config, disk) = (self.plan.config(host), self.plan.disk);
        self.world
            .add_host_on(config, disk, Box::new(MemoryStore::new()));
        self.hosts.insert(host, State::Up);
        self.reach.disturbed(host, self.world.now());
        host
    }

    // ── faults begin and end ──

    pub(super) fn begin_fault(&mut self, fault: Fault, until: Time, end: End) {
        self.active.add(fault);
        self.next_end += 1;
        self.ends.insert((until, self.next_end), (fault, end));
    }

    pub(super) fn cut(&mut self, some: Vec<HostId>, others: Vec<HostId>, one_way: bool) -> u64 {
        if one_way {
            self.world.cut_one_way(&some, &others);
        } else {
            self.world.cut(&some, &others);
        }
        self.next_end += 1;
        self.reach.cuts.insert(
            self.next_end,
            Cut {
                some,
                others,
                one_way,
            },
        );
        self.next_end
    }

    /// One cut ends; the others stay.
    pub(super) fn end_cut(&mut self, number: u64) {
        if let Some(cut) = self.reach.cuts.remove(&number) {
            self.reach.healed(&cut, self.world.now());
        }
        self.world.heal();
        for cut in self.reach.cuts.values() {
            if cut.one_way {
                self.world.cut_one_way(&cut.some, &cut.others);
            } else {
                self.world.cut(&cut.some, &cut.others);
            }
        }
    }

    pub(super) fn restart(&mut self, host: HostId) {
        if self.hosts.get(&host) == Some(&State::Down) {
            self.world.restart(host);
            self.hosts.insert(host, State::Up);
            self.reach.disturbed(host, self.world.now());
        }
    }

    // ── time ──

    /// A fault begins, perhaps, and time goes on to the next one, or to that time.
    pub(super) fn disturb_and_go_on(&mut self, until: Time) {
        self.disturb();
        let pause = self.rng.random_range(1..=self.plan.fault_ms);
        let next = self.world.now() + Duration::from_millis(pause);
        self.go_on(next.min(until));
    }

    /// Lets the world go on to that time; every answer is looked at when it comes.
    pub(super) fn go_on(&mut self, until: Time) {
        loop {
            let client = self.clients.iter().filter_map(|client| client.next).min();
            let fault = self.ends.first_key_value().map(|((at, _), _)| *at);
            let stream = self.streams.next();
            let next = [client, fault, stream].into_iter().flatten().min();
            let next = next.map_or(until, |next| next.min(until));
            if !self.step_to(next) {
                continue; // An answer came: a client may want to ask earlier than that.
            }
            self.end_faults(next);
            self.ask_those_due(next);
            self.stream_those_due(next);
            if next >= until {
                return;
            }
        }
    }

    /// False: an answer came before that time.
    fn step_to(&mut self, time: Time) -> bool {
        while self.world.step_until(time) {
            self.look();
            if self.world.answers_waiting() > 0 {
                self.hear();
                return false;
            }
        }
        if self.world.answers_waiting() > 0 {
            self.hear();
        }
        let newest = self.checker.roster().map(|roster| roster.version);
        if newest.is_some_and(|newest| newest != self.seen_roster) {
            self.seen_roster = newest.unwrap_or_default();
            self.excuse_keys();
        }
        true
    }

    /// Whether what the last step did was right by the disks.
    fn look(&mut self) {
        let hosts = &self.hosts;
        let destroyed = |host: HostId| hosts.get(&host) == Some(&State::Gone);
        self.checker.look(&mut self.world, destroyed);
    }

    fn hear(&mut self) {
        for (ticket, answer) in self.world.take_answers() {
            if let Some(wish) = self.changes.remove(&ticket) {
                if let Answer::Reply(Ok(told)) = &answer {
                    self.granted(wish, told);
                }
            } else if let Some(who) = self.streams.whose(ticket) {
                self.stepped(who, answer);
            } else if let Some(waiting) = self.open.remove(&ticket) {
                let large = match &answer {
                    Answer::Reply(Ok(Outcome::Large(large))) => Some(Arc::clone(large)),
                    _ => None,
                };
                self.answered(&waiting, answer);
                if let Some(who) = waiting.stream {
                    self.stream_answered(who, large);
                }
            }
        }
    }

    /// A host may leave, or stop for a while.
    fn granted(&mut self, wish: Wish, told: &Outcome) {
        // The ring has just settled: somebody holds old copies.
        let purges = self.plan.faults.contains(&Fault::Purge);
        if purges && matches!(told, Outcome::Settled(_)) && self.rng.random_ratio(1, 2) {
            self.chore(Request::Purge(None));
        }
        let up = |host: &HostId| self.hosts.get(host) == Some(&State::Up);
        if let Some(host) = wish.leaving.filter(up) {
            self.world.kill(host);
            self.hosts.insert(host, State::Left);
        } else if let Some(host) = wish.pausing.filter(up) {
            let lasts = self.rng.random_range(50..self.plan.survive_ms / 4);
            self.falls_asleep(host);
            self.world.kill(host);
            let end = self.stopped(host);
            self.counts.drained += 1;
            self.begin_fault(
                Fault::Drain,
                self.world.now() + Duration::from_millis(lasts),
                end,
            );
        }
    }

    /// What goes wrong now, for the table of rates.
    pub(super) fn during(&self) -> u32 {
        let roster = self.checker.roster();
        let moving = roster.is_some_and(|roster| roster.is_moving());
        self.active.bits() | if moving { MOVING } else { 0 }
    }

    /// An acknowledged write must lie on a quorum of stores now: of the roster its coordinator lives by or, if the others
    /// have gone on without that one and dropped what they no longer hold, of the replicas that the newest roster has
    /// whatever becomes of its move.
    pub(super) fn must_be_stored(&mut self, at: HostId, key: &Key, wrote: &Summary) {
        let roster = self.world.host(at).and_then(|host| host.roster()).cloned();
        let Some(roster) = roster.filter(|_| !self.checker.is_excused(key)) else {
            return;
        };
        let newest = self.checker.roster();
        let newest = newest.filter(|newest| newest.version > roster.version);
        let (hosts, checker) = (&self.hosts, &self.checker);
        let first = checker.first_seen(wrote);
        let destroyed = |host: HostId| {
            hosts.get(&host) == Some(&State::Gone)
                || checker.lost_writes_at(host).is_some_and(|at| first <= at)
        };
        let groups = roster.groups(key.id()).groups;
        let stored = stores::on_a_quorum(&mut self.world, &groups, key, wrote, destroyed);
        let Err(words) = stored else { return };
        let words = format!("{}: {words}", roster.version);
        let stored = newest.map_or_else(
            || Err(String::new()),
            |newest| {
                let group = vec![newest.old().holders(key.id())];
                let destroyed = |host: HostId| {
                    destroyed(host) && groups.iter().any(|group| group.contains(&host))
                };
                stores::on_a_quorum(&mut self.world, &group, key, wrote, destroyed)
                    .map_err(|words| format!("; {}: {words}", newest.version))
            },
        );
        if let Err(later) = stored {
            self.blame(Rule::OnAQuorum, Some(key.clone()), words + &later);
        }
    }

    pub(super) fn blame(&mut self, rule: Rule, key: Option<Key>, words: String) {
        let at = self.world.now();
        self.checker.found(Violation {
            rule,
            at,
            key,
            words,
        });
    }
}
