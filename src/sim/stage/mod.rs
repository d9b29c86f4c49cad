//! The same world, played by actix actors under tokio's clock.
//!
//! ```text
//!   HostActor, NodeActor … ──Envelope──> Director { Nature, one timer }
//!            <──one input at a time────────┘
//!            ──Handled(next wake)──────────>  only then the next
//! ```
//!
//! Equal deadlines fire in tokio's own order, so the order of things is not left to tokio: the director
//! keeps the one queue, and hands out one input at a time. It waits until that is handled, with all its
//! messages in, before it takes the next. Tokio's clock says *when*, the queue says *in which order*.

//!
//! The director has a room of its own, and so has what a host finds around it (`scenery`); here is what whoever
//! plays can do.

mod director;
mod scenery;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::rc::{Rc, Weak};

use actix::prelude::*;
use tokio::sync::oneshot;

use super::disk::{Disk, DiskConfig};
use super::nature::{Nature, Traffic};
use super::network::NetworkConfig;
use super::slab::at;
use crate::actor::{self, Ask, Asks, Book, Carried, HostActor, Input, ReplyTo, Shell, Stop};
use crate::message::{Options, Reply, Request, Ticket};
use crate::node::{Host, HostConfig};
use crate::placement::HostId;
use crate::record::{Key, Time};
use crate::store::{Store, Usage};

use director::{Director, Nudge, RunUntil};
use scenery::Scenery;

/// The clients that wait for an answer.
type Clients = Rc<RefCell<BTreeMap<Ticket, ReplyTo>>>;

/// The hosts' actors, by their places; none for one that is down.
type Actors = Rc<RefCell<Vec<Option<Addr<HostActor>>>>>;

/// A world of actors, on the arbiter of the caller. See [`World`](super::World) for the same without.
///
/// Under a paused clock (see [`paused`]) it runs as fast as it can, and gives the same trace as a
/// `World` to which the same things were done at the same times. Under a real clock it takes real time.
/// What is not `async` here takes effect at once, and should be called when nothing is due: after
/// [`Stage::run_until`] or an answer.
pub struct Stage {
    nature: Rc<RefCell<Nature>>,
    book: Rc<RefCell<Book>>,
    actors: Actors,
    shells: BTreeMap<u32, Weak<RefCell<Shell>>>,
    configs: BTreeMap<u32, HostConfig>,
    clients: Clients,
    director: Addr<Director>,
}

impl Stage {
    /// An empty stage. Call it inside an actix system.
    #[must_use]
    pub fn new(seed: u64, network: NetworkConfig) -> Stage {
        let nature = Rc::new(RefCell::new(Nature::new(seed, network)));
        let book = Rc::new(RefCell::new(Book::new()));
        let actors = Actors::default();
        let clients = Clients::default();
        let director = Director::new(
            Rc::clone(&nature),
            Rc::clone(&book),
            Rc::clone(&actors),
            Rc::clone(&clients),
        )
        .start();
        book.borrow_mut()
            .set_network(Some(director.clone().recipient()));
        let (shells, configs) = (BTreeMap::new(), BTreeMap::new());
        Stage {
            nature,
            book,
            actors,
            shells,
            configs,
            clients,
            director,
        }
    }

    /// Writes the trace there from now on; `None`: nowhere.
    pub fn trace(&mut self, out: Option<Box<dyn Write>>) {
        self.nature.borrow_mut().trace.set(out);
    }

    /// A new host with that store, and starts it.
    pub fn add_host(&mut self, config: HostConfig, store: Box<dyn Store>) -> HostId {
        self.add_host_on(config, DiskConfig::default(), store)
    }

    /// A new host whose store lies behind a disk of that kind, and starts it.
    pub fn add_host_on(
        &mut self,
        config: HostConfig,
        disk: DiskConfig,
        store: Box<dyn Store>,
    ) -> HostId {
        let id = config.host;
        let place = self.nature.borrow_mut().add(id, Disk::new(disk, store));
        self.configs.insert(place, config);
        self.start(place);
        id
    }

    fn start(&mut self, place: u32) {
        let config = self.configs[&place].clone();
        let host = {
            let mut nature = self.nature.borrow_mut();
            let disk = nature.disk(place);
            Host::new(config, &|name| disk.setting(name))
        };
        let scenery = Scenery {
            place,
            nature: Rc::clone(&self.nature),
            director: self.director.clone(),
            clients: Rc::clone(&self.clients),
        };
        let shell = Shell::new(host, Box::new(scenery), Rc::clone(&self.book));
        self.shells.insert(place, Rc::downgrade(&shell));
        let actor = actor::start(shell, &self.book);
        let mut actors = self.actors.borrow_mut();
        let most = actors.len().max(at(place) + 1);
        actors.resize(most, None);
        actors[at(place)] = Some(actor);
        drop(actors);
        self.nature.borrow_mut().start(place);
        self.director.do_send(Nudge);
    }

