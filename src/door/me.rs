//! What a connection is to its commands, and what they may change of it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::time::Instant;

use super::about::About;
use super::clients::Clients;
use super::resp::{Arg, Proto, Value};

/// Whether commands are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mute {
    /// Each.
    No,
    /// Not this one.
    This,
    /// Nor the next one.
    Next,
    /// None.
    Always,
}

/// What a connection is, for its commands.
pub(super) struct Me {
    pub(super) id: u64,
    pub(super) from: SocketAddr,
    pub(super) proto: Proto,
    /// Whether it has given the password, or needs none.
    pub(super) known: bool,
    /// Whether a password it gives now is looked at.
    pub(super) may_guess: bool,
    pub(super) mute: Mute,
    /// No more commands are taken; once all is said, it is closed.
    pub(super) leaving: bool,
    pub(super) about: Rc<RefCell<About>>,
}

/// What a command may look at and change.
pub(super) struct Cx<'a> {
    pub(super) me: &'a mut Me,
    pub(super) door: &'a Clients,
}

impl Cx<'_> {
    /// Lets the client in, if it knows the password.
    pub(super) fn authenticate(&mut self, user: Option<&Arg>, password: &Arg) -> Result<(), Value> {
        let Some(right) = &self.door.settings.password else {
            return Err(Value::error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            ));
        };
        let from = self.me.from.ip();
        if !self.me.may_guess {
            return Err(Value::error(
                "WRONGPASS this one was not looked at, for too many wrong passwords come from this address: try again later",
            ));
        }
        let is_default = user.is_none_or(|user| user.is("default"));
        if right.is(&password.clone().into_bytes()) && is_default {
            self.me.known = true;
            return Ok(());
        }
        let mut guesses = self.door.guesses.borrow_mut();
        guesses.wrong(from, Instant::now());
        log::warn!("client {} from {from} gave a wrong password", self.me.id);
        Err(Value::error(
            "WRONGPASS invalid username-password pair or user is disabled.",
        ))
    }

    pub(super) fn set_proto(&mut self, proto: Proto) {
        self.me.proto = proto;
        self.me.about.borrow_mut().proto = proto;
    }

    /// As it was in the beginning.
    pub(super) fn reset(&mut self) {
        self.set_proto(Proto::default());
        self.me.known = self.door.settings.password.is_none();
        self.me.mute = Mute::No;
        self.me.about.borrow_mut().name.clear();
    }
}
