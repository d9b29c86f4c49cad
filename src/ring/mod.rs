//! How do many small processes form one circle, and how does a message travel round it?
//!
//! Each process knows two others and nothing else: its *next* (clockwise) and its *prev*
//! (anti-clockwise). Five of them, linked one after the other, the last to the first:
//!
//! ```text
//!            <1> ⇄ <2>                 {relay,anti_clockwise,10,1,"Hi"} sent to <1>:
//!           ⇅         ⇅
//!          <5>        <3>              <1> relays 1, <5> relays 2, <4> relays 3, …
//!            ⇅       ⇅                 <2> relays 10, <1> drops: 11 > 10
//!              <4>
//! ```
//!
//! Hold these true:
//!
//! 1. On a linked ring every process is the prev of its next and the next of its prev.
//! 2. Every message says which way it goes, how often it was relayed and when it must be dropped;
//!    so every message ends, also on a ring of one, where a process relays to itself.
//! 3. A process that stops closes the gap it leaves, and no message is lost in the closing.
//!
//! The file `ring/relay.rs` has the parts that every later stage uses again: [`Direction`],
//! [`Links`] and [`Relay`]. They know nothing of actors. The file `ring/process.rs` has the actor.
//!
//! Left out on purpose: processes that crash without a word (chapters 2 and 6 show why two pointers
//! are not enough for that), and any answer to a message.

mod process;
mod relay;

use std::{num::NonZeroU32, rc::Rc};

use actix::prelude::*;

pub use process::{Event, Leave, Name, Neighbour, Process, Settings, Signal};
pub use relay::{Direction, Links, Relay};

/// There is no such process: it was never started, or it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no process {0} here: it was stopped, or the ring never had so many")]
pub struct NoProcess(pub Name);

/// The processes that were started together, `<1>` to `<n>`, as their owner outside sees them.
///
/// They live on the arbiter that started them, and end with it or by [`stop`](Ring::stop);
/// dropping the `Ring` leaves a linked ring running, because each process holds its neighbours.
pub struct Ring {
    processes: Vec<Option<Neighbour>>,
    settings: Rc<Settings>,
}

impl Ring {
    /// Starts `n` processes on the arbiter of the caller. They are not linked yet.
    #[must_use]
    pub fn start(n: NonZeroU32, settings: Settings) -> Self {
        let settings = Rc::new(settings);
        let start = |name| Some(Process::new(Name(name), Rc::clone(&settings)).start());
        Self {
            processes: (1..=n.get()).map(start).collect(),
            settings,
        }
    }

    /// Links each process to the one started after it, and the last to the first.
    ///
    /// # Errors
    /// [`NoProcess`] if one was stopped already.
    pub fn link_all(&self) -> Result<(), NoProcess> {
        let names: Vec<Name> = (1..).map(Name).take(self.processes.len()).collect();
        for (i, a) in names.iter().enumerate() {
            self.link(*a, *names.get(i + 1).unwrap_or(&names[0]))?;
        }
        Ok(())
    }

    /// Makes `b` the next of `a` and `a` the prev of `b`.
    ///
    /// # Errors
    /// [`NoProcess`] if one of them is not there; then neither hears of it.
    // region: link
    pub fn link(&self, a: Name, b: Name) -> Result<(), NoProcess> {
        let (first, second) = (self.find(a)?, self.find(b)?);
        (self.settings.watch)(Event::Linking(a, b));
        first.do_send(Signal::SetNext(second.clone()));
        second.do_send(Signal::SetPrev(first.clone()));
        Ok(())
    }
    // endregion: link

    /// Sends `message` clockwise, beginning with `from`, for `limit` relays; returns what was sent.
    ///
    /// # Errors
    /// [`NoProcess`] if `from` is not there.
    pub fn send_cw(
        &self,
        from: Name,
        message: &str,
        limit: u32,
    ) -> Result<Relay<String>, NoProcess> {
        self.send(
            from,
            Relay::new(Direction::Clockwise, limit, message.into()),
        )
    }

    /// Sends `message` anti-clockwise, beginning with `from`; otherwise as [`send_cw`](Ring::send_cw).
    ///
    /// # Errors
    /// [`NoProcess`] if `from` is not there.
    pub fn send_anti_cw(
        &self,
        from: Name,
        message: &str,
        limit: u32,
    ) -> Result<Relay<String>, NoProcess> {
        self.send(
            from,
            Relay::new(Direction::AntiClockwise, limit, message.into()),
        )
    }

    /// Asks one process to leave. Its neighbours are linked to each other, and what is under way
    /// goes on by them; it ends once nobody holds its address.
    ///
    /// # Errors
    /// [`NoProcess`] if it is not there, or was stopped before.
    pub fn stop(&mut self, name: Name) -> Result<(), NoProcess> {
        self.find(name)?.do_send(Signal::Stop);
        self.processes[index(name)] = None;
        Ok(())
    }

    /// The address of a process, for those who want to watch it end.
    ///
    /// # Errors
    /// [`NoProcess`] if it is not there.
    pub fn find(&self, name: Name) -> Result<&Neighbour, NoProcess> {
        let process = self.processes.get(index(name)).and_then(Option::as_ref);
        process.ok_or(NoProcess(name))
    }

    fn send(&self, from: Name, relay: Relay<String>) -> Result<Relay<String>, NoProcess> {
        self.find(from)?.do_send(Signal::Relay(relay.clone()));
        Ok(relay)
    }
}

/// Where a process stands in the list. (`Name(0)` names nobody; it is sent past the end.)
fn index(name: Name) -> usize {
    usize::try_from(name.0).map_or(usize::MAX, |n| n.wrapping_sub(1))
}
