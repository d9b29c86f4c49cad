//! The worlds that are measured.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use roundelay::actor::Input;
use roundelay::find::FindConfig;
use roundelay::keyspace::Id;
use roundelay::message::{KeyOp, Options, Peer, Request};
use roundelay::placement::{HostId, random};
use roundelay::record::{Key, Time};
use roundelay::sim::{Answer, NetworkConfig, RingPlan, Stage, World, paused};
use roundelay::store::MemoryStore;

use super::{Figure, Kind};

/// Virtual seconds that are measured.
const SECONDS: u64 = 5;

pub(crate) fn measure(kind: Kind, nodes: u32) -> Result<Figure> {
    match kind {
        Kind::Plain => plain(nodes, false),
        Kind::Encoded => plain(nodes, true),
        Kind::Actors => actors(nodes),
        Kind::Speed => speed(nodes),
        Kind::Puts => puts(nodes),
        Kind::Memory => memory(nodes),
        Kind::Joins => joins(nodes),
    }
}

fn network(encode: bool) -> NetworkConfig {
    NetworkConfig {
        encode,
        ..NetworkConfig::default()
    }
}

/// One token a host, three copies, everyone sees everyone.
fn plan(nodes: u32) -> RingPlan {
    let mut plan = RingPlan::new(nodes, 1);
    plan.tokens = 1;
    plan
}

/// The n-th request of all: puts and gets by turns, over as many keys as there are hosts, twice.
fn request(n: u64, nodes: u64) -> Request {
    let key = Key::new(format!("key {}", n % (2 * nodes))).expect("a short key");
    let value = Bytes::from_static(b"twenty bytes of data");
    let op = if (n / nodes).is_multiple_of(2) {
        KeyOp::from(value)
    } else {
        KeyOp::Get
    };
    Request::One(key, op)
}

/// Lets every host be asked once in each of so many seconds, one after the other. Returns how many
/// requests failed.
fn load(world: &mut World, nodes: u32, seconds: u64) -> usize {
    let (nodes, begun) = (u64::from(nodes), world.now());
    let mut failed = 0;
    for n in 0..nodes * seconds {
        world.run_until(begun + Duration::from_millis(n * 1000 / nodes));
        world.request(HostId(n % nodes + 1), request(n, nodes), Options::default());
        if n % 10_000 == 0 {
            failed += failures(world);
        }
    }
    world.run_until(begun + Duration::from_secs(seconds));
    failed + failures(world)
}

fn failures(world: &mut World) -> usize {
    let answers = world.take_answers().into_values();
    answers
        .filter(|answer| !matches!(answer, Answer::Reply(Ok(_))))
        .count()
}

fn settled(nodes: u32, encode: bool) -> Result<World> {
    let mut world = World::ring(&plan(nodes), network(encode))?;
    world.run_until(Time::from_ms(2000));
    Ok(world)
}

fn plain(nodes: u32, encode: bool) -> Result<Figure> {
    let mut world = settled(nodes, encode)?;
    let (begun, before) = (cpu()?, world.delivered());
    let failed = load(&mut world, nodes, SECONDS);
    ensure!(failed == 0, "{failed} requests failed in a calm world");
    let (took, messages) = (cpu()?.saturating_sub(begun), world.delivered() - before);
    let (way, goal) = if encode {
        ("encoded", "-")
    } else {
        ("encoding off", "at most 400 ns")
    };
    Ok(Figure {
        what: format!("plain loop, {way}, {nodes} hosts: per delivered message"),
        got: format!("{} ns", per(took, messages)),
        goal,
        stats: stats(took, messages),
    })
}

fn actors(nodes: u32) -> Result<Figure> {
    paused().block_on(async {
        let stage = Stage::ring(&plan(nodes), network(false))?;
        stage.run_until(Time::from_ms(2000)).await;
        let (begun, before, start) = (cpu()?, stage.delivered(), stage.now());
        let all = u64::from(nodes);
        for n in 0..all * SECONDS {
            stage
                .run_until(start + Duration::from_millis(n * 1000 / all))
                .await;
            stage.request(HostId(n % all + 1), request(n, all), Options::default());
        }
        stage.run_until(start + Duration::from_secs(SECONDS)).await;
        let (took, messages) = (cpu()?.saturating_sub(begun), stage.delivered() - before);
        stage.stop();
        Ok(Figure {
            what: format!("actors, encoding off, {nodes} hosts: per delivered message"),
            got: format!("{} ns", per(took, messages)),
            goal: "at most 2,000 ns",
            stats: stats(took, messages),
        })
    })
}

fn speed(nodes: u32) -> Result<Figure> {
    let mut world = settled(nodes, true)?;
    let (begun, before) = (cpu()?, world.delivered());
    let seconds = 120;
    let failed = load(&mut world, nodes, seconds);
    ensure!(failed == 0, "{failed} requests failed in a calm world");
    let took = cpu()?.saturating_sub(begun);
    Ok(Figure {
        what: format!("plain loop, encoded, {nodes} hosts: virtual time by real time"),
        got: format!("{:.0} times", seconds as f64 / took.as_secs_f64()),
        goal: "at least 500 times",
        stats: stats(took, world.delivered() - before),
    })
}

