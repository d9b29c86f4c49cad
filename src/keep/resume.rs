//! A move goes on where it was, whoever crashed.
//!
//! ```text
//! h4 merges (20, 30] from h2 and h3
//!   h2   reached 26                 h2 crashes: another source; when h2 is asked again, from 26 on
//!   h3   done                       h4 crashes: on its disk stands "h2 26, h3 done"; it asks h2 from 26 on
//! ```
//!
//! A source is sealed for as long as the Moving roster lasts: what it said up to a place, it would say again. So only
//! the place has to be remembered, and only for that roster. In the note on disk the place is an id, not a key: the
//! records of that one id are merged twice.
//!
//! *Hold these true*: a place is noted only when all records up to it are in our store; a note counts under the roster
//! version it was made under, and no other; it holds [`MAX_NOTES`] places at most, the rest starts anew.

use std::time::Duration;

use bytes::Bytes;

use crate::keyspace::{Id, Span};
use crate::placement::HostId;
use crate::record::Time;
use crate::roster::RosterVersion;
use crate::store::{Op, Setting};

use super::task::Task;
use super::then::Next;
use super::{Context, Keeper};

/// At most so many places are noted.
const MAX_NOTES: usize = 4_096;

/// How often a note is written at most: each is a sync of the disk.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Bytes of one place: the span's start and end, the source, and the id reached, which is the span's end once it is done.
const NOTE_BYTES: usize = 20 + 20 + 8 + 1 + 20;

/// How far one source of one span was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    span: Span,
    host: HostId,
    /// The last id merged; `None`: all of it.
    reached: Option<Id>,
}

/// What a host notes on disk of the moves into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MoveNote {
    version: RosterVersion,
    places: Vec<Place>,
}

impl MoveNote {
    fn encode(&self) -> Bytes {
        let mut bytes = self.version.0.to_be_bytes().to_vec();
        for place in &self.places {
            bytes.extend_from_slice(&place.span.from.to_bytes());
            bytes.extend_from_slice(&place.span.to.to_bytes());
            bytes.extend_from_slice(&place.host.0.to_be_bytes());
            bytes.push(u8::from(place.reached.is_none()));
            bytes.extend_from_slice(&place.reached.unwrap_or(place.span.to).to_bytes());
        }
        bytes.into()
    }

    /// What was noted; nothing, if nothing was or if it cannot be read: then all is merged again.
    pub(super) fn decode(said: Option<&[u8]>) -> MoveNote {
        said.and_then(MoveNote::read).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<MoveNote> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (notes, left) = rest.as_chunks::<NOTE_BYTES>();
        if !left.is_empty() {
            return None;
        }
        let place = |note: &[u8; NOTE_BYTES]| {
            let (from, rest) = note.split_first_chunk::<20>()?;
            let (to, rest) = rest.split_first_chunk::<20>()?;
            let (host, rest) = rest.split_first_chunk::<8>()?;
            let (done, id) = rest.split_first()?;
            let id = Id::from_bytes(<[u8; 20]>::try_from(id).ok()?);
            Some(Place {
                span: Span::new(Id::from_bytes(*from), Id::from_bytes(*to)),
                host: HostId(u64::from_be_bytes(*host)),
                reached: (*done == 0).then_some(id),
            })
        };
        Some(MoveNote {
            version: RosterVersion(u64::from_be_bytes(*version)),
            places: notes.iter().map(place).collect::<Option<_>>()?,
        })
    }
}

impl Keeper {
    /// A chunk is merged: how far the sources are is noted, but not each time.
    pub(super) fn note_places(&mut self, cx: &mut Context<'_>) {
        if self.roster.is_some() && cx.now.at.since(self.mover.noted) >= NOTE_EVERY {
            self.mover.noted = cx.now.at;
            self.write_note(cx);
        }
    }

    fn write_note(&mut self, cx: &mut Context<'_>) {
        let places = self.mover.tasks.iter().flat_map(places);
        let note = MoveNote {
            version: self.mover.at,
            places: places.take(MAX_NOTES).collect(),
        };
        let said = if !note.places.is_empty() {
            note.encode()
        } else {
            Bytes::new()
        };
        self.store(cx, Op::Set(Setting::Places, said), Next::Nothing);
    }

    /// A move begins, or begins again after a restart: what was noted under this roster is taken up.
    pub(super) fn take_up_note(&mut self, now: Time) {
        let note = std::mem::take(&mut self.noted);
        self.mover.noted = now;
        if note.version != self.mover.at {
            return;
        }
        for place in note.places {
            let span = |task: &&mut Task| task.piece.span == place.span;
            let Some(task) = self.mover.tasks.iter_mut().find(span) else {
                continue;
            };
            match place.reached {
                Some(id) if task.piece.span.contains(id) => {
                    task.reached.insert(place.host, id);
                }
                None if task.piece.old.contains(&place.host) => task.done.push(place.host),
                Some(_) | None => {}
            }
        }
    }
}

/// How far the sources of a task are.
fn places(task: &Task) -> impl Iterator<Item = Place> {
    let span = task.piece.span;
    let done = task.done.iter().map(move |host| Place {
        span,
        host: *host,
        reached: None,
    });
    let reached = task.reached.iter().map(move |(host, id)| Place {
        span,
        host: *host,
        reached: Some(*id),
    });
    done.chain(reached)
}

/// What is left of a span when all up to that id is merged; the records of that id come again.
pub(super) fn rest(span: Span, reached: Option<Id>) -> Span {
    reached.map_or(span, |id| {
        Span::new(id.wrapping_sub(Id::from_u64(1)), span.to)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_what_is_none_says_nothing() {
        let place = |n: u64, reached: Option<u64>| Place {
            span: Span::new(Id::from_u64(n - 5), Id::from_u64(n)),
            host: HostId(n + 1),
            reached: reached.map(Id::from_u64),
        };
        let note = MoveNote {
            version: RosterVersion(7),
            places: vec![place(30, Some(26)), place(40, None)],
        };
        assert_eq!(MoveNote::decode(Some(&note.encode())), note);
        assert_eq!(MoveNote::decode(Some(b"")), MoveNote::default());
        let cut = &note.encode()[..20];
        assert_eq!(
            MoveNote::decode(Some(cut)),
            MoveNote::default(),
            "rather merged twice than not"
        );
    }

    #[test]
    fn the_rest_of_a_span_begins_before_the_id_reached() {
        let id = Id::from_u64;
        let span = Span::new(id(20), id(30));
        assert_eq!(rest(span, None), span);
        assert_eq!(rest(span, Some(id(26))), Span::new(id(25), id(30)));
        let whole = Span::whole(id(20));
        let left = rest(whole, Some(id(21)));
        assert_eq!(left, whole, "hardly begun");
    }
}
