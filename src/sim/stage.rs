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

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::rc::{Rc, Weak};
use std::time::Duration;

use actix::WeakRecipient;
use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ahead::Ahead;
use super::disk::{Disk, DiskConfig};
use super::nature::{Answer, Nature, Traffic};
use super::network::NetworkConfig;
use crate::actor::{
    self, Ask, Asks, Begins, Book, Carried, HostActor, Input, ReplyTo, Shell, Stop, Surroundings,
};
use crate::keep::Then;
use crate::message::{Envelope, Event, Message, Options, Reply, Request, Ticket};
use crate::node::{Host, HostConfig};
use crate::placement::HostId;
use crate::record::{Key, Now, Time};
use crate::store::{Op, Store, Usage};

/// The clients that wait for an answer.
type Clients = Rc<RefCell<BTreeMap<Ticket, ReplyTo>>>;

/// The hosts' actors, by their places; none for one that is down.
type Actors = Rc<RefCell<Vec<Option<Addr<HostActor>>>>>;

/// A host handled what it was given, and all its messages are in.
#[derive(Message)]
#[rtype(result = "()")]
struct Handled {
    place: u32,
    wake: Option<Time>,
}

/// Tell when all that is due by then has happened.
#[derive(Message)]
#[rtype(result = "()")]
struct RunUntil(u64, oneshot::Sender<()>);

/// Look whether there is something to do.
#[derive(Message)]
#[rtype(result = "()")]
struct Nudge;

/// The simulated network, clock and disks as one actor.
struct Director {
    nature: Rc<RefCell<Nature>>,
    book: Rc<RefCell<Book>>,
    actors: Actors,
    clients: Clients,
    start: Instant,
    /// An input has been given out and is not handled yet.
    busy: bool,
    timer: Option<(u64, SpawnHandle)>,
    waiting: Vec<RunUntil>,
    ahead: Ahead,
}

impl Actor for Director {
    type Context = Context<Self>;
}

impl Director {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Gives out the next input that is due, or rests until one is.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            return;
        }
        let mut nature = self.nature.borrow_mut();
        // The hosts themselves are out of sight here.
        self.ahead.step(&nature, |_, _| 0);
        let Some((place, happening)) = nature.next(self.elapsed()) else {
            drop(nature);
            return self.rest(ctx);
        };
        let input = nature.input(place, happening);
        drop(nature);
        self.give(place, input);
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "all else is for the host itself"
    )]
    fn give(&mut self, place: u32, input: Input) {
        self.busy = true;
        let actors = self.actors.borrow();
        let actor = actors.get(at(place)).and_then(Option::as_ref);
        let actor = actor.expect("nature speaks to those who are up");
        match input {
            // What is said to the host itself needs no looking up.
            Input::Receive(envelope) if !matches!(envelope.body, Message::Find { .. }) => {
                actor.do_send(envelope);
            }
            Input::Receive(envelope) => {
                let book = self.book.borrow();
                let line = book.listed(&envelope).expect("whoever is up is listed");
                line.do_send(envelope);
            }
            other => actor.do_send(other),
        }
    }

    /// All that was due has happened: clients hear, and the timer is set.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        for (ticket, answer) in nature.take_answers() {
            let client = self.clients.borrow_mut().remove(&ticket);
            if let (Some(client), Answer::Reply(reply)) = (client, answer) {
                client.send(reply);
            }
        }
        let now = nature.now_ms();
        for RunUntil(_, done) in self.waiting.extract_if(.., |until| until.0 <= now) {
            let _ = done.send(());
        }
        let waited = self.waiting.iter().map(|until| until.0).min();
        let due = nature.next_due().into_iter().chain(waited).min();
        drop(nature);
        self.arm(due, ctx);
    }

    fn arm(&mut self, due: Option<u64>, ctx: &mut Context<Self>) {
        let armed = self.timer.as_ref().map(|(at, _)| *at);
        if armed == due {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(due) = due else { return };
        let delay = Duration::from_millis(due.saturating_sub(self.elapsed()));
        let timer = ctx.run_later(delay, |director, ctx| {
            director.timer = None;
            director.pump(ctx);
        });
        self.timer = Some((due, timer));
    }
}

