//! Every way of cutting bytes up gives the same commands; `resp-rs` agrees; nothing that arrives makes it panic,
//! or keep more than has come.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use resp_rs::resp2::{Frame, frame_to_bytes, parse_frame};
use roundelay::door::resp::{Arg, Limits, Parser, ProtocolError, SHORT_BYTES};

/// What a parser made of some bytes: the commands, and the error it ended with.
type Seen = (Vec<Vec<Bytes>>, Option<ProtocolError>);

/// A parser fed piece by piece. It never keeps much more than has come.
fn feed(limits: Limits, bytes: &[u8], cuts: &[usize]) -> Seen {
    let (mut parser, mut buffer) = (Parser::new(limits), BytesMut::new());
    let mut commands = Vec::new();
    let (mut from, mut next) = (0, 0);
    while from < bytes.len() {
        let n = cuts
            .get(next % cuts.len().max(1))
            .copied()
            .unwrap_or(bytes.len());
        let to = (from + n.max(1)).min(bytes.len());
        buffer.extend_from_slice(&bytes[from..to]);
        (from, next) = (to, next + 1);
        loop {
            match parser.next(&mut buffer) {
                Ok(Some(command)) => {
                    assert!(!command.args.is_empty());
                    commands.push(command.args.into_iter().map(Arg::into_bytes).collect());
                }
                Ok(None) => break,
                Err(error) => return (commands, Some(error)),
            }
        }
        assert!(
            parser.held() <= 16 * from + 1024,
            "{} for {from} bytes",
            parser.held()
        );
    }
    (commands, None)
}

fn framed(words: &[Bytes]) -> Bytes {
    let strings = words
        .iter()
        .map(|word| Frame::BulkString(Some(word.clone())));
    frame_to_bytes(&Frame::Array(Some(strings.collect())))
}

/// Words of all sizes, some long enough to leave the buffer.
fn word() -> impl Strategy<Value = Bytes> {
    let sizes = prop_oneof![
        8 => 0..20_usize,
        2 => 20..2_000_usize,
        1 => (SHORT_BYTES - 2)..(SHORT_BYTES + 3),
        1 => (1_048_576_usize - 2)..(1_048_576 + 3),
    ];
    (sizes, any::<u8>()).prop_map(|(n, byte)| vec![byte; n].into())
}

fn commands() -> impl Strategy<Value = Vec<Vec<Bytes>>> {
    prop::collection::vec(prop::collection::vec(word(), 1..6), 1..6)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![usize::MAX / 2]),
        prop::collection::vec(1..100_usize, 1..10),
        prop::collection::vec(1_000..70_000_usize, 1..10),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_clients_write_is_read_however_it_is_cut(commands in commands(), cuts in cuts()) {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| framed(words)).collect();
        let (seen, error) = feed(Limits::default(), &bytes, &cuts);
        prop_assert_eq!(error, None);
        prop_assert!(seen == commands);
    }

    #[test]
    fn whatever_arrives_the_cuts_do_not_matter(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(prop::sample::select(b"*$-0123\r\n a'\"\\x".to_vec()), 0..200),
        ],
        cuts in cuts(),
    ) {
        let whole = feed(Limits::default(), &bytes, &[usize::MAX / 2]);
        prop_assert_eq!(feed(Limits::default(), &bytes, &cuts), whole);
    }

    #[test]
    fn a_command_with_a_mistake_in_it_is_read_as_resp_rs_reads_it(
        words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..5),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let words: Vec<Bytes> = words.into_iter().map(Bytes::from).collect();
        let mut bytes = framed(&words).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assume!(bytes[0] == b'*');
        let (seen, error) = feed(Limits::default(), &bytes, &[3]);
        if let Ok((Frame::Array(Some(frames)), _)) = parse_frame(bytes.into()) {
            let strings: Option<Vec<Bytes>> = frames
                .iter()
                .map(|frame| {
                    let Frame::BulkString(bytes) = frame else {
                        return None;
                    };
                    bytes.clone()
                })
                .collect();
            match strings {
                // An array of none is passed over.
                Some(strings) if !strings.is_empty() => prop_assert_eq!(seen.first(), Some(&strings)),
                Some(_) => {}
                None => prop_assert!(error.is_some() && seen.is_empty()),
            }
        } else {
            // What it refuses or waits for is no command here either, but for numbers it reads otherwise.
            prop_assert!(seen.is_empty(), "{seen:?}");
        }
    }
}

