//! All clients of a host, and what they share: the host, its limits and their sums.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use actix::Recipient;
use tokio::time::Instant;

use super::about::About;
use super::commands::Table;
use super::password::Guesses;
use super::settings::DoorSettings;
use crate::actor::{Asks, Shell};
use crate::placement::HostId;
use crate::record::WallMs;
use crate::store::Usage;

/// What stands behind a door: the host that is asked, and what the door may know without asking.
#[derive(Clone)]
pub struct Behind {
    /// The host.
    pub host: HostId,
    /// What takes requests to it in its present life; none while it is down. On the arbiter of the door, or
    /// every command costs two steps between threads.
    pub asks: Rc<dyn Fn() -> Option<Recipient<Asks>>>,
    /// Its wall clock.
    pub wall: Rc<dyn Fn() -> WallMs>,
    /// What its store keeps.
    pub usage: Rc<dyn Fn() -> Usage>,
    /// Where a host is reached, if that is known: for people, who look for a machine.
    pub address: Rc<dyn Fn(HostId) -> Option<String>>,
}

impl Behind {
    /// A host of this process.
    #[must_use]
    pub fn of(host: HostId, shell: Weak<RefCell<Shell>>, wall: Rc<dyn Fn() -> WallMs>) -> Behind {
        let again = shell.clone();
        let usage = move || again.upgrade().map(|shell| shell.borrow().usage());
        Behind {
            host,
            asks: Rc::new(move || shell.upgrade()?.borrow().door_for_many()),
            wall,
            usage: Rc::new(move || usage().unwrap_or_default()),
            address: Rc::new(|_| None),
        }
    }
}

/// What the clients of one door share.
pub(super) struct Clients {
    pub(super) settings: DoorSettings,
    pub(super) table: Table,
    pub(super) host: HostId,
    asks: Rc<dyn Fn() -> Option<Recipient<Asks>>>,
    /// What took requests last: making an address anew for each would cost more than using it.
    line: RefCell<Option<Recipient<Asks>>>,
    pub(super) wall: Rc<dyn Fn() -> WallMs>,
    pub(super) usage: Rc<dyn Fn() -> Usage>,
    pub(super) address: Rc<dyn Fn(HostId) -> Option<String>>,
    pub(super) guesses: RefCell<Guesses>,
    since: Instant,
    known: RefCell<BTreeMap<u64, Rc<RefCell<About>>>>,
    last_id: Cell<u64>,
    busy: Cell<usize>,
    held: Cell<usize>,
    commands: Cell<u64>,
    refused: Cell<u64>,
}

impl Clients {
    pub(super) fn new(behind: Behind, settings: DoorSettings) -> Clients {
        Clients {
            table: Table::new(),
            host: behind.host,
            asks: behind.asks,
            line: RefCell::default(),
            wall: behind.wall,
            usage: behind.usage,
            address: behind.address,
            guesses: RefCell::new(Guesses::new(settings.tries, settings.try_again)),
            since: Instant::now(),
            known: RefCell::default(),
            last_id: Cell::new(0),
            busy: Cell::new(0),
            held: Cell::new(0),
            commands: Cell::new(0),
            refused: Cell::new(0),
            settings,
        }
    }

    /// Asks the host. If it is down, the line hears that there will be no answers.
    pub(super) fn ask(&self, asks: Asks) {
        let mut line = self.line.borrow_mut();
        if !line.as_ref().is_some_and(Recipient::connected) {
            *line = (self.asks)();
        }
        if let Some(line) = line.as_ref() {
            line.do_send(asks);
        }
    }

    /// A number for a new client; none if there are too many.
    pub(super) fn admit(&self) -> Option<u64> {
        if self.known.borrow().len() >= self.settings.max_clients {
            self.refused.set(self.refused.get() + 1);
            return None;
        }
        self.last_id.set(self.last_id.get() + 1);
        Some(self.last_id.get())
    }

