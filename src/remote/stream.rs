//! What do links run over? Any stream of bytes; and how one is dialled.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::address::Address;

/// Any stream of bytes: TCP, TLS over it, a simulated one.
pub trait Channel: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel for S {}

/// A stream of whatever kind.
pub type BoxChannel = Box<dyn Channel>;

/// The attempt to dial somebody.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<BoxChannel>>>>;

/// How to reach an address. A real network here, a simulated one in tests.
pub trait Dial {
    /// Begins to dial. Whoever asked gives up after a while, and drops it. A name that cannot be resolved is
    /// [`io::ErrorKind::NotFound`].
    fn dial(&self, to: &Address) -> Dialling;
}

/// TCP, with small messages sent at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial(&self, to: &Address) -> Dialling {
        let to = to.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host(to.as_str()).await;
            let found = found.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
            let found: Vec<SocketAddr> = found.collect();
            let stream = TcpStream::connect(found.as_slice()).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxChannel)
        })
    }
}

/// A stream of which somebody has read the beginning, to see which protocol it is.
pub(super) struct Prefixed<S> {
    prefix: Bytes,
    stream: S,
}

impl<S> Prefixed<S> {
    pub(super) fn new(prefix: Bytes, stream: S) -> Prefixed<S> {
        Prefixed { prefix, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let len = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..len]);
        self.prefix.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_said_to_be_one() {
        let to: Address = "nohost.invalid:50140".parse().unwrap();
        let error = TcpDial.dial(&to).await.err().unwrap();
        let why = super::super::error::LinkError::from(error).to_string();
        assert_eq!(why, "its name cannot be resolved");
    }

    #[tokio::test]
    async fn what_was_read_already_is_read_first() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(b"ld").await.unwrap();
        drop(far);
        let mut stream = Prefixed::new(Bytes::from_static(b"wor"), near);
        let mut two = [0; 2];
        stream.read_exact(&mut two).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&two, rest.as_str()), (b"wo", "rld"));
    }
}
