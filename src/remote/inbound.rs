//! What another host says to this one: read, checked, handed over, and only then read on.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::error::LinkError;
use super::frames::{Frames, Item, PONG, ping};
use super::handshake;
use super::hello::Hello;
use super::hub::{Hub, Shaking};
use super::pulse::Pulse;
use super::stream::{BoxChannel, Channel, Prefixed};
use crate::message::Envelope;
use crate::placement::HostId;
use crate::wire::decode;

/// Bytes read at once from a host that says little.
const SMALL_READ: usize = 8 * 1024;

/// Takes a connection through its handshake, and then what comes over it.
pub(super) async fn receive<S: Channel + 'static>(
    hub: Rc<Hub>,
    stream: S,
    prefix: Bytes,
    from: IpAddr,
    shaking: Shaking,
) {
    let limit = hub.config.limits.handshake;
    let met = timeout(limit, meet(&hub, stream, prefix)).await;
    drop(shaking);
    match met.unwrap_or(Err(LinkError::HandshakeTimeout(limit.as_millis()))) {
        Err(why) => hub.said.borrow_mut().refused(from, &why),
        Ok((stream, peer, stop)) => {
            let host = peer.host;
            log::debug!("link from {host}: connected from {from}");
            let why = listen(&hub, stream, &peer, &stop).await;
            hub.inbound_ended(&peer, &stop, &why);
        }
    }
}

async fn meet<S: Channel + 'static>(
    hub: &Rc<Hub>,
    stream: S,
    prefix: Bytes,
) -> Result<(BoxChannel, Hello, Rc<Notify>), LinkError> {
    let stream = Prefixed::new(prefix, stream);
    let mut stream = match &hub.config.tls {
        Some(tls) => tls.accept(stream).await?,
        None => Box::new(stream) as BoxChannel,
    };
    let (peer, stop) = handshake::accept(
        &mut *stream,
        hub.hello(None),
        &hub.config.secret,
        |hello| hub.glance(hello),
        |hello| hub.admit(hello),
    )
    .await?;
    Ok((stream, peer, stop))
}

/// Reads until the connection ends.
async fn listen(hub: &Hub, stream: BoxChannel, peer: &Hello, stop: &Notify) -> LinkError {
    let (mut read, mut write) = tokio::io::split(stream);
    let ears = Ears {
        hub,
        peer: peer.host,
        pulse: Pulse::new(),
        working: Cell::new(false),
    };
    let ended = tokio::select! {
        biased;
        // First, so that nothing of an older connection is handed over after one of a newer.
        () = stop.notified() => Err(LinkError::Replaced),
        ended = ears.answer(&mut write) => ended,
        ended = ears.hear(&mut read) => ended,
    };
    let why = ended.err().unwrap_or(LinkError::Goodbye);
    if why == LinkError::Goodbye {
        // Both sides know that nothing is missing.
        let _ = write.shutdown().await;
    }
    why
}

/// One connection from another host.
struct Ears<'a> {
    hub: &'a Hub,
    peer: HostId,
    pulse: Pulse,
    /// The host is at work on what arrived; nothing is read meanwhile.
    working: Cell<bool>,
}

impl Ears<'_> {
    async fn hear(&self, read: &mut ReadHalf<BoxChannel>) -> Result<(), LinkError> {
        let mut frames = Frames::all();
        let mut size = SMALL_READ;
        loop {
            frames.buf.reserve(size);
            let room = frames.buf.capacity() - frames.buf.len();
            let count = read.read_buf(&mut frames.buf).await?;
            if count == 0 {
                return Err(LinkError::Closed);
            }
            self.pulse.has_heard();
            let (envelopes, more) = self.sort(&mut frames)?;
            if !envelopes.is_empty() {
                self.working.set(true);
                self.hub.local.hand_over(envelopes).await?;
                self.working.set(false);
                self.pulse.has_heard();
            }
            if !more {
                return Ok(());
            }
            // Who says much is read in large draughts, who says little holds little memory.
            if count == room {
                size = (2 * size).min(self.hub.config.limits.window_bytes);
            } else if count < size / 16 && frames.buf.is_empty() {
                size = SMALL_READ.max(size / 2);
                frames.buf = BytesMut::new();
            }
        }
    }

    /// The messages that are whole, and whether more may come.
    fn sort(&self, frames: &mut Frames) -> Result<(Vec<Envelope>, bool), LinkError> {
        let mut envelopes = Vec::new();
        while let Some(item) = frames.next()? {
            match item {
                Item::Frame(frame) => {
                    let envelope = decode(frame)?;
                    self.is_theirs_and_for_me(&envelope)?;
                    envelopes.push(envelope);
                }
                Item::Ping(mark) => {
                    self.pulse.due.set(Some(mark));
                    self.pulse.wake.notify_one();
                }
                Item::Pong(_) => return Err(LinkError::Part("pongs do not come this way")),
                Item::Bye => return Ok((envelopes, false)),
            }
        }
        Ok((envelopes, true))
    }

    fn is_theirs_and_for_me(&self, envelope: &Envelope) -> Result<(), LinkError> {
        let (from, to, link) = (envelope.from, envelope.to, self.peer);
        if from == link && to == self.hub.config.host {
            return Ok(());
        }
        Err(LinkError::Stray { from, to, link })
    }

    /// Answers pings; says that it is there, unasked, while data arrives or is worked on; gives up after a
    /// silence.
    async fn answer(&self, write: &mut WriteHalf<BoxChannel>) -> Result<(), LinkError> {
        let limits = &self.hub.config.limits;
        loop {
            let mark = tokio::select! {
                () = self.pulse.wake.notified() => self.pulse.due.take(),
                () = sleep(limits.ping_after / 4) => self.unasked()?,
            };
            let Some(mark) = mark else { continue };
            let saying = async {
                write.write_all(&ping(PONG, mark)).await?;
                write.flush().await
            };
            // A peer that asks and does not listen to the answer is as good as silent.
            let late = |_| LinkError::Silent(limits.dead_after.as_millis());
            timeout(limits.dead_after, saying).await.map_err(late)??;
            self.pulse.has_sent();
        }
    }

    fn unasked(&self) -> Result<Option<u64>, LinkError> {
        let limits = &self.hub.config.limits;
        let working = self.working.get();
        if !working {
            self.pulse.check(limits.dead_after)?;
        }
        let (heard, sent) = (self.pulse.heard.get(), self.pulse.sent.get());
        let news = working || heard > sent;
        Ok((news && sent.elapsed() >= limits.ping_after).then_some(0))
    }
}
