//! Both sides over a pipe, with each kind of liar at the other end.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::placement::HostId;
use crate::remote::hello::{MAX_HANDSHAKE_BYTES, NONCE_BYTES};

fn hello(host: u64, expected: Option<u64>, nonce: u8) -> Hello {
    Hello {
        cluster: "tern".into(),
        host: HostId(host),
        expected: expected.map(HostId),
        incarnation: 1,
        attempt: 1,
        listen: None,
        nonce: [nonce; NONCE_BYTES],
        refusal: None,
    }
}

async fn meet(
    mine: Hello,
    dialler: Secret,
    acceptor: Secret,
    admit: Result<(), Refusal>,
) -> (Result<Hello, LinkError>, Result<Hello, LinkError>) {
    let (mut near, mut far) = duplex(MAX_HANDSHAKE_BYTES);
    let dialled = async move { dial(&mut near, &mine, &dialler).await };
    let accepted = async move {
        let glance = |theirs: &Hello| match theirs.expected {
            Some(HostId(2)) | None => Ok(()),
            Some(_) => Err(Refusal::NotExpected),
        };
        accept(&mut far, hello(2, None, 9), &acceptor, glance, |_| admit).await
    };
    let (dialled, accepted) = tokio::join!(dialled, accepted);
    (dialled, accepted.map(|(hello, ())| hello))
}

#[tokio::test]
async fn two_who_know_the_secret_believe_each_other() {
    for expected in [Some(2), None] {
        let secret = Secret::new("tern");
        let mine = hello(1, expected, 3);
        let (dialled, accepted) = meet(mine.clone(), secret.clone(), secret, Ok(())).await;
        assert_eq!(dialled, Ok(hello(2, None, 9)));
        assert_eq!(accepted, Ok(mine));
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_both_know_why() {
    let met = meet(
        hello(1, None, 3),
        Secret::new("tern"),
        Secret::new("gull"),
        Ok(()),
    )
    .await;
    assert_eq!(met.0, Err(LinkError::Refused(Refusal::Secret)));
    assert_eq!(met.1, Err(LinkError::Unproven));
}

#[tokio::test]
async fn a_refusal_is_told_before_and_after_the_proof() {
    let secret = Secret::new("tern");
    let (found, expected) = (HostId(2), HostId(7));
    let met = meet(hello(1, Some(7), 3), secret.clone(), secret.clone(), Ok(())).await;
    assert_eq!(met.0, Err(LinkError::SomebodyElse { expected, found }));
    let (reason, host) = (Refusal::NotExpected, HostId(1));
    assert_eq!(met.1, Err(LinkError::Refuse { reason, host }));
    let reason = Refusal::OlderIncarnation;
    let met = meet(hello(1, Some(2), 3), secret.clone(), secret, Err(reason)).await;
    assert_eq!(met.0, Err(LinkError::Refused(reason)));
    assert_eq!(met.1, Err(LinkError::Refuse { reason, host }));
}

/// Somebody who does not know the secret answers at the address of a host.
#[tokio::test]
async fn an_acceptor_without_the_secret_is_not_believed() {
    let (mut near, mut far) = duplex(MAX_HANDSHAKE_BYTES);
    let liar = async move {
        let _ = read_hello(&mut far).await;
        far.write_all(&hello(2, None, 9).write()).await.unwrap();
        let mut proof = [0; PROOF_BYTES];
        far.read_exact(&mut proof).await.unwrap();
        // What it was just given, sent back as its own.
        far.write_all(&[&[0], &proof[..]].concat()).await.unwrap();
    };
    let (mine, secret) = (hello(1, Some(2), 3), Secret::new("tern"));
    let (dialled, ()) = tokio::join!(dial(&mut near, &mine, &secret), liar);
    assert_eq!(dialled, Err(LinkError::Unproven));
}

async fn hear(bytes: Vec<u8>, nonce: u8) -> (Result<(), LinkError>, Vec<u8>) {
    let (near, mut far) = duplex(4096);
    let (mut answer, mut near): (_, _) = tokio::io::split(near);
    near.write_all(&bytes).await.unwrap();
    near.shutdown().await.unwrap();
    let secret = Secret::new("tern");
    let mine = hello(2, None, nonce);
    let heard = accept(&mut far, mine, &secret, |_| Ok(()), |_| Ok(())).await;
    drop::<DuplexStream>(far);
    let mut said = Vec::new();
    answer.read_to_end(&mut said).await.unwrap();
    (heard.map(|_| ()), said)
}

#[tokio::test]
async fn a_handshake_that_was_recorded_is_of_no_use() {
    let (mine, theirs) = (hello(1, Some(2), 3).write(), hello(2, None, 9).write());
    let proof = prove(&Secret::new("tern"), Side::Dialler, &mine, &theirs);
    let recorded = [&mine[..], &proof].concat();
    assert_eq!(
        hear(recorded.clone(), 9).await.0,
        Ok(()),
        "with the same nonce it would do"
    );
    assert_eq!(hear(recorded, 10).await.0, Err(LinkError::Unproven));
}

#[tokio::test]
async fn what_is_no_hello_is_answered_with_nothing() {
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01",
        b"*1\r\n$4\r\nPING\r\n",
    ] {
        let (heard, said) = hear(noise.to_vec(), 9).await;
        assert!(matches!(heard, Err(LinkError::NotAHello(_))), "{heard:?}");
        assert!(said.is_empty());
    }
    let half = hello(1, None, 3).write();
    assert_eq!(
        hear(half[..half.len() / 2].to_vec(), 9).await.0,
        Err(LinkError::Closed)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_acceptor_panic(
        noise in prop::collection::vec(any::<u8>(), 0..300), good in 0usize..120,
    ) {
        let begin = hello(1, Some(2), 3).write();
        let bytes = [&begin[..good.min(begin.len())], &noise].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (heard, said) = runtime.block_on(hear(bytes, 9));
        prop_assert!(heard.is_err());
        prop_assert!(said.len() <= MAX_HANDSHAKE_BYTES);
    }

    #[test]
    fn no_bytes_make_the_dialler_panic(
        noise in prop::collection::vec(any::<u8>(), 0..300), good in 0usize..120,
    ) {
        let begin = hello(2, None, 9).write();
        let bytes = [&begin[..good.min(begin.len())], &noise].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dialled = runtime.block_on(async {
            let (mut near, mut far) = duplex(4096);
            far.write_all(&bytes).await.unwrap();
            far.shutdown().await.unwrap();
            dial(&mut near, &hello(1, Some(2), 3), &Secret::new("tern")).await
        });
        prop_assert!(dialled.is_err());
    }
}
