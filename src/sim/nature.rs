//! What is there besides the hosts?
//!
//! Time, the network, the disks, chance: all that both drivers share. A driver asks
//! [`Nature::next`] what happens next and to whom, lets that host think, and gives the effects back.
//!
//! ```text
//!              next ──> (host, Input) ──> Host ──> effects
//!   Nature  <────────────────────────────────────────┘
//! ```
//!
//! So the plain loop and the actors run the same world, and make the same trace.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::disk::Disk;
use super::network::{Network, NetworkConfig};
use super::queue::Queue;
use super::slab::Slab;
use super::trace::Trace;
use super::watch::Watch;
use crate::actor::{Collected, Input};
use crate::keep::Then;
use crate::message::{Envelope, Options, Reply, Request, Ticket};
use crate::placement::HostId;
use crate::record::{Key, Now, Time, WallMs};
use crate::store::{Done, Op};
use crate::wire;

/// The wall time at which every world begins: 14 November 2023.
pub const WALL_AT_START: WallMs = WallMs(1_700_000_000_000);

/// Something that falls due. Small: most wait for a second, and there are some for each host.
enum Occurrence {
    /// A message arrives.
    Arrival { from: u32, to: u32, letter: Letter },
    /// A host wanted to be woken.
    Alarm { site: u32 },
    /// The oldest operation of that life's disk queue is done.
    DiskDone { site: u32, life: u32 },
    /// A host is told something, by a client or by the world.
    Tell {
        site: u32,
        life: u32,
        input: Box<Input>,
    },
    /// All hear that a host has crashed (or is back), unless it has changed again.
    Rumour { about: u32, life: u32 },
}

impl Occurrence {
    /// The place of the host it happens to.
    const fn place(&self) -> u32 {
        match self {
            Occurrence::Arrival { to, .. } => *to,
            Occurrence::Alarm { site }
            | Occurrence::DiskDone { site, .. }
            | Occurrence::Tell { site, .. } => *site,
            Occurrence::Rumour { about, .. } => *about,
        }
    }
}

/// A message on its way.
pub(super) enum Letter {
    /// Its number among the letters.
    Open(u32),
    /// As bytes.
    Sealed(Bytes),
}

/// What happens to a host. What is large stays where it waits until the host is at hand.
pub(super) enum Happening {
    /// A message arrives: [`Nature::open`] it.
    Arrival(Letter),
    /// The oldest operation of its store is done: [`Nature::done`] has it.
    Stored,
    /// The time it wanted to be woken at has come.
    Wake,
    /// Others see it go down, or come back.
    Rumour(HostId, bool),
    /// It is told something, by a client or by the world.
    Told(Box<Input>),
}

/// How much a host has said and heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages it sent, lost ones too.
    pub sent: u64,
    /// Messages that reached it.
    pub received: u64,
    /// Bytes it sent, when messages are encoded.
    pub bytes_sent: u64,
    /// Bytes that reached it, when messages are encoded.
    pub bytes_received: u64,
}

/// What the world knows of one host.
struct Site {
    id: HostId,
    /// How often it crashed or started: what was meant for another life is dropped.
    life: u32,
    up: bool,
    /// Whether the others have been told that it is down.
    mourned: bool,
    /// The alarm that is in the queue, if one is.
    armed: Option<u64>,
    /// When the host wants to be woken.
    wants: Option<u64>,
    skew_ms: i64,
    disk: Disk<Then>,
    traffic: Traffic,
}

/// News that goes round: about whom, up or down, and who is told next.
struct Rumour {
    about: u32,
    up: bool,
    next: u32,
}

/// Time, network, disks and chance.
pub(super) struct Nature {
    pub(super) network: Network,
    pub(super) trace: Trace,
    pub(super) rng: ChaCha8Rng,
    pub(super) watch: Option<Box<dyn Watch>>,
    queue: Queue<Occurrence>,
    /// The messages on their way that are not sealed.
    letters: Slab<Envelope>,
    sites: Vec<Site>,
    index: Index,
    rumour: Option<Rumour>,
    open: BTreeMap<Ticket, u32>,
    /// Boxed: a tree of them as they are has leaves of two kilobytes, and an allocator tidies up all it has before
    /// it gives out one of those.
    answers: BTreeMap<Ticket, Box<Answer>>,
    next_ticket: u64,
    delivered: u64,
}

