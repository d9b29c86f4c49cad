//! Is the other side still there? What both ends of a connection remember of its sounds.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::LinkError;

/// Slices handed to the operating system with one call.
const MAX_SLICES: usize = 64;

/// When something was heard and said last, and what control is due.
pub(super) struct Pulse {
    begin: Instant,
    pub(super) heard: Cell<Instant>,
    pub(super) sent: Cell<Instant>,
    /// A ping (at the dialler) or the mark of a ping to be answered (at the acceptor).
    pub(super) due: Cell<Option<u64>>,
    pub(super) wake: Notify,
    /// The other side is in doubt until the ping with that mark comes back.
    pub(super) doubt: Cell<Option<u64>>,
}

impl Pulse {
    pub(super) fn new() -> Pulse {
        let now = Instant::now();
        Pulse {
            begin: now,
            heard: Cell::new(now),
            sent: Cell::new(now),
            due: Cell::new(None),
            wake: Notify::new(),
            doubt: Cell::new(None),
        }
    }

    /// Microseconds since this connection began; never 0.
    pub(super) fn mark(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX) + 1
    }

    pub(super) fn has_heard(&self) {
        self.heard.set(Instant::now());
    }

    pub(super) fn has_sent(&self) {
        self.sent.set(Instant::now());
    }

    /// Sends a ping as soon as may be; its mark.
    pub(super) fn ask(&self) -> u64 {
        let mark = self.mark();
        self.due.set(Some(mark));
        self.wake.notify_one();
        mark
    }

    /// Whether the ping with that mark, which has come back, ends a doubt.
    pub(super) fn clears(&self, mark: u64) -> bool {
        let clear = self.doubt.get().is_some_and(|asked| mark >= asked);
        if clear {
            self.doubt.set(None);
        }
        clear
    }

    /// Refuses too long a silence.
    pub(super) fn check(&self, dead_after: Duration) -> Result<(), LinkError> {
        let silent = self.heard.get().elapsed();
        if silent >= dead_after {
            return Err(LinkError::Silent(silent.as_millis()));
        }
        Ok(())
    }
}

/// Writes all of these, with as few calls as may be.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    write: &mut W,
    mut bytes: VecDeque<Bytes>,
) -> Result<(), LinkError> {
    bytes.retain(|bytes| !bytes.is_empty());
    while !bytes.is_empty() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = bytes.len().min(MAX_SLICES);
        for (slice, bytes) in slices.iter_mut().zip(&bytes) {
            *slice = IoSlice::new(bytes);
        }
        let mut written = write.write_vectored(&slices[..count]).await?;
        if written == 0 {
            return Err(LinkError::Closed);
        }
        while let Some(front) = bytes.front_mut() {
            let len = front.len().min(written);
            front.advance(len);
            written -= len;
            if !front.is_empty() {
                break;
            }
            bytes.pop_front();
        }
    }
    write.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn all_is_written_in_order_through_a_narrow_pipe() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let bytes: VecDeque<Bytes> = (0..200u8)
            .map(|n| vec![n; usize::from(n % 9)].into())
            .collect();
        let sent: Vec<u8> = bytes.iter().flatten().copied().collect();
        let writing = async move { write_all(&mut near, bytes).await };
        let mut heard = Vec::new();
        let (written, read) = tokio::join!(writing, far.read_to_end(&mut heard));
        assert_eq!(
            (written, read.unwrap(), heard == sent),
            (Ok(()), sent.len(), true)
        );
    }
}
