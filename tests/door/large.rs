//! Values of more than a piece go through the door as they come, in and out, a few pieces at a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use roundelay::actor::{Book, Clock, Input, open};
use roundelay::door::{Behind, Door, DoorSettings};
use roundelay::record::{Key, PIECE_BYTES, WallMs};
use roundelay::sim::{RingPlan, paused};
use roundelay::store::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;

use super::harness::command;

/// Three hosts under a paused clock, each with a store of so many bytes; a door before the first.
async fn door(limit: usize) -> Rc<Door> {
    let plan = RingPlan::new(3, 3);
    let book = Rc::new(RefCell::new(Book::new()));
    let clock = Clock::beginning(WallMs(1_700_000_000_000));
    let roster = Arc::new(plan.roster().unwrap());
    let opened = plan.ids().map(|id| {
        let store = Box::new(MemoryStore::with_limit(limit as u64));
        let (actor, shell) = open(plan.config(id), store, clock, &book);
        actor.do_send(Input::Enter(Arc::clone(&roster)));
        Behind::of(id, shell, Rc::new(move || clock.now().wall))
    });
    let mut behind: Vec<Behind> = opened.collect();
    sleep(Duration::from_secs(1)).await;
    Door::new(behind.swap_remove(0), DoorSettings::default())
}

fn knock(door: &Rc<Door>) -> DuplexStream {
    let (mine, theirs) = duplex(64 * 1024);
    let from = "192.0.2.1:1".parse().unwrap();
    actix::spawn(Rc::clone(door).receive(Box::new(theirs), from));
    mine
}

fn value(seed: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| seed.wrapping_add(u8::try_from(at / 1_000 % 256).unwrap()))
        .collect()
}

fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

async fn expect(stream: &mut DuplexStream, expected: impl AsRef<[u8]>) {
    let expected = expected.as_ref();
    let mut bytes = vec![0; expected.len()];
    for (n, chunk) in bytes.chunks_mut(100_000).enumerate() {
        stream.read_exact(chunk).await.unwrap();
        let due = &expected[n * 100_000..][..chunk.len()];
        let short = |bytes: &[u8]| bytes[..bytes.len().min(100)].escape_ascii().to_string();
        assert!(chunk == due, "{} is not {}", short(chunk), short(due));
    }
}

async fn ask(stream: &mut DuplexStream, words: &[&[u8]], expected: impl AsRef<[u8]>) {
    stream.write_all(&command(words)).await.unwrap();
    expect(stream, expected).await;
}

/// How many bytes are kept for clients, as INFO tells.
async fn held(door: &Rc<Door>) -> usize {
    let mut other = knock(door);
    other.write_all(b"INFO memory\r\n").await.unwrap();
    other.shutdown().await.unwrap();
    let mut text = String::new();
    other.read_to_string(&mut text).await.unwrap();
    let (_, held) = text.split_once("mem_clients_normal:").unwrap();
    held.lines().next().unwrap().parse().unwrap()
}

const LEN: usize = 5 * PIECE_BYTES + 9;

