//! Why a connection is refused, breaks, or never comes about.

use std::io;

use crate::placement::HostId;
use crate::wire::WireError;

/// Why the other side will not hear more. Its numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// The cluster has another name.
    #[error("it belongs to another cluster")]
    OtherCluster,
    /// The address belongs to another host now.
    #[error("another host was expected there")]
    NotExpected,
    /// A newer life of the dialler was seen.
    #[error("it knows a newer incarnation of this host")]
    OlderIncarnation,
    /// A newer connection of the same life was seen.
    #[error("it has a newer connection of this host")]
    OlderConnection,
    /// A host has dialled itself.
    #[error("it is this host itself")]
    Myself,
    /// Too many hosts, or too many handshakes at once.
    #[error("it has no room for another")]
    Crowded,
    /// The proof is wrong.
    #[error("the secrets differ")]
    Secret,
    /// It does not speak this version of the protocol.
    #[error("it does not speak this version of the protocol")]
    Protocol,
    /// Another process has the identity of the dialler, in the same life.
    #[error("another process has the identity of this host")]
    Double,
    /// A later build's reason.
    #[error("it says so, for reason {0}, which is not known here")]
    Other(u8),
}

impl Refusal {
    /// The same, as the side says it that refuses.
    fn here(self) -> String {
        let why = match self {
            Refusal::NotExpected => "it wants another host, which is not here",
            Refusal::OlderIncarnation => "a newer incarnation of it is known",
            Refusal::OlderConnection => "a newer connection of it is there",
            Refusal::Crowded => "there is no room for another host",
            Refusal::Protocol => "it speaks another version of the protocol",
            Refusal::Double => {
                "another process has its identity, at another address: its data directory was copied and is in use twice; end one of the two"
            }
            Refusal::OtherCluster | Refusal::Myself | Refusal::Secret | Refusal::Other(_) => {
                return self.to_string();
            }
        };
        why.to_owned()
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Refusal::OtherCluster => 1,
            Refusal::NotExpected => 2,
            Refusal::OlderIncarnation => 3,
            Refusal::OlderConnection => 4,
            Refusal::Myself => 5,
            Refusal::Crowded => 6,
            Refusal::Secret => 7,
            Refusal::Protocol => 8,
            Refusal::Double => 9,
            Refusal::Other(code) => code,
        }
    }

    pub(super) fn of(code: u8) -> Refusal {
        match code {
            1 => Refusal::OtherCluster,
            2 => Refusal::NotExpected,
            3 => Refusal::OlderIncarnation,
            4 => Refusal::OlderConnection,
            5 => Refusal::Myself,
            6 => Refusal::Crowded,
            7 => Refusal::Secret,
            8 => Refusal::Protocol,
            9 => Refusal::Double,
            other => Refusal::Other(other),
        }
    }
}

/// Why there is no connection, or none any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The operating system says so.
    #[error("{0}")]
    Io(io::ErrorKind),
    /// The other side closed it.
    #[error("the other side closed the connection")]
    Closed,
    /// The other side said that no more comes.
    #[error("the other side said goodbye")]
    Goodbye,
    /// Not a word within the time.
    #[error("nothing was heard for {0} ms")]
    Silent(u128),
    /// No connection within the time.
    #[error("no connection within {0} ms")]
    DialTimeout(u128),
    /// The handshake took too long.
    #[error("no handshake within {0} ms")]
    HandshakeTimeout(u128),
    /// No address to dial.
    #[error("no address is known")]
    NoAddress,
    /// Nobody knows the name in the address.
    #[error("its name cannot be resolved")]
    NoName,
    /// Some other protocol.
    #[error("{}", not_a_hello(.0))]
    NotAHello([u8; 4]),
    /// Another version of this protocol.
    #[error("it speaks version {0} of the protocol, which this host does not")]
    Protocol(u8),
    /// A hello longer than any.
    #[error("a hello of {0} bytes is too long")]
    LongHello(usize),
    /// A hello that cannot be read.
    #[error("its hello cannot be read: {0}")]
    BadHello(String),
    /// It refused us.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// We refuse it.
    #[error("refused {host}: {}", .reason.here())]
    Refuse {
        /// Why.
        reason: Refusal,
        /// Who it said it was.
        host: HostId,
    },
    /// Somebody else lives there.
    #[error("{found} lives there, not {expected}")]
    SomebodyElse {
        /// Whom we wanted.
        expected: HostId,
        /// Who answered.
        found: HostId,
    },
    /// Too many handshakes at once.
    #[error("too many handshakes at once")]
    Crowded,
    /// It does not know the secret.
    #[error("it does not know the secret of the cluster")]
    Unproven,
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// Bytes that are no message.
    #[error("bytes that are no message: {0}")]
    Wire(#[from] WireError),
    /// A part of a frame out of turn.
    #[error("a part of a frame out of turn: {0}")]
    Part(&'static str),
    /// A message with a wrong sender or addressee.
    #[error("a message from {from} to {to} on the link from {link}")]
    Stray {
        /// Its sender, as it says.
        from: HostId,
        /// Its addressee.
        to: HostId,
        /// Whose link it is.
        link: HostId,
    },
    /// A newer connection has taken its place.
    #[error("a newer connection has taken its place")]
    Replaced,
    /// Its host has a newer incarnation.
    #[error("its host has begun a new life")]
    Restarted,
    /// An earlier life of the host answered than the newest that is known.
    #[error("an earlier incarnation of it answered than is known")]
    Outdated,
    /// The local host has ended.
    #[error("the local host has ended")]
    HostEnded,
    /// Its host was struck out.
    #[error("it is in the ring no more, and was not heard for long: its address is forgotten")]
    Forgotten,
    /// These links were closed.
    #[error("these links were closed")]
    Stopped,
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> LinkError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            LinkError::Closed
        } else if error.kind() == io::ErrorKind::NotFound {
            LinkError::NoName
        } else {
            LinkError::Io(error.kind())
        }
    }
}

/// What somebody speaks that begins so, as far as that is plain.
fn not_a_hello(bytes: &[u8; 4]) -> String {
    match bytes {
        // An alert, or the beginning of a handshake.
        [0x15 | 0x16, 3, ..] => {
            "it speaks TLS, and this host does not: give this one --tls-cert, --tls-key and \
             --tls-ca as well"
                .into()
        }
        b"HTTP" => "not a host of Roundelay: it speaks HTTP".into(),
        [b'-', rest @ ..] if rest.iter().all(u8::is_ascii_alphabetic) => {
            "not a host of Roundelay: it speaks as a Redis server does".into()
        }
        other => format!(
            "not a host of Roundelay: it begins with {}",
            other.escape_ascii()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_speaks_is_said_where_that_is_plain() {
        let told = |bytes: &[u8; 4]| LinkError::NotAHello(*bytes).to_string();
        assert!(told(&[0x15, 3, 3, 0]).contains("speaks TLS, and this host does not"));
        assert!(told(b"HTTP").ends_with("speaks HTTP"));
        assert!(told(b"-ERR").ends_with("as a Redis server does"));
        assert!(told(b"SSH-").ends_with("it begins with SSH-"));
    }

    #[test]
    fn refusals_keep_their_numbers() {
        for code in 1..=u8::MAX {
            assert_eq!(Refusal::of(code).code(), code);
        }
    }
}