    pub(super) fn enter(
        &self,
        id: u64,
        from: SocketAddr,
        to: Option<SocketAddr>,
    ) -> Rc<RefCell<About>> {
        let about = Rc::new(RefCell::new(About::new(id, from, to)));
        self.known.borrow_mut().insert(id, Rc::clone(&about));
        about
    }

    pub(super) fn leave(&self, id: u64) {
        self.known.borrow_mut().remove(&id);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.borrow().len()
    }

    /// A line each.
    pub(super) fn list(&self) -> String {
        let mut text = String::new();
        for about in self.known.borrow().values() {
            let _ = writeln!(text, "{}", about.borrow().line());
        }
        text
    }

    pub(super) fn count_command(&self) {
        self.commands.set(self.commands.get() + 1);
    }

    /// One more client waits for answers, or one less.
    pub(super) fn busy(&self, busy: bool) {
        let n = self.busy.get();
        self.busy
            .set(if busy { n + 1 } else { n.saturating_sub(1) });
    }

    /// How many requests each client may have under way.
    pub(super) fn share(&self) -> usize {
        let each = self.settings.max_under_way_in_all / self.busy.get().max(1);
        each.clamp(1, self.settings.max_under_way.max(1))
    }

    /// A client holds so many bytes instead of that many. False if all hold too many, and it holds more
    /// than before.
    pub(super) fn hold(&self, before: usize, now: usize) -> bool {
        let all = self.held.get().saturating_sub(before).saturating_add(now);
        self.held.set(all);
        now <= before || all <= self.settings.max_held_bytes
    }

    /// The first sections of INFO.
    pub(super) fn tells(&self) -> Vec<(&'static str, String)> {
        let uptime = self.since.elapsed().as_secs();
        let (pid, version) = (std::process::id(), env!("CARGO_PKG_VERSION"));
        let usage = (self.usage)();
        vec![
            (
                "server",
                format!(
                    "redis_version:7.0.0\r\nroundelay_version:{version}\r\nredis_mode:standalone\r\nhost_id:{}\r\nprocess_id:{pid}\r\nuptime_in_seconds:{uptime}\r\n",
                    self.host
                ),
            ),
            (
                "clients",
                format!(
                    "connected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:0\r\n",
                    self.len(),
                    self.settings.max_clients
                ),
            ),
            (
                "memory",
                memory(
                    usage.bytes,
                    self.settings.max_memory_bytes.unwrap_or(0),
                    self.held.get(),
                ),
            ),
            ("persistence", "loading:0\r\n".to_owned()),
            (
                "stats",
                format!(
                    "total_connections_received:{}\r\ntotal_commands_processed:{}\r\nrejected_connections:{}\r\n",
                    self.last_id.get(),
                    self.commands.get(),
                    self.refused.get()
                ),
            ),
            (
                "replication",
                "role:master\r\nconnected_slaves:0\r\n".to_owned(),
            ),
        ]
    }
}

/// What INFO says of memory. What is used is what the limit is about: it is read to see how much room is left.
fn memory(used: u64, most: u64, clients: usize) -> String {
    format!(
        "used_memory:{used}\r\nused_memory_human:{}\r\nused_memory_dataset:{used}\r\nmaxmemory:{most}\r\n\
         maxmemory_human:{}\r\nmaxmemory_policy:noeviction\r\nmem_clients_normal:{clients}\r\n",
        human(used),
        human(most)
    )
}

/// Bytes for people, as Redis writes them: `917.36K`.
fn human(bytes: u64) -> String {
    let Some((unit, power)) = [('T', 40), ('G', 30), ('M', 20), ('K', 10)]
        .into_iter()
        .find(|(_, power)| bytes >> power > 0)
    else {
        return format!("{bytes}B");
    };
    let hundredths = ((u128::from(bytes) * 100) + (1 << (power - 1))) >> power;
    format!("{}.{:02}{unit}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_redis_writes_them() {
        let written = [0, 1023, 1024, 939_376, 6_684_672, 25_276_514_304].map(human);
        assert_eq!(
            written,
            ["0B", "1023B", "1.00K", "917.36K", "6.38M", "23.54G"]
        );
        assert_eq!(human(u64::MAX), "16777216.00T");
    }
}
