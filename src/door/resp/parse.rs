//! Bytes in, commands out, a bit at a time.

use bytes::{Buf, Bytes, BytesMut};

use super::command::{Arg, Command};
use super::inline;
use super::limits::{Limits, ProtocolError};
use crate::record::PIECE_BYTES;

/// How deep arrays may stand in arrays: a command is one array of strings.
pub const MAX_DEPTH: usize = 1;

/// An argument up to this many bytes is a slice of what was read; a longer one is copied into pieces.
pub const SHORT_BYTES: usize = 16 * 1024;

/// The digits of a length, with its sign and line end: no number is longer.
const MAX_NUMBER_BYTES: usize = 24;

/// A long argument under way.
#[derive(Debug)]
struct Long {
    len: usize,
    left: usize,
    pieces: Vec<Bytes>,
    piece: Vec<u8>,
    /// Its pieces are given out as they come.
    apart: bool,
}

/// What comes next, for who takes large strings piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command is complete.
    Command(Command),
    /// A string of more than a piece begins. It is collected like any other, unless [`Parser::apart`] is called now.
    Large(usize),
    /// A piece of a string that is taken apart.
    Piece(Bytes),
}

/// Finds the commands in what a client has sent so far.
///
/// Between calls it remembers how far it has come, so that each byte is looked at once, however slowly
/// they dribble in.
#[derive(Debug, Default)]
pub struct Parser {
    limits: Limits,
    /// The present command ends before this many bytes of the buffer, as far as it is understood; of a typed
    /// line, so many have no line end.
    at: usize,
    /// How many strings of the present command are missing; none between commands.
    missing: Option<usize>,
    /// The length of the string that comes next, if it has been read.
    len: Option<usize>,
    /// The short strings that lie in the buffer: where they begin, and how long they are.
    spans: Vec<(usize, usize)>,
    /// The strings that have left the buffer, since a long one followed.
    ready: Vec<Arg>,
    long: Option<Long>,
    /// Whether large strings are told of when they begin.
    tells: bool,
    /// All strings of the present command together, as announced.
    announced: usize,
}

impl Parser {
    /// A parser with those limits.
    #[must_use]
    pub fn new(limits: Limits) -> Parser {
        Parser {
            limits,
            ..Parser::default()
        }
    }

    /// Other limits, from the next command on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether a command has begun that is not complete, given what is left in the buffer.
    #[must_use]
    pub fn amid(&self, buffer: &BytesMut) -> bool {
        self.missing.is_some() || !buffer.is_empty()
    }

    /// How many bytes it keeps besides the buffer.
    #[must_use]
    pub fn held(&self) -> usize {
        let long = self.long.as_ref().map_or(0, |long| {
            long.pieces.iter().map(Bytes::len).sum::<usize>() + long.piece.capacity()
        });
        let spans = self.spans.capacity() * size_of::<(usize, usize)>();
        long + spans + self.ready.iter().map(Arg::len).sum::<usize>()
    }

