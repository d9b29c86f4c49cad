//! What all links of a host share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use actix::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;

use super::address::Address;
use super::config::Config;
use super::directory::{Directory, Learned};
use super::error::{LinkError, Refusal};
use super::hello::{Hello, NONCE_BYTES, short};
use super::link::{Link, LinkActor, Phase};
use super::local::LocalHost;
use super::outbound;
use super::said::Said;
use super::stream::Dial;
use crate::actor::Book;
use crate::placement::HostId;

/// Everything the tasks of all links share. They run on one arbiter.
pub(super) struct Hub {
    pub(super) config: Config,
    pub(super) dial: Box<dyn Dial>,
    pub(super) local: LocalHost,
    pub(super) book: Rc<RefCell<Book>>,
    pub(super) chance: RefCell<ChaCha8Rng>,
    pub(super) directory: RefCell<Directory>,
    pub(super) links: RefCell<BTreeMap<HostId, Rc<Link>>>,
    /// For each host that has a connection to this one: what ends it.
    inbound: RefCell<BTreeMap<HostId, Rc<Notify>>>,
    pub(super) shaking: Cell<usize>,
    attempts: Cell<u64>,
    /// How often this host has dialled itself.
    own_dials: Cell<u64>,
    /// It was said that another process is this host, too.
    doubled: Cell<bool>,
    pub(super) said: RefCell<Said>,
    pub(super) stopped: Cell<bool>,
}

/// One of the handshakes that go on at once, for as long as it does.
pub(super) struct Shaking(Rc<Hub>);

impl Drop for Shaking {
    fn drop(&mut self) {
        self.0.shaking.set(self.0.shaking.get() - 1);
    }
}

impl Hub {
    pub(super) fn new(
        config: Config,
        dial: Box<dyn Dial>,
        local: LocalHost,
        book: Rc<RefCell<Book>>,
        chance: ChaCha8Rng,
    ) -> Hub {
        Hub {
            directory: RefCell::new(Directory::new(config.limits.hosts)),
            config,
            dial,
            local,
            book,
            chance: RefCell::new(chance),
            links: RefCell::default(),
            inbound: RefCell::default(),
            shaking: Cell::new(0),
            attempts: Cell::new(0),
            own_dials: Cell::new(0),
            doubled: Cell::new(false),
            said: RefCell::default(),
            stopped: Cell::new(false),
        }
    }

    /// Room for one more handshake, if there is.
    pub(super) fn begin_handshake(self: &Rc<Self>) -> Option<Shaking> {
        let shaking = self.shaking.get();
        (shaking < self.config.limits.handshakes).then(|| {
            self.shaking.set(shaking + 1);
            Shaking(Rc::clone(self))
        })
    }

    /// Who this host is, for one more connection.
    pub(super) fn hello(&self, expected: Option<HostId>) -> Hello {
        let attempt = self.attempts.get() + 1;
        self.attempts.set(attempt);
        let mut nonce = [0; NONCE_BYTES];
        self.chance.borrow_mut().fill(&mut nonce);
        Hello {
            cluster: short(&self.config.cluster).to_owned(),
            host: self.config.host,
            expected,
            incarnation: self.config.incarnation,
            attempt,
            listen: Some(self.config.listen.clone()),
            nonce,
            refusal: None,
        }
    }

    pub(super) fn addresses(&self, host: HostId) -> Vec<Address> {
        let directory = self.directory.borrow();
        let known = directory.get(host);
        known.map_or_else(Vec::new, |known| known.addresses.clone())
    }

    /// Somebody says that a host listens there. Makes its line, or lets it dial again.
    pub(super) fn learn(
        self: &Rc<Self>,
        host: HostId,
        address: Option<&Address>,
        incarnation: u64,
    ) -> Learned {
        if host == self.config.host || self.stopped.get() {
            return Learned::Nothing;
        }
        let learned = self
            .directory
            .borrow_mut()
            .learn(host, address, incarnation);
        match learned {
            Learned::NewHost => self.open(host),
            Learned::NewLife | Learned::NewLifeElsewhere | Learned::NewAddress => {
                let link = self.links.borrow().get(&host).cloned();
                let Some(link) = link else { return learned };
                if learned != Learned::NewAddress {
                    link.break_off(LinkError::Restarted);
                }
                if learned != Learned::NewLife {
                    link.moved.notify_one();
                }
                if link.phase.get() == Phase::Down {
                    link.redial.notify_one();
                }
            }
            Learned::Full => log::warn!(
                "{host} is not taken in: the addresses of {} hosts are known already",
                self.config.limits.hosts
            ),
            Learned::Nothing | Learned::Outdated => {}
        }
        learned
    }

    /// A line to a host that was not known before. It dials when there is something to say.
    fn open(self: &Rc<Self>, host: HostId) {
        let link = Rc::new(Link::new(host, &self.config.limits, self.local.clone()));
        self.links.borrow_mut().insert(host, Rc::clone(&link));
        let actor = LinkActor(Rc::clone(&link)).start();
        self.book.borrow_mut().add_host(host, actor.recipient());
        actix::spawn(outbound::live(Rc::clone(self), link));
    }

