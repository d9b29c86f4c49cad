//! The same over a bare TCP connection, by tokio's own means.

use std::time::Instant;

use roundelay::record::PIECE_BYTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a small message, as a link sends it.
const SMALL: usize = 40;

/// Bytes read at once of large values.
const DRAUGHT: usize = 256 * 1024;

/// The peer's side: echoes small ones, swallows large ones.
pub(crate) async fn answer(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("the parent connects");
        stream.set_nodelay(true).expect("a socket takes it");
        actix::spawn(async move {
            let values = stream
                .read_u64()
                .await
                .expect("the parent says what it wants");
            if values == 0 {
                let mut small = [0; SMALL];
                while stream.read_exact(&mut small).await.is_ok() {
                    stream.write_all(&small).await.expect("the parent listens");
                }
                return;
            }
            let mut left = usize::try_from(values).expect("a count") * PIECE_BYTES;
            let mut draught = vec![0; DRAUGHT];
            while left > 0 {
                left -= stream.read(&mut draught).await.expect("the parent sends");
            }
            stream.write_u8(1).await.expect("the parent listens");
        });
    }
}

async fn dial(address: &str, wanted: u64) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the peer listens");
    stream.set_nodelay(true).expect("a socket takes it");
    stream.write_u64(wanted).await.expect("the peer listens");
    stream
}

/// Seconds there and back.
pub(crate) async fn ping_pong(address: &str, times: u32) -> f64 {
    let mut stream = dial(address, 0).await;
    let mut small = [7; SMALL];
    let begin = Instant::now();
    for _ in 0..times {
        stream.write_all(&small).await.expect("the peer listens");
        stream
            .read_exact(&mut small)
            .await
            .expect("the peer answers");
    }
    begin.elapsed().as_secs_f64() / f64::from(times)
}

/// Bytes per second.
pub(crate) async fn large(address: &str, values: u32) -> f64 {
    let mut stream = dial(address, u64::from(values)).await;
    let value = vec![7; PIECE_BYTES];
    let begin = Instant::now();
    for _ in 0..values {
        stream.write_all(&value).await.expect("the peer listens");
    }
    stream.read_u8().await.expect("the peer answers");
    f64::from(values) * 1024.0 * 1024.0 / begin.elapsed().as_secs_f64()
}
