//! One client's socket: reads when there is room, writes when there is something, waits for answers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::clients::Clients;
use super::resp::Value;
use super::session::Session;
use super::{Guest, Stream};
use crate::actor::{Asks, Told};

/// At most so many bytes are read at once.
const READ_BYTES: usize = 64 * 1024;

/// At most so many pieces are written at once.
const WRITE_SLICES: usize = 16;

/// What a connection that is being closed may still send before it is cut off: so long,
const LINGER: Duration = Duration::from_secs(1);

/// and so much.
const LINGER_BYTES: usize = 1024 * 1024;

thread_local! {
    /// What is read goes here first, so that idle connections keep no buffer.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Serves one client until it leaves or must go.
pub(super) async fn serve(door: Rc<Clients>, mut guest: Guest) {
    let Some(id) = door.admit() else {
        let most = door.settings.max_clients;
        log::warn!(
            "a client from {} is turned away: {most} are here",
            guest.from
        );
        let why = format!("-ERR max number of clients reached: at most {most}\r\n");
        return bid_farewell(&mut guest.stream, why.as_bytes()).await;
    };
    let session = Session::new(Rc::clone(&door), (guest.from, guest.to), id, guest.prefix);
    let (line, answers) = mpsc::unbounded_channel();
    let stall = door.settings.stall;
    let mut connection = Connection {
        stream: guest.stream,
        session,
        answers,
        progress: Instant::now(),
        timer: Box::pin(sleep_until(Instant::now() + stall)),
        stall,
    };
    loop {
        connection.session.take();
        connection.session.say();
        let asks = connection.session.asks();
        if !asks.is_empty() {
            let (host, line) = (door.host, line.clone());
            door.ask(Asks { host, asks, line });
        }
        if connection.session.is_over() {
            return linger(&mut connection.stream).await;
        }
        match poll_fn(|cx| connection.poll(cx)).await {
            Happened::Something => {}
            Happened::Stalled => return connection.stalled().await,
            Happened::Broken => return,
        }
    }
}

enum Happened {
    Something,
    /// Half a command, or answers that nobody reads, for too long.
    Stalled,
    Broken,
}

struct Connection {
    stream: Box<dyn Stream>,
    session: Session,
    answers: mpsc::UnboundedReceiver<Told>,
    /// When something was read or written last.
    progress: Instant,
    timer: Pin<Box<Sleep>>,
    stall: Duration,
}

impl Connection {
    /// Answers that come are written at once. What is mostly all there is to do for a command costs no further turn.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let mut some = false;
        while let Poll::Ready(Some(told)) = self.answers.poll_recv(cx) {
            self.session.told(told);
            some = true;
        }
        if some {
            self.session.say();
        }
        match self.write(cx) {
            Poll::Ready(Ok(false)) | Poll::Pending => {}
            Poll::Ready(Ok(true)) => {
                // What is written is held no more, however long this client is idle now.
                self.session.account();
                some = true;
            }
            Poll::Ready(Err(())) => return Poll::Ready(Happened::Broken),
        }
        let mut goes_on = some && self.session.goes_on();
        if self.session.is_hungry() {
            match self.read(cx) {
                Poll::Ready(Ok(())) => goes_on = true,
                Poll::Ready(Err(())) => return Poll::Ready(Happened::Broken),
                Poll::Pending => {}
            }
        }
        match goes_on {
            true => Poll::Ready(Happened::Something),
            false => self.wait(cx),
        }
    }

    /// Writes what can be written; whether that was something.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ()>> {
        let mut wrote = false;
        while !self.session.out.is_empty() {
            let mut room = [IoSlice::new(&[]); WRITE_SLICES];
            let n = self.session.out.slices(&mut room);
            let written = match n {
                1 => Pin::new(&mut self.stream).poll_write(cx, &room[0]),
                n => Pin::new(&mut self.stream).poll_write_vectored(cx, &room[..n]),
            };
            match written {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(())),
                Poll::Ready(Ok(n)) => {
                    self.session.out.written(n);
                    self.progress = Instant::now();
                    wrote = true;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(wrote))
    }

    /// Reads once.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(())),
                Poll::Ready(Ok(())) => {}
            }
            if read.filled().is_empty() {
                self.session.ended = true;
            } else {
                self.session.buffer.extend_from_slice(read.filled());
                self.progress = Instant::now();
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Nothing to do now. Whoever is idle may be so for ever; who stands amid something, so long; a password that waits
    /// is looked at when it is due.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        loop {
            let is_amid = !self.session.out.is_empty() || self.session.is_amid();
            let stalls = is_amid.then(|| self.progress + self.stall);
            let due = stalls.into_iter().chain(self.session.waits_until()).min();
            let Some(due) = due else {
                return Poll::Pending;
            };
            if due <= Instant::now() {
                return Poll::Ready(match stalls == Some(due) {
                    true => Happened::Stalled,
                    false => Happened::Something,
                });
            }
            if self.timer.deadline() != due {
                self.timer.as_mut().reset(due);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Says why, if anybody listens, and closes.
    async fn stalled(mut self) {
        let (id, seconds) = (self.session.id(), self.stall.as_secs());
        if !self.session.out.is_empty() {
            log::warn!("client {id} has read no answer for {seconds} s: closed");
            return;
        }
        log::warn!("client {id} has sent half a command and nothing for {seconds} s: closed");
        let why = format!("ERR half a command, and nothing for {seconds} s: closed");
        self.session.give_up(Value::error(why));
        self.session.say();
        let last = self.session.out.to_vec();
        bid_farewell(&mut self.stream, &last).await;
    }
}

/// Says a last word, and closes so that it can be read.
pub(super) async fn bid_farewell(stream: &mut Box<dyn Stream>, word: &[u8]) {
    if let Ok(Ok(())) = timeout(LINGER, stream.write_all(word)).await {
        linger(stream).await;
    }
}

/// Closes our side, and reads on for a moment: a socket closed with unread bytes is reset, and a client that is
/// still sending would never see what it was told.
async fn linger(stream: &mut Box<dyn Stream>) {
    let closing = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut left = LINGER_BYTES;
        while left > 0 {
            let read = poll_fn(|cx| {
                SCRATCH.with_borrow_mut(|scratch| {
                    let mut read = ReadBuf::new(scratch);
                    let read_now = Pin::new(&mut *stream).poll_read(cx, &mut read);
                    read_now.map(|done| done.map(|()| read.filled().len()))
                })
            });
            match read.await {
                Ok(0) | Err(_) => return,
                Ok(n) => left = left.saturating_sub(n),
            }
        }
    };
    // Whoever sends on after that is cut off.
    let _ = timeout(LINGER, closing).await;
}
