//! Hosts that come and go in order.

use std::sync::Arc;

use crate::history::History;
use crate::host::{Hosts, connect, wait_for};
use crate::load::{Load, check};

#[test]
fn one_joins_and_all_are_restarted_one_after_the_other_under_load() {
    let (mut hosts, history) = (Hosts::start(3, &[]), Arc::new(History::new()));
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    let new = hosts.add(|_| {});
    hosts.wait_until_in(new);
    load.goes_on(100);
    for host in hosts.all() {
        assert_eq!(hosts.stop(host), Some(0), "{}", hosts.said(host));
        let said = hosts.said(host);
        assert!(!said.contains("without the others' consent"), "{said}");
        load.goes_on(50);
        hosts.spawn(host);
        hosts.wait_until_in(host);
        load.goes_on(50);
    }
    check(&history, vec![load], &hosts, &[0, 1, 2, 3]);
    hosts.wait_until_agreed(&[0, 1, 2, 3], 4);
}

/// One leaves because it is told to end, one because a client asks it to. What they held is with the others then:
/// their directories are not looked at again.
#[test]
fn two_of_five_leave_under_load_and_the_others_hold_what_they_held() {
    let mut hosts = Hosts::start(5, &["--leave-on-exit"]);
    let history = Arc::new(History::new());
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(150);
    assert_eq!(hosts.stop(4), Some(0), "{}", hosts.said(4));
    let said = hosts.said(4);
    assert!(
        said.contains("leaves the ring: the others take over"),
        "{said}"
    );
    assert!(!said.contains("without the others' consent"), "{said}");
    load.goes_on(100);
    hosts.wait_until_agreed(&[0, 1, 2, 3], 4);
    let mut connection = connect(&hosts.url(3)).unwrap();
    let wait = Some(crate::host::PATIENCE);
    connection.set_read_timeout(wait).unwrap();
    let left: String = redis::cmd("DHT.LEAVE").query(&mut connection).unwrap();
    assert!(left.starts_with('v'), "{left}");
    hosts.kill(3);
    load.goes_on(100);
    hosts.wait_until_agreed(&[0, 1, 2], 3);
    check(&history, vec![load], &hosts, &[0, 1, 2]);
}

/// From now on hosts receive so many bytes a second of moves; 0: as many as they can.
fn pace(hosts: &Hosts, bytes: u64) {
    let mut connection = connect(&hosts.url(0)).unwrap();
    let mut configure = redis::cmd("DHT.CONFIGURE");
    let told = configure
        .arg("MOVE-BYTES")
        .arg(bytes)
        .query(&mut connection);
    let _: redis::Value = told.unwrap();
}

/// A move that is slow enough to be interrupted: whoever joins is killed in the middle of it, then, in the middle of the
/// next, one of those it is filled from.
#[test]
fn who_joins_and_who_fills_it_are_killed_in_the_middle_of_a_move_under_load() {
    let (mut hosts, history) = (Hosts::start(3, &[]), Arc::new(History::new()));
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(150);
    for victim in [3, 1] {
        pace(&hosts, 50_000);
        let new = hosts.add(|_| {});
        wait_for("the move to begin", || {
            (hosts.state(0)? == "moving").then_some(())
        });
        hosts.kill(victim);
        load.goes_on(100);
        hosts.spawn(victim);
        pace(&hosts, 0);
        hosts.wait_until_in(victim);
        hosts.wait_until_in(new);
        load.goes_on(50);
    }
    check(&history, vec![load], &hosts, &[0, 1, 2, 3, 4]);
    hosts.wait_until_agreed(&[0, 1, 2, 3, 4], 5);
}

/// All are told to leave at once: they hand over one after the other, and the last one, whom nobody can take over from,
/// ends with all of it in its directory.
#[test]
fn all_leave_at_once_and_the_last_one_keeps_everything() {
    let mut hosts = Hosts::start(3, &["--leave-on-exit"]);
    let mut connection = connect(&hosts.url(1)).unwrap();
    for n in 0..300 {
        let done: redis::RedisResult<()> = redis::cmd("SET")
            .arg(format!("key{n}"))
            .arg(n)
            .query(&mut connection);
        done.unwrap();
    }
    hosts.wait_until_agreed(&[0, 1, 2], 3);
    hosts.all().for_each(|host| hosts.signal(host, "TERM"));
    for host in hosts.all() {
        assert_eq!(hosts.ended(host), Some(0), "{}", hosts.said(host));
    }
    let said: Vec<String> = hosts.all().map(|host| hosts.said(host)).collect();
    let last =
        |said: &&String| said.contains("is the last host of the ring, and what it holds stays");
    assert_eq!(said.iter().filter(last).count(), 1, "{said:#?}");
    assert!(
        !said.iter().any(|said| said.contains("without the others")),
        "{said:#?}"
    );
    hosts.all().for_each(|host| hosts.spawn(host));
    hosts.wait_until_agreed(&[0, 1, 2], 3);
    for host in hosts.all() {
        let mut connection = connect(&hosts.url(host)).unwrap();
        for n in 0..300 {
            let mut get = redis::cmd("GET");
            let found: redis::RedisResult<Option<usize>> =
                get.arg(format!("key{n}")).query(&mut connection);
            assert_eq!(found.unwrap(), Some(n), "at h{host}");
        }
    }
}
