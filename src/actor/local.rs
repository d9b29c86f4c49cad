//! The real surroundings of a host in this process: tokio's clock and a store that answers at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use actix::{Addr, WeakRecipient};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::book::Book;
use super::falls::Falls;
use super::input::{Input, ReplyTo};
use super::node::{HostActor, start};
use super::shell::Shell;
use super::surroundings::{Begins, Surroundings};
use crate::keep::Then;
use crate::message::{Event, Reply, Ticket};
use crate::node::{Host, HostConfig};
use crate::placement::HostId;
use crate::record::{Now, Time, WallMs};
use crate::store::{Done, Op, Store, Usage};

/// Monotonic time by tokio's clock, which tests may pause; wall time by the system's, which may be set, forwards and
/// backwards, at any moment: a host must see that, or a clock that was wrong at its start stays wrong until its end.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: Wall,
}

/// Where wall time comes from.
#[derive(Clone, Copy, Debug)]
enum Wall {
    System,
    /// This at the start, and carried on by monotonic time.
    Since(WallMs),
}

impl Clock {
    /// A clock that begins at this wall time, now, and is never set.
    #[must_use]
    pub fn beginning(wall: WallMs) -> Clock {
        Clock {
            start: Instant::now(),
            wall: Wall::Since(wall),
        }
    }

    /// A clock that goes by the system's.
    #[must_use]
    pub fn system() -> Clock {
        Clock {
            start: Instant::now(),
            wall: Wall::System,
        }
    }

    /// What time is it?
    #[must_use]
    pub fn now(&self) -> Now {
        let at = Time::ZERO + self.start.elapsed();
        let wall = match self.wall {
            Wall::System => system_wall(),
            Wall::Since(wall) => WallMs(wall.0.saturating_add(at.as_ms())),
        };
        Now { at, wall }
    }

    /// The moment tokio's clock shows this time.
    fn instant(&self, at: Time) -> Instant {
        self.start + at.since(Time::ZERO)
    }
}

