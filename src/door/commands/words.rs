//! How the ring's own commands read their words, and say what they were told.

use std::num::NonZeroU8;
use std::time::Duration;

use super::super::resp::{Arg, Value};
use super::args::{Args, Unit, not_a_number, syntax};
use crate::keyspace::Id;
use crate::message::{Consistency, Expiry, Options};
use crate::placement::HostId;

/// What may follow a request about a key.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) options: Options,
    pub(super) expiry: Option<Expiry>,
    pub(super) content_type: Option<String>,
}

impl Extras {
    /// Reads `CONSISTENCY`, `REPLICAS`, `DEADLINE` and, where a value is written, how long it lives and its type.
    pub(super) fn read(mut args: Args, writes: bool) -> Result<Extras, Value> {
        let mut extras = Extras::default();
        while let Some(option) = args.option() {
            let options = &mut extras.options;
            match option.as_str() {
                "CONSISTENCY" => {
                    options.consistency = Some(match args.option().as_deref() {
                        Some("ONE") => Consistency::One,
                        Some("QUORUM") => Consistency::Quorum,
                        Some("ALL") => Consistency::All,
                        _ => return Err(Value::error("ERR CONSISTENCY is one, quorum or all")),
                    });
                }
                "REPLICAS" => {
                    let n = small(args.number()?)?;
                    let few = || Value::error("ERR REPLICAS is at least 1");
                    options.replicas = Some(NonZeroU8::new(n).ok_or_else(few)?.get());
                }
                "DEADLINE" => {
                    let ms = u64::try_from(args.number()?).map_err(|_| not_a_number())?;
                    if ms == 0 {
                        return Err(Value::error("ERR DEADLINE is at least 1 millisecond"));
                    }
                    options.deadline = Some(Duration::from_millis(ms));
                }
                "TYPE" if writes => {
                    let word = args.need()?;
                    let text = String::from_utf8(word.into_bytes().to_vec());
                    let text =
                        text.map_err(|_| Value::error("ERR TYPE is a media type, as text"))?;
                    extras.content_type = Some(text);
                }
                other => {
                    let unit = Unit::named(other).filter(|_| writes && extras.expiry.is_none());
                    let unit = unit.ok_or_else(syntax)?;
                    extras.expiry = Some(unit.life(args.number()?, "dht.put")?);
                }
            }
        }
        Ok(extras)
    }
}

/// A number of copies.
pub(super) fn small(n: i64) -> Result<u8, Value> {
    u8::try_from(n).map_err(|_| not_a_number())
}

/// A host's id.
pub(super) fn host_of(word: &Arg) -> Result<HostId, Value> {
    let text = String::from_utf8_lossy(word.short());
    text.parse()
        .map_err(|error| Value::error(format!("ERR {error}")))
}

/// The hosts named by the rest of the words; at least one.
pub(super) fn hosts_of(mut args: Args) -> Result<Vec<HostId>, Value> {
    let mut hosts = Vec::new();
    while let Some(word) = args.next() {
        hosts.push(host_of(&word)?);
    }
    match hosts.is_empty() {
        true => Err(syntax()),
        false => Ok(hosts),
    }
}

/// An id in 40 hexadecimal digits, or the beginning of one.
pub(super) fn id_of(word: &Arg) -> Result<Id, Value> {
    let text = String::from_utf8_lossy(word.short());
    text.parse()
        .map_err(|error| Value::error(format!("ERR {error}")))
}

/// Anything that reads as text.
pub(super) fn text(what: impl ToString) -> Value {
    Value::bulk(what.to_string())
}

/// Several of them.
pub(super) fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> Value {
    Value::Array(all.into_iter().map(text).collect())
}

/// Named values.
pub(super) fn map<const N: usize>(pairs: [(&'static str, Value); N]) -> Value {
    let named = pairs
        .into_iter()
        .map(|(name, value)| (Value::bulk(name), value));
    Value::Map(named.collect())
}

/// It, or nothing.
pub(super) fn or_nil(what: Option<impl ToString>) -> Value {
    what.map_or(Value::Nil, text)
}

/// A count, or nothing.
pub(super) fn count_or_nil(count: Option<u64>) -> Value {
    count.map_or(Value::Nil, Value::count)
}
