//! One client: what it has sent, what is under way for it, what it has to be told.
//!
//! ```text
//!   bytes ──> parser ──> commands ──> slots ──> answers in order ──> bytes
//!                            │          ^
//!                            v          │ by number
//!                     requests, as one message ──> host
//! ```

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bundle::Bundle;
use super::clients::Clients;
use super::commands::{Answer, Args, Plan, Spec, is_named, is_value, told, unknown, wrong_number};
use super::counted::Counted;
use super::flows::{Flows, Saying};
use super::guess::{Pass, Waiting};
use super::inflow::Apart;
use super::lanes::{Lanes, Numbered};
use super::me::{Cx, Me, Mute};
use super::resp::{Command, Out, Parser, Proto, Step, Value};
use super::slots::{Say, Slots, weight};
use crate::actor::{Asks, Told};
use crate::message::{Outcome, UploadId};

/// Room is made for at most so many requests before they are read.
const MAX_ASKED: usize = 64;

/// One client's connection, but for its socket.
pub(super) struct Session {
    door: Rc<Clients>,
    me: Me,
    parser: Parser,
    pub(super) buffer: BytesMut,
    slots: Slots,
    pub(super) out: Out,
    bundle: Bundle,
    lanes: Lanes,
    /// Requests to be sent.
    asks: Vec<Numbered>,
    /// How many there were last time: so many there will be again.
    asked: usize,
    /// The last command that was found: mostly it is the next one, too.
    last: Option<&'static Spec>,
    waiting: Waiting,
    /// Large values on their way.
    flows: Flows,
    counted: Counted,
    /// The client will send no more.
    pub(super) ended: bool,
}

impl Session {
    /// Of a client with that number, that came from one address to another; some has been read of it.
    pub(super) fn new(
        door: Rc<Clients>,
        (from, to): (SocketAddr, Option<SocketAddr>),
        id: u64,
        buffer: BytesMut,
    ) -> Session {
        let known = door.settings.password.is_none();
        let about = door.enter(id, from, to);
        Session {
            me: Me {
                id,
                from,
                proto: Proto::default(),
                known,
                may_guess: true,
                mute: Mute::No,
                leaving: false,
                about,
            },
            parser: Parser::new(door.settings.limits(known)),
            buffer,
            slots: Slots::default(),
            out: Out::default(),
            bundle: Bundle::default(),
            lanes: Lanes::default(),
            asks: Vec::new(),
            asked: 0,
            last: None,
            waiting: Waiting::new(Rc::clone(&door), from.ip()),
            flows: Flows::default(),
            counted: Counted::new(Rc::clone(&door)),
            ended: false,
            door,
        }
    }

    pub(super) const fn id(&self) -> u64 {
        self.me.id
    }

    /// Bytes of answers that are not written yet.
    fn unread(&self) -> usize {
        self.slots.held() + self.out.len()
    }

    /// Whether more commands may be begun now.
    fn has_room(&self) -> bool {
        !self.me.leaving
            && self.waiting.is_empty()
            && self.flows.has_room()
            && self.slots.open() < self.counted.most()
            && self.unread() < self.door.settings.pause_bytes
    }

    /// Whether more bytes are wanted.
    pub(super) fn is_hungry(&self) -> bool {
        !self.ended && self.has_room()
    }

    /// Whether there may be more to do than to write what is said and to read on: commands that waited for room, requests that
    /// waited for others, a large value that waited for its answers to be written; or it ends.
    pub(super) fn goes_on(&self) -> bool {
        let ends = self.me.leaving || self.ended;
        ends || !self.buffer.is_empty() || !self.asks.is_empty() || self.flows.is_saying()
    }

    /// Whether half a command is here.
    pub(super) fn is_amid(&self) -> bool {
        self.has_room() && self.parser.amid(&self.buffer)
    }

    /// Whether all is done that will ever be.
    pub(super) fn is_over(&self) -> bool {
        let idle = self.slots.is_empty() && self.waiting.is_empty();
        let said = self.flows.is_cut() || (idle && !self.flows.is_saying());
        (self.me.leaving || self.ended) && said && self.out.is_empty()
    }

