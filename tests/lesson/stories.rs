//! The stories of chapters 1, 3 and 4: commands, `---`, and what is true. (Those about links need nodes,
//! and stand in `links.rs`.)
//!
//! ```text
//!   circle   id TEXT | distance A B | halfway A B | inside FROM TO ID…
//!   ring     ring N | send cw|anti_cw FROM LIMIT | stop NAME
//!   owners   host NAME TOKEN… | leave NAME | owner ID… | holders R ID…
//! ```
//!
//! Ids are written in hex, as [`Id`] reads them: `1f` is 31, seen from zero.

use std::{
    cell::RefCell, collections::BTreeMap, error::Error, fmt::Write, num::NonZeroU32, path::PathBuf,
    rc::Rc, time::Duration,
};

use actix::{System, SystemRunner};
use goldenscript::{Command, Context, Runner};
use roundelay::{
    keyspace::{Id, Span},
    placement::{HostId, Member, Placement, moved},
    ring::{Name, Ring, Settings},
};

pub(crate) type Failure = Box<dyn Error>;

pub(crate) fn stories(topic: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(crate::root().join("tests/lesson").join(topic)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no stories about {topic}");
    paths
}

#[test]
fn stories_of_the_circle_are_true() {
    for path in stories("circle") {
        goldenscript::run(&mut Circle, path).unwrap();
    }
}

#[test]
fn stories_of_the_ring_are_true() {
    for path in stories("ring") {
        goldenscript::run(&mut Processes::new(), path).unwrap();
    }
}

#[test]
fn stories_of_owners_are_true() {
    for path in stories("owners") {
        goldenscript::run(&mut Owners::default(), path).unwrap();
    }
}

/// The plain words of a command.
pub(crate) fn words(command: &Command) -> Result<Vec<&str>, Failure> {
    let mut args = command.consume_args();
    let words = std::iter::from_fn(|| args.next_pos()).collect();
    args.reject_next()?;
    Ok(words)
}

/// A small number as on paper; a large one by its first digits, or by what it lacks to a whole turn.
fn shown(id: Id) -> String {
    let missing = Id::ZERO.wrapping_sub(id);
    if id.top() == 0 {
        let text = id.to_string();
        let short = text.trim_start_matches('0');
        if short.is_empty() {
            "0".into()
        } else {
            short.into()
        }
    } else if missing.top() == 0 {
        format!("2^160 - {}", shown(missing))
    } else {
        format!("{}…", id.short())
    }
}

fn span(span: Span) -> String {
    format!("({}, {}]", shown(span.from), shown(span.to))
}

struct Circle;

impl Runner for Circle {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        let words = words(command)?;
        let mut out = String::new();
        match (command.name.as_str(), words.as_slice()) {
            ("id", [text]) => writeln!(out, "{text} is {}", shown(Id::of(text.as_bytes())))?,
            ("distance", [a, b]) => {
                let (from, to): (Id, Id) = (a.parse()?, b.parse()?);
                writeln!(
                    out,
                    "from {a} to {b}, clockwise: {}",
                    shown(from.distance(to))
                )?;
            }
            ("halfway", [a, b]) => {
                let (from, to): (Id, Id) = (a.parse()?, b.parse()?);
                writeln!(
                    out,
                    "halfway from {a} to {b}, clockwise: {}",
                    shown(from.midpoint(to))
                )?;
            }
            ("inside", [from, to, ids @ ..]) => {
                let stretch = Span::new(from.parse()?, to.parse()?);
                for id in ids {
                    let verb = if stretch.contains(id.parse()?) {
                        "contains"
                    } else {
                        "does not contain"
                    };
                    writeln!(out, "{} {verb} {id}", span(stretch))?;
                }
            }
            (name, _) => {
                return Err(format!("`{name}` with {words:?} is no command of the circle").into());
            }
        }
        Ok(out)
    }
}

struct Processes {
    system: SystemRunner,
    ring: Option<Ring>,
    lines: Rc<RefCell<Vec<String>>>,
}

impl Processes {
    fn new() -> Self {
        Self {
            system: System::new(),
            ring: None,
            lines: Rc::default(),
        }
    }

