//! Which requests of one client have to wait for which others of it?
//!
//! A client that sends `SET a 1` and `GET a` in one go expects to read 1. So requests about one key go one after the
//! other, but for reads among themselves; those about different keys go side by side:
//!
//! ```text
//! SET a 1    SET b 2    GET a          GET a          GET b         DEL a
//! at once    at once    after SET a    after SET a    after SET b   after both GET a
//! ```

use std::collections::VecDeque;

use crate::message::{KeyOp, Options, Request, Upload};

/// A request with its number.
pub(super) type Numbered = (u64, Request, Options);

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct About {
    number: u64,
    /// The beginning of the key's id. Two keys that share it wait for each other needlessly, once in 2^64.
    key: u64,
    writes: bool,
}

impl About {
    /// About which key it is; none if it is about no one key.
    fn of(number: u64, request: &Request) -> Option<About> {
        let (key, writes) = if let Request::One(key, op) = request {
            let reads = matches!(op, KeyOp::Get | KeyOp::Open | KeyOp::Has | KeyOp::Ttl);
            (key, !reads)
        } else if let Request::Upload(Upload::End { key, .. }) = request {
            (key, true)
        } else {
            return None;
        };
        Some(About {
            number,
            key: key.id().top(),
            writes,
        })
    }

    fn waits_for(self, other: About) -> bool {
        self.key == other.key && (self.writes || other.writes)
    }
}

/// The requests of one client.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    under_way: Vec<About>,
    waiting: VecDeque<(About, Request, Options)>,
}

impl Lanes {
    /// Sends a request, or lets it wait.
    pub(super) fn push(&mut self, (number, request, options): Numbered, send: &mut Vec<Numbered>) {
        let Some(about) = About::of(number, &request) else {
            return send.push((number, request, options));
        };
        let mut before = self
            .under_way
            .iter()
            .chain(self.waiting.iter().map(|(about, ..)| about));
        if before.any(|other| about.waits_for(*other)) {
            self.waiting.push_back((about, request, options));
        } else {
            self.under_way.push(about);
            send.push((number, request, options));
        }
    }

    /// A request is answered: those that waited for it are sent.
    pub(super) fn done(&mut self, number: u64, send: &mut Vec<Numbered>) {
        let Some(place) = self
            .under_way
            .iter()
            .position(|about| about.number == number)
        else {
            return;
        };
        let done = self.under_way.swap_remove(place);
        let mut at = 0;
        while let Some((about, ..)) = self.waiting.get(at) {
            if about.key != done.key {
                at += 1;
                continue;
            }
            // Whoever comes after one that still has to wait has to wait, too.
            if self.under_way.iter().any(|other| about.waits_for(*other)) {
                return;
            }
            if let Some((about, request, options)) = self.waiting.remove(at) {
                self.under_way.push(about);
                send.push((about.number, request, options));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Body, Key};

    /// `S` is a put, `G` a get; the number is the place.
    fn request(word: &'static str) -> Request {
        let (op, key) = word.split_at(1);
        let op = match op {
            "S" => KeyOp::Put(Body::new("v"), None),
            _ => KeyOp::Get,
        };
        Request::One(Key::new(key).unwrap(), op)
    }

    fn sent(send: &mut Vec<Numbered>) -> Vec<u64> {
        send.drain(..).map(|(number, ..)| number).collect()
    }

    #[test]
    fn one_after_the_other_by_key_and_side_by_side_else() {
        let (mut lanes, mut send) = (Lanes::default(), Vec::new());
        for (number, word) in (0..).zip(["Sa", "Sb", "Ga", "Ga", "Gb", "Sa", "Ga", "Gc"]) {
            lanes.push((number, request(word), Options::default()), &mut send);
        }
        lanes.push((8, Request::Status, Options::default()), &mut send);
        assert_eq!(sent(&mut send), [0, 1, 7, 8]);
        lanes.done(8, &mut send);
        assert_eq!(sent(&mut send), []);
        lanes.done(0, &mut send);
        assert_eq!(sent(&mut send), [2, 3]);
        lanes.done(3, &mut send);
        assert_eq!(sent(&mut send), [], "a write waits for all reads before it");
        lanes.done(2, &mut send);
        assert_eq!(sent(&mut send), [5]);
        lanes.done(1, &mut send);
        assert_eq!(sent(&mut send), [4]);
        lanes.done(5, &mut send);
        assert_eq!(sent(&mut send), [6]);
        for number in [4, 6, 7] {
            lanes.done(number, &mut send);
        }
        assert!(lanes.under_way.is_empty() && lanes.waiting.is_empty() && send.is_empty());
    }
}
