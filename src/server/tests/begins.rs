//! Hosts that are started at once, too early, too late or apart: how many rings are there?

use tokio::net::UdpSocket;

use super::*;
use crate::placement::HostId;
use crate::server::packet::{Found, MAX_PACKET_BYTES, Packet, Said, Seal};
use crate::store::SyncPolicy;

async fn start(settings: Settings) -> Server {
    Server::start(settings).await.unwrap()
}

async fn close(servers: impl IntoIterator<Item = Server>) {
    for mut server in servers {
        server.close().await;
    }
}

#[test]
fn hosts_started_at_once_form_one_ring() {
    live(async {
        let [a, b, c] = addresses();
        let all = [&a, &b, &c];
        let third = start(at(&c, &all)).await;
        let second = start(at(&b, &all)).await;
        let first = start(at(&a, &all)).await;
        are_one_ring(&[&first, &second, &third]).await;
        close([first, second, third]).await;
    });
}

#[test]
fn hosts_started_before_their_seed_wait_for_it() {
    live(async {
        let [a, b, c] = addresses();
        let second = start(at(&b, &[&a, &b])).await;
        let third = start(at(&c, &[&a, &b])).await;
        sleep(PATIENCE / 15).await;
        assert_eq!([ring(&second), ring(&third)], [None, None]);
        let first = start(at(&a, &[&a, &b])).await;
        are_one_ring(&[&first, &second, &third]).await;
        close([first, second, third]).await;
    });
}

/// Otherwise the first that it says to them would be lost: it is in the roster before it knows where they are.
#[test]
fn whoever_asks_who_lives_there_is_told_of_all_in_the_ring() {
    live(async {
        let [a, b] = addresses();
        let one = start(at(&a, &[])).await;
        let other = start(at(&b, &[&a])).await;
        are_one_ring(&[&one, &other]).await;
        let settings = Settings::default();
        let seal = Seal::new(&settings.cluster, settings.secret.bytes());
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let from = Found {
            host: HostId(7),
            life: 1,
            address: socket.local_addr().unwrap().into(),
        };
        let packet = Packet {
            from,
            ring: None,
            empty: true,
            bare: false,
            said: Said::Where(Vec::new()),
        };
        let mut buffer = vec![0; MAX_PACKET_BYTES];
        let asked = seal.encode(&packet);
        socket.send_to(&asked, a.as_str()).await.unwrap();
        // It may say where strangers are as well, before it answers.
        let found = loop {
            let len = socket.recv(&mut buffer).await.unwrap();
            let told = seal.decode(&buffer[..len]).unwrap().said;
            if let Said::Here(found) = told
                && !found.is_empty()
            {
                break found;
            }
        };
        let found: Vec<_> = found.iter().map(|one| (one.host, &one.address)).collect();
        assert_eq!(found, [(other.dht.host(), &b)]);
        close([one, other]).await;
    });
}

#[test]
fn a_host_knows_itself_by_any_of_its_names() {
    live(async {
        let [a] = addresses();
        let name = a.as_str().replace("127.0.0.1", "localhost");
        let server = start(at(&a, &[&name.parse().unwrap()])).await;
        are_one_ring(&[&server]).await;
        close([server]).await;
    });
}

#[test]
fn of_two_rings_founded_apart_the_bare_one_is_given_up() {
    live(async {
        let [a, b, c] = addresses();
        // Neither hears the other in time.
        let one = start(at(&a, &[&a, &b])).await;
        until("a ring", || ring(&one).is_some()).await;
        one.dht().put("cat", "meow").await.unwrap();
        let (full, _) = ring(&one).unwrap();
        let other = start(at(&b, &[])).await;
        let third = start(at(&c, &[&b, &a])).await;
        are_one_ring(&[&one, &other, &third]).await;
        assert_eq!(ring(&other), Some((full, 3)));
        let found = other.dht().get("cat").await.unwrap().unwrap();
        assert_eq!(found.body.to_bytes(), "meow");
        close([one, other, third]).await;
    });
}

#[test]
fn hosts_that_list_each_other_in_another_order_form_one_ring() {
    live(async {
        let [a, b] = addresses();
        let one = start(at(&a, &[&a, &b])).await;
        let other = start(at(&b, &[&b, &a])).await;
        are_one_ring(&[&one, &other]).await;
        close([one, other]).await;
    });
}

