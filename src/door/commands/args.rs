//! The words of a command, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Expiry, KeyOp, Request, Upload, UploadId};
use crate::record::{Body, Key, MAX_KEY_BYTES, WallMs};

use super::super::inflow::Apart;
use super::super::resp::{Arg, Value};

/// The words after a command's name.
pub(in super::super) struct Args {
    words: std::vec::IntoIter<Arg>,
    /// What became of the large ones among them, in their order.
    apart: VecDeque<Apart>,
}

/// Whether the word at that place of a command is a value that may come piece by piece.
pub(in super::super) fn is_value(name: &Arg, place: usize) -> bool {
    match place {
        1 => is_named(name),
        2 => name.is("set") || name.is("dht.put") || is_pairs(name),
        3 if name.is("setex") || name.is("psetex") => true,
        _ if is_pairs(name) => place.is_multiple_of(2),
        _ => name.is("dht.import") && place % 4 == 3,
    }
}

/// Whether its words are keys, each with a value after it.
fn is_pairs(name: &Arg) -> bool {
    name.is("mset") || name.is("dht.mput")
}

/// Whether that command stores a value under the name of its content.
pub(in super::super) fn is_named(name: &Arg) -> bool {
    name.is("dht.store")
}

/// A value to be stored.
pub(super) enum Given {
    Here(Body),
    /// It is put by at the host, and so named by its content, if that was wanted.
    There(UploadId, Option<Key>),
}

impl Given {
    /// The request that stores it.
    pub(super) fn put(
        self,
        key: Key,
        content_type: Option<Arc<str>>,
        expiry: Option<Expiry>,
    ) -> Request {
        match self {
            Given::Here(body) => {
                let body = Body {
                    content_type,
                    ..body
                };
                Request::One(key, KeyOp::Put(body, expiry))
            }
            Given::There(upload, _) => Request::Upload(Upload::End {
                upload,
                key,
                content_type,
                expiry,
            }),
        }
    }
}

/// What is said of words that fit nowhere.
pub(super) fn syntax() -> Value {
    Value::error("ERR syntax error")
}

/// What is said of text that should be a number.
pub(super) fn not_a_number() -> Value {
    Value::error("ERR value is not an integer or out of range")
}

impl Args {
    pub(in super::super) fn new(words: std::vec::IntoIter<Arg>, apart: VecDeque<Apart>) -> Args {
        Args { words, apart }
    }

