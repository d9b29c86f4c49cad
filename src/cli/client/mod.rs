//! The commands of a client: what each says to a host, and how its answer is shown.
//!
//! ```text
//! roundelay put cat meow              -->  DHT.PUT cat meow      <--  1700000000123.0@h1/1
//! roundelay get cat --node b:50140 --node a:50140               the first that answers
//! ```
//!
//! Any host will do. Exit codes: 0, done; 1, not found, refused or nobody answered; 2, bad arguments.
//! A key is taken as it is typed, any bytes; a value as it is typed, or from a file or stdin.

mod backup;
mod bring;
mod keys;
mod look;
mod node;
mod progress;
mod rule;
mod show;
mod standing;
mod stream;
mod values;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use redis::{Cmd, Value, cmd};

pub(super) use keys::Keys;
pub(super) use look::Look;
pub(super) use rule::Rule;
pub(super) use standing::Standing;

/// Why a command failed, and therefore with which code the program ends.
pub(super) enum Failed {
    /// 1: it could not be done.
    Not(String),
    /// 2: the arguments cannot be.
    Arguments(String),
}

/// Which hosts may be asked.
#[derive(Args)]
pub(super) struct Reach {
    /// A host to ask, as HOST:PORT; several: the next one if the first does not answer
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50140")]
    node: Vec<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Seconds to wait for an answer; changes of who is in are waited for as long as they take
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

/// Which hosts may be asked for what takes long.
#[derive(Args)]
pub(super) struct Long {
    #[command(flatten)]
    reach: Reach,
    /// Do not show how far it is; nothing is shown either if stderr is no terminal
    #[arg(long, short)]
    quiet: bool,
}

/// A program's end.
pub(super) fn end(done: Result<(), Failed>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Not(why)) => {
            eprintln!("roundelay: {why}");
            ExitCode::FAILURE
        }
        Err(Failed::Arguments(why)) => {
            eprintln!("roundelay: {why}");
            ExitCode::from(2)
        }
    }
}

/// A command with one key.
fn keyed(name: &str, key: &OsStr) -> Cmd {
    let mut command = cmd(name);
    command.arg(key.as_bytes());
    command
}

/// Prints an answer.
fn printed(answer: &Value) -> Result<(), Failed> {
    said(show::text(answer).as_bytes())
}

/// Prints bytes.
fn said(bytes: &[u8]) -> Result<(), Failed> {
    super::print(bytes).map_err(|error| Failed::Not(error.to_string()))
}

impl Reach {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.max(1))
    }
}