/// A put every millisecond, each by the next host, over 1,000 keys.
fn puts(nodes: u32) -> Result<Figure> {
    let mut world = settled(nodes, true)?;
    let (begun, before, start) = (cpu()?, world.delivered(), world.now());
    let count = 20_000;
    for n in 0..count {
        world.run_until(start + Duration::from_millis(n));
        let key = Key::new(format!("key {}", n % 1000)).context("a short key")?;
        let op = KeyOp::from(Bytes::from_static(b"twenty bytes of data"));
        let host = HostId(n % u64::from(nodes) + 1);
        world.request(host, Request::One(key, op), Options::default());
    }
    world.run_until(start + Duration::from_millis(count + 1000));
    let took = cpu()?.saturating_sub(begun);
    let failed = failures(&mut world);
    ensure!(failed == 0, "{failed} puts failed in a calm world");
    Ok(Figure {
        what: format!("plain loop, encoded, {nodes} hosts: per quorum put"),
        got: format!("{:.1} us", per(took, count) as f64 / 1000.0),
        goal: "at most 25 us",
        stats: stats(took, world.delivered() - before),
    })
}

fn memory(nodes: u32) -> Result<Figure> {
    let before = resident_mib()?;
    let mut world = settled(nodes, false)?;
    let begun = cpu()?;
    let failed = load(&mut world, nodes, 2 * SECONDS);
    ensure!(failed == 0, "{failed} requests failed in a calm world");
    let records: u64 = (1..=u64::from(nodes))
        .map(|n| world.usage(HostId(n)).records)
        .sum();
    let mib = resident_mib()?.saturating_sub(before);
    Ok(Figure {
        what: format!("{nodes} hosts with {records} records"),
        got: format!("{mib} MiB, {} KiB a host", mib * 1024 / u64::from(nodes)),
        goal: "under 4 GiB",
        stats: stats(cpu()?.saturating_sub(begun), world.delivered()),
    })
}

/// The first stands alone; then as many join at a time as there are members, by members drawn evenly.
fn joins(nodes: u32) -> Result<Figure> {
    let begun = cpu()?;
    let mut world = World::new(1, network(false));
    let find = Arc::new(FindConfig::default());
    let mut plan = plan(nodes);
    plan.find = find;
    let ids = random(1, usize::try_from(nodes)?);
    let add = |world: &mut World, n: usize| {
        world.add_host(
            plan.config(HostId(n as u64 + 1)),
            Box::new(MemoryStore::new()),
        )
    };
    let first = add(&mut world, 0);
    world.tell(first, Input::LinkAlone(ids[0]));
    world.run_until(Time::from_ms(1000));
    let mut members = 1;
    while members < ids.len() {
        let more = members.min(ids.len() - members);
        for n in members..members + more {
            let host = add(&mut world, n);
            let via = Peer {
                id: ids[n - members],
                host: HostId((n - members) as u64 + 1),
            };
            world.tell(host, Input::LinkJoin { id: ids[n], via });
        }
        members += more;
        all_are_members(&mut world)?;
    }
    // The last newcomers' prevs hear of them within a few rounds of looking after their links.
    world.run_until(world.now() + Duration::from_secs(5));
    ring_is_whole(&world, ids)?;
    let took = cpu()?.saturating_sub(begun);
    Ok(Figure {
        what: format!("{nodes} nodes join by the links protocol"),
        got: format!("{:.0} s", took.as_secs_f64()),
        goal: "under 2 minutes",
        stats: format!(
            "{} virtual s, {}",
            world.now(),
            stats(took, world.delivered())
        ),
    })
}

/// Lets time go on until everyone is in, ten minutes at most.
fn all_are_members(world: &mut World) -> Result<()> {
    let limit = world.now() + Duration::from_secs(600);
    let mut second = world.now();
    let joined = world.run_while(limit, |world| {
        // Counting all of them is dear: once a second will do.
        if world.now() < second {
            return true;
        }
        second = world.now() + Duration::from_secs(1);
        !world
            .hosts()
            .all(|host| host.nodes().all(|node| node.is_member()))
    });
    ensure!(joined, "after ten minutes not everyone is a member");
    Ok(())
}

/// Each node's next is the next in the order of their ids.
fn ring_is_whole(world: &World, mut ids: Vec<Id>) -> Result<()> {
    ids.sort_unstable();
    let mut wrong = 0;
    for node in world.hosts().flat_map(|host| host.nodes()) {
        let place = ids
            .binary_search(&node.me().id)
            .ok()
            .context("a node of ours")?;
        wrong += usize::from(node.links().next.id != ids[(place + 1) % ids.len()]);
    }
    ensure!(
        wrong * 1000 <= ids.len(),
        "{wrong} of {} nodes have a wrong next",
        ids.len()
    );
    Ok(())
}

fn per(took: Duration, messages: u64) -> u128 {
    took.as_nanos() / u128::from(messages.max(1))
}

fn stats(took: Duration, messages: u64) -> String {
    format!(
        "{messages} messages in {:.2} s, {} ns each",
        took.as_secs_f64(),
        per(took, messages)
    )
}

/// The time this thread has spent on a processor: on a shared machine the clock on the wall would
/// measure the others.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")
        .context("processor time is read from /proc")?;
    let ns = stat
        .split_whitespace()
        .next()
        .context("no time in schedstat")?;
    Ok(Duration::from_nanos(ns.parse()?))
}

/// The memory of this process that is in use.
fn resident_mib() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmRSS in /proc")?;
    Ok(kib.parse::<u64>()? / 1024)
}
