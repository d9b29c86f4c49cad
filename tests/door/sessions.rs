//! What is said, byte for byte.

use roundelay::door::{DoorSettings, Password};

use super::harness::{Ring, command};

#[test]
fn a_person_types() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    me.ask("set a 1\r\n", "+OK\r\n")
        .ask("get a\n", "$1\r\n1\r\n")
        .ask("get b\r\n", "$-1\r\n")
        .ask("set \"two words\" 'it\\'s'\r\n", "+OK\r\n")
        .ask("\r\n\r\nGET \"two words\"\r\n", "$4\r\nit's\r\n")
        .ask("del a \"two words\" b\r\n", ":2\r\n")
        .ask(
            "set a \"open\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        );
    me.closed();
}

#[test]
fn keys_and_values_are_any_bytes() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    let (key, value) = (
        b"\x00\xff\r\n$3\r\n".as_slice(),
        b"\r\n*1\r\n\x00".as_slice(),
    );
    me.ask(command(&[b"SET", key, value]), "+OK\r\n");
    me.ask(command(&[b"GET", key]), "$7\r\n\r\n*1\r\n\x00\r\n");
    me.ask(command(&[b"SET", b"empty", b""]), "+OK\r\n");
    me.ask(command(&[b"GET", b"empty"]), "$0\r\n\r\n");
    me.ask(
        command(&[b"GET", b""]),
        "-ERR a key needs at least one byte\r\n",
    );
    let long = vec![b'k'; 64 * 1024];
    me.ask(command(&[b"SET", &long, b"v"]), "+OK\r\n");
    me.ask(command(&[b"GET", &long]), "$1\r\nv\r\n");
    let longer = vec![b'k'; 64 * 1024 + 1];
    let refused = "-ERR a key of 65537 bytes is too long: at most 65536 bytes\r\n";
    me.ask(command(&[b"GET", &longer]), refused);
    me.ask(command(&[b"EXISTS", b"a", &longer]), refused);
}

#[test]
fn any_host_answers_for_any_key() {
    let ring = Ring::start(3, DoorSettings::default());
    for key in 0..50 {
        let put = format!("SET key{key} v{key}\r\n");
        ring.client(key % 3).ask(put, "+OK\r\n");
    }
    let mut two = ring.client(1);
    for key in 0..50 {
        let (value, len) = (format!("v{key}"), format!("v{key}").len());
        two.ask(
            format!("GET key{key}\r\n"),
            format!("${len}\r\n{value}\r\n"),
        );
    }
    two.ask(
        "MGET key0 none key2\r\n",
        "*3\r\n$2\r\nv0\r\n$-1\r\n$2\r\nv2\r\n",
    );
    two.ask("MSET x 1 y 2\r\n", "+OK\r\n");
    ring.client(2)
        .ask("MGET x y\r\n", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    two.ask("EXISTS x x y none\r\n", ":3\r\n");
    ring.client(0).ask("UNLINK x y none\r\n", ":2\r\n");
    two.ask(
        "TOUCH x\r\nTYPE x\r\nTYPE key1\r\n",
        ":0\r\n+none\r\n+string\r\n",
    );
    two.ask("STRLEN key10\r\nSTRLEN none\r\n", ":3\r\n:0\r\n");
}

#[test]
fn lives_have_an_end() {
    let ring = Ring::start(2, DoorSettings::default());
    let mut me = ring.client(0);
    me.ask("SET a 1 EX 100\r\n", "+OK\r\n")
        .ask("TTL a\r\n", ":100\r\n");
    me.ask("EXPIRE a 50\r\n", ":1\r\n")
        .ask("TTL a\r\n", ":50\r\n");
    me.ask("PERSIST a\r\n", ":1\r\n")
        .ask("PERSIST a\r\n", ":0\r\n");
    me.ask("TTL a\r\n", ":-1\r\n")
        .ask("PTTL none\r\n", ":-2\r\n");
    me.ask("EXPIREAT a 4102444800\r\n", ":1\r\n");
    me.ask("EXPIRETIME a\r\n", ":4102444800\r\n");
    me.ask("PEXPIREAT a 4102444800123\r\n", ":1\r\n");
    me.ask("PEXPIRETIME a\r\n", ":4102444800123\r\n");
    me.ask("SET a 2\r\n", "+OK\r\n").ask("TTL a\r\n", ":-1\r\n");
    me.ask("EXPIRE a -1\r\n", ":1\r\n")
        .ask("GET a\r\n", "$-1\r\n");
    me.ask("EXPIRE a 10\r\n", ":0\r\n");
    me.ask("SETEX b 10 v\r\n", "+OK\r\n")
        .ask("TTL b\r\n", ":10\r\n");
    me.ask("PSETEX b 90000 v\r\n", "+OK\r\n")
        .ask("TTL b\r\n", ":90\r\n");
    let invalid = "-ERR invalid expire time in 'set' command\r\n";
    me.ask("SET b v EX 0\r\n", invalid)
        .ask("SET b v PX -5\r\n", invalid);
    me.ask(
        "SET b v EX x\r\n",
        "-ERR value is not an integer or out of range\r\n",
    );
    // The last moment there is stands for what is later.
    me.ask("SET far v EXAT 253402300799\r\n", "+OK\r\n")
        .ask("PEXPIRETIME far\r\n", ":70368744177663\r\n");
    me.ask("SET b v EX 1 PX 1\r\n", "-ERR syntax error\r\n");
    me.ask("SET b v EX\r\n", "-ERR syntax error\r\n");
    me.ask("SET c v PX 1\r\n", "+OK\r\n");
    std::thread::sleep(std::time::Duration::from_millis(5));
    me.ask("GET c\r\n", "$-1\r\n");
}

#[test]
fn what_cannot_be_honoured_is_refused_with_the_reason() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    for option in ["NX", "XX", "KEEPTTL", "GET"] {
        me.send(format!("SET a 1 {option}\r\n"));
        let line = me.line();
        assert!(
            line.starts_with(&format!("-ERR SET {option} is refused: ")),
            "{line}"
        );
    }
    for refused in [
        "INCR a",
        "EXPIRE a 1 NX",
        "WATCH a",
        "GETRANGE a 0 1",
        "OBJECT ENCODING a",
        "MONITOR",
        "KEYS *",
        "LPUSH a b",
        "CLUSTER INFO",
        "EVAL x 0",
    ] {
        me.send(format!("{refused}\r\n"));
        let line = me.line();
        assert!(
            line.starts_with("-ERR ") && line.contains("is refused: "),
            "{refused}: {line}"
        );
    }
    me.ask("UNWATCH\r\n", "+OK\r\n");
    me.ask("EXPIRE a 1 ZZ\r\n", "-ERR Unsupported option ZZ\r\n");
    me.ask(
        "nonsense a b\r\n",
        "-ERR unknown command 'nonsense', with args beginning with: 'a' 'b' \r\n",
    );
    me.ask(
        "GET\r\n",
        "-ERR wrong number of arguments for 'get' command\r\n",
    );
    me.ask(
        "mset a\r\n",
        "-ERR wrong number of arguments for 'mset' command\r\n",
    );
    me.ask(
        "mset a 1 b\r\n",
        "-ERR wrong number of arguments for 'mset' command\r\n",
    );
    me.ask("GET a\r\n", "$-1\r\n");
}