#[test]
fn each_command_that_stores_a_value_takes_a_large_one() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        let (one, two) = (value(1, LEN), value(2, PIECE_BYTES + 1));
        ask(&mut me, &[b"SET", b"a", &one], "+OK\r\n").await;
        ask(&mut me, &[b"GET", b"a"], bulk(&one)).await;
        ask(&mut me, &[b"STRLEN", b"a"], format!(":{LEN}\r\n")).await;
        ask(&mut me, &[b"SET", b"b", &two, b"EX", b"60"], "+OK\r\n").await;
        ask(&mut me, &[b"TTL", b"b"], ":60\r\n").await;
        ask(&mut me, &[b"GET", b"b"], bulk(&two)).await;
        ask(&mut me, &[b"SETEX", b"c", b"50", &two], "+OK\r\n").await;
        ask(&mut me, &[b"TTL", b"c"], ":50\r\n").await;
        let three = [b"MSET".as_slice(), b"d", &one, b"e", b"short", b"f", &two];
        ask(&mut me, &three, "+OK\r\n").await;
        let many = [&b"*3\r\n"[..], &bulk(&one), &bulk(b"short"), &bulk(&two)].concat();
        ask(&mut me, &[b"MGET", b"d", b"e", b"f"], many).await;

        // DHT.PUT and DHT.GET, with what is known of the value before its bytes; a map in RESP3.
        let put = [b"DHT.PUT".as_slice(), b"g", &one, b"TYPE", b"a/b", b"CONSISTENCY", b"all"];
        me.write_all(&command(&put)).await.unwrap();
        let mut version = Vec::new();
        while !version.ends_with(b"/1\r\n") {
            version.push(me.read_u8().await.unwrap());
        }
        let about = |head: &str, nil: &str| {
            let words = format!("{head}$7\r\nversion\r\n{{}}$4\r\ntype\r\n$3\r\na/b\r\n$5\r\nuntil\r\n{nil}$5\r\nvalue\r\n");
            let text = words.replace("{}", std::str::from_utf8(&version).unwrap());
            [text.as_bytes(), &bulk(&one)].concat()
        };
        ask(&mut me, &[b"DHT.GET", b"g"], about("*8\r\n", "$-1\r\n")).await;
        me.write_all(b"HELLO 3\r\nPING\r\n").await.unwrap();
        let mut hello = Vec::new();
        while !hello.ends_with(b"+PONG\r\n") {
            hello.push(me.read_u8().await.unwrap());
        }
        ask(&mut me, &[b"DHT.GET", b"g"], about("%4\r\n", "_\r\n")).await;
    });
}

#[test]
fn answers_stay_in_order_and_commands_about_one_key_too() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let me = knock(&door);
        let (one, two) = (value(1, LEN), value(2, LEN));
        let all = [
            command(&[b"SET", b"a", &one]),
            command(&[b"GET", b"a"]),
            command(&[b"SET", b"a", &two]),
            command(&[b"GET", b"a"]),
            command(&[b"DEL", b"a"]),
            command(&[b"GET", b"a"]),
            command(&[b"PING"]),
        ];
        let (mut read, mut write) = tokio::io::split(me);
        let writing = actix::spawn(async move { write.write_all(&all.concat()).await.unwrap() });
        let said = [
            b"+OK\r\n".to_vec(),
            bulk(&one),
            b"+OK\r\n".to_vec(),
            bulk(&two),
            b":1\r\n$-1\r\n+PONG\r\n".to_vec(),
        ];
        let said = said.concat();
        let mut seen = vec![0; said.len()];
        read.read_exact(&mut seen).await.unwrap();
        assert!(seen == said);
        writing.await.unwrap();
    });
}

#[test]
fn what_cannot_be_stored_is_read_to_its_end_and_told_and_the_client_goes_on() {
    paused().block_on(async {
        let door = door(3 * PIECE_BYTES).await;
        let mut me = knock(&door);
        let (large, small) = (value(1, LEN), value(2, 2 * PIECE_BYTES));
        me.write_all(&command(&[b"SET", b"a", &large])).await.unwrap();
        let mut told = Vec::new();
        while !told.ends_with(b"\r\n") {
            told.push(me.read_u8().await.unwrap());
        }
        let told = String::from_utf8(told).unwrap();
        assert!(told.starts_with("-OOM ") && told.contains("the store is full"), "{told}");
        ask(&mut me, &[b"GET", b"a"], "$-1\r\n").await;
        // What is refused for another reason leaves nothing behind: there would be no room for the next.
        let no = "-ERR SET NX is refused: it would have to look and write in one step, and here the last write wins\r\n";
        for _ in 0..3 {
            ask(&mut me, &[b"SET", b"a", &small, b"NX"], no).await;
            ask(&mut me, &[b"SETEX", b"a", b"0", &small], "-ERR invalid expire time in 'setex' command\r\n").await;
        }
        // Nor does a client that goes amid a value.
        for _ in 0..3 {
            let mut gone = knock(&door);
            gone.write_all(&command(&[b"SET", b"a", &small])[..PIECE_BYTES + 99]).await.unwrap();
            sleep(Duration::from_secs(1)).await;
            drop(gone);
        }
        sleep(Duration::from_secs(1)).await;
        let fits = value(3, PIECE_BYTES + PIECE_BYTES / 4);
        ask(&mut me, &[b"SET", b"a", &fits], "+OK\r\n").await;
        ask(&mut me, &[b"GET", b"a"], bulk(&fits)).await;
    });
}

