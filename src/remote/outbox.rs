//! What waits to be sent to one host, and no more than may.
//!
//! ```text
//!   push ──> open: 40 small frames, one after the other ┐
//!            units: [ frames … ] [ part ] [ part ] …    ├──> take: some units, written with one call
//!                                                       ┘
//! ```
//!
//! Small messages are written behind each other into one buffer, so that a thousand of them cost one call of
//! the system. The bytes of a large value are not copied: they are sent from where they lie. A unit ends where
//! a frame ends, so a ping can go between any two.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frames::{PART_BYTES, part_head};
use crate::message::Envelope;
use crate::wire::encode_onto;

/// From so many bytes on a piece of a value is sent from where it lies.
const APART_BYTES: usize = 16 * 1024;

/// When the open buffer has so many bytes it becomes a unit.
const OPEN_BYTES: usize = 64 * 1024;

/// What a message costs beyond its bytes, roughly: counted, so that many small ones are bounded as well.
const OVERHEAD_BYTES: usize = 16;

/// Some whole frames, one of which may end in a tail of its own memory.
struct Unit {
    head: Bytes,
    tail: Bytes,
    /// How many messages end in it.
    messages: usize,
}

impl Unit {
    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// The queue to one host.
pub(super) struct Outbox {
    limit_bytes: usize,
    limit_messages: usize,
    units: VecDeque<Unit>,
    open: Vec<u8>,
    open_messages: usize,
    bytes: usize,
    messages: usize,
    /// Full was reached, and not yet half of it has left.
    choked: bool,
}

impl Outbox {
    pub(super) fn new(limit_bytes: usize, limit_messages: usize) -> Outbox {
        Outbox {
            limit_bytes,
            limit_messages,
            units: VecDeque::new(),
            open: Vec::new(),
            open_messages: 0,
            bytes: 0,
            messages: 0,
            choked: false,
        }
    }

    /// Bytes and messages that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.bytes, self.messages)
    }

    /// Whether it is full, and takes nothing until half has left.
    pub(super) fn is_choked(&self) -> bool {
        self.choked
    }

    /// Puts a message to the others. False: it is full, and the message is lost.
    pub(super) fn push(&mut self, envelope: &Envelope) -> bool {
        if self.choked {
            return false;
        }
        let before = self.open.len();
        let tail = encode_onto(envelope, &mut self.open, APART_BYTES).unwrap_or_default();
        let len = self.open.len() - before + tail.len();
        let full = self.bytes.saturating_add(len + OVERHEAD_BYTES) > self.limit_bytes
            || self.messages >= self.limit_messages;
        if full && self.messages > 0 {
            self.open.truncate(before);
            self.choked = true;
            return false;
        }
        self.bytes += len + OVERHEAD_BYTES;
        self.messages += 1;
        if len > PART_BYTES {
            let head = self.open.split_off(before);
            self.seal(Bytes::new());
            self.cut(Bytes::from(head), tail);
        } else {
            self.open_messages += 1;
            if !tail.is_empty() || self.open.len() >= OPEN_BYTES {
                self.seal(tail);
            }
        }
        true
    }

    /// Makes a unit of the open buffer.
    fn seal(&mut self, tail: Bytes) {
        if self.open.is_empty() {
            return;
        }
        let mut open = std::mem::take(&mut self.open);
        if open.capacity() > 2 * open.len() {
            open.shrink_to_fit();
        }
        self.units.push_back(Unit {
            head: open.into(),
            tail,
            messages: std::mem::take(&mut self.open_messages),
        });
    }

    /// Makes parts of a large frame.
    fn cut(&mut self, mut head: Bytes, mut tail: Bytes) {
        while !head.is_empty() || !tail.is_empty() {
            let from_head = head.split_to(head.len().min(PART_BYTES));
            let from_tail = tail.split_to(tail.len().min(PART_BYTES - from_head.len()));
            let begin = part_head(from_head.len() + from_tail.len());
            self.bytes += begin.len();
            let last = head.is_empty() && tail.is_empty();
            self.units.push_back(Unit {
                head: [&begin[..], &from_head].concat().into(),
                tail: from_tail,
                messages: usize::from(last),
            });
        }
    }

