//! Where values come from, and where they go: any bytes, as they are.

use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use redis::Value;

use super::{Failed, said, show};

/// A value typed, or from a file, or from stdin.
pub(super) fn given(value: Option<OsString>, file: Option<PathBuf>) -> Result<Vec<u8>, Failed> {
    match (value, file) {
        (Some(value), _) => Ok(value.into_vec()),
        (None, Some(file)) if file.as_os_str() != "-" => std::fs::read(&file)
            .map_err(|error| Failed::Arguments(format!("cannot read {}: {error}", file.display()))),
        (None, _) => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map_err(|error| Failed::Arguments(format!("cannot read stdin: {error}")))?;
            Ok(bytes)
        }
    }
}

/// A value to a file or to stdout. A person at a terminal gets a line end after it, a pipe does not.
pub(super) fn put_out(value: &Value, out: Option<PathBuf>) -> Result<(), Failed> {
    let bytes = show::bytes(value);
    match out {
        Some(file) => std::fs::write(&file, bytes)
            .map_err(|error| Failed::Not(format!("cannot write {}: {error}", file.display()))),
        None => {
            said(bytes)?;
            match std::io::stdout().is_terminal() && !bytes.ends_with(b"\n") {
                true => said(b"\n"),
                false => Ok(()),
            }
        }
    }
}