    /// A handshake that this host began went well.
    pub(super) fn met(
        self: &Rc<Self>,
        peer: &Hello,
        address: Option<&Address>,
    ) -> Result<(), LinkError> {
        match self.learn(peer.host, address, peer.incarnation) {
            Learned::Outdated => Err(LinkError::Outdated),
            Learned::Full => Err(LinkError::Refuse {
                reason: Refusal::Crowded,
                host: peer.host,
            }),
            Learned::NewHost
            | Learned::NewLife
            | Learned::NewLifeElsewhere
            | Learned::NewAddress
            | Learned::Nothing => Ok(()),
        }
    }

    /// How often this host has dialled itself.
    pub(super) fn own_dials(&self) -> u64 {
        self.own_dials.get()
    }

    /// Looks at a hello that nobody has proven yet.
    pub(super) fn glance(&self, hello: &Hello) -> Result<(), Refusal> {
        if hello.cluster != short(&self.config.cluster) {
            return Err(Refusal::OtherCluster);
        }
        if hello.expected.is_some_and(|host| host != self.config.host) {
            return Err(Refusal::NotExpected);
        }
        if hello.host == self.config.host {
            let listens = hello.listen.as_ref() == Some(&self.config.listen);
            match listens && hello.incarnation == self.config.incarnation {
                true => self.own_dials.set(self.own_dials.get() + 1),
                false => self.has_double(hello.listen.as_ref()),
            }
            return Err(Refusal::Myself);
        }
        Ok(())
    }

    /// Another process says that it is this host: said once, loudly, for nothing else here would tell it.
    pub(super) fn has_double(&self, at: Option<&Address>) {
        if self.doubled.replace(true) {
            return;
        }
        let host = self.config.host;
        let at = at.map_or_else(|| "elsewhere".to_owned(), |at| format!("at {at}"));
        log::error!(
            "another process {at} is {host}, as this one is: a data directory was copied and is in use twice. End one of the \
             two: others hear the one in the newer life, or the one they heard first. A copy becomes a host of its own with an empty directory"
        );
    }

    // region: admit
    /// Lets in whoever has proven itself, unless a newer life or connection of it is known. An older
    /// connection ends.
    pub(super) fn admit(self: &Rc<Self>, hello: &Hello) -> Result<Rc<Notify>, Refusal> {
        let (host, life) = (hello.host, hello.incarnation);
        let is_double = |at: &Address| self.directory.borrow().is_double(host, life, at);
        if hello.listen.as_ref().is_some_and(is_double) {
            return Err(Refusal::Double);
        }
        match self.learn(host, hello.listen.as_ref(), life) {
            Learned::Outdated => return Err(Refusal::OlderIncarnation),
            Learned::Full => return Err(Refusal::Crowded),
            Learned::NewHost
            | Learned::NewLife
            | Learned::NewLifeElsewhere
            | Learned::NewAddress
            | Learned::Nothing => {}
        }
        let mut directory = self.directory.borrow_mut();
        if !directory.is_newest(hello.host, hello.incarnation, hello.attempt) {
            return Err(Refusal::OlderConnection);
        }
        if let Some(at) = &hello.listen {
            directory.lives(host, life, at.clone());
        }
        let stop = Rc::new(Notify::new());
        let older = self
            .inbound
            .borrow_mut()
            .insert(hello.host, Rc::clone(&stop));
        if let Some(older) = older {
            older.notify_one();
        }
        // Whoever dials can be dialled.
        if let Some(link) = self.links.borrow().get(&hello.host)
            && link.phase.get() == Phase::Down
        {
            link.redial.notify_one();
        }
        Ok(stop)
    }
    // endregion: admit

    /// A connection from another host is over.
    pub(super) fn inbound_ended(&self, peer: &Hello, stop: &Rc<Notify>, why: &LinkError) {
        let mut inbound = self.inbound.borrow_mut();
        if inbound
            .get(&peer.host)
            .is_some_and(|mine| Rc::ptr_eq(mine, stop))
        {
            inbound.remove(&peer.host);
        }
        if *why == LinkError::Goodbye || self.stopped.get() {
            return log::debug!("link from {}: {why}", peer.host);
        }
        log::warn!("link from {}: ended, {why}", peer.host);
        if let Some(link) = self.links.borrow().get(&peer.host) {
            link.doubt();
        }
    }

    /// Strikes a host out.
    pub(super) fn forget(&self, host: HostId, why: LinkError) {
        self.directory.borrow_mut().forget(host);
        if let Some(stop) = self.inbound.borrow_mut().remove(&host) {
            stop.notify_one();
        }
        if let Some(link) = self.links.borrow_mut().remove(&host) {
            link.end(why);
            self.book.borrow_mut().remove_host(host);
        }
    }

    /// Ends every connection from elsewhere.
    pub(super) fn end_inbound(&self) {
        for stop in std::mem::take(&mut *self.inbound.borrow_mut()).into_values() {
            stop.notify_one();
        }
    }
}
