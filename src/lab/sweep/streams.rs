//! Large values in and out, piece by piece, while all this goes on.
//!
//! A few clients of worlds with large values do nothing else. Each begins an upload, sends a piece, thinks, sends the
//! next, and ends it; or it falls silent in the middle, or drops it, or its host is killed. Or it opens a value and
//! reads it as slowly.
//!
//! ```text
//! Begin … Piece … Piece …             nothing is asked of the ring yet: whatever breaks off here stored nothing
//!                        End          from here to the answer it is a put like any other
//! Open … Piece … Piece …              a get; each piece belongs to the version that was opened, or there is none
//! ```
//!
//! What they do is drawn from the seed by a generator of their own, so worlds without large values are what they
//! were before there were such clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::faults::Fault;
use super::plan::Plan;
use super::run::{Run, State, Waiting};
use crate::lab::check::history::{self, Kind, Operation, Told};
use crate::message::{Expiry, KeyOp, Large, Options, Request, Ticket, Upload, UploadId};
use crate::placement::HostId;
use crate::record::{Body, Key, PIECE_BYTES, Time};

/// So many clients of a world with large values do nothing but this.
const STREAMERS: usize = 2;

/// What becomes of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is ended.
    Ended,
    /// Before its piece of that number its client is silent for ever.
    Silent(usize),
    /// There it says that it gives it up.
    Dropped(usize),
    /// There its host is killed; behind the last one: while it is stored.
    Killed(usize),
}

/// A value on its way.
pub(super) enum Way {
    In {
        number: usize,
        key: Key,
        pieces: Vec<Bytes>,
        upload: Option<UploadId>,
        fate: Fate,
        expiry: Option<Expiry>,
        /// It was ended, and its answer is awaited.
        ended: bool,
    },
    /// None before it was found.
    Out { key: Key, found: Option<Arc<Large>> },
}

/// One value on its way, at one host.
pub(super) struct Stream {
    pub(super) host: HostId,
    pub(super) way: Way,
    /// So many pieces are done.
    pub(super) done: usize,
    pub(super) began: Time,
}

/// One client.
#[derive(Default)]
pub(super) struct Streamer {
    /// When it does the next thing; none: it waits for an answer.
    pub(super) next: Option<Time>,
    pub(super) doing: Option<Stream>,
}

/// All of them.
pub(super) struct Streams {
    rng: ChaCha8Rng,
    pub(super) clients: Vec<Streamer>,
    /// Whose step each ticket is; the end of an upload and the opening of a value are requests like others.
    pub(super) steps: BTreeMap<Ticket, usize>,
    /// Nobody begins anything new.
    pub(super) over: bool,
    pub(super) counts: Counts,
}

/// What came of them.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) uploads: u64,
    pub(super) downloads: u64,
    pub(super) broken_off: u64,
}

impl Streams {
    pub(super) fn new(plan: &Plan) -> Streams {
        let count = if plan.large { STREAMERS } else { 0 };
        let client = |_| Streamer {
            next: Some(Time::from_ms(100)),
            doing: None,
        };
        Streams {
            rng: ChaCha8Rng::seed_from_u64(plan.seed ^ 0x57ea_0000_57ea_0000),
            clients: (0..count).map(client).collect(),
            steps: BTreeMap::new(),
            over: false,
            counts: Counts::default(),
        }
    }

    /// When the first of them does something.
    pub(super) fn next(&self) -> Option<Time> {
        self.clients.iter().filter_map(|client| client.next).min()
    }

    /// Whose step a ticket is.
    pub(super) fn whose(&mut self, ticket: Ticket) -> Option<usize> {
        self.steps.remove(&ticket)
    }

    pub(super) fn all_idle(&self) -> bool {
        self.clients.iter().all(|client| client.doing.is_none())
    }
}

impl Run {
    /// Everyone whose time has come does the next step.
    pub(super) fn stream_those_due(&mut self, now: Time) {
        for who in 0..self.streams.clients.len() {
            let client = &mut self.streams.clients[who];
            if client.next.is_some_and(|next| next <= now) {
                client.next = None;
                match client.doing.take() {
                    Some(stream) => self.step(who, stream),
                    None => self.begin_stream(who),
                }
            }
        }
    }

    fn begin_stream(&mut self, who: usize) {
        let members = self.members_up();
        if members.is_empty() {
            return self.think_of_next(who);
        }
        let rng = &mut self.streams.rng;
        let host = members[rng.random_range(0..members.len())];
        let key = self.keys[rng.random_range(0..self.plan.keys)].clone();
        if rng.random_ratio(3, 5) {
            self.begin_upload(who, host, key);
        } else {
            self.begin_download(who, host, key);
        }
    }

    pub(super) fn begin_download(&mut self, who: usize, host: HostId, key: Key) {
        let began = self.world.now();
        let number = self.asks(host, key.clone(), Kind::Get);
        let request = Request::One(key.clone(), KeyOp::Open);
        let way = Way::Out { key, found: None };
        let stream = Stream {
            host,
            way,
            done: 0,
            began,
        };
        self.await_as_any(who, number, &stream, request);
        self.streams.clients[who].doing = Some(stream);
    }

