//! What a client is told, in either version of the protocol.
//!
//! ```text
//!                     RESP2                         RESP3
//! nothing             $-1                           _
//! a map of one        *2 $4 cats :3                 %1 $4 cats :3
//! true                :1                            #t
//! text for people     $5 Hello                      =9 txt:Hello
//! ```

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::SHORT_BYTES;
use crate::record::Body;

/// The version of the protocol a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// What every client speaks.
    #[default]
    Resp2,
    /// What a client asks for by `HELLO 3`.
    Resp3,
}

impl Proto {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Proto::Resp2 => 2,
            Proto::Resp3 => 3,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A word, such as `OK`.
    Word(&'static str),
    /// A failure: a code in capitals, and what happened.
    Error(String),
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Bytes),
    /// A stored value.
    Stored(Body),
    /// Text for people.
    Text(String),
    /// Nothing.
    Nil,
    /// Yes or no.
    Bool(bool),
    /// Several.
    Array(Vec<Value>),
    /// Pairs.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// Done.
    pub const OK: Value = Value::Word("OK");

    /// A failure with that code and text.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Value {
        Value::Error(text.into())
    }

    /// Text as bytes.
    #[must_use]
    pub fn bulk(text: impl Into<Bytes>) -> Value {
        Value::Bulk(text.into())
    }

    /// A count.
    #[must_use]
    pub fn count(n: impl TryInto<i64>) -> Value {
        Value::Int(n.try_into().unwrap_or(i64::MAX))
    }

    /// About how many bytes it takes on the way.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Value::Bulk(bytes) => bytes.len() + 16,
            Value::Stored(body) => usize::try_from(body.len).unwrap_or(usize::MAX),
            Value::Text(text) | Value::Error(text) => text.len() + 16,
            Value::Array(items) => items.iter().map(Value::weight).sum::<usize>() + 16,
            Value::Map(pairs) => {
                let pairs = pairs
                    .iter()
                    .map(|(key, value)| key.weight() + value.weight());
                pairs.sum::<usize>() + 16
            }
            Value::Word(_) | Value::Int(_) | Value::Nil | Value::Bool(_) => 16,
        }
    }

    /// Writes the beginning of an array of so many values, which are written next.
    pub fn write_array_before(count: usize, out: &mut Out) {
        out.number(b'*', length(count));
    }

    /// Writes a map of these pairs and one more, whose value is written next.
    pub fn write_map_before(pairs: &[(Value, Value)], last: &Value, proto: Proto, out: &mut Out) {
        let (sign, n) = if proto == Proto::Resp3 {
            (b'%', 1)
        } else {
            (b'*', 2)
        };
        out.number(sign, length(n * (pairs.len() + 1)));
        for (key, value) in pairs {
            key.write(proto, out);
            value.write(proto, out);
        }
        last.write(proto, out);
    }

    /// Writes it.
    pub fn write(&self, proto: Proto, out: &mut Out) {
        let resp3 = proto == Proto::Resp3;
        match self {
            Value::Word(word) => out.line(b'+', word.as_bytes()),
            Value::Error(text) => out.line(b'-', one_line(text).as_bytes()),
            Value::Int(n) => out.number(b':', *n),
            Value::Bulk(bytes) => out.bulk(bytes.len(), std::slice::from_ref(bytes)),
            Value::Stored(body) => {
                let len = body.pieces.iter().map(Bytes::len).sum();
                out.bulk(len, &body.pieces);
            }
            Value::Text(text) if resp3 => {
                out.number(b'=', length(text.len() + 4));
                out.tail.put_slice(b"txt:");
                out.tail.put_slice(text.as_bytes());
                out.tail.put_slice(b"\r\n");
            }
            Value::Text(text) => out.bulk(text.len(), &[Bytes::copy_from_slice(text.as_bytes())]),
            Value::Nil if resp3 => out.tail.put_slice(b"_\r\n"),
            Value::Nil => out.tail.put_slice(b"$-1\r\n"),
            Value::Bool(yes) if resp3 => out.line(b'#', if *yes { b"t" } else { b"f" }),
            Value::Bool(yes) => out.number(b':', i64::from(*yes)),
            Value::Array(items) => {
                out.number(b'*', length(items.len()));
                items.iter().for_each(|item| item.write(proto, out));
            }
            Value::Map(pairs) => {
                let (sign, n) = if resp3 { (b'%', 1) } else { (b'*', 2) };
                out.number(sign, length(n * pairs.len()));
                for (key, value) in pairs {
                    key.write(proto, out);
                    value.write(proto, out);
                }
            }
        }
    }
}

/// An error is one line: what a client would read on as another answer must not be in it.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn length(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Answers that wait to be written: short ones in one buffer, large pieces as they are.
#[derive(Debug, Default)]
pub struct Out {
    full: VecDeque<Bytes>,
    tail: BytesMut,
    /// The bytes in `full`.
    waiting: usize,
    /// How many short ones there were last time.
    usual: usize,
}