/// What became of a request.
#[allow(
    clippy::large_enum_variant,
    reason = "an answer is taken once, and nearly all are replies"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The host answered.
    Reply(Reply),
    /// The host crashed first, or was down: nobody will answer.
    Broken,
}

/// The places of hosts in the table, by id: an array for small numbers, a tree for the rest.
#[derive(Default)]
struct Index {
    small: Vec<Option<u32>>,
    large: BTreeMap<HostId, u32>,
}

/// Host numbers below this lie in an array.
const SMALL: u64 = 1 << 21;

impl Index {
    fn get(&self, host: HostId) -> Option<u32> {
        if host.0 < SMALL {
            let at = usize::try_from(host.0).ok()?;
            return self.small.get(at).copied().flatten();
        }
        self.large.get(&host).copied()
    }

    fn insert(&mut self, host: HostId, place: u32) {
        match usize::try_from(host.0) {
            Ok(at) if host.0 < SMALL => {
                if self.small.len() <= at {
                    self.small.resize(at + 1, None);
                }
                self.small[at] = Some(place);
            }
            Ok(_) | Err(_) => {
                self.large.insert(host, place);
            }
        }
    }
}

impl Nature {
    pub(super) fn new(seed: u64, config: NetworkConfig) -> Nature {
        Nature {
            network: Network::new(config),
            trace: Trace::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            watch: None,
            queue: Queue::new(),
            letters: Slab::default(),
            sites: Vec::new(),
            index: Index::default(),
            rumour: None,
            open: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_ticket: 0,
            delivered: 0,
        }
    }

    // ── the table of hosts ──

    /// A new place in the table; the host is not up yet.
    pub(super) fn add(&mut self, id: HostId, disk: Disk<Then>) -> u32 {
        assert!(
            self.index.get(id).is_none(),
            "host {id} is in this world already"
        );
        let place = u32::try_from(self.sites.len()).expect("a world of less than 2^32 hosts");
        self.sites.push(Site {
            id,
            life: 0,
            up: false,
            mourned: false,
            armed: None,
            wants: None,
            skew_ms: 0,
            disk,
            traffic: Traffic::default(),
        });
        self.index.insert(id, place);
        place
    }

    pub(super) fn place(&self, host: HostId) -> Option<u32> {
        self.index.get(host)
    }

    /// The place of a host that must be known.
    pub(super) fn known(&self, host: HostId) -> u32 {
        self.index
            .get(host)
            .unwrap_or_else(|| panic!("host {host} was never added to this world"))
    }

    fn site(&self, place: u32) -> &Site {
        &self.sites[at(place)]
    }

    fn site_mut(&mut self, place: u32) -> &mut Site {
        &mut self.sites[at(place)]
    }

    pub(super) fn id(&self, place: u32) -> HostId {
        self.site(place).id
    }

    pub(super) fn is_up(&self, place: u32) -> bool {
        self.site(place).up
    }

    pub(super) fn disk(&mut self, place: u32) -> &mut Disk<Then> {
        &mut self.site_mut(place).disk
    }

    /// Whether a store has anything under a key.
    pub(super) fn holds(&mut self, place: u32, key: &Key) -> bool {
        match self.disk(place).store.apply(Op::Versions(key.clone())) {
            Done::Versions(summary) => summary.value.is_some(),
            Done::Failed(_)
            | Done::Cells(_)
            | Done::Piece(_)
            | Done::Staged
            | Done::Held(_)
            | Done::Below(_)
            | Done::Page(..)
            | Done::List(..)
            | Done::Digests(_)
            | Done::Discarded(_)
            | Done::Shelved(_)
            | Done::Confirmed { .. }
            | Done::Reviewed { .. }
            | Done::Garbage(_)
            | Done::Collected(..)
            | Done::Set => false,
        }
    }

