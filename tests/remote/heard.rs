//! Who heard what from whom, and what each host was told about the others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use roundelay::actor::{Arrived, Input};
use roundelay::message::{Envelope, KeepMessage, Message};
use roundelay::placement::HostId;
use roundelay::record::WallMs;
use roundelay::remote::LocalHost;
use roundelay::roster::RosterVersion;

/// A message with a number.
pub(crate) fn numbered(from: u64, to: u64, life: u64, number: u64) -> Envelope {
    Envelope {
        from: HostId(from),
        to: HostId(to),
        body: Message::Keep(KeepMessage::Gossip {
            version: RosterVersion(life),
            wall: WallMs(number),
            view: roundelay::message::View::default(),
        }),
    }
}

/// One message that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The life of its sender.
    pub(crate) life: u64,
    pub(crate) number: u64,
    pub(crate) at: Duration,
}

/// One report: `host` was told that `other` is down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) host: u64,
    pub(crate) other: u64,
    pub(crate) up: bool,
    pub(crate) at: Duration,
}

/// What everybody heard and was told, in one book for the whole world.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) heard: Vec<Heard>,
    pub(crate) told: Vec<Told>,
    /// (from, to, life) and number of each message sent, and when.
    pub(crate) sent: Vec<Heard>,
    /// How long a host thinks about each batch.
    pub(crate) slow: BTreeMap<u64, Duration>,
}

pub(crate) type Shared = Rc<RefCell<Ledger>>;

impl Ledger {
    pub(crate) fn numbers(&self, from: u64, to: u64) -> Vec<u64> {
        let theirs = self.heard.iter().filter(|h| (h.from, h.to) == (from, to));
        theirs.map(|h| h.number).collect()
    }

    /// What `host` was told about `other`: `d` down, `u` up.
    pub(crate) fn told(&self, host: u64, other: u64) -> String {
        let theirs = self
            .told
            .iter()
            .filter(|t| (t.host, t.other) == (host, other));
        theirs.map(|told| if told.up { 'u' } else { 'd' }).collect()
    }

    /// In order and at most once, life by life.
    #[track_caller]
    pub(crate) fn check_order(&self) {
        let mut last = BTreeMap::new();
        for heard in &self.heard {
            let before = last.insert((heard.from, heard.to), (heard.life, heard.number));
            let now = (heard.life, heard.number);
            assert!(before < Some(now), "{before:?} before {heard:?}");
        }
    }

    /// Whatever was sent and not heard: its sender was told that the other is down, then or since.
    #[track_caller]
    pub(crate) fn check_losses(&self) {
        for sent in &self.sent {
            let arrived = self.heard.iter().any(|heard| {
                let same = (heard.from, heard.to, heard.life) == (sent.from, sent.to, sent.life);
                same && heard.number == sent.number
            });
            let theirs = |told: &&Told| (told.host, told.other) == (sent.from, sent.to);
            let was_down = self
                .told
                .iter()
                .filter(theirs)
                .rfind(|told| told.at <= sent.at);
            let told_since = self
                .told
                .iter()
                .filter(theirs)
                .any(|t| t.at >= sent.at && !t.up);
            let knows = told_since || was_down.is_some_and(|told| !told.up);
            assert!(
                arrived || knows,
                "lost without a word: {sent:?}, {:?}",
                self.told
            );
        }
    }
}

/// Stands for a host: writes down what it hears.
pub(crate) struct Probe {
    pub(crate) host: u64,
    pub(crate) ledger: Shared,
    pub(crate) now: fn() -> Duration,
}

impl Probe {
    pub(crate) fn start_it(self) -> LocalHost {
        let probe = self.start();
        LocalHost::new(probe.clone().recipient(), probe.recipient())
    }
}

impl Actor for Probe {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Probe {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Context<Self>) {
        let at = (self.now)();
        let mut ledger = self.ledger.borrow_mut();
        for envelope in arrived.envelopes {
            let (from, to) = (envelope.from.0, envelope.to.0);
            let Message::Keep(KeepMessage::Gossip { version, wall, .. }) = envelope.body else {
                panic!("not a numbered message");
            };
            let (life, number) = (version.0, wall.0);
            ledger.heard.push(Heard {
                from,
                to,
                life,
                number,
                at,
            });
        }
        let handled = arrived.handled;
        match ledger.slow.get(&self.host).copied() {
            None => drop(handled.send(())),
            Some(pause) => drop(actix::spawn(async move {
                tokio::time::sleep(pause).await;
                let _ = handled.send(());
            })),
        }
    }
}

impl Handler<Input> for Probe {
    type Result = ();

    fn handle(&mut self, input: Input, _: &mut Context<Self>) {
        let (other, up) = if let Input::HostUp(other) = input {
            (other.0, true)
        } else if let Input::HostDown(other) = input {
            (other.0, false)
        } else {
            panic!("links tell who is down and up");
        };
        let (host, at) = (self.host, (self.now)());
        self.ledger.borrow_mut().told.push(Told {
            host,
            other,
            up,
            at,
        });
    }
}
