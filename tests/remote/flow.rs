//! Peers that are slow, stopped, or do not read: they cost their own link and one queue.

use std::time::Duration;

use crate::liar::{self, Hello};
use crate::said;
use crate::world::{PORT, Seat, World, seconds};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// h1 speaks to h2 and h3; its queue for each has room for few messages.
fn narrow(each_time: u64) -> World {
    let mut world = World::new(1, 1);
    let mut seat = Seat::new(1).speaking_to(&[2, 3]);
    seat.limits.queue_bytes = 20_000;
    seat.each_time = each_time;
    world.add(seat);
    world.add(Seat::new(3).speaking_to(&[1]));
    world
}

#[track_caller]
fn third_is_undisturbed(world: &World) {
    assert_eq!(world.told(1, 3) + &world.told(3, 1), "");
    assert!(world.heard_lately(1, 3, seconds(1)) >= 9);
    assert!(world.heard_lately(3, 1, seconds(1)) >= 9);
    world.ledger.borrow().check_order();
}

/// The host behind h2 thinks for twenty seconds about whatever arrives together: its senders have to wait, and
/// nobody takes it for dead.
#[test]
fn a_slow_host_slows_its_sender_and_is_not_taken_for_dead() {
    let mut world = World::new(1, 1);
    world.add(Seat::new(1).speaking_to(&[2, 3]));
    world.add(Seat::new(2));
    world.add(Seat::new(3).speaking_to(&[1]));
    world.ledger.borrow_mut().slow.insert(2, seconds(20));
    world.run(seconds(58));
    assert_eq!(world.told(1, 2), "");
    let heard = world.ledger.borrow().numbers(1, 2).len();
    assert!((2..570).contains(&heard), "{heard}");
    third_is_undisturbed(&world);
    world.ledger.borrow_mut().slow.clear();
    world.run(seconds(25));
    let numbers = world.ledger.borrow().numbers(1, 2);
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "nothing was lost"
    );
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
}

/// h2 answers pings and reads nothing else for a while: the queue fills, once it is said, and once that there
/// is room again.
#[test]
fn a_full_queue_loses_what_comes_last_and_says_so_once() {
    let mut world = narrow(20);
    let mut seat = Seat::new(2);
    seat.limits.window_bytes = 1;
    world.add(seat);
    world.run(seconds(2));
    world.ledger.borrow_mut().slow.insert(2, seconds(30));
    world.run(seconds(40));
    assert_eq!(world.told(1, 2), "d");
    said::once("link to h2: full with ");
    let waiting = world.with_links(1, |links| links.status()[0].waiting_bytes);
    assert!(waiting <= 20_000, "{waiting}");
    third_is_undisturbed(&world);
    world.ledger.borrow_mut().slow.clear();
    world.run(seconds(60));
    assert_eq!(world.told(1, 2), "du");
    said::once("link to h2: room again; ");
    assert!(world.heard_lately(1, 2, seconds(1)) >= 9);
    world.ledger.borrow().check_order();
    world.ledger.borrow().check_losses();
}

/// The process behind h2 is stopped: its sockets stay, nothing is read or said.
#[test]
fn a_peer_that_stops_reading_is_given_up_after_a_silence() {
    let mut world = narrow(50);
    world.sim.host("h2", || async {
        let listener = turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await?;
            liar::accept(&mut stream, &Hello::of(2)).await?;
            kept.push(stream);
        }
    });
    world.run(Duration::from_millis(3_500));
    let waiting = |world: &World| world.with_links(1, |links| links.status()[0].waiting_bytes);
    assert!(waiting(&world) <= 20_000);
    world.run(seconds(2));
    assert!(world.told(1, 2).starts_with('d'));
    assert!(!said::lines("link to h2: down, nothing was heard for 4").is_empty());
    world.run(seconds(20));
    assert!(waiting(&world) <= 20_000);
    third_is_undisturbed(&world);
}

/// It reads and answers pings, but says a byte a second of each answer.
#[test]
fn a_peer_that_dribbles_its_pongs_is_alive() {
    let mut world = narrow(1);
    world.sim.host("h2", || async {
        let listener = turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            liar::accept(&mut stream, &Hello::of(2)).await?;
            let (mut hear, mut speak) = tokio::io::split(stream);
            actix::spawn(async move {
                let mut bytes = [0; 4096];
                while hear.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
            });
            for byte in [0, 0, 0, 10, 1, 0xf2, 0, 0, 0, 0, 0, 0, 0, 0].repeat(10) {
                speak.write_all(&[byte]).await?;
                tokio::time::sleep(seconds(1)).await;
            }
        }
    });
    world.run(seconds(60));
    assert_eq!(world.told(1, 2), "");
    assert_eq!(
        world.with_links(1, |links| links.status()[0].sent.connections),
        1
    );
    third_is_undisturbed(&world);
}
