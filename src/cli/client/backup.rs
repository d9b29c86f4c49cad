//! All live values of a ring in a file, and back.
//!
//! The file is a row of arrays of strings, as clients of Redis write them, so that it holds any bytes and a
//! person can look into it:
//!
//! ```text
//! roundelay-export 1                       what it is
//! value KEY VALUE UNTIL MEDIA-TYPE         one for each; UNTIL in ms since 1970, both may be empty
//! …
//! sum SHA-1                                of all that came since the last sum
//! …
//! end COUNT                                all of them; without it the file is cut off
//! ```
//!
//! *Hold this true*: nothing is written into a ring that no sum has confirmed.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a library can read is more than what a host of ours says"
)]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use redis::{Value, cmd};
use roundelay::door::resp::{Arg, Limits, Parser};
use roundelay::keyspace::Id;

use super::node::Nodes;
use super::{Failed, show};

/// A page of values is asked for with so many bytes, and each is followed by its sum.
const PAGE_BYTES: u64 = 1024 * 1024;

const FIRST: [&[u8]; 2] = [b"roundelay-export", b"1"];

fn cannot(what: &str, error: impl std::fmt::Display) -> Failed {
    Failed::Not(format!("cannot {what}: {error}"))
}

fn record(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Writes all live values to a file, or to stdout.
pub(super) fn export(nodes: &Nodes, out: Option<PathBuf>) -> Result<(), Failed> {
    let mut file: Box<dyn Write> = match &out {
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(|error| {
            Failed::Arguments(format!("cannot write {}: {error}", path.display()))
        })?)),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut write = |bytes: &[u8]| {
        file.write_all(bytes)
            .map_err(|error| cannot("write", error))
    };
    write(&record(&FIRST))?;
    let (mut after, mut count) = (None, 0_u64);
    loop {
        let mut command = cmd("DHT.EXPORT");
        command.arg("BYTES").arg(PAGE_BYTES);
        if let Some(after) = &after {
            command.arg("AFTER").arg(after);
        }
        let (values, next) = page(nodes.ask(&command)?)?;
        let mut records = Vec::new();
        for [key, value, until, media_type] in values {
            records.extend(record(&[b"value", &key, &value, &until, &media_type]));
            count += 1;
        }
        write(&records)?;
        write(&record(&[b"sum", Id::of(&records).to_string().as_bytes()]))?;
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    write(&record(&[b"end", count.to_string().as_bytes()]))?;
    file.flush().map_err(|error| cannot("write", error))?;
    eprintln!("{count} values exported");
    Ok(())
}

type Page = (Vec<[Vec<u8>; 4]>, Option<Vec<u8>>);

/// The values of a page, and after which key the next one begins.
fn page(answer: Value) -> Result<Page, Failed> {
    let strange =
        || Failed::Not("the host answered something else than a page of values".to_owned());
    let next = match &answer {
        Value::Map(pairs) => pairs
            .iter()
            .find(|(name, _)| show::bytes(name) == b"next")
            .map(|(_, next)| next),
        _ => None,
    };
    let next = match next {
        Some(Value::Nil) => None,
        Some(next) => Some(show::bytes(next).to_vec()),
        None => return Err(strange()),
    };
    let Some(Value::Array(items)) = show::field(answer, "values") else {
        return Err(strange());
    };
    let values = items.into_iter().map(|item| match item {
        Value::Array(parts) => parts
            .into_iter()
            .map(|part| match part {
                Value::BulkString(bytes) => bytes,
                Value::Int(n) => n.to_string().into_bytes(),
                _ => Vec::new(),
            })
            .collect::<Vec<Vec<u8>>>()
            .try_into()
            .map_err(|_| strange()),
        _ => Err(strange()),
    });
    Ok((values.collect::<Result<_, _>>()?, next))
}

/// Writes the values of a file into the ring.
pub(super) fn import(nodes: &Nodes, path: &Path, overwrite: bool) -> Result<(), Failed> {
    let mut file: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).map_err(|error| {
            Failed::Arguments(format!("cannot read {}: {error}", path.display()))
        })?),
    };
    let mut reader = Reader {
        parser: Parser::new(Limits::default()),
        buffer: BytesMut::new(),
        count: 0,
        batch: Vec::new(),
        begun: false,
    };
    let mut done = Done::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = file
            .read(&mut chunk)
            .map_err(|error| cannot("read", error))?;
        if n == 0 {
            return Err(Failed::Not(format!(
                "the file is cut off: it has no end. {done} so far"
            )));
        }
        reader.buffer.extend_from_slice(&chunk[..n]);
        while let Some(batch) = reader.next()? {
            match batch {
                Batch::Values(values) => done.add(nodes, values, overwrite)?,
                Batch::End => {
                    eprintln!("{done}");
                    return Ok(());
                }
            }
        }
    }
}

