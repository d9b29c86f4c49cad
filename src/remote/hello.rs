//! The first words of a connection, as bytes.
//!
//! ```text
//! magic    d5 52 44 4c      begins no Redis command, no HTTP request and no TLS record
//! version  01
//! length   00 4b            of what follows
//! fields   …                a protobuf header: it can grow
//! ```

use prost::Message;

use super::address::Address;
use super::config::MAX_CLUSTER_BYTES;
use super::error::{LinkError, Refusal};
use crate::placement::HostId;

/// How every connection between hosts begins, by which a shared port tells it from others.
pub const MAGIC: [u8; 4] = [0xd5, b'R', b'D', b'L'];

/// The version of the protocol spoken here.
pub const PROTOCOL: u8 = 1;

/// Bytes one side may say before it is known who it is.
pub const MAX_HANDSHAKE_BYTES: usize = 1024;

/// Bytes before a hello's fields.
pub(super) const HELLO_PREFIX: usize = MAGIC.len() + 1 + 2;

/// Bytes a hello may have, its prefix included; a proof and a verdict still fit behind it.
pub(super) const MAX_HELLO_BYTES: usize = MAX_HANDSHAKE_BYTES - super::proof::PROOF_BYTES - 1;

/// Random bytes in each hello.
pub(super) const NONCE_BYTES: usize = 32;

/// Who somebody says it is. Believed only once it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) cluster: String,
    pub(super) host: HostId,
    /// Whom the dialler wants to reach at that address; none if it does not know.
    pub(super) expected: Option<HostId>,
    pub(super) incarnation: u64,
    /// Which of the connections of this life it is: a late one does not replace a newer one.
    pub(super) attempt: u64,
    pub(super) listen: Option<Address>,
    pub(super) nonce: [u8; NONCE_BYTES],
    /// Only from an acceptor: that it will not hear more.
    pub(super) refusal: Option<Refusal>,
}

/// Tags are for ever.
#[derive(Clone, PartialEq, Message)]
struct HelloPb {
    #[prost(string, tag = "1")]
    cluster: String,
    #[prost(fixed64, tag = "2")]
    host: u64,
    #[prost(fixed64, optional, tag = "3")]
    expected: Option<u64>,
    #[prost(uint64, tag = "4")]
    incarnation: u64,
    #[prost(uint64, tag = "5")]
    attempt: u64,
    #[prost(string, optional, tag = "6")]
    listen: Option<String>,
    #[prost(bytes = "vec", tag = "7")]
    nonce: Vec<u8>,
    #[prost(uint32, tag = "8")]
    refusal: u32,
}

impl Hello {
    pub(super) fn write(&self) -> Vec<u8> {
        let fields = HelloPb {
            cluster: short(&self.cluster).to_owned(),
            host: self.host.0,
            expected: self.expected.map(|host| host.0),
            incarnation: self.incarnation,
            attempt: self.attempt,
            listen: self.listen.as_ref().map(|at| at.as_str().to_owned()),
            nonce: self.nonce.to_vec(),
            refusal: self.refusal.map_or(0, |refusal| u32::from(refusal.code())),
        };
        let mut out = Vec::with_capacity(HELLO_PREFIX + fields.encoded_len());
        out.extend_from_slice(&MAGIC);
        out.push(PROTOCOL);
        // Name, address and the rest together stay far below 64 KiB.
        let len = u16::try_from(fields.encoded_len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&len.to_be_bytes());
        fields.encode(&mut out).expect("a Vec grows as needed");
        out
    }

