//! Servers as they are, several in one process, over real sockets.

mod begins;
mod falls;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::settings::Settings;
use super::start::Server;
use crate::remote::Address;
use crate::roster::RingId;

/// Nothing here takes longer, but for a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs what needs an actix system, in real time.
fn live(test: impl Future<Output = ()>) {
    actix::System::new().block_on(test);
}

/// Settings of a host at that address, told of those.
fn at(address: &Address, join: &[&Address]) -> Settings {
    Settings {
        listen: address.as_str().parse().unwrap(),
        join: join.iter().map(|address| (*address).clone()).collect(),
        tokens: 4,
        ..Settings::default()
    }
}

/// Addresses that nobody has now. Somebody else may take one; then its host says so, and the test fails.
fn addresses<const N: usize>() -> [Address; N] {
    let held = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|held| held.local_addr().unwrap().into())
}

/// Looks again and again until it is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The ring of a host, and how many hosts are settled in it; none if it is not among them.
fn ring(server: &Server) -> Option<(RingId, usize)> {
    let shell = server.shell.borrow();
    let roster = shell.host().roster()?;
    let is_in = roster.has(server.dht.host()) && !roster.is_moving();
    is_in.then(|| (roster.ring, roster.hosts().len()))
}

/// Waits until all of them are in one ring, and nobody else is.
async fn are_one_ring(servers: &[&Server]) {
    let first = || ring(servers[0]).filter(|(_, hosts)| *hosts == servers.len());
    until("one ring", || {
        first().is_some() && servers.iter().all(|server| ring(server) == first())
    })
    .await;
}