/// What the system's clock shows; before 1970 it is not set.
#[expect(
    clippy::disallowed_methods,
    reason = "the real surroundings have a real clock"
)]
fn system_wall() -> WallMs {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Starts a host in this process, on the arbiter of the caller: its actor, and what they share.
pub fn open(
    config: HostConfig,
    store: Box<dyn Store>,
    clock: Clock,
    book: &Rc<RefCell<Book>>,
) -> (Addr<HostActor>, Weak<RefCell<Shell>>) {
    let host = Host::new(config.clone(), &|name| store.setting(name));
    let local = Local::new(config.host, clock, store).again_as(config);
    let shell = Shell::new(host, Box::new(local), Rc::clone(book));
    let watch = Rc::downgrade(&shell);
    (start(shell, book), watch)
}

/// A timer under way.
struct Timer {
    /// When it rings next; none once it has rung for the last time.
    rings: Rc<Cell<Option<Time>>>,
    task: JoinHandle<()>,
}

/// The surroundings of one host, and its one timer.
pub struct Local {
    host: HostId,
    clock: Clock,
    store: Box<dyn Store>,
    /// The host's actor. Weak: it owns the shell that owns this.
    actor: Option<WeakRecipient<Input>>,
    /// The ticket given out last: it mostly is the next that is answered.
    latest: Option<(Ticket, ReplyTo)>,
    tickets: BTreeMap<Ticket, ReplyTo>,
    next_ticket: u64,
    /// When the host wants to be woken, as its timer sees it.
    wanted: Rc<Cell<Option<Time>>>,
    timer: Option<Timer>,
    /// As what it begins again after a panic.
    config: Option<HostConfig>,
    falls: Falls,
    /// Whether its store may have lost writes that it had confirmed.
    lost: bool,
}

impl Local {
    /// Surroundings for a host with that store.
    #[must_use]
    pub fn new(host: HostId, clock: Clock, store: Box<dyn Store>) -> Local {
        Local {
            host,
            clock,
            store,
            actor: None,
            latest: None,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            wanted: Rc::default(),
            timer: None,
            config: None,
            falls: Falls::default(),
            lost: false,
        }
    }

    /// The same, and a host that has panicked begins a new life from its records: three times a minute at
    /// most, then it stays down.
    #[must_use]
    pub fn again_as(mut self, config: HostConfig) -> Local {
        self.config = Some(config);
        self
    }

    /// The same, for a store that may have lost writes it had confirmed: see [`Input::Start`].
    #[must_use]
    pub fn that_may_have_lost(mut self, lost: bool) -> Local {
        self.lost = lost;
        self
    }

    /// Tells the host's actor, after all that it was told before.
    fn tell(&self, input: Input) {
        if let Some(actor) = self.actor.as_ref().and_then(WeakRecipient::upgrade) {
            actor.do_send(input);
        }
    }
}

impl Surroundings for Local {
    fn born(&mut self, actor: WeakRecipient<Input>) {
        self.actor = Some(actor);
        self.tell(Input::Start { lost: self.lost });
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn store(&mut self, op: Op, then: Then) -> Option<(Done, Then)> {
        Some((self.store.apply(op), then))
    }

    fn store_at_once(&mut self, op: &mut Option<Op>) -> Option<Done> {
        op.take().map(|op| self.store.apply(op))
    }

    fn ticket(&mut self, reply: ReplyTo) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.tickets.extend(self.latest.replace((ticket, reply)));
        ticket
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        let latest = self.latest.take_if(|(latest, _)| *latest == ticket);
        let waiting = latest.map(|(_, waiting)| waiting);
        if let Some(waiting) = waiting.or_else(|| self.tickets.remove(&ticket)) {
            waiting.send(reply);
        }
    }

    fn note(&mut self, event: Event) {
        log::debug!("{} {event}", self.host);
    }

    fn forget(&mut self) {
        self.settled(None);
        self.latest = None;
        self.tickets.clear();
    }

    fn again(&mut self) -> Option<Begins> {
        let may = self.falls.may_begin_again(self.clock.now().at);
        let config = self.config.clone().filter(|_| may)?;
        let host = Host::new(config, &|name| self.store.setting(name));
        Some(Box::pin(std::future::ready(Some(host))))
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }

    fn settled(&mut self, wake: Option<Time>) {
        self.wanted.set(wake);
        let rings = self.timer.as_ref().and_then(|timer| timer.rings.get());
        let (Some(at), Some(actor)) = (wake, self.actor.clone()) else {
            return;
        };
        // With each request the next deadline moves. A timer that rings too early looks again; only one that
        // would ring too late is set anew.
        if rings.is_some_and(|rings| rings <= at) {
            return;
        }
        if let Some(timer) = self.timer.take() {
            timer.task.abort();
        }
        let rings = Rc::new(Cell::new(Some(at)));
        // Beside the actor, not inside it: an actor looks at each of its timers for every message.
        let task = ring(
            Rc::clone(&rings),
            Rc::clone(&self.wanted),
            self.clock,
            actor,
        );
        let task = actix::spawn(task);
        self.timer = Some(Timer { rings, task });
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.task.abort();
        }
    }
}

/// Wakes a host at the time it wants by then.
async fn ring(
    rings: Rc<Cell<Option<Time>>>,
    wanted: Rc<Cell<Option<Time>>>,
    clock: Clock,
    actor: WeakRecipient<Input>,
) {
    while let Some(at) = rings.get() {
        tokio::time::sleep_until(clock.instant(at)).await;
        let later = wanted.get().filter(|wanted| *wanted > at);
        let now = wanted.get().is_some() && later.is_none();
        rings.set(later);
        if let Some(actor) = actor.upgrade().filter(|_| now) {
            actor.do_send(Input::Wake);
        }
    }
}