    /// The host's process ends without a word; its disk keeps what a power cut would leave.
    pub fn crash(&mut self, host: HostId) {
        let place = self.known(host);
        self.nature.borrow_mut().crash(place, true);
        self.dismiss(place);
        self.director.do_send(Nudge);
    }

    /// Ends the actors of a host.
    fn dismiss(&mut self, place: u32) {
        if let Some(shell) = self.shells.remove(&place).and_then(|shell| shell.upgrade()) {
            shell.borrow_mut().close();
        }
        let mut actors = self.actors.borrow_mut();
        if let Some(actor) = actors.get_mut(at(place)).and_then(Option::take) {
            actor.do_send(Stop);
        }
    }

    /// Starts a crashed host again, with what its disk kept.
    pub fn restart(&mut self, host: HostId) {
        self.start(self.known(host));
    }

    /// Ends every actor. What was a ring of addresses is none any more.
    pub fn stop(mut self) {
        let places: Vec<u32> = self.shells.keys().copied().collect();
        for place in places {
            self.dismiss(place);
        }
        self.book.borrow_mut().set_network(None);
        self.clients.borrow_mut().clear();
        self.director.do_send(Stop);
    }

    /// Looks at a host that is up.
    pub fn with_host<T>(&self, host: HostId, look: impl FnOnce(&Host) -> T) -> Option<T> {
        let place = self.nature.borrow().place(host)?;
        let shell = self.shells.get(&place)?.upgrade()?;
        let seen = look(shell.borrow().host());
        Some(seen)
    }

    /// By which addresses a host's messages left.
    #[must_use]
    pub fn carried(&self, host: HostId) -> Carried {
        let shell = self.shells.get(&self.known(host)).and_then(Weak::upgrade);
        shell.map_or_else(Carried::default, |shell| shell.borrow().carried())
    }

    /// Tells a host something, as the next thing that happens to it now; to one that is down, nothing.
    pub fn tell(&mut self, host: HostId, input: Input) {
        let place = self.known(host);
        let mut nature = self.nature.borrow_mut();
        if nature.is_up(place) {
            nature.tell(place, input);
            self.director.do_send(Nudge);
        }
    }

    /// Asks a host and waits for the answer; `None` if it crashes first.
    pub async fn ask(&self, host: HostId, request: Request, options: Options) -> Option<Reply> {
        self.put(host, request, options).await.ok()
    }

    /// A client asks a host and does not wait; what it would hear is only in the trace.
    pub fn request(&self, host: HostId, request: Request, options: Options) {
        drop(self.put(host, request, options));
    }

    fn put(&self, host: HostId, request: Request, options: Options) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        self.director.do_send(Ask {
            host,
            request,
            options,
            reply,
        });
        answer
    }

    /// The door of this world for clients: takes requests to any of its hosts.
    #[must_use]
    pub fn door(&self) -> Recipient<Ask> {
        self.director.clone().recipient()
    }

    /// The same door, for many requests in one message.
    #[must_use]
    pub fn door_for_many(&self) -> Recipient<Asks> {
        self.director.clone().recipient()
    }

    /// Waits until all that is due by that time has happened.
    pub async fn run_until(&self, time: Time) {
        let (done, told) = oneshot::channel();
        self.director.do_send(RunUntil(time.as_ms(), done));
        // Only a stage that has stopped does not answer, and then nothing more is due.
        let _ = told.await;
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_ms(self.nature.borrow().now_ms())
    }

    /// How many messages have reached a host, in all.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.nature.borrow().delivered()
    }

    /// How much a host has said and heard.
    #[must_use]
    pub fn traffic(&self, host: HostId) -> Traffic {
        self.nature.borrow().traffic(self.known(host))
    }

    /// What a host keeps, crashed or not.
    #[must_use]
    pub fn usage(&self, host: HostId) -> Usage {
        let place = self.known(host);
        self.nature.borrow_mut().disk(place).store.usage()
    }

    /// Whether a host is up.
    #[must_use]
    pub fn is_up(&self, host: HostId) -> bool {
        let nature = self.nature.borrow();
        nature.place(host).is_some_and(|place| nature.is_up(place))
    }

    /// Whether a host's store has a value, or a tombstone, under a key.
    #[must_use]
    pub fn holds(&self, host: HostId, key: &Key) -> bool {
        let place = self.known(host);
        self.nature.borrow_mut().holds(place, key)
    }

    /// Loses everything between the first hosts and the second, until [`Stage::heal`].
    pub fn cut(&mut self, some: &[HostId], others: &[HostId]) {
        let mut nature = self.nature.borrow_mut();
        nature.cut(some, others);
        nature.cut(others, some);
    }

    /// Ends every cut.
    pub fn heal(&mut self) {
        self.nature.borrow_mut().heal();
    }

    fn known(&self, host: HostId) -> u32 {
        self.nature.borrow().known(host)
    }
}

/// An actix system whose clock stands still and jumps to the next timer when everyone rests: virtual
/// time for actors.
///
/// # Panics
/// If the operating system gives no event queue.
pub fn paused() -> actix::SystemRunner {
    System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without input and output needs nothing that could be missing")
    })
}
