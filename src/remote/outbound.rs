//! The life of a link: dial, shake hands, carry, break, pause, dial again.

use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use super::error::{LinkError, Refusal};
use super::frames::{BYE, Frames, Item, PING, bye, ping};
use super::handshake;
use super::hello::Hello;
use super::hub::Hub;
use super::link::{Link, Phase};
use super::pulse::{Pulse, write_all};
use super::stream::BoxChannel;
use crate::placement::HostId;

/// Bytes written before it is looked whether a ping is due.
const BATCH_BYTES: usize = 256 * 1024;

/// How long somebody who was only met may take to close its side.
const PART_PATIENCE: Duration = Duration::from_millis(500);

/// Bytes of control read at once.
const CONTROL_BYTES: usize = 512;

/// Keeps a link for as long as its host is known.
pub(super) async fn live(hub: Rc<Hub>, link: Rc<Link>) {
    link.work.notified().await;
    if link.closing.get() && link.outbox.borrow().waiting().1 == 0 {
        return;
    }
    let mut failures = 0;
    let mut said = None;
    while link.phase.get() != Phase::Ended {
        let attempt = tokio::select! {
            biased;
            attempt = connect(&hub, link.host) => attempt,
            () = link.moved.notified() => continue,
        };
        match attempt {
            Ok((stream, peer)) => {
                said = None;
                let since = Instant::now();
                let why = carry(&hub, &link, stream, &peer).await;
                fell(&link, &why);
                if since.elapsed() >= hub.config.limits.backoff_max {
                    failures = 0;
                }
            }
            Err(why) => failed(&link, why, &mut said),
        }
        if link.phase.get() == Phase::Ended || link.closing.get() {
            break;
        }
        let pause = pause(&hub, failures);
        failures += 1;
        tokio::select! {
            () = sleep(pause) => {}
            () = link.redial.notified() => failures = 0,
        }
    }
    link.drop_waiting();
}

/// Each pause is twice the one before, less up to half by chance: many who lost the same host do not all come
/// back to it at the same moment.
fn pause(hub: &Hub, failures: u32) -> Duration {
    let limits = &hub.config.limits;
    let longest = limits.backoff_min * 2u32.saturating_pow(failures.min(20));
    let longest = longest.min(limits.backoff_max).max(limits.backoff_min);
    let part = hub.chance.borrow_mut().random_range(0.5..=1.0);
    longest.mul_f64(part)
}

/// A connection that was there is there no more.
fn fell(link: &Link, why: &LinkError) {
    if link.phase.get() == Phase::Up {
        link.phase.set(Phase::Down);
    }
    let lost = link.drop_waiting();
    link.tell_down();
    if matches!(why, LinkError::Stopped | LinkError::Forgotten) {
        log::info!("link to {}: closed, {why}", link.host);
    } else {
        log::warn!(
            "link to {}: down, {why}; {lost} waiting messages lost",
            link.host
        );
    }
}

/// There was none. Said once for each reason.
fn failed(link: &Link, why: LinkError, said: &mut Option<LinkError>) {
    if link.phase.get() == Phase::Ended {
        return;
    }
    link.phase.set(Phase::Down);
    let lost = link.drop_waiting();
    link.tell_down();
    if said.as_ref() == Some(&why) {
        log::debug!("link to {}: still no connection, {why}", link.host);
    } else {
        log::warn!(
            "link to {}: no connection, {why}; {lost} waiting messages lost",
            link.host
        );
        *said = Some(why);
    }
}

/// Tries each known address of a host.
async fn connect(hub: &Rc<Hub>, host: HostId) -> Result<(BoxChannel, Hello), LinkError> {
    let addresses = hub.addresses(host);
    let mut why = LinkError::NoAddress;
    for address in addresses {
        match reach(hub, &address, Some(host)).await {
            Ok(reached) => return Ok(reached),
            Err(error) => {
                if let LinkError::Refused(Refusal::Double | Refusal::OlderIncarnation) = error {
                    hub.has_double(None);
                }
                log::debug!("{host} at {address}: {error}");
                why = error;
            }
        }
    }
    Err(why)
}

/// Dials an address and shakes hands with whoever lives there.
pub(super) async fn reach(
    hub: &Rc<Hub>,
    address: &Address,
    expected: Option<HostId>,
) -> Result<(BoxChannel, Hello), LinkError> {
    let limits = &hub.config.limits;
    let dialled = timeout(limits.dial, hub.dial.dial(address)).await;
    let late = |_| LinkError::DialTimeout(limits.dial.as_millis());
    let mut stream = dialled.map_err(late)??;
    let shaking = async {
        if let Some(tls) = &hub.config.tls {
            stream = tls.connect(stream).await?;
        }
        let mine = hub.hello(expected);
        let peer = handshake::dial(&mut *stream, &mine, &hub.config.secret).await?;
        Ok::<_, LinkError>((stream, peer))
    };
    let late = |_| LinkError::HandshakeTimeout(limits.handshake.as_millis());
    let (stream, peer) = timeout(limits.handshake, shaking).await.map_err(late)??;
    if expected.is_none() && peer.host == hub.config.host {
        return Err(LinkError::Refused(Refusal::Myself));
    }
    hub.met(&peer, Some(address))?;
    Ok((stream, peer))
}

