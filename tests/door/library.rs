//! The Rust client of Redis, as a program uses it.

use redis::{
    Client, Commands, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    Value, cmd, pipe,
};
use roundelay::door::{DoorSettings, Password};

use super::harness::Ring;

fn info(ring: &Ring, settings: RedisConnectionInfo) -> ConnectionInfo {
    let address = format!("redis://{}", ring.doors[0]);
    address
        .into_connection_info()
        .unwrap()
        .set_redis_settings(settings)
}

#[test]
fn a_program_reads_and_writes() {
    let ring = Ring::start(3, DoorSettings::default());
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let settings = RedisConnectionInfo::default().set_protocol(protocol);
        let client = Client::open(info(&ring, settings)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let (key, value) = (b"\x00key\xff", vec![7_u8; 100_000]);
        let _: () = connection.set(key, &value).unwrap();
        assert_eq!(connection.get::<_, Vec<u8>>(key).unwrap(), value);
        assert_eq!(connection.get::<_, Option<String>>("none").unwrap(), None);
        assert!(connection.exists::<_, bool>(key).unwrap());
        let _: () = connection.set_ex("short", "lived", 100).unwrap();
        let left: i64 = connection.ttl("short").unwrap();
        assert!((99..=100).contains(&left));
        let _: () = connection.mset(&[("a", 1), ("b", 2)]).unwrap();
        assert_eq!(
            connection
                .mget::<_, Vec<Option<i64>>>(&["a", "none", "b"])
                .unwrap(),
            [Some(1), None, Some(2)]
        );
        let (a, b): (i64, i64) = pipe().get("a").get("b").query(&mut connection).unwrap();
        assert_eq!((a, b), (1, 2));
        assert_eq!(connection.del::<_, i64>(&["a", "b", "none"]).unwrap(), 2);
        of_the_ring(&mut connection);
    }
}

/// The ring's own commands about keys.
fn of_the_ring(connection: &mut redis::Connection) {
    let error = connection.incr::<_, _, i64>("a", 1).unwrap_err();
    assert!(
        error.to_string().contains("here the last write wins"),
        "{error}"
    );
    let known = cmd("DHT.PUT")
        .arg("v")
        .arg("1")
        .arg("TYPE")
        .arg("text/plain")
        .query(connection);
    let version: String = known.unwrap();
    let found: Value = cmd("DHT.GET").arg("v").query(connection).unwrap();
    let told = format!("{found:?}");
    assert!(
        told.contains(&version) && told.contains("text/plain"),
        "{told}"
    );
    let key: String = cmd("DHT.STORE")
        .arg("This is a test document.")
        .query(connection)
        .unwrap();
    assert_eq!(key, "cb80455993111c16fd13e70125852aefc911f31e");
    let text: String = cmd("DHT.FETCH").arg(&key).query(connection).unwrap();
    assert_eq!(text, "This is a test document.");
    let _: () = connection.set(&key, "by hand").unwrap();
    assert!(
        cmd("DHT.FETCH")
            .arg(&key)
            .query::<Value>(connection)
            .is_err()
    );
}

#[test]
fn a_program_gives_its_password() {
    let settings = DoorSettings {
        password: Some(Password::new(b"secret")),
        ..DoorSettings::default()
    };
    let ring = Ring::start(1, settings);
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let settings = RedisConnectionInfo::default().set_protocol(protocol);
        let right = settings.clone().set_password("secret");
        let mut connection = Client::open(info(&ring, right))
            .unwrap()
            .get_connection()
            .unwrap();
        assert_eq!(
            cmd("PING").query::<String>(&mut connection).unwrap(),
            "PONG"
        );
        let wrong = settings.set_password("Secret");
        let error = Client::open(info(&ring, wrong))
            .unwrap()
            .get_connection()
            .map(drop)
            .unwrap_err();
        let told = format!("{error} {:?}", error.kind());
        assert!(
            told.contains("invalid username") || told.contains("AuthenticationFailed"),
            "{told}"
        );
    }
}

#[test]
fn who_is_in_is_told_and_changed() {
    let ring = Ring::start(4, DoorSettings::default());
    let settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(info(&ring, settings)).unwrap();
    let mut connection = client.get_connection().unwrap();
    let told = |value: Value| format!("{value:?}");
    let is = told(cmd("DHT.RING").query(&mut connection).unwrap());
    assert_eq!(
        is.matches("may stop").count() + is.matches("joining").count(),
        0,
        "{is}"
    );
    assert_eq!(
        cmd("DHT.REPLICAS").query::<i64>(&mut connection).unwrap(),
        3
    );
    let version: String = cmd("DHT.REMOVE").arg("h4").query(&mut connection).unwrap();
    assert!(version.starts_with('v'), "{version}");
    let _: String = cmd("DHT.REPLICAS").arg(2).query(&mut connection).unwrap();
    assert_eq!(
        cmd("DHT.REPLICAS").query::<i64>(&mut connection).unwrap(),
        2
    );
    let hosts: Vec<String> = cmd("DHT.WHEREIS")
        .arg("cat")
        .query(&mut connection)
        .unwrap();
    assert_eq!(hosts.len(), 2);
    let route = told(cmd("DHT.LOOKUP").arg("cat").query(&mut connection).unwrap());
    assert!(route.contains(&hosts[0]), "{route}");
    let error = cmd("DHT.REMOVE")
        .arg("nobody")
        .query::<Value>(&mut connection)
        .unwrap_err();
    assert!(
        error.to_string().contains("a host is written as h"),
        "{error}"
    );
    let error = cmd("DHT.CANCEL")
        .query::<Value>(&mut connection)
        .unwrap_err();
    assert!(error.to_string().contains("no move"), "{error}");
    let may: String = cmd("DHT.DRAIN").query(&mut connection).unwrap();
    assert!(may.starts_with('v'), "{may}");
    let is = told(cmd("DHT.RING").query(&mut connection).unwrap());
    assert_eq!(is.matches("may stop").count(), 1, "{is}");
    let _: String = cmd("DHT.ENDDRAIN").query(&mut connection).unwrap();
}