#[test]
fn a_client_that_does_not_read_holds_a_few_pieces_and_no_more() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        let large = value(1, 24 * PIECE_BYTES);
        me.write_all(&command(&[b"SET", b"a", &large]))
            .await
            .unwrap();
        expect(&mut me, "+OK\r\n").await;
        me.write_all(b"GET a\r\nGET a\r\nGET a\r\n").await.unwrap();
        for _ in 0..5 {
            sleep(Duration::from_secs(10)).await;
            let held = held(&door).await;
            assert!(held < 8 * PIECE_BYTES, "{held} bytes");
        }
        for _ in 0..3 {
            expect(&mut me, bulk(&large)).await;
        }
        drop(me);
        sleep(Duration::from_secs(1)).await;
        assert!(held(&door).await < 1_000);
    });
}

#[test]
fn what_was_read_is_held_no_more_however_long_its_reader_is_idle() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        let one = value(1, PIECE_BYTES);
        ask(&mut me, &[b"SET", b"a", &one], "+OK\r\n").await;
        ask(&mut me, &[b"GET", b"a"], bulk(&one)).await;
        assert!(held(&door).await < 1_000);
        // Answers for which there was no room at first.
        me.write_all(b"GET a\r\nGET a\r\nPING\r\n").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert!(held(&door).await > PIECE_BYTES);
        for _ in 0..2 {
            expect(&mut me, bulk(&one)).await;
        }
        expect(&mut me, "+PONG\r\n").await;
        assert!(held(&door).await < 1_000);
        ask(&mut me, &[b"GET", b"b"], "$-1\r\n").await;
    });
}

#[test]
fn a_value_that_is_overwritten_while_it_is_read_is_cut_off_and_never_mixed() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let (mut me, mut other) = (knock(&door), knock(&door));
        let (old, new) = (value(1, 24 * PIECE_BYTES), value(2, 24 * PIECE_BYTES));
        ask(&mut other, &[b"SET", b"a", &old], "+OK\r\n").await;
        me.write_all(b"GET a\r\nPING\r\n").await.unwrap();
        expect(&mut me, &bulk(&old)[..PIECE_BYTES]).await;
        ask(&mut other, &[b"SET", b"a", &new], "+OK\r\n").await;
        sleep(Duration::from_secs(5)).await;
        let mut rest = Vec::new();
        let _ = me.read_to_end(&mut rest).await;
        assert!(
            rest.len() < old.len() && !rest.ends_with(b"PONG\r\n"),
            "{} bytes",
            rest.len()
        );
        let due = &bulk(&old)[PIECE_BYTES..];
        assert!(
            rest == due[..rest.len()],
            "only of the version it began with"
        );
        ask(&mut other, &[b"GET", b"a"], bulk(&new)).await;
    });
}

#[test]
fn several_large_values_are_said_in_one_answer_and_none_is_held() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        let (one, two) = (value(1, 24 * PIECE_BYTES), value(2, 9 * PIECE_BYTES + 1));
        ask(&mut me, &[b"SET", b"a", &one], "+OK\r\n").await;
        ask(&mut me, &[b"SET", b"b", &two], "+OK\r\n").await;
        ask(&mut me, &[b"SET", b"c", b"short"], "+OK\r\n").await;
        // What is written behind it waits until both are said, though it is about the second.
        let many = [b"MGET".as_slice(), b"a", b"none", b"b", b"c", b"a"];
        me.write_all(&command(&many)).await.unwrap();
        me.write_all(b"SET b new\r\nMGET b none\r\n").await.unwrap();
        for _ in 0..3 {
            sleep(Duration::from_secs(10)).await;
            let held = held(&door).await;
            assert!(held < 8 * PIECE_BYTES, "{held} bytes");
        }
        expect(&mut me, "*5\r\n").await;
        expect(&mut me, bulk(&one)).await;
        expect(&mut me, "$-1\r\n").await;
        expect(&mut me, bulk(&two)).await;
        expect(&mut me, "$5\r\nshort\r\n").await;
        expect(&mut me, bulk(&one)).await;
        expect(&mut me, "+OK\r\n*2\r\n$3\r\nnew\r\n$-1\r\n").await;
        // Nor does an answer that nobody wants hold up anything.
        me.write_all(b"CLIENT REPLY OFF\r\nMGET a c\r\nCLIENT REPLY ON\r\nSET a x\r\nGET a\r\n")
            .await
            .unwrap();
        expect(&mut me, "+OK\r\n+OK\r\n$1\r\nx\r\n").await;
    });
}

