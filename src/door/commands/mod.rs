//! Which commands are there, and what does each ask of the ring?
//!
//! A command is a line in the table of its family: its name, how many words it has, what it may do, a
//! sentence about it, and the function that turns its words into a [`Plan`]. The table also answers `COMMAND`,
//! and `docs/commands.md` is compared with it.
//!
//! ```text
//! SET cat meow EX 60   ->  ask: put "cat", to live for 60 s     stored …      ->  +OK
//! MGET cat dog         ->  ask: get "cat"; get "dog"            value, none   ->  *2 $4 meow $-1
//! PING                 ->  say +PONG
//! INCR n               ->  say -ERR …, and why not
//! ```
//!
//! *Hold these true*: what cannot be honoured by a register in which the last write wins is refused with the
//! reason, never done in part; a command about several keys is several requests, each with its own result.

mod args;
mod client;
mod connection;
mod dht_archive;
mod dht_keys;
mod dht_many;
mod dht_ops;
mod dht_ring;
mod dht_who;
mod host;
mod keys;
mod refused;
mod strings;
mod words;

use crate::message::{Failure, Large, Options, Outcome, Request};
use crate::record::WallMs;

use super::me::Cx;
use super::resp::{Arg, Out, Proto, Value};
use super::row::OfRow;

pub(super) use args::{Args, is_named, is_value};
pub(super) use connection::wrong_number;

/// What one request has come to: an outcome, or what the client is told instead.
pub(super) type Answer = Result<Outcome, Value>;

/// Makes one answer of one.
pub(super) type OfOne = fn(Answer, WallMs) -> Value;

/// Makes one answer of many.
pub(super) type OfMany = Box<dyn FnOnce(Vec<Answer>, WallMs) -> Value>;

/// Writes what stands before the bytes of a large value.
pub(super) type Before = fn(&Large, Proto, &mut Out);

/// What a command comes to.
pub(super) enum Plan {
    /// Say this.
    Say(Value),
    /// Ask one thing, and say what that makes of the answer.
    One(Request, Options, OfOne),
    /// Ask for a value, and say it: one of more than a piece as it comes, after what is to be said before it.
    Flow(Request, Options, OfOne, Before),
    /// Ask several things, and say what that makes of all answers, in the order asked.
    Many(Vec<Request>, Options, OfMany),
    /// The same, if values of more than a piece may be in the answer: they are said as they come.
    Row(Vec<Request>, Options, OfRow),
}

/// A command as it is carried out; what it cannot do, it says as an error.
pub(super) type Run = fn(&mut Cx<'_>, Args) -> Result<Plan, Value>;

/// A command.
pub struct Spec {
    /// Its name, in lower case.
    pub name: &'static str,
    /// How many words it has, with its name; -n: at least n.
    pub arity: i64,
    /// What it may do, in Redis's words.
    pub flags: &'static [&'static str],
    /// Which of its words are keys: the first, the last (-1: the last of all), how far apart; zeros: none.
    pub keys: (i64, i64, i64),
    /// Its family, in Redis's words.
    pub group: &'static str,
    /// Its words, as a person would write them down.
    pub usage: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    pub(super) run: Run,
}

/// What only reads.
const READ: &[&str] = &["readonly", "fast"];
/// What writes.
const WRITE: &[&str] = &["write", "denyoom"];
/// What only makes room, or times.
const TIDY: &[&str] = &["write", "fast"];
/// What concerns the connection alone.
const HERE: &[&str] = &["noscript", "loading", "stale", "fast"];
/// The same, before the password too.
const FREE: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth"];
/// What only tells.
const TELL: &[&str] = &["loading", "stale"];

/// All commands, by their names.
pub(super) struct Table(Vec<&'static Spec>);

impl Table {
    pub(super) fn new() -> Table {
        let families = [
            connection::SPECS,
            client::SPECS,
            host::SPECS,
            strings::SPECS,
            keys::SPECS,
            dht_keys::SPECS,
            dht_many::SPECS,
            dht_ring::SPECS,
            dht_ops::SPECS,
            dht_archive::SPECS,
        ];
        let mut all: Vec<&Spec> = families.into_iter().flatten().collect();
        all.sort_by_key(|spec| spec.name);
        Table(all)
    }

    pub(super) fn all(&self) -> &[&'static Spec] {
        &self.0
    }

    /// The command of that name, in upper or lower case.
    pub(super) fn get(&self, name: &[u8]) -> Option<&'static Spec> {
        const LONGEST: usize = 32;
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let place = self
            .0
            .binary_search_by(|spec| spec.name.as_bytes().cmp(lower));
        self.0.get(place.ok()?).copied()
    }
}

/// The table of commands, sorted by name.
#[must_use]
pub fn commands() -> Vec<&'static Spec> {
    Table::new().0
}

impl Spec {
    /// Whether it may have so many words.
    pub(super) fn takes(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        words == self.arity || (self.arity < 0 && words >= -self.arity)
    }