    /// Takes the commands that have come, as many as there is room for. What they ask is to be sent then.
    pub(super) fn take(&mut self) {
        if let Some(command) = self.waiting.take_due() {
            self.run(command);
        }
        if self.asks.is_empty() && !self.buffer.is_empty() {
            self.me.about.borrow_mut().heard = Instant::now();
            self.asks.reserve_exact(self.asked);
        }
        while self.has_room() {
            match self.parser.step(&mut self.buffer) {
                Ok(Some(Step::Command(command))) => self.run_in_turn(command),
                Ok(Some(Step::Large(len))) => self.begin_large(len),
                Ok(Some(Step::Piece(bytes))) => self.flows.piece(bytes, &mut self.asks),
                Ok(None) => break,
                Err(error) => {
                    log::debug!("client {}: {error}", self.me.id);
                    self.give_up(Value::error(format!("ERR {error}")));
                }
            }
        }
        self.account();
    }

    /// A large string begins. If it is a value, and there is a way to store it so, it goes to the host as it comes.
    fn begin_large(&mut self, len: usize) {
        let before = self.parser.before();
        let is_value = before
            .first()
            .is_some_and(|name| is_value(name, before.len()));
        if is_value && self.flows.may_begin(len) {
            let named = before.first().is_some_and(is_named);
            self.parser.apart();
            self.flows.begin_in(len, named, &mut self.asks);
        }
    }

    /// The last thing that is said.
    pub(super) fn give_up(&mut self, why: Value) {
        self.slots.ready(why, Some(self.me.proto));
        self.me.leaving = true;
    }

    /// Runs a command; one with a password waits before it, if too many wrong ones came from its address.
    fn run_in_turn(&mut self, command: Command) {
        let pass = self.waiting.pass(command);
        self.me.may_guess = !matches!(pass, Pass::Unseen(_));
        match pass {
            Pass::Now(command) | Pass::Unseen(command) => self.run(command),
            Pass::Kept => {}
        }
    }

