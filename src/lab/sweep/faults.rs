//! What may go wrong?
//!
//! A fault begins, lasts a while, and ends by itself; several may last at once. What the harness does to
//! disks it remembers, because that alone may excuse a loss: a host whose disk was emptied never comes back under its old
//! id, another one joins for it; one whose disk lost what it had reported in a power cut may, in doubt.
//!
//! *Hold this true*: unless the plan is harsh, stores are destroyed only as far as every group of replicas
//! keeps a quorum of them, and the roster a majority of its hosts.

use std::time::Duration;

use rand::RngExt;

use super::run::{Run, State};
use crate::message::Request;
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::Change;
use crate::sim::SyncPolicy;

/// With less to do than this a disk keeps up.
const KEPT_UP: Duration = Duration::from_millis(20);

/// A kind of fault, or of change of who is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The power of a host goes; what was not synced is lost.
    PowerCut,
    /// A host's process ends and starts again; its machine runs on.
    Kill,
    /// A disk is destroyed, and with it the host.
    EmptyDisk,
    /// All hosts stop at once, and start again.
    Blackout,
    /// Some hosts cannot reach the others.
    Partition,
    /// Some hosts do not hear the others, but are heard.
    OneWay,
    /// Messages are lost.
    Loss,
    /// Messages arrive twice.
    Double,
    /// Messages overtake each other.
    Late,
    /// A host is slow to hear and to be heard.
    Slow,
    /// A host's wall clock is wrong, or jumps.
    Clock,
    /// A host joins.
    Join,
    /// A host leaves.
    Leave,
    /// A host is removed without being asked.
    Remove,
    /// Another number of copies is wanted.
    Replicas,
    /// Tokens move, or the move under way is given up.
    Rebalance,
    /// All copies are compared.
    Balance,
    /// Old copies are dropped.
    Purge,
    /// A host asks whether it may stop for a while, and does if it may.
    Drain,
    /// All hosts of a zone stop at once, and start again or are destroyed.
    Zone,
    /// A disk has no room for new values.
    FullDisk,
    /// A disk is slow.
    SlowDisk,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 22] = [
        Fault::PowerCut,
        Fault::Kill,
        Fault::EmptyDisk,
        Fault::Blackout,
        Fault::Partition,
        Fault::OneWay,
        Fault::Loss,
        Fault::Double,
        Fault::Late,
        Fault::Slow,
        Fault::Clock,
        Fault::Join,
        Fault::Leave,
        Fault::Remove,
        Fault::Replicas,
        Fault::Rebalance,
        Fault::Balance,
        Fault::Purge,
        Fault::Drain,
        Fault::Zone,
        Fault::FullDisk,
        Fault::SlowDisk,
    ];

    /// What people ask of a ring that changes nobody's place.
    pub const CHORES: [Fault; 3] = [Fault::Balance, Fault::Purge, Fault::Drain];

    /// What may happen in wide worlds only ([`Plan::draw_wide`](super::Plan::draw_wide)).
    pub const WIDE: [Fault; 3] = [Fault::Zone, Fault::FullDisk, Fault::SlowDisk];

    /// One word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::PowerCut => "power-cut",
            Fault::Kill => "kill",
            Fault::EmptyDisk => "empty-disk",
            Fault::Blackout => "blackout",
            Fault::Partition => "partition",
            Fault::OneWay => "one-way",
            Fault::Loss => "loss",
            Fault::Double => "double",
            Fault::Late => "late",
            Fault::Slow => "slow",
            Fault::Clock => "clock",
            Fault::Join => "join",
            Fault::Leave => "leave",
            Fault::Remove => "remove",
            Fault::Replicas => "replicas",
            Fault::Rebalance => "rebalance",
            Fault::Balance => "balance",
            Fault::Purge => "purge",
            Fault::Drain => "drain",
            Fault::Zone => "zone",
            Fault::FullDisk => "full-disk",
            Fault::SlowDisk => "slow-disk",
        }
    }
}

/// How a fault ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    Restart(HostId),
    /// Another host takes the place of one that is gone.
    Replace(HostId),
    Cut(u64),
    Calm(Fault),
    Fast(HostId),
    /// Its disk has room again.
    Room(HostId),
    /// Its disk is fast again.
    FastDisk(HostId),
    Clock(HostId),
    /// Nothing is to be undone, but its effects may last so long.
    Over,
}

