//! What each host of a ring has, and is.

use roundelay::door::DoorSettings;

use super::harness::Ring;

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
