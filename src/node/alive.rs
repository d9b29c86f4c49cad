//! Who seems alive: the host's failure detector, fed and listened to.
//!
//! ```text
//! Host::wake, Message::Detect ──> Detector ──> Detect to another host
//!                                     └──> Up, Down: as if the driver had said so
//! ```
//!
//! It is told the hosts of the roster, and greets them until somebody answers. What it finds out orders whom
//! to ask first, and begins the time after which a silent host is proposed for removal; it never changes who
//! holds a key by itself.

use crate::detect::{Detector, Signal};
use crate::keep::{Context, Then};
use crate::message::{Effects, Envelope, Event, Message};
use crate::placement::HostId;
use crate::record::Now;
use crate::roster::Roster;

use super::Host;

impl Host {
    /// A new life: a detector that knows nobody yet.
    pub(super) fn begin_to_look(&mut self) {
        let (me, start, seed) = (
            self.config.host,
            self.keeper.start_number(),
            self.config.seed,
        );
        let config = self.config.detect.as_ref();
        self.detector = config.map(|config| Detector::new(me, start, config, seed));
    }

    /// The hosts of the roster are whom it greets.
    pub(super) fn greet(&mut self, now: Now, roster: &Roster, fx: &mut dyn Effects<Then>) {
        if let Some(detector) = &mut self.detector {
            let signals = detector.join(now.at, roster.hosts());
            self.heed(now, signals, fx);
        }
    }

    /// A message of another host came: whoever speaks is not waited for.
    pub(super) fn speaks(&mut self, now: Now, host: HostId, fx: &mut dyn Effects<Then>) {
        let detector = self.detector.as_mut().filter(|one| one.awaits(host));
        let signal = detector.and_then(|detector| detector.heard(host));
        self.heed(now, signal.into_iter().collect(), fx);
    }

    /// A packet of another detector.
    pub(super) fn detected(&mut self, now: Now, bytes: &[u8], fx: &mut dyn Effects<Then>) {
        if let Some(detector) = &mut self.detector {
            let signals = detector.receive(now.at, bytes);
            self.heed(now, signals, fx);
        }
    }

    /// Does what the detector has to do by now.
    pub(super) fn look(&mut self, now: Now, fx: &mut dyn Effects<Then>) {
        if let Some(detector) = &mut self.detector {
            let signals = detector.wake(now.at);
            self.heed(now, signals, fx);
        }
    }

    fn heed(&mut self, now: Now, signals: Vec<Signal>, fx: &mut dyn Effects<Then>) {
        for signal in signals {
            match signal {
                Signal::Send { to, bytes } => fx.send(Envelope {
                    from: self.config.host,
                    to,
                    body: Message::Detect(bytes),
                }),
                Signal::Up(host) => {
                    fx.note(Event::Seen { host, up: true });
                    self.is_up(now, host, fx);
                }
                Signal::Down(host) => {
                    fx.note(Event::Seen { host, up: false });
                    self.is_down(now, host, fx);
                }
            }
        }
    }

    pub(super) fn is_down(&mut self, now: Now, host: HostId, fx: &mut dyn Effects<Then>) {
        self.keeper.host_down(&mut Context { now, fx }, host);
        for id in self.node_ids() {
            self.with_node(now, id, fx, |node, out| node.host_down(now.at, host, out));
        }
    }

    pub(super) fn is_up(&mut self, now: Now, host: HostId, fx: &mut dyn Effects<Then>) {
        self.keeper.host_up(&mut Context { now, fx }, host);
        self.nodes.values_mut().for_each(|node| node.host_up(host));
    }
}
