//! Those who mean no good, or are merely broken. In each case the process lives, others are served meanwhile, and
//! memory stays bounded.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use roundelay::door::DoorSettings;

use super::harness::{Client, Ring, command};

/// Somebody else is served as if nothing had happened.
fn serves(ring: &Ring) {
    ring.client(0)
        .ask("SET alive yes\r\nGET alive\r\n", "+OK\r\n$3\r\nyes\r\n");
}

/// What the door says it holds for its clients, in bytes.
fn held(ring: &Ring) -> usize {
    let mut me = ring.client(0);
    me.send("INFO memory\r\n");
    loop {
        if let Some(bytes) = me.line().strip_prefix("mem_clients_normal:") {
            return bytes.parse().unwrap();
        }
    }
}

#[test]
fn half_a_command_and_gone() {
    let ring = Ring::alone();
    for part in [
        "*",
        "*3\r",
        "*3\r\n$3\r\nSE",
        "*2\r\n$3\r\nGET\r\n$5\r\nab",
        "set a",
        "\"",
        "G",
    ] {
        ring.client(0).send(part);
    }
    serves(&ring);
}

#[test]
fn lengths_that_are_only_announced() {
    let ring = Ring::alone();
    let bulk = "-ERR Protocol error: invalid bulk length\r\n";
    let count = "-ERR Protocol error: invalid multibulk length\r\n";
    let most = "a value has at most 536870912 here\r\n";
    let long = |len: &str| format!("{}: {len} bytes, {most}", bulk.trim_end());
    ring.client(0)
        .ask("*1\r\n$99999999999\r\n", long("99999999999"))
        .closed();
    ring.client(0)
        .ask("*1\r\n$99999999999999999999\r\n", bulk)
        .closed();
    ring.client(0)
        .ask("*1\r\n$536870913\r\n", long("536870913"))
        .closed();
    ring.client(0).ask("*1\r\n$-1\r\n", bulk).closed();
    ring.client(0).ask("*1048577\r\n", count).closed();
    ring.client(0).ask("*99999999999\r\n", count).closed();
    let deep = "*1\r\n".repeat(100_000);
    let not_a_string = "-ERR Protocol error: expected '$', got '*'\r\n";
    let mut me = ring.client(0);
    // It may be closed before all is sent.
    let _ = me.0.write_all(deep.as_bytes());
    me.expect(not_a_string);
    let many: Vec<Client> = (0..200)
        .map(|_| {
            let mut me = ring.client(0);
            me.send("*1048576\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nx");
            me
        })
        .collect();
    serves(&ring);
    let held = held(&ring);
    assert!(
        held < 200 * 4096,
        "{held} bytes for what was only announced"
    );
    drop(many);
}

#[test]
fn noise() {
    let ring = Ring::alone();
    let mut state = 1_u64;
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..300)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let noise = b"*$-+:0123456789\r\n\r\nGETSET \"'\\\x00\xff\x16\x03";
                noise[usize::try_from(state >> 33).unwrap() % noise.len()]
            })
            .collect();
        let mut me = ring.client(0);
        // Closed early is an answer, too.
        let _ = me.0.write_all(&bytes);
    }
    serves(&ring);
}

#[test]
fn one_client_too_many_is_told_so() {
    let settings = DoorSettings {
        max_clients: 2,
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let mut some = [ring.client(0), ring.client(0)];
    for me in &mut some {
        me.ask("PING\r\n", "+PONG\r\n");
    }
    let full = "-ERR max number of clients reached: at most 2\r\n";
    ring.client(0).ask("PING\r\n", full).closed();
    let [one, other] = some;
    drop(one);
    // The host hears of it a moment later.
    let again = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        let mut me = ring.client(0);
        me.send("PING\r\n").line() == "+PONG"
    });
    assert!(again);
    drop(other);
}

