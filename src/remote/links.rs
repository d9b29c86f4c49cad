//! The handle by which a server keeps its host in touch with others.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::config::Config;
use super::error::LinkError;
use super::hub::Hub;
use super::inbound;
use super::link::{Phase, Sent};
use super::local::LocalHost;
use super::outbound;
use super::stream::{Channel, Dial};
use crate::actor::Book;
use crate::placement::HostId;

/// How often it is looked whether what waits has been sent, when closing.
const CLOSE_TICK: Duration = Duration::from_millis(5);

/// A pause after the system gave no further connection, for instance for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who was met at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The host.
    pub host: HostId,
    /// Its life.
    pub incarnation: u64,
    /// Where it says it listens.
    pub listen: Option<Address>,
}

/// How one link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// To whom.
    pub host: HostId,
    /// Whether it is connected.
    pub is_up: bool,
    /// Its newest known life; 0 if none is known.
    pub incarnation: u64,
    /// Where it may be, the last seen place first.
    pub addresses: Vec<Address>,
    /// Messages that wait to be sent.
    pub waiting_messages: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// What it has done so far.
    pub sent: Sent,
}

/// All links of one host. A handle: clones are the same links. They live on the arbiter on which they were
/// made, until [`close`](Links::close).
#[derive(Clone)]
pub struct Links {
    hub: Rc<Hub>,
}

impl Links {
    /// Links for a host. Lines to others are put into `book` as they become known. `seed` must be 32 bytes that
    /// nobody can guess ([`os_seed`](super::os_seed)): nonces come from it.
    #[must_use]
    pub fn new(
        config: Config,
        dial: impl Dial + 'static,
        host: impl Into<LocalHost>,
        book: Rc<RefCell<Book>>,
        seed: [u8; 32],
    ) -> Links {
        let chance = ChaCha8Rng::from_seed(seed);
        let hub = Hub::new(config, Box::new(dial), host.into(), book, chance);
        Links { hub: Rc::new(hub) }
    }

    /// That host listens there, in that life (0: whichever). From now on the book has a line to it. If it was
    /// down it is dialled at once; if a connection leads to an earlier life of it, that one ends.
    pub fn know(&self, host: HostId, address: &Address, incarnation: u64) {
        self.hub.learn(host, Some(address), incarnation);
    }

    /// Where a host is reached, this one or another, if that is known.
    #[must_use]
    pub fn address(&self, host: HostId) -> Option<Address> {
        if host == self.hub.config.host {
            return Some(self.hub.config.listen.clone());
        }
        self.hub.addresses(host).into_iter().next()
    }

    /// How often this host has dialled itself: who is met as itself without that is another process with its identity.
    #[must_use]
    pub fn own_dials(&self) -> u64 {
        self.hub.own_dials()
    }

    /// Says, once and loudly, that another process there has the identity of this host.
    pub fn has_double(&self, at: &Address) {
        self.hub.has_double(Some(at));
    }

    /// Sees who lives at an address, a seed's for instance, and remembers it.
    ///
    /// # Errors
    /// [`LinkError`] says why nobody was met.
    pub async fn meet(&self, address: &Address) -> Result<Met, LinkError> {
        let (stream, peer) = outbound::reach(&self.hub, address, None).await?;
        outbound::part(stream).await;
        Ok(Met {
            host: peer.host,
            incarnation: peer.incarnation,
            listen: peer.listen,
        })
    }

    /// A host is gone for good: its line is struck out of the book, and whatever is under way to it is lost.
    pub fn forget(&self, host: HostId) {
        self.hub.forget(host, LinkError::Forgotten);
    }

    /// Takes a connection on which somebody has knocked. `prefix` is what was read from it already. Returns at
    /// once; whoever is refused is closed, and the log says why, once.
    pub fn accept(&self, stream: impl Channel + 'static, prefix: Bytes, from: SocketAddr) {
        if self.hub.stopped.get() {
            return;
        }
        let Some(shaking) = self.hub.begin_handshake() else {
            let mut said = self.hub.said.borrow_mut();
            return said.refused(from.ip(), &LinkError::Crowded);
        };
        let hub = Rc::clone(&self.hub);
        actix::spawn(inbound::receive(hub, stream, prefix, from.ip(), shaking));
    }

    /// Takes every connection of a port that belongs to the hosts alone, until the links are closed.
    pub async fn listen(&self, listener: TcpListener) {
        while !self.hub.stopped.get() {
            match listener.accept().await {
                Ok((stream, from)) => {
                    // Without it small answers wait for larger ones; a stream that refuses is gone already.
                    let _ = stream.set_nodelay(true);
                    self.accept(stream, Bytes::new(), from);
                }
                Err(error) => {
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        log::warn!("no connection can be taken: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    /// How each link is, in order of the hosts.
    #[must_use]
    pub fn status(&self) -> Vec<LinkStatus> {
        let links = self.hub.links.borrow();
        let directory = self.hub.directory.borrow();
        let status = links.values().map(|link| {
            let known = directory.get(link.host).cloned().unwrap_or_default();
            let (waiting_bytes, waiting_messages) = link.outbox.borrow().waiting();
            LinkStatus {
                host: link.host,
                is_up: link.phase.get() == Phase::Up,
                incarnation: known.incarnation,
                addresses: known.addresses,
                waiting_messages,
                waiting_bytes,
                sent: link.sent.get(),
            }
        });
        status.collect()
    }

    /// How many connections from elsewhere came to nothing.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.hub.said.borrow().total()
    }

    /// Handshakes under way.
    #[must_use]
    pub fn handshakes(&self) -> usize {
        self.hub.shaking.get()
    }

    /// Sends what waits, says goodbye, and ends every connection; those that are not done within `patience`
    /// are broken off. Nothing can be sent or received afterwards.
    pub async fn close(&self, patience: Duration) {
        let hub = &self.hub;
        hub.stopped.set(true);
        let links: Vec<_> = hub.links.borrow().values().cloned().collect();
        for link in &links {
            link.closing.set(true);
            link.work.notify_one();
            link.redial.notify_one();
        }
        let until = Instant::now() + patience;
        while Instant::now() < until && links.iter().any(|link| link.is_busy()) {
            sleep(CLOSE_TICK).await;
        }
        hub.end_inbound();
        for link in links {
            hub.forget(link.host, LinkError::Stopped);
        }
    }
}
