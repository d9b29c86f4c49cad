//! Detectors in virtual time: a world of packets that arrive 2 to 10 ms later, or not at all.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use proptest::prelude::*;
use rand::RngExt;

use super::*;

struct World {
    now: Time,
    hosts: BTreeMap<HostId, Detector>,
    /// Packets on their way: when they arrive, in what order they were sent, for whom.
    packets: BTreeMap<(Time, u64), (HostId, Bytes)>,
    sent: u64,
    chance: ChaCha8Rng,
    /// Percent of packets that are lost.
    loss: u32,
    /// Hosts numbered up to this one hear nothing from the others, nor they from them.
    cut_after: Option<HostId>,
    log: Vec<(Time, HostId, Signal)>,
}

fn config() -> DetectConfig {
    DetectConfig::new(NonZeroU32::new(8).unwrap())
}

fn host(n: u64) -> HostId {
    HostId(n)
}

impl World {
    /// Hosts 1 to n; all others join by host 1.
    fn new(n: u64, seed: u64, loss: u32) -> World {
        let mut world = World {
            now: Time::ZERO,
            hosts: BTreeMap::new(),
            packets: BTreeMap::new(),
            sent: 0,
            chance: ChaCha8Rng::seed_from_u64(seed),
            loss,
            cut_after: None,
            log: Vec::new(),
        };
        for n in 1..=n {
            world.start(host(n), 1);
        }
        world
    }

    fn start(&mut self, me: HostId, start: u32) {
        let mut detector = Detector::new(me, start, &config(), me.0 * 1000 + u64::from(start));
        let signals = detector.join(self.now, [host(1), host(2)]);
        self.hosts.insert(me, detector);
        self.carry_out(me, signals);
    }

    fn carry_out(&mut self, from: HostId, signals: Vec<Signal>) {
        for signal in signals {
            let Signal::Send { to, bytes } = signal else {
                self.log.push((self.now, from, signal));
                continue;
            };
            let cut = self
                .cut_after
                .is_some_and(|last| (from <= last) != (to <= last));
            if !cut && self.chance.random_range(0..100) >= self.loss {
                let delay = Duration::from_micros(self.chance.random_range(2_000..10_000));
                self.sent += 1;
                self.packets
                    .insert((self.now + delay, self.sent), (to, bytes));
            }
        }
    }

    fn run(&mut self, until: Time) {
        loop {
            let packet = self.packets.first_key_value().map(|((due, _), _)| *due);
            let wake = self
                .hosts
                .iter()
                .filter_map(|(me, one)| Some((one.next_wake()?, *me)))
                .min();
            let next = packet.into_iter().chain(wake.map(|(due, _)| due)).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = next;
            if packet == Some(next) {
                let (_, (to, bytes)) = self.packets.pop_first().unwrap();
                let signals = self.hosts.get_mut(&to).map(|one| one.receive(next, &bytes));
                self.carry_out(to, signals.unwrap_or_default());
            } else if let Some((_, me)) = wake {
                let signals = self.hosts.get_mut(&me).unwrap().wake(next);
                self.carry_out(me, signals);
            }
        }
        self.now = until;
    }

    /// Whether every host takes exactly the others for alive.
    fn agrees(&self) -> bool {
        self.hosts.iter().all(|(me, one)| {
            one.up()
                .eq(self.hosts.keys().copied().filter(|other| other != me))
        })
    }

    /// When the last of the others took this host for dead.
    fn down_since(&self, dead: HostId) -> Option<Time> {
        let told = |me: &HostId| {
            self.log
                .iter()
                .find(|(_, who, what)| who == me && *what == Signal::Down(dead))
        };
        self.hosts
            .keys()
            .map(|me| told(me).map(|(at, ..)| *at))
            .max()?
    }
}

