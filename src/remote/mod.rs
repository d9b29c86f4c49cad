//! How does a message reach a host on another machine?
//!
//! A neighbour elsewhere is a line in the book like any other: a `Recipient<Envelope>`. Behind it is a link.
//!
//! ```text
//!   h1                                                              h2
//!   node ──Envelope──> line ─> queue ─> frames ── TCP ──> frames ─> host actor ─> nodes
//!                                8 MiB at most     <── pongs only       a window at a time
//!
//!   h1 ── d5 52 44 4c 01 …  "tern", h1, wants h2, life 3, nonce a ──> h2
//!      <── d5 52 44 4c 01 … "tern", h2, life 8, nonce b ──
//!      ── 32 bytes that only one who knows the secret can make of a and b ──>
//!      <── 00, and 32 others ──                                      only now is a message decoded
//!      ── 00 00 00 1e 01 07 … ──>                                    a gossip of 34 bytes
//! ```
//!
//! A connection is *simplex*: the dialler sends messages, the acceptor says only that it is still there. Two
//! hosts that speak to each other have two connections, and never need to agree which one to keep.
//!
//! *Hold these true*: from one life of a host to another messages arrive in order, each at most once; whatever
//! may have been lost on a link is followed by [`HostDown`](crate::actor::Input::HostDown); nothing that an
//! unproven peer sends is decoded but one hello of at most a kilobyte; every queue is bounded, and so is what a
//! peer can make this host remember; a slow host slows its senders, a stopped one costs them one queue.
//!
//! ```
//! # use std::{cell::RefCell, rc::Rc, time::Duration};
//! use roundelay::remote::{Address, Config, Limits, Links, Secret, TcpDial, os_seed};
//! # use roundelay::actor::{Book, Clock, Stop, open};
//! # use roundelay::{node::HostConfig, placement::HostId, store::MemoryStore};
//! # use tokio::net::TcpListener;
//! # actix::System::new().block_on(async {
//! # let mut ends = Vec::new();
//! # let mut addresses = Vec::new();
//! // Twice, in two processes; here h1 and h2 in one.
//! # for id in [1, 2] {
//! let book = Rc::new(RefCell::new(Book::new()));
//! let host = HostConfig::new(HostId(id), 7);
//! let (actor, shell) = open(host, Box::new(MemoryStore::new()), Clock::system(), &book);
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let listen = Address::from(listener.local_addr()?);
//! let config = Config {
//!     cluster: "tern".into(),
//!     host: HostId(id),
//!     incarnation: 1,
//!     listen: listen.clone(),
//!     secret: Secret::new("only we know"),
//!     tls: None,
//!     limits: Limits::default(),
//! };
//! let links = Links::new(config, TcpDial, shell, Rc::clone(&book), os_seed());
//! let port = links.clone();
//! actix::spawn(async move { port.listen(listener).await });
//! # addresses.push(listen);
//! # ends.push((links, actor, book));
//! # }
//! // h1 knows a seed's address, and learns who lives there. From then on its book has a line to h2.
//! # let (links, _, book) = &ends[0];
//! let met = links.meet(&addresses[1]).await?;
//! assert_eq!(met.host, HostId(2));
//! assert_eq!(links.status()[0].host, HostId(2));
//! // When it ends: what waits is sent, then goodbye is said.
//! links.close(Duration::from_secs(1)).await;
//! # for (links, actor, _) in ends {
//! #     links.close(Duration::from_secs(1)).await;
//! #     actor.do_send(Stop);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! A server whose port speaks several languages looks at the first bytes: [`MAGIC`] begins a host's connection
//! ([`TLS_FIRST_BYTE`] if the hosts use TLS), and it hands over stream and bytes with [`Links::accept`].
//!
//! Left out on purpose: acknowledgements and sending again (the hosts ask again, and know what is the same
//! twice); a check on each message (TCP has one, TLS a better one); hiding what is said from who reads along, and
//! keeping him from joining in once a handshake is done: that is what TLS is for.

mod address;
mod config;
mod directory;
mod error;
mod frames;
mod handshake;
mod hello;
mod hub;
mod inbound;
mod link;
mod links;
mod local;
mod outbound;
mod outbox;
mod proof;
mod pulse;
mod said;
mod stream;
mod tls;

pub use address::{Address, AddressError, MAX_ADDRESS_BYTES};
pub use config::{Config, Limits, MAX_CLUSTER_BYTES};
pub use error::{LinkError, Refusal};
pub use hello::{MAGIC, MAX_HANDSHAKE_BYTES, PROTOCOL};
pub use link::Sent;
pub use links::{LinkStatus, Links, Met};
pub use local::LocalHost;
pub use proof::Secret;
pub use stream::{BoxChannel, Channel, Dial, Dialling, TcpDial};
pub use tls::{TLS_FIRST_BYTE, Tls, TlsError};

/// 32 bytes of the operating system's chance, for [`Links::new`].
///
/// # Panics
/// If the operating system has none: nothing that follows would be safe.
#[must_use]
pub fn os_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let chance = rustls::crypto::ring::default_provider().secure_random;
    chance
        .fill(&mut seed)
        .expect("the operating system gives random bytes");
    seed
}
