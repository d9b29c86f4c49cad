//! What a sender wrote comes out whole, however it was cut on the way; what is wrong ends the link.

use proptest::prelude::*;

use super::*;
use crate::remote::outbox::Outbox;
use crate::wire::arbitrary::envelope;
use crate::wire::{MAX_FRAME_BYTES, MAX_ROSTER_FRAME_BYTES, encode};

/// Feeds bytes in pieces of that size.
fn read(frames: &mut Frames, bytes: &[u8], size: usize) -> Result<Vec<Item>, LinkError> {
    let mut items = Vec::new();
    for chunk in bytes.chunks(size.max(1)) {
        frames.buf.extend_from_slice(chunk);
        while let Some(item) = frames.next()? {
            items.push(item);
        }
    }
    Ok(items)
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 2).unwrap();
    [&len.to_be_bytes()[..], &[LAYOUT, kind], body].concat()
}

/// A frame of a roster of that size; what is in it does not matter here.
fn large(len: usize) -> Vec<u8> {
    framed(13, &vec![7; len - PREFIX_BYTES])
}

fn parts(frame: &[u8]) -> Vec<Vec<u8>> {
    frame
        .chunks(PART_BYTES)
        .map(|part| framed(PART, part))
        .collect()
}

#[test]
fn a_ping_passes_between_the_parts_of_a_large_message() {
    let whole = large(3 * PART_BYTES + 5);
    let cut = parts(&whole);
    let stream = [
        &cut[0][..],
        &ping(PING, 1234),
        &cut[1],
        &cut[2],
        &ping(PONG, 5),
        &cut[3],
        &bye(),
    ];
    let items = read(&mut Frames::all(), &stream.concat(), 1000).unwrap();
    let frame = Item::Frame(whole.into());
    assert_eq!(items, [Item::Ping(1234), Item::Pong(5), frame, Item::Bye]);
}

#[test]
fn four_gigabytes_are_refused_at_their_first_six_bytes() {
    for kind in [1, 13, PART, PING, BYE] {
        let mut frames = Frames::all();
        let announced = [&[255; 4][..], &[LAYOUT, kind]].concat();
        assert!(read(&mut frames, &announced, 6).is_err(), "{kind}");
        assert!(frames.kept() < 1024);
    }
    let mut frames = Frames::all();
    let inside = framed(PART, &[&[255; 4][..], &[LAYOUT, 3]].concat());
    let refused = read(&mut frames, &inside, 100);
    assert!(matches!(
        refused,
        Err(LinkError::Wire(WireError::TooLarge { .. }))
    ));
}

/// Somebody who knows the secret announces the largest message, sends one part and stops.
#[test]
fn room_is_made_only_for_what_arrives() {
    let whole = large(MAX_ROSTER_FRAME_BYTES);
    let mut frames = Frames::all();
    assert_eq!(read(&mut frames, &parts(&whole)[0], 4096), Ok(vec![]));
    assert!(frames.kept() < 8 * PART_BYTES, "{}", frames.kept());
}

#[test]
fn what_is_out_of_turn_ends_the_link() {
    let (whole, small) = (large(2 * PART_BYTES), framed(1, b"x"));
    let cut = parts(&whole);
    let beyond = [
        &cut[0][..],
        &framed(PART, &vec![0; PART_BYTES - 1]),
        &framed(PART, &[0; 2]),
    ];
    for bad in [
        [&cut[0][..], &small].concat(),
        beyond.concat(),
        framed(PART, &[]),
        framed(PART, b"four"),
        framed(PART, &small),
        framed(PART, &vec![0; PART_BYTES + 1]),
        framed(PING, &[0; 7]),
        framed(BYE, b"!"),
        framed(0xff, b""),
        large(PART_BYTES + 1),
        vec![0, 0, 0, 2, 9, PING],
    ] {
        assert!(read(&mut Frames::all(), &bad, 77).is_err());
    }
    for data in [small, cut[0].clone()] {
        assert!(read(&mut Frames::control(), &data, 77).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_sent_arrives_in_order_however_it_is_cut(
        envelopes in prop::collection::vec(envelope(), 1..20), size in 1usize..5000,
    ) {
        let mut outbox = Outbox::new(usize::MAX, usize::MAX);
        for envelope in &envelopes {
            prop_assert!(outbox.push(envelope));
        }
        let mut stream = Vec::new();
        while let Some(bytes) = outbox.take(10_000) {
            bytes.iter().for_each(|bytes| stream.extend_from_slice(bytes));
        }
        let items = read(&mut Frames::all(), &stream, size).unwrap();
        let sent: Vec<Item> = envelopes.iter().map(|envelope| Item::Frame(encode(envelope))).collect();
        prop_assert_eq!(items, sent);
    }

    #[test]
    fn no_bytes_make_it_panic_or_keep_more_than_arrived(
        kinds in prop::collection::vec((0xeeu8..=0xff, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..100,
    ) {
        let stream: Vec<u8> = kinds.iter().flat_map(|(kind, body)| framed(*kind, body)).collect();
        for mut frames in [Frames::all(), Frames::control()] {
            let _ = read(&mut frames, &[&stream[..], &noise].concat(), size);
            prop_assert!(frames.kept() < MAX_FRAME_BYTES);
        }
    }
}
