//! What a command was given, taken out piece by piece; every mistake names the argument.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::Command;
use crate::keyspace::Id;
use crate::placement::{HostId, Zone};

/// The arguments of one command that have not been taken yet.
pub(super) struct Args<'a> {
    positions: std::collections::VecDeque<&'a str>,
    keys: Vec<(&'a str, &'a str)>,
}

impl<'a> Args<'a> {
    pub(super) fn new(command: &'a Command) -> Args<'a> {
        let (mut positions, mut keys) = (std::collections::VecDeque::new(), Vec::new());
        for (key, value) in &command.args {
            match key {
                Some(key) => keys.push((key.as_str(), value.as_str())),
                None => positions.push_back(value.as_str()),
            }
        }
        Args { positions, keys }
    }

    /// The next word without a key.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        self.positions.pop_front()
    }

    /// The same, which must be there.
    pub(super) fn need(&mut self, what: &str) -> Result<&'a str, String> {
        self.word().ok_or_else(|| format!("{what} is missing"))
    }

    /// The value of `key=`, given once.
    pub(super) fn take(&mut self, key: &str) -> Result<Option<&'a str>, String> {
        let Some(at) = self.keys.iter().position(|(name, _)| *name == key) else {
            return Ok(None);
        };
        let (_, value) = self.keys.remove(at);
        if self.keys.iter().any(|(name, _)| *name == key) {
            return Err(format!("{key}= is given twice"));
        }
        Ok(Some(value))
    }

    /// The next argument with any key, in the order written.
    pub(super) fn next_key(&mut self) -> Option<(&'a str, &'a str)> {
        (!self.keys.is_empty()).then(|| self.keys.remove(0))
    }

    /// A value that is read by its type.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.take(key)? else {
            return Ok(None);
        };
        let parsed = text
            .parse()
            .map_err(|error| format!("{key}={text}: {error}"));
        parsed.map(Some)
    }

    /// Names of zones, with slashes between.
    pub(super) fn zones(&mut self, key: &str) -> Result<Option<Vec<Zone>>, String> {
        let Some(text) = self.take(key)? else {
            return Ok(None);
        };
        let zones = list(text).map(|name| {
            name.parse()
                .map_err(|error| format!("{key}={text}: {error}"))
        });
        zones.collect::<Result<Vec<Zone>, String>>().map(Some)
    }

    /// A length of time.
    pub(super) fn time(&mut self, key: &str) -> Result<Option<Duration>, String> {
        let text = self.take(key)?;
        text.map(|text| duration(key, text)).transpose()
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, String> {
        let text = self.take(key)?;
        text.map(|text| choice(key, text, choices)).transpose()
    }

    /// Some hosts, `h1/h2`.
    pub(super) fn hosts(&mut self, key: &str) -> Result<Option<Vec<HostId>>, String> {
        let text = self.take(key)?;
        text.map(|text| hosts(key, text)).transpose()
    }

    /// Some ids, `1/6/10` or `x20/xa0`.
    pub(super) fn ids(&mut self, key: &str) -> Result<Option<Vec<Id>>, String> {
        let text = self.take(key)?;
        let ids = text.map(|text| list(text).map(|id| parse_id(key, id)).collect());
        ids.transpose()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), String> {
        if let Some(word) = self.positions.front() {
            return Err(format!("what is {word:?}? it is one word too many"));
        }
        match self.keys.first() {
            Some((key, value)) => Err(format!("there is no argument {key}= here ({key}={value})")),
            None => Ok(()),
        }
    }
}

/// The parts of `a/b/c`; commas and spaces separate too.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(['/', ',', ' ']).filter(|part| !part.is_empty())
}

/// One of some words.
pub(super) fn choice<T: Copy>(what: &str, text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!(
            "{what} is {text:?}, but must be one of {}",
            names.join(", ")
        )
    })
}

/// A host.
pub(super) fn host(what: &str, text: &str) -> Result<HostId, String> {
    text.parse().map_err(|error| format!("{what}: {error}"))
}

/// Some hosts, one at least.
pub(super) fn hosts(what: &str, text: &str) -> Result<Vec<HostId>, String> {
    let all: Vec<HostId> = list(text)
        .map(|name| host(what, name))
        .collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(format!("{what} names no host"));
    }
    Ok(all)
}

/// `300ms`, `5s` or `2m`.
pub(super) fn duration(what: &str, text: &str) -> Result<Duration, String> {
    let bad = || format!("{what} is {text:?}, but must be a time such as 300ms, 5s or 2m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(bad()),
    };
    // A story of more than a year is a mistake, and small times cannot overflow later.
    let ms = number.checked_mul(unit).filter(|ms| *ms < 32_000_000_000);
    ms.map(Duration::from_millis).ok_or_else(bad)
}

/// A whole number such as `10`, for circles on paper, or `x` and the hex digits an id begins with: `xa0`.
pub(super) fn parse_id(what: &str, text: &str) -> Result<Id, String> {
    let Some(digits) = text.strip_prefix('x') else {
        let number = text.parse::<u64>().map_err(|_| {
            format!("{what} is {text:?}, but must be a number such as 10, or x and hex digits: xa0")
        })?;
        return Ok(Id::from_u64(number));
    };
    format!("{digits:0<40}")
        .parse()
        .map_err(|error| format!("{what}={text}: {error}"))
}