impl Out {
    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting + self.tail.len()
    }

    /// Whether none do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next bytes to write, as many slices as there is room for; how many slices.
    pub fn slices<'a>(&'a self, room: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let all = self.full.iter().map(|piece| &piece[..]).chain(tail);
        let mut n = 0;
        for (slot, slice) in room.iter_mut().zip(all) {
            *slot = IoSlice::new(slice);
            n += 1;
        }
        n
    }

    /// So many bytes are written.
    pub fn written(&mut self, mut n: usize) {
        while let Some(front) = self.full.front_mut() {
            let here = front.len().min(n);
            front.advance(here);
            self.waiting -= here;
            n -= here;
            if !front.is_empty() {
                return;
            }
            self.full.pop_front();
        }
        let here = n.min(self.tail.len());
        self.tail.advance(here);
        if self.tail.is_empty() {
            self.usual = here.min(SHORT_BYTES);
            // An idle connection keeps no buffer.
            self.tail = BytesMut::new();
        }
    }

    /// Makes room for as much as was written last time.
    pub fn expect(&mut self) {
        if self.tail.capacity() == 0 {
            self.tail.reserve(self.usual);
        }
    }

    /// Everything that waits, in one buffer.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = self.full.iter().flatten().copied().collect::<Vec<u8>>();
        all.extend_from_slice(&self.tail);
        all
    }

    /// Begins a string of so many bytes whose pieces follow one by one.
    pub fn begin_bulk(&mut self, len: u64) {
        self.number(b'$', i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// A piece of it.
    pub fn piece(&mut self, piece: &Bytes) {
        if piece.len() <= SHORT_BYTES {
            return self.tail.put_slice(piece);
        }
        let before = self.tail.split().freeze();
        self.waiting += before.len() + piece.len();
        if !before.is_empty() {
            self.full.push_back(before);
        }
        self.full.push_back(piece.clone());
    }

    /// All its pieces were given.
    pub fn end_bulk(&mut self) {
        self.tail.put_slice(b"\r\n");
    }

    fn line(&mut self, sign: u8, text: &[u8]) {
        self.tail.reserve(text.len() + 3);
        self.tail.put_u8(sign);
        self.tail.put_slice(text);
        self.tail.put_slice(b"\r\n");
    }

    fn number(&mut self, sign: u8, n: i64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = n.unsigned_abs();
        while {
            at -= 1;
            digits[at] = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
            rest /= 10;
            rest > 0
        } {}
        self.tail.reserve(24);
        self.tail.put_u8(sign);
        if n < 0 {
            self.tail.put_u8(b'-');
        }
        self.tail.put_slice(&digits[at..]);
        self.tail.put_slice(b"\r\n");
    }

    fn bulk(&mut self, len: usize, pieces: &[Bytes]) {
        self.begin_bulk(len as u64);
        pieces.iter().for_each(|piece| self.piece(piece));
        self.end_bulk();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value, proto: Proto) -> String {
        let mut out = Out::default();
        value.write(proto, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn each_kind_of_answer_in_both_versions() {
        let map = Value::Map(vec![(Value::bulk("cats"), Value::Int(3))]);
        let cases = [
            (Value::OK, "+OK\r\n", "+OK\r\n"),
            (Value::error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (
                Value::Int(i64::MIN),
                ":-9223372036854775808\r\n",
                ":-9223372036854775808\r\n",
            ),
            (Value::Int(0), ":0\r\n", ":0\r\n"),
            (Value::bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (
                Value::Stored(Body::new("meow")),
                "$4\r\nmeow\r\n",
                "$4\r\nmeow\r\n",
            ),
            (
                Value::Text("Hello".into()),
                "$5\r\nHello\r\n",
                "=9\r\ntxt:Hello\r\n",
            ),
            (Value::Nil, "$-1\r\n", "_\r\n"),
            (Value::Bool(true), ":1\r\n", "#t\r\n"),
            (Value::Bool(false), ":0\r\n", "#f\r\n"),
            (
                Value::Array(vec![Value::Int(1), Value::Nil]),
                "*2\r\n:1\r\n$-1\r\n",
                "*2\r\n:1\r\n_\r\n",
            ),
            (
                map,
                "*2\r\n$4\r\ncats\r\n:3\r\n",
                "%1\r\n$4\r\ncats\r\n:3\r\n",
            ),
        ];
        for (value, resp2, resp3) in cases {
            assert_eq!(written(&value, Proto::Resp2), resp2, "{value:?}");
            assert_eq!(written(&value, Proto::Resp3), resp3, "{value:?}");
        }
    }

    #[test]
    fn large_pieces_are_not_copied_and_everything_is_written_once() {
        let body = Body::new(vec![b'x'; 3 * 1024 * 1024 + 5]);
        let mut out = Out::default();
        Value::Int(1).write(Proto::Resp2, &mut out);
        Value::Stored(body.clone()).write(Proto::Resp2, &mut out);
        Value::Int(2).write(Proto::Resp2, &mut out);
        let whole = out.to_vec();
        assert_eq!(whole.len(), out.len());
        let mut read = Vec::new();
        while !out.is_empty() {
            let mut room = [IoSlice::new(&[]); 2];
            let n = out.slices(&mut room);
            let all: Vec<u8> = room[..n].iter().flat_map(|slice| slice.to_vec()).collect();
            let some = all.len().div_ceil(2);
            read.extend_from_slice(&all[..some]);
            out.written(some);
        }
        assert!(read == whole, "the halves make the whole");
        assert_eq!((out.len(), out.tail.capacity()), (0, 0));
    }
}