    pub(super) fn traffic(&self, place: u32) -> Traffic {
        self.site(place).traffic
    }

    pub(super) fn skew(&mut self, place: u32, ms: i64) {
        self.site_mut(place).skew_ms = ms;
    }

    /// Messages that reached a host, in all.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// A cut between hosts, one way.
    pub(super) fn cut(&mut self, from: &[HostId], to: &[HostId]) {
        let places = |hosts: &[HostId]| hosts.iter().map(|host| self.known(*host)).collect();
        let (from_places, to_places) = (places(from), places(to));
        self.network.cut(from_places, to_places);
        self.trace
            .line(self.queue.now(), format_args!("cut: {from:?} -x {to:?}"));
    }

    /// No cuts any more.
    pub(super) fn heal(&mut self) {
        self.network.heal();
        self.trace
            .line(self.queue.now(), format_args!("all cuts are healed"));
    }

    // ── time ──

    pub(super) fn now_ms(&self) -> u64 {
        self.queue.now()
    }

    /// Lets time go on to `now` if nothing happens before.
    pub(super) fn catch_up(&mut self, now: u64) {
        if self.next_due().is_none_or(|due| due > now) {
            let nothing = self.queue.pop(now);
            debug_assert!(nothing.is_none(), "nothing was due");
        }
    }

    /// How many things are to come.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// When the next thing happens.
    pub(super) fn next_due(&self) -> Option<u64> {
        if self.rumour.is_some() {
            Some(self.queue.now())
        } else {
            self.queue.next_due()
        }
    }

    /// Both clocks, as that host sees them.
    pub(super) fn now(&self, place: u32) -> Now {
        let ms = self.queue.now();
        let wall = WALL_AT_START.0.saturating_add(ms);
        let wall = WallMs(wall.saturating_add_signed(self.site(place).skew_ms));
        Now {
            at: Time::from_ms(ms),
            wall,
        }
    }

    /// The places of those to whom the next things happen, at most so many, and whether their stores are to
    /// carry something out. None where nothing is due soon.
    pub(super) fn coming(&self, most: usize) -> impl Iterator<Item = (u32, bool)> {
        let coming = self.queue.coming().take(most);
        coming.map(|occurrence| {
            let stores = matches!(occurrence, Occurrence::DiskDone { .. });
            (occurrence.place(), stores)
        })
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.sites.len()
    }

    /// What [`World`](super::World) looks at before things happen, on this side: the site, then its store.
    pub(super) fn glance(&self, place: u32, depth: u8) -> u64 {
        let site = self.site(place);
        match depth {
            0 => {
                let words = [site.wants.unwrap_or(0), site.traffic.received, site.id.0];
                words
                    .iter()
                    .fold(site.disk.glance(), |sum, word| sum ^ word)
            }
            1.. => site.disk.store.glance(depth - 1),
        }
    }

    // ── what happens ──

    /// What happens next, and to whom, if it happens at `limit` or before.
    pub(super) fn next(&mut self, limit: u64) -> Option<(u32, Happening)> {
        loop {
            if let Some(told) = self.spread() {
                return Some(told);
            }
            let occurrence = self.queue.pop(limit)?;
            if let Some(happened) = self.happen(occurrence) {
                return Some(happened);
            }
        }
    }

    fn happen(&mut self, occurrence: Occurrence) -> Option<(u32, Happening)> {
        match occurrence {
            Occurrence::Arrival { from, to, letter } => self.arrive(from, to, letter),
            Occurrence::Alarm { site } => self.ring(site),
            Occurrence::DiskDone { site, life } => {
                (self.site(site).life == life).then_some((site, Happening::Stored))
            }
            Occurrence::Tell { site, life, input } => {
                (self.site(site).life == life).then_some((site, Happening::Told(input)))
            }
            Occurrence::Rumour { about, life } => {
                self.hear(about, life);
                None
            }
        }
    }

    fn arrive(&mut self, from: u32, to: u32, letter: Letter) -> Option<(u32, Happening)> {
        let lost = !self.site(to).up || self.network.is_cut(from, to);
        if self.trace.on() || lost {
            return self.arrive_seen(to, letter, lost);
        }
        self.count_in(to, &letter);
        Some((to, Happening::Arrival(letter)))
    }