#[test]
fn both_versions_of_the_protocol() {
    let ring = Ring::alone();
    let mut me = ring.client(0);
    me.ask("GET a\r\n", "$-1\r\n");
    me.send("HELLO 3 SETNAME me\r\n");
    me.expect("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:3\r\n");
    me.expect("$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n");
    me.expect("$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n");
    me.ask("GET a\r\n", "_\r\n");
    me.ask(
        "CONFIG GET data*\r\n",
        "%1\r\n$9\r\ndatabases\r\n$1\r\n1\r\n",
    );
    me.ask("CLIENT GETNAME\r\n", "$2\r\nme\r\n");
    me.ask("HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n");
    me.ask(
        "HELLO x\r\n",
        "-ERR Protocol version is not an integer or out of range\r\n",
    );
    me.ask(
        "HELLO 2 WHAT\r\n",
        "-ERR Syntax error in HELLO option 'WHAT'\r\n",
    );
    // The one before is answered in the version it was asked in.
    me.send("GET a\r\nHELLO 2\r\nGET a\r\n");
    me.expect("_\r\n*14\r\n$6\r\nserver\r\n");
    let mut other = ring.client(0);
    other.ask(
        "CONFIG GET data*\r\n",
        "*2\r\n$9\r\ndatabases\r\n$1\r\n1\r\n",
    );
    other.ask(
        "RESET\r\nPING\r\nPING hi\r\nECHO yo\r\n",
        "+RESET\r\n+PONG\r\n$2\r\nhi\r\n$2\r\nyo\r\n",
    );
    other.ask(
        "SELECT 0\r\nSELECT 1\r\n",
        "+OK\r\n-ERR DB index is out of range: there is one database, number 0\r\n",
    );
    other.ask("CLIENT REPLY SKIP\r\nPING a\r\nPING b\r\n", "$1\r\nb\r\n");
    other.ask(
        "CLIENT REPLY OFF\r\nPING a\r\nCLIENT REPLY ON\r\n",
        "+OK\r\n",
    );
    other.ask("QUIT\r\nPING\r\n", "+OK\r\n").closed();
}

