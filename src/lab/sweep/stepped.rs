//! What large values on their way are answered, and what becomes of them when faults have ended.
//!
//! ```text
//! Taken 2        after two pieces were sent, no other number
//! Piece          of the length it must have, filled as the one who wrote that version fills
//! failed         an upload that was not ended has stored nothing, whatever it was that failed
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::run::Run;
use super::streams::{Stream, Way};
use crate::lab::check::Rule;
use crate::lab::check::history::{self, Told};
use crate::message::{Failure, Large, Outcome};
use crate::sim::Answer;

impl Run {
    /// A step is answered, or its host died.
    pub(super) fn stepped(&mut self, who: usize, answer: Answer) {
        let Some(mut stream) = self.streams.clients[who].doing.take() else {
            return; // Faults have ended, and it with them.
        };
        let told = match answer {
            Answer::Reply(told) => told,
            Answer::Broken => Err(Failure::Limit("its host is down".into())),
        };
        let wrong = match (&mut stream.way, &told) {
            (Way::In { upload, .. }, Ok(Outcome::Began(began))) => {
                *upload = Some(*began);
                None
            }
            (Way::In { .. }, Ok(Outcome::Taken(taken))) => {
                stream.done += 1;
                let right = usize::try_from(*taken) == Ok(stream.done);
                (!right).then(|| format!("{taken} pieces are taken, of {} sent", stream.done))
            }
            (Way::Out { .. }, Ok(Outcome::Piece(bytes))) => {
                stream.done += 1;
                self.mixed(&stream, bytes).err()
            }
            (Way::In { number, .. }, Err(failure)) => {
                let (number, why) = (*number, failure.to_string());
                self.refused(&stream, failure);
                return self.breaks_off(who, number, &why);
            }
            (Way::Out { .. }, Err(failure)) => {
                self.refused(&stream, failure);
                return self.think_of_next(who);
            }
            (_, Ok(other)) => Some(format!("a step of a stream was answered by {other}")),
        };
        if let Some(words) = wrong {
            let key = stream.key();
            self.blame(Rule::OneRegister, Some(key), words);
            return self.think_of_next(who);
        }
        let over = matches!(&stream.way, Way::Out { found: Some(large), .. }
            if stream.done as u64 >= large.found.body.piece_count());
        if over {
            self.streams.counts.downloads += 1;
        } else {
            self.streams.clients[who].doing = Some(stream);
        }
        self.think_of_next(who);
    }

    /// The end of an upload is answered, or a value was opened.
    pub(super) fn stream_answered(&mut self, who: usize, large: Option<Arc<Large>>) {
        let client = &mut self.streams.clients[who];
        if let Some(Stream {
            way: Way::Out { found, .. },
            ..
        }) = &mut client.doing
            && large.is_some()
        {
            *found = large;
        } else {
            client.doing = None;
        }
        self.think_of_next(who);
    }

    /// Whether a piece is one of the version that was opened.
    fn mixed(&self, stream: &Stream, bytes: &Bytes) -> Result<(), String> {
        let Way::Out {
            found: Some(large), ..
        } = &stream.way
        else {
            return Ok(());
        };
        let (version, index) = (large.found.version, stream.done - 1);
        let due = large.found.body.piece_len(index as u64);
        if bytes.len() as u64 != due {
            let words = format!(
                "piece {index} of {version} has {} bytes of {due}",
                bytes.len()
            );
            return Err(words);
        }
        let wrote = self.checker.writer(version);
        let Some(number) = wrote else {
            return Err(format!("nobody wrote {version}, which was read"));
        };
        let byte = u8::try_from(number & 0xff).unwrap_or_default();
        let begins = if index == 0 { history::LEAST_VALUE } else { 0 };
        let whole = history::number_in(bytes) == Some(number) || index > 0;
        if !whole || bytes[begins..].iter().any(|other| *other != byte) {
            return Err(format!(
                "piece {index} of {version} is not what #{number} wrote"
            ));
        }
        Ok(())
    }

    /// In a ring at rest every step succeeds, but for what others overwrote.
    fn refused(&mut self, stream: &Stream, failure: &Failure) {
        if self.calm && *failure != Failure::Replaced {
            let words = format!(
                "a step of a stream at {}, begun at {}, failed: {failure}",
                stream.host,
                stream.began.as_ms()
            );
            self.blame(Rule::Serves, Some(stream.key()), words);
        }
    }

    /// An upload that was never ended: nothing of it is ever stored.
    pub(super) fn breaks_off(&mut self, who: usize, number: usize, why: &str) {
        let now = self.world.now();
        self.checker.ended(number, now, Told::Nothing(why.into()));
        self.streams.counts.broken_off += 1;
        self.streams.clients[who].doing = None;
        self.think_of_next(who);
    }

    // ── the second act ──

    /// Faults have ended: what was under way breaks off, but for what is answered yet.
    pub(super) fn stop_streams(&mut self) {
        self.streams.over = true;
        self.streams.steps.clear();
        for waiting in self.open.values_mut() {
            waiting.stream = None;
        }
        for who in 0..self.streams.clients.len() {
            let client = &mut self.streams.clients[who];
            client.next = None;
            if let Some(Stream {
                way:
                    Way::In {
                        number,
                        ended: false,
                        ..
                    },
                ..
            }) = client.doing.take()
            {
                let now = self.world.now();
                let why = Told::Nothing("it was never ended".into());
                self.checker.ended(number, now, why);
            }
        }
    }

    /// A ring at rest takes and gives large values, too: each of these clients has one stored, and reads one.
    pub(super) fn calm_streams(&mut self) {
        for turn in 0..2 {
            for who in 0..self.streams.clients.len() {
                let members = self.members_up();
                let Some(host) = members.get((who + turn) % members.len().max(1)) else {
                    return;
                };
                let key = self.keys[who % self.plan.keys].clone();
                if turn == 0 {
                    self.begin_upload(who, *host, key);
                } else {
                    self.begin_download(who, *host, key);
                }
            }
            self.wait_for_streams();
        }
    }

    fn wait_for_streams(&mut self) {
        let limit = self.world.now() + Duration::from_secs(30);
        while !self.streams.all_idle() {
            if self.world.now() >= limit {
                let words = "a stream of a ring at rest has not ended in 30 s".to_owned();
                return self.blame(Rule::Serves, None, words);
            }
            let until = self.world.now() + Duration::from_millis(5);
            self.go_on(until);
        }
    }
}
