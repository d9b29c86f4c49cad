//! What knocks at the port and is no host: closed, said once, and nobody else notices.

use std::time::Duration;

use crate::liar::{self, Hello, dial, to_the_end};
use crate::said;
use crate::world::{PORT, Seat, World, now, seconds};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

/// h1 and h3 speak to each other; somebody comes by at h1's port.
fn visited<F>(visit: impl FnOnce() -> F) -> World
where
    F: Future<Output = turmoil::Result> + 'static,
{
    let mut world = World::new(1, 1);
    world.add(Seat::new(1).speaking_to(&[3]));
    world.add(Seat::new(3).speaking_to(&[1]));
    world.run(seconds(2));
    world.sim.client("stranger", visit());
    world
}

/// Runs on, and sees that h1 and h3 did not notice.
#[track_caller]
fn undisturbed(world: &mut World, time: Duration) {
    world.run(time);
    assert_eq!(world.told(1, 3) + &world.told(3, 1), "");
    assert!(world.heard_lately(3, 1, seconds(1)) >= 9);
    assert!(world.heard_lately(1, 3, seconds(1)) >= 9);
    let ledger = world.ledger.borrow();
    ledger.check_order();
    assert!(
        ledger
            .heard
            .iter()
            .all(|heard| heard.from == 1 || heard.from == 3)
    );
    assert_eq!(world.with_links(1, |links| links.handshakes()), 0);
}

/// Says this at h1's port, waits for the end, and gives what it heard.
async fn say(bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("h1", PORT)).await.unwrap();
    // It may be closed before all was said.
    let _ = stream.write_all(bytes).await;
    to_the_end(&mut stream).await
}