    pub(super) fn begin_upload(&mut self, who: usize, host: HostId, key: Key) {
        let began = self.world.now();
        let number = self.asks(host, key.clone(), Kind::Put);
        let rng = &mut self.streams.rng;
        let len = if rng.random_ratio(1, 3) {
            rng.random_range(8..PIECE_BYTES)
        } else {
            rng.random_range(PIECE_BYTES..3 * PIECE_BYTES)
        };
        let pieces = Body::new(history::value(number, len)).pieces;
        let at = rng.random_range(0..pieces.len() + 2);
        let may_kill = self.plan.faults.contains(&Fault::Kill);
        let fate = match rng.random_range(0..10) {
            _ if self.calm => Fate::Ended,
            0 => Fate::Silent(at),
            1 => Fate::Dropped(at),
            2 if may_kill => Fate::Killed(at),
            _ => Fate::Ended,
        };
        let ttl = Duration::from_millis(rng.random_range(1..8_000));
        let expiry = rng.random_ratio(1, 10).then_some(Expiry::In(ttl));
        let way = Way::In {
            number,
            key,
            pieces,
            upload: None,
            fate,
            expiry,
            ended: false,
        };
        let stream = Stream {
            host,
            way,
            done: 0,
            began,
        };
        let request = Request::Upload(Upload::Begin(len as u64));
        self.await_step(who, stream, request);
    }

    /// The next step of what it is doing.
    fn step(&mut self, who: usize, mut stream: Stream) {
        let Way::In {
            number,
            key,
            pieces,
            upload: Some(upload),
            fate,
            expiry,
            ended,
        } = &mut stream.way
        else {
            return self.read_on(who, stream);
        };
        let (number, upload, key) = (*number, *upload, key.clone());
        if *ended {
            self.kill_in_the_middle(stream.host);
            self.streams.clients[who].doing = Some(stream);
            return;
        }
        match *fate {
            Fate::Silent(at) if at == stream.done => {
                return self.breaks_off(who, number, "its client is silent for ever");
            }
            Fate::Dropped(at) if at == stream.done => {
                let drop = Request::Upload(Upload::Drop(upload));
                self.world.request(stream.host, drop, Options::default());
                return self.breaks_off(who, number, "it is given up");
            }
            Fate::Killed(at) if at == stream.done => {
                *fate = Fate::Ended;
                self.kill_in_the_middle(stream.host);
            }
            Fate::Silent(_) | Fate::Dropped(_) | Fate::Killed(_) | Fate::Ended => {}
        }
        if let Some(piece) = pieces.get(stream.done) {
            let request = Request::Upload(Upload::Piece(upload, piece.clone()));
            return self.await_step(who, stream, request);
        }
        *ended = true;
        self.streams.counts.uploads += 1;
        let end = Request::Upload(Upload::End {
            upload,
            key,
            content_type: None,
            expiry: expiry.take(),
        });
        let now = self.world.now();
        self.checker.begins_only_now(number, now);
        if *fate == Fate::Killed(stream.done + 1) {
            let soon = Duration::from_millis(self.streams.rng.random_range(1..30));
            self.streams.clients[who].next = Some(now + soon);
        }
        self.await_as_any(who, number, &stream, end);
        self.streams.clients[who].doing = Some(stream);
    }

    fn read_on(&mut self, who: usize, stream: Stream) {
        let Way::Out {
            found: Some(large), ..
        } = &stream.way
        else {
            return self.think_of_next(who);
        };
        let index = u32::try_from(stream.done).expect("a value has few pieces");
        let request = Request::Piece(Arc::clone(large), index);
        self.await_step(who, stream, request);
    }

    fn kill_in_the_middle(&mut self, host: HostId) {
        if self.hosts.get(&host) != Some(&State::Up) {
            return;
        }
        let most = self.plan.survive_ms / 4;
        let lasts = Duration::from_millis(self.streams.rng.random_range(50..most));
        self.falls_asleep(host);
        self.world.kill(host);
        let end = self.stopped(host);
        self.begin_fault(Fault::Kill, self.world.now() + lasts, end);
    }

    // ── asking ──

    fn asks(&mut self, at: HostId, key: Key, kind: Kind) -> usize {
        let began = self.world.now();
        self.checker.began(Operation {
            key,
            at,
            kind,
            one: false,
            began,
            ended: None,
            told: Told::Silence,
        })
    }

    /// A step: only this client is told.
    fn await_step(&mut self, who: usize, stream: Stream, request: Request) {
        let ticket = self.world.request(stream.host, request, Options::default());
        self.streams.steps.insert(ticket, who);
        self.streams.clients[who].doing = Some(stream);
    }

    /// A request whose answer is judged like any other's.
    fn await_as_any(&mut self, who: usize, number: usize, stream: &Stream, request: Request) {
        let during = self.during();
        let ticket = self.world.request(stream.host, request, Options::default());
        let waiting = Waiting {
            numbers: vec![number],
            client: usize::MAX,
            stream: Some(who),
            since: stream.began,
            during,
            all: false,
        };
        self.open.insert(ticket, waiting);
    }

    /// Most pauses are short; some are so long that an upload lasts over a fault or two.
    pub(super) fn think_of_next(&mut self, who: usize) {
        if self.streams.over && self.streams.clients[who].doing.is_none() {
            self.streams.clients[who].next = None;
            return;
        }
        let longest = self.plan.survive_ms;
        let rng = &mut self.streams.rng;
        let most = if self.calm {
            2
        } else if rng.random_ratio(1, 12) {
            longest / 8
        } else {
            longest / 80
        };
        let pause = Duration::from_millis(rng.random_range(0..most.max(2)));
        let next = self.world.now() + pause;
        self.streams.clients[who].next = Some(next);
    }
}

impl Stream {
    pub(super) fn key(&self) -> Key {
        match &self.way {
            Way::In { key, .. } | Way::Out { key, .. } => key.clone(),
        }
    }
}