    /// Whether it stores nothing.
    pub(super) fn only_reads(&self) -> bool {
        !self.flags.contains(&"write")
    }

    /// Whether it is open to whoever has not given the password.
    pub(super) fn is_free(&self) -> bool {
        self.flags.contains(&"no_auth")
    }
}

/// What is said of a name that is no command: why not, if there is a reason.
pub(super) fn unknown(name: &Arg, args: &[Arg]) -> Value {
    if let Some(reason) = refused::reason(name) {
        return Value::error(format!("ERR {} is refused: {reason}", name.shown()));
    }
    let begins: String = args
        .iter()
        .take(8)
        .map(|arg| format!("'{}' ", arg.shown()))
        .collect();
    let name = name.shown();
    Value::error(format!(
        "ERR unknown command '{name}', with args beginning with: {begins}"
    ))
}

/// How a store says that it has no room: by its limit, or because its disk is full.
const FULL: [&str; 2] = ["the store is full", "the disk is full"];

/// What a failure says of what is stored; one that was to be read only leaves it out.
const NOT_STORED: &str = "; nothing was stored";

/// What a client is told of a failure: its words, after a code that clients know where one fits. `reads`: nothing was to
/// be stored.
pub(super) fn told(failure: &Failure, reads: bool) -> Value {
    let code = match failure {
        Failure::NoQuorum { .. } | Failure::NotFound(_) | Failure::Replaced => "TRYAGAIN",
        Failure::Unknown { .. } => "UNCERTAIN",
        Failure::NoRing => "LOADING",
        Failure::Limit(why) if FULL.iter().any(|words| why.contains(words)) => "OOM",
        Failure::Limit(why) if why.ends_with("try again") => "TRYAGAIN",
        Failure::Limit(_) | Failure::Change(_) => "ERR",
    };
    let said = failure.to_string();
    let said = match reads {
        true => said.replacen(NOT_STORED, "", 1),
        false => said,
    };
    Value::error(format!("{code} {said}"))
}

/// What is said if the host answers something else than was asked: a mistake in this program.
fn unexpected(outcome: &Outcome) -> Value {
    Value::error(format!(
        "ERR the host answered something else than was asked: {outcome}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_found_by_its_name_and_only_so() {
        let table = Table::new();
        assert!(
            table
                .all()
                .windows(2)
                .all(|pair| pair[0].name < pair[1].name)
        );
        for spec in table.all() {
            let name = spec.name.to_ascii_uppercase();
            assert_eq!(table.get(name.as_bytes()).unwrap().name, spec.name);
            assert!(spec.arity != 0 && spec.summary.ends_with('.') && !spec.usage.is_empty());
            let refused = refused::reason(&Arg::Short(name.into()));
            assert_eq!(refused, None, "{} is served and refused", spec.name);
        }
        assert!(table.get(b"").is_none() && table.get(b"ge").is_none());
        assert!(table.get(&[b'g'; 100]).is_none());
    }

    #[test]
    fn a_store_without_room_is_told_by_a_code_that_clients_know() {
        use crate::store::StoreError;
        let (used, limit, free, reserve) = (9, 10, 0, 64);
        for full in [
            StoreError::Full { used, limit },
            StoreError::NoSpace { free, reserve },
        ] {
            let failure = Failure::Limit(format!("h1: {full}"));
            let said = format!("{:?}", told(&failure, false));
            assert!(said.contains("OOM h1: the "), "{said}");
        }
        let failure = Failure::Limit("h1: the store failed: x".into());
        assert!(format!("{:?}", told(&failure, false)).contains("ERR h1"));
    }

    #[test]
    fn only_a_write_that_failed_says_that_nothing_was_stored() {
        let failure = Failure::NoQuorum {
            answered: 1,
            needed: 2,
            silent: Vec::new(),
        };
        let of = |name: &str| {
            let reads = Table::new().get(name.as_bytes()).unwrap().only_reads();
            told(&failure, reads)
        };
        let said = "TRYAGAIN 1 of 2 replicas answered in time (silent: none)";
        let read = Value::error(format!("{said}: try again"));
        let write = Value::error(format!("{said}; nothing was stored: try again"));
        for name in ["get", "mget", "ttl", "dht.get", "dbsize"] {
            assert_eq!(of(name), read, "{name}");
        }
        for name in [
            "set",
            "mset",
            "del",
            "expire",
            "persist",
            "dht.put",
            "dht.import",
        ] {
            assert_eq!(of(name), write, "{name}");
        }
    }

    #[test]
    fn words_are_counted() {
        let table = Table::new();
        let get = table.get(b"get").unwrap();
        assert!(get.takes(2) && !get.takes(1) && !get.takes(3));
        let set = table.get(b"set").unwrap();
        assert!(set.takes(3) && set.takes(5) && !set.takes(2));
    }
}
