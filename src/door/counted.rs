//! What one client counts for in the sums of its door, and how many requests it may have under way.

use std::rc::Rc;

use super::clients::Clients;

/// With so many requests under way a connection begins; each answer allows one more.
const FIRST_WINDOW: usize = 8;

/// So many bytes of values a connection may be waiting for, as far as the last answers let one guess.
const WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// The part of one client.
pub(super) struct Counted {
    door: Rc<Clients>,
    /// Requests it may have under way, were it alone.
    window: usize,
    /// It is counted among those that wait for answers.
    busy: bool,
    /// Bytes of it that are counted.
    bytes: usize,
}

impl Counted {
    /// Nothing yet.
    pub(super) const fn new(door: Rc<Clients>) -> Counted {
        Counted {
            door,
            window: FIRST_WINDOW,
            busy: false,
            bytes: 0,
        }
    }

    /// How many requests it may have under way now.
    pub(super) fn most(&self) -> usize {
        self.door.share().min(self.window).max(1)
    }

    /// An answer of so many bytes has come: the more such ones would be too much, the fewer are asked for at once.
    pub(super) fn answered(&mut self, weight: usize) {
        self.window = match WINDOW_BYTES / weight.max(1) {
            0 => 1,
            most => (self.window + 1)
                .min(most)
                .min(self.door.settings.max_under_way),
        };
    }

    /// It holds so many bytes now, and does or does not wait for answers. False if it brings the sum over its limit.
    pub(super) fn set(&mut self, bytes: usize, busy: bool) -> bool {
        let fits = self.door.hold(self.bytes, bytes);
        self.bytes = bytes;
        if busy != self.busy {
            self.busy = busy;
            self.door.busy(busy);
        }
        fits
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(0, false);
    }
}
