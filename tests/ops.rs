//! Operations that a story cannot show well: many records, writes that never stop, two rings of actors.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test they are the shortest way to fail"
)]

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use roundelay::actor::Input;
use roundelay::dht::{Dht, DhtError, ImportOptions};
use roundelay::keyspace::Id;
use roundelay::message::{
    CopyState, Expiry, KeyOp, Options, Outcome, Request, Ticket, Tuning, Verdict,
};
use roundelay::node::HostConfig;
use roundelay::placement::{HostId, Member, Zone, random};
use roundelay::record::{Body, Cells, Key, Record, Stamp, Time, ValueCell, Version};
use roundelay::roster::{Change, RingId, Roster};
use roundelay::sim::{Answer, NetworkConfig, World};
use roundelay::store::{Done, MemoryStore, Op};

/// A settled world, each host with the tokens given.
fn world(tokens: &[Vec<Id>], replicas: u8, quiet: bool) -> World {
    let mut world = World::new(7, NetworkConfig::default());
    let hosts = (1..).map(HostId).zip(tokens);
    let members = hosts.map(|(host, tokens)| (host, Member::new(tokens.clone())));
    let roster = Roster::settled(RingId(7), members.collect(), replicas).unwrap();
    let roster = Arc::new(roster);
    for host in (1..).take(tokens.len()) {
        add(&mut world, host, quiet, 0);
        world.tell(HostId(host), Input::Enter(Arc::clone(&roster)));
    }
    world.run_until(Time::from_ms(100));
    world
}

/// Another host; while spans move it takes in so many bytes a second, 0: at any pace.
fn add(world: &mut World, host: u64, quiet: bool, move_bytes_per_s: u64) {
    let mut config = HostConfig::new(HostId(host), host);
    config.keep.repair = Duration::ZERO;
    config.keep.move_bytes_per_s = move_bytes_per_s;
    if quiet {
        config.keep.gossip = Duration::ZERO;
    }
    world.add_host(config, Box::new(MemoryStore::default()));
}

fn ask(world: &mut World, host: u64, request: Request) -> Outcome {
    let limit = world.now() + Duration::from_secs(600);
    match world.ask(HostId(host), request, limit) {
        Some(Answer::Reply(Ok(outcome))) => outcome,
        other => panic!("h{host}: {other:?}"),
    }
}

fn key(index: u64) -> Key {
    Key::new(format!("key {index}")).unwrap()
}

/// The lines of a trace.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn one_differing_record_among_a_million_is_found_with_twenty_messages() {
    const RECORDS: u64 = 1_000_000;
    // h1 owns all ids but one.
    let tokens = [vec![Id::from_u64(1)], vec![Id::from_u64(2)]];
    let mut world = world(&tokens, 2, true);
    let record = |index: u64, stamp: u64| Record {
        key: key(index),
        cells: Cells {
            value: Some(ValueCell {
                version: Version {
                    stamp: Stamp(stamp),
                    delete: false,
                    host: HostId(1),
                    start: 1,
                },
                body: Some(Body::new("x")),
            }),
            expiry: None,
        },
    };
    for host in [HostId(1), HostId(2)] {
        let store = world.store(host);
        for index in 0..RECORDS {
            store.apply(Op::Merge(record(index, 1)));
        }
    }
    world.store(HostId(2)).apply(Op::Merge(record(4711, 2)));
    let lines = Lines::default();
    world.trace(Some(Box::new(lines.clone())));
    let Outcome::Balanced(hosts) = ask(&mut world, 1, Request::Balance) else {
        panic!("balance was answered otherwise");
    };
    let of_h1 = hosts[0].1.as_ref().unwrap();
    assert_eq!((of_h1.pulled, of_h1.pushed, of_h1.differing), (1, 0, 0));
    let trace = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let about_data = [" Digest", " List", " Ask ", " Answer "];
    let between = trace
        .lines()
        .filter(|line| line.contains("h1 -> h2") || line.contains("h2 -> h1"));
    let count = between
        .filter(|line| about_data.iter().any(|name| line.contains(name)))
        .count();
    println!("{count} messages");
    // To find it and to bring it over, to find nothing more, and to compare what h2 owns.
    assert!(count <= 20, "{count} messages:\n{trace}");
    let held = world.store(HostId(1)).apply(Op::Versions(key(4711)));
    assert!(matches!(held, Done::Versions(summary) if summary.value.unwrap().stamp == Stamp(2)));
}

/// So many keys are written again and again.
const KEYS: u64 = 500;

/// Writes that never stop: so many are under way at any time, from every host.
struct Writers {
    open: VecDeque<(Ticket, Key)>,
    acked: BTreeMap<Key, Version>,
    next: u64,
}

