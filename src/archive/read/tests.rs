//! What is read back of what was written, and what a damaged archive gives.

use super::super::Writer;
use super::*;
use proptest::prelude::*;

fn item(key: &str, body: Body, deadline: Option<u64>) -> Item {
    Item {
        key: Key::new(key.to_owned()).unwrap(),
        body,
        deadline: deadline.map(WallMs),
    }
}

fn small() -> Vec<Item> {
    let typed = Body {
        content_type: Some("text/plain".into()),
        ..Body::new("meow")
    };
    vec![
        item("cat", typed, Some(1_700_000_000_000)),
        item("nothing", Body::new(""), None),
    ]
}

fn some() -> Vec<Item> {
    let long: Vec<u8> = (0..=255_u8).cycle().take(PIECE_BYTES * 2 + 7).collect();
    let mut all = small();
    all.push(item("long", Body::new(long), None));
    all
}

fn written(items: &[Item]) -> Vec<u8> {
    let mut writer = Writer::new();
    let mut bytes = writer.begin();
    items
        .iter()
        .for_each(|item| bytes.extend(writer.item(item)));
    bytes.extend(writer.end());
    bytes
}

fn read(bytes: &[u8], step: usize) -> Result<Vec<Item>, ArchiveError> {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    for chunk in bytes.chunks(step) {
        reader.feed(chunk);
        while let Some(part) = reader.next()? {
            match part {
                Part::Item(item) | Part::Large(item) => items.push(item),
                Part::Piece(piece) => items.last_mut().unwrap().body.pieces.push(piece),
                Part::Broken => drop(items.pop()),
                Part::End { items: all } => assert_eq!(all, items.len() as u64),
            }
        }
    }
    reader.close()?;
    Ok(items)
}

#[test]
fn what_was_written_is_read_back_however_it_comes() {
    let (items, bytes) = (some(), written(&some()));
    for step in [1_000, 65_537, bytes.len()] {
        assert_eq!(read(&bytes, step).unwrap(), items);
    }
    assert_eq!(read(&written(&[]), 1).unwrap(), []);
}

#[test]
fn a_cut_archive_gives_what_came_before_and_says_so() {
    let bytes = written(&some());
    let whole = read(&bytes[..bytes.len() - 1], 1_000);
    assert_eq!(whole, Err(ArchiveError::Cut { item: 3 }));
    assert_eq!(read(b"hello", 5), Err(ArchiveError::Magic));
    assert_eq!(read(b"ROUND", 5), Err(ArchiveError::Cut { item: 0 }));
}

#[test]
fn what_a_later_version_adds_is_skipped_or_refused() {
    let cat = &some()[..1];
    let mut writer = Writer::new();
    let mut bytes = writer.begin();
    bytes[17] = 9;
    assert_eq!(read(&bytes, 1_000), Err(ArchiveError::Layout(9)));

    let plain = written(cat);
    let with_block = |kind: u8| {
        let mut front = vec![kind, 0, 0, 0, 3];
        front.extend(b"new");
        let check = check(&front[..5], b"new");
        front.extend(check);
        front
    };
    let mut head = plain[..20].to_vec();
    head.extend(with_block(7));
    assert_eq!(
        read(&head, 1_000),
        Err(ArchiveError::Kind { item: 0, kind: 7 })
    );

    let mut reader = Reader::new();
    let mut head = plain[..20].to_vec();
    head.extend(with_block(200));
    head.extend(&plain[20..]);
    reader.feed(&head);
    assert_eq!(reader.next(), Ok(Some(Part::Item(cat[0].clone()))));
    assert_eq!(
        reader.next(),
        Err(ArchiveError::Checksum),
        "nobody put it there"
    );
}

#[test]
fn a_large_value_that_broke_off_is_none_and_may_come_again() {
    let long = some().pop().unwrap();
    let mut writer = Writer::new();
    let mut bytes = writer.begin();
    bytes.extend(writer.head(&long));
    bytes.extend(writer.piece(&long.body.pieces[0]));
    bytes.extend(writer.broken());
    bytes.extend(writer.item(&long));
    assert_eq!(writer.items(), 1);
    bytes.extend(writer.end());
    assert_eq!(read(&bytes, 10_000), Ok(vec![long.clone()]));

    let mut writer = Writer::new();
    let mut bytes = writer.begin();
    bytes.extend(writer.head(&long));
    bytes.extend(writer.end());
    let told = read(&bytes, 10_000).unwrap_err().to_string();
    assert!(told.contains("damaged"), "an end amid a value: {told}");
}

#[test]
fn of_a_large_value_no_more_than_a_piece_is_kept() {
    let bytes = written(&some());
    let mut reader = Reader::new();
    for chunk in bytes.chunks(PIECE_BYTES / 3) {
        reader.feed(chunk);
        while reader.next().unwrap().is_some() {}
        assert!(reader.bytes.len() < 2 * PIECE_BYTES);
        let coming = reader.coming.as_ref();
        assert!(coming.is_none_or(|item| item.body.pieces.is_empty()));
    }
    assert_eq!(reader.close(), Ok(()));
}

proptest! {
    #[test]
    fn any_byte_that_changed_is_noticed(at in 0_usize..1_000, flip in 1_u8..=255) {
        let mut bytes = written(&small());
        let at = at % bytes.len();
        bytes[at] ^= flip;
        prop_assert!(read(&bytes, 64).is_err());
    }

    #[test]
    fn any_bytes_are_no_reason_to_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut all = written(&[])[..20].to_vec();
        all.extend(&bytes);
        let _ = read(&all, 7);
        let _ = read(&bytes, 7);
    }
}
