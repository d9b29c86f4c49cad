//! The words of a story's command.

use std::time::Duration;

use goldenscript::{Argument, Command};

use crate::world::seconds;

/// The words of a command, with or without a key.
pub(super) struct Words(pub(super) Vec<(Option<String>, String)>);

impl Words {
    pub(super) fn of(command: &Command) -> Words {
        let words = command.args.iter().map(|arg| match arg {
            Argument::KeyValue(key, value) => (Some(key.clone()), value.clone()),
            Argument::Positional(value) => (None, value.clone()),
            other => panic!("goldenscript has a new kind of argument: {other:?}"),
        });
        Words(words.collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name.as_deref() == Some(key));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).map(|text| text.parse().unwrap())
    }

    pub(super) fn place(&self, at: usize) -> Option<&str> {
        let mut places = self.0.iter().filter(|(name, _)| name.is_none());
        places.nth(at).map(|(_, value)| value.as_str())
    }

    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        let places = self.0.iter().filter(|(name, _)| name.is_none());
        places.map(|(_, value)| host(value))
    }

    pub(super) fn time(&self, key: &str) -> Option<Duration> {
        self.get(key).map(time)
    }
}

pub(super) fn host(text: &str) -> u64 {
    text.trim_start_matches('h').parse().unwrap()
}

/// `300ms`, `5s`, `2m`.
pub(super) fn time(text: &str) -> Duration {
    let at = text.find(|letter: char| letter.is_alphabetic()).unwrap();
    let number: u64 = text[..at].parse().unwrap();
    match &text[at..] {
        "ms" => Duration::from_millis(number),
        "s" => seconds(number),
        "m" => seconds(60 * number),
        other => panic!("{text}: what is {other}?"),
    }
}
