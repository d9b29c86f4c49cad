//! One process, started.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix::Actor;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::desk::Desk;
use super::enter::Entering;
use super::look::Loud;
use super::parts::{Body, door, ground, hand_over, host_config, links, remembered};
use super::settings::{Settings, SettingsError};
use super::shelf::{Reason, Results, Shared, Shelf};
use crate::actor::{Clock, Shell};
use crate::dht::Dht;
use crate::disk::{DiskConfig, Home, OpenError, Standing};
use crate::placement::HostId;
use crate::remote::{Address, Links, Tls, os_seed};

/// So many packets of the detector may wait to be sent; one more is lost.
const PACKETS: usize = 256;

/// Of the bytes of cache one part of so many is kept on this side of the store's thread: see `disk::Recent`.
const RECENT_PART: u64 = 4;

/// How often it is looked for a free port that TCP and UDP can both have.
const PORT_TRIES: u32 = 20;

/// How a line begins that is worth a line in the log, too.
const WARNING: &str = "WARNING: ";

/// How often it is looked whether there is a reason to end.
const LOOK: Duration = Duration::from_millis(100);

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The port cannot be had.
    #[error("cannot listen on {at}: {}", no_port(.why))]
    Listen {
        /// Where.
        at: SocketAddr,
        /// The system's words.
        why: io::Error,
    },
    /// The system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// Why a port cannot be had, and what to do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the list of errors is open: of others the system's own words are said"
)]
fn no_port(why: &io::Error) -> String {
    let rest = match why.kind() {
        io::ErrorKind::AddrInUse => {
            "some process listens there already: choose another --listen, or end that one"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: choose another --listen"
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not: choose another --listen, with a port of 1024 or more"
        }
        _ => return why.to_string(),
    };
    rest.into()
}

/// Why a server ends by itself.
pub type Ending = String;

/// A host in a process of its own. It lives on the arbiter on which it was started.
pub struct Server {
    pub(super) settings: Settings,
    pub(super) dht: Dht,
    listens_on: SocketAddr,
    pub(super) address: Address,
    pub(super) shell: Rc<RefCell<Shell>>,
    pub(super) links: Links,
    pub(super) shelf: Shared,
    pub(super) home: Option<Home>,
    pub(super) reason: Reason,
    /// What was last said loudly.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for tests: people read it in the log")
    )]
    pub(super) loud: Loud,
    pub(super) tasks: Vec<JoinHandle<()>>,
    pub(super) said: Vec<String>,
}

/// A host's identity and its store.
struct Ready {
    host: HostId,
    life: u64,
    shelf: Shelf,
    results: Option<Results>,
    home: Option<Home>,
    said: Vec<String>,
    replaces: Option<HostId>,
}

impl Server {
    /// Starts a host: needs an actix system. It is up when this returns; in a ring a little later.
    ///
    /// # Errors
    /// [`StartError`] says which setting, directory or port it is, and what to do.
    pub async fn start(settings: Settings) -> Result<Server, StartError> {
        settings.check()?;
        if let Some(why) = settings.tls.as_ref().and_then(Tls::doubt) {
            log::warn!(
                "other hosts will not believe the certificate of this one (--tls-cert, --tls-ca, --tls-name): {why}"
            );
        }
        let (listener, socket) = listen(settings.listen).await?;
        let local = listener.local_addr();
        let local = local.map_err(|why| StartError::Listen {
            at: settings.listen,
            why,
        })?;
        let address = settings.advertise.clone().unwrap_or_else(|| local.into());
        let ready = ready(&settings)?;
        Ok(Server::assemble(
            settings,
            ready,
            (local, address),
            (listener, socket),
        ))
    }

    fn assemble(
        settings: Settings,
        ready: Ready,
        (listens_on, address): (SocketAddr, Address),
        (listener, socket): (TcpListener, UdpSocket),
    ) -> Server {
        let (me, life) = (ready.host, ready.life);
        let clock = Clock::system();
        let standing = ready.home.as_ref().map(Home::standing);
        let lost = matches!(standing, Some(Standing::MayHaveLost(_)));
        let config = host_config(&settings, me);
        let (packets, to_carry) = mpsc::channel(PACKETS);
        let packets = (packets, settings.max_bytes);
        let body = Body::new(config.clone(), ready.shelf, (clock, lost), packets);
        let links = links(&settings, &address, (me, life), &body);
        let desk = Desk(Rc::downgrade(&body.shell)).start();
        let dht = Dht::new(desk.recipient(), me);
        let who = (me, life, address.clone());
        let ground = ground(&settings, who, &links, &body, socket);
        let peers = ready.home.as_ref().map(|home| home.path().join("peers"));
        let entering = Entering {
            ground: Rc::clone(&ground),
            settings: settings.clone(),
            config,
            dht: dht.clone(),
            replaces: ready.replaces,
            remembered: peers.as_deref().map(remembered).unwrap_or_default(),
            loud: Loud::default(),
        };
        let loud = entering.loud.clone();
        let door = door(&settings, me, &body.shell, clock, &links);
        let store = (Rc::clone(&body.shelf), Rc::clone(&body.reason));
        let mut tasks = ground.tasks(to_carry, store, peers);
        tasks.push(actix::spawn(door.listen(listener)));
        tasks.push(actix::spawn(entering.run()));
        let results = ready.results.map(|results| {
            let (shell, shelf) = (Rc::clone(&body.shell), Rc::clone(&body.shelf));
            hand_over(results, shell, shelf)
        });
        tasks.extend(results.map(actix::spawn));
        Server {
            settings,
            dht,
            listens_on,
            address,
            shell: body.shell,
            links,
            shelf: body.shelf,
            home: ready.home,
            reason: body.reason,
            loud,
            tasks,
            said: ready.said,
        }
    }