/// What has become of the values.
#[derive(Default)]
struct Done {
    written: i64,
    present: i64,
    expired: i64,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Done {
            written,
            present,
            expired,
        } = self;
        write!(
            f,
            "{written} values written, {present} were there, {expired} had expired"
        )
    }
}

impl Done {
    fn add(
        &mut self,
        nodes: &Nodes,
        values: Vec<Vec<Bytes>>,
        overwrite: bool,
    ) -> Result<(), Failed> {
        if values.is_empty() {
            return Ok(());
        }
        let mut command = cmd("DHT.IMPORT");
        command.arg(if overwrite { "OVERWRITE" } else { "ABSENT" });
        for part in values.iter().flatten() {
            command.arg(&part[..]);
        }
        let Value::Map(pairs) = nodes.ask(&command)? else {
            return Err(Failed::Not(
                "the host answered something else than was asked".to_owned(),
            ));
        };
        for (name, n) in pairs {
            let n = if let Value::Int(n) = n { n } else { 0 };
            match show::bytes(&name) {
                b"written" => self.written += n,
                b"present" => self.present += n,
                b"expired" => self.expired += n,
                _ => {}
            }
        }
        Ok(())
    }
}

enum Batch {
    Values(Vec<Vec<Bytes>>),
    End,
}

/// Reads records, and lets go of values once their sum is right.
struct Reader {
    parser: Parser,
    buffer: BytesMut,
    count: u64,
    batch: Vec<Vec<Bytes>>,
    begun: bool,
}

impl Reader {
    fn next(&mut self) -> Result<Option<Batch>, Failed> {
        loop {
            let command = self.parser.next(&mut self.buffer);
            let command =
                command.map_err(|error| Failed::Not(format!("this is no export: {error}")))?;
            let Some(command) = command else {
                return Ok(None);
            };
            let words: Vec<Bytes> = command.args.into_iter().map(Arg::into_bytes).collect();
            if !self.begun {
                if words != FIRST {
                    return Err(Failed::Not("this is no export of version 1".to_owned()));
                }
                self.begun = true;
                continue;
            }
            match (words.first().map(|word| &word[..]), words.len()) {
                (Some(b"value"), 5) => {
                    self.count += 1;
                    self.batch.push(words);
                }
                (Some(b"sum"), 2) => return self.sum(&words[1]).map(Some),
                (Some(b"end"), 2)
                    if self.batch.is_empty() && words[1] == self.count.to_string() =>
                {
                    return Ok(Some(Batch::End));
                }
                _ => {
                    return Err(Failed::Not(
                        "the export is damaged: a record is not one".to_owned(),
                    ));
                }
            }
        }
    }

    fn sum(&mut self, sum: &Bytes) -> Result<Batch, Failed> {
        let values = std::mem::take(&mut self.batch);
        let mut records = Vec::new();
        for words in &values {
            let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
            records.extend(record(&words));
        }
        if *sum != Id::of(&records).to_string() {
            return Err(Failed::Not(
                "the export is damaged: a sum is wrong".to_owned(),
            ));
        }
        let values = values.into_iter().map(|mut words| words.split_off(1));
        Ok(Batch::Values(values.collect()))
    }
}