impl Writers {
    fn go_on(&mut self, world: &mut World, hosts: u64) {
        let mut still = VecDeque::new();
        while let Some((ticket, key)) = self.open.pop_front() {
            match world.take_answer(ticket) {
                None => still.push_back((ticket, key)),
                Some(Answer::Reply(Ok(Outcome::Stored(version)))) => {
                    let newest = self.acked.entry(key).or_insert(version);
                    *newest = version.max(*newest);
                }
                Some(other) => panic!("{key}: {other:?}"),
            }
        }
        while still.len() < 32 {
            self.next += 1;
            let key = key(self.next % KEYS);
            let value = Bytes::from(vec![7; 500]);
            let host = HostId(1 + self.next % hosts);
            let request = Request::One(key.clone(), KeyOp::from(value));
            let ticket = world.request(host, request, Options::default());
            still.push_back((ticket, key));
        }
        self.open = still;
    }
}

#[test]
fn a_move_ends_though_writes_never_stop() {
    let tokens: Vec<Vec<Id>> = (1..=3).map(|host| random(host, 4)).collect();
    let mut world = world(&tokens, 3, false);
    let mut writers = Writers {
        open: VecDeque::new(),
        acked: BTreeMap::new(),
        next: 0,
    };
    for _ in 0..400 {
        writers.go_on(&mut world, 3);
        world.run_until(world.now() + Duration::from_millis(5));
    }
    // Slow enough that every key is written many times while its span is on its way.
    add(&mut world, 4, false, 50_000);
    let join = Request::Join {
        via: HostId(1),
        replaces: None,
        replicas: None,
        member: Member::new([]),
        tokens: 4,
    };
    let join = world.request(HostId(4), join, Options::default());
    let (began, before) = (world.now(), writers.next);
    while world.answer(join).is_none() {
        writers.go_on(&mut world, 3);
        world.run_until(world.now() + Duration::from_millis(5));
        assert!(
            world.now().since(began) < Duration::from_secs(120),
            "it never ends"
        );
    }
    assert!(matches!(
        world.take_answer(join),
        Some(Answer::Reply(Ok(Outcome::Settled(_))))
    ));
    let (took, during) = (world.now().since(began), writers.next - before);
    println!("{during} writes asked while the move took {took:?}");
    assert!(took > Duration::from_secs(2), "it was not slow: {took:?}");
    assert!(during > 4 * KEYS, "writes did not go on: {during}");
    for (key, version) in writers.acked {
        match ask(&mut world, 4, Request::One(key.clone(), KeyOp::Has)) {
            Outcome::Version(Some(read)) => assert!(read >= version, "{key}: {read} < {version}"),
            other => panic!("{key}: {other:?}"),
        }
    }
}

/// A ring of five with 41 values in it, one of three megabytes, one that will end, and one deleted.
async fn filled_ring() -> Result<Dht, DhtError> {
    let one = Dht::simulated(5, 42).await?;
    for index in 0..40 {
        one.put(format!("key {index}"), format!("value {index}"))
            .await?;
    }
    let hour = Expiry::In(Duration::from_secs(3600));
    one.put_until("soon", "gone", hour).await?;
    one.put("big", vec![7_u8; 3_000_000]).await?;
    one.delete("key 0").await?;
    Ok(one)
}

#[test]
fn a_ring_of_actors_does_all_operations() -> Result<(), Box<dyn std::error::Error>> {
    roundelay::sim::paused().block_on(async {
        let one = filled_ring().await?;
        let balanced = one.balance().await?;
        assert_eq!(balanced.len(), 5);
        assert!(
            balanced
                .iter()
                .all(|(_, said)| said.as_ref().is_ok_and(|b| b.differing == 0))
        );
        assert!(one.purge(None).await?.iter().all(|(_, said)| said.is_ok()));
        assert_eq!(one.replicas().await?, 3);
        let status = one.status_of_all().await?;
        let ungranted = |status: &roundelay::message::Status| {
            status.stop_not.contains("no drain grant") && status.lacking == 0
        };
        assert!(
            status
                .iter()
                .all(|(_, said)| said.as_ref().is_ok_and(ungranted)),
            "{status:?}"
        );
        let copies = one.check("big").await?;
        assert!(copies.iter().all(|copy| copy.state == CopyState::Present));
        let explained = one.explain("key 1").await?;
        assert!(matches!(explained.verdict, Verdict::Value(_)));
        assert!(explained.route.is_ok() && explained.span.contains(explained.key.id()));
        let gone = one.explain("key 0").await?;
        assert!(matches!(gone.verdict, Verdict::Deleted(_)));
        let tuning = Tuning {
            move_bytes_per_s: Some(1 << 20),
        };
        let tuned = one.configure(tuning, None).await?;
        assert!(tuned.iter().all(|(_, said)| *said == Ok(tuning)));
        Ok::<(), DhtError>(())
    })?;
    Ok(())
}

