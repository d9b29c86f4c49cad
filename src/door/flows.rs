//! The large values of one client that are on their way, in and out.
//!
//! ```text
//! number 7              a command's request                session
//! number IN + 3         a piece on its way in              inflow
//! number OUT + 2 * 2^32 + 5    piece 5 of the second value on its way out
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::commands::{Answer, Before, Plan};
use super::inflow::{Apart, Inflow};
use super::lanes::Numbered;
use super::outflow::{Gone, Outflow};
use super::resp::{Out, Proto, Value};
use super::row::{Part, Row, Spoken};
use crate::message::{Large, Options, Request, Upload, UploadId};

/// Requests about a value on its way in are numbered from here on; those of commands from 0.
const IN: u64 = 1 << 63;

/// And those about one on its way out, each value with 2^32 of its own.
const OUT: u64 = 1 << 62;

/// At most so many large strings of one command go to the host as they come, so that no client takes all uploads of a
/// host; further ones are held whole, up to [`MAX_WHOLE_BYTES`] each: with a longer one the command is refused.
const MAX_APART: usize = 8;

/// A value is nowhere held whole if it has more bytes than this.
const MAX_WHOLE_BYTES: usize = 4 * 1024 * 1024;

/// What is on its way.
#[derive(Default)]
pub(super) struct Flows {
    /// The large string of the present command that is on its way in, if there is one.
    inflow: Option<Inflow>,
    /// Those before it.
    apart: VecDeque<Apart>,
    /// How many requests were made about values on their way in, and before the present one.
    asked_in: u64,
    before_in: u64,
    /// The large value that is being said, and which one that is.
    outflow: Option<Outflow>,
    flows: u64,
    /// What comes after it in the same answer: the number of the first request of that, and how it is said.
    row: VecDeque<Part>,
    row_first: u64,
    row_proto: Proto,
    row_bytes: usize,
    /// An answer broke off: nothing more can be said.
    cut: bool,
}

/// Whether the next answer may be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// Not yet: a large value is being said, or was cut off.
    Yes,
    /// It may: there is none.
    No,
    /// It may: the value that was found by the request of that number is all said, or can only be cut off.
    Done(u64),
}

