//! Clocks that are set while hosts run, forwards and backwards: by libfaketime, which reads from a file by how much.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redis::TypedCommands;

use crate::history::History;
use crate::host::{Hosts, connect, free_ports, wait_for};
use crate::inside::faketime;
use crate::load::{Load, check};

fn file(dir: &Path, host: usize) -> PathBuf {
    dir.join(format!("clock-{host}"))
}

/// Sets a host's wall clock so much ahead of the true time.
fn set(dir: &Path, host: usize, seconds: i64) {
    let new = dir.join("new");
    std::fs::write(&new, format!("{seconds:+}s\n")).unwrap();
    std::fs::rename(new, file(dir, host)).unwrap();
}

/// The second that a host's clock shows.
fn shown(hosts: &Hosts, host: usize) -> i64 {
    let mut connection = connect(&hosts.url(host)).unwrap();
    let (seconds, _): (i64, i64) = redis::cmd("TIME").query(&mut connection).unwrap();
    seconds
}

/// Sets it, and waits until the host says so.
fn jump(hosts: &Hosts, clocks: &Path, host: usize, ahead: i64) {
    set(clocks, host, ahead);
    wait_for("the clock to be set", || {
        let off = shown(hosts, host) - (true_time() + ahead);
        (off.abs() < 5).then_some(())
    });
}

#[expect(clippy::disallowed_methods, reason = "the clock is what is tested")]
fn true_time() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

/// Three hosts whose clocks can be set.
fn three(library: &Path, clocks: &Path) -> Hosts {
    Hosts::start_at(&free_ports(3), |seat, host| {
        set(clocks, host, 0);
        seat.environment = vec![
            ("LD_PRELOAD".into(), library.into()),
            ("FAKETIME_TIMESTAMP_FILE".into(), file(clocks, host).into()),
            ("FAKETIME_CACHE_DURATION".into(), "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
            ("NO_FAKE_STAT".into(), "1".into()),
        ];
    })
}

const HOUR: i64 = 3600;

#[test]
fn clocks_jump_and_no_version_goes_backwards_and_nothing_is_lost() {
    let test = "clocks::clocks_jump_and_no_version_goes_backwards_and_nothing_is_lost";
    let Some(library) = faketime(test) else {
        return;
    };
    let clocks = tempfile::tempdir().unwrap();
    let clocks = clocks.path();
    let (mut hosts, history) = (three(&library, clocks), Arc::new(History::new()));
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    let mut connection = connect(&hosts.url(1)).unwrap();
    connection.set_ex("mortal", "alive", 1800).unwrap();

    // One is an hour ahead: it writes nothing until it is right again; by its clock the value's time is up.
    jump(&hosts, clocks, 0, HOUR);
    let why = wait_for("the host that is ahead to refuse", || {
        connect(&hosts.url(0))?.set("ahead", "1").err()
    });
    assert!(why.to_string().contains("clock"), "{why}");
    load.goes_on(100);
    assert_eq!(connect(&hosts.url(0)).unwrap().get("mortal").unwrap(), None);
    jump(&hosts, clocks, 0, 0);
    wait_for("it to write again", || {
        connect(&hosts.url(0))?.set("ahead", "1").ok()
    });
    for host in hosts.all() {
        let read = connect(&hosts.url(host)).unwrap().get("mortal").unwrap();
        assert_eq!(read.as_deref(), Some("alive"), "h{host}");
    }

    // One a day behind, then all of them, then killed and started with that.
    jump(&hosts, clocks, 1, -24 * HOUR);
    load.goes_on(100);
    hosts
        .all()
        .for_each(|host| jump(&hosts, clocks, host, -24 * HOUR));
    load.goes_on(100);
    for host in hosts.all() {
        hosts.kill(host);
        hosts.spawn(host);
        hosts.wait_until_in(host);
    }
    load.goes_on(100);

    // All of them ahead, and back.
    for ahead in [HOUR, 0] {
        hosts
            .all()
            .for_each(|host| jump(&hosts, clocks, host, ahead));
        load.goes_on(100);
    }
    check(&history, vec![load], &hosts, &[0, 1, 2]);
}
