//! All live values of a ring in a file.
//!
//! The file is a row of arrays of strings, as clients of Redis write them, so that it holds any bytes and a
//! person can look into it:
//!
//! ```text
//! roundelay-export 1                       what it is
//! value KEY VALUE UNTIL MEDIA-TYPE         one for each; UNTIL in ms since 1970, both may be empty
//! …
//! sum SHA-1                                of all that came since the last sum
//! large KEY UNTIL MEDIA-TYPE VALUE         one of more than 1 MiB, with a sum of its own
//! sum SHA-1
//! …
//! end COUNT                                all of them; without it the file is cut off
//! ```
//!
//! A large value is fetched for itself, by way of a file without a name: if it is overwritten while it comes it is fetched
//! again, and the export has all of it or nothing.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a library can read is more than what a host of ours says"
)]

use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::PathBuf;

use redis::{Value, cmd};
use roundelay::keyspace::Id;
use roundelay::record::PIECE_BYTES;
use sha1::{Digest, Sha1};

use super::node::Nodes;
use super::stream::{Said, Wire};
use super::values::nameless;
use super::{Failed, show};

/// A page of values is asked for with so many bytes, and each is followed by its sum.
const PAGE_BYTES: u64 = 1024 * 1024;

/// A large value that is overwritten while it is fetched is fetched so often; then the export fails.
const TRIES: u32 = 16;

pub(super) const FIRST: [&[u8]; 2] = [b"roundelay-export", b"1"];

pub(super) fn cannot(what: &str, error: impl std::fmt::Display) -> Failed {
    Failed::Not(format!("cannot {what}: {error}"))
}

pub(super) fn record(words: &[&[u8]]) -> Vec<u8> {
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
        let page = page(nodes.ask(&command)?)?;
        let mut records = Vec::new();
        for [key, value, until, media_type] in page.values {
            records.extend(record(&[b"value", &key, &value, &until, &media_type]));
            count += 1;
        }
        write(&records)?;
        write(&record(&[b"sum", Id::of(&records).to_string().as_bytes()]))?;
        for key in page.large {
            if let Some(mut large) = Fetched::of(nodes, &key)? {
                large.write(&key, &mut write)?;
                count += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    write(&record(&[b"end", count.to_string().as_bytes()]))?;
    file.flush().map_err(|error| cannot("write", error))?;
    eprintln!("{count} values exported");
    Ok(())
}

struct Page {
    /// Key, value, until, media type.
    values: Vec<[Vec<u8>; 4]>,
    /// The keys of large ones.
    large: Vec<Vec<u8>>,
    /// After which key the next page begins.
    next: Option<Vec<u8>>,
}

/// The bytes of a part of a page.
fn plain(part: Value) -> Vec<u8> {
    match part {
        Value::BulkString(bytes) => bytes,
        Value::Int(n) => n.to_string().into_bytes(),
        _ => Vec::new(),
    }
}

fn page(answer: Value) -> Result<Page, Failed> {
    let strange =
        || Failed::Not("the host answered something else than a page of values".to_owned());
    let Value::Map(pairs) = answer else {
        return Err(strange());
    };
    let (mut values, mut large, mut next) = (None, Vec::new(), None);
    for (name, part) in pairs {
        match (show::bytes(&name), part) {
            (b"next", Value::Nil) => {}
            (b"next", key) => next = Some(plain(key)),
            (b"large", Value::Array(keys)) => large = keys.into_iter().map(plain).collect(),
            (b"values", Value::Array(items)) => values = Some(items),
            _ => {}
        }
    }
    let items = values.ok_or_else(strange)?;
    let values = items.into_iter().map(|item| match item {
        Value::Array(parts) => {
            let parts: Vec<Vec<u8>> = parts.into_iter().map(plain).collect();
            parts.try_into().map_err(|_| strange())
        }
        _ => Err(strange()),
    });
    Ok(Page {
        values: values.collect::<Result<_, _>>()?,
        large,
        next,
    })
}

/// A large value that has been fetched into a file.
struct Fetched {
    file: File,
    len: u64,
    until: String,
    media_type: String,
}

impl Fetched {
    /// The value as it is now; none if it is gone.
    fn of(nodes: &Nodes, key: &[u8]) -> Result<Option<Fetched>, Failed> {
        let mut last = None;
        for _ in 0..TRIES {
            let mut wire = nodes.open()?;
            match Fetched::once(&mut wire, key) {
                Err(Failed::Not(why)) if why.contains(super::stream::REPLACED) => last = Some(why),
                done => return done,
            }
        }
        Err(Failed::Not(last.unwrap_or_default()))
    }

    fn once(wire: &mut Wire, key: &[u8]) -> Result<Option<Fetched>, Failed> {
        wire.send(&[b"DHT.GET", key], None, &[])?;
        let Said::Several(words) = wire.said()? else {
            return Ok(None);
        };
        let mut fetched = Fetched {
            file: nameless().map_err(|error| cannot("make a file for a value", error))?,
            len: 0,
            until: String::new(),
            media_type: String::new(),
        };
        for _ in 0..words / 2 {
            match wire.text()?.as_deref() {
                Some("type") => fetched.media_type = wire.text()?.unwrap_or_default(),
                Some("until") => fetched.until = wire.text()?.unwrap_or_default(),
                Some("value") => {
                    let Said::Bulk(len) = wire.said()? else {
                        return Ok(None);
                    };
                    wire.copy(len, &mut fetched.file)?;
                    fetched.len = len;
                }
                _ => drop(wire.text()?),
            }
        }
        Ok(Some(fetched))
    }

    /// Writes it as a record, with its sum.
    fn write(
        &mut self,
        key: &[u8],
        write: &mut impl FnMut(&[u8]) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let Fetched {
            file,
            len,
            until,
            media_type,
        } = self;
        file.rewind().map_err(|error| cannot("read", error))?;
        if *len <= PIECE_BYTES as u64 {
            // It was overwritten by a short one since it was listed.
            let mut value = Vec::new();
            file.read_to_end(&mut value)
                .map_err(|error| cannot("read", error))?;
            let words: [&[u8]; 5] = [
                b"value",
                key,
                &value,
                until.as_bytes(),
                media_type.as_bytes(),
            ];
            let record_of_it = record(&words);
            write(&record_of_it)?;
            return write(&record(&[
                b"sum",
                Id::of(&record_of_it).to_string().as_bytes(),
            ]));
        }
        let mut head = record(&[b"large", key, until.as_bytes(), media_type.as_bytes()]);
        // One more word follows.
        head[1] = b'5';
        head.extend_from_slice(format!("${len}\r\n").as_bytes());
        let mut sum = Sha1::new();
        let mut said = |bytes: &[u8]| {
            sum.update(bytes);
            write(bytes)
        };
        said(&head)?;
        let (mut left, mut chunk) = (*len, vec![0; 64 * 1024]);
        while left > 0 {
            let n = file
                .read(&mut chunk)
                .map_err(|error| cannot("read", error))?;
            if n == 0 {
                return Err(cannot("read", "a file without a name was cut"));
            }
            said(&chunk[..n])?;
            left -= n as u64;
        }
        said(b"\r\n")?;
        let sum = Id::from_bytes(sum.finalize().into()).to_string();
        write(&record(&[b"sum", sum.as_bytes()]))
    }
}