    /// When the password is looked at that waits.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        self.waiting.until()
    }

    fn run(&mut self, command: Command) {
        let apart = self.flows.end_in();
        let uploads: Vec<UploadId> = apart.iter().filter_map(|apart| apart.upload).collect();
        let plan = self.plan(command, apart);
        if !uploads.is_empty() {
            self.flows.drop_unused(uploads, &plan, &mut self.asks);
        }
        let proto = match self.me.mute {
            Mute::No => Some(self.me.proto),
            Mute::This | Mute::Next | Mute::Always => None,
        };
        match self.me.mute {
            Mute::This => self.me.mute = Mute::Next,
            Mute::Next => self.me.mute = Mute::No,
            Mute::No | Mute::Always => {}
        }
        self.slots.begin(self.last);
        match plan {
            Ok(Plan::Say(value)) | Err(value) => self.slots.ready(value, proto),
            Ok(Plan::One(request, options, shape)) => {
                let number = self.slots.next();
                self.slots.one(shape, proto);
                self.lanes.push((number, request, options), &mut self.asks);
            }
            Ok(Plan::Flow(request, options, shape, before)) => {
                let number = self.slots.next();
                self.slots.flow(shape, before, proto);
                self.lanes.push((number, request, options), &mut self.asks);
            }
            Ok(Plan::Many(requests, options, shape)) => {
                let first = self.slots.next();
                self.slots.many(requests.len(), shape, proto);
                for (number, request) in (first..).zip(requests) {
                    self.lanes.push((number, request, options), &mut self.asks);
                }
            }
            Ok(Plan::Row(requests, options, shape)) => {
                let first = self.slots.next();
                self.slots.row(requests.len(), shape, proto);
                for (number, request) in (first..).zip(requests) {
                    self.lanes.push((number, request, options), &mut self.asks);
                }
            }
        }
    }

    fn plan(&mut self, command: Command, apart: VecDeque<Apart>) -> Result<Plan, Value> {
        let words = command.args.len();
        let mut args = command.args.into_iter();
        let Some(name) = args.next() else {
            return Err(Value::error("ERR empty command"));
        };
        self.door.count_command();
        if let Some(said) = self.bundle.instead(&name) {
            return Err(said);
        }
        let again = self.last.filter(|last| name.is(last.name));
        self.last = again.or_else(|| self.door.table.get(name.short()));
        let Some(spec) = self.last else {
            if let Some(said) = self.bundle.about(&name, words, self.me.known) {
                return Err(said);
            }
            // What a browser would send on: never take its body for commands.
            self.me.leaving |= name.is("post") || name.is("host:");
            return Err(unknown(&name, args.as_slice()));
        };
        if !spec.takes(words) {
            return Err(wrong_number(spec.name));
        }
        if !self.me.known && !spec.is_free() {
            return Err(Value::error("NOAUTH Authentication required."));
        }
        self.me.about.borrow_mut().last = spec.name;
        let mut cx = Cx {
            me: &mut self.me,
            door: &self.door,
        };
        let known = cx.me.known;
        let plan = (spec.run)(&mut cx, Args::new(args, apart));
        if self.me.known != known {
            self.parser
                .set_limits(self.door.settings.limits(self.me.known));
        }
        plan
    }

    /// What is to be asked now.
    pub(super) fn asks(&mut self) -> Vec<Numbered> {
        if !self.asks.is_empty() {
            self.asked = self.asks.len().min(MAX_ASKED);
        }
        std::mem::take(&mut self.asks)
    }

    /// An answer has come.
    pub(super) fn told(&mut self, Told { number, reply }: Told) {
        let answer: Answer = match reply {
            Some(Ok(outcome)) => Ok(outcome),
            Some(Err(failure)) => Err(told(&failure, self.slots.reads(number))),
            None => Err(Value::error(
                "ERR this host ended before it answered: ask another one, and read before you write again",
            )),
        };
        let Some(answer) = self.flows.told(number, answer, &mut self.asks) else {
            return;
        };
        let weight = weight(&answer);
        let settings = &self.door.settings;
        self.counted.answered(weight);
        let fits = self.unread().saturating_add(weight) <= settings.max_answer_bytes;
        let first = self.slots.held() == 0;
        let answer = match fits || first {
            true => answer,
            false => Err(Value::error(format!(
                "ERR more than {} bytes of answers would wait for you: ask for fewer large values at once",
                settings.max_answer_bytes
            ))),
        };
        // As long as a large value is read, nothing else is done with its key.
        let is_large = matches!(answer, Ok(Outcome::Large(_))) && self.slots.flows(number);
        self.slots.told(number, answer);
        if !is_large {
            self.lanes.done(number, &mut self.asks);
        }
    }

    /// Says what is complete, in order.
    pub(super) fn say(&mut self) {
        let (wall, now) = (Rc::clone(&self.door.wall), OnceCell::new());
        if !self.slots.is_empty() {
            self.out.expect();
        }
        while self.say_large()
            && let Some((say, proto)) = self.slots.pop(|| *now.get_or_init(|| wall()))
        {
            match (say, proto) {
                (Say::Value(value), Some(proto)) => value.write(proto, &mut self.out),
                (Say::Value(_), None) => {}
                (Say::Large(number, large, before), Some(proto)) => {
                    self.flows.begin_out((number, large), before, proto);
                }
                (Say::Large(number, ..), None) => self.lanes.done(number, &mut self.asks),
                (Say::Row(row), proto) => {
                    let unsaid = match proto {
                        Some(proto) => self.flows.begin_row(row, proto, &mut self.out),
                        None => row.found,
                    };
                    for number in unsaid {
                        self.lanes.done(number, &mut self.asks);
                    }
                }
            }
        }
        self.account();
    }

    /// Goes on with the large value that is being said; whether the next answer may follow.
    fn say_large(&mut self) -> bool {
        let pause_bytes = self.door.settings.pause_bytes;
        loop {
            match self.flows.say(&mut self.out, pause_bytes, &mut self.asks) {
                Saying::No => return true,
                Saying::Yes => return false,
                Saying::Done(number) => {
                    self.me.leaving |= self.flows.is_cut();
                    self.lanes.done(number, &mut self.asks);
                }
            }
        }
    }

    /// Brings the door's sums up to date. Whoever brings it over its limit has to go.
    pub(super) fn account(&mut self) {
        let (unread, waits) = (self.unread(), self.waiting.bytes());
        let holds = self.buffer.len() + self.parser.held() + unread + self.flows.held() + waits;
        let fits = self.counted.set(holds, self.slots.open() > 0);
        self.me.about.borrow_mut().held = holds;
        if !fits && !self.me.leaving {
            let most = self.door.settings.max_held_bytes;
            log::warn!(
                "client {}: more than {most} bytes under way in all",
                self.me.id
            );
            self.give_up(Value::error(format!(
                "TRYAGAIN more than {most} bytes of commands and answers are under way at this host: try again"
            )));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let asks = self.flows.left();
        if !asks.is_empty() {
            let (host, (line, _)) = (self.door.host, mpsc::unbounded_channel());
            self.door.ask(Asks { host, asks, line });
        }
        self.door.leave(self.me.id);
    }
}