#[test]
fn limits_hold_before_anything_is_kept() {
    let small = Limits {
        max_args: 3,
        max_bulk_bytes: 5,
        max_command_bytes: 8,
        max_inline_bytes: 10,
        stranger: false,
    };
    let ended = |bytes: &str| feed(small, bytes.as_bytes(), &[1]).1;
    assert_eq!(ended("*3\r\n"), None);
    assert_eq!(ended("*4\r\n"), Some(ProtocolError::Count));
    assert_eq!(
        ended("*99999999999999999999\r\n"),
        Some(ProtocolError::Count)
    );
    assert_eq!(ended("*x\r\n"), Some(ProtocolError::Count));
    assert_eq!(ended("*\r\n"), Some(ProtocolError::Count));
    assert_eq!(
        ended("*0000000000000000000000000000"),
        Some(ProtocolError::Count)
    );
    let too_long = |len| Some(ProtocolError::TooLong { len, most: 5 });
    assert_eq!(ended("*1\r\n$6\r\n"), too_long(6));
    assert_eq!(ended("*1\r\n$-1\r\n"), Some(ProtocolError::BulkLen));
    assert_eq!(ended("*1\r\n$4294967296\r\n"), too_long(4_294_967_296));
    assert_eq!(
        ended("*2\r\n$5\r\nabcde\r\n$4\r\n"),
        Some(ProtocolError::CommandLen(8))
    );
    assert_eq!(ended("*1\r\n*1\r\n"), Some(ProtocolError::NoBulk(b'*')));
    assert_eq!(ended("*1\r\n$3\r\nabcd\r\n"), Some(ProtocolError::NoEnd));
    assert_eq!(ended("get abcdefgh"), Some(ProtocolError::InlineLen));
    assert_eq!(ended("get abcdefgh\r\n"), Some(ProtocolError::InlineLen));
    assert_eq!(ended("get 'a\n"), Some(ProtocolError::Quotes));
    assert_eq!(ended("*0\r\n*-1\r\n\r\nget a\r\n"), None);
}

#[test]
fn what_is_only_announced_takes_no_memory() {
    let (mut parser, mut buffer) = (Parser::new(Limits::default()), BytesMut::new());
    buffer.extend_from_slice(b"*1048576\r\n$3\r\nSET\r\n$536870912\r\nx");
    assert_eq!(parser.next(&mut buffer), Ok(None));
    assert!(parser.held() < 1_000, "{}", parser.held());
    let deep = b"*1\r\n".repeat(100_000);
    assert_eq!(
        feed(Limits::default(), &deep, &[4096]).1,
        Some(ProtocolError::NoBulk(b'*'))
    );
}

#[test]
fn a_long_value_comes_in_pieces_of_its_own() {
    let value = vec![b'v'; 3 * 1024 * 1024 + 1];
    let bytes = framed(&[
        "SET".into(),
        "key".into(),
        value.clone().into(),
        "EX".into(),
    ]);
    let (mut parser, mut buffer) = (Parser::new(Limits::default()), BytesMut::new());
    let mut command = None;
    for piece in bytes.chunks(64 * 1024) {
        buffer.extend_from_slice(piece);
        command = command.or(parser.next(&mut buffer).unwrap());
    }
    let args = command.unwrap().args;
    let Arg::Long(pieces) = &args[2] else {
        panic!("a value of 3 MiB is long");
    };
    let lens: Vec<usize> = pieces.iter().map(Bytes::len).collect();
    assert_eq!(lens, [1 << 20, 1 << 20, 1 << 20, 1]);
    let body = args[2].clone().into_body();
    assert!(body.is_whole() && body.to_bytes() == value);
    assert_eq!(args[3], Arg::Short("EX".into()));
}