    /// The next word as a value.
    pub(super) fn value(&mut self) -> Result<Given, Value> {
        let word = self.need()?;
        let Arg::Apart(_) = word else {
            return Ok(Given::Here(word.into_body()));
        };
        let Some(apart) = self.apart.pop_front() else {
            return Err(syntax());
        };
        match (apart.refused, apart.upload) {
            (None, Some(upload)) => Ok(Given::There(upload, apart.content)),
            (Some(why), _) => Err(why),
            (None, None) => Err(syntax()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    pub(super) fn next(&mut self) -> Option<Arg> {
        self.words.next()
    }

    pub(super) fn need(&mut self) -> Result<Arg, Value> {
        self.words.next().ok_or_else(syntax)
    }

    /// The next word as an option's name, in capitals; none if there are no more.
    pub(super) fn option(&mut self) -> Option<String> {
        let word = self.words.next()?;
        Some(String::from_utf8_lossy(word.short()).to_ascii_uppercase())
    }

    /// No more words.
    pub(super) fn end(mut self) -> Result<(), Value> {
        self.words.next().map_or(Ok(()), |_| Err(syntax()))
    }

    /// The next word as a key.
    pub(super) fn key(&mut self) -> Result<Key, Value> {
        key_of(self.need()?)
    }

    /// The next word as a number.
    pub(super) fn number(&mut self) -> Result<i64, Value> {
        let word = self.need()?;
        number(&word).ok_or_else(not_a_number)
    }

    /// All that is left, as keys; none twice the work: they may repeat.
    pub(super) fn keys(self) -> Result<Vec<Key>, Value> {
        self.words.map(key_of).collect()
    }
}

/// A whole number, as Redis reads them.
pub(super) fn number(word: &Arg) -> Option<i64> {
    let text = std::str::from_utf8(word.short()).ok()?;
    let plain = !text.starts_with('+') && text.len() <= 20;
    plain.then(|| text.parse().ok()).flatten()
}

pub(super) fn key_of(arg: Arg) -> Result<Key, Value> {
    let len = arg.len();
    if len > MAX_KEY_BYTES {
        let why = format!("ERR a key of {len} bytes is too long: at most {MAX_KEY_BYTES} bytes");
        return Err(Value::error(why));
    }
    Key::new(arg.into_bytes()).map_err(|error| Value::error(format!("ERR {error}")))
}

/// The longest life, and the last deadline after 1970, in milliseconds: 2229 years. No clock of ours will ever show it.
const LAST_MS: u64 = (1 << 46) - 1;

fn invalid(command: &str) -> Value {
    Value::error(format!("ERR invalid expire time in '{command}' command"))
}

/// In which unit a time is given, and whether from now or from 1970 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Millis,
    /// The second since 1970.
    AtSecond,
    /// The millisecond since 1970.
    AtMilli,
}

impl Unit {
    /// The unit an option of SET names.
    pub(super) fn named(option: &str) -> Option<Unit> {
        Some(match option {
            "EX" => Unit::Seconds,
            "PX" => Unit::Millis,
            "EXAT" => Unit::AtSecond,
            "PXAT" => Unit::AtMilli,
            _ => return None,
        })
    }

    /// The same for a value that is stored: it has to live at all.
    pub(super) fn life(self, n: i64, command: &str) -> Result<Expiry, Value> {
        match n {
            1.. => self.expiry(n, command),
            _ => Err(invalid(command)),
        }
    }

    /// The moment so many units away. One that has passed is `At` the beginning of time, one too far away the last there
    /// is.
    pub(super) fn expiry(self, n: i64, command: &str) -> Result<Expiry, Value> {
        let per = match self {
            Unit::Seconds | Unit::AtSecond => 1000,
            Unit::Millis | Unit::AtMilli => 1,
        };
        let ms = n.checked_mul(per).ok_or_else(|| invalid(command))?;
        let Ok(ms) = u64::try_from(ms) else {
            return Ok(Expiry::At(WallMs(0)));
        };
        let ms = ms.min(LAST_MS);
        Ok(match self {
            Unit::Seconds | Unit::Millis => Expiry::In(Duration::from_millis(ms)),
            Unit::AtSecond | Unit::AtMilli => Expiry::At(WallMs(ms)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_an_end() {
        let at = |unit: Unit, n| unit.expiry(n, "set");
        assert_eq!(at(Unit::Seconds, 2), Ok(Expiry::In(Duration::from_secs(2))));
        assert_eq!(
            at(Unit::Millis, 2),
            Ok(Expiry::In(Duration::from_millis(2)))
        );
        assert_eq!(at(Unit::AtSecond, 2), Ok(Expiry::At(WallMs(2000))));
        assert_eq!(at(Unit::AtMilli, -2), Ok(Expiry::At(WallMs(0))));
        let invalid = Err(Value::error("ERR invalid expire time in 'set' command"));
        assert_eq!(at(Unit::Seconds, i64::MAX), invalid);
        let last = Ok(Expiry::At(WallMs((1 << 46) - 1)));
        assert_eq!(at(Unit::AtMilli, (1 << 46) - 1), last);
        assert_eq!(at(Unit::AtMilli, 1 << 46), last);
        let year_9999 = at(Unit::AtSecond, 253_402_300_799);
        assert_eq!(year_9999, last);
        assert_eq!(Unit::Millis.life(0, "set"), invalid);
    }

    #[test]
    fn numbers_are_read_as_redis_reads_them() {
        let read = |text: &str| number(&Arg::Short(text.to_owned().into()));
        assert_eq!(read("-12"), Some(-12));
        for bad in ["", "+1", " 1", "1.0", "99999999999999999999", "a"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
