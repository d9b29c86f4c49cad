//! Where do messages from elsewhere go, and who is told that a host is down or up?

use std::cell::RefCell;
use std::rc::Weak;

use actix::{Addr, Recipient};
use tokio::sync::oneshot;

use super::error::LinkError;
use crate::actor::{Arrived, HostActor, Input, Shell};
use crate::message::Envelope;

/// The local host, as its links see it.
#[derive(Clone)]
pub struct LocalHost(Way);

#[derive(Clone)]
enum Way {
    Fixed(Recipient<Arrived>, Recipient<Input>),
    /// Whose actor is another one in each of its lives.
    Living(Weak<RefCell<Shell>>),
}

impl LocalHost {
    /// A host with these addresses, for good.
    #[must_use]
    pub fn new(inbox: Recipient<Arrived>, tell: Recipient<Input>) -> LocalHost {
        LocalHost(Way::Fixed(inbox, tell))
    }

    /// Tells it that another host is down or up.
    pub(super) fn tell(&self, input: Input) {
        match &self.0 {
            Way::Fixed(_, tell) => tell.do_send(input),
            Way::Living(shell) => {
                // Who begins a new life asks everybody anew, and learns it then.
                if let Some(actor) = living(shell) {
                    actor.do_send(input);
                }
            }
        }
    }

    // region: hand_over
    /// Gives it what came in one read, and waits until it has thought about it. Meanwhile nothing is read, the
    /// buffers of the connection fill, and the sender has to wait.
    pub(super) async fn hand_over(&self, envelopes: Vec<Envelope>) -> Result<(), LinkError> {
        let (handled, told) = oneshot::channel();
        let arrived = Arrived { envelopes, handled };
        match &self.0 {
            Way::Fixed(inbox, _) => inbox.do_send(arrived),
            Way::Living(shell) => living(shell).ok_or(LinkError::HostEnded)?.do_send(arrived),
        }
        told.await.map_err(|_| LinkError::HostEnded)
    }
    // endregion: hand_over
}

fn living(shell: &Weak<RefCell<Shell>>) -> Option<Addr<HostActor>> {
    shell.upgrade()?.borrow().actor()
}

/// A host that does not outlive its actor. If it may begin again after a panic, take its shell.
impl From<Addr<HostActor>> for LocalHost {
    fn from(actor: Addr<HostActor>) -> LocalHost {
        LocalHost::new(actor.clone().recipient(), actor.recipient())
    }
}

/// A host in whichever of its lives it is.
impl From<Weak<RefCell<Shell>>> for LocalHost {
    fn from(shell: Weak<RefCell<Shell>>) -> LocalHost {
        LocalHost(Way::Living(shell))
    }
}