    /// The next command in the buffer, or none if it is not there yet.
    ///
    /// # Errors
    /// If the bytes are no command.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Command>, ProtocolError> {
        self.tells = false;
        loop {
            match self.advance(buffer)? {
                Some(Step::Command(command)) => return Ok(Some(command)),
                // Of a string that was begun by `step`.
                Some(Step::Large(_) | Step::Piece(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The same, telling when a large string begins, so that it need not be collected.
    ///
    /// # Errors
    /// If the bytes are no command.
    pub fn step(&mut self, buffer: &mut BytesMut) -> Result<Option<Step>, ProtocolError> {
        self.tells = true;
        self.advance(buffer)
    }

    /// The strings of the present command before the one that is large.
    #[must_use]
    pub fn before(&self) -> &[Arg] {
        &self.ready
    }

    /// Gives the large string that has just begun out in pieces: in its command only [`Arg::Apart`] will stand.
    pub fn apart(&mut self) {
        if let Some(long) = &mut self.long {
            long.apart = true;
        }
    }

    fn advance(&mut self, buffer: &mut BytesMut) -> Result<Option<Step>, ProtocolError> {
        loop {
            let more = match (self.missing, &mut self.long) {
                (_, Some(long)) => {
                    let piece = long.pieces.pop_if(|_| long.apart);
                    if let Some(piece) = piece {
                        return Ok(Some(Step::Piece(piece)));
                    }
                    self.fill_long(buffer)?
                }
                (Some(0), None) => return Ok(Some(Step::Command(self.complete(buffer)))),
                (Some(_), None) => {
                    let more = self.string(buffer)?;
                    if let Some(long) = self.long.as_ref().filter(|_| self.tells)
                        && long.len > PIECE_BYTES
                    {
                        return Ok(Some(Step::Large(long.len)));
                    }
                    more
                }
                (None, None) => match buffer.first() {
                    None => false,
                    Some(b'*') => self.array(buffer)?,
                    Some(_) => match self.line(buffer)? {
                        Some(command) if command.args.is_empty() => true,
                        command => return Ok(command.map(Step::Command)),
                    },
                },
            };
            if !more {
                return Ok(None);
            }
        }
    }

    /// `*3`: how many strings follow. An array of none is passed over, as Redis does.
    fn array(&mut self, buffer: &mut BytesMut) -> Result<bool, ProtocolError> {
        let Some((count, used)) = number(&buffer[1..], ProtocolError::Count)? else {
            return Ok(false);
        };
        let Ok(count) = usize::try_from(count) else {
            buffer.advance(1 + used);
            return Ok(true);
        };
        match count {
            0 => buffer.advance(1 + used),
            n if n > self.limits.max_args && self.limits.stranger => {
                return Err(ProtocolError::StrangersCount);
            }
            n if n > self.limits.max_args => return Err(ProtocolError::Count),
            n => (self.missing, self.at) = (Some(n), 1 + used),
        }
        Ok(true)
    }

    /// `$4 meow`: a string.
    fn string(&mut self, buffer: &mut BytesMut) -> Result<bool, ProtocolError> {
        let len = match self.len {
            Some(len) => len,
            None => match self.string_len(buffer)? {
                Some(len) => len,
                None => return Ok(false),
            },
        };
        if len > SHORT_BYTES {
            self.begin_long(buffer, len);
            return Ok(true);
        }
        let end = self.at + len;
        let Some(after) = buffer.get(end..end + 2) else {
            return Ok(false);
        };
        if after != b"\r\n" {
            return Err(ProtocolError::NoEnd);
        }
        self.spans.push((self.at, len));
        self.at = end + 2;
        self.len = None;
        self.missing = self.missing.map(|missing| missing - 1);
        Ok(true)
    }

    fn string_len(&mut self, buffer: &BytesMut) -> Result<Option<usize>, ProtocolError> {
        let rest = &buffer[self.at..];
        match rest.first() {
            None => return Ok(None),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::NoBulk(*other)),
        }
        let Some((len, used)) = number(&rest[1..], ProtocolError::BulkLen)? else {
            return Ok(None);
        };
        let len = usize::try_from(len).map_err(|_| ProtocolError::BulkLen)?;
        let most = self.limits.max_bulk_bytes;
        if len > most {
            return Err(match self.limits.stranger {
                true => ProtocolError::StrangersBulkLen,
                false => ProtocolError::TooLong { len, most },
            });
        }
        self.announced = self.announced.saturating_add(len);
        if self.announced > self.limits.max_command_bytes {
            return Err(ProtocolError::CommandLen(self.limits.max_command_bytes));
        }
        self.at += 1 + used;
        self.len = Some(len);
        Ok(Some(len))
    }

    /// What came before a long string leaves the buffer, so that this one can be collected apart.
    fn begin_long(&mut self, buffer: &mut BytesMut, len: usize) {
        self.leave(buffer);
        self.long = Some(Long {
            len,
            left: len,
            pieces: Vec::new(),
            piece: Vec::new(),
            apart: false,
        });
    }

    /// The strings understood so far, out of the buffer.
    fn leave(&mut self, buffer: &mut BytesMut) {
        let head = buffer.split_to(self.at).freeze();
        self.ready.reserve(self.spans.len());
        for (from, len) in self.spans.drain(..) {
            self.ready.push(Arg::Short(head.slice(from..from + len)));
        }
        self.at = 0;
    }

    /// Takes what has come of a long string. Memory grows with what comes, up to a piece.
    fn fill_long(&mut self, buffer: &mut BytesMut) -> Result<bool, ProtocolError> {
        let Some(long) = &mut self.long else {
            return Ok(true);
        };
        while long.left > 0 && !buffer.is_empty() {
            let whole = PIECE_BYTES.min(long.piece.len() + long.left);
            let n = buffer.len().min(whole - long.piece.len());
            if long.piece.capacity() < long.piece.len() + n {
                let grown = (long.piece.len() + n).max(2 * long.piece.capacity());
                let grown = grown.min(whole);
                long.piece.reserve_exact(grown - long.piece.len());
            }
            long.piece.extend_from_slice(&buffer[..n]);
            buffer.advance(n);
            long.left -= n;
            if long.piece.len() == whole {
                let piece = std::mem::take(&mut long.piece);
                long.pieces.push(piece.into());
                if long.apart {
                    return Ok(true);
                }
            }
        }
        if long.left > 0 || buffer.len() < 2 {
            return Ok(false);
        }
        if !buffer.starts_with(b"\r\n") {
            return Err(ProtocolError::NoEnd);
        }
        buffer.advance(2);
        let pieces = std::mem::take(&mut long.pieces);
        self.ready.push(match long.apart {
            true => Arg::Apart(long.len),
            false => Arg::Long(pieces),
        });
        (self.long, self.len) = (None, None);
        self.missing = self.missing.map(|missing| missing - 1);
        Ok(true)
    }

    /// All strings are there.
    fn complete(&mut self, buffer: &mut BytesMut) -> Command {
        self.leave(buffer);
        (self.missing, self.announced) = (None, 0);
        let args = std::mem::take(&mut self.ready);
        Command { args }
    }

    /// A line typed by hand; a command without words if it is empty, none if it has not ended.
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<Command>, ProtocolError> {
        let end = buffer[self.at..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end else {
            self.at = buffer.len();
            return match self.at > self.limits.max_inline_bytes {
                true => Err(ProtocolError::InlineLen),
                false => Ok(None),
            };
        };
        let end = self.at + end;
        self.at = 0;
        if end > self.limits.max_inline_bytes {
            return Err(ProtocolError::InlineLen);
        }
        let line = buffer.split_to(end + 1);
        let words = inline::words(&line[..end]).ok_or(ProtocolError::Quotes)?;
        let args = words.into_iter().map(Arg::Short).collect();
        Ok(Some(Command { args }))
    }
}

/// A number up to the line end, and how many bytes both have; none if the line end is not there yet.
fn number(bytes: &[u8], error: ProtocolError) -> Result<Option<(i64, usize)>, ProtocolError> {
    let negative = bytes.first() == Some(&b'-');
    let first = usize::from(negative);
    let mut value: i64 = 0;
    for (at, byte) in bytes.iter().enumerate().skip(first).take(MAX_NUMBER_BYTES) {
        match byte {
            b'0'..=b'9' => {
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_add(i64::from(byte - b'0')))
                    .ok_or(error)?;
            }
            b'\r' if at > first => {
                return match bytes.get(at + 1) {
                    None => Ok(None),
                    Some(b'\n') => Ok(Some((if negative { -value } else { value }, at + 2))),
                    Some(_) => Err(error),
                };
            }
            _ => return Err(error),
        }
    }
    match bytes.len() > MAX_NUMBER_BYTES {
        true => Err(error),
        false => Ok(None),
    }
}
