//! The world in a bottle: the same seed, the same bytes, by either driver.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::num::NonZeroU32;

use roundelay::detect::DetectConfig;
use roundelay::message::{KeyOp, Options, Request};
use roundelay::placement::HostId;
use roundelay::record::{Key, Time};
use roundelay::sim::{DiskConfig, Lines, NetworkConfig, RingPlan, Stage, World, paused};

/// A network on which everything goes wrong now and then.
fn rough(encode: bool) -> NetworkConfig {
    NetworkConfig {
        min_ms: 1,
        max_ms: 20,
        loss: 30,
        duplicate: 30,
        late: 50,
        late_ms: 200,
        encode,
        ..NetworkConfig::default()
    }
}

fn put(key: u32) -> Request {
    let key = Key::new(format!("key {key}")).unwrap();
    Request::One(key, KeyOp::from(bytes::Bytes::from_static(b"value")))
}

fn get(key: u32) -> Request {
    Request::One(Key::new(format!("key {key}")).unwrap(), KeyOp::Get)
}

const SECONDS: u64 = 1000;

/// Six hosts; of every other seed they look themselves who is alive, of every third their stores answer at once, of
/// every sixth there is one copy of a key.
fn plan(seed: u64) -> RingPlan {
    let six = NonZeroU32::new(6).unwrap();
    RingPlan {
        detect: (seed % 2 == 1).then(|| DetectConfig::new(six)),
        disk: DiskConfig {
            sync_ms: u64::from(!seed.is_multiple_of(3)),
            at_once: seed.is_multiple_of(3),
            ..DiskConfig::default()
        },
        replicas: if seed.is_multiple_of(6) { 1 } else { 3 },
        ..RingPlan::new(6, seed)
    }
}

/// The scenario in the plain loop: puts, a crash, a cut, gets, a return.
fn plain(seed: u64, encode: bool) -> String {
    let lines = Lines::default();
    let mut world = World::new(seed, rough(encode));
    world.trace(Some(Box::new(lines.clone())));
    world.check_each_step(true);
    let plan = plan(seed);
    world.settle(&plan).unwrap();
    let host = |n: u32| HostId(u64::from(n % 6) + 1);
    world.run_until(Time::from_ms(SECONDS));
    for key in 0..8 {
        world.ask(host(key), put(key), Time::from_ms(60 * SECONDS));
    }
    world.crash(HostId(3));
    let now = world.now().as_ms();
    world.run_until(Time::from_ms(now + 2 * SECONDS));
    world.cut(&[HostId(1)], &[HostId(2), HostId(4)]);
    for key in 0..8 {
        let asked = host(if key % 6 == 2 { 4 } else { key });
        world.ask(asked, get(key), Time::from_ms(60 * SECONDS));
    }
    world.heal();
    world.restart(HostId(3));
    let now = world.now().as_ms();
    world.run_until(Time::from_ms(now + 5 * SECONDS));
    lines.text()
}

/// The same by actors under the paused clock.
fn actors(seed: u64) -> String {
    let lines = Lines::default();
    let out = lines.clone();
    paused().block_on(async move {
        let mut stage = Stage::new(seed, rough(true));
        stage.trace(Some(Box::new(out)));
        let plan = plan(seed);
        stage.settle(&plan).unwrap();
        let host = |n: u32| HostId(u64::from(n % 6) + 1);
        let options = Options::default();
        stage.run_until(Time::from_ms(SECONDS)).await;
        for key in 0..8 {
            stage.ask(host(key), put(key), options).await;
        }
        stage.crash(HostId(3));
        let now = stage.now().as_ms();
        stage.run_until(Time::from_ms(now + 2 * SECONDS)).await;
        stage.cut(&[HostId(1)], &[HostId(2), HostId(4)]);
        for key in 0..8 {
            let asked = host(if key % 6 == 2 { 4 } else { key });
            stage.ask(asked, get(key), options).await;
        }
        stage.heal();
        stage.restart(HostId(3));
        let now = stage.now().as_ms();
        stage.run_until(Time::from_ms(now + 5 * SECONDS)).await;
        stage.stop();
    });
    lines.text()
}

/// Shows the first line that differs rather than two long texts.
fn assert_same(a: &str, b: &str) {
    assert!(
        a.lines().count() > 200,
        "a trace of {} lines shows little:\n{a}",
        a.lines().count()
    );
    for (n, (left, right)) in a.lines().zip(b.lines()).enumerate() {
        assert_eq!(left, right, "line {}", n + 1);
    }
    assert_eq!(
        a.len(),
        b.len(),
        "one trace goes on after the other has ended"
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_same(&plain(7, true), &plain(7, true));
    assert_ne!(plain(7, true), plain(8, true));
}

#[test]
fn actors_under_the_paused_clock_give_the_trace_of_the_plain_loop() {
    for seed in 1..=6 {
        assert_same(&plain(seed, true), &actors(seed));
    }
}

#[test]
fn encoding_changes_no_trace() {
    assert_same(&plain(5, true), &plain(5, false));
}