    /// The same where a trace is written, or the letter goes no further.
    #[cold]
    fn arrive_seen(&mut self, to: u32, letter: Letter, lost: bool) -> Option<(u32, Happening)> {
        let bytes = match &letter {
            Letter::Open(_) => None,
            Letter::Sealed(bytes) => Some(bytes.clone()),
        };
        let envelope = self.open(letter);
        self.trace_letter(&envelope, lost);
        if lost {
            return None;
        }
        let letter = match bytes {
            Some(bytes) => Letter::Sealed(bytes),
            None => Letter::Open(self.letters.put(envelope)),
        };
        self.count_in(to, &letter);
        Some((to, Happening::Arrival(letter)))
    }

    fn count_in(&mut self, to: u32, letter: &Letter) {
        self.delivered += 1;
        let traffic = &mut self.site_mut(to).traffic;
        traffic.received += 1;
        if let Letter::Sealed(bytes) = letter {
            traffic.bytes_received += bytes.len() as u64;
        }
    }

    /// Opens a letter that has arrived.
    pub(super) fn open(&mut self, letter: Letter) -> Envelope {
        match letter {
            Letter::Open(number) => self.letters.take(number),
            Letter::Sealed(bytes) => wire::decode(bytes).expect("the codec reads what it wrote"),
        }
    }

    /// Carries out the oldest operation of a store, which is done now.
    pub(super) fn done(&mut self, place: u32) -> (Done, Then) {
        let now = self.queue.now();
        let done = self.site_mut(place).disk.done(now);
        done.expect("a disk that is done was asked")
    }

    /// What happens to a host as one value.
    pub(super) fn input(&mut self, place: u32, happening: Happening) -> Input {
        match happening {
            Happening::Arrival(letter) => Input::Receive(self.open(letter)),
            Happening::Stored => {
                let (done, then) = self.done(place);
                Input::Stored(done, then)
            }
            Happening::Wake => Input::Wake,
            Happening::Rumour(host, true) => Input::HostUp(host),
            Happening::Rumour(host, false) => Input::HostDown(host),
            Happening::Told(input) => *input,
        }
    }

    fn trace_letter(&mut self, envelope: &Envelope, lost: bool) {
        if self.trace.on() {
            let arrow = if lost { "-x" } else { "->" };
            let Envelope { from, to, body } = envelope;
            self.trace
                .line(self.queue.now(), format_args!("{from} {arrow} {to} {body}"));
        }
    }

    /// An alarm rings: for the host, unless it has since been put off or set anew.
    fn ring(&mut self, place: u32) -> Option<(u32, Happening)> {
        let now = self.queue.now();
        let site = self.site_mut(place);
        if site.armed != Some(now) {
            return None;
        }
        site.armed = None;
        let wants = site.wants?;
        if wants > now {
            self.arm(place);
            return None;
        }
        Some((place, Happening::Wake))
    }

    /// Makes sure that an alarm rings no later than the host wants. An earlier one that is in the queue
    /// already will do: it is put off when it rings.
    fn arm(&mut self, place: u32) {
        let site = self.site_mut(place);
        let Some(wants) = site.wants else { return };
        if site.armed.is_none_or(|armed| wants < armed) {
            site.armed = Some(wants);
            self.queue.push(wants, Occurrence::Alarm { site: place });
        }
    }

    // ── what hosts want ──

    /// Carries out the effects of one call, in the order all drivers keep.
    pub(super) fn carry_out(&mut self, place: u32, effects: &mut Collected, wake: Option<Time>) {
        // Mostly there is something in one of them only.
        if !effects.notes.is_empty() {
            let notes = effects.notes.drain(..);
            notes.for_each(|event| self.note(place, &event));
        }
        if !effects.stores.is_empty() {
            let stores = effects.stores.drain(..);
            stores.for_each(|(op, then)| self.store(place, op, then));
        }
        if !effects.answers.is_empty() {
            let answers = effects.answers.drain(..);
            answers.for_each(|(ticket, reply)| self.answer(place, ticket, reply));
        }
        if !effects.sends.is_empty() {
            let sends = effects.sends.drain(..);
            sends.for_each(|envelope| self.send(place, envelope));
        }
        self.settled(place, wake);
    }

