//! The values of an export come into a ring.
//!
//! ```text
//! value …, value …, sum      the sum is right      DHT.IMPORT of those values
//! large KEY … VALUE          DHT.PUT KEY VALUE     as it is read; the end of the command waits
//! sum                        the sum is right      the end of the command: only now it is stored
//! ```
//!
//! *Hold these true*: nothing is written into a ring that no sum has confirmed; of a large value no more than a piece is
//! in memory.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a library can read is more than what a host of ours says"
)]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use redis::{Value, cmd};
use roundelay::door::resp::{Arg, Limits, Parser, Step};
use roundelay::keyspace::Id;
use sha1::{Digest, Sha1};

use super::backup::{FIRST, cannot, record};
use super::node::Nodes;
use super::stream::Wire;
use super::{Failed, show};

fn damaged(what: &str) -> Failed {
    Failed::Not(format!("the export is damaged: {what}"))
}

/// Writes the values of a file into the ring.
pub(super) fn import(nodes: &Nodes, path: &Path, overwrite: bool) -> Result<(), Failed> {
    let mut file: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).map_err(|error| {
            Failed::Arguments(format!("cannot read {}: {error}", path.display()))
        })?),
    };
    let mut import = Import {
        nodes,
        overwrite,
        begun: false,
        count: 0,
        batch: Vec::new(),
        large: None,
        done: Done::default(),
    };
    let (mut parser, mut buffer) = (Parser::new(Limits::default()), BytesMut::new());
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = file
            .read(&mut chunk)
            .map_err(|error| cannot("read", error))?;
        if n == 0 {
            let done = &import.done;
            return Err(Failed::Not(format!(
                "the file is cut off: it has no end. {done} so far"
            )));
        }
        buffer.extend_from_slice(&chunk[..n]);
        loop {
            let step = parser.step(&mut buffer);
            let step = step.map_err(|error| Failed::Not(format!("this is no export: {error}")))?;
            match step {
                None => break,
                Some(Step::Large(len)) if Large::begins(parser.before()) => {
                    import.begin(parser.before(), len)?;
                    parser.apart();
                }
                Some(Step::Large(_)) => {
                    return Err(damaged("a value of more than 1 MiB in a page"));
                }
                Some(Step::Piece(bytes)) => import.piece(&bytes)?,
                Some(Step::Command(command)) => {
                    if import.record(command.args)? {
                        eprintln!("{}", import.done);
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// The wall clock, in milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a value has expired is looked at before it is sent"
)]
fn wall_ms() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis()
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

/// A large value on its way into the ring.
struct Large {
    sum: Sha1,
    /// The command that stores it, without its end; none if it is not to be stored.
    wire: Option<(Wire, Vec<Vec<u8>>)>,
    /// All of it has come: its sum comes next.
    is_whole: bool,
}

impl Large {
    fn begins(before: &[Arg]) -> bool {
        before.len() == 4 && before[0].is("large")
    }
}

struct Import<'a> {
    nodes: &'a Nodes,
    overwrite: bool,
    begun: bool,
    count: u64,
    /// Values whose sum has not come.
    batch: Vec<Vec<Bytes>>,
    large: Option<Large>,
    done: Done,
}

impl Import<'_> {
    /// A record is complete; whether it is the last one.
    fn record(&mut self, args: Vec<Arg>) -> Result<bool, Failed> {
        if let Some(large) = self.large.as_mut().filter(|large| !large.is_whole) {
            large.is_whole = true;
            large.sum.update(b"\r\n");
            self.count += 1;
            return Ok(false);
        }
        let mut words: Vec<Bytes> = args.into_iter().map(Arg::into_bytes).collect();
        if !self.begun {
            if words != FIRST {
                return Err(Failed::Not("this is no export of version 1".to_owned()));
            }
            self.begun = true;
            return Ok(false);
        }
        let name = words.first().map(|word| &word[..]);
        match (name, words.len(), &self.large) {
            (Some(b"value"), 5, None) => {
                self.count += 1;
                self.batch.push(words);
            }
            (Some(b"sum"), 2, Some(_)) => self.stored(&words.swap_remove(1))?,
            (Some(b"sum"), 2, None) => self.page(&words.swap_remove(1))?,
            (Some(b"end"), 2, None)
                if self.batch.is_empty() && words[1] == self.count.to_string() =>
            {
                return Ok(true);
            }
            _ => return Err(damaged("a record is not one")),
        }
        Ok(false)
    }

    /// The sum of short values has come: they are written.
    fn page(&mut self, sum: &Bytes) -> Result<(), Failed> {
        let values = std::mem::take(&mut self.batch);
        let mut records = Vec::new();
        for words in &values {
            let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
            records.extend(record(&words));
        }
        if *sum != Id::of(&records).to_string() {
            return Err(damaged("a sum is wrong"));
        }
        if values.is_empty() {
            return Ok(());
        }
        let mut command = cmd("DHT.IMPORT");
        command.arg(if self.overwrite {
            "OVERWRITE"
        } else {
            "ABSENT"
        });
        for part in values.iter().flat_map(|words| &words[1..]) {
            command.arg(&part[..]);
        }
        let Value::Map(pairs) = self.nodes.ask(&command)? else {
            return Err(Failed::Not(
                "the host answered something else than was asked".to_owned(),
            ));
        };
        for (name, n) in pairs {
            let n = if let Value::Int(n) = n { n } else { 0 };
            match show::bytes(&name) {
                b"written" => self.done.written += n,
                b"present" => self.done.present += n,
                b"expired" => self.done.expired += n,
                _ => {}
            }
        }
        Ok(())
    }

    /// A large value begins; these words stand before it.
    fn begin(&mut self, before: &[Arg], len: usize) -> Result<(), Failed> {
        if !self.batch.is_empty() || self.large.is_some() || !self.begun {
            return Err(damaged("a sum is missing"));
        }
        let words: Vec<Bytes> = before.iter().cloned().map(Arg::into_bytes).collect();
        let plain: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
        let mut head = record(&plain);
        head[1] = b'5';
        head.extend_from_slice(format!("${len}\r\n").as_bytes());
        let (key, until, media_type) = (&words[1], &words[2], &words[3]);
        let wire = match self.is_wanted(key, until)? {
            false => None,
            true => {
                let mut after = Vec::new();
                let options: [(&[u8], &Bytes); 2] = [(b"PXAT", until), (b"TYPE", media_type)];
                for (name, word) in options.into_iter().filter(|(_, word)| !word.is_empty()) {
                    after.extend([name.to_vec(), word.to_vec()]);
                }
                let mut wire = self.nodes.open()?;
                wire.begin(&[b"DHT.PUT", key], len as u64, after.len())?;
                Some((wire, after))
            }
        };
        self.large = Some(Large {
            sum: Sha1::new_with_prefix(&head),
            wire,
            is_whole: false,
        });
        Ok(())
    }

    /// Whether a large value is to be stored; else it is counted here.
    fn is_wanted(&mut self, key: &Bytes, until: &Bytes) -> Result<bool, Failed> {
        let until = match until.is_empty() {
            true => None,
            false => {
                let ms = std::str::from_utf8(until)
                    .ok()
                    .and_then(|ms| ms.parse::<u128>().ok());
                Some(ms.ok_or_else(|| damaged("a time is none"))?)
            }
        };
        let now = wall_ms();
        if until.is_some_and(|until| until <= now) {
            self.done.expired += 1;
            return Ok(false);
        }
        let mut has = cmd("DHT.HASKEY");
        has.arg(&key[..]);
        if !self.overwrite && self.nodes.ask(&has)? != Value::Nil {
            self.done.present += 1;
            return Ok(false);
        }
        Ok(true)
    }

    fn piece(&mut self, bytes: &Bytes) -> Result<(), Failed> {
        let Some(large) = &mut self.large else {
            return Ok(());
        };
        large.sum.update(bytes);
        match &mut large.wire {
            Some((wire, _)) => wire.more(bytes),
            None => Ok(()),
        }
    }

    /// The sum of a large value has come: it is stored. If it is wrong the command never ends, and the host lets go
    /// of what it was sent.
    fn stored(&mut self, sum: &Bytes) -> Result<(), Failed> {
        let Some(large) = self.large.take() else {
            return Ok(());
        };
        if *sum != Id::from_bytes(large.sum.finalize().into()).to_string() {
            return Err(damaged("a sum is wrong"));
        }
        if let Some((mut wire, after)) = large.wire {
            let after: Vec<&[u8]> = after.iter().map(Vec::as_slice).collect();
            wire.end(&after)?;
            wire.text()?;
            self.done.written += 1;
        }
        Ok(())
    }
}
