//! What is it that speaks? The first bytes tell.
//!
//! ```text
//! 2a …                        *          RESP: an array of strings
//! d5 52 44 4c                            another host (whichever magic it is told)
//! 16 03                                  TLS
//! 47 45 54 20 2f … HTTP/1.1   GET /      HTTP: its method, a target that begins with / or is *, its version
//! 73 65 74 20 61              set a      anything else that can be typed: a command by hand
//! 00 …                                   nothing that is known here
//! ```
//!
//! `GET /` may be both, a request of a browser or a command about the key `/`: the line's end decides.

/// The longest first line that is waited for to tell HTTP from a typed command.
const MAX_LINE_BYTES: usize = 16 * 1024;

const METHODS: [&[u8]; 9] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE",
];

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// RESP, or commands typed by hand.
    Resp,
    /// HTTP.
    Http,
    /// The protocol of hosts.
    Peers,
    /// TLS, with any of these inside.
    Tls,
    /// None of them.
    Unknown,
}

/// What the first bytes tell; none if more are needed.
#[must_use]
pub fn sniff(bytes: &[u8], magic: &[u8]) -> Option<Speaks> {
    let first = *bytes.first()?;
    if magic.first() == Some(&first) {
        return told(bytes, magic, Speaks::Peers);
    }
    match first {
        b'*' => Some(Speaks::Resp),
        0x16 => told(bytes, &[0x16, 0x03], Speaks::Tls),
        b' '..=b'~' | b'\r' | b'\n' | b'\t' => typed(bytes),
        _ => Some(Speaks::Unknown),
    }
}

/// Whether they begin in that way, as far as they go.
fn told(bytes: &[u8], beginning: &[u8], speaks: Speaks) -> Option<Speaks> {
    match bytes.get(..beginning.len()) {
        Some(bytes) if bytes == beginning => Some(speaks),
        None if beginning.starts_with(bytes) => None,
        Some(_) | None => Some(Speaks::Unknown),
    }
}

/// A command, or HTTP.
fn typed(bytes: &[u8]) -> Option<Speaks> {
    if b"PRI * HTTP/2.0".starts_with(bytes) {
        return None;
    }
    if bytes.starts_with(b"PRI * HTTP/2.0") {
        return Some(Speaks::Http);
    }
    let may_be = METHODS.iter().find(|method| {
        let n = method.len().min(bytes.len());
        bytes[..n] == method[..n]
    });
    let Some(method) = may_be else {
        return Some(Speaks::Resp);
    };
    let target = match bytes.get(method.len()..) {
        None | Some(&[] | &[b' ']) => return None,
        Some(&[b' ', ref target @ ..]) => target,
        Some(_) => return Some(Speaks::Resp),
    };
    let begins = matches!(target.first(), Some(b'/' | b'*')) || target.starts_with(b"http");
    match bytes.iter().position(|byte| *byte == b'\n') {
        _ if !begins && *method != b"CONNECT" => Some(Speaks::Resp),
        None if bytes.len() > MAX_LINE_BYTES => Some(Speaks::Resp),
        None => None,
        Some(end) => {
            let line = bytes[..end].trim_ascii_end();
            let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            Some(match version.starts_with(b"HTTP/") {
                true => Speaks::Http,
                false => Speaks::Resp,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &[u8] = b"\xd5RDL";

    #[test]
    fn the_first_bytes_tell() {
        let cases: [(&[u8], Option<Speaks>); 24] = [
            (b"", None),
            (b"*", Some(Speaks::Resp)),
            (b"set a 1", Some(Speaks::Resp)),
            (b"get /a\r\n", Some(Speaks::Resp)),
            (b"G", None),
            (b"GET", None),
            (b"GET ", None),
            (b"GET a", Some(Speaks::Resp)),
            (b"GETX", Some(Speaks::Resp)),
            (b"GET /", None),
            (b"GET /a\r\n", Some(Speaks::Resp)),
            (b"GET / HTTP/1.1\r\n", Some(Speaks::Http)),
            (b"DELETE /keys/a HTTP/1.0\n", Some(Speaks::Http)),
            (b"OPTIONS * HTTP/1.1\r\n", Some(Speaks::Http)),
            (b"CONNECT a:1 HTTP/1.1\r\n", Some(Speaks::Http)),
            (b"PING\r\n", Some(Speaks::Resp)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Speaks::Http)),
            (b"\r\n", Some(Speaks::Resp)),
            (b"\x16", None),
            (b"\x16\x03\x01", Some(Speaks::Tls)),
            (b"\x16\x04", Some(Speaks::Unknown)),
            (b"\xd5R", None),
            (b"\xd5RDL\x01", Some(Speaks::Peers)),
            (b"\x00\x00\x00\x47", Some(Speaks::Unknown)),
        ];
        for (bytes, speaks) in cases {
            assert_eq!(sniff(bytes, MAGIC), speaks, "{}", bytes.escape_ascii());
        }
        assert_eq!(
            sniff(b"\xd5R", b""),
            Some(Speaks::Unknown),
            "no peers expected here"
        );
        let long = [b"GET /".to_vec(), vec![b'x'; MAX_LINE_BYTES]].concat();
        assert_eq!(sniff(&long, MAGIC), Some(Speaks::Resp));
    }

    #[test]
    fn more_bytes_never_change_what_fewer_told() {
        let whole = b"GET /some/where HTTP/1.1\r\nhost: a\r\n";
        let told: Vec<Speaks> = (0..=whole.len())
            .filter_map(|n| sniff(&whole[..n], MAGIC))
            .collect();
        assert!(!told.is_empty() && told.iter().all(|speaks| *speaks == Speaks::Http));
    }
}
