//! The UDP side: packets of detectors, and who lives where.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use actix::Addr;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::packet::{Found, MAX_HOSTS, MAX_PACKET_BYTES, Packet, Said, Seal};
use super::shelf::Shared;
use crate::actor::{HostActor, Shell};
use crate::message::{Envelope, Message};
use crate::placement::HostId;
use crate::remote::{Address, Links};
use crate::roster::{RingId, Roster};

/// Addresses of at most so many hosts are remembered; of more only as the roster needs them.
const MAX_KNOWN: usize = 4096;

/// What is known of another host.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) found: Found,
    /// The ring it said it is in, whether its store is empty, whether its ring is bare, and when it said so.
    pub(super) ring: Option<RingId>,
    pub(super) empty: bool,
    pub(super) bare: bool,
    pub(super) heard: Option<Instant>,
    /// Since when it is known.
    pub(super) since: Instant,
    socket: Option<SocketAddr>,
}

/// What a host has said of itself counts for so long: three times as long as until it says it again.
const FRESH: Duration = Duration::from_secs(15);

impl Known {
    /// Whether what it said of itself still counts.
    pub(super) fn is_fresh(&self) -> bool {
        self.heard.is_some_and(|heard| heard.elapsed() < FRESH)
    }
}

/// What the tasks of a server share.
pub(super) struct Ground {
    pub(super) me: HostId,
    pub(super) life: u64,
    pub(super) address: Address,
    pub(super) links: Links,
    pub(super) shell: Weak<RefCell<Shell>>,
    pub(super) shelf: Shared,
    pub(super) known: RefCell<BTreeMap<HostId, Known>>,
    pub(super) seal: Seal,
    pub(super) socket: UdpSocket,
    /// When a host of its ring was last heard.
    pub(super) heard: Cell<Instant>,
    /// Whether they may have removed it without its knowledge.
    pub(super) away: Cell<Away>,
}

/// Whether a host was down, or heard none of its ring for so long that it may have been removed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// It was there: if it is removed, somebody has said so.
    No,
    /// It was, and has not heard them again.
    Yes,
    /// It hears them again, since then.
    Back(Instant),
}

/// Who hears nobody of its ring for so long may have been removed for its silence: others wait for twice that, at least.
const AWAY: Duration = Duration::from_secs(120);

/// So long after it hears them again a host knows whether it is still in: of a change it is told within some of the
/// others' looks, and its own rounds are 5 s apart.
const LEARNS: Duration = Duration::from_secs(15);

impl Ground {
    /// The roster the host lives by.
    pub(super) fn roster(&self) -> Option<std::sync::Arc<Roster>> {
        let shell = self.shell.upgrade()?;
        let shell = shell.try_borrow().ok()?;
        shell.host().roster().cloned()
    }

    /// The host's actor in its present life.
    pub(super) fn actor(&self) -> Option<Addr<HostActor>> {
        self.shell.upgrade()?.try_borrow().ok()?.actor()
    }

    /// Whether its store holds no record.
    fn is_empty(&self) -> bool {
        let shelf = self.shelf.borrow();
        shelf
            .as_ref()
            .is_some_and(|shelf| shelf.usage().records == 0)
    }

    /// Whether nothing is stored in the ring of the host, as far as it has heard from all others there.
    pub(super) fn is_bare(&self) -> bool {
        let Some(roster) = self.roster().filter(|roster| !roster.is_moving()) else {
            return false;
        };
        let known = self.known.borrow();
        let says_so = |host: &HostId| {
            let known = known.get(host).filter(|known| known.is_fresh());
            known.is_some_and(|known| known.empty && known.ring == Some(roster.ring))
        };
        let hosts = roster.hosts();
        let mut others = hosts.iter().filter(|host| **host != self.me);
        roster.has(self.me) && self.is_empty() && others.all(says_so)
    }

    /// Remembers where a host lives; who it is may be said by anybody who knows the secret, and the later
    /// life counts.
    pub(super) fn learn(&self, found: &Found) {
        if found.host == self.me {
            return;
        }
        let mut known = self.known.borrow_mut();
        let old = known.get(&found.host).map(|known| &known.found);
        let newer = old.is_none_or(|old| {
            found.life > old.life || (found.life == old.life && found.address != old.address)
        });
        if !newer || (old.is_none() && known.len() >= MAX_KNOWN) {
            return;
        }
        let fresh = Known {
            found: found.clone(),
            ring: None,
            empty: false,
            bare: false,
            heard: None,
            since: Instant::now(),
            socket: found.address.as_str().parse().ok(),
        };
        known.insert(found.host, fresh);
        drop(known);
        self.links.know(found.host, &found.address, found.life);
    }