#[test]
fn keys_are_counted_once_whatever_the_number_of_copies() -> Result<(), DhtError> {
    roundelay::sim::paused().block_on(async {
        let dht = Dht::simulated(5, 42).await?;
        assert_eq!(dht.count().await?.keys, 0);
        for n in 0..100 {
            dht.put(format!("key {n}"), "x").await?;
        }
        for n in 0..10 {
            dht.delete(format!("key {n}")).await?;
        }
        let soon = Expiry::In(Duration::from_secs(60));
        dht.put_until("key 10", "x", soon).await?;
        dht.put("key 11", vec![7; 3_000_000]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let counted = dht.count().await?;
        assert_eq!((counted.keys, counted.silent.len()), (90, 0));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(dht.count().await?.keys, 89, "what has expired is no key");
        Ok::<(), DhtError>(())
    })
}

#[test]
fn the_keys_of_a_host_that_is_down_are_taken_for_granted() {
    let tokens: Vec<Vec<Id>> = (1..=4).map(|host| random(host, 16)).collect();
    let mut world = world(&tokens, 3, false);
    for n in 0..1_000 {
        ask(
            &mut world,
            1,
            Request::One(key(n), KeyOp::Put(Body::new("x"), None)),
        );
    }
    let count = |world: &mut World| match ask(world, 1, Request::Count) {
        Outcome::Counted(counted) => counted,
        other => panic!("{other}"),
    };
    world.run_until(world.now() + Duration::from_secs(1));
    assert_eq!(count(&mut world).keys, 1_000);
    world.crash(HostId(4));
    // It has not been noticed yet: it is waited for, and not for ever.
    let counted = count(&mut world);
    assert_eq!(counted.silent, [HostId(4)]);
    assert!((800..1_200).contains(&counted.keys), "{counted:?}");
    world.run_until(world.now() + Duration::from_secs(30));
    let before = world.now();
    assert_eq!(count(&mut world), counted);
    assert!(
        world.now().since(before) < Duration::from_secs(1),
        "it is known to be down"
    );
}

#[test]
fn what_one_ring_exports_another_imports() -> Result<(), Box<dyn std::error::Error>> {
    roundelay::sim::paused().block_on(async {
        let one = filled_ring().await?;
        let mut file = Vec::new();
        assert_eq!(one.export(&mut file).await?, 41);
        let two = Dht::simulated(3, 43).await?;
        two.put("key 1", "of its own").await?;
        let count = two.import(&mut &file[..], ImportOptions::default()).await?;
        assert_eq!((count.written, count.present), (40, 1));
        let own = two.get("key 1").await?.unwrap();
        assert_eq!(own.body.to_bytes(), "of its own");
        assert_eq!(two.get("big").await?.unwrap().body.len, 3_000_000);
        assert!(two.get("soon").await?.unwrap().deadline.is_some());
        assert_eq!(two.get("key 0").await?, None);

        let cut = &file[..file.len() - 40];
        let three = Dht::simulated(3, 44).await?;
        let failed = three.import(&mut &cut[..], ImportOptions::default()).await;
        let Err(DhtError::Import { taken, .. }) = failed else {
            panic!("a cut archive was taken for whole: {failed:?}");
        };
        let rest = ImportOptions {
            skip: taken,
            ..ImportOptions::default()
        };
        let count = three.import(&mut &file[..], rest).await?;
        assert_eq!(taken + count.written, 41);
        Ok::<(), DhtError>(())
    })?;
    Ok(())
}

#[test]
fn a_large_value_is_imported_unless_it_is_there_or_had_expired() -> Result<(), DhtError> {
    roundelay::sim::paused().block_on(async {
        let one = Dht::simulated(3, 43).await?;
        let (film, song) = (vec![7; 3_000_000], vec![8; 2_000_000]);
        one.put("film", film.clone()).await?;
        let soon = Expiry::In(Duration::from_secs(60));
        one.put_until("song", song.clone(), soon).await?;
        let mut file = Vec::new();
        assert_eq!(one.export(&mut file).await?, 2);

        let two = Dht::simulated(3, 44).await?;
        two.put("film", "of its own").await?;
        let count = two.import(&mut &file[..], ImportOptions::default()).await?;
        assert_eq!((count.written, count.present, count.expired), (1, 1, 0));
        let over = ImportOptions {
            overwrite: true,
            ..ImportOptions::default()
        };
        let count = two.import(&mut &file[..], over).await?;
        assert_eq!((count.written, count.present, count.expired), (2, 0, 0));
        let found = two.get("song").await?.expect("it was written");
        assert!(found.body.to_bytes() == song && found.deadline.is_some());
        assert!(two.get("film").await?.expect("it, too").body.to_bytes() == film);

        // Later, its time has run out: nothing becomes of it, neither a value nor a delete.
        tokio::time::sleep(Duration::from_secs(100)).await;
        two.put("song", "of its own").await?;
        let count = two.import(&mut &file[..], over).await?;
        assert_eq!((count.written, count.expired), (1, 1));
        let three = Dht::simulated(3, 45).await?;
        tokio::time::sleep(Duration::from_secs(100)).await;
        let count = three.import(&mut &file[..], over).await?;
        assert_eq!((count.written, count.expired), (1, 1));
        assert_eq!(three.get("song").await?, None);
        let own = two.get("song").await?.expect("it was left alone");
        assert_eq!(own.body.to_bytes(), "of its own");
        Ok::<(), DhtError>(())
    })
}

/// The roster of a host.
fn roster(world: &mut World, host: u64) -> Arc<Roster> {
    match ask(world, host, Request::Roster) {
        Outcome::Roster(Some(roster)) => roster,
        other => panic!("the ring has a roster: {other}"),
    }
}

#[test]
fn a_host_in_another_zone_holds_other_keys() {
    let tokens: Vec<Vec<Id>> = (1..=4).map(|host| random(host, 4)).collect();
    let mut world = world(&tokens, 2, false);
    let keys: Vec<Key> = (0..40).map(key).collect();
    for key in &keys {
        let put = Request::One(key.clone(), KeyOp::Put(Body::new("x"), None));
        ask(&mut world, 1, put);
    }
    let zone = |host: u64, name: &str| Change::Zone(HostId(host), Some(Zone::new(name).unwrap()));
    let zones = [zone(1, "a"), zone(2, "a"), zone(3, "b"), zone(4, "b")];
    ask(&mut world, 2, Request::Change(zones.into()));
    // A quorum is complete; the others hear of it, and finish, a little later.
    world.run_until(world.now() + Duration::from_secs(10));
    let roster = roster(&mut world, 1);
    assert!(!roster.is_moving());
    for key in &keys {
        let holders = roster.new().holders(key.id());
        let of_a = holders.iter().filter(|host| host.0 <= 2).count();
        assert_eq!(of_a, 1, "one copy in each zone: {holders:?}");
        assert!(holders.iter().all(|host| world.holds(*host, key)));
    }
}

#[test]
fn a_host_of_more_weight_holds_more_once_tokens_have_followed() {
    let tokens: Vec<Vec<Id>> = (1..=4).map(|host| random(host, 4)).collect();
    let mut world = world(&tokens, 2, false);
    let before = roster(&mut world, 1).new().placement.share(HostId(4));
    let heavy = || Request::Change(vec![Change::Weight(HostId(4), 3)]);
    ask(&mut world, 1, heavy());
    let now = roster(&mut world, 1);
    let weight = now
        .new()
        .placement
        .member(HostId(4))
        .map(|member| member.weight);
    assert_eq!(weight, Some(3));
    assert!((now.new().placement.share(HostId(4)) - before).abs() < f64::EPSILON);
    ask(&mut world, 1, Request::Rebalance);
    let roster = roster(&mut world, 1);
    let share = |host| roster.new().placement.share(HostId(host));
    assert!(share(4) > before && share(4) > 2.0 * share(1));
    let Outcome::Settled(version) = ask(&mut world, 1, heavy()) else {
        panic!("it is so already");
    };
    assert_eq!(version, roster.version);
}

#[test]
fn a_host_that_is_not_in_has_no_zone_and_none_has_no_weight() {
    let tokens: Vec<Vec<Id>> = (1..=2).map(|host| random(host, 4)).collect();
    let mut world = world(&tokens, 2, false);
    for (change, why) in [
        (Change::Weight(HostId(9), 2), "host h9 is not in the roster"),
        (
            Change::Zone(HostId(9), None),
            "host h9 is not in the roster",
        ),
        (Change::Weight(HostId(1), 0), "h1 has weight 0"),
    ] {
        let limit = world.now() + Duration::from_secs(600);
        let asked = world.ask(HostId(1), Request::Change(vec![change]), limit);
        let told = format!("{asked:?}");
        assert!(told.contains(why), "{told}");
    }
}
