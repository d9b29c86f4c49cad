//! Hosts that end without a word, or say nothing for a while.

use std::sync::Arc;

use crate::history::History;
use crate::host::{Hosts, damage, free_ports, wait_for};
use crate::load::{Load, check};

/// Three hosts, and three clients of them all.
fn three() -> (Hosts, Arc<History>, Load) {
    let (hosts, history) = (Hosts::start(3, &[]), Arc::new(History::new()));
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    (hosts, history, load)
}

#[test]
fn each_is_killed_in_turn_then_all_at_once_under_load() {
    let (mut hosts, history, load) = three();
    for host in 0..3 {
        hosts.kill(host);
        load.goes_on(100);
        hosts.spawn(host);
        hosts.wait_until_in(host);
        load.goes_on(100);
    }
    for _ in 0..2 {
        hosts.all().for_each(|host| hosts.kill(host));
        hosts.all().for_each(|host| hosts.spawn(host));
        hosts.all().for_each(|host| hosts.wait_until_in(host));
        load.goes_on(100);
    }
    check(&history, vec![load], &hosts, &[0, 1, 2]);
    hosts.wait_until_agreed(&[0, 1, 2], 3);
}

#[test]
fn a_host_frozen_for_longer_than_others_wait_wakes_up_and_agrees() {
    let (hosts, history, load) = three();
    hosts.signal(2, "STOP");
    wait_for("the others to take it for down", || {
        (hosts.down(0)? == 1 && hosts.down(1)? == 1).then_some(())
    });
    load.goes_on(200);
    hosts.signal(2, "CONT");
    wait_for("all to take nobody for down", || {
        let all: Option<usize> = hosts.all().map(|host| hosts.down(host)).sum();
        (all? == 0).then_some(())
    });
    load.goes_on(100);
    check(&history, vec![load], &hosts, &[2, 0, 1]);
}

#[test]
fn a_host_that_does_not_come_back_after_all_lost_their_power_is_down() {
    let (mut hosts, history, load) = three();
    load.end();
    hosts.all().for_each(|host| hosts.kill(host));
    for host in [0, 1] {
        hosts.spawn(host);
        hosts.wait_until_in(host);
    }
    wait_for("the others to take it for down", || {
        (hosts.down(0)? == 1 && hosts.down(1)? == 1).then_some(())
    });
    hosts.spawn(2);
    hosts.wait_until_in(2);
    wait_for("all to take nobody for down", || {
        let all: Option<usize> = hosts.all().map(|host| hosts.down(host)).sum();
        (all? == 0).then_some(())
    });
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    check(&history, vec![load], &hosts, &[0, 1, 2]);
}

#[test]
fn a_damaged_directory_is_set_aside_said_loudly_and_filled_again() {
    let (mut hosts, history, load) = three();
    hosts.kill(2);
    let home = hosts.seats[2].home.clone();
    assert!(damage(&home.join("store"), "jnl") > 0);
    hosts.spawn(2);
    hosts.wait_until_in(2);
    let said = hosts.said(2);
    assert!(
        said.contains("WARNING: the data directory was damaged"),
        "{said}"
    );
    assert!(home.join("set-aside-1").join("store").exists());
    load.goes_on(100);
    // Whatever it holds came from the others; one of them goes for good, and a quorum is left.
    hosts.kill(0);
    load.goes_on(100);
    check(&history, vec![load], &hosts, &[2, 1]);
}

#[test]
fn a_host_that_died_comes_back_at_another_address_with_what_it_had() {
    let (mut hosts, history, load) = three();
    hosts.kill(2);
    load.goes_on(100);
    load.end();
    hosts.seats[2].address = free_ports(1).remove(0);
    hosts.spawn(2);
    hosts.wait_until_in(2);
    let load = Load::start(&history, 3, &hosts.urls([1, 2]));
    load.goes_on(100);
    // Without the first, who was told where it is must know.
    hosts.kill(0);
    load.goes_on(100);
    check(&history, vec![load], &hosts, &[1, 2]);
}

#[test]
fn all_come_back_at_other_addresses_at_once_with_what_they_had() {
    let (mut hosts, history, load) = three();
    load.end();
    hosts.all().for_each(|host| hosts.kill(host));
    let addresses = free_ports(3);
    for (seat, address) in hosts.seats.iter_mut().zip(addresses) {
        seat.address = address;
    }
    hosts.all().for_each(|host| hosts.spawn(host));
    hosts.all().for_each(|host| hosts.wait_until_in(host));
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    check(&history, vec![load], &hosts, &[0, 1, 2]);
    hosts.wait_until_agreed(&[0, 1, 2], 3);
}