    /// Listens for ever.
    pub(super) async fn listen(self: Rc<Self>) {
        let mut buffer = vec![0; MAX_PACKET_BYTES];
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((len, from)) => match self.seal.decode(&buffer[..len]) {
                    Some(packet) if packet.from.host != self.me => self.heed(packet, from).await,
                    Some(_) | None => log::trace!("{from}: no packet of this cluster"),
                },
                // A host that is down answers by the system's "nobody listens there".
                Err(error) => log::debug!("no packet could be taken: {error}"),
            }
        }
    }

    async fn heed(&self, packet: Packet, from: SocketAddr) {
        self.learn(&packet.from);
        if let Some(known) = self.known.borrow_mut().get_mut(&packet.from.host) {
            known.ring = packet.ring;
            known.empty = packet.empty;
            known.bare = packet.bare;
            known.heard = Some(Instant::now());
        }
        self.mind_the_time(&packet);
        match packet.said {
            Said::Detect(bytes) => {
                // Between two lives of the host a packet is lost, as on any network.
                if let Some(actor) = self.actor() {
                    actor.do_send(Envelope {
                        from: packet.from.host,
                        to: self.me,
                        body: Message::Detect(bytes),
                    });
                }
            }
            Said::Where(hosts) => {
                // Who names none wants to come in, and will have to speak to all of the ring at once.
                let hosts = if hosts.is_empty() {
                    self.roster().map_or(Vec::new(), |roster| roster.hosts())
                } else {
                    hosts
                };
                let found = self.found_of(&hosts);
                self.send(from, Said::Here(found)).await;
            }
            Said::Here(found) => found.iter().for_each(|found| self.learn(found)),
        }
    }

    fn found_of(&self, hosts: &[HostId]) -> Vec<Found> {
        let known = self.known.borrow();
        let found = hosts.iter().filter_map(|host| known.get(host));
        let found = found.map(|known| known.found.clone());
        found.take(MAX_HOSTS).collect()
    }

    /// Whether the hosts of its ring have not been heard for long.
    fn mind_the_time(&self, packet: &Packet) {
        let roster = self.roster();
        if roster.is_some_and(|roster| packet.ring == Some(roster.ring)) {
            if self.heard.get().elapsed() >= AWAY {
                self.away.set(Away::Yes);
            }
            if self.away.get() == Away::Yes {
                self.away.set(Away::Back(Instant::now()));
            }
            self.heard.set(Instant::now());
        }
    }

    /// It is in its ring, as far as it knows.
    pub(super) fn is_in(&self) {
        if let Away::Back(since) = self.away.get()
            && since.elapsed() >= LEARNS
        {
            self.away.set(Away::No);
        }
    }

    /// Sends a packet to an address. It may be lost.
    pub(super) async fn send(&self, to: SocketAddr, said: Said) {
        let packet = Packet {
            from: Found {
                host: self.me,
                life: self.life,
                address: self.address.clone(),
            },
            ring: self.roster().map(|roster| roster.ring),
            empty: self.is_empty(),
            bare: self.is_bare(),
            said,
        };
        let sent = self.socket.send_to(&self.seal.encode(&packet), to).await;
        if let Err(error) = sent {
            log::debug!("no packet to {to}: {error}");
        }
    }

    /// The number behind a host's address, if it is known.
    pub(super) async fn socket_of(&self, host: HostId) -> Option<SocketAddr> {
        let known = self.known.borrow().get(&host).cloned()?;
        if known.socket.is_some() {
            return known.socket;
        }
        let socket = resolve(&known.found.address).await?;
        if let Some(known) = self.known.borrow_mut().get_mut(&host) {
            known.socket = Some(socket);
        }
        Some(socket)
    }

    /// Carries packets of this host's detector.
    pub(super) async fn carry(self: Rc<Self>, mut packets: mpsc::Receiver<(HostId, bytes::Bytes)>) {
        while let Some((to, bytes)) = packets.recv().await {
            match self.socket_of(to).await {
                Some(socket) => self.send(socket, Said::Detect(bytes)).await,
                None => log::trace!("no address of {to} yet"),
            }
        }
    }

    /// Asks those it knows where these hosts are.
    pub(super) async fn ask_where(&self, missing: &[HostId], at_most: usize) {
        let whom: Vec<HostId> = self.known.borrow().keys().copied().collect();
        let missing = &missing[..missing.len().min(MAX_HOSTS)];
        for host in whom.into_iter().take(at_most) {
            if let Some(socket) = self.socket_of(host).await {
                self.send(socket, Said::Where(missing.to_vec())).await;
            }
        }
    }
}

/// Looks a name up.
pub(super) async fn resolve(address: &Address) -> Option<SocketAddr> {
    match tokio::net::lookup_host(address.as_str()).await {
        Ok(mut found) => found.next(),
        Err(error) => {
            log::debug!("{address} is not found: {error}");
            None
        }
    }
}