impl Run {
    /// Something goes wrong, or somebody wants another ring.
    pub(super) fn disturb(&mut self) {
        let Some(fault) = self.draw_fault() else {
            return;
        };
        let now = self.world.now();
        let lasts = self.rng.random_range(50..self.plan.survive_ms / 4);
        let until = now + Duration::from_millis(lasts);
        let end = match fault {
            Fault::PowerCut => self.power_cut(),
            Fault::Kill => self.up_at_random().map(|host| {
                self.falls_asleep(host);
                self.world.kill(host);
                self.stopped(host)
            }),
            Fault::EmptyDisk => self.up_at_random().and_then(|host| self.destroy(host)),
            Fault::Blackout => self.blackout(),
            Fault::Partition | Fault::OneWay => self.partition(fault == Fault::OneWay),
            Fault::Loss | Fault::Double | Fault::Late => self.bad_network(fault),
            Fault::Slow => self.up_at_random().map(|host| {
                let ms = self.rng.random_range(20..self.plan.survive_ms / 8);
                self.world.slow_host(host, ms);
                self.reach.hampered(host, fault);
                End::Fast(host)
            }),
            Fault::Clock => self.up_at_random().map(|host| self.wrong_clock(host)),
            Fault::Join => self.join(),
            Fault::Leave => self.leave(),
            Fault::Remove => self.remove(),
            Fault::Replicas => {
                let copies = self.rng.random_range(1..6);
                self.change(vec![Change::Replicas(copies)])
            }
            Fault::Rebalance => self.rebalance(),
            Fault::Balance => self.chore(Request::Balance),
            Fault::Purge => self.purge(),
            Fault::Drain => self.chore(Request::Drain),
            Fault::Zone => self.zone_goes(),
            Fault::FullDisk => self.up_at_random().map(|host| {
                self.world.fill_disk(host, true);
                self.reach.hampered(host, fault);
                End::Room(host)
            }),
            Fault::SlowDisk => self.up_at_random().map(|host| {
                let ms = self.rng.random_range(2..80);
                self.world.slow_disk(host, ms);
                self.catching_up.remove(&host);
                self.reach.hampered(host, fault);
                End::FastDisk(host)
            }),
        };
        if let Some(end) = end {
            self.begin_fault(fault, until, end);
        }
    }

    fn draw_fault(&mut self) -> Option<Fault> {
        let most = self.plan.faults.len();
        (most > 0).then(|| self.plan.faults[self.rng.random_range(0..most)])
    }

    /// A host that will be started again.
    pub(super) fn stopped(&mut self, host: HostId) -> End {
        self.hosts.insert(host, State::Down);
        self.reach.disturbed(host, self.world.now());
        End::Restart(host)
    }

    /// With a disk that syncs always nothing reported is lost. Otherwise what is left is not what the ring
    /// knows by this id: the host comes back in doubt of it, or is gone, as after a destroyed disk.
    fn power_cut(&mut self) -> Option<End> {
        let host = self.up_at_random()?;
        if self.plan.disk.policy == SyncPolicy::Always {
            self.falls_asleep(host);
            self.world.crash(host);
            return Some(self.stopped(host));
        }
        if self.plan.returns && self.rng.random_ratio(2, 3) && self.can_spare(host) {
            self.loses_writes(host);
            return Some(self.stopped(host));
        }
        self.destroy(host)
    }

    /// The power of a host goes, and what was not synced.
    fn loses_writes(&mut self, host: HostId) {
        self.asleep.insert(host, None);
        let known = self.world.host(host).and_then(|host| host.roster());
        if known.is_some_and(|roster| roster.has(host)) {
            self.checker.lost_writes(host, self.world.now());
        }
        self.world.crash(host);
    }

    /// The host and its store are lost for good, if the others can spare them.
    fn destroy(&mut self, host: HostId) -> Option<End> {
        if !self.plan.harsh && !self.can_spare(host) {
            return None;
        }
        self.world.crash(host);
        self.reach.disturbed(host, self.world.now());
        self.hosts.insert(host, State::Gone);
        self.excuse_keys();
        let replaced = self.plan.returns && self.rng.random_ratio(1, 2);
        Some(if replaced {
            End::Replace(host)
        } else {
            End::Over
        })
    }

    /// Where disks sync always, some hosts lose their power. Where they do not, all do or none: nothing but all stores
    /// together can make up for what each of them has lost, and what a quorum has lost nothing can.
    fn blackout(&mut self) -> Option<End> {
        let now = self.world.now();
        let synced = self.plan.disk.policy == SyncPolicy::Always;
        let dark =
            self.plan.returns && !synced && self.all_are_there() && self.rng.random_ratio(1, 3);
        let before = if dark { self.on_quorums() } else { Vec::new() };
        for host in self.all(State::Up) {
            if dark {
                self.loses_writes(host);
            } else if synced && self.rng.random_ratio(1, 2) {
                self.falls_asleep(host);
                self.world.crash(host);
            } else {
                self.falls_asleep(host);
                self.world.kill(host);
            }
            let end = self.stopped(host);
            let later = Duration::from_millis(self.rng.random_range(10..1_500));
            self.begin_fault(Fault::Blackout, now + later, end);
        }
        self.excuse_lost(before);
        None
    }