    /// The next bytes to be written, about `limit` of them, ending where a frame ends.
    pub(super) fn take(&mut self, limit: usize) -> Option<VecDeque<Bytes>> {
        if self.units.is_empty() {
            self.seal(Bytes::new());
        }
        let mut taken = VecDeque::new();
        let mut len = 0;
        while len < limit
            && let Some(unit) = self.units.pop_front()
        {
            len += unit.len();
            self.messages -= unit.messages;
            self.bytes -= unit.len() + unit.messages * OVERHEAD_BYTES;
            taken.push_back(unit.head);
            if !unit.tail.is_empty() {
                taken.push_back(unit.tail);
            }
        }
        let half = self.bytes <= self.limit_bytes / 2 && self.messages <= self.limit_messages / 2;
        self.choked = self.choked && !half;
        (!taken.is_empty()).then_some(taken)
    }

    /// Forgets all that waits; how many messages that were.
    pub(super) fn clear(&mut self) -> usize {
        let lost = self.messages;
        *self = Outbox::new(self.limit_bytes, self.limit_messages);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{KeepMessage, Message, ReqId};
    use crate::placement::HostId;
    use crate::record::{Stamp, Version, WallMs};
    use crate::roster::RosterVersion;

    fn message(body: KeepMessage) -> Envelope {
        Envelope {
            from: HostId(1),
            to: HostId(2),
            body: Message::Keep(body),
        }
    }

    fn small() -> Envelope {
        message(KeepMessage::Gossip {
            version: RosterVersion(1),
            wall: WallMs(1),
            view: crate::message::View::default(),
        })
    }

    fn piece(len: usize) -> Envelope {
        let stamp = Stamp(1);
        message(KeepMessage::PieceIs {
            req: ReqId(1),
            version: Version {
                stamp,
                delete: false,
                host: HostId(1),
                start: 1,
            },
            index: 0,
            bytes: Some(vec![7; len].into()),
        })
    }

    #[test]
    fn small_messages_leave_in_one_piece() {
        let mut outbox = Outbox::new(1 << 20, 1000);
        (0..100).for_each(|_| assert!(outbox.push(&small())));
        assert_eq!(outbox.take(usize::MAX).map(|bytes| bytes.len()), Some(1));
        assert_eq!(outbox.take(usize::MAX), None);
        assert_eq!(outbox.waiting(), (0, 0));
    }

    #[test]
    fn a_piece_is_sent_from_where_it_lies() {
        let mut outbox = Outbox::new(4 << 20, 1000);
        let Envelope { body, .. } = piece(1 << 20);
        let Message::Keep(KeepMessage::PieceIs { bytes, .. }) = &body else {
            panic!("it is a piece")
        };
        let place = bytes.as_ref().unwrap().as_ptr_range();
        let (from, to) = (HostId(1), HostId(2));
        let envelope = Envelope {
            from,
            to,
            body: body.clone(),
        };
        assert!(outbox.push(&envelope));
        let written = outbox.take(usize::MAX).unwrap();
        let inside = written
            .iter()
            .filter(|bytes| place.contains(&bytes.as_ptr()));
        assert!(inside.map(Bytes::len).sum::<usize>() >= 1 << 20);
    }

    #[test]
    fn a_full_queue_takes_nothing_until_half_has_left() {
        for (bytes, messages, envelope) in [(1 << 30, 10, small()), (10_000, 1 << 30, piece(900))] {
            let mut outbox = Outbox::new(bytes, messages);
            let taken = (0..).take_while(|_| outbox.push(&envelope)).count();
            assert!((9..=11).contains(&taken), "{taken}");
            assert!(outbox.is_choked());
            assert!(
                !outbox.push(&small()),
                "what would fit is lost as well: the order is kept"
            );
            while outbox.is_choked() {
                assert!(outbox.take(1).is_some());
            }
            assert!(outbox.push(&small()));
        }
    }

    #[test]
    fn one_message_is_never_too_large_for_an_empty_queue() {
        let mut outbox = Outbox::new(10, 1);
        assert!(outbox.push(&piece(300_000)));
        assert!(!outbox.push(&small()));
        assert_eq!(outbox.clear(), 1);
        assert!(outbox.push(&small()));
    }

    #[test]
    fn small_messages_between_pieces_do_not_keep_large_buffers() {
        let mut outbox = Outbox::new(usize::MAX, usize::MAX);
        for _ in 0..100 {
            assert!(outbox.push(&small()) && outbox.push(&piece(APART_BYTES)));
        }
        let heads = outbox
            .units
            .iter()
            .map(|unit| unit.head.len())
            .sum::<usize>();
        assert!(heads < 100 * 400, "{heads}");
    }
}
