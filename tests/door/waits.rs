//! Who is slow, and how slow one may be: in virtual time, over a pipe.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use roundelay::actor::{Book, Clock, Input, open};
use roundelay::door::{Behind, Door, DoorSettings};
use roundelay::record::WallMs;
use roundelay::sim::{RingPlan, paused};
use roundelay::store::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;

/// A door before one host, under a paused clock.
fn door(settings: DoorSettings) -> Rc<Door> {
    let plan = RingPlan::new(1, 3);
    let book = Rc::new(RefCell::new(Book::new()));
    let clock = Clock::beginning(WallMs(1_700_000_000_000));
    let id = plan.ids().next().unwrap();
    let (actor, shell) = open(plan.config(id), Box::new(MemoryStore::new()), clock, &book);
    actor.do_send(Input::Enter(Arc::new(plan.roster().unwrap())));
    Door::new(
        Behind::of(id, shell, Rc::new(move || clock.now().wall)),
        settings,
    )
}

/// A pipe with room for so many bytes, the other end of which is at the door.
fn knock(door: &Rc<Door>, room: usize) -> DuplexStream {
    let (mine, theirs) = duplex(room);
    let from: SocketAddr = "192.0.2.1:1".parse().unwrap();
    actix::spawn(Rc::clone(door).receive(Box::new(theirs), from));
    mine
}