    /// All hosts of one zone stop at once. Some of their disks burn, as far as the others can spare them.
    fn zone_goes(&mut self) -> Option<End> {
        let zone = self.up_at_random()?.0 % self.plan.zones;
        let burns = self.rng.random_ratio(1, 3);
        let mut hosts = self.all(State::Up);
        hosts.retain(|host| self.plan.zones > 1 && host.0 % self.plan.zones == zone);
        let now = self.world.now();
        for host in hosts {
            let burnt = if burns { self.destroy(host) } else { None };
            let end = burnt.unwrap_or_else(|| {
                self.falls_asleep(host);
                self.world.kill(host);
                self.stopped(host)
            });
            let later = Duration::from_millis(self.rng.random_range(10..3_000));
            self.begin_fault(Fault::Zone, now + later, end);
        }
        None
    }

    fn partition(&mut self, one_way: bool) -> Option<End> {
        let all: Vec<HostId> = self.hosts.keys().copied().collect();
        let (some, others): (Vec<HostId>, Vec<HostId>) =
            all.into_iter().partition(|_| self.rng.random_ratio(1, 3));
        if some.is_empty() || others.is_empty() {
            return None;
        }
        Some(End::Cut(self.cut(some, others, one_way)))
    }

    fn bad_network(&mut self, fault: Fault) -> Option<End> {
        let much = self.rng.random_range(10..200);
        let late_ms = self.rng.random_range(20..600);
        let network = self.world.network();
        match fault {
            Fault::Loss => network.loss = much,
            Fault::Double => network.duplicate = much,
            _ => (network.late, network.late_ms) = (much, late_ms),
        }
        self.reach.network_bad();
        Some(End::Calm(fault))
    }

    /// Most clocks are wrong by little; some by so much that their hosts may not stamp.
    fn wrong_clock(&mut self, host: HostId) -> End {
        let drift = i64::try_from(self.plan.max_drift().as_millis()).unwrap_or(i64::MAX / 100);
        let most = if self.rng.random_ratio(1, 6) {
            6 * drift
        } else {
            3 * drift / 10
        };
        let ahead = self.rng.random_range(0..2 * most) - most;
        self.set_clock(host, ahead);
        End::Clock(host)
    }

    pub(super) fn set_clock(&mut self, host: HostId, ahead_ms: i64) {
        let now = self.world.now();
        self.world.set_clock(host, ahead_ms);
        self.checker.clocks().set(host, now, ahead_ms);
        self.reach.disturbed(host, now);
    }

    /// Ends what has lasted long enough; at `Time(u64::MAX)` everything.
    pub(super) fn end_faults(&mut self, now: Time) {
        while let Some(entry) = self.ends.first_entry().filter(|entry| entry.key().0 <= now) {
            let (fault, end) = entry.remove();
            self.active.remove(fault);
            match end {
                End::Restart(host) => self.restart(host),
                End::Replace(host) => self.replace(host),
                End::Cut(number) => self.end_cut(number),
                End::Calm(fault) => {
                    let calm = self.plan.calm();
                    let network = self.world.network();
                    match fault {
                        Fault::Loss => network.loss = calm.loss,
                        Fault::Double => network.duplicate = calm.duplicate,
                        _ => network.late = calm.late,
                    }
                    if network.loss == calm.loss && network.late == calm.late {
                        self.reach.network_good(self.world.now());
                    }
                }
                End::Fast(host) => {
                    self.world.slow_host(host, 0);
                    self.reach.fit(host, fault, self.world.now());
                }
                End::Room(host) => {
                    self.world.fill_disk(host, false);
                    self.reach.fit(host, fault, self.world.now());
                }
                End::FastDisk(host) => {
                    self.world.slow_disk(host, self.plan.disk.access_ms);
                    self.catching_up.insert(host);
                }
                End::Clock(host) => self.set_clock(host, 0),
                End::Over => {}
            }
        }
        self.see_who_has_caught_up();
    }

    /// A disk that was slow is one that keeps up once hardly anything waits for it.
    fn see_who_has_caught_up(&mut self) {
        let now = self.world.now();
        for host in std::mem::take(&mut self.catching_up) {
            if self.world.disk_busy_until(host) > now + KEPT_UP {
                self.catching_up.insert(host);
            } else {
                self.reach.fit(host, Fault::SlowDisk, now);
            }
        }
    }
}