#[test]
fn other_protocols_are_closed_unanswered_and_each_is_said_once() {
    let mut world = visited(|| async {
        for _ in 0..20 {
            assert_eq!(say(b"GET / HTTP/1.1\r\nHost: h1\r\n\r\n").await, b"");
            assert_eq!(say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").await, b"");
            assert_eq!(say(b"*1\r\n$4\r\nPING\r\n").await, b"");
            assert_eq!(say(&[0xff; 4000]).await, b"");
        }
        Ok(())
    });
    undisturbed(&mut world, seconds(10));
    let line = said::once("not a host of Roundelay");
    assert!(
        line.contains("begins with GET "),
        "one line for one stranger: {line}"
    );
    assert_eq!(world.with_links(1, |links| links.refused()), 80);
}

#[test]
fn half_a_hello_and_a_byte_a_second_are_closed_after_three_seconds() {
    let mut world = visited(|| async {
        let mut half = TcpStream::connect(("h1", PORT)).await?;
        let hello = Hello::of(2).bytes();
        half.write_all(&hello[..hello.len() / 2]).await?;
        let begin = now();
        to_the_end(&mut half).await;
        let took = now() - begin;
        assert!((seconds(3)..seconds(4)).contains(&took), "{took:?}");
        let mut slow = TcpStream::connect(("h1", PORT)).await?;
        let begin = now();
        for byte in hello {
            if slow.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(seconds(1)).await;
        }
        assert!(now() - begin < seconds(6));
        Ok(())
    });
    undisturbed(&mut world, seconds(15));
    said::once("no handshake within 3000 ms");
}

#[test]
fn a_wrong_secret_is_refused_and_both_sides_say_so_once() {
    let mut world = visited(|| async { Ok(()) });
    let mut wrong = Seat::new(2).speaking_to(&[1]);
    wrong.secret = "gull";
    world.add(wrong);
    undisturbed(&mut world, seconds(50));
    said::once("connection from 192.168.0.4: it does not know the secret of the cluster");
    said::once("WARN link to h1: no connection, refused: the secrets differ");
    assert_eq!(world.told(2, 1), "d");
}

#[test]
fn another_cluster_is_refused_before_any_proof() {
    let mut world = visited(|| async { Ok(()) });
    let mut other = Seat::new(2).speaking_to(&[1]);
    other.cluster = "fish";
    world.add(other);
    undisturbed(&mut world, seconds(50));
    said::once("refused h2: it belongs to another cluster");
    said::once("WARN link to h1: no connection, refused: it belongs to another cluster");
}

#[test]
fn a_recorded_handshake_is_of_no_use() {
    let mut world = visited(|| async {
        let (mut stream, said) = dial("h1", &Hello::of(2)).await?;
        stream.write_all(&[0, 0, 0, 2, 1, 0xf3]).await?; // goodbye
        to_the_end(&mut stream).await;
        let answer = say(&said).await;
        let verdict = &answer[answer.len() - 33..];
        assert_eq!(
            (verdict[0], &verdict[1..]),
            (7, &[0; 32][..]),
            "the proof is wrong now"
        );
        Ok(())
    });
    undisturbed(&mut world, seconds(5));
    said::once("it does not know the secret of the cluster");
}

/// A connection that was long on its way does not take the place of a newer one.
#[test]
fn an_older_connection_is_refused() {
    let mut world = visited(|| async {
        let newer = Hello {
            attempt: 8,
            ..Hello::of(2)
        };
        let (_stream, _) = dial("h1", &newer).await?;
        let error = dial("h1", &Hello::of(2)).await.err().unwrap();
        assert_eq!(error.to_string(), "refused for reason 4");
        Ok(())
    });
    undisturbed(&mut world, seconds(5));
    said::once("refused h2: a newer connection of it is there");
}

/// Somebody who knows the secret, and announces 4 GiB, or speaks for another, or sends noise.
#[test]
fn what_is_no_message_ends_the_link_of_who_said_it() {
    let four_gib = vec![255, 255, 255, 255, 1, 1];
    let part = vec![0, 0, 0, 8, 1, 0xf0, 255, 255, 255, 255, 1, 3];
    let forged = roundelay::wire::encode(&crate::heard::numbered(3, 1, 1, 1)).to_vec();
    let stray = roundelay::wire::encode(&crate::heard::numbered(2, 9, 1, 1)).to_vec();
    let damaged = vec![0, 0, 0, 4, 1, 7, 0xff, 0xff];
    let bad = [
        (
            four_gib,
            "bytes that are no message: a frame of 4294967299 bytes is too large",
        ),
        (
            part,
            "bytes that are no message: a frame of 4294967299 bytes is too large",
        ),
        (forged, "a message from h3 to h1 on the link from h2"),
        (stray, "a message from h2 to h9 on the link from h2"),
        (damaged, "bytes that are no message"),
    ];
    for (bytes, why) in bad {
        let mut world = visited(|| async move {
            let (mut stream, _) = dial("h1", &Hello::of(2)).await?;
            stream.write_all(&bytes).await?;
            to_the_end(&mut stream).await;
            Ok(())
        });
        undisturbed(&mut world, seconds(2));
        let line = said::once("link from h2: ended");
        assert!(line.contains(why), "{line}");
    }
}

/// Somebody who knows the secret goes in the middle of a message: what is there of it is nothing.
#[test]
fn half_a_message_is_none() {
    let message = roundelay::wire::encode(&crate::heard::numbered(2, 1, 1, 1));
    for len in 1..message.len() {
        let half = message[..len].to_vec();
        let mut world = visited(|| async move {
            let (mut stream, _) = dial("h1", &Hello::of(2)).await?;
            stream.write_all(&half).await?;
            Ok(())
        });
        undisturbed(&mut world, seconds(2));
        let line = said::once("link from h2: ended");
        assert!(
            line.contains("the other side closed the connection"),
            "{line}"
        );
    }
}

/// Proven, and then a message byte by byte. It costs a connection and a few bytes, for as long as it lasts.
#[test]
fn a_message_at_a_byte_a_second_holds_up_nobody() {
    let mut world = visited(|| async {
        let (stream, _) = dial("h1", &Hello::of(2)).await?;
        let (mut hear, mut speak) = tokio::io::split(stream);
        let heard = actix::spawn(async move {
            let mut pongs = Vec::new();
            let _ = hear.read_to_end(&mut pongs).await;
            pongs.len()
        });
        for byte in roundelay::wire::encode(&crate::heard::numbered(2, 1, 1, 1)) {
            speak.write_all(&[byte]).await?;
            tokio::time::sleep(seconds(1)).await;
        }
        speak.write_all(&[0, 0, 0, 2, 1, 0xf3]).await?;
        assert!(heard.await? > 0, "it was told that somebody listens");
        Ok(())
    });
    world.run(seconds(60));
    assert_eq!(world.ledger.borrow().numbers(2, 1), [1]);
    assert_eq!(said::lines("link from h2"), Vec::<String>::new());
    world
        .ledger
        .borrow_mut()
        .heard
        .retain(|heard| heard.from != 2);
    undisturbed(&mut world, seconds(2));
}

/// Said nothing after the handshake, not even a ping: as good as dead.
#[test]
fn a_proven_peer_that_falls_silent_is_let_go() {
    let mut world = visited(|| async {
        let (mut stream, _) = dial("h1", &Hello::of(2)).await?;
        let begin = now();
        to_the_end(&mut stream).await;
        let took = now() - begin;
        assert!((seconds(3)..=seconds(5)).contains(&took), "{took:?}");
        Ok(())
    });
    undisturbed(&mut world, seconds(8));
    said::once("link from h2: ended, nothing was heard for 4");
}

/// Hundreds of connections that say nothing: as many handshakes as may be, the others are closed at once.
#[test]
fn handshakes_are_bounded() {
    let mut world = World::new(1, 1);
    let mut seat = Seat::new(1).speaking_to(&[3]);
    seat.limits.handshakes = 10;
    world.add(seat);
    world.add(Seat::new(3).speaking_to(&[1]));
    world.run(seconds(2));
    world.sim.client("stranger", async {
        let mut open = Vec::new();
        for _ in 0..50 {
            open.push(TcpStream::connect(("h1", PORT)).await?);
        }
        tokio::time::sleep(seconds(5)).await;
        Ok(())
    });
    world.run(seconds(1));
    assert_eq!(world.with_links(1, |links| links.handshakes()), 10);
    assert_eq!(world.with_links(1, |links| links.refused()), 40);
    undisturbed(&mut world, seconds(10));
    said::once("too many handshakes at once");
    said::once("no handshake within 3000 ms");
}

/// Whoever answers at an address without knowing the secret is not believed.
#[test]
fn an_acceptor_that_cannot_prove_itself_is_not_spoken_to() {
    let mut world = visited(|| async { Ok(()) });
    world.sim.host("h2", || async {
        let listener = turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let theirs = liar::read_hello(&mut stream).await?;
            stream.write_all(&Hello::of(2).bytes()).await?;
            let mut proof = [0; 32];
            stream.read_exact(&mut proof).await?;
            assert_ne!(theirs, Vec::<u8>::new());
            stream.write_all(&[&[0], &proof[..]].concat()).await?;
            assert_eq!(to_the_end(&mut stream).await, b"");
        }
    });
    world.add(Seat::new(4).speaking_to(&[2]));
    undisturbed(&mut world, seconds(20));
    said::once("WARN link to h2: no connection, it does not know the secret of the cluster");
    assert_eq!(world.told(4, 2), "d");
}
