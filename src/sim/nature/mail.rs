//! How does a message get from one host to another?
//!
//! ```text
//!   h1 sends ──> network: when, if ever ──> queue ──> h2 up, no cut? ──> delivered
//!                   │  └─ a second time, too              │
//!                   └─ lost: -x in the trace              └─ lost: -x in the trace
//! ```
//!
//! What waits in the queue is a *letter*: bytes, as on a real network, or, where encoding is switched off, the number
//! under which the message lies in a slab.
//!
//! *Hold this true*: what the network does with a message hangs on chance and on who sends it to whom, never on how
//! it is written.

use bytes::Bytes;

use super::{Happening, Nature, Occurrence};
use crate::message::Envelope;
use crate::record::Time;
use crate::wire;

/// A message on its way.
pub(in crate::sim) enum Letter {
    /// Its number among the letters.
    Open(u32),
    /// As bytes.
    Sealed(Bytes),
}

impl Nature {
    /// A host sends a message: it is lost now, or put into the queue once or twice.
    pub(in crate::sim) fn send(&mut self, from: u32, envelope: Envelope) {
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
                self.post(due, from, to, Letter::Sealed(bytes.clone()));
            }
            return;
        }
        let [first, second] = arrivals;
        if let Some(due) = second {
            let letter = Letter::Open(self.letters.put(envelope.clone()));
            self.post(due, from, to, letter);
        }
        if let Some(due) = first {
            let letter = Letter::Open(self.letters.put(envelope));
            self.post(due, from, to, letter);
        }
    }

    fn post(&mut self, due: u64, from: u32, to: u32, letter: Letter) {
        let arrival = Occurrence::Arrival { from, to, letter };
        self.queue.push(due, arrival);
    }

    /// A letter arrives, if its way is open and somebody is there.
    pub(super) fn arrive(
        &mut self,
        from: u32,
        to: u32,
        letter: Letter,
    ) -> Option<(u32, Happening)> {
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
    pub(in crate::sim) fn open(&mut self, letter: Letter) -> Envelope {
        match letter {
            Letter::Open(number) => self.letters.take(number),
            Letter::Sealed(bytes) => wire::decode(bytes).expect("the codec reads what it wrote"),
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
}
