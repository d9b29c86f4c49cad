//! Stage three, one link: every byte that two hosts say to each other until a message has arrived.
//!
//! ```console
//! $ cargo run --example on_the_wire
//! ```
//!
//! The hosts are joined by a pipe with a tap. What is chance otherwise is fixed, so the bytes are always the same.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use actix::prelude::*;
use bytes::Bytes;
use clap::Parser;
use roundelay::{
    actor::{Arrived, Book, Input},
    message::{Envelope, KeepMessage, Message as Said},
    placement::HostId,
    record::WallMs,
    remote::{Address, BoxChannel, Config, Dial, Dialling, Limits, Links, LocalHost, Secret},
    roster::RosterVersion,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split},
    sync::Notify,
};

/// Bytes shown in a line.
const WIDTH: usize = 16;
/// Bytes that the pipe holds.
const PIPE: usize = 64 * 1024;

/// Two hosts, a handshake and one message, byte by byte.
#[derive(Parser)]
struct Options {
    /// The second host knows another secret
    #[arg(long)]
    wrong_secret: bool,
}

fn main() {
    let options = Options::parse();
    System::new().block_on(async {
        let told = Rc::new(Notify::new());
        let pipe = Pipe(Rc::default());
        let second = if options.wrong_secret { "gull" } else { "tern" };
        let (two, _) = host(2, second, Pipe(Rc::default()), &told);
        *pipe.0.borrow_mut() = Some(two);
        let (one, book) = host(1, "tern", pipe, &told);
        one.know(HostId(2), &address(2), 0);
        let envelope = Envelope {
            from: HostId(1),
            to: HostId(2),
            body: Said::Keep(KeepMessage::Gossip {
                version: RosterVersion(7),
                wall: WallMs(1_700_000_000_123),
                view: roundelay::message::View::default(),
            }),
        };
        let line = book.borrow().line(&envelope).cloned();
        line.expect("h2 is known").do_send(envelope);
        told.notified().await;
        one.close(Duration::from_secs(1)).await;
    });
}

fn address(host: u64) -> Address {
    format!("10.0.0.{host}:50140").parse().expect("it is one")
}

/// A host that prints what it hears.
struct Ear(u64, Rc<Notify>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Ear {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Context<Self>) {
        for envelope in arrived.envelopes {
            println!("h{} hears {}", self.0, envelope.body);
        }
        let _ = arrived.handled.send(());
        self.1.notify_one();
    }
}

impl Handler<Input> for Ear {
    type Result = ();

    fn handle(&mut self, input: Input, _: &mut Context<Self>) {
        if let Input::HostDown(other) = input {
            println!("h{} is told that {other} is down", self.0);
        }
        self.1.notify_one();
    }
}

fn host(id: u64, secret: &str, pipe: Pipe, told: &Rc<Notify>) -> (Links, Rc<RefCell<Book>>) {
    let ear = Ear(id, Rc::clone(told)).start();
    let local = LocalHost::new(ear.clone().recipient(), ear.recipient());
    let config = Config {
        cluster: "birds".into(),
        host: HostId(id),
        incarnation: id,
        listen: address(id),
        secret: Secret::new(secret),
        tls: None,
        limits: Limits::default(),
    };
    let book = Rc::new(RefCell::new(Book::new()));
    // Outside a lesson: `os_seed()`.
    let seed = [u8::try_from(id).expect("a small number"); 32];
    (
        Links::new(config, pipe, local, Rc::clone(&book), seed),
        book,
    )
}

/// Leads to the other host, past the tap.
struct Pipe(Rc<RefCell<Option<Links>>>);

impl Dial for Pipe {
    fn dial(&self, _: &Address) -> Dialling {
        let other = self.0.borrow().clone().expect("only h1 dials");
        let (near, tap_near) = duplex(PIPE);
        let (tap_far, far) = duplex(PIPE);
        let (from_near, to_near) = split(tap_near);
        let (from_far, to_far) = split(tap_far);
        actix::spawn(tap("h1 -> h2", ["hello", "proof"], from_near, to_far));
        actix::spawn(tap(
            "h2 -> h1",
            ["hello", "verdict and proof"],
            from_far,
            to_near,
        ));
        other.accept(far, Bytes::new(), SocketAddr::from(([10, 0, 0, 1], 40_000)));
        Box::pin(async { Ok(Box::new(near) as BoxChannel) })
    }
}

/// Passes bytes on, and prints them.
async fn tap(
    way: &str,
    first: [&str; 2],
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) {
    let mut first = first.into_iter();
    let mut bytes = [0; PIPE];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let what = first.next().unwrap_or(match bytes[5] {
            0xf1 => "ping",
            0xf2 => "pong",
            0xf3 => "goodbye",
            _ => "message",
        });
        println!("{way}  {what}, {count} bytes");
        bytes[..count].chunks(WIDTH).for_each(dump);
        if to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
}

/// Bytes as numbers, and as the characters that some of them are.
fn dump(line: &[u8]) {
    let numbers: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    };
    let text: String = line.iter().map(shown).collect();
    println!(
        "  {:<width$}  {text}",
        numbers.join(" "),
        width = 3 * WIDTH - 1
    );
}