#[test]
fn a_host_that_never_came_is_down_for_all_after_a_while_and_up_when_it_comes() {
    let mut world = World::new(3, 5, 10);
    let all = [host(1), host(2), host(3), host(9)];
    for me in [1, 2, 3].map(host) {
        let now = world.now;
        let signals = world.hosts.get_mut(&me).unwrap().join(now, all);
        world.carry_out(me, signals);
    }
    world.run(Time::from_ms(9_900));
    let of_it = |world: &World| {
        let log = world.log.iter().filter(|(_, _, signal)| match signal {
            Signal::Up(about) | Signal::Down(about) => *about == host(9),
            Signal::Send { .. } => false,
        });
        log.map(|(_, me, signal)| (*me, signal.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of_it(&world), []);
    world.run(Time::from_ms(40_000));
    let down = [1, 2, 3].map(|me| (host(me), Signal::Down(host(9))));
    assert_eq!(of_it(&world), down, "each says so once");
    world.start(host(9), 1);
    world.run(Time::from_ms(60_000));
    let mut told = of_it(&world).split_off(3);
    told.sort_by_key(|(me, _)| *me);
    assert_eq!(told, [1, 2, 3].map(|me| (host(me), Signal::Up(host(9)))));
}

#[test]
fn a_host_that_is_heard_by_another_road_is_not_waited_for() {
    let mut detector = Detector::new(host(1), 1, &config(), 1);
    detector.join(Time::ZERO, [host(2), host(3)]);
    assert_eq!(detector.heard(host(2)), None, "it was not said to be down");
    let downs = |signals: Vec<Signal>| {
        let downs = signals
            .into_iter()
            .filter(|signal| matches!(signal, Signal::Down(_)));
        downs.collect::<Vec<_>>()
    };
    assert_eq!(
        downs(detector.wake(Time::from_ms(10_000))),
        [Signal::Down(host(3))]
    );
    detector.join(Time::from_ms(11_000), [host(2), host(3)]);
    assert_eq!(
        downs(detector.wake(Time::from_ms(30_000))),
        [],
        "it is said once"
    );
    assert_eq!(detector.heard(host(3)), Some(Signal::Up(host(3))));
    assert_eq!(detector.heard(host(3)), None);
}

#[test]
fn a_crash_is_known_to_all_of_eight_within_seconds_and_nobody_else_is_blamed() {
    for seed in 0..5 {
        let mut world = World::new(8, seed, 0);
        world.run(Time::from_ms(10_000));
        assert!(world.agrees(), "all eight know each other");
        world.hosts.remove(&host(5));
        world.run(Time::from_ms(40_000));
        assert!(world.agrees());
        let known = world
            .down_since(host(5))
            .unwrap()
            .since(Time::from_ms(10_000));
        assert!(
            known < Duration::from_secs(10),
            "known to all after {known:?}, seed {seed}"
        );
        let blamed = world
            .log
            .iter()
            .filter(|(.., what)| matches!(what, Signal::Down(who) if *who != host(5)));
        assert_eq!(blamed.count(), 0);
    }
}

#[test]
fn all_join_although_a_tenth_of_the_packets_is_lost() {
    for seed in 0..5 {
        let mut world = World::new(32, seed, 10);
        world.run(Time::from_ms(60_000));
        let missing: Vec<_> = world
            .hosts
            .iter()
            .filter(|(_, one)| one.up().count() < 30)
            .collect();
        assert!(
            missing.is_empty(),
            "{} hosts know too few, seed {seed}",
            missing.len()
        );
    }
}

#[test]
fn a_healed_partition_grows_together() {
    let mut world = World::new(8, 3, 0);
    world.run(Time::from_ms(10_000));
    world.cut_after = Some(host(3));
    world.run(Time::from_ms(60_000));
    assert_eq!(
        world.hosts[&host(1)].up().collect::<Vec<_>>(),
        [host(2), host(3)]
    );
    assert_eq!(world.hosts[&host(8)].up().count(), 4);
    world.cut_after = None;
    world.run(Time::from_ms(120_000));
    assert!(world.agrees(), "both sides know each other again");
}

#[test]
fn a_host_that_returns_is_believed_in_its_new_life() {
    let mut world = World::new(8, 4, 0);
    world.run(Time::from_ms(10_000));
    world.hosts.remove(&host(5));
    world.run(Time::from_ms(40_000));
    world.start(host(5), 2);
    world.run(Time::from_ms(60_000));
    assert!(world.agrees());
    let of_five = world.log.iter().filter(|(_, me, _)| *me == host(1));
    let of_five: Vec<_> = of_five
        .map(|(.., what)| what)
        .filter(|what| matches!(what, Signal::Up(h) | Signal::Down(h) if *h == host(5)))
        .collect();
    assert_eq!(
        of_five,
        [
            &Signal::Up(host(5)),
            &Signal::Down(host(5)),
            &Signal::Up(host(5))
        ]
    );
}

#[test]
fn a_greeting_is_repeated_until_somebody_answers() {
    let mut late = Detector::new(host(2), 1, &config(), 7);
    assert_eq!(
        late.join(Time::ZERO, [host(1), host(2)]).len(),
        1,
        "nobody greets itself"
    );
    assert_eq!(late.next_wake(), Some(Time::from_ms(2000)));
    assert!(matches!(
        late.wake(Time::from_ms(2000))[..],
        [Signal::Send { to: HostId(1), .. }]
    ));
}

#[test]
fn the_same_seed_gives_the_same_signals() {
    let run = || {
        let mut world = World::new(8, 9, 10);
        world.run(Time::from_ms(30_000));
        (world.log, world.sent)
    };
    assert_eq!(run(), run());
}

#[test]
fn what_packets_say_can_be_read() {
    let mut said = std::collections::BTreeSet::new();
    let mut world = World::new(5, 6, 10);
    for n in 1..=12 {
        match n {
            4 => world.cut_after = Some(host(1)),
            8 => world.cut_after = None,
            _ => {}
        }
        world.run(Time::from_ms(n * 5_000));
        said.extend(world.packets.values().filter_map(|(_, bytes)| tell(bytes)));
        assert!(
            world
                .packets
                .values()
                .all(|(_, bytes)| tell(bytes).is_some())
        );
    }
    assert_eq!(tell(b"noise"), None);
    let packet = world.hosts.get_mut(&host(1)).unwrap().join(world.now, []);
    assert!(packet.is_empty(), "whoever knows somebody greets nobody");
    let greeting = Detector::new(host(2), 1, &config(), 7).join(Time::ZERO, [host(1)]);
    assert!(
        matches!(&greeting[..], [Signal::Send { bytes, .. }] if tell(bytes).as_deref() == Some("who is there?"))
    );
}

proptest! {
    /// Damaged packets and noise are dropped; the detector goes on.
    #[test]
    fn noise_is_harmless(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..60, flip in 1u8..) {
        let mut one = Detector::new(host(1), 1, &config(), 1);
        let mut two = Detector::new(host(2), 1, &config(), 2);
        one.receive(Time::ZERO, &noise);
        let Some(Signal::Send { bytes, .. }) = two.join(Time::ZERO, [host(1)]).pop() else {
            panic!("a greeting is sent")
        };
        let mut damaged = bytes.to_vec();
        let at = at % damaged.len();
        damaged[at] ^= flip;
        one.receive(Time::ZERO, &damaged);
        one.wake(Time::from_ms(5000));
        one.receive(Time::from_ms(5000), &bytes);
        prop_assert!(one.up().any(|who| who == host(2)));
    }
}