    /// A handle on this host, for this process.
    #[must_use]
    pub fn dht(&self) -> Dht {
        self.dht.clone()
    }

    /// Whether its data outlive this process.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.home.is_some()
    }

    /// Where it listens.
    #[must_use]
    pub const fn listens_on(&self) -> SocketAddr {
        self.listens_on
    }

    /// Where others reach it.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// What was found at the start that people should know, a line each.
    #[must_use]
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// Waits until there is a reason to end that is not a wish: damage, or a fault of this program.
    pub async fn ended(&self) -> Ending {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(why) = self.reason.take() {
                if let Some(home) = &self.home
                    && self.damaged()
                    && let Err(error) = home.note_damage(&why)
                {
                    log::error!("the damage could not be noted: {error}");
                }
                return why;
            }
        }
    }

    fn damaged(&self) -> bool {
        let shelf = self.shelf.borrow();
        shelf.as_ref().is_some_and(|shelf| shelf.damage().is_some())
    }
}

/// TCP and UDP on one port.
async fn listen(at: SocketAddr) -> Result<(TcpListener, UdpSocket), StartError> {
    let failed = |why| StartError::Listen { at, why };
    let mut tries = if at.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let listener = TcpListener::bind(at).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?;
        tries -= 1;
        match UdpSocket::bind(port).await {
            Ok(socket) => return Ok((listener, socket)),
            Err(why) if tries == 0 => return Err(failed(why)),
            Err(_) => {}
        }
    }
}

/// A new host's id: 48 bits of chance, so that names stay short and no two hosts are one.
fn draw_host() -> HostId {
    let seed = os_seed();
    let bytes: [u8; 8] = std::array::from_fn(|i| if i < 2 { 0 } else { seed[i] });
    HostId(u64::from_be_bytes(bytes).max(1))
}

fn ready(settings: &Settings) -> Result<Ready, StartError> {
    let Some(path) = &settings.data_dir else {
        return Ok(Ready {
            host: draw_host(),
            life: 1,
            shelf: Shelf::memory(settings.max_bytes.unwrap_or(u64::MAX)),
            results: None,
            home: None,
            said: vec!["data lives in memory and goes with this process (no --data-dir)".into()],
            replaces: None,
        });
    };
    let recent_bytes = settings.cache_bytes / RECENT_PART;
    let config = DiskConfig {
        path: path.clone(),
        sync: settings.fsync,
        cache_bytes: settings.cache_bytes - recent_bytes,
        limit_bytes: u64::MAX,
        reserve_bytes: settings.reserve_bytes,
    };
    let (home, store) = Home::open(&config, &settings.cluster, &mut draw_host)?;
    let (shelf, results) = Shelf::disk(store, recent_bytes).map_err(StartError::Thread)?;
    let (said, replaces) = tell_of(&home, settings);
    let warnings = said.iter().filter_map(|line| line.strip_prefix(WARNING));
    warnings.for_each(|line| log::warn!("{line}"));
    Ok(Ready {
        host: home.host(),
        life: home.incarnation(),
        shelf,
        results: Some(results),
        home: Some(home),
        said,
        replaces,
    })
}

/// What the directory's standing means, in words; and whose place the host takes.
fn tell_of(home: &Home, settings: &Settings) -> (Vec<String>, Option<HostId>) {
    let path = home.path().display();
    let policy = settings.fsync.name();
    let line = format!("data lives in {path} (fsync {policy})");
    match home.standing() {
        Standing::New | Standing::Whole => (vec![line], None),
        Standing::MayHaveLost(sync) => {
            let lost = format!(
                "{WARNING}the machine was started anew since, with fsync {}: writes acknowledged last may be \
                 missing here, until the other replicas have been compared with",
                sync.name()
            );
            (vec![line, lost], None)
        }
        Standing::SetAside { was, why, to } => {
            let former = was.map_or_else(|| "its host".into(), |was| was.to_string());
            let aside = to.display();
            let aside = format!(
                "{WARNING}the data directory was damaged ({why}); it lies in {aside} now, nothing was deleted. This \
                 is a new host, {}, in the place of {former}: what other hosts hold copies of comes back from them; \
                 what was there alone is in {aside} only",
                home.host()
            );
            (vec![line, aside], *was)
        }
    }
}
