//! The door itself: takes connections, listens to the first bytes, hands on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::clients::{Behind, Clients};
use super::serve::{bid_farewell, serve};
use super::settings::DoorSettings;
use super::sniff::{Speaks, sniff};

/// After the system refused a connection (too many open files, say), so long until the next is taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Anything bytes can be read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Somebody at the door.
pub struct Guest {
    /// The connection.
    pub stream: Box<dyn Stream>,
    /// What has been read of it already.
    pub prefix: BytesMut,
    /// Where it comes from.
    pub from: SocketAddr,
    /// The address of ours it came to, if that is known.
    pub to: Option<SocketAddr>,
}

/// Serves a connection to its end.
pub type Handler = Rc<dyn Fn(Guest) -> Pin<Box<dyn Future<Output = ()>>>>;

/// Who serves those that are no clients of Redis's protocol. Without a handler they are told so and closed.
#[derive(Clone, Default)]
pub struct Handlers {
    /// HTTP.
    pub http: Option<Handler>,
    /// Other hosts, and the bytes with which they begin.
    pub peers: Option<(&'static [u8], Handler)>,
    /// TLS. What is inside may be given to [`Door::receive`] again.
    pub tls: Option<Handler>,
}

/// One port, and what stands behind it.
pub struct Door {
    clients: Rc<Clients>,
    handlers: RefCell<Handlers>,
    /// Connections that have not said yet what they are, by age; letting go of one closes it.
    unknown: RefCell<BTreeMap<u64, oneshot::Sender<()>>>,
    last: Cell<u64>,
}

impl Door {
    /// A door before a host.
    #[must_use]
    pub fn new(behind: Behind, settings: DoorSettings) -> Rc<Door> {
        Rc::new(Door {
            clients: Rc::new(Clients::new(behind, settings)),
            handlers: RefCell::default(),
            unknown: RefCell::default(),
            last: Cell::new(0),
        })
    }

    /// Other handlers from now on.
    pub fn set_handlers(&self, handlers: Handlers) {
        *self.handlers.borrow_mut() = handlers;
    }

    /// How many clients are connected.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Takes every connection that comes, until the listener is dropped with this future. Needs an actix
    /// system or a `LocalSet`.
    pub async fn listen(self: Rc<Door>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    // Answers are small and awaited; without this they would be held back.
                    let _ = stream.set_nodelay(true);
                    let door = Rc::clone(&self);
                    let to = stream.local_addr().ok();
                    tokio::task::spawn_local(door.welcome(Box::new(stream), from, to));
                }
                Err(error) => {
                    log::warn!("no connection could be taken: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Listens to the first bytes of a connection, and serves it to its end.
    pub async fn receive(self: Rc<Door>, stream: Box<dyn Stream>, from: SocketAddr) {
        self.welcome(stream, from, None).await;
    }

    async fn welcome(
        self: Rc<Door>,
        stream: Box<dyn Stream>,
        from: SocketAddr,
        to: Option<SocketAddr>,
    ) {
        let prefix = BytesMut::new();
        let mut guest = Guest {
            stream,
            prefix,
            from,
            to,
        };
        let magic = self
            .handlers
            .borrow()
            .peers
            .as_ref()
            .map_or(&b""[..], |peers| peers.0);
        let (number, mut closed) = self.stand();
        let speaks = {
            let mut listening = pin!(self.listen_to(&mut guest, magic));
            poll_fn(|cx| match listening.as_mut().poll(cx) {
                Poll::Pending if Pin::new(&mut closed).poll(cx).is_ready() => {
                    log::debug!("{from} said nothing, and others wait: closed");
                    Poll::Ready(None)
                }
                told @ (Poll::Ready(_) | Poll::Pending) => told,
            })
            .await
        };
        self.unknown.borrow_mut().remove(&number);
        if let Some(speaks) = speaks {
            self.hand_on(speaks, guest).await;
        }
    }

    /// A place among those who have not said what they are. If there are too many, the oldest has to go.
    fn stand(&self) -> (u64, oneshot::Receiver<()>) {
        let number = self.last.get() + 1;
        self.last.set(number);
        let (keep, closed) = oneshot::channel();
        let mut unknown = self.unknown.borrow_mut();
        if unknown.len() >= self.clients.settings.max_unknown {
            unknown.pop_first();
        }
        unknown.insert(number, keep);
        (number, closed)
    }

    /// What it speaks; none if it went, or was too slow.
    async fn listen_to(&self, guest: &mut Guest, magic: &[u8]) -> Option<Speaks> {
        let settings = &self.clients.settings;
        let from = guest.from;
        let first = guest.stream.read_buf(&mut guest.prefix);
        match timeout(settings.first_byte, first).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return None,
            Err(_) => {
                log::debug!("{from} said nothing: closed");
                return None;
            }
        }
        let rest = async {
            loop {
                if let Some(speaks) = sniff(&guest.prefix, magic) {
                    return Some(speaks);
                }
                match guest.stream.read_buf(&mut guest.prefix).await {
                    Ok(1..) => {}
                    // Whoever says "GET" and no more may have meant a command.
                    Ok(0) => return Some(Speaks::Resp),
                    Err(_) => return None,
                }
            }
        };
        match timeout(settings.sniff, rest).await {
            Ok(speaks) => speaks,
            Err(_) => {
                log::debug!("{from} did not say what it is in time: closed");
                None
            }
        }
    }

    async fn hand_on(self: Rc<Door>, speaks: Speaks, mut guest: Guest) {
        let handlers = self.handlers.borrow().clone();
        let (handler, farewell): (Option<Handler>, &[u8]) = match speaks {
            Speaks::Resp => return serve(Rc::clone(&self.clients), guest).await,
            Speaks::Http => (handlers.http, NO_HTTP),
            Speaks::Tls => (handlers.tls, NO_TLS),
            Speaks::Peers => (handlers.peers.map(|(_, handler)| handler), b""),
            Speaks::Unknown => (None, UNKNOWN),
        };
        match handler {
            Some(handler) => handler(guest).await,
            None => {
                let begins = guest.prefix.get(..8).unwrap_or(&guest.prefix);
                log::info!(
                    "{} speaks {speaks:?}, which is not served here: it begins {}",
                    guest.from,
                    begins.escape_ascii()
                );
                bid_farewell(&mut guest.stream, farewell).await;
            }
        }
    }
}

const NO_HTTP: &[u8] = b"HTTP/1.1 501 Not Implemented\r\n\
content-type: text/plain\r\n\
content-length: 70\r\n\
connection: close\r\n\
\r\n\
This is a Roundelay host. HTTP is not served yet: use a Redis client.\n";

/// The alert that ends a handshake: a client says that it failed, instead of waiting.
const NO_TLS: &[u8] = &[21, 3, 1, 0, 2, 2, 40];

const UNKNOWN: &[u8] =
    b"-ERR Protocol error: this port speaks RESP, HTTP and its hosts' own language; this is none of them\r\n";
