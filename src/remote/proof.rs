//! How does a host show that it knows the secret, without saying it?

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a proof.
pub(super) const PROOF_BYTES: usize = 32;

/// What all hosts of a cluster know, and nobody else.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(bytes.into())
    }

    /// What is known.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is empty: then everybody knows it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// Whose proof it is: one cannot be sent back as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialler,
    Acceptor,
}

// region: proof
/// The proof for one handshake. Both hellos are in it as they were sent, and in each of them a number that
/// its sender drew for this handshake alone: an old proof proves nothing.
fn mac(secret: &Secret, side: Side, dialler: &[u8], acceptor: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes keys of any length");
    mac.update(match side {
        Side::Dialler => b"roundelay 1 dialler ",
        Side::Acceptor => b"roundelay 1 acceptor",
    });
    // With its length, so that no byte can be moved from one hello to the other.
    for hello in [dialler, acceptor] {
        mac.update(&u64::try_from(hello.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(hello);
    }
    mac
}
// endregion: proof

/// What this side sends.
pub(super) fn prove(
    secret: &Secret,
    side: Side,
    dialler: &[u8],
    acceptor: &[u8],
) -> [u8; PROOF_BYTES] {
    mac(secret, side, dialler, acceptor)
        .finalize()
        .into_bytes()
        .into()
}

/// Whether the other side's proof is right. How long this takes does not depend on where it is wrong.
pub(super) fn is_proven(
    secret: &Secret,
    side: Side,
    dialler: &[u8],
    acceptor: &[u8],
    proof: &[u8; PROOF_BYTES],
) -> bool {
    mac(secret, side, dialler, acceptor)
        .verify_slice(proof)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_secret_one_side_and_one_handshake() {
        let secret = Secret::new("tern");
        let proof = prove(&secret, Side::Dialler, b"ab", b"c");
        let holds = |secret: &Secret, side, dialler: &[u8], acceptor: &[u8]| {
            is_proven(secret, side, dialler, acceptor, &proof)
        };
        assert!(holds(&secret, Side::Dialler, b"ab", b"c"));
        assert!(!holds(&Secret::new("Tern"), Side::Dialler, b"ab", b"c"));
        assert!(!holds(&secret, Side::Acceptor, b"ab", b"c"));
        assert!(!holds(&secret, Side::Dialler, b"a", b"bc"));
        assert!(!holds(&secret, Side::Dialler, b"ab", b"d"));
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("tern")), "Secret(not shown)");
        assert!(Secret::default().is_empty());
    }
}
