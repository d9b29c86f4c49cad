//! What hosts say to each other over UDP.
//!
//! ```text
//! "RDL" 1 │ 16 bytes of HMAC-SHA-256 over the cluster's name and all that follows
//!         │ kind │ from host, life, ring, empty or not │ its address │ Detect: bytes  Where: hosts  Here: hosts, lives, addresses
//! ```
//!
//! Each packet says who sends it, in which life and ring, and where it listens: so whoever hears it knows where
//! to answer. One that was heard on the way and is sent again says nothing new: lives only rise.
//!
//! *Hold these true*: nothing of a packet is looked at before its proof is; a bad packet is dropped.

use bytes::{Buf, BufMut, Bytes};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::placement::HostId;
use crate::remote::{Address, MAX_ADDRESS_BYTES};
use crate::roster::RingId;

/// A longer packet is dropped.
pub(super) const MAX_PACKET_BYTES: usize = 4096;

/// In one packet at most so many hosts are asked for, or told of.
pub(super) const MAX_HOSTS: usize = 12;

const MAGIC: &[u8; 4] = b"RDL\x01";
const PROOF_BYTES: usize = 16;

/// Where a host was found, and in which life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) host: HostId,
    pub(super) life: u64,
    pub(super) address: Address,
}

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// One detector to another.
    Detect(Bytes),
    /// Where are these? None named: who are you?
    Where(Vec<HostId>),
    /// They are there.
    Here(Vec<Found>),
}

/// A packet: who, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) from: Found,
    /// The ring the sender is in.
    pub(super) ring: Option<RingId>,
    /// Whether its store holds no record.
    pub(super) empty: bool,
    /// Whether that is so of all hosts of its ring, as far as it knows.
    pub(super) bare: bool,
    pub(super) said: Said,
}

/// What proves a packet: the cluster's name and its secret.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    pub(super) fn new(cluster: &str, secret: &[u8]) -> Seal {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
        mac.update(&(cluster.len() as u64).to_be_bytes());
        mac.update(cluster.as_bytes());
        Seal(mac)
    }

    fn prove(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(body);
        mac
    }

    pub(super) fn encode(&self, packet: &Packet) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        body.put_u8(match packet.said {
            Said::Detect(_) => 1,
            Said::Where(_) => 2,
            Said::Here(_) => 3,
        });
        put_found(&mut body, &packet.from);
        body.put_u64(packet.ring.map_or(0, |ring| ring.0));
        body.put_u8(u8::from(packet.empty) | u8::from(packet.bare) << 1);
        match &packet.said {
            Said::Detect(bytes) => body.extend_from_slice(bytes),
            Said::Where(hosts) => hosts.iter().for_each(|host| body.put_u64(host.0)),
            Said::Here(found) => found.iter().for_each(|one| put_found(&mut body, one)),
        }
        let proof = self.prove(&body).finalize().into_bytes();
        [MAGIC, &proof[..PROOF_BYTES], &body].concat()
    }

    /// Reads a packet; none if it is not one of ours.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<Packet> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (proof, mut body) = rest.split_at_checked(PROOF_BYTES)?;
        self.prove(body).verify_truncated_left(proof).ok()?;
        let kind = body.try_get_u8().ok()?;
        let from = get_found(&mut body)?;
        let ring = Some(RingId(body.try_get_u64().ok()?)).filter(|ring| ring.0 != 0);
        let flags = body.try_get_u8().ok()?;
        let said = match kind {
            1 => Said::Detect(Bytes::copy_from_slice(body)),
            2 => {
                let mut hosts = Vec::new();
                while !body.is_empty() && hosts.len() < MAX_HOSTS {
                    hosts.push(HostId(body.try_get_u64().ok()?));
                }
                Said::Where(hosts)
            }
            3 => {
                let mut found = Vec::new();
                while !body.is_empty() && found.len() < MAX_HOSTS {
                    found.push(get_found(&mut body)?);
                }
                Said::Here(found)
            }
            _ => return None,
        };
        Some(Packet {
            from,
            ring,
            empty: flags & 1 != 0,
            bare: flags & 2 != 0,
            said,
        })
    }
}

fn put_found(out: &mut Vec<u8>, found: &Found) {
    out.put_u64(found.host.0);
    out.put_u64(found.life);
    let text = found.address.as_str().as_bytes();
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.extend_from_slice(text);
}

fn get_found(body: &mut &[u8]) -> Option<Found> {
    let host = HostId(body.try_get_u64().ok()?);
    let life = body.try_get_u64().ok()?;
    let len = usize::from(body.try_get_u16().ok()?);
    let (text, rest) = body.split_at_checked(len.min(MAX_ADDRESS_BYTES + 1))?;
    *body = rest;
    let address = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Found {
        host,
        life,
        address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(n: u64) -> Found {
        Found {
            host: HostId(n),
            life: n + 1,
            address: format!("dht-{n}.example:50140").parse().unwrap(),
        }
    }

    fn packets() -> Vec<Packet> {
        [
            Said::Detect(Bytes::from_static(b"ping")),
            Said::Where(vec![]),
            Said::Where(vec![HostId(1), HostId(2)]),
            Said::Here((1..9).map(found).collect()),
        ]
        .into_iter()
        .zip([None, Some(RingId(7))].into_iter().cycle())
        .map(|(said, ring)| Packet {
            from: found(3),
            ring,
            empty: true,
            bare: ring.is_some(),
            said,
        })
        .collect()
    }

    #[test]
    fn packets_are_read_back_by_those_who_know_the_secret_and_by_nobody_else() {
        let seal = Seal::new("tern", b"only we know");
        for packet in packets() {
            let bytes = seal.encode(&packet);
            assert!(bytes.len() <= MAX_PACKET_BYTES);
            assert_eq!(seal.decode(&bytes), Some(packet));
            assert_eq!(Seal::new("tern", b"they guess").decode(&bytes), None);
            assert_eq!(Seal::new("gull", b"only we know").decode(&bytes), None);
        }
    }

    proptest! {
        #[test]
        fn noise_and_changed_packets_are_dropped(
            noise in prop::collection::vec(any::<u8>(), 0..200), which in 0usize..4, at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let seal = Seal::new("tern", b"only we know");
            prop_assert_eq!(seal.decode(&noise), None);
            let mut bytes = seal.encode(&packets()[which]);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(seal.decode(&bytes), None);
        }
    }
}