    pub(super) fn note(&mut self, place: u32, event: &crate::message::Event) {
        if let Some(watch) = &mut self.watch {
            let id = self.sites[at(place)].id;
            watch.note(Time::from_ms(self.queue.now()), id, event);
        }
        if self.trace.on() {
            let id = self.id(place);
            self.trace
                .line(self.queue.now(), format_args!("{id} {event}"));
        }
    }

    pub(super) fn store(&mut self, place: u32, op: Op, then: Then) {
        let now = self.queue.now();
        if let Some(watch) = &mut self.watch {
            watch.store(Time::from_ms(now), self.sites[at(place)].id, &op);
        }
        let site = self.site_mut(place);
        let life = site.life;
        let due = site.disk.ask(now, op, then);
        self.queue
            .push(due, Occurrence::DiskDone { site: place, life });
    }

    pub(super) fn answer(&mut self, place: u32, ticket: Ticket, reply: Reply) {
        if self.trace.on() {
            let id = self.id(place);
            let number = ticket.0;
            match &reply {
                Ok(outcome) => self.trace.line(
                    self.queue.now(),
                    format_args!("{id} -> client #{number} {outcome}"),
                ),
                Err(failure) => self.trace.line(
                    self.queue.now(),
                    format_args!("{id} -> client #{number} failed: {failure}"),
                ),
            }
        }
        assert!(
            self.open.remove(&ticket).is_some(),
            "request {ticket:?} is answered twice"
        );
        self.answers.insert(ticket, Box::new(Answer::Reply(reply)));
    }

    pub(super) fn send(&mut self, from: u32, envelope: Envelope) {
        let now = self.queue.now();
        self.site_mut(from).traffic.sent += 1;
        if let Some(watch) = &mut self.watch {
            watch.sent(Time::from_ms(now), envelope.from, &envelope);
        }
        let Some(to) = self.index.get(envelope.to) else {
            self.trace_letter(&envelope, true);
            return;
        };
        let arrivals = self.network.send(&mut self.rng, now, from, to);
        let arrivals = self.network.bend(&envelope, arrivals);
        if arrivals[0].is_none() && self.trace.on() {
            self.trace_letter(&envelope, true);
        }
        if self.network.config.encode {
            let bytes = wire::encode(&envelope);
            self.site_mut(from).traffic.bytes_sent += bytes.len() as u64;
            for due in arrivals.into_iter().flatten() {
                let letter = Letter::Sealed(bytes.clone());
                self.queue
                    .push(due, Occurrence::Arrival { from, to, letter });
            }
            return;
        }
        let [first, second] = arrivals;
        if let Some(due) = second {
            let letter = Letter::Open(self.letters.put(envelope.clone()));
            self.queue
                .push(due, Occurrence::Arrival { from, to, letter });
        }
        if let Some(due) = first {
            let letter = Letter::Open(self.letters.put(envelope));
            self.queue
                .push(due, Occurrence::Arrival { from, to, letter });
        }
    }

    /// The host wants to be woken then: at the first whole millisecond not before it.
    pub(super) fn settled(&mut self, place: u32, wake: Option<Time>) {
        self.site_mut(place).wants = wake.map(|at| at.0.div_ceil(1000));
        self.arm(place);
    }

    // ── what the world does ──

    /// Tells a host something as the next thing that happens to it now.
    pub(super) fn tell(&mut self, place: u32, input: Input) {
        let life = self.site(place).life;
        let tell = Occurrence::Tell {
            site: place,
            life,
            input: Box::new(input),
        };
        self.queue.push(self.queue.now(), tell);
    }

