//! Where values come from, and where they go: any bytes, as they are, through a small buffer.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, IsTerminal, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::stream::{Said, Wire};
use super::{Failed, said};

/// A value of unknown length up to this many bytes is read into memory; a longer one through a file.
const SHORT_BYTES: u64 = 1024 * 1024;

/// A value to be stored: its length must be known before its first byte is sent.
pub(super) struct Given {
    pub(super) reader: Box<dyn Read>,
    pub(super) len: u64,
}

impl Given {
    fn bytes(bytes: Vec<u8>) -> Given {
        Given {
            len: bytes.len() as u64,
            reader: Box::new(Cursor::new(bytes)),
        }
    }

    /// The rest of a file from where it stands; none if it is no file of a known length.
    fn file(mut file: File) -> io::Result<Option<Given>> {
        let about = file.metadata()?;
        if !about.is_file() {
            return Ok(None);
        }
        let len = about.len().saturating_sub(file.stream_position()?);
        let reader = Box::new(file);
        Ok(Some(Given { reader, len }))
    }
}

/// A value typed, or from a file, or from stdin.
pub(super) fn given(value: Option<OsString>, file: Option<PathBuf>) -> Result<Given, Failed> {
    match (value, file) {
        (Some(value), _) => Ok(Given::bytes(value.into_vec())),
        (None, Some(path)) if path.as_os_str() != "-" => {
            let open = |path| match Given::file(File::open(path)?)? {
                Some(given) => Ok(given),
                None => measured(File::open(path)?),
            };
            open(&path).map_err(|error: io::Error| {
                Failed::Arguments(format!("cannot read {}: {error}", path.display()))
            })
        }
        (None, _) => {
            let cannot = |error| Failed::Arguments(format!("cannot read stdin: {error}"));
            let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(cannot)?;
            let known = Given::file(File::from(stdin)).map_err(cannot)?;
            match known {
                Some(given) => Ok(given),
                None => measured(io::stdin()).map_err(cannot),
            }
        }
    }
}

/// What comes out of a pipe: a short value as it is, a long one by way of a file without a name.
fn measured(mut pipe: impl Read) -> io::Result<Given> {
    let mut bytes = Vec::new();
    (&mut pipe).take(SHORT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= SHORT_BYTES {
        return Ok(Given::bytes(bytes));
    }
    let mut file = nameless()?;
    file.write_all(&bytes)?;
    drop(bytes);
    let len = io::copy(&mut pipe, &mut file)? + SHORT_BYTES + 1;
    file.rewind()?;
    let reader = Box::new(file);
    Ok(Given { reader, len })
}

/// A file that is gone with this process.
pub(super) fn nameless() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("roundelay-value-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The value of an answer to a file or to stdout; false if there is none. A person at a terminal gets a line end after
/// it, a pipe does not.
pub(super) fn put_out(wire: &mut Wire, out: Option<PathBuf>) -> Result<bool, Failed> {
    let strange = || Failed::Not("the host answered something else than was asked".to_owned());
    let fields = match wire.said()? {
        Said::Nothing => return Ok(false),
        Said::Several(count) => count / 2,
        Said::Text(_) | Said::Bulk(_) => return Err(strange()),
    };
    for _ in 0..fields {
        if wire.text()?.as_deref() != Some("value") {
            wire.text()?;
            continue;
        }
        let Said::Bulk(len) = wire.said()? else {
            return Err(strange());
        };
        return write(wire, len, out).map(|()| true);
    }
    Err(strange())
}

/// A value of several, after its key and with a line end.
pub(super) fn put_line(wire: &mut Wire, key: &[u8], len: u64) -> Result<(), Failed> {
    said(&[key, b": "].concat())?;
    wire.copy(len, &mut Pipe(io::stdout()))?;
    said(b"\n")
}

fn write(wire: &mut Wire, len: u64, out: Option<PathBuf>) -> Result<(), Failed> {
    if let Some(path) = out {
        let cannot = |error| Failed::Not(format!("cannot write {}: {error}", path.display()));
        let mut file = File::create(&path).map_err(cannot)?;
        return match wire.copy(len, &mut file) {
            Ok(_) => Ok(()),
            Err(Failed::Not(why) | Failed::Arguments(why)) => Err(Failed::Not(format!(
                "{why}; {} is incomplete",
                path.display()
            ))),
        };
    }
    let mut out = Pipe(io::stdout());
    let last = wire.copy(len, &mut out)?;
    match io::stdout().is_terminal() && last != Some(b'\n') {
        true => said(b"\n"),
        false => said(b""),
    }
}

/// Whoever reads from a pipe may stop early; that is no failure of ours.
struct Pipe(io::Stdout);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
