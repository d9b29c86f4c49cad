//! The first hour of somebody who knows Redis: good words, wrong words, and what the numbers mean.

use roundelay::door::DoorSettings;
use roundelay::store::SyncPolicy;

use super::harness::{Ring, command};

#[test]
fn wrong_words_are_answered_one_by_one_and_the_connection_goes_on() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    let arity = |name: &str| format!("-ERR wrong number of arguments for '{name}' command\r\n");
    for (typed, name) in [
        ("GET", "get"),
        ("GET a b", "get"),
        ("SET a", "set"),
        ("MSET a 1 b", "mset"),
        ("DBSIZE a", "dbsize"),
        ("ECHO", "echo"),
        ("EXPIRE a", "expire"),
        ("DHT.WHEREIS", "dht.whereis"),
    ] {
        me.ask(format!("{typed}\r\n"), arity(name));
    }
    let number = "-ERR value is not an integer or out of range\r\n";
    for typed in [
        "SET a 1 EX x",
        "SET a 1 PX 99999999999999999999",
        "EXPIRE a 1.5",
        "SELECT one",
        "DHT.GET a DEADLINE -1",
        "DHT.PUT a 1 REPLICAS 256",
    ] {
        me.ask(format!("{typed}\r\n"), number);
    }
    for option in ["NX", "XX", "GET", "KEEPTTL"] {
        let refused = format!("-ERR SET {option} is refused: ");
        me.send(format!("SET a 1 {option}\r\n")).expect(refused);
        me.line();
    }
    me.ask("SET a 1 EX 1 PX 1\r\n", "-ERR syntax error\r\n");
    me.ask(
        "SET a 1 EX 0\r\n",
        "-ERR invalid expire time in 'set' command\r\n",
    );
    me.ask(
        "EXPIRE a 9223372036854775807\r\n",
        "-ERR invalid expire time in 'expire' command\r\n",
    );
    me.ask(
        "DHT.PUT a 1 REPLICAS 0\r\n",
        "-ERR REPLICAS is at least 1\r\n",
    );
    me.ask(
        "DHT.PUT a 1 DEADLINE 0\r\n",
        "-ERR DEADLINE is at least 1 millisecond\r\n",
    );
    me.ask("EXISTS a\r\n", ":0\r\n");
}

#[test]
fn a_value_that_is_stored_has_to_live() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    me.ask("SET a 1\r\n", "+OK\r\n");
    for life in ["EX 0", "PX -1", "EXAT 0"] {
        let invalid = "-ERR invalid expire time in 'dht.put' command\r\n";
        me.ask(format!("DHT.PUT a 2 {life}\r\n"), invalid);
    }
    me.ask("GET a\r\n", "$1\r\n1\r\n");
}

#[test]
fn dbsize_counts_keys_that_are_there() {
    let ring = Ring::start(3, DoorSettings::default());
    let mut me = ring.client(0);
    me.ask("DBSIZE\r\n", ":0\r\n");
    me.ask("MSET a 1 b 2 c 3\r\n", "+OK\r\n");
    // With three hosts and three copies each host has all; the last copy may be on its way.
    let count = |expected: &str| {
        let mut me = ring.client(0);
        (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            me.send("DBSIZE\r\n").line() == expected
        })
    };
    assert!(count(":3"));
    me.ask("DEL a\r\nSET b 4\r\n", ":1\r\n+OK\r\n");
    assert!(
        count(":2"),
        "a delete is no key, and a second value no second key"
    );
    me.ask("SET a again\r\n", "+OK\r\n");
    assert!(count(":3"));
    me.ask("DEL a b c\r\n", ":3\r\n");
    assert!(count(":0"));
}

#[test]
fn config_tells_the_limits_of_this_host() {
    let settings = DoorSettings {
        max_memory_bytes: Some(1 << 20),
        max_clients: 7,
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    ring.client(0).ask(
        "CONFIG GET maxmemory maxclients\r\n",
        "*4\r\n$10\r\nmaxclients\r\n$1\r\n7\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n",
    );
    let mut me = ring.client(0);
    // The key by which the ring was seen to be there has kept its name, deleted; it is the only one.
    let value = [b'v'; 2048 - 7];
    me.ask(command(&[b"SET", b"started", &value]), "+OK\r\n");
    me.send("INFO memory\r\n");
    let told: Vec<String> = (0..7).map(|_| me.line()).collect();
    for line in [
        "# Memory",
        "used_memory:2048",
        "used_memory_human:2.00K",
        "maxmemory:1048576",
        "maxmemory_human:1.00M",
    ] {
        assert!(told.iter().any(|told| told == line), "{line}: {told:?}");
    }
    let settings = DoorSettings {
        fsync: Some(SyncPolicy::EverySecond),
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    ring.client(0).ask(
        "CONFIG GET append*\r\n",
        "*4\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n",
    );
}