    /// A client asks a host.
    pub(super) fn request(&mut self, place: u32, request: Request, options: Options) -> Ticket {
        let ticket = self.ticket();
        if self.trace.on() {
            let (id, number) = (self.id(place), ticket.0);
            self.trace.line(
                self.queue.now(),
                format_args!("client -> {id} #{number} {request}"),
            );
        }
        if self.site(place).up {
            self.open.insert(ticket, place);
            self.tell(place, Input::Request(ticket, request, options));
        } else {
            self.answers.insert(ticket, Box::new(Answer::Broken));
        }
        ticket
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// A ticket for a request that comes to a host by another door than [`Nature::request`].
    pub(super) fn open_ticket(&mut self, place: u32) -> Ticket {
        let ticket = self.ticket();
        self.open.insert(ticket, place);
        ticket
    }

    /// What became of a request, if anything yet.
    pub(super) fn answered(&self, ticket: Ticket) -> Option<&Answer> {
        self.answers.get(&ticket).map(Box::as_ref)
    }

    /// Takes out what became of requests since the last time.
    pub(super) fn take_answers(&mut self) -> BTreeMap<Ticket, Answer> {
        let answers = std::mem::take(&mut self.answers).into_iter();
        answers.map(|(ticket, answer)| (ticket, *answer)).collect()
    }

    /// How many answers lie there.
    pub(super) fn answers_waiting(&self) -> usize {
        self.answers.len()
    }

    /// Takes out one answer.
    pub(super) fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket).map(|answer| *answer)
    }

    /// A host's process starts: the first time, or again.
    pub(super) fn start(&mut self, place: u32) {
        let now = self.queue.now();
        let max_ms = self.network.config.max_ms;
        let site = self.site_mut(place);
        assert!(!site.up, "host {} is up already", site.id);
        site.up = true;
        let lost = site.disk.may_have_lost();
        site.life += 1;
        let (life, id, mourned) = (site.life, site.id, site.mourned);
        self.trace.line(now, format_args!("{id} starts"));
        self.tell(place, Input::Start { lost });
        if mourned {
            self.queue
                .push(now + max_ms, Occurrence::Rumour { about: place, life });
        }
    }

    /// A host's process ends without a word; its disk keeps what a power cut would leave, or, if the
    /// machine runs on, all that was reported. Returns how many reported writes are lost.
    pub(super) fn crash(&mut self, place: u32, power_cut: bool) -> usize {
        let now = self.queue.now();
        let site = &mut self.sites[at(place)];
        if !site.up {
            return 0;
        }
        site.up = false;
        site.life += 1;
        site.armed = None;
        site.wants = None;
        let lost = site.disk.crash(now, power_cut, &mut self.rng);
        let (life, id) = (site.life, site.id);
        match lost {
            0 => self.trace.line(now, format_args!("{id} crashes")),
            _ => self
                .trace
                .line(now, format_args!("{id} crashes, {lost} writes are lost")),
        }
        if let Some(after) = self.network.config.link_down_ms {
            self.queue
                .push(now + after, Occurrence::Rumour { about: place, life });
        }
        let broken: Vec<Ticket> = self
            .open
            .iter()
            .filter(|(_, asked)| **asked == place)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in broken {
            self.open.remove(&ticket);
            self.answers.insert(ticket, Box::new(Answer::Broken));
        }
        lost
    }

    /// News of a crash or a return goes round, if it is still news.
    fn hear(&mut self, about: u32, life: u32) {
        let site = self.site_mut(about);
        if site.life != life || site.mourned != site.up {
            return;
        }
        site.mourned = !site.up;
        self.rumour = Some(Rumour {
            about,
            up: site.up,
            next: 0,
        });
    }

    /// The next one who hears the news that is going round.
    fn spread(&mut self) -> Option<(u32, Happening)> {
        while let Some(rumour) = &mut self.rumour {
            let (place, about, up) = (rumour.next, rumour.about, rumour.up);
            rumour.next += 1;
            let Some(site) = self.sites.get(at(place)) else {
                self.rumour = None;
                break;
            };
            if place != about && site.up {
                return Some((place, Happening::Rumour(self.id(about), up)));
            }
        }
        None
    }
}

fn at(place: u32) -> usize {
    usize::try_from(place).expect("a place in a table in memory")
}
