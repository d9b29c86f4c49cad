//! Large values from a file to a host, and back, through a small buffer: the library that all other commands use would
//! hold them whole.
//!
//! ```text
//! *3 $7 DHT.PUT $4 film $314572800   … copied from the file, 64 KiB at a time …   <--  $17 1700000000123.0@h1/1
//! *2 $7 DHT.GET $4 film              <--  *8 … $5 value $314572800 … copied to the file …
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Failed;
use super::node::{NO_ANSWER, advised};

/// How it is said that a value did not come to its end, here and by a host.
pub(super) const REPLACED: &str = "overwritten or deleted while it was read";

/// A connection to a host, in RESP2.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    node: String,
    /// Nothing more can be read of it.
    broken: bool,
}

/// What a host has said.
pub(super) enum Said {
    Nothing,
    Text(String),
    /// A string of so many bytes follows, with a line end after it.
    Bulk(u64),
    /// So many answers follow.
    Several(u64),
}

impl Wire {
    /// A connection; known to the host if there is a password.
    pub(super) fn open(
        node: &str,
        password: Option<&str>,
        patience: Duration,
    ) -> Result<Wire, Failed> {
        let stream = connected(node, patience);
        let stream = stream.map_err(|error| Failed::Not(format!("{node}: {error}")))?;
        let mut wire = Wire {
            stream: BufReader::new(stream),
            node: node.to_owned(),
            broken: false,
        };
        if let Some(password) = password {
            wire.more(&command(&[b"AUTH", password.as_bytes()]))?;
            wire.said()?;
        }
        Ok(wire)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Says a command of these words, the last but `after` of which is copied from a reader: just so many bytes.
    pub(super) fn send(
        &mut self,
        before: &[&[u8]],
        value: Option<(&mut dyn Read, u64)>,
        after: &[&[u8]],
    ) -> Result<(), Failed> {
        let Some((reader, len)) = value else {
            let words = [before, after].concat();
            return self.more(&command(&words));
        };
        self.begin(before, len, after.len())?;
        let mut left = len;
        let mut chunk = vec![0; 64 * 1024];
        while left > 0 {
            let most = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let n = reader
                .read(&mut chunk[..most])
                .map_err(|error| Failed::Not(format!("cannot read the value: {error}")))?;
            if n == 0 {
                let why =
                    format!("the value ended {left} bytes before its end: nothing was stored");
                return Err(Failed::Not(why));
            }
            left -= n as u64;
            self.more(&chunk[..n])?;
        }
        self.end(after)
    }

    /// Begins a command of these words, a value of so many bytes, and so many words after it.
    pub(super) fn begin(&mut self, before: &[&[u8]], len: u64, after: usize) -> Result<(), Failed> {
        let mut head = format!("*{}\r\n", before.len() + 1 + after).into_bytes();
        before.iter().for_each(|word| head.extend(string(word)));
        head.extend_from_slice(format!("${len}\r\n").as_bytes());
        self.more(&head)
    }

    /// The next bytes of the value.
    pub(super) fn more(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.write(bytes).map_err(|error| self.broken(&error))
    }

    /// The words after it. Before they are said nothing is stored.
    pub(super) fn end(&mut self, after: &[&[u8]]) -> Result<(), Failed> {
        let mut tail = b"\r\n".to_vec();
        after.iter().for_each(|word| tail.extend(string(word)));
        self.more(&tail)
    }

    /// The next answer, or the beginning of it. What a host refuses is a failure.
    pub(super) fn said(&mut self) -> Result<Said, Failed> {
        let mut line = String::new();
        match (&mut self.stream).take(64 * 1024).read_line(&mut line) {
            Ok(0) => {
                self.broken = true;
                return Err(self.not("the connection was closed"));
            }
            Ok(_) => {}
            Err(error) => return Err(self.broken(&error)),
        }
        let line = line.trim_end();
        let (sign, rest) = line.split_at(line.len().min(1));
        let number = || rest.parse::<i64>().ok();
        match (sign, number()) {
            ("-", _) => Err(self.not(rest)),
            ("$" | "*", Some(-1)) => Ok(Said::Nothing),
            ("$", Some(len)) => Ok(Said::Bulk(u64::try_from(len).unwrap_or_default())),
            ("*", Some(count)) => Ok(Said::Several(u64::try_from(count).unwrap_or_default())),
            ("+" | ":", _) => Ok(Said::Text(rest.to_owned())),
            _ => Err(self.not(NO_ANSWER)),
        }
    }

    /// The next answer as text.
    pub(super) fn text(&mut self) -> Result<Option<String>, Failed> {
        match self.said()? {
            Said::Nothing => Ok(None),
            Said::Text(text) => Ok(Some(text)),
            Said::Bulk(len) => {
                let mut bytes = Vec::new();
                self.copy(len.min(1024 * 1024), &mut bytes)?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Said::Several(_) => Err(self.not("the host answered something else than was asked")),
        }
    }

    /// Copies a string of so many bytes that has begun, and reads its line end; its last byte.
    pub(super) fn copy(&mut self, len: u64, out: &mut dyn Write) -> Result<Option<u8>, Failed> {
        let (mut left, mut last) = (len, None);
        while left > 0 {
            let here = match self.stream.fill_buf() {
                Ok(here) => here,
                Err(error) => return Err(self.broken(&error)),
            };
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(here.len());
            if most == 0 {
                let why = format!(
                    "the value broke off {left} bytes before its end: it was {REPLACED}, or the host ended; read it again"
                );
                return Err(self.not(&why));
            }
            last = here.get(most - 1).copied();
            let written = out.write_all(&here[..most]);
            written.map_err(|error| Failed::Not(format!("cannot write the value: {error}")))?;
            self.stream.consume(most);
            left -= most as u64;
        }
        let mut end = [0; 2];
        match self.stream.read_exact(&mut end) {
            Ok(()) => Ok(last),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Whether no further answer can come.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    fn not(&self, why: &str) -> Failed {
        Failed::Not(format!("{}: {}", self.node, advised(why)))
    }

    /// The connection failed: in the host's own words, if it said any before.
    fn broken(&mut self, error: &io::Error) -> Failed {
        self.broken = true;
        let late = matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        );
        if late {
            return self
                .not("no answer in time: a write may be stored or not, read the key to learn");
        }
        let mut line = String::new();
        let told = (&mut self.stream).take(64 * 1024).read_line(&mut line);
        match (told, line.strip_prefix('-')) {
            (Ok(_), Some(why)) => self.not(why.trim_end()),
            _ => self.not(&error.to_string()),
        }
    }
}

fn connected(node: &str, patience: Duration) -> io::Result<TcpStream> {
    let address = node.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("no such address"))?;
    let stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

fn string(word: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat()
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend(string(word)));
    bytes
}
