//! What is written is read back; what is damaged is refused; what is too large is not even begun.

use bytes::{BufMut, Bytes};
use proptest::prelude::*;

use super::arbitrary::envelope;
use super::*;
use crate::message::{KeepMessage, ReqId, Road, Want};
use crate::record::{
    Body, Cells, Key, MAX_KEY_BYTES, PIECE_BYTES, Record, Stamp, ValueCell, Version,
};
use crate::roster::RosterVersion;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_back(envelope in envelope()) {
        let frame = encode(&envelope);
        prop_assert_eq!(frame_len(*frame.first_chunk().unwrap()), Ok(frame.len()));
        prop_assert_eq!(decode(frame), Ok(envelope));
    }

    #[test]
    fn a_frame_in_two_parts_is_the_same_frame(
        envelope in envelope(), before in prop::collection::vec(any::<u8>(), 0..9), apart in 0usize..64,
    ) {
        let mut out = before.clone();
        let tail = encode_onto(&envelope, &mut out, apart);
        prop_assert!(tail.as_ref().is_none_or(|tail| tail.len() >= apart));
        out.extend_from_slice(&tail.unwrap_or_default());
        prop_assert_eq!(&out[..before.len()], &before[..]);
        prop_assert_eq!(&out[before.len()..], &encode(&envelope)[..]);
    }

    #[test]
    fn a_frame_cut_short_or_prolonged_is_refused(envelope in envelope(), cut in any::<prop::sample::Index>()) {
        let frame = encode(&envelope);
        prop_assert!(decode(frame.slice(..cut.index(frame.len()))).is_err());
        let longer = [&frame[..], &[0]].concat();
        prop_assert_eq!(decode(longer.into()), Err(WireError::Extra(1)));
    }

    /// Also with a length that fits, so that it is the parts inside that end early.
    #[test]
    fn a_body_cut_short_is_refused_or_another_message(envelope in envelope(), cut in any::<prop::sample::Index>()) {
        let frame = encode(&envelope);
        let cut = PREFIX_BYTES + cut.index(frame.len() - PREFIX_BYTES);
        let mut shorter = frame[..cut].to_vec();
        shorter[..4].copy_from_slice(&u32::try_from(cut - 4).unwrap().to_be_bytes());
        if let Ok(read) = decode(shorter.into()) {
            prop_assert_eq!(decode(encode(&read)), Ok(read));
        }
    }

    #[test]
    fn a_flipped_bit_is_refused_or_another_message(
        envelope in envelope(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
    ) {
        let mut frame = encode(&envelope).to_vec();
        for (at, bit) in flips {
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
        }
        if let Ok(read) = decode(frame.into()) {
            prop_assert_eq!(decode(encode(&read)), Ok(read));
        }
    }

    /// Noise behind a good prefix, for every kind: most noise would end at the prefix.
    #[test]
    fn noise_is_harmless(kind in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(framed(kind, &noise));
        let _ = decode(noise.into());
    }
}

/// A frame of a kind with this behind the prefix.
fn framed(kind: u8, rest: &[u8]) -> Bytes {
    let mut frame = Vec::new();
    frame.put_u32(u32::try_from(rest.len() + 2).unwrap());
    frame.put_u8(1);
    frame.put_u8(kind);
    frame.put_slice(rest);
    frame.into()
}

fn write(key: impl Into<Bytes>, body: Body) -> Envelope {
    let version = Version {
        stamp: Stamp(7 << 16),
        delete: false,
        host: HostId(1),
        start: 2,
    };
    let cells = Cells {
        value: Some(ValueCell {
            version,
            body: Some(body),
        }),
        expiry: None,
    };
    let record = Record {
        key: Key::new(key).unwrap(),
        cells,
    };
    let (req, at) = (ReqId(9), RosterVersion(3));
    let body = Message::Keep(KeepMessage::Write {
        req,
        at,
        record,
        road: Road::Request,
    });
    Envelope {
        from: HostId(1),
        to: HostId(2),
        body,
    }
}

fn record_of(envelope: Envelope) -> Record {
    let Message::Keep(KeepMessage::Write { record, .. }) = envelope.body else {
        panic!("a write, not {envelope:?}")
    };
    record
}