impl Flows {
    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.inflow.as_ref().is_none_or(Inflow::has_room)
    }

    /// Whether a value is being said.
    pub(super) fn is_saying(&self) -> bool {
        self.outflow.is_some() || !self.row.is_empty()
    }

    /// Whether an answer broke off.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// About how many bytes of them are in memory.
    pub(super) fn held(&self) -> usize {
        self.inflow.as_ref().map_or(0, Inflow::held)
            + self.outflow.as_ref().map_or(0, Outflow::held)
            + self.row_bytes
    }

    fn ask(&mut self, requests: impl IntoIterator<Item = Request>, asks: &mut Vec<Numbered>) {
        for request in requests {
            asks.push((IN | self.asked_in, request, Options::default()));
            self.asked_in += 1;
        }
    }

    /// Whether one more string of this command, of so many bytes, is taken as it comes, and not whole.
    pub(super) fn may_begin(&self, len: usize) -> bool {
        len > MAX_WHOLE_BYTES || self.begun() < MAX_APART
    }

    fn begun(&self) -> usize {
        self.apart.len() + usize::from(self.inflow.is_some())
    }

    /// A string of so many bytes begins, to go to the host as it comes; `named`: to be called by its content.
    pub(super) fn begin_in(&mut self, len: usize, named: bool, asks: &mut Vec<Numbered>) {
        let is_one_too_many = self.begun() >= MAX_APART;
        self.apart.extend(self.inflow.take().map(Inflow::end));
        self.before_in = self.asked_in;
        if is_one_too_many {
            let why = format!(
                "ERR {MAX_APART} values of more than 1 MiB came in one command: a further one may have at most {MAX_WHOLE_BYTES} bytes, this has {len}"
            );
            self.inflow = Some(Inflow::refuse(len, Value::error(why)));
            return;
        }
        let (inflow, ask) = Inflow::begin(len, named);
        self.inflow = Some(inflow);
        self.ask([ask], asks);
    }

    /// A piece of it.
    pub(super) fn piece(&mut self, bytes: Bytes, asks: &mut Vec<Numbered>) {
        let ask = self.inflow.as_mut().and_then(|inflow| inflow.piece(bytes));
        self.ask(ask, asks);
    }

    /// The command is complete: what has become of its large strings.
    pub(super) fn end_in(&mut self) -> VecDeque<Apart> {
        self.apart.extend(self.inflow.take().map(Inflow::end));
        std::mem::take(&mut self.apart)
    }

    /// Lets go of the uploads of a command that it has no use for.
    pub(super) fn drop_unused(
        &mut self,
        mut uploads: Vec<UploadId>,
        plan: &Result<Plan, Value>,
        asks: &mut Vec<Numbered>,
    ) {
        let requests = match plan {
            Ok(Plan::One(request, ..) | Plan::Flow(request, ..)) => std::slice::from_ref(request),
            Ok(Plan::Many(requests, ..) | Plan::Row(requests, ..)) => requests,
            Ok(Plan::Say(_)) | Err(_) => &[],
        };
        for request in requests {
            if let Request::Upload(Upload::End { upload, .. }) = request {
                uploads.retain(|other| other != upload);
            }
        }
        self.ask(uploads.into_iter().map(dropped), asks);
    }

    /// What is to be asked when the client goes amid a command: what has come need not be kept.
    pub(super) fn left(&mut self) -> Vec<Numbered> {
        let apart = self.end_in();
        let mut asks = Vec::new();
        let uploads = apart.iter().filter_map(|apart| apart.upload);
        self.ask(uploads.map(dropped), &mut asks);
        asks
    }

    /// An answer has come; it is given back if it is a command's.
    pub(super) fn told(
        &mut self,
        number: u64,
        answer: Answer,
        asks: &mut Vec<Numbered>,
    ) -> Option<Answer> {
        if number & IN != 0 {
            let is_of_now = number & !IN >= self.before_in;
            if let Some(inflow) = self.inflow.as_mut().filter(|_| is_of_now) {
                let more = inflow.told(answer);
                self.ask(more, asks);
            }
            return None;
        }
        if number & OUT == 0 {
            return Some(answer);
        }
        let index = u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
        let is_of_now = (number & !OUT) >> 32 == self.flows;
        if let Some(outflow) = self.outflow.as_mut().filter(|_| is_of_now) {
            outflow.told(index, answer);
        }
        None
    }

    /// A large value that was found is to be said.
    pub(super) fn begin_out(&mut self, found: (u64, Arc<Large>), before: Before, proto: Proto) {
        self.flows += 1;
        self.outflow = Some(Outflow::new(found, before, proto));
    }

    /// An answer with large values in it begins. Which requests found some that it does not say.
    pub(super) fn begin_row(&mut self, row: Row, proto: Proto, out: &mut Out) -> Vec<u64> {
        let parts = match row.spoken {
            Spoken::One(part) => vec![part],
            Spoken::Array(parts) => {
                Value::write_array_before(parts.len(), out);
                parts
            }
        };
        let mut unused = row.found;
        for part in &parts {
            match part {
                Part::Value(value) => self.row_bytes += value.weight(),
                Part::Large(index, ..) => {
                    unused.retain(|number| row.first + *index as u64 != *number)
                }
            }
        }
        (self.row, self.row_first, self.row_proto) = (parts.into(), row.first, proto);
        unused
    }

    /// The next part of it.
    fn next_part(&mut self, out: &mut Out) {
        match self.row.pop_front() {
            None => {}
            Some(Part::Value(value)) => {
                self.row_bytes = self.row_bytes.saturating_sub(value.weight());
                value.write(self.row_proto, out);
            }
            Some(Part::Large(index, large, check)) => {
                let found = (self.row_first + index as u64, large);
                self.flows += 1;
                let outflow = Outflow::new(found, |_, _, _| {}, self.row_proto);
                self.outflow = Some(outflow.checked(check));
            }
        }
    }

    /// Goes on with it, up to so many bytes that wait.
    pub(super) fn say(
        &mut self,
        out: &mut Out,
        pause_bytes: usize,
        asks: &mut Vec<Numbered>,
    ) -> Saying {
        while self.outflow.is_none() && !self.row.is_empty() && !self.cut {
            self.next_part(out);
        }
        let Some(outflow) = &mut self.outflow else {
            return if self.cut { Saying::Yes } else { Saying::No };
        };
        let gone = outflow.write(out, pause_bytes);
        if gone == Gone::On {
            while let Some((index, request)) = outflow.ask() {
                let number = OUT | (self.flows << 32) | u64::from(index);
                asks.push((number, request, Options::default()));
            }
            return Saying::Yes;
        }
        self.cut |= gone == Gone::Cut;
        let number = outflow.number;
        self.outflow = None;
        Saying::Done(number)
    }
}

fn dropped(upload: UploadId) -> Request {
    Request::Upload(Upload::Drop(upload))
}