#[test]
fn ten_thousand_clients_at_once() {
    let open_files = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = open_files
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let may = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    let most = may.map_or(10_000, |files: usize| {
        10_000.min(files.saturating_sub(500) / 2)
    });
    if most < 10_000 {
        println!("ONLY {most} CLIENTS: more files may not be open here (ulimit -n)");
    }
    let settings = DoorSettings {
        max_clients: 20_000,
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let mut all: Vec<Client> = Vec::with_capacity(most);
    for _ in 0..most {
        let mut me = ring.client(0);
        me.send("PING\r\n");
        all.push(me);
    }
    for me in &mut all {
        me.expect("+PONG\r\n");
    }
    serves(&ring);
    let held = held(&ring);
    assert!(held < 1024 * 1024, "idle clients hold {held} bytes");
    let last = all.last_mut().unwrap();
    last.ask("SET a 1\r\n", "+OK\r\n");
}

#[test]
fn a_pipeline_of_a_hundred_thousand() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    let mut writer = me.0.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for n in 0..50_000 {
            let pair = format!("SET key{} {n}\r\nGET key{}\r\n", n % 10, n % 10);
            writer.write_all(pair.as_bytes()).unwrap();
        }
    });
    for _ in 0..50_000 {
        assert_eq!(me.line_of(), b"+OK\r\n");
        assert!(me.line_of().starts_with(b"$"));
        me.line_of();
    }
    sender.join().unwrap();
    serves(&ring);
}

#[test]
fn a_client_that_never_reads_has_to_wait_and_then_goes() {
    let settings = DoorSettings {
        stall: Duration::from_secs(2),
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let value = vec![b'v'; 100_000];
    ring.client(0)
        .ask(command(&[b"SET", b"a", &value]), "+OK\r\n");
    let mut me = TcpStream::connect(ring.doors[0]).unwrap();
    me.set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let gets = "GET a\r\n".repeat(1_000);
    let mut sent = 0;
    while sent < 10_000 && me.write_all(gets.as_bytes()).is_ok() {
        sent += 1;
    }
    assert!(
        sent < 10_000,
        "a client that does not read could send ten million commands"
    );
    let held = held(&ring);
    assert!(
        held < 64 * 1024 * 1024,
        "{held} bytes wait for a client that does not read"
    );
    serves(&ring);
    std::thread::sleep(Duration::from_secs(3));
    let mut rest = Vec::new();
    // What lay in the socket's buffers can still be read, then it is closed.
    let _ = me.read_to_end(&mut rest);
    assert!(rest.len() < 64 * 1024 * 1024);
    serves(&ring);
}

#[test]
fn large_values_come_in_pieces_up_to_a_limit() {
    let settings = DoorSettings {
        max_value_bytes: 16 * 1024 * 1024,
        ..DoorSettings::default()
    };
    let ring = Ring::start(3, settings);
    let value: Vec<u8> = (0_u32..16 * 1024 * 1024)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let mut me = ring.client(0);
    me.ask(command(&[b"SET", b"large", &value]), "+OK\r\n");
    let mut other = ring.client(1);
    other
        .send("GET large\r\n")
        .expect(format!("${}\r\n", value.len()));
    other.expect(&value).expect("\r\n");
    me.ask(
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$16777217\r\n",
        "-ERR Protocol error: invalid bulk length: 16777217 bytes, a value has at most 16777216 here\r\n",
    )
    .closed();
    serves(&ring);
}

#[test]
fn half_values_of_all_clients_together_have_a_limit() {
    let settings = DoorSettings {
        max_held_bytes: 4 * 1024 * 1024,
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let half = [
        b"*2\r\n$4\r\nECHO\r\n$2000000\r\n".to_vec(),
        vec![b'v'; 1_500_000],
    ]
    .concat();
    let mut all: Vec<Client> = (0..5).map(|_| ring.client(0)).collect();
    let mut refused = 0;
    for me in &mut all {
        let _ = me.0.write_all(&half);
        me.0.set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let mut byte = [0];
        refused += usize::from(me.0.read(&mut byte).is_ok_and(|n| n == 0 || byte == *b"-"));
    }
    assert!((1..5).contains(&refused), "{refused} of 5 were refused");
    serves(&ring);
}

#[test]
fn the_silent_make_room() {
    let settings = DoorSettings {
        max_unknown: 3,
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let mut silent: Vec<Client> = (0..5).map(|_| ring.client(0)).collect();
    silent[0].closed();
    silent[1].closed();
    silent[4].ask("PING\r\n", "+PONG\r\n");
    serves(&ring);
}
