//! Short names for long versions, and lines made for reading.

use std::collections::BTreeMap;

/// Numbers versions in the order in which a story first shows them: `1700000000003.0@h1/1` is `w1@h1`,
/// and a delete `-1700000000009.0@h2/1` is `d2@h2`. The same story always gives the same numbers.
#[derive(Default)]
pub(super) struct Names {
    known: BTreeMap<String, String>,
}

impl Names {
    /// The same text with every version in it by its short name.
    pub(super) fn shorten(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, version, after)) = find_version(rest) {
            out.push_str(before);
            out.push_str(&self.name(version));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn name(&mut self, version: &str) -> String {
        if let Some(name) = self.known.get(version) {
            return name.clone();
        }
        let kind = if version.starts_with('-') { 'd' } else { 'w' };
        let host = version.split(['@', '/']).nth(1).unwrap_or_default();
        let name = format!("{kind}{}@{host}", self.known.len() + 1);
        self.known.insert(version.to_owned(), name.clone());
        name
    }

    /// All named so far, the oldest first by the rules of `record::Version`.
    pub(super) fn in_order(&self) -> Vec<String> {
        let mut all: Vec<(Order, &String)> = self
            .known
            .iter()
            .map(|(version, name)| (order(version), name))
            .collect();
        all.sort();
        all.into_iter().map(|(_, name)| name.clone()).collect()
    }
}

/// Wall milliseconds, count, delete, host, start.
type Order = (u64, u64, bool, u64, u64);

fn order(version: &str) -> Order {
    let delete = version.starts_with('-');
    let mut parts = version.trim_start_matches('-').split(['.', '@', '/']);
    let mut number = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    let (wall, count) = (number(), number());
    let host = parts.next().unwrap_or_default().trim_start_matches('h');
    let host = u64::from_str_radix(host, 16).unwrap_or(0);
    let start = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    (wall, count, delete, host, start)
}

/// The first version in a text, with what stands before it and after it.
fn find_version(text: &str) -> Option<(&str, &str, &str)> {
    for (at, _) in text.match_indices("@h") {
        let head = &text[..at];
        let start = head.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let begin = start.strip_suffix('-').unwrap_or(start).len();
        let tail = &text[at + 2..];
        let host = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_hexdigit())
                .len();
        let Some(life) = tail[host..].strip_prefix('/') else {
            continue;
        };
        let digits = life.len() - life.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if start.len() < at && head[start.len()..].contains('.') && digits > 0 {
            let end = at + 2 + host + 1 + digits;
            return Some((&text[..begin], &text[begin..end], &text[end..]));
        }
    }
    None
}

/// Which lines of a trace a story shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Show {
    /// None.
    Nothing,
    /// What hosts decide.
    #[default]
    Events,
    /// That, and messages, but not those of every day ([`BACKGROUND`]).
    Messages,
    /// Everything.
    All,
    /// What hosts decide, and messages of these names.
    Named(Vec<String>),
}

/// Messages that go round all the time and tell a story nothing.
const BACKGROUND: [&str; 12] = [
    "Gossip",
    "RosterAsk",
    "DigestAsk",
    "DigestsAre",
    "ListAsk",
    "ListIs",
    "MoveAsk",
    "MoveIs",
    "AskLinks",
    "Links",
    "Ping",
    "Pong",
];

/// A line of the world's trace as a story shows it, or nothing if it does not.
pub(super) fn tell(line: &str, show: &Show, times: bool, asked: Option<u64>) -> Option<String> {
    let (time, what) = line.split_once(' ')?;
    let told = match parts(what) {
        Part::Message {
            from,
            arrow,
            to,
            text,
        } => {
            let shown = match show {
                Show::Nothing | Show::Events => false,
                Show::Messages => !BACKGROUND.contains(&name(text)) && name(text) != "Notify",
                Show::All => true,
                Show::Named(names) => names.iter().any(|other| other == name(text)),
            };
            shown.then(|| format!("{from} {arrow} {to}  {text}"))
        }
        Part::Client(text) => {
            let own = asked.is_some_and(|ticket| text.contains(&format!("#{ticket} ")));
            let shown = matches!(show, Show::Messages | Show::All) && !own;
            shown.then(|| text.to_owned())
        }
        Part::Event { host, text } => (*show != Show::Nothing).then(|| format!("{host}: {text}")),
        Part::Life(text) => (*show != Show::Nothing).then(|| text.to_owned()),
        Part::World => None, // The command that did it says so.
    }?;
    Some(if times {
        format!("{time} {told}")
    } else {
        told
    })
}

enum Part<'a> {
    Message {
        from: &'a str,
        arrow: &'a str,
        to: &'a str,
        text: &'a str,
    },
    Client(&'a str),
    Event {
        host: &'a str,
        text: &'a str,
    },
    /// A process starts or ends.
    Life(&'a str),
    World,
}

fn parts(what: &str) -> Part<'_> {
    let mut words = what.splitn(4, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (from, arrow, to, text) = (word(), word(), word(), word());
    match arrow {
        "->" if from == "client" || to == "client" => Part::Client(what),
        "->" | "-x" if from.starts_with('h') => Part::Message {
            from,
            arrow,
            to,
            text,
        },
        _ if from.len() > 1 && from.starts_with('h') => match &what[from.len() + 1..] {
            text if text == "starts" || text.starts_with("crashes") => Part::Life(what),
            text => Part::Event { host: from, text },
        },
        _ => Part::World,
    }
}

/// `<1> to <6>: Lookup 10 …` and `Ask v1 …` by their names.
fn name(text: &str) -> &str {
    let told = match text.strip_prefix('<') {
        Some(_) => text.split_once(">: ").map_or(text, |(_, told)| told),
        None => text,
    };
    let end = told.find(|c: char| !c.is_ascii_alphabetic());
    &told[..end.unwrap_or(told.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_get_short_names_in_order_of_appearance() {
        let mut names = Names::default();
        let text = "h2 -> h1  Answer v1 1700000000009.0@h2/1, expiry set at -1700000000003.12@h1/2";
        assert_eq!(
            names.shorten(text),
            "h2 -> h1  Answer v1 w1@h2, expiry set at d2@h1"
        );
        assert_eq!(names.shorten("1700000000009.0@h2/1."), "w1@h2.");
        assert_eq!(names.in_order(), ["d2@h1", "w1@h2"]);
        assert_eq!(
            names.shorten("next is 9d989e8d@h3 or 10@h3/"),
            "next is 9d989e8d@h3 or 10@h3/"
        );
    }

    #[test]
    fn lines_are_shown_by_kind() {
        let ask = "0.012 h1 -> h2 Ask v1 \"cat\" versions";
        assert_eq!(tell(ask, &Show::Events, false, None), None);
        let told = tell(ask, &Show::Messages, false, None);
        assert_eq!(told.as_deref(), Some("h1 -> h2  Ask v1 \"cat\" versions"));
        let ping = "1.500 h1 -x h2 <1> to <6>: Ping";
        assert_eq!(tell(ping, &Show::Messages, false, None), None);
        let named = Show::Named(vec!["Ping".to_owned()]);
        let told = tell(ping, &named, true, None);
        assert_eq!(told.as_deref(), Some("1.500 h1 -x h2  <1> to <6>: Ping"));
        let event = tell("0.015 h2 adopts v4, moving", &Show::Events, false, None);
        assert_eq!(event.as_deref(), Some("h2: adopts v4, moving"));
    }
}
