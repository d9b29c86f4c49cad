//! What did the clients see?
//!
//! One [`Operation`] for each thing a client asked about one key, in the order they were asked. The number
//! of an operation is its place in that list, and every value that a client writes begins with the number
//! of its operation ([`value`]): so whoever finds a value anywhere knows who wrote it.
//!
//! ```text
//! #7  put k3 at h2    1.204 … 1.219   stored 1700000001210.0@h2/1
//! #8  get k3 at h5    1.211 … 1.216   found #4
//! #9  put k3 at h1    1.230 …         h1 crashed: the outcome is unknown
//! ```

use bytes::Bytes;

use crate::message::{Failure, Found, Outcome};
use crate::placement::HostId;
use crate::record::{Body, Key, Time, Version, WallMs};

/// What a client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Store a value.
    Put,
    /// Delete the key.
    Delete,
    /// Fetch the value.
    Get,
    /// Is it there?
    Has,
    /// Set a time to live.
    Expire,
}

/// What it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet; or the host crashed, and nobody will ever tell.
    Silence,
    /// It failed, and nothing was stored.
    Nothing(String),
    /// It may be stored at this version.
    Unknown(Version),
    /// It was written, at this version; of an expiry, that of its cell.
    Wrote(Version),
    /// A value was found.
    Found {
        /// At which version.
        version: Version,
        /// Which operation wrote it, if the value was fetched and says so.
        number: Option<usize>,
        /// From when on it will be absent.
        deadline: Option<WallMs>,
    },
    /// The key is there, at this version.
    Present(Version),
    /// There is nothing.
    Absent,
    /// It succeeded, and says nothing that could be checked: an expiry that had nothing to do.
    Idle,
}

/// One thing a client asked about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// About which key.
    pub key: Key,
    /// Which host was asked.
    pub at: HostId,
    /// What was asked.
    pub kind: Kind,
    /// Of one replica only: that promises nothing.
    pub one: bool,
    /// When it was asked.
    pub began: Time,
    /// When it was answered; none: never, or not yet.
    pub ended: Option<Time>,
    /// The answer.
    pub told: Told,
}

impl Operation {
    /// Whether it was acknowledged, or answered if it only reads.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        match self.told {
            Told::Wrote(_) | Told::Found { .. } | Told::Present(_) | Told::Absent | Told::Idle => {
                true
            }
            Told::Silence | Told::Nothing(_) | Told::Unknown(_) => false,
        }
    }

    /// Whether it writes.
    #[must_use]
    pub const fn writes(&self) -> bool {
        matches!(self.kind, Kind::Put | Kind::Delete | Kind::Expire)
    }
}

/// The shortest value that has room for its number.
pub const LEAST_VALUE: usize = 8;

/// The value that operation writes: its number, then the same byte again and again. At least
/// [`LEAST_VALUE`] bytes.
#[must_use]
pub fn value(number: usize, len: usize) -> Bytes {
    let mut bytes = (number as u64).to_le_bytes().to_vec();
    let rest = u8::try_from(number & 0xff).unwrap_or_default();
    bytes.resize(len.max(LEAST_VALUE), rest);
    bytes.into()
}

/// Which operation wrote a value.
#[must_use]
pub fn written_by(body: &Body) -> Option<usize> {
    number_in(body.pieces.first()?)
}

/// The same, from the first piece of a value.
#[must_use]
pub fn number_in(piece: &[u8]) -> Option<usize> {
    let first = piece.first_chunk::<LEAST_VALUE>()?;
    usize::try_from(u64::from_le_bytes(*first)).ok()
}

/// What an answer to an operation of that kind says.
///
/// # Errors
/// An answer that does not belong to such a question, in words.
pub fn told(kind: Kind, reply: &Result<Outcome, Failure>) -> Result<Told, String> {
    let outcome = match reply {
        Ok(outcome) => outcome,
        Err(Failure::Unknown { version, .. }) => return Ok(Told::Unknown(*version)),
        Err(failure) => return Ok(Told::Nothing(failure.to_string())),
    };
    let told = if let Outcome::Stored(version)
    | Outcome::StoredContent(_, version)
    | Outcome::Deleted(version, _) = outcome
    {
        Told::Wrote(*version)
    } else if let Outcome::Value(found) = outcome {
        found.as_ref().map_or(Told::Absent, read)
    } else if let Outcome::Large(large) = outcome {
        Told::Present(large.found.version) // It comes bare, and does not say who wrote it.
    } else if let Outcome::Version(version) = outcome {
        match (version, kind) {
            (None, Kind::Expire) => Told::Idle, // Absent, or to live for ever as it does already.
            (None, _) => Told::Absent,
            (Some(version), Kind::Expire) => Told::Wrote(*version),
            (Some(version), _) => Told::Present(*version),
        }
    } else if let Outcome::Ttl(there) = outcome {
        there.map_or(Told::Absent, |_| Told::Idle)
    } else {
        return Err(format!("a question about a key was answered by {outcome}"));
    };
    Ok(told)
}

fn read(found: &Found) -> Told {
    Told::Found {
        version: found.version,
        number: written_by(&found.body),
        deadline: found.deadline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_who_wrote_it() {
        for (number, len) in [(0, 0), (7, 8), (70_000, 3_000_000)] {
            let body = Body::new(value(number, len));
            assert_eq!(written_by(&body), Some(number));
            assert_eq!(body.len, len.max(LEAST_VALUE) as u64);
        }
        assert_eq!(written_by(&Body::new("short")), None);
    }
}
