//! One end of the link: its actor, and what the peer does.

use std::cell::RefCell;
use std::rc::Rc;

use actix::prelude::*;
use roundelay::actor::{Arrived, Book, Input};
use roundelay::message::{Envelope, KeepMessage, Message};
use roundelay::placement::HostId;
use roundelay::record::WallMs;
use roundelay::remote::{Address, Config, Limits, Links, LocalHost, Secret, TcpDial, os_seed};
use roundelay::roster::RosterVersion;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::bare;

/// Just one of many.
pub(crate) const COUNTED: u64 = 1;
/// Wants one back.
pub(crate) const PING: u64 = 2;
/// All before it have come: wants one back.
pub(crate) const MARK: u64 = 3;

/// A small message of that kind.
pub(crate) fn small(from: HostId, kind: u64) -> Envelope {
    Envelope {
        from,
        to: HostId(3 - from.0),
        body: Message::Keep(KeepMessage::Gossip {
            version: RosterVersion(kind),
            wall: WallMs(1_700_000_000_123),
            view: roundelay::message::View::default(),
        }),
    }
}

/// Stands for a host: counts, and sends back what wants it.
pub(crate) struct Ear {
    pub(crate) host: HostId,
    pub(crate) book: Rc<RefCell<Book>>,
    /// The peer answers, the parent is woken.
    pub(crate) answers: bool,
    pub(crate) woken: Rc<Notify>,
    pub(crate) count: u64,
}

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Ear {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Context<Self>) {
        for envelope in &arrived.envelopes {
            self.count += 1;
            let Message::Keep(KeepMessage::Gossip { version, .. }) = &envelope.body else {
                continue;
            };
            if version.0 == COUNTED {
                continue;
            }
            if self.answers {
                let answer = small(self.host, version.0);
                let book = self.book.borrow();
                book.line(&answer)
                    .expect("the parent is known")
                    .do_send(answer);
            } else {
                self.woken.notify_one();
            }
        }
        let _ = arrived.handled.send(());
    }
}

impl Handler<Input> for Ear {
    type Result = ();

    fn handle(&mut self, _: Input, _: &mut Context<Self>) {}
}

/// A host's end: its links, its port, and its book.
pub(crate) struct Side {
    pub(crate) links: Links,
    pub(crate) address: Address,
    pub(crate) book: Rc<RefCell<Book>>,
    pub(crate) woken: Rc<Notify>,
}

impl Side {
    pub(crate) async fn new(host: HostId, answers: bool) -> Side {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = Address::from(listener.local_addr().expect("it is bound"));
        let (book, woken) = (Rc::new(RefCell::new(Book::new())), Rc::new(Notify::new()));
        let ear = Ear {
            host,
            book: Rc::clone(&book),
            answers,
            woken: Rc::clone(&woken),
            count: 0,
        }
        .start();
        let config = Config {
            cluster: "bench".into(),
            host,
            incarnation: 1,
            listen: address.clone(),
            secret: Secret::new("bench"),
            tls: None,
            limits: Limits::default(),
        };
        let host = LocalHost::new(ear.clone().recipient(), ear.recipient());
        let links = Links::new(config, TcpDial, host, Rc::clone(&book), os_seed());
        let port = links.clone();
        actix::spawn(async move { port.listen(listener).await });
        Side {
            links,
            address,
            book,
            woken,
        }
    }
}

/// The other process: says where it is, and answers until it is killed.
pub(crate) async fn peer(parent: Address) {
    let side = Side::new(HostId(2), true).await;
    side.links.know(HostId(1), &parent, 0);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!(
        "{}\n{}",
        side.address,
        listener.local_addr().expect("it is bound")
    );
    bare::answer(listener).await;
}
