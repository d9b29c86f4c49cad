//! The parts of a server, each with what it needs of the others.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::around::{Around, Packets};
use super::packet::Seal;
use super::radio::{Away, Ground};
use super::settings::Settings;
use super::shelf::{Reason, Results as FromStore, Shared, Shelf};
use crate::actor::{Book, Clock, Results, Shell, start};
use crate::detect::DetectConfig;
use crate::door::{Behind, Door, DoorSettings, Guest, Handlers, Password};
use crate::keep::KeepConfig;
use crate::node::{Host, HostConfig};
use crate::placement::HostId;
use crate::remote::{Address, Config, Limits, Links, MAGIC, TcpDial, os_seed};

/// About so many hosts a ring will have: its detectors are set for that.
const DETECT_HOSTS: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(15);

/// How often whoever drives a move asks how far it is: a move that is done is over so much later.
const DRIVE: Duration = Duration::from_millis(100);

/// A host, its actor, and what they share.
pub(super) struct Body {
    pub(super) shell: Rc<RefCell<Shell>>,
    pub(super) book: Rc<RefCell<Book>>,
    pub(super) shelf: Shared,
    pub(super) reason: Reason,
}

impl Body {
    pub(super) fn new(
        config: HostConfig,
        shelf: Shelf,
        clock: (Clock, bool),
        packets: (Packets, Option<u64>),
    ) -> Body {
        let book = Rc::new(RefCell::new(Book::new()));
        let host = Host::new(config.clone(), &|name| shelf.setting(name));
        let shelf: Shared = Rc::new(RefCell::new(Some(shelf)));
        let reason: Reason = Rc::new(Cell::new(None));
        let around = Around::new(
            config,
            clock,
            Rc::clone(&shelf),
            packets,
            Rc::clone(&reason),
        );
        let shell = Shell::new(host, Box::new(around), Rc::clone(&book));
        start(Rc::clone(&shell), &book);
        Body {
            shell,
            book,
            shelf,
            reason,
        }
    }
}

pub(super) fn host_config(settings: &Settings, me: HostId) -> HostConfig {
    let seed = os_seed();
    let seed = u64::from_be_bytes(std::array::from_fn(|i| seed[i]));
    HostConfig {
        keep: KeepConfig {
            max_value_bytes: settings.max_value_bytes,
            consistency: settings.consistency,
            remove_after: settings.remove_after,
            drive: DRIVE,
            ..KeepConfig::default()
        },
        detect: Some(DetectConfig::new(DETECT_HOSTS)),
        ..HostConfig::new(me, seed)
    }
}

pub(super) fn links(
    settings: &Settings,
    address: &Address,
    (host, incarnation): (HostId, u64),
    body: &Body,
) -> Links {
    let config = Config {
        cluster: settings.cluster.clone(),
        host,
        incarnation,
        listen: address.clone(),
        secret: settings.secret.clone(),
        tls: settings.tls.clone(),
        limits: Limits::default(),
    };
    let host = Rc::downgrade(&body.shell);
    Links::new(config, TcpDial, host, Rc::clone(&body.book), os_seed())
}

pub(super) fn ground(
    settings: &Settings,
    (me, life, address): (HostId, u64, Address),
    links: &Links,
    body: &Body,
    socket: UdpSocket,
) -> Rc<Ground> {
    Rc::new(Ground {
        me,
        life,
        address,
        links: links.clone(),
        shell: Rc::downgrade(&body.shell),
        shelf: Rc::clone(&body.shelf),
        known: RefCell::default(),
        seal: Seal::new(&settings.cluster, settings.secret.bytes()),
        socket,
        heard: Cell::new(tokio::time::Instant::now()),
        away: Cell::new(Away::Yes),
    })
}

pub(super) fn door(
    settings: &Settings,
    me: HostId,
    shell: &Rc<RefCell<Shell>>,
    clock: Clock,
    links: &Links,
) -> Rc<Door> {
    let known = links.clone();
    let behind = Behind {
        address: Rc::new(move |host| known.address(host).map(|address| address.to_string())),
        ..Behind::of(me, Rc::downgrade(shell), Rc::new(move || clock.now().wall))
    };
    let door = Door::new(
        behind,
        DoorSettings {
            max_clients: settings.max_clients,
            max_value_bytes: usize::try_from(settings.max_value_bytes).unwrap_or(usize::MAX),
            max_memory_bytes: settings.max_bytes,
            fsync: settings.data_dir.as_ref().map(|_| settings.fsync),
            password: settings.password.as_deref().map(Password::new),
            ..DoorSettings::default()
        },
    );
    let peers = links.clone();
    let hand: crate::door::Handler = Rc::new(move |guest: Guest| {
        let links = peers.clone();
        Box::pin(async move { links.accept(guest.stream, guest.prefix.freeze(), guest.from) })
    });
    door.set_handlers(Handlers {
        tls: settings.tls.as_ref().map(|_| Rc::clone(&hand)),
        peers: Some((&MAGIC[..], hand)),
        ..Handlers::default()
    });
    door
}

/// Brings results of the store's thread to the host, group by group, if it is still in the life that asked.
pub(super) async fn hand_over(mut results: FromStore, shell: Rc<RefCell<Shell>>, shelf: Shared) {
    while let Some(group) = results.recv().await {
        let mut shelf = shelf.borrow_mut();
        let Some(shelf) = shelf.as_mut() else {
            continue;
        };
        let actor = shell.borrow().actor();
        let came = group
            .into_iter()
            .filter_map(|(done, asked)| shelf.came(done, asked));
        let came: Vec<_> = came.collect();
        if let Some(actor) = actor.filter(|_| !came.is_empty()) {
            actor.do_send(Results(came));
        }
    }
}

/// Addresses written down in an earlier life.
pub(super) fn remembered(file: &Path) -> Vec<Address> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}
