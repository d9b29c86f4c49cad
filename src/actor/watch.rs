//! Who notices when an actor panics?
//!
//! Nobody, unless somebody looks: a panic in a handler ends that actor and what lies in its mailbox, and all
//! that others see of it is silence. So each actor of a host runs under a watch, as a process in Erlang does:
//!
//! ```text
//!   spawn(actor) ──> join handle ──awaited by──> watch ── it panicked ──> the host falls
//!        │                                                                    │
//!        └── handles messages                                    again from its records, or not
//! ```
//!
//! The panic came in the middle of a call, so what the host knows in memory may be half of what it should
//! be: it is thrown away with all its actors, which share it, not only with the one that panicked. What its
//! store holds was written whole. From that a new host begins a new life, as after a crash of its process,
//! if [`Surroundings::again`](super::Surroundings::again) has one; otherwise the host is down, for good and
//! without a trace in the book. Either is said: by an event, and as an error in the log. How often it may
//! begin again, [`Falls`](super::Falls) says.
//!
//! *Hold these true*: each actor of a host is watched; what was meant for a life that is over changes nothing
//! in the next; a host that was told to stop does not come back.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use actix::prelude::*;

use super::node;
use super::shell::Shell;
use super::surroundings::Begins;
use crate::keyspace::Id;

/// Starts an actor and watches it: if it panics, `fell` is told why.
pub(super) fn start<A>(actor: A, fell: impl FnOnce(&str) + 'static) -> Addr<A>
where
    A: Actor<Context = Context<A>>,
{
    let context = Context::new();
    let address = context.address();
    let running = actix::spawn(context.into_future(actor));
    actix::spawn(async move {
        if let Err(error) = running.await
            && error.is_panic()
        {
            fell(why(error.into_panic().as_ref()));
        }
    });
    address
}

/// An actor of a host has panicked in that life of it: a node's, or the host's own. If the host begins a new
/// life, its actor is started anew.
pub(super) fn fell(shell: &Rc<RefCell<Shell>>, life: u32, node: Option<Id>, why: &str) {
    let again = shell.borrow_mut().fall(life, node, why);
    if let Some(begins) = again {
        actix::spawn(rise(Rc::clone(shell), begins));
    }
}

/// Ends the present life of a host, without a fault, and begins another one with what `begins` gives; with
/// nothing, it stays down.
pub fn live_anew(shell: &Rc<RefCell<Shell>>, begins: Begins) {
    shell.borrow_mut().die();
    actix::spawn(rise(Rc::clone(shell), begins));
}

async fn rise(shell: Rc<RefCell<Shell>>, begins: Begins) {
    let Some(host) = begins.await else { return };
    let rises = shell.borrow_mut().rise(host);
    if rises {
        let book = Rc::clone(shell.borrow().book());
        node::start(shell, &book);
    }
}

/// What a panic said.
fn why(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why")
}