async fn rest(stream: &mut DuplexStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn expect(stream: &mut DuplexStream, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

#[test]
fn whoever_says_nothing_is_closed_and_whoever_said_something_may_be_idle() {
    paused().block_on(async {
        let door = door(DoorSettings::default());
        let mut silent = knock(&door, 1024);
        let mut idle = knock(&door, 1024);
        sleep(Duration::from_secs(1)).await;
        idle.write_all(b"PING\r\n").await.unwrap();
        expect(&mut idle, "+PONG\r\n").await;
        sleep(Duration::from_secs(298)).await;
        silent.write_all(b"").await.unwrap();
        assert_eq!(rest(&mut silent).await, "");
        sleep(Duration::from_secs(100_000)).await;
        idle.write_all(b"PING\r\n").await.unwrap();
        expect(&mut idle, "+PONG\r\n").await;
        assert_eq!(door.clients(), 1);
        drop(idle);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(door.clients(), 0);
    });
}

#[test]
fn what_one_speaks_must_be_clear_in_time() {
    paused().block_on(async {
        let door = door(DoorSettings::default());
        let mut slow = knock(&door, 1024);
        slow.write_all(b"GET /").await.unwrap();
        sleep(Duration::from_secs(4)).await;
        slow.write_all(b"a").await.unwrap();
        sleep(Duration::from_secs(2)).await;
        assert!(slow.write_all(b"\r\n").await.is_err());
    });
}

#[test]
fn nothing_of_a_transaction_is_run_over_how_many_packets_it_ever_comes() {
    const NOT_RUN: &str = "-ERR not run: there are no transactions over several commands here; send it without MULTI (redis-py: pipeline(transaction=False)), each is for itself\r\n";
    const ABORTED: &str = "-EXECABORT Transaction discarded: nothing of it was run, for there are no transactions over several commands here; send them without MULTI (redis-py: pipeline(transaction=False)), each is for itself\r\n";
    paused().block_on(async {
        let door = door(DoorSettings::default());
        let mut client = knock(&door, 4096);
        let all = b"MULTI\r\nSET a 1\r\nMULTI\r\nSET b 2\r\nEXEC\r\nGET a\r\nSET c 3\r\n";
        let said = format!(
            "+OK\r\n{NOT_RUN}-ERR MULTI calls can not be nested\r\n{NOT_RUN}{ABORTED}$-1\r\n+OK\r\n"
        );
        client.write_all(all).await.unwrap();
        expect(&mut client, &said).await;
        client.write_all(b"DEL c\r\n").await.unwrap();
        expect(&mut client, ":1\r\n").await;
        // In as many packets as it has bytes, and slowly: each answer is read by then, and nothing else happens.
        for byte in all {
            client.write_all(&[*byte]).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        expect(&mut client, &said).await;
        // It ends in either of two other ways, too; and none may end that was not begun.
        for (end, said) in [("DISCARD", "+OK"), ("RESET", "+RESET")] {
            let all = format!("MULTI\r\nSET b 2\r\n{end}\r\nGET b\r\nEXEC\r\nDISCARD\r\n");
            client.write_all(all.as_bytes()).await.unwrap();
            let said = format!(
                "+OK\r\n{NOT_RUN}{said}\r\n$-1\r\n-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n"
            );
            expect(&mut client, &said).await;
        }
        // A large value in it is read to its end and thrown away.
        let large = vec![b'x'; 3 << 20];
        let head = format!("MULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n${}\r\n", large.len());
        let all = [head.as_bytes(), &large, b"\r\nEXEC\r\nGET b\r\nMULTI now\r\n"].concat();
        client.write_all(&all).await.unwrap();
        let said = format!(
            "+OK\r\n{NOT_RUN}{ABORTED}$-1\r\n-ERR wrong number of arguments for 'multi' command\r\n"
        );
        expect(&mut client, &said).await;
    });
}

#[test]
fn half_a_command_is_waited_for_as_long_as_it_goes_on() {
    paused().block_on(async {
        let door = door(DoorSettings::default());
        let mut slow = knock(&door, 1024);
        sleep(Duration::from_secs(1)).await;
        for byte in "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n".bytes() {
            slow.write_all(&[byte]).await.unwrap();
            sleep(Duration::from_secs(59)).await;
        }
        expect(&mut slow, "$2\r\nhi\r\n").await;
        slow.write_all(b"*1\r\n$4\r\nPI").await.unwrap();
        sleep(Duration::from_secs(59)).await;
        assert_eq!(door.clients(), 1);
        let why = "-ERR half a command, and nothing for 60 s: closed\r\n";
        assert_eq!(rest(&mut slow).await, why);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(door.clients(), 0);
    });
}

#[test]
fn answers_that_nobody_reads_are_waited_for_so_long() {
    paused().block_on(async {
        let door = door(DoorSettings::default());
        let mut slow = knock(&door, 64);
        sleep(Duration::from_secs(1)).await;
        let echo = format!("ECHO {}\r\n", "x".repeat(1_000));
        slow.write_all(echo.as_bytes()).await.unwrap();
        for _ in 0..4 {
            // A little each time is enough.
            sleep(Duration::from_secs(59)).await;
            let mut some = [0; 64];
            assert!(slow.read(&mut some).await.unwrap() > 0);
        }
        assert_eq!(door.clients(), 1);
        sleep(Duration::from_secs(61)).await;
        assert_eq!(door.clients(), 0);
    });
}

#[test]
fn guesses_have_to_wait_and_whoever_knows_the_password_is_let_in() {
    paused().block_on(async {
        let settings = DoorSettings {
            password: Some(roundelay::door::Password::new(b"secret")),
            tries: 2,
            try_again: Duration::from_secs(10),
            ..DoorSettings::default()
        };
        let door = door(settings);
        let mut me = knock(&door, 1024);
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        me.write_all(b"AUTH a\r\nAUTH b\r\n").await.unwrap();
        expect(&mut me, &format!("{wrong}{wrong}")).await;
        let began = tokio::time::Instant::now();
        // What stands behind it waits with it, and so does a client that says no more.
        me.write_all(b"AUTH c\r\nPING\r\n").await.unwrap();
        let mut right = knock(&door, 1024);
        right.write_all(b"HELLO 2 AUTH default secret\r\nPING\r\n").await.unwrap();
        right.shutdown().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let mut third = knock(&door, 1024);
        third.write_all(b"AUTH secret\r\n").await.unwrap();
        expect(&mut third, "-WRONGPASS this one was not looked at, for too many wrong passwords come from this address: try again later\r\n").await;
        expect(&mut me, &format!("{wrong}-NOAUTH Authentication required.\r\n")).await;
        assert_eq!(began.elapsed().as_secs(), 10);
        let said = rest(&mut right).await;
        assert!(said.starts_with("*14\r\n") && said.ends_with("+PONG\r\n"), "{said}");
        // Those that leave while theirs waits take no place for good.
        for _ in 0..9 {
            let mut gone = knock(&door, 1024);
            gone.write_all(b"AUTH d\r\n").await.unwrap();
            drop(gone);
            sleep(Duration::from_secs(11)).await;
        }
        third.write_all(b"AUTH secret\r\nPING\r\n").await.unwrap();
        expect(&mut third, "+OK\r\n+PONG\r\n").await;
    });
}
