//! How do two hosts come to believe each other?
//!
//! ```text
//!   dialler ── hello, nonce a ───────────> acceptor     who I am, whom I want
//!           <────────── hello, nonce b ──               who I am; or that I will not hear more, and why
//!           ── HMAC(secret, "dialler", both hellos) ──>
//!           <── welcome, HMAC(secret, "acceptor", …) ── or that I will not hear more, and why
//! ```
//!
//! The dialler proves itself first: whoever only knocks at a port learns nothing made with the secret. Both
//! nonces are in both proofs, so none of them is of any use a second time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::{LinkError, Refusal};
use super::hello::{HELLO_PREFIX, Hello};
use super::proof::{PROOF_BYTES, Secret, Side, is_proven, prove};
use super::stream::Channel;

/// Reads a hello, and gives its bytes back as they came.
async fn read_hello<S: Channel + ?Sized>(stream: &mut S) -> Result<(Hello, Vec<u8>), LinkError> {
    let mut bytes = vec![0; HELLO_PREFIX];
    // The magic first: whoever speaks another protocol may wait for an answer to fewer bytes.
    stream.read_exact(&mut bytes[..4]).await?;
    let magic = [bytes[0], bytes[1], bytes[2], bytes[3]];
    if magic != super::MAGIC {
        return Err(LinkError::NotAHello(magic));
    }
    stream.read_exact(&mut bytes[4..]).await?;
    let prefix = *bytes.first_chunk().expect("it was made that long");
    let fields = Hello::fields_len(prefix)?;
    bytes.resize(HELLO_PREFIX + fields, 0);
    stream.read_exact(&mut bytes[HELLO_PREFIX..]).await?;
    Ok((Hello::read(&bytes[HELLO_PREFIX..])?, bytes))
}

/// The dialler's side: who lives there, proven.
pub(super) async fn dial<S: Channel + ?Sized>(
    stream: &mut S,
    mine: &Hello,
    secret: &Secret,
) -> Result<Hello, LinkError> {
    let my_bytes = mine.write();
    stream.write_all(&my_bytes).await?;
    stream.flush().await?;
    let (theirs, their_bytes) = read_hello(stream).await?;
    if let Some(expected) = mine.expected.filter(|expected| *expected != theirs.host) {
        let found = theirs.host;
        return Err(LinkError::SomebodyElse { expected, found });
    }
    if let Some(reason) = theirs.refusal {
        return Err(LinkError::Refused(reason));
    }
    let proof = prove(secret, Side::Dialler, &my_bytes, &their_bytes);
    stream.write_all(&proof).await?;
    stream.flush().await?;
    let mut verdict = [0; 1 + PROOF_BYTES];
    stream.read_exact(&mut verdict).await?;
    let [code, proof @ ..] = verdict;
    if code != 0 {
        return Err(LinkError::Refused(Refusal::of(code)));
    }
    if !is_proven(secret, Side::Acceptor, &my_bytes, &their_bytes, &proof) {
        return Err(LinkError::Unproven);
    }
    Ok(theirs)
}

/// The acceptor's side. `glance` looks at a hello that is not proven yet, `admit` at one that is.
pub(super) async fn accept<S: Channel + ?Sized, T>(
    stream: &mut S,
    mine: Hello,
    secret: &Secret,
    glance: impl FnOnce(&Hello) -> Result<(), Refusal>,
    admit: impl FnOnce(&Hello) -> Result<T, Refusal>,
) -> Result<(Hello, T), LinkError> {
    let heard = read_hello(stream).await;
    let refusal = match &heard {
        Ok((theirs, _)) => glance(theirs).err(),
        Err(LinkError::Protocol(_)) => Some(Refusal::Protocol),
        Err(_) => None,
    };
    if let Some(reason) = refusal {
        let refusing = Hello {
            refusal: Some(reason),
            ..mine
        };
        stream.write_all(&refusing.write()).await?;
        stream.shutdown().await?;
        let (theirs, _) = heard?;
        let host = theirs.host;
        return Err(LinkError::Refuse { reason, host });
    }
    let (theirs, their_bytes) = heard?;
    let my_bytes = mine.write();
    stream.write_all(&my_bytes).await?;
    stream.flush().await?;
    let mut proof = [0; PROOF_BYTES];
    stream.read_exact(&mut proof).await?;
    let proven = is_proven(secret, Side::Dialler, &their_bytes, &my_bytes, &proof);
    let admitted = if proven {
        admit(&theirs)
    } else {
        Err(Refusal::Secret)
    };
    let mut verdict = [0; 1 + PROOF_BYTES];
    match admitted {
        Ok(admitted) => {
            verdict[1..].copy_from_slice(&prove(secret, Side::Acceptor, &their_bytes, &my_bytes));
            stream.write_all(&verdict).await?;
            stream.flush().await?;
            Ok((theirs, admitted))
        }
        Err(reason) => {
            verdict[0] = reason.code();
            stream.write_all(&verdict).await?;
            stream.shutdown().await?;
            if reason == Refusal::Secret {
                return Err(LinkError::Unproven);
            }
            let host = theirs.host;
            Err(LinkError::Refuse { reason, host })
        }
    }
}

#[cfg(test)]
mod tests;
