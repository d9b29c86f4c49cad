//! Commands about keys.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use redis::{Cmd, Value, cmd};

use super::node::Nodes;
use super::stream::Said;
use super::{Failed, Reach, keyed, printed, said, values};

/// How many replicas must agree.
#[derive(Args)]
pub(crate) struct How {
    /// How many replicas must agree [default: as the host is set, quorum]
    #[arg(long, value_parser = ["one", "quorum", "all"])]
    consistency: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// Commands about keys.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Store a value under a key, and print its version
    Put {
        key: OsString,
        /// The value; from stdin if neither it nor a file is given
        #[arg(conflicts_with = "file")]
        value: Option<OsString>,
        /// Read the value from a file; - is stdin
        #[arg(long, short)]
        file: Option<PathBuf>,
        /// How many seconds the value will live [default: for ever]
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u64>,
        /// Its media type, such as text/plain
        #[arg(long = "type", value_name = "MEDIA-TYPE")]
        media_type: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Print the value under a key; of several, each after its key, a line each
    Get {
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<OsString>,
        /// Write the value to a file instead; of one key only
        #[arg(long, short)]
        out: Option<PathBuf>,
        #[command(flatten)]
        how: How,
    },
    /// Delete keys, and print how many were there
    Del {
        #[arg(required = true)]
        keys: Vec<OsString>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Print the version of the value under a key, without fetching it
    Haskey {
        key: OsString,
        #[command(flatten)]
        how: How,
    },
}

impl How {
    fn words(&self) -> Vec<String> {
        let consistency = self.consistency.iter();
        let words = consistency.map(|agree| ["CONSISTENCY".to_owned(), agree.clone()]);
        words.flatten().collect()
    }

    fn ask(&self, mut command: Cmd) -> Result<Value, Failed> {
        if let Some(consistency) = &self.consistency {
            command.arg("CONSISTENCY").arg(consistency);
        }
        Nodes::of(&self.reach)?.ask(&command)
    }
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Failed> {
        match self {
            Keys::Put {
                key,
                value,
                file,
                ttl,
                media_type,
                how,
            } => {
                let mut given = values::given(value, file)?;
                let mut words = how.words();
                if let Some(seconds) = ttl {
                    words.extend(["EX".to_owned(), seconds.to_string()]);
                }
                if let Some(media_type) = media_type {
                    words.extend(["TYPE".to_owned(), media_type]);
                }
                let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                let mut wire = Nodes::of(&how.reach)?.open()?;
                let value: (&mut dyn Read, u64) = (&mut given.reader, given.len);
                wire.send(&[b"DHT.PUT", key.as_bytes()], Some(value), &words)?;
                let version = wire.text()?.unwrap_or_default();
                said(format!("{version}\n").as_bytes())
            }
            Keys::Get { keys, out, how } => match keys.as_slice() {
                [key] => get(key, out, &how),
                keys => several(keys, out.is_some(), &how),
            },
            Keys::Del { keys, reach } => {
                let mut command = cmd("DEL");
                for key in &keys {
                    command.arg(key.as_bytes());
                }
                let deleted = Nodes::of(&reach)?.ask(&command)?;
                printed(&deleted)
            }
            Keys::Haskey { key, how } => {
                let version = how.ask(keyed("DHT.HASKEY", &key))?;
                if version == Value::Nil {
                    return Err(not_found(&key));
                }
                printed(&version)
            }
        }
    }
}

fn get(key: &OsStr, out: Option<PathBuf>, how: &How) -> Result<(), Failed> {
    let words = how.words();
    let mut command: Vec<&[u8]> = vec![b"DHT.GET", key.as_bytes()];
    command.extend(words.iter().map(String::as_bytes));
    let mut wire = Nodes::of(&how.reach)?.open()?;
    wire.send(&command, None, &[])?;
    match values::put_out(&mut wire, out)? {
        true => Ok(()),
        false => Err(not_found(key)),
    }
}

/// Prints what is under several keys, and says at the end of which there was nothing.
fn several(keys: &[OsString], has_file: bool, how: &How) -> Result<(), Failed> {
    let cannot = match (has_file, &how.consistency) {
        (true, _) => "--out takes the value of one key: get the others by commands of their own",
        (_, Some(_)) => "--consistency is for one key: several are read as the host is set",
        (false, None) => "",
    };
    if !cannot.is_empty() {
        return Err(Failed::Arguments(cannot.to_owned()));
    }
    let mut command: Vec<&[u8]> = vec![b"DHT.MGET"];
    command.extend(keys.iter().map(|key| key.as_bytes()));
    let mut wire = Nodes::of(&how.reach)?.open()?;
    wire.send(&command, None, &[])?;
    let Said::Several(_) = wire.said()? else {
        return Err(Failed::Not(
            "the host answered something else than was asked".to_owned(),
        ));
    };
    let mut without = Vec::new();
    for key in keys {
        match wire.said() {
            Ok(Said::Bulk(len)) => values::put_line(&mut wire, key.as_bytes(), len)?,
            Ok(Said::Nothing) => without.push(format!("{} not found", key.to_string_lossy())),
            Ok(Said::Text(_) | Said::Several(_)) => {
                let why = "the host answered something else than was asked";
                return Err(Failed::Not(why.to_owned()));
            }
            Err(Failed::Not(why) | Failed::Arguments(why)) => {
                without.push(format!("{}: {why}", key.to_string_lossy()));
                if wire.is_broken() {
                    break;
                }
            }
        }
    }
    match without.is_empty() {
        true => Ok(()),
        false => Err(Failed::Not(without.join("\nroundelay: "))),
    }
}

fn not_found(key: &OsStr) -> Failed {
    Failed::Not(format!("{} not found", key.to_string_lossy()))
}
