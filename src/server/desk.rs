//! Where is a host asked that has another actor in each of its lives?
//!
//! ```text
//!   a handle, kept for long ──Ask──> Desk ──Ask──> the actor of life 1    it panicked: the handle stays good
//!                                         └──Ask──> the actor of life 2
//! ```

use std::cell::RefCell;
use std::rc::Weak;

use actix::prelude::*;

use crate::actor::{Ask, Shell};

/// Takes requests to a host in whichever life it is. Between two lives, and after the last, it drops them, and
/// that tells who asked.
pub(super) struct Desk(pub(super) Weak<RefCell<Shell>>);

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Handler<Ask> for Desk {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) {
        let shell = self.0.upgrade();
        if let Some(actor) = shell.and_then(|shell| shell.borrow().actor()) {
            actor.do_send(ask);
        }
    }
}
