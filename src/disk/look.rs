//! The records of a store as they were at one moment.
//!
//! Who reads a whole page needs time, and nobody shall wait for it: a look goes to a thread of its own, while the store
//! goes on. What is written, or dropped, meanwhile is not in it.
//!
//! ```text
//! store   Merge a 7   look   Merge a 8   Discard (20, 30]   …
//! pages               (20, 30]: a 7, b 3
//! ```
//!
//! *Hold these true*: a look shows all that was committed before it was taken, and nothing after; it is let go of as
//! soon as its page is read, since the engine keeps for it what is old.

use std::ops::Bound;

use bytes::Bytes;
use fjall::{Keyspace, Readable, Snapshot};

use super::layout::{Head, Place, Stored, head_name, piece_name};
use super::read::Bad;
use super::tables::Tables;
use crate::keyspace::{Id, Span};
use crate::record::{Body, Cells, Key, Record};
use crate::store::{Done, Page, Room, stretches};

/// Heads as they are read, one by one.
pub(super) type Heads = Box<dyn Iterator<Item = Result<Head, Bad>>>;

/// Heads and pieces at one moment.
#[derive(Clone)]
pub(super) struct Look {
    at: Snapshot,
    heads: Keyspace,
    pieces: Keyspace,
}

impl Tables {
    /// How the records are now; the heads are those of that table.
    pub(super) fn look(&self, heads: &Keyspace) -> Look {
        Look {
            at: self.db.snapshot(),
            heads: heads.clone(),
            pieces: self.pieces.clone(),
        }
    }
}

impl Look {
    /// The heads with ids up to `last`, from a name on or behind it.
    fn stretch(&self, first: Bound<Vec<u8>>, last: Id) -> Heads {
        let end = match last {
            Id::MAX => Bound::Unbounded,
            last => Bound::Excluded(last.wrapping_add(Id::from_u64(1)).to_bytes().to_vec()),
        };
        let entries = self.at.range::<Vec<u8>, _>(&self.heads, (first, end));
        Box::new(entries.map(|entry| {
            let (name, value) = entry.into_inner()?;
            Head::decode(&name, &value).ok_or(Bad::Head)
        }))
    }

    /// The heads with ids from `first` to `last`.
    pub(super) fn between(&self, first: Id, last: Id) -> Heads {
        self.stretch(Bound::Included(first.to_bytes().to_vec()), last)
    }

    /// The heads of a span in clockwise order from its beginning; with `after`, only those behind it.
    pub(super) fn walk(&self, span: Span, after: Option<&Key>) -> Heads {
        let look = self.clone();
        let all = move |(first, last)| look.between(first, last);
        let parts = stretches(span).into_iter().flatten();
        let Some(after) = after else {
            return Box::new(parts.flat_map(all));
        };
        // Whatever lies outside the span lies behind all of it.
        if !span.contains(after.id()) {
            return Box::new(std::iter::empty());
        }
        let holds = |(first, last): &(Id, Id)| *first <= after.id() && after.id() <= *last;
        let mut parts: Vec<(Id, Id)> = parts.collect();
        let begin = parts.iter().position(holds).unwrap_or(0);
        let rest = parts.split_off(begin + 1);
        let end = parts.last().map_or(span.to, |(_, last)| *last);
        let first = self.stretch(Bound::Excluded(head_name(after)), end);
        Box::new(first.chain(rest.into_iter().flat_map(all)))
    }

    /// A page of whole records.
    pub(super) fn scan(&self, page: &Page) -> Result<Done, Bad> {
        let mut records = Vec::new();
        let mut room = Room::of(page);
        let mut heads = self.walk(page.span, page.after.as_ref());
        while room.is_left() {
            let Some(head) = heads.next().transpose()? else {
                return Ok(Done::Page(records, false));
            };
            let piece = |number| {
                let piece = self.at.get(&self.pieces, piece_name(number, 0))?;
                Ok(piece.map(|piece| Bytes::copy_from_slice(&piece)))
            };
            let cells = cells(&head, piece)?;
            room.use_up(head.key.bytes().len() as u64 + cells.value_bytes());
            let key = head.key;
            records.push(Record { key, cells });
        }
        let more = heads.next().transpose()?.is_some();
        Ok(Done::Page(records, more))
    }
}

/// The cells of a head as they travel: a value of one piece whole, any other bare.
pub(super) fn cells(
    head: &Head,
    piece: impl FnOnce(u64) -> fjall::Result<Option<Bytes>>,
) -> Result<Cells, Bad> {
    let body = |stored: &Stored| -> Result<Body, Bad> {
        let mut body = stored.bare();
        if body.piece_count() == 1 {
            body.pieces.push(match &stored.place {
                Place::Inline(bytes) => bytes.clone(),
                Place::Apart(number) => piece(*number)?.ok_or(Bad::Head)?,
            });
        }
        Ok(body)
    };
    let body = head.body.as_ref().map(body).transpose()?;
    Ok(head.cells(body))
}