#[test]
fn a_ring_of_several_in_which_nothing_is_stored_is_given_up_too() {
    live(async {
        let [a, b, c, d] = addresses();
        let one = start(at(&a, &[])).await;
        let second = start(at(&b, &[&a])).await;
        let third = start(at(&c, &[])).await;
        are_one_ring(&[&one, &second]).await;
        let fourth = start(at(&d, &[&c])).await;
        are_one_ring(&[&third, &fourth]).await;
        fourth.dht().put("cat", "meow").await.unwrap();
        let (full, _) = ring(&third).unwrap();
        // Somebody knows of both, for instance since it is told of both.
        one.links.know(third.dht().host(), &c, 0);
        are_one_ring(&[&one, &second, &third, &fourth]).await;
        assert_eq!(ring(&one), Some((full, 4)));
        let found = second.dht().get("cat").await.unwrap().unwrap();
        assert_eq!(found.body.to_bytes(), "meow");
        close([one, second, third, fourth]).await;
    });
}

#[test]
fn two_full_rings_stay_apart_and_say_so() {
    live(async {
        let [a, b] = addresses();
        let dir = tempfile::tempdir().unwrap();
        let home = Settings {
            data_dir: Some(dir.path().join("a")),
            fsync: SyncPolicy::Never,
            ..at(&a, &[])
        };
        let one = start(home.clone()).await;
        are_one_ring(&[&one]).await;
        one.dht().put("cat", "meow").await.unwrap();
        close([one]).await;
        let other = start(at(&b, &[&b, &a])).await;
        are_one_ring(&[&other]).await;
        other.dht().put("dog", "woof").await.unwrap();
        let one = start(home).await;
        until("both to say so", || {
            let loud = [&one, &other].map(|server| server.loud.borrow().clone());
            loud.iter().all(|said| said.contains("never merge"))
        })
        .await;
        assert_eq!(one.dht().get("dog").await.unwrap(), None);
        assert_eq!(other.dht().get("cat").await.unwrap(), None);
        close([one, other]).await;
    });
}

#[test]
fn who_has_left_stays_out_until_it_is_started_again() {
    live(async {
        let [a, b] = addresses();
        let one = start(at(&a, &[&a, &b])).await;
        let other = start(at(&b, &[&a, &b])).await;
        are_one_ring(&[&one, &other]).await;
        other.dht().leave().await.unwrap();
        until("it to say so", || {
            let said = other.loud.borrow();
            said.contains("has left the ring. It stays out until it is started again")
        })
        .await;
        are_one_ring(&[&one]).await;
        close([other]).await;
        let anew = start(at(&b, &[&a, &b])).await;
        are_one_ring(&[&one, &anew]).await;
        close([one, anew]).await;
    });
}

#[test]
fn who_was_removed_while_it_was_down_comes_in_again_when_it_is_started() {
    live(async {
        let [a, b, c] = addresses();
        let all = [&a, &b, &c];
        let dir = tempfile::tempdir().unwrap();
        let home = Settings {
            data_dir: Some(dir.path().join("c")),
            fsync: SyncPolicy::Never,
            ..at(&c, &all)
        };
        let one = start(at(&a, &all)).await;
        let second = start(at(&b, &all)).await;
        let third = start(home.clone()).await;
        are_one_ring(&[&one, &second, &third]).await;
        let removed = third.dht().host();
        close([third]).await;
        one.dht().remove(&[removed]).await.unwrap();
        are_one_ring(&[&one, &second]).await;
        let third = start(home).await;
        assert_eq!(third.dht().host(), removed);
        are_one_ring(&[&one, &second, &third]).await;
        assert_eq!(third.loud.borrow().as_str(), "");
        close([one, second, third]).await;
    });
}

#[test]
fn who_is_removed_while_it_is_there_stays_out_until_it_is_started_again() {
    live(async {
        let [a, b, c] = addresses();
        let all = [&a, &b, &c];
        let one = start(at(&a, &all)).await;
        let second = start(at(&b, &all)).await;
        let third = start(at(&c, &all)).await;
        are_one_ring(&[&one, &second, &third]).await;
        one.dht().remove(&[third.dht().host()]).await.unwrap();
        until("it to say so", || {
            let said = third.loud.borrow();
            said.contains("it was removed, or has left. It stays out until")
        })
        .await;
        are_one_ring(&[&one, &second]).await;
        close([one, second, third]).await;
    });
}
