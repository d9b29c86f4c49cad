//! What a server sees to, several times a second.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::packet::{Found, MAX_HOSTS, Said};
use super::radio::{Ground, Known};
use super::shelf::{Reason, Shared};
use crate::placement::HostId;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);

/// Every so many looks it tells those it knows where it is.
const ANNOUNCE: u32 = 20;

/// Who is in no ring of ours and was not heard for so long is forgotten.
const FORGET: Duration = Duration::from_secs(600);

/// Addresses asked for are asked of so many others at once.
const ASK: usize = 3;

impl Ground {
    /// Hosts of the roster whose address is not known.
    fn missing(&self) -> Vec<HostId> {
        let Some(roster) = self.roster() else {
            return Vec::new();
        };
        let known = self.known.borrow();
        let hosts = roster.hosts().into_iter();
        hosts
            .filter(|host| *host != self.me && !known.contains_key(host))
            .collect()
    }

    /// Hosts that were met by links only: their address is learnt from there.
    fn learn_from_links(&self) {
        for link in self.links.status() {
            if let Some(address) = link.addresses.first().cloned() {
                self.learn(&Found {
                    host: link.host,
                    life: link.incarnation,
                    address,
                });
            }
        }
    }

    /// Starts what goes on for as long as the server runs.
    pub(super) fn tasks(
        self: Rc<Self>,
        packets: mpsc::Receiver<(HostId, bytes::Bytes)>,
        (shelf, reason): (Shared, Reason),
        peers: Option<PathBuf>,
    ) -> Vec<JoinHandle<()>> {
        vec![
            actix::spawn(Rc::clone(&self).listen()),
            actix::spawn(Rc::clone(&self).carry(packets)),
            actix::spawn(care(self, shelf, reason, peers)),
        ]
    }

    /// Who is in the ring no more, and was not heard for so long, is not asked and dialled any more.
    fn forget_strangers(&self, after: Duration) {
        let Some(roster) = self.roster() else { return };
        let stranger = |(host, known): &(&HostId, &Known)| {
            let last = known.heard.unwrap_or(known.since);
            !roster.has(**host) && !roster.is_moving() && last.elapsed() >= after
        };
        let mut known = self.known.borrow_mut();
        let strangers = known.iter().filter(stranger).map(|(host, _)| *host);
        for host in strangers.collect::<Vec<HostId>>() {
            known.remove(&host);
            log::info!(
                "{host} is forgotten: it is in the ring no more, and was not heard for long"
            );
            self.links.forget(host);
        }
    }

    async fn announce(&self) {
        let all: Vec<HostId> = self.known.borrow().keys().copied().collect();
        let strangers = self.strangers();
        for host in all {
            if let Some(socket) = self.socket_of(host).await {
                self.send(socket, Said::Here(strangers.clone())).await;
            }
        }
    }

    /// Where hosts live that are in another ring: all of this one have to know of them to give it up.
    fn strangers(&self) -> Vec<Found> {
        let roster = self.roster();
        let known = self.known.borrow();
        let strangers = known.iter().filter(|(host, known)| {
            let theirs = known.ring.filter(|_| known.is_fresh());
            let mine = roster.as_ref().filter(|roster| !roster.has(**host));
            mine.is_some_and(|roster| theirs.is_some_and(|ring| ring != roster.ring))
        });
        let found = strangers.map(|(_, known)| known.found.clone());
        found.take(MAX_HOSTS).collect()
    }
}

/// Looks after addresses and the store, until the server ends.
async fn care(ground: Rc<Ground>, shelf: Shared, reason: Reason, file: Option<PathBuf>) {
    let mut saved = BTreeSet::new();
    for look in 0u32.. {
        tokio::time::sleep(EVERY).await;
        ground.learn_from_links();
        let missing = ground.missing();
        if !missing.is_empty() {
            ground.ask_where(&missing, ASK).await;
        }
        if look.is_multiple_of(ANNOUNCE) {
            ground.forget_strangers(FORGET);
            ground.announce().await;
        }
        let damage = shelf.borrow().as_ref().and_then(|shelf| shelf.damage());
        if let Some(why) = damage {
            reason.set(Some(format!("the data directory is damaged: {why}")));
        }
        if let Some(file) = &file {
            save(&ground, file, &mut saved);
        }
    }
}

/// Writes down where the others are, so that all of them may be started anew without those named first.
fn save(ground: &Ground, file: &PathBuf, saved: &mut BTreeSet<String>) {
    let known = ground.known.borrow();
    let addresses = known.values().map(|known| known.found.address.to_string());
    let addresses: BTreeSet<String> = addresses.collect();
    if addresses == *saved {
        return;
    }
    let text: String = addresses.iter().map(|line| format!("{line}\n")).collect();
    if let Err(error) = std::fs::write(file, text) {
        log::warn!("{} cannot be written: {error}", file.display());
    }
    *saved = addresses;
}
