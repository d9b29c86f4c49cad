//! Where does another host listen? An address is data: a name or number and a port.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Bytes an address may have, as text.
pub const MAX_ADDRESS_BYTES: usize = 256;

/// Where a host listens, as it would be typed: `10.0.0.7:50140`, `[fe80::1]:50140`, `dht-3.example:50140`.
///
/// Names are looked up anew for each attempt to connect: what they stand for may change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name or number, without the port and without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.0.rsplit_once(':').map_or(&*self.0, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why some text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No port.
    #[error("an address is a host and a port, such as 10.0.0.7:50140, got {0:?}")]
    NoPort(String),
    /// Not a port.
    #[error("a port is a number from 1 to 65535, got {0:?}")]
    Port(String),
    /// A name that cannot be one.
    #[error(
        "the host of an address has letters, digits, '.', '-' and '_' (an IPv6 number in brackets), got {0:?}"
    )]
    Host(String),
    /// Too long.
    #[error("an address has at most {MAX_ADDRESS_BYTES} bytes, got {0}")]
    Long(usize),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(AddressError::Long(text.len()));
        }
        let no_port = || AddressError::NoPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        if !digits
            || port.parse::<u16>().is_ok_and(|port| port == 0)
            || port.parse::<u16>().is_err()
        {
            return Err(AddressError::Port(port.to_owned()));
        }
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let good = match bare {
            Some(number) => number.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
                !host.is_empty() && host.bytes().all(plain)
            }
        };
        if good {
            Ok(Address(text.into()))
        } else {
            Err(AddressError::Host(host.to_owned()))
        }
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(address: std::net::SocketAddr) -> Address {
        Address(address.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_addresses() {
        for good in ["10.0.0.7:50140", "[::1]:1", "dht-3.example:65535", "a_b:80"] {
            assert_eq!(good.parse::<Address>().unwrap().as_str(), good);
        }
        assert_eq!("[::1]:7".parse::<Address>().unwrap().host(), "::1");
    }

    #[test]
    fn what_is_none_says_why() {
        let bad = |text: &str| text.parse::<Address>().unwrap_err().to_string();
        assert!(bad("localhost").contains("such as 10.0.0.7:50140"));
        assert!(bad("localhost:0").contains("from 1 to 65535"));
        assert!(bad("localhost:70000").contains("70000"));
        assert!(bad("localhost:+7").contains("+7"));
        assert!(bad(":7").contains("letters"));
        assert!(bad("::1:7").contains("in brackets"));
        assert!(bad("a b:7").contains("a b"));
        assert!(bad(&"x".repeat(300)).contains("300"));
    }
}