#[test]
fn only_those_who_know_the_password_come_in() {
    let settings = DoorSettings {
        password: Some(Password::new(b"open sesame")),
        tries: 3,
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    let mut me = ring.client(0);
    let no = "-NOAUTH Authentication required.\r\n";
    me.ask("GET a\r\nPING\r\n", format!("{no}{no}"));
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    me.ask("AUTH open\r\n", wrong);
    me.ask("AUTH somebody \"open sesame\"\r\n", wrong);
    me.send("HELLO 3\r\n");
    assert!(me.line().starts_with("-NOAUTH HELLO must be called"));
    me.ask("AUTH \"open sesame\"\r\nGET a\r\n", "+OK\r\n$-1\r\n");
    me.ask("RESET\r\nGET a\r\n", format!("+RESET\r\n{no}"));
    let mut other = ring.client(0);
    other
        .send("HELLO 3 AUTH default \"open sesame\" SETNAME you\r\n")
        .expect("%7\r\n");
    // Before the password little is read: no more than ten words, of 16 KiB.
    let mut stranger = ring.client(0);
    stranger
        .ask(
            "*11\r\n",
            "-ERR Protocol error: unauthenticated multibulk length\r\n",
        )
        .closed();
    let mut stranger = ring.client(0);
    let many = "-ERR Protocol error: unauthenticated bulk length\r\n";
    stranger
        .ask("*2\r\n$4\r\nAUTH\r\n$16385\r\n", many)
        .closed();
    let mut stranger = ring.client(0);
    stranger.ask("AUTH x\r\n", wrong);
    // Too many were wrong: the right one is let in a second later.
    stranger.ask("AUTH \"open sesame\"\r\n", "+OK\r\n");
    let ring = Ring::alone();
    ring.client(0)
        .send("AUTH x\r\n")
        .expect("-ERR AUTH <password> called without any password configured");
}

#[test]
fn what_there_is_can_be_asked() {
    let ring = Ring::start(3, DoorSettings::default());
    let mut me = ring.client(0);
    me.send("COMMAND COUNT\r\n");
    assert_eq!(me.line(), format!(":{}", roundelay::door::commands().len()));
    me.send("COMMAND INFO get nonsense\r\n");
    me.expect("*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n$-1\r\n");
    me.send("COMMAND DOCS echo\r\n");
    me.expect("*2\r\n$4\r\necho\r\n*8\r\n$7\r\nsummary\r\n$20\r\nAnswers the message.\r\n");
    let mut me = ring.client(0);
    me.ask(
        "CLIENT SETINFO LIB-NAME mine\r\nCLIENT SETINFO LIB-VER 1.0\r\n",
        "+OK\r\n+OK\r\n",
    );
    me.send("CLIENT LIST\r\n");
    let (_, first, second) = (me.line(), me.line_lf(), me.line_lf());
    assert!(
        first.contains("cmd=command") && second.ends_with("lib-name=mine lib-ver=1.0\n"),
        "{first} {second}"
    );
    let to = format!(" laddr={} fd=0 name= age=0 idle=0 ", ring.doors[0]);
    assert!(second.contains(&to), "{second}");
    let mut me = ring.client(1);
    me.ask("SET a 1\r\nDBSIZE\r\n", "+OK\r\n:");
    let mut me = ring.client(1);
    me.send("INFO ring keyspace\r\n");
    let told: Vec<String> = (0..5).map(|_| me.line()).collect();
    assert!(
        told.contains(&"# Keyspace".to_owned()) && told.contains(&"# Ring".to_owned()),
        "{told:?}"
    );
    let mut me = ring.client(1);
    me.ask(
        "CONFIG SET save x\r\n",
        "-ERR only CONFIG GET is served: settings are given when a host is started\r\n",
    );
    me.ask(
        "CONFIG GET save appendonly\r\n",
        "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$4\r\nsave\r\n$0\r\n\r\n",
    );
    me.send("TIME\r\n").expect("*2\r\n$10\r\n");
}

#[test]
fn one_port_tells_languages_apart() {
    let ring = Ring::alone();
    ring.client(0).ask(
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "HTTP/1.1 501 Not Implemented\r\n",
    );
    ring.client(0).ask("GET /\r\n", "$-1\r\n");
    ring.client(0)
        .send("\x16\x03\x01\x00\x05hello")
        .expect([21, 3, 1, 0, 2, 2, 40])
        .closed();
    let unknown = "-ERR Protocol error: this port speaks RESP, HTTP and its hosts' own language; this is none of them\r\n";
    ring.client(0).ask([0, 0, 0, 71], unknown).closed();
    ring.client(0)
        .ask([0xd5, b'R', b'D', b'L'], unknown)
        .closed();
    ring.client(0).ask(
        "SSH-2.0-client\r\n",
        "-ERR unknown command 'SSH-2.0-client'",
    );
    // A browser that was taken for a client must not have its body read as commands.
    ring.client(0)
        .send("set a 1\r\nPOST / HTTP/1.1\r\nset a 2\r\n")
        .expect("+OK\r\n-ERR unknown command 'POST'");
    ring.client(0).ask("get a\r\n", "$1\r\n1\r\n");
    // Whoever says no more is still answered.
    ring.client(0)
        .send("get a\r\nget a\r\n")
        .no_more()
        .expect("$1\r\n1\r\n$1\r\n1\r\n")
        .closed();
    ring.client(0).send("GET").no_more().closed();
}
