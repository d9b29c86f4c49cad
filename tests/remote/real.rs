//! Real sockets on loopback: resets by the thousand, TLS, and large values.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix::System;
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use roundelay::actor::Book;
use roundelay::message::{Envelope, KeepMessage, Message, ReqId};
use roundelay::placement::HostId;
use roundelay::record::{PIECE_BYTES, Stamp, Version};
use roundelay::remote::{Address, Config, LinkError, Links, TcpDial, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::heard::{Probe, Shared, numbered};
use crate::said;
use crate::world::{Seat, seconds};

/// One host on a port of its own.
struct Real {
    links: Links,
    book: Rc<RefCell<Book>>,
    ledger: Shared,
    address: Address,
    host: u64,
}

impl Real {
    async fn new(host: u64, tls: Option<Tls>) -> Real {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::from(listener.local_addr().unwrap());
        let ledger = Shared::default();
        let probe = Probe {
            host,
            ledger: Rc::clone(&ledger),
            now: Duration::default,
        };
        let book = Rc::new(RefCell::new(Book::new()));
        let config = Config {
            listen: address.clone(),
            tls,
            ..Seat::new(host).config(1)
        };
        let seed = [u8::try_from(host).unwrap(); 32];
        let links = Links::new(config, TcpDial, probe.start_it(), Rc::clone(&book), seed);
        let port = links.clone();
        actix::spawn(async move { port.listen(listener).await });
        Real {
            links,
            book,
            ledger,
            address,
            host,
        }
    }

    fn knows(&self, other: &Real) {
        self.links.know(HostId(other.host), &other.address, 0);
    }

    fn send(&self, envelope: Envelope) {
        self.book
            .borrow()
            .line(&envelope)
            .unwrap()
            .do_send(envelope);
    }

    /// Waits until so many messages have come from that host.
    async fn hears(&self, from: u64, count: usize) {
        let all = async {
            while self.ledger.borrow().numbers(from, self.host).len() < count {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(seconds(30), all).await.expect("all arrive");
    }
}

#[test]
fn ten_thousand_connections_with_reset_disturb_nobody() {
    System::new().block_on(async {
        said::listen();
        let (one, two) = (Real::new(1, None).await, Real::new(2, None).await);
        one.knows(&two);
        two.knows(&one);
        for round in 0..100u64 {
            one.send(numbered(1, 2, 1, round + 1));
            two.send(numbered(2, 1, 1, round + 1));
            for n in 0..100 {
                let mut stream = TcpStream::connect(one.address.as_str()).await.unwrap();
                if n % 3 == 0 {
                    stream.write_all(b"half").await.unwrap();
                }
                stream.set_zero_linger().unwrap();
            }
        }
        two.hears(1, 100).await;
        one.hears(2, 100).await;
        let gone = async {
            while one.links.handshakes() > 0 || one.links.refused() < 9_000 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(seconds(20), gone)
            .await
            .expect("no handshake stays behind");
        for real in [&one, &two] {
            assert!(real.ledger.borrow().told.is_empty());
            real.ledger.borrow().check_order();
            assert_eq!(real.links.status()[0].sent.connections, 1);
            assert_eq!(real.links.status()[0].sent.lost, 0);
        }
        let strangers = said::lines("connection from 127.0.0.1");
        assert!(
            strangers.len() <= 4,
            "once for each way to fail: {strangers:?}"
        );
    });
}

fn piece(host: u64, len: usize) -> Envelope {
    let version = Version {
        stamp: Stamp(1),
        delete: false,
        host: HostId(1),
        start: 1,
    };
    let body = KeepMessage::PieceIs {
        req: ReqId(1),
        version,
        index: 0,
        bytes: Some(Bytes::from(vec![7; len])),
    };
    Envelope {
        from: HostId(1),
        to: HostId(host),
        body: Message::Keep(body),
    }
}

/// The receiver's process is stopped: what waits for it is one queue and what the kernel holds, not what was
/// said to it.
#[test]
fn a_stopped_receiver_costs_one_queue() {
    System::new().block_on(async {
        said::listen();
        let one = Real::new(1, None).await;
        let two = Real::new(2, None).await;
        one.knows(&two);
        two.ledger.borrow_mut().slow.insert(2, seconds(3600));
        one.send(numbered(1, 2, 1, 1));
        two.hears(1, 1).await;
        for _ in 0..200 {
            one.send(piece(2, PIECE_BYTES));
            tokio::task::yield_now().await;
        }
        sleep(Duration::from_millis(50)).await;
        let status = one.links.status()[0].clone();
        assert!(status.waiting_bytes <= 8 * 1024 * 1024, "{status:?}");
        assert!(status.sent.lost > 150, "{status:?}");
        said::once("link to h2: full with ");
        assert_eq!(one.ledger.borrow().told(1, 2), "d");
    });
}

#[test]
fn what_waits_is_sent_before_goodbye() {
    System::new().block_on(async {
        said::listen();
        let (one, two) = (Real::new(1, None).await, Real::new(2, None).await);
        one.knows(&two);
        for number in 1..=10_000 {
            one.send(numbered(1, 2, 1, number));
        }
        sleep(Duration::ZERO).await;
        one.links.close(seconds(10)).await;
        assert_eq!(two.ledger.borrow().numbers(1, 2).len(), 10_000);
        assert!(one.links.status().is_empty());
        assert_eq!(said::lines("WARN"), Vec::<String>::new());
        assert!(two.ledger.borrow().told.is_empty(), "a goodbye is no loss");
    });
}

#[test]
fn whoever_lives_at_an_address_can_be_asked() {
    System::new().block_on(async {
        said::listen();
        let (one, two) = (Real::new(1, None).await, Real::new(2, None).await);
        let met = one.links.meet(&two.address).await.unwrap();
        assert_eq!(
            (met.host, met.incarnation, met.listen),
            (HostId(2), 1, Some(two.address.clone()))
        );
        one.send(numbered(1, 2, 1, 1));
        two.hears(1, 1).await;
        let own = one.links.meet(&one.address).await;
        assert!(
            matches!(
                own,
                Err(LinkError::SomebodyElse { .. } | LinkError::Refused(_))
            ),
            "{own:?}"
        );
        // Whoever was dialled knows the way back.
        two.send(numbered(2, 1, 1, 1));
        one.hears(2, 1).await;
    });
}

/// An authority, and what it gave to a host.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    fn tls(&self, trusted: &Authority, name: &str) -> Tls {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = key.serialize_pem();
        Tls::from_pem(
            chain.as_bytes(),
            key.as_bytes(),
            trusted.pem.as_bytes(),
            "birds",
        )
        .unwrap()
    }
}

#[test]
fn with_certificates_of_one_authority_hosts_speak_over_tls() {
    System::new().block_on(async {
        said::listen();
        let authority = Authority::new();
        let tls = || Some(authority.tls(&authority, "birds"));
        let (one, two) = (Real::new(1, tls()).await, Real::new(2, tls()).await);
        one.knows(&two);
        two.knows(&one);
        for number in 1..=1_000 {
            one.send(numbered(1, 2, 1, number));
            two.send(numbered(2, 1, 1, number));
        }
        two.hears(1, 1_000).await;
        one.hears(2, 1_000).await;
        assert_eq!(said::lines("WARN"), Vec::<String>::new());
        // What is said cannot be read along, and whoever does not use TLS is not heard.
        let mut plain = TcpStream::connect(one.address.as_str()).await.unwrap();
        plain.write_all(&roundelay::remote::MAGIC).await.unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.windows(5).any(|part| part == b"birds"));
        said::once("connection from 127.0.0.1: TLS: ");
    });
}

#[test]
fn certificates_of_another_authority_or_for_another_name_are_refused() {
    System::new().block_on(async {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let bad = [
            theirs.tls(&ours, "birds"),
            ours.tls(&theirs, "birds"),
            ours.tls(&ours, "fish"),
        ];
        for bad in bad {
            said::listen();
            let one = Real::new(1, Some(ours.tls(&ours, "birds"))).await;
            let two = Real::new(2, Some(bad)).await;
            one.knows(&two);
            one.send(numbered(1, 2, 1, 1));
            let told = async {
                while one.ledger.borrow().told.is_empty() {
                    sleep(Duration::from_millis(2)).await;
                }
            };
            timeout(seconds(5), told).await.unwrap();
            assert_eq!(one.ledger.borrow().told(1, 2), "d");
            assert!(two.ledger.borrow().heard.is_empty());
            assert_eq!(said::lines("link to h2: no connection").len(), 1);
        }
    });
}

#[test]
fn a_host_sees_itself_that_its_certificate_will_not_be_believed() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    assert_eq!(ours.tls(&ours, "birds").doubt(), None);
    for (bad, why) in [
        (theirs.tls(&ours, "birds"), "BadSignature"),
        (ours.tls(&ours, "fish"), "not valid for name"),
    ] {
        let told = bad.doubt().unwrap();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn what_is_no_certificate_says_which() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let pem = authority.pem.as_bytes();
    let bad = |chain: &[u8], key: &[u8], name: &str| {
        let refused = Tls::from_pem(chain, key, pem, name);
        refused.unwrap_err().to_string()
    };
    assert!(bad(b"", key.as_bytes(), "birds").contains("no certificate in the certificate"));
    assert!(bad(pem, b"no key", "birds").starts_with("the key cannot be read as PEM"));
    assert_eq!(
        bad(pem, key.as_bytes(), "birds"),
        "the key does not belong to the certificate"
    );
}
