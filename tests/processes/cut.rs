//! A network that is cut in two: five hosts in network namespaces of their own, 2|3.
//!
//! ```text
//! h0 10.77.0.2 ──┐            clients sit where all cables end, so they reach every host;
//! h1 10.77.1.2 ──┤            a cut is a rule there: what comes from h0 for h2 is dropped, in silence
//! h2 10.77.2.2 ──┼── router
//! h3 10.77.3.2 ──┤
//! h4 10.77.4.2 ──┘
//! ```
//!
//! Every key has five copies, so two hosts are a quorum of nothing.

use std::sync::Arc;

use roundelay::lab::check::history::{Kind, Told};

use crate::history::History;
use crate::host::{Hosts, connect, wait_for};
use crate::inside::{is_inside, sh};
use crate::load::{Load, ask, check};

const ROUTER: &str = "
    mount -t tmpfs tmpfs /run
    ip link set lo up
    echo 1 > /proc/sys/net/ipv4/ip_forward
    for n in 0 1 2 3 4; do
        ip netns add h$n
        ip link add v$n type veth peer name eth0 netns h$n
        ip addr add 10.77.$n.1/24 dev v$n
        ip link set v$n up
        ip -n h$n addr add 10.77.$n.2/24 dev eth0
        ip -n h$n link set lo up
        ip -n h$n link set eth0 up
        ip -n h$n route add default via 10.77.$n.1
    done
    ip rule add from 10.77.0.2 to 10.77.1.2 blackhole
    ip rule del from 10.77.0.2 to 10.77.1.2 blackhole
    nsenter --net=/run/netns/h0 true
    echo secret > /run/secret
";

const FEW: [usize; 2] = [0, 1];
const MOST: [usize; 3] = [2, 3, 4];

/// Adds or deletes the rules by which nothing gets from these to those.
fn cut(what: &str, from: &[usize], to: &[usize]) {
    for from in from {
        for to in to {
            sh(&format!(
                "ip rule {what} from 10.77.{from}.2 to 10.77.{to}.2 blackhole"
            ));
        }
    }
}

fn start() -> Hosts {
    let addresses: Vec<String> = (0..5).map(|n| format!("10.77.{n}.2:50140")).collect();
    Hosts::start_at(&addresses, |seat, host| {
        let namespace = format!("--net=/run/netns/h{host}");
        seat.before = ["nsenter", &namespace, "--"].map(String::from).into();
        seat.flags = ["--replicas", "5", "--secret-file", "/run/secret"]
            .map(String::from)
            .into();
    })
}

/// The few refuse to write and to read.
fn few_refuse(hosts: &Hosts, history: &History) {
    let refuses = |host: usize, kind| {
        wait_for(&format!("h{host} to refuse to {kind:?}"), || {
            let mut connection = connect(&hosts.url(host))?;
            let told = ask(history, &mut connection, host, "key-1", kind, 100);
            matches!(told, Told::Nothing(_) | Told::Unknown(_)).then_some(())
        });
    };
    // Each refusal takes as long as a request may: all at once.
    std::thread::scope(|scope| {
        for host in FEW {
            for kind in [Kind::Put, Kind::Get] {
                scope.spawn(move || refuses(host, kind));
            }
        }
    });
}

#[test]
fn of_a_ring_cut_in_two_the_greater_part_serves_and_nothing_is_lost() {
    let test = "cut::of_a_ring_cut_in_two_the_greater_part_serves_and_nothing_is_lost";
    if !is_inside(test, &["ip", "nsenter"], ROUTER) {
        return;
    }
    let (hosts, history) = (start(), Arc::new(History::new()));
    hosts.wait_until_agreed(&[0, 1, 2, 3, 4], 5);
    let of_few = Load::start(&history, 2, &hosts.urls(FEW));
    let of_most = Load::start(&history, 2, &hosts.urls(MOST));
    of_few.goes_on(50);
    of_most.goes_on(50);
    let (few, most) = (&FEW[..], &MOST[..]);
    // Both ways; then only what the few say is lost; then only what they are told.
    for ways in [
        &[(few, most), (most, few)][..],
        &[(few, most)],
        &[(most, few)],
    ] {
        ways.iter().for_each(|(from, to)| cut("add", from, to));
        of_most.goes_on(100);
        few_refuse(&hosts, &history);
        ways.iter().for_each(|(from, to)| cut("del", from, to));
        of_few.goes_on(50);
        of_most.goes_on(50);
    }
    check(&history, vec![of_few, of_most], &hosts, &[0, 1, 2, 3, 4]);
    hosts.wait_until_agreed(&[0, 1, 2, 3, 4], 5);
}
