//! What a trace says of a message: one line, made for reading.
//!
//! ```text
//! h1 -> h2 Write v3 "cat" 12.0/h1.1, 4 bytes by request
//!          └ the kind, then under which roster, then what it is about
//! ```
//!
//! Each room has one sort of talk: between hosts (`keep`), between nodes (`find`), with clients (`client`), about
//! operating (`ops`); what lines are made of lies in `parts`.
//!
//! *Hold this true*: a line begins with the name of its message, in letters only ([`Message::name`]), and shows no
//! bytes of values.

mod client;
mod find;
mod keep;
mod ops;
mod parts;

use std::fmt;

use super::Message;

impl Message {
    /// What kind of message it is, in the word with which a trace begins to tell it: `Ask`, `Wrote`.
    #[must_use]
    pub fn name(&self) -> String {
        let told = match self {
            Message::Find { message, .. } => message.to_string(),
            Message::Keep(message) => message.to_string(),
            Message::Detect(_) => "Detect".to_owned(),
        };
        let end = told.find(|c: char| !c.is_ascii_alphabetic());
        told[..end.unwrap_or(told.len())].to_owned()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Find { from, to, message } => {
                write!(f, "<{}> to <{}>: {message}", from.short(), to.short())
            }
            Message::Keep(message) => write!(f, "{message}"),
            Message::Detect(bytes) => write!(f, "Detect {} bytes", bytes.len()),
        }
    }
}
