//! A peer made by hand: knows the protocol from its description, and keeps to it as far as the test wants.

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use roundelay::remote::{MAGIC, PROTOCOL};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

use crate::world::PORT;

/// The first words, as `src/remote/hello.rs` describes them.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Hello {
    #[prost(string, tag = "1")]
    pub(crate) cluster: String,
    #[prost(fixed64, tag = "2")]
    pub(crate) host: u64,
    #[prost(fixed64, optional, tag = "3")]
    pub(crate) expected: Option<u64>,
    #[prost(uint64, tag = "4")]
    pub(crate) incarnation: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) attempt: u64,
    #[prost(string, optional, tag = "6")]
    pub(crate) listen: Option<String>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) nonce: Vec<u8>,
    #[prost(uint32, tag = "8")]
    pub(crate) refusal: u32,
}

impl Hello {
    pub(crate) fn of(host: u64) -> Hello {
        Hello {
            cluster: "birds".into(),
            host,
            expected: None,
            incarnation: 1,
            attempt: 1,
            listen: None,
            nonce: vec![7; 32],
            refusal: 0,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let fields = self.encode_to_vec();
        let len = u16::try_from(fields.len()).unwrap().to_be_bytes();
        [&MAGIC[..], &[PROTOCOL], &len, &fields].concat()
    }
}

pub(crate) fn proof(side: &str, dialler: &[u8], acceptor: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"tern").unwrap();
    mac.update(format!("roundelay 1 {side:8}").as_bytes());
    for hello in [dialler, acceptor] {
        mac.update(&(hello.len() as u64).to_be_bytes());
        mac.update(hello);
    }
    mac.finalize().into_bytes().to_vec()
}

pub(crate) async fn read_hello(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 7];
    stream.read_exact(&mut bytes).await?;
    let len = usize::from(u16::from_be_bytes([bytes[5], bytes[6]]));
    bytes.resize(7 + len, 0);
    stream.read_exact(&mut bytes[7..]).await?;
    Ok(bytes)
}

/// Dials a host and proves itself. The stream, and all it has said.
pub(crate) async fn dial(name: &str, hello: &Hello) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect((name, PORT)).await?;
    let mine = hello.bytes();
    stream.write_all(&mine).await?;
    let theirs = read_hello(&mut stream).await?;
    let proof = proof("dialler", &mine, &theirs);
    stream.write_all(&proof).await?;
    let mut verdict = [0; 33];
    stream.read_exact(&mut verdict).await?;
    if verdict[0] != 0 {
        return Err(io::Error::other(format!(
            "refused for reason {}",
            verdict[0]
        )));
    }
    Ok((stream, [mine, proof].concat()))
}

/// Takes a connection, and proves itself.
pub(crate) async fn accept(stream: &mut TcpStream, hello: &Hello) -> io::Result<()> {
    let theirs = read_hello(stream).await?;
    let mine = hello.bytes();
    stream.write_all(&mine).await?;
    let mut proven = [0; 32];
    stream.read_exact(&mut proven).await?;
    assert_eq!(proven[..], proof("dialler", &theirs, &mine)[..]);
    let verdict = [&[0][..], &proof("acceptor", &theirs, &mine)].concat();
    stream.write_all(&verdict).await
}

/// Reads until the other side has closed; all that it said.
pub(crate) async fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset ends it, too.
    let _ = stream.read_to_end(&mut said).await;
    said
}
