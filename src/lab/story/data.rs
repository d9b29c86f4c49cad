//! Commands that a client gives: about keys, and about who owns an id.

use std::time::Duration;

use bytes::Bytes;

use crate::keyspace::Id;
use crate::message::{Consistency, Expiry, KeyOp, Options, Request};
use crate::record::{Body, Key};

use super::Story;
use super::args::{self, Args};

impl Story {
    pub(super) fn data_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        match name {
            "put" => {
                let key = key(args)?;
                let ttl = args.time("ttl")?.map(Expiry::In);
                let op = KeyOp::Put(value(args)?, ttl);
                self.one(args, key, op)
            }
            "get" | "fetch" => self.of_key(args, KeyOp::Get),
            "del" => self.of_key(args, KeyOp::Delete),
            "has" => self.of_key(args, KeyOp::Has),
            "ttl" => self.of_key(args, KeyOp::Ttl),
            "expire" => {
                let key = key(args)?;
                let op = KeyOp::Expire(expiry(args)?);
                self.one(args, key, op)
            }
            "put-content" => {
                let request = Request::PutContent(value(args)?);
                self.client(args, request)
            }
            "many" => self.many(args),
            "whereis" => self.where_is(args),
            "lookup" => {
                let id = match args.take("key")? {
                    Some(text) => Id::of(text.as_bytes()),
                    None => args::parse_id("ID", args.need("ID")?)?,
                };
                self.client(args, Request::Lookup(id))
            }
            _ => self.wait(args),
        }
    }

    /// A request about a key that needs no more words.
    fn of_key(&mut self, args: &mut Args<'_>, op: KeyOp) -> Result<String, String> {
        let key = key(args)?;
        self.one(args, key, op)
    }

    fn where_is(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let key = match key(args)? {
            Ok(key) => key,
            Err(refused) => return Ok(refused),
        };
        let check = match args.word() {
            Some("check") => true,
            Some(word) => return Err(format!("what is {word:?}? check, or nothing")),
            None => false,
        };
        self.client(args, super::operate::where_is(key, check))
    }

    fn one(
        &mut self,
        args: &mut Args<'_>,
        key: Result<Key, String>,
        op: KeyOp,
    ) -> Result<String, String> {
        match key {
            Ok(key) => self.client(args, Request::One(key, op)),
            Err(refused) => Ok(refused),
        }
    }

    fn many(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let options = options(args)?;
        let host = self.scene()?.asked(args)?;
        let mut ops = Vec::new();
        while let Some((op, text)) = args.next_key() {
            let (name, value) = text.split_once('/').unwrap_or((text, ""));
            let key = Key::new(name.to_owned()).map_err(|error| format!("{op}={text}: {error}"))?;
            let op = match op {
                "put" => KeyOp::Put(Body::new(value.to_owned()), None),
                "get" => KeyOp::Get,
                "del" => KeyOp::Delete,
                "has" => KeyOp::Has,
                other => return Err(format!("{other}= is no request: put, get, del, has are")),
            };
            ops.push((key, op));
        }
        self.ask(args, host, Request::Many(ops), options)
    }

    /// A client's request with its options.
    fn client(&mut self, args: &mut Args<'_>, request: Request) -> Result<String, String> {
        let options = options(args)?;
        let host = self.scene()?.asked(args)?;
        self.ask(args, host, request, options)
    }

    /// Waits for requests that were asked before.
    fn wait(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let mut told = String::new();
        let mut next = Some(args.need("NAME")?);
        while let Some(name) = next {
            let Some((host, ticket, request)) = self.open.remove(name) else {
                return Err(format!(
                    "NAME: no request was asked with as={name}, or it was waited for"
                ));
            };
            let answer = self.await_answer(host, ticket, &request)?;
            let (before, outcome) = match answer.trim_end().rsplit_once('\n') {
                Some((before, outcome)) if !outcome.starts_with("  ") => (before, outcome),
                _ => ("", answer.trim_end()),
            };
            if !before.is_empty() {
                told += &format!("{before}\n");
            }
            told += &format!("{name}: {outcome}\n");
            next = args.word();
        }
        args.end()?;
        Ok(told)
    }
}

/// The key a command names. One that cannot be is refused by the library, not a mistake of the story.
pub(super) fn key(args: &mut Args<'_>) -> Result<Result<Key, String>, String> {
    let bytes = match args.parsed::<usize>("key-size")? {
        Some(size) => vec![b'k'; bounded("key-size", size)?],
        None => args.need("KEY")?.as_bytes().to_vec(),
    };
    Ok(Key::new(bytes).map_err(|error| format!("refused: {error}\n")))
}

/// When a value is to end.
fn expiry(args: &mut Args<'_>) -> Result<Expiry, String> {
    match args.take("in")? {
        Some("never") => Ok(Expiry::Never),
        Some(text) => Ok(Expiry::In(args::duration("in", text)?)),
        None => Err("in= is missing: a time, or never".to_owned()),
    }
}

/// The value a command gives.
fn value(args: &mut Args<'_>) -> Result<Body, String> {
    match of_size(args)? {
        Some(body) => Ok(body),
        None => Ok(Body::new(args.need("VALUE")?.to_owned())),
    }
}

/// A value of so many bytes, if a command says how many.
pub(super) fn of_size(args: &mut Args<'_>) -> Result<Option<Body>, String> {
    let Some(size) = args.parsed::<usize>("size")? else {
        return Ok(None);
    };
    let pattern: Vec<u8> = (b'a'..=b'z').cycle().take(bounded("size", size)?).collect();
    Ok(Some(Body::new(Bytes::from(pattern))))
}

/// No story needs more memory than this.
const MOST: usize = 64 * 1024 * 1024;

fn bounded(what: &str, size: usize) -> Result<usize, String> {
    if size > MOST {
        return Err(format!(
            "{what} is {size}, but a story has at most {MOST} bytes"
        ));
    }
    Ok(size)
}

const CONSISTENCY: [(&str, Consistency); 3] = [
    ("one", Consistency::One),
    ("quorum", Consistency::Quorum),
    ("all", Consistency::All),
];

fn options(args: &mut Args<'_>) -> Result<Options, String> {
    let deadline: Option<Duration> = args.time("deadline")?;
    Ok(Options {
        consistency: args.one_of("consistency", &CONSISTENCY)?,
        replicas: args.parsed("replicas")?,
        deadline,
    })
}