/// The module's page shows this frame, byte by byte.
#[test]
fn the_lesson_shows_a_real_frame() {
    let frame = encode(&write("cat", Body::new("meow")));
    let page: Vec<&str> = include_str!("mod.rs")
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let shown = page
        .iter()
        .skip_while(|line| !line.contains("```text"))
        .skip(1);
    let shown = shown.take_while(|line| !line.contains("```"));
    // A line: what it is, then bytes in hex, then after two spaces what they mean.
    let hex = shown.flat_map(|line| {
        let bytes = line
            .get(21..)
            .and_then(|rest| rest.split("  ").next())
            .unwrap_or_default();
        bytes
            .split(' ')
            .filter(|byte| !byte.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let real: Vec<String> = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex.collect::<Vec<_>>(),
        real,
        "the page must show:\n{}",
        real.join(" ")
    );
}

#[test]
fn the_largest_write_fits_and_its_value_is_not_copied() {
    let frame = encode(&write(
        vec![1; MAX_KEY_BYTES],
        Body::new(vec![2; PIECE_BYTES]),
    ));
    assert!(frame.len() <= MAX_FRAME_BYTES);
    let all = frame.as_ptr_range();
    let record = record_of(decode(frame.clone()).unwrap());
    let piece = &record.cells.value.unwrap().body.unwrap().pieces[0];
    assert_eq!(piece.len(), PIECE_BYTES);
    assert!(all.contains(&piece.as_ptr()), "the piece lies in the frame");
}

#[test]
fn a_value_of_several_pieces_travels_bare() {
    let body = Body::new(vec![2; PIECE_BYTES + 1]);
    let frame = encode(&write("key", body.clone()));
    assert!(frame.len() < 200);
    let record = record_of(decode(frame).unwrap());
    assert_eq!(record.cells.value.unwrap().body, Some(body.for_travel()));
}

#[test]
fn limits_are_enforced() {
    let ask = framed(1, &[]);
    let mut prefix = *ask.first_chunk::<PREFIX_BYTES>().unwrap();
    prefix[..4].copy_from_slice(&u32::try_from(MAX_FRAME_BYTES - 4).unwrap().to_be_bytes());
    assert_eq!(frame_len(prefix), Ok(MAX_FRAME_BYTES));
    prefix[..4].copy_from_slice(&u32::try_from(MAX_FRAME_BYTES - 3).unwrap().to_be_bytes());
    let too_large = WireError::TooLarge {
        len: MAX_FRAME_BYTES + 1,
        limit: MAX_FRAME_BYTES,
    };
    assert_eq!(frame_len(prefix), Err(too_large));
    // A header that says it has 4 GiB is refused before room is made for it.
    let declared = framed(1, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(
        decode(declared),
        Err(WireError::TooLarge {
            len: 0xffff_ffff,
            limit: MAX_HEADER_BYTES
        })
    );
    let long = Body {
        content_type: Some("x".repeat(2000).into()),
        ..Body::new("meow")
    };
    let refused = decode(encode(&write("cat", long)));
    assert!(
        matches!(refused, Err(WireError::Range { value: 2000, .. })),
        "{refused:?}"
    );
}

#[test]
fn numbers_that_would_overflow_later_are_refused() {
    let mut late = write("cat", Body::new("meow"));
    if let Message::Keep(KeepMessage::Write { record, .. }) = &mut late.body {
        record.cells.value.as_mut().unwrap().version.stamp = Stamp(u64::MAX);
    }
    assert!(matches!(
        decode(encode(&late)),
        Err(WireError::Range { .. })
    ));
    let have = RosterVersion(u64::MAX);
    let body = Message::Keep(KeepMessage::RosterHave { version: have });
    assert!(matches!(
        decode(encode(&Envelope { body, ..late })),
        Err(WireError::Range { .. })
    ));
}

#[test]
fn a_later_build_may_add_a_field() {
    let key = Key::new("cat").unwrap();
    let (req, at) = (ReqId(9), RosterVersion(3));
    let body = Message::Keep(KeepMessage::Ask {
        req,
        at,
        key,
        want: Want::Versions,
    });
    let envelope = Envelope {
        from: HostId(1),
        to: HostId(2),
        body,
    };
    let frame = encode(&envelope);
    let header_len = usize::from(frame[PREFIX_BYTES]);
    let (head, body) = frame[PREFIX_BYTES + 1..].split_at(header_len);
    // Field 100 as a varint: two bytes of tag, one of value.
    let mut rest = vec![frame[PREFIX_BYTES] + 3];
    rest.extend_from_slice(head);
    rest.extend_from_slice(&[0xa0, 0x06, 0x05]);
    rest.extend_from_slice(body);
    assert_eq!(decode(framed(frame[5], &rest)), Ok(envelope));
}