    fn settings(&self) -> Settings {
        let lines = Rc::clone(&self.lines);
        let watch = Box::new(move |event: roundelay::ring::Event<'_>| {
            lines.borrow_mut().push(event.to_string())
        });
        Settings {
            delay: Duration::ZERO,
            watch,
        }
    }

    /// What happens until nothing more does.
    fn settle(&self) -> String {
        self.system.block_on(async {
            let (mut quiet, mut count) = (0, 0);
            while quiet < 100 {
                tokio::task::yield_now().await;
                let more = self.lines.borrow().len();
                quiet = if more == count { quiet + 1 } else { 0 };
                count = more;
            }
        });
        self.lines
            .borrow_mut()
            .drain(..)
            .map(|line| line + "\n")
            .collect()
    }
}

impl Runner for Processes {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        let words = words(command)?;
        match (command.name.as_str(), words.as_slice(), &mut self.ring) {
            ("ring", [n], _) => {
                let n: NonZeroU32 = n.parse()?;
                let settings = self.settings();
                self.ring = Some(self.system.block_on(async {
                    let ring = Ring::start(n, settings);
                    ring.link_all().map(|()| ring)
                })?);
            }
            ("send", [way, from, limit], Some(ring)) => {
                let (from, limit) = (Name(from.parse()?), limit.parse()?);
                let sent = match *way {
                    "cw" => ring.send_cw(from, "Hi", limit)?,
                    "anti_cw" => ring.send_anti_cw(from, "Hi", limit)?,
                    _ => return Err("send cw or anti_cw".into()),
                };
                return Ok(format!("{sent}\n{}", self.settle()));
            }
            ("stop", [name], Some(ring)) => ring.stop(Name(name.parse()?))?,
            (name, ..) => {
                return Err(format!("`{name}` with {words:?} is no command of the ring").into());
            }
        }
        Ok(self.settle())
    }
}

#[derive(Default)]
struct Owners {
    placement: Placement,
    names: BTreeMap<HostId, String>,
}

impl Owners {
    fn host(&self, name: &str) -> HostId {
        let known = self.names.iter().find(|(_, known)| *known == name);
        known.map_or(HostId(self.names.len() as u64 + 1), |(host, _)| *host)
    }

    /// What moves from the placement before to the one now.
    fn moves(&self, before: &Placement) -> String {
        let moves = moved(before, &self.placement);
        let lines = moves.iter().map(|moved| {
            format!(
                "{} moves from {} to {}\n",
                span(moved.span),
                self.names[&moved.from],
                self.names[&moved.to]
            )
        });
        let lines: String = lines.collect();
        if lines.is_empty() {
            "nothing moves\n".into()
        } else {
            lines
        }
    }
}

impl Runner for Owners {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        let words = words(command)?;
        let before = self.placement.clone();
        let mut out = String::new();
        match (command.name.as_str(), words.as_slice()) {
            ("host", [name, tokens @ ..]) => {
                let tokens: Result<Vec<Id>, _> = tokens.iter().map(|token| token.parse()).collect();
                let host = self.host(name);
                self.names.insert(host, (*name).to_owned());
                self.placement.insert(host, Member::new(tokens?))?;
                out = self.moves(&before);
            }
            ("leave", [name]) => {
                self.placement.remove(self.host(name));
                out = self.moves(&before);
            }
            ("owner", ids) => {
                for id in ids {
                    let token = self.placement.owner(id.parse()?)?;
                    writeln!(
                        out,
                        "{id} belongs to {} at {}",
                        self.names[&token.host],
                        shown(token.id)
                    )?;
                }
            }
            ("holders", [r, ids @ ..]) => {
                for id in ids {
                    let hosts = self.placement.replicas(id.parse()?, r.parse()?);
                    let names: Vec<&str> =
                        hosts.iter().map(|host| self.names[host].as_str()).collect();
                    writeln!(out, "{id} is kept by {}", names.join(", "))?;
                }
            }
            (name, _) => {
                return Err(format!("`{name}` with {words:?} is no command about owners").into());
            }
        }
        Ok(out)
    }
}
