//! Several keys at once, each with a result of its own; and what each host of a ring has.

use roundelay::door::DoorSettings;

use super::harness::{Ring, command};

#[test]
fn each_key_has_a_result_of_its_own() {
    let ring = Ring::start(3, DoorSettings::default());
    let mut me = ring.client(0);
    let put = command(&[b"DHT.MPUT", b"a", b"1", b"b", b"", b"a", b"3"]);
    me.send(put).expect("*3\r\n");
    let mut versions = Vec::new();
    for _ in 0..3 {
        assert!(me.line().starts_with('$'));
        versions.push(me.line());
    }
    assert!(
        versions.iter().all(|version| version.contains("/1")),
        "{versions:?}"
    );
    assert_ne!(
        versions[0], versions[2],
        "one key, written twice, in their order"
    );
    me.ask(
        "DHT.MGET a none b\r\n",
        "*3\r\n$1\r\n3\r\n$-1\r\n$0\r\n\r\n",
    );
    me.send("HELLO 3\r\n").expect("%7\r\n");
    me.send("PING end-of-hello\r\n");
    while me.line() != "end-of-hello" {}
    me.ask("DHT.MGET none b\r\n", "*2\r\n_\r\n$0\r\n\r\n");
    me.send("DHT.MDEL a none\r\n").expect("*2\r\n");
    for there in ["#t", "#f"] {
        me.expect("%2\r\n$7\r\nversion\r\n");
        assert!(me.line().starts_with('$') && me.line().contains("/1"));
        me.expect(format!("$9\r\nwas_there\r\n{there}\r\n"));
    }
    me.ask("DHT.MGET a b\r\n", "*2\r\n_\r\n$0\r\n\r\n");
}

#[test]
fn words_that_cannot_be_a_command_store_nothing() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    for (typed, name) in [
        ("DHT.MPUT a", "dht.mput"),
        ("DHT.MPUT a 1 b", "dht.mput"),
        ("DHT.MGET", "dht.mget"),
        ("DHT.MDEL", "dht.mdel"),
    ] {
        let told = format!("-ERR wrong number of arguments for '{name}' command\r\n");
        me.ask(format!("{typed}\r\n"), told);
    }
    me.ask("EXISTS a b\r\n", ":0\r\n");
}

#[test]
fn a_value_of_several_pieces_goes_in_and_out_among_short_ones() {
    let ring = Ring::start(3, DoorSettings::default());
    let mut me = ring.client(1);
    let film = vec![b'x'; 3 * 1024 * 1024 + 5];
    me.send(command(&[b"DHT.MPUT", b"a", b"1", b"film", &film]));
    me.expect("*2\r\n");
    for _ in 0..2 {
        assert!(me.line().starts_with('$') && me.line().contains("/1"));
    }
    me.send("DHT.MGET a film none\r\n")
        .expect("*3\r\n$1\r\n1\r\n");
    me.expect(format!("${}\r\n", film.len())).expect(&film);
    me.expect("\r\n$-1\r\n");
}

#[test]
fn a_host_is_given_another_zone_and_another_weight() {
    let ring = Ring::start(3, DoorSettings::default());
    let mut me = ring.client(0);
    me.send("DHT.MEMBER h1 ZONE north WEIGHT 2\r\n");
    assert!(me.line().starts_with('$') && me.line().starts_with('v'));
    let mut column = |name: &str, host: usize| {
        me.send("DHT.RING\r\n");
        me.send("PING end-of-ring\r\n");
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != "end-of-ring") {
            lines.push(me.line());
        }
        let mut places = lines.iter().enumerate().filter(|(_, line)| *line == name);
        let (place, _) = places.nth(host).unwrap();
        // A string has its length before it, a number has not.
        match lines[place + 1].strip_prefix(':') {
            Some(number) => number.to_owned(),
            None => lines[place + 2].clone(),
        }
    };
    assert_eq!(
        (column("zone", 0), column("weight", 0)),
        ("north".into(), "2".into())
    );
    assert_eq!(column("weight", 1), "1");
    me.send("DHT.MEMBER h1 NOZONE\r\n");
    assert!(me.line().starts_with('$') && me.line().starts_with('v'));
    for (words, told) in [
        ("h1", "ERR say what is to change: ZONE, NOZONE or WEIGHT"),
        ("h1 WEIGHT 0", "ERR WEIGHT is at least 1"),
        (
            "h1 WEIGHT -1",
            "ERR value is not an integer or out of range",
        ),
        ("h1 ZONE a ZONE b", "ERR syntax error"),
        ("h1 ZONE a NOZONE", "ERR syntax error"),
        ("h1 ZONE", "ERR syntax error"),
        ("h9 WEIGHT 2", "ERR host h9 is not in the roster"),
    ] {
        me.ask(format!("DHT.MEMBER {words}\r\n"), format!("-{told}\r\n"));
    }
    me.send("DHT.MEMBER h1 ZONE a/b\r\n")
        .expect("-ERR a zone's name is made of");
    me.line();
    me.send("DHT.MEMBER first ZONE a\r\n").expect("-ERR ");
    me.line();
}