/// Says goodbye on a connection that was only to see who is there.
pub(super) async fn part(mut stream: BoxChannel) {
    // Whether it hears this or sees the end makes no difference.
    let _ = stream.write_all(&bye()).await;
    let _ = stream.flush().await;
    let _ = timeout(PART_PATIENCE, stream.read_to_end(&mut Vec::new())).await;
}

/// Sends what is to be sent, until the connection breaks or must end.
async fn carry(hub: &Hub, link: &Link, stream: BoxChannel, peer: &Hello) -> LinkError {
    if link.phase.get() == Phase::Ended {
        return LinkError::Stopped;
    }
    link.phase.set(Phase::Up);
    link.take_why();
    link.count(|sent| sent.connections += 1);
    log::info!(
        "link to {}: up, incarnation {}",
        link.host,
        peer.incarnation
    );
    link.tell_up();
    let (mut read, mut write) = tokio::io::split(stream);
    let pulse = Pulse::new();
    let ended = tokio::select! {
        biased;
        why = link.broken_off() => Err(why),
        ended = hear(link, &pulse, &mut read) => ended,
        ended = watch(hub, link, &pulse) => ended,
        ended = speak(link, &pulse, &mut write) => ended,
    };
    ended.err().unwrap_or(LinkError::Stopped)
}

/// Writes what waits, and a ping between two batches when one is due.
async fn speak(
    link: &Link,
    pulse: &Pulse,
    write: &mut WriteHalf<BoxChannel>,
) -> Result<(), LinkError> {
    loop {
        let mut next = link
            .outbox
            .borrow_mut()
            .take(BATCH_BYTES)
            .unwrap_or_default();
        if let Some(mark) = pulse.due.take() {
            next.push_front(ping(PING, mark).to_vec().into());
        }
        if next.is_empty() {
            if link.closing.get() {
                return say_bye(write).await;
            }
            tokio::select! {
                () = link.work.notified() => {}
                () = pulse.wake.notified() => {}
            }
            continue;
        }
        let len: usize = next.iter().map(bytes::Bytes::len).sum();
        write_all(write, next).await?;
        pulse.has_sent();
        link.count(|sent| sent.bytes += len as u64);
        link.has_room_again();
    }
}

/// The last word. The other side closes when it has read it: closing first could cut off what is under way.
async fn say_bye(write: &mut WriteHalf<BoxChannel>) -> Result<(), LinkError> {
    write.write_all(&bye()).await?;
    write.flush().await?;
    std::future::pending().await
}

/// Reads the other side's control.
async fn hear(
    link: &Link,
    pulse: &Pulse,
    read: &mut ReadHalf<BoxChannel>,
) -> Result<(), LinkError> {
    let mut frames = Frames::control();
    loop {
        frames.buf.reserve(CONTROL_BYTES);
        if read.read_buf(&mut frames.buf).await? == 0 {
            return Err(if link.closing.get() {
                LinkError::Stopped
            } else {
                LinkError::Closed
            });
        }
        pulse.has_heard();
        while let Some(item) = frames.next()? {
            match item {
                Item::Pong(0) => {}
                Item::Pong(mark) => {
                    let took = pulse.mark().saturating_sub(mark);
                    link.count(|sent| sent.round_trip_us = took);
                    if pulse.clears(mark) && !link.outbox.borrow().is_choked() {
                        link.tell_up();
                    }
                }
                Item::Bye => return Err(LinkError::Goodbye),
                Item::Ping(_) | Item::Frame(_) => {
                    return Err(LinkError::Part("only pongs come this way"));
                }
            }
        }
    }
}

/// Asks for a sign of life after a silence or in doubt, and gives up after a longer silence.
async fn watch(hub: &Hub, link: &Link, pulse: &Pulse) -> Result<(), LinkError> {
    let limits = &hub.config.limits;
    let mut asked = Instant::now();
    loop {
        tokio::select! {
            () = link.doubted.notified() => pulse.doubt.set(Some(pulse.ask())),
            () = sleep(limits.ping_after / 4) => {}
        }
        pulse.check(limits.dead_after)?;
        let silent = pulse.heard.get().max(asked).elapsed() >= limits.ping_after;
        let idle = pulse.sent.get().max(asked).elapsed() >= limits.ping_after;
        if silent || idle {
            asked = Instant::now();
            pulse.ask();
        }
    }
}

/// So that a goodbye is what the reader takes it for.
const _: () = assert!(bye()[5] == BYE);
