//! Real processes, on real ports, with data directories: killed, stopped, frozen, damaged, while clients write.
//! What was acknowledged holds at the end.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

mod host;
mod load;

use std::time::Duration;

use host::{Hosts, damage, wait_for};
use load::{Writer, check};
use redis::TypedCommands;

fn writers(hosts: &Hosts, n: usize) -> Vec<Writer> {
    let urls: Vec<String> = (0..hosts.len()).map(|host| hosts.url(host)).collect();
    (0..n)
        .map(|n| Writer::start(&format!("w{n}"), urls.clone()))
        .collect()
}

fn check_all(hosts: &Hosts, writers: Vec<Writer>) {
    for writer in writers {
        let written = writer.end();
        for host in [0, hosts.len() - 1] {
            check(&written, &mut hosts.client(host).unwrap());
        }
    }
}

fn a_while() {
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn each_is_killed_in_turn_then_all_at_once_under_write_load() {
    let mut hosts = Hosts::start(3, &[]);
    let load = writers(&hosts, 2);
    for host in 0..3 {
        a_while();
        hosts.kill(host);
        a_while();
        hosts.spawn(host);
        hosts.wait_until_in(host);
    }
    (0..3).for_each(|host| hosts.kill(host));
    (0..3).for_each(|host| hosts.spawn(host));
    (0..3).for_each(|host| hosts.wait_until_in(host));
    check_all(&hosts, load);
}

#[test]
fn one_joins_and_another_leaves_and_all_are_stopped_one_after_the_other_under_write_load() {
    let mut hosts = Hosts::start(3, &[]);
    let load = writers(&hosts, 2);
    let new = hosts.add();
    hosts.wait_until_in(new);
    for host in 0..hosts.len() {
        assert_eq!(hosts.stop(host), Some(0), "{}", hosts.said(host));
        hosts.spawn(host);
        hosts.wait_until_in(host);
    }
    check_all(&hosts, load);
}

#[test]
fn a_host_frozen_for_longer_than_others_wait_wakes_up_and_agrees() {
    let hosts = Hosts::start(3, &[]);
    let load = writers(&hosts, 2);
    hosts.signal(2, "STOP");
    std::thread::sleep(Duration::from_secs(9));
    hosts.signal(2, "CONT");
    wait_for("the frozen host to answer", || {
        hosts.client(2).ok()?.get("w0-1").ok()
    });
    check_all(&hosts, load);
}

#[test]
fn a_damaged_directory_is_set_aside_said_loudly_and_filled_again() {
    let mut hosts = Hosts::start(3, &[]);
    let load = writers(&hosts, 1);
    a_while();
    hosts.kill(2);
    let store = hosts.home(2).join("store");
    assert!(damage(&store, "jnl") > 0);
    hosts.spawn(2);
    hosts.wait_until_in(2);
    let said = hosts.said(2);
    assert!(
        said.contains("WARNING: the data directory was damaged"),
        "{said}"
    );
    assert!(hosts.home(2).join("set-aside-1").join("store").exists());
    check_all(&hosts, load);
}