#[test]
fn a_large_value_is_named_by_its_content_as_it_comes_and_checked_as_it_goes() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        let (one, two) = (value(1, 24 * PIECE_BYTES + 3), value(2, 24 * PIECE_BYTES + 3));
        let name = Key::of_content(&[one.clone().into()]);
        ask(&mut me, &[b"DHT.STORE", &one], bulk(name.bytes())).await;
        ask(&mut me, &[b"DHT.FETCH", name.bytes()], bulk(&one)).await;
        me.write_all(&command(&[b"DHT.FETCH", name.bytes()])).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        let held = held(&door).await;
        assert!(held < 8 * PIECE_BYTES, "{held} bytes");
        expect(&mut me, bulk(&one)).await;
        // Another value of that length under this name is never delivered to its end.
        ask(&mut me, &[b"SET", name.bytes(), &two], "+OK\r\n").await;
        me.write_all(&command(&[b"DHT.FETCH", name.bytes()])).await.unwrap();
        let mut seen = Vec::new();
        let _ = me.read_to_end(&mut seen).await;
        assert!(seen.len() > 20 * PIECE_BYTES && seen.len() < bulk(&two).len());
        assert!(seen == bulk(&two)[..seen.len()]);
        let mut me = knock(&door);
        ask(&mut me, &[b"SET", name.bytes(), b"short"], "+OK\r\n").await;
        let why = format!("-ERR what is stored under {name} is not the value it names: somebody put it there by hand\r\n");
        ask(&mut me, &[b"DHT.FETCH", name.bytes()], why).await;
    });
}

#[test]
fn one_command_brings_eight_long_values_and_further_ones_of_a_few_mib() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        let long = value(1, 5 * PIECE_BYTES);
        let keys: Vec<String> = (0..9).map(|n| format!("key{n}")).collect();
        let of = |last: &[u8]| {
            let mut words = vec![b"MSET".to_vec()];
            for key in &keys {
                words.extend([key.clone().into_bytes(), long.clone()]);
            }
            words.pop();
            words.push(last.to_vec());
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            command(&words)
        };
        me.write_all(&of(&long)).await.unwrap();
        expect(&mut me, "-ERR 8 values of more than 1 MiB came in one command: a further one may have at most 4194304 bytes, this has 5242880\r\n").await;
        ask(&mut me, &[b"EXISTS", b"key0", b"key8"], ":0\r\n").await;
        let last = value(2, 3 * PIECE_BYTES);
        me.write_all(&of(&last)).await.unwrap();
        expect(&mut me, "+OK\r\n").await;
        ask(&mut me, &[b"GET", b"key7"], bulk(&long)).await;
        ask(&mut me, &[b"GET", b"key8"], bulk(&last)).await;
    });
}

#[test]
fn a_page_names_large_values_and_takes_none() {
    paused().block_on(async {
        let door = door(usize::MAX).await;
        let mut me = knock(&door);
        ask(&mut me, &[b"SET", b"film", &value(1, LEN)], "+OK\r\n").await;
        ask(&mut me, &[b"SET", b"cat", b"meow"], "+OK\r\n").await;
        let page = "*6\r\n$4\r\nnext\r\n$-1\r\n$6\r\nvalues\r\n*1\r\n*4\r\n$3\r\ncat\r\n$4\r\nmeow\r\n$0\r\n\r\n$0\r\n\r\n$5\r\nlarge\r\n*1\r\n$4\r\nfilm\r\n";
        ask(&mut me, &[b"DHT.EXPORT"], page).await;
        let large = value(2, LEN);
        let words: [&[u8]; 10] = [b"DHT.IMPORT", b"ABSENT", b"dog", b"woof", b"", b"", b"song", &large, b"", b""];
        ask(&mut me, &words, "-ERR the value of song is too long for an import, at most 1048576 bytes: store it by DHT.PUT, which takes it piece by piece\r\n").await;
        ask(&mut me, &[b"EXISTS", b"dog", b"song"], ":0\r\n").await;
    });
}
