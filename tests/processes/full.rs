//! Disks without room: each host's is a file system in memory that is made smaller and larger.

use std::sync::Arc;

use roundelay::lab::check::history::{Kind, Told};

use crate::history::History;
use crate::host::{Hosts, connect, wait_for};
use crate::inside::{is_inside, sh, try_sh};
use crate::load::{Load, ask, check};

const DISKS: &str = "
    mount -t tmpfs tmpfs /run
    ip link set lo up
    for n in 0 1 2 3; do
        mkdir /run/disk$n
        mount -t tmpfs -o size=1g tmpfs /run/disk$n
        mount -o remount,size=2g /run/disk$n
    done
";

/// Less than what a host keeps free for its own work: values are refused, and it can still be started.
const LITTLE: u64 = 16 * 1024 * 1024;

/// Makes a host's disk so large that so many bytes are free. Meanwhile it may write: then it is tried again.
fn leave_free(host: usize, bytes: u64) {
    wait_for("the disk to be made so large", || {
        let used = sh(&format!("df -B1 --output=used /run/disk{host} | tail -1"));
        let size = used.trim().parse::<u64>().unwrap() + bytes;
        try_sh(&format!("mount -o remount,size={size} /run/disk{host}")).ok()
    });
}

/// Nobody writes this key any more once it is there. One that is being written when the room ends may be on one disk
/// only: who reads it would have to write it to a second one.
const CALM: &str = "calm";

fn ask_at(hosts: &Hosts, history: &History, host: usize, kind: Kind) -> Option<Told> {
    let mut connection = connect(&hosts.url(host))?;
    let key = if kind == Kind::Get { CALM } else { "key-1" };
    Some(ask(history, &mut connection, host, key, kind, 1000))
}

/// Puts a value that is read later.
fn put_calmly(hosts: &Hosts, history: &History) {
    let mut connection = connect(&hosts.url(0)).unwrap();
    let told = ask(history, &mut connection, 0, CALM, Kind::Put, 1000);
    assert!(matches!(told, Told::Wrote(_)), "{told:?}");
}

/// Writes are refused at every host, and it is said why; reads go on.
fn refuse_and_read(hosts: &Hosts, history: &History) {
    for host in hosts.all() {
        let why = wait_for("a write to be refused", || {
            let told = ask_at(hosts, history, host, Kind::Put)?;
            if let Told::Nothing(why) = told {
                why.contains("OOM").then_some(why)
            } else {
                None
            }
        });
        assert!(why.contains("the disk is full: "), "{why}");
        let read = ask_at(hosts, history, host, Kind::Get);
        assert!(matches!(read, Some(Told::Found { .. })), "{read:?}");
    }
}

/// Three hosts, each with a disk of its own.
fn three() -> Hosts {
    let addresses: Vec<String> = (0..3).map(|n| format!("127.0.0.1:{}", 50140 + n)).collect();
    Hosts::start_at(&addresses, |seat, host| {
        seat.home = format!("/run/disk{host}").into();
    })
}

#[test]
fn without_room_writes_are_refused_reads_go_on_and_nothing_is_lost() {
    let test = "full::without_room_writes_are_refused_reads_go_on_and_nothing_is_lost";
    if !is_inside(test, &["ip", "df"], DISKS) {
        return;
    }
    let (mut hosts, history) = (three(), Arc::new(History::new()));
    put_calmly(&hosts, &history);
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    // One of three is no quorum: the others serve.
    leave_free(2, 0);
    load.goes_on(200);
    hosts.all().for_each(|host| leave_free(host, 0));
    refuse_and_read(&hosts, &history);
    hosts.all().for_each(|host| leave_free(host, LITTLE));
    refuse_and_read(&hosts, &history);
    // Killed and started again without room.
    for host in hosts.all() {
        hosts.kill(host);
        hosts.spawn(host);
        hosts.wait_until_in(host);
    }
    refuse_and_read(&hosts, &history);
    hosts.all().for_each(|host| leave_free(host, 1 << 30));
    load.goes_on(200);
    check(&history, vec![load], &hosts, &[0, 1, 2]);
}

#[test]
fn who_joins_without_room_says_so_and_is_in_once_there_is_some() {
    let test = "full::who_joins_without_room_says_so_and_is_in_once_there_is_some";
    if !is_inside(test, &["ip", "df"], DISKS) {
        return;
    }
    let (mut hosts, history) = (three(), Arc::new(History::new()));
    let load = Load::start(&history, 3, &hosts.urls(hosts.all()));
    load.goes_on(100);
    leave_free(3, LITTLE);
    let new = hosts.add(|seat| {
        seat.home = "/run/disk3".into();
        seat.environment = vec![("RUST_LOG".into(), "roundelay::server=debug".into())];
    });
    wait_for("it to say that it has no room", || {
        hosts.said(new).contains("its store is full").then_some(())
    });
    load.goes_on(100);
    leave_free(3, 1 << 30);
    hosts.wait_until_in(new);
    load.goes_on(100);
    check(&history, vec![load], &hosts, &[0, 1, 2, 3]);
    hosts.wait_until_agreed(&[0, 1, 2, 3], 4);
}