impl Handler<Envelope> for Director {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        let place = nature.known(envelope.from);
        nature.send(place, envelope);
    }
}

impl Handler<Handled> for Director {
    type Result = ();

    fn handle(&mut self, handled: Handled, ctx: &mut Context<Self>) {
        self.nature
            .borrow_mut()
            .settled(handled.place, handled.wake);
        self.busy = false;
        self.pump(ctx);
    }
}

impl Handler<Ask> for Director {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        if !self.busy {
            nature.catch_up(self.elapsed());
        }
        // A host that is not there answers nobody: the client sees its door closed.
        let Some(place) = nature.place(ask.host) else {
            return;
        };
        let ticket = nature.request(place, ask.request, ask.options);
        drop(nature);
        self.clients.borrow_mut().insert(ticket, ask.reply.into());
        self.pump(ctx);
    }
}

impl Handler<Asks> for Director {
    type Result = ();

    fn handle(&mut self, asks: Asks, ctx: &mut Context<Self>) {
        let mut nature = self.nature.borrow_mut();
        if !self.busy {
            nature.catch_up(self.elapsed());
        }
        let Some(place) = nature.place(asks.host) else {
            return;
        };
        for (reply, request, options) in asks.each() {
            let ticket = nature.request(place, request, options);
            self.clients.borrow_mut().insert(ticket, reply);
        }
        drop(nature);
        self.pump(ctx);
    }
}

impl Handler<RunUntil> for Director {
    type Result = ();

    fn handle(&mut self, until: RunUntil, ctx: &mut Context<Self>) {
        self.waiting.push(until);
        self.pump(ctx);
    }
}

impl Handler<Nudge> for Director {
    type Result = ();

    fn handle(&mut self, Nudge: Nudge, ctx: &mut Context<Self>) {
        self.pump(ctx);
    }
}

impl Handler<Stop> for Director {
    type Result = ();

    fn handle(&mut self, Stop: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// What a host finds around it on the stage.
struct Scenery {
    place: u32,
    nature: Rc<RefCell<Nature>>,
    director: Addr<Director>,
    clients: Clients,
}

impl Surroundings for Scenery {
    fn born(&mut self, _: WeakRecipient<Input>) {
        // The director has the address, and sends the start when it is due.
    }

    fn now(&self) -> Now {
        self.nature.borrow().now(self.place)
    }

    fn store(&mut self, op: Op, then: Then) {
        self.nature.borrow_mut().store(self.place, op, then);
    }

    fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        let ticket = self.nature.borrow_mut().open_ticket(self.place);
        self.clients.borrow_mut().insert(ticket, reply);
        ticket
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        self.nature.borrow_mut().answer(self.place, ticket, reply);
    }

    fn note(&mut self, event: Event) {
        self.nature.borrow_mut().note(self.place, &event);
    }

    /// In this world a panic is a crash: the others hear of it, and it is restarted by whoever plays.
    fn again(&mut self) -> Option<Begins> {
        self.nature.borrow_mut().crash(self.place, true);
        self.settled(None);
        None
    }

    fn settled(&mut self, wake: Option<Time>) {
        self.director.do_send(Handled {
            place: self.place,
            wake,
        });
    }
}

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
        let director = Director {
            nature: Rc::clone(&nature),
            book: Rc::clone(&book),
            actors: Rc::clone(&actors),
            clients: Rc::clone(&clients),
            start: Instant::now(),
            busy: false,
            timer: None,
            waiting: Vec::new(),
            ahead: Ahead::default(),
        }
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
        let (reply, answer) = oneshot::channel();
        self.director.do_send(Ask {
            host,
            request,
            options,
            reply,
        });
        answer.await.ok()
    }

    /// A client asks a host and does not wait; what it would hear is only in the trace.
    pub fn request(&self, host: HostId, request: Request, options: Options) {
        let (reply, _) = oneshot::channel();
        self.director.do_send(Ask {
            host,
            request,
            options,
            reply,
        });
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

fn at(place: u32) -> usize {
    usize::try_from(place).expect("a place in a table in memory")
}
