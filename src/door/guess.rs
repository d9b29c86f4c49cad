//! A command with a password that waits for its turn, while too many wrong ones come from its address.
//!
//! Nothing else of its client is begun meanwhile: what it may do depends on the answer.

use std::net::IpAddr;
use std::rc::Rc;

use tokio::time::Instant;

use super::clients::Clients;
use super::password::Turn;
use super::resp::{Arg, Command};

/// When a command may be run.
pub(super) enum Pass {
    /// Now.
    Now(Command),
    /// Now, but its password is not looked at.
    Unseen(Command),
    /// Once it has waited: it is kept.
    Kept,
}

/// What waits of one client: at most one command.
pub(super) struct Waiting {
    door: Rc<Clients>,
    from: IpAddr,
    /// The command, and when its password is looked at.
    held: Option<(Command, Instant)>,
}

impl Waiting {
    /// Nothing yet, of a client that came from that address.
    pub(super) fn new(door: Rc<Clients>, from: IpAddr) -> Waiting {
        let held = None;
        Waiting { door, from, held }
    }

    /// Whether a command may be run now; if not, it is kept until it may.
    pub(super) fn pass(&mut self, command: Command) -> Pass {
        if self.door.settings.password.is_none() || !gives_password(&command) {
            return Pass::Now(command);
        }
        let now = Instant::now();
        let turn = self.door.guesses.borrow_mut().turn(self.from, now);
        match turn {
            Turn::Now => Pass::Now(command),
            Turn::Never => Pass::Unseen(command),
            Turn::Later(until) => {
                self.held = Some((command, until));
                Pass::Kept
            }
        }
    }

    /// Whether none waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.held.is_none()
    }

    /// When the one that waits is due.
    pub(super) fn until(&self) -> Option<Instant> {
        self.held.as_ref().map(|(_, until)| *until)
    }

    /// The one that has waited long enough.
    pub(super) fn take_due(&mut self) -> Option<Command> {
        // Most sessions have none, and would only read the clock.
        self.held.as_ref()?;
        let now = Instant::now();
        let (command, _) = self.held.take_if(|(_, until)| *until <= now)?;
        self.door.guesses.borrow_mut().waited(self.from);
        Some(command)
    }

    /// Bytes of the one that waits.
    pub(super) fn bytes(&self) -> usize {
        let args = self.held.iter().flat_map(|(command, _)| &command.args);
        args.map(Arg::len).sum()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.held.is_some() {
            self.door.guesses.borrow_mut().waited(self.from);
        }
    }
}

/// Whether a command brings a password.
fn gives_password(command: &Command) -> bool {
    let [name, args @ ..] = command.args.as_slice() else {
        return false;
    };
    name.is("auth") || (name.is("hello") && args.iter().any(|arg| arg.is("auth")))
}