    /// How many bytes of fields follow this prefix.
    pub(super) fn fields_len(prefix: [u8; HELLO_PREFIX]) -> Result<usize, LinkError> {
        let [a, b, c, d, version, high, low] = prefix;
        let magic = [a, b, c, d];
        if magic != MAGIC {
            return Err(LinkError::NotAHello(magic));
        }
        if version != PROTOCOL {
            return Err(LinkError::Protocol(version));
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > MAX_HELLO_BYTES - HELLO_PREFIX {
            return Err(LinkError::LongHello(len));
        }
        Ok(len)
    }

    pub(super) fn read(fields: &[u8]) -> Result<Hello, LinkError> {
        let bad = |why: &str| LinkError::BadHello(why.to_owned());
        let pb = HelloPb::decode(fields).map_err(|error| bad(&error.to_string()))?;
        let nonce = pb
            .nonce
            .try_into()
            .map_err(|_| bad("its nonce has not 32 bytes"))?;
        if pb.cluster.len() > MAX_CLUSTER_BYTES {
            return Err(bad("the name of its cluster is too long"));
        }
        let listen = pb.listen.map(|at| at.parse::<Address>());
        let refusal = match pb.refusal {
            0 => None,
            code => Some(Refusal::of(u8::try_from(code).unwrap_or(u8::MAX))),
        };
        Ok(Hello {
            cluster: pb.cluster,
            host: HostId(pb.host),
            expected: pb.expected.map(HostId),
            incarnation: pb.incarnation,
            attempt: pb.attempt,
            listen: listen
                .transpose()
                .map_err(|error| bad(&error.to_string()))?,
            nonce,
            refusal,
        })
    }
}

/// A cluster's name, cut between characters.
pub(super) fn short(cluster: &str) -> &str {
    let mut end = cluster.len().min(MAX_CLUSTER_BYTES);
    while !cluster.is_char_boundary(end) {
        end -= 1;
    }
    &cluster[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote::address::MAX_ADDRESS_BYTES;

    fn hello() -> Hello {
        Hello {
            cluster: "tern".into(),
            host: HostId(1),
            expected: Some(HostId(2)),
            incarnation: 3,
            attempt: 4,
            listen: Some("10.0.0.7:50140".parse().unwrap()),
            nonce: [7; NONCE_BYTES],
            refusal: None,
        }
    }

    fn read(bytes: &[u8]) -> Result<Hello, LinkError> {
        let prefix = *bytes.first_chunk().ok_or(LinkError::Closed)?;
        let len = Hello::fields_len(prefix)?;
        Hello::read(
            bytes
                .get(HELLO_PREFIX..HELLO_PREFIX + len)
                .ok_or(LinkError::Closed)?,
        )
    }

    #[test]
    fn what_was_written_is_read_back() {
        let refused = Hello {
            expected: None,
            listen: None,
            refusal: Some(Refusal::OtherCluster),
            ..hello()
        };
        for hello in [hello(), refused] {
            assert_eq!(read(&hello.write()), Ok(hello));
        }
    }

    #[test]
    fn the_longest_hello_fits() {
        let longest = Hello {
            cluster: "ü".repeat(500),
            listen: Some(
                format!("{}:50140", "x".repeat(MAX_ADDRESS_BYTES - 6))
                    .parse()
                    .unwrap(),
            ),
            host: HostId(u64::MAX),
            expected: Some(HostId(u64::MAX)),
            incarnation: u64::MAX,
            attempt: u64::MAX,
            refusal: Some(Refusal::Myself),
            ..hello()
        };
        let bytes = longest.write();
        assert!(bytes.len() < MAX_HELLO_BYTES, "{}", bytes.len());
        assert_eq!(
            read(&bytes).map(|hello| hello.cluster.len()),
            Ok(MAX_CLUSTER_BYTES)
        );
    }

    #[test]
    fn other_protocols_and_other_versions_are_told_apart() {
        assert_eq!(read(b"GET / HTTP/1.1"), Err(LinkError::NotAHello(*b"GET ")));
        let mut newer = hello().write();
        newer[4] = 9;
        assert_eq!(read(&newer), Err(LinkError::Protocol(9)));
        let mut long = hello().write();
        long[5..7].copy_from_slice(&[255, 255]);
        assert_eq!(read(&long), Err(LinkError::LongHello(65535)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&noise);
            let _ = Hello::read(&noise);
            let prefix = [&MAGIC[..], &[PROTOCOL, 0, 100], &noise].concat();
            let _ = read(&prefix);
        }

        #[test]
        fn flipped_bits_are_harmless(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = hello().write();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let _ = read(&bytes);
        }
    }
}
