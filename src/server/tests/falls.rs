//! A part of a host panics: the host begins again from its records, or the server ends.

use tokio::time::timeout;

use super::super::around::trap;
use super::*;
use crate::dht::{Dht, DhtError};
use crate::store::SyncPolicy;

const KEYS: u32 = 20;

async fn store_all(dht: &Dht) {
    for key in 0..KEYS {
        dht.put(format!("key {key}"), format!("value {key}"))
            .await
            .unwrap();
    }
}

async fn all_are_there(dht: &Dht) {
    for key in 0..KEYS {
        let found = dht.get(format!("key {key}")).await.unwrap();
        let value = found.unwrap().body.to_bytes();
        assert_eq!(value, format!("value {key}"));
    }
}

/// The next that is asked of the host panics in its actor, in the middle of a call.
async fn spring(dht: &Dht) {
    trap::set();
    let gone = dht.get("key 0").await;
    assert!(matches!(gone, Err(DhtError::Gone(_))), "{gone:?}");
}

/// It falls, and what it had is read by the handle of before.
async fn falls_and_has_all(settings: Settings) {
    let server = Server::start(settings).await.unwrap();
    are_one_ring(&[&server]).await;
    let dht = server.dht();
    store_all(&dht).await;
    let version = dht.put("again", "1").await.unwrap();
    spring(&dht).await;
    until("another life", || {
        ring(&server).is_some() && server.shell.borrow().actor().is_some()
    })
    .await;
    all_are_there(&dht).await;
    let later = dht.put("again", "2").await.unwrap();
    assert!(later > version && later.start > version.start, "{later}");
    let mut server = server;
    server.close().await;
}

#[test]
fn a_host_in_memory_that_panics_begins_again_with_all_it_had() {
    let [address] = addresses();
    live(falls_and_has_all(at(&address, &[])));
}

#[test]
fn a_host_on_disk_that_panics_begins_again_with_all_it_had() {
    let [address] = addresses();
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        data_dir: Some(dir.path().join("home")),
        fsync: SyncPolicy::Never,
        ..at(&address, &[])
    };
    live(async move {
        falls_and_has_all(settings.clone()).await;
        // And it was closed in order all the same.
        let mut server = Server::start(settings).await.unwrap();
        are_one_ring(&[&server]).await;
        all_are_there(&server.dht()).await;
        server.close().await;
    });
}

#[test]
fn a_host_that_panics_again_and_again_ends_and_says_why() {
    let [address] = addresses();
    live(async move {
        let mut server = Server::start(at(&address, &[])).await.unwrap();
        are_one_ring(&[&server]).await;
        for _ in 0..3 {
            spring(&server.dht()).await;
            until("another life", || server.shell.borrow().actor().is_some()).await;
            let still = timeout(Duration::from_millis(300), server.ended()).await;
            assert!(still.is_err(), "it goes on: {still:?}");
        }
        spring(&server.dht()).await;
        let why = timeout(PATIENCE, server.ended()).await.unwrap();
        assert!(why.contains("panicked 4 times within 60 s"), "{why}");
        assert!(server.shell.borrow().actor().is_none(), "it stays down");
        server.close().await;
    });
}

#[test]
fn the_others_go_on_while_one_falls_and_it_takes_part_again() {
    let [a, b] = addresses();
    live(async move {
        let mut one = Server::start(at(&a, &[&a, &b])).await.unwrap();
        let mut other = Server::start(at(&b, &[&a, &b])).await.unwrap();
        are_one_ring(&[&one, &other]).await;
        let (fallen, dht) = (one.dht(), other.dht());
        store_all(&dht).await;
        spring(&fallen).await;
        all_are_there(&dht).await;
        until("another life", || one.shell.borrow().actor().is_some()).await;
        // Both are needed for a quorum of two.
        dht.put("after", "the fall").await.unwrap();
        all_are_there(&fallen).await;
        one.close().await;
        other.close().await;
    });
}
