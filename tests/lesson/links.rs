//! The stories of chapters 2, 5 and 6: nodes that find each other, without copies and without faults.
//!
//! ```text
//!   ring NODE…       a settled ring            nodes              links and span of each member
//!   join NODE VIA    and what is said          lookup NODE ID     who handled it
//!   leave NODE       and what is said          wait SECONDS       what happens, without the messages
//!   crash NODE       without a word
//! ```
//!
//! A node `37` stands at 37 (in hex) 256ths of the circle. Every message takes 10 ms, and so does the
//! bringing of a span's records; a command shows what happens in the 0.3 s after it.

use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

use goldenscript::{Command, Context, Runner};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roundelay::{
    find::{FindConfig, FindEvent, FindOut, Finder, Routes},
    keyspace::{Id, Span},
    message::{FindMessage, Peer, Ticket},
    placement::HostId,
    record::Time,
};

use crate::stories::{Failure, stories, words};

#[test]
fn stories_of_the_links_are_true() {
    for path in stories("links") {
        goldenscript::run(&mut Links::new(), path).unwrap();
    }
}

const DELAY: Duration = Duration::from_millis(10);
const SHOWN: Duration = Duration::from_millis(300);

enum Event {
    Deliver(Peer, Peer, FindMessage),
    Received(Peer, Span),
}

struct Links {
    now: Time,
    nodes: BTreeMap<Id, Finder>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    config: Arc<FindConfig>,
    /// What happened since the command began; messages only if they are to be shown.
    told: String,
    messages: bool,
}

fn peer(name: &str) -> Result<Peer, Failure> {
    let place = u8::from_str_radix(name, 16)?;
    let id = Id::from_top(u64::from(place) << 56);
    Ok(Peer {
        id,
        host: HostId(u64::from(place)),
    })
}

/// The text with `<37000000>@h37` and `37000000` written as `<37>` and `37`.
fn plain(text: &str) -> String {
    let short = text.replace("000000", "");
    let mut parts = short.split("@h");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    plain
}

impl Links {
    fn new() -> Links {
        let config = FindConfig {
            routes: Routes::Neighbours,
            ..FindConfig::default()
        };
        Links {
            now: Time::ZERO,
            nodes: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            config: Arc::new(config),
            told: String::new(),
            messages: false,
        }
    }

    fn born(&mut self, me: Peer) {
        let chance = ChaCha8Rng::seed_from_u64(me.host.0);
        self.nodes
            .insert(me.id, Finder::new(me, Arc::clone(&self.config), chance));
    }

    fn push(&mut self, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + DELAY, self.sequence), event);
    }

    /// Calls one node and carries out what it wants.
    fn call(&mut self, at: Peer, act: impl FnOnce(&mut Finder, Time, &mut Vec<FindOut>)) {
        let Some(node) = self.nodes.get_mut(&at.id) else {
            return;
        };
        let mut out = Vec::new();
        act(node, self.now, &mut out);
        node.check();
        for effect in out {
            match effect {
                FindOut::Send { to, message } => {
                    if self.messages {
                        writeln!(self.told, "{at} -> {to}  {message}").unwrap();
                    }
                    self.push(Event::Deliver(at, to, message));
                }
                FindOut::Receive { span, from } => {
                    writeln!(
                        self.told,
                        "{at} <= {from}  the records of ({}, {}]",
                        span.from.short(),
                        span.to.short()
                    )
                    .unwrap();
                    self.push(Event::Received(at, span));
                }
                FindOut::Released { .. } => writeln!(self.told, "{at} lets it go").unwrap(),
                FindOut::Found {
                    result: Ok(found), ..
                } => {
                    let path: Vec<String> =
                        found.path.iter().flatten().map(Peer::to_string).collect();
                    let (way, relays) = (found.direction, found.relays);
                    writeln!(self.told, "{}: {way}, relays {relays}", path.join(" -> ")).unwrap();
                }
                FindOut::Found {
                    result: Err(error), ..
                } => writeln!(self.told, "{at}: {error}").unwrap(),
                FindOut::Note(FindEvent::NextIs(_) | FindEvent::PrevIs(_)) if self.messages => {}
                FindOut::Note(event) => writeln!(self.told, "{at} {event}").unwrap(),
                FindOut::LinksChanged => {}
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = self.queue.keys().next().map(|(at, _)| *at);
            let wakes = self
                .nodes
                .values()
                .filter_map(|node| Some((node.next_wake()?, node.me())));
            let wake = wakes.min_by_key(|(at, node)| (*at, node.id));
            match (due, wake) {
                (Some(at), _) if at <= until && wake.is_none_or(|(wake, _)| at <= wake) => {
                    self.now = at;
                    match self.queue.pop_first().unwrap().1 {
                        Event::Deliver(from, to, message) => {
                            self.call(to, |node, now, out| node.receive(now, from, message, out));
                        }
                        Event::Received(at, span) => {
                            self.call(at, |node, now, out| node.span_received(now, span, out));
                        }
                    }
                }
                (_, Some((at, node))) if at <= until => {
                    self.now = self.now.max(at);
                    self.call(node, |node, now, out| node.wake(now, out));
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn members(&self) -> String {
        let members = self.nodes.values().filter(|node| node.is_member());
        let lines = members.map(|node| {
            let (me, links) = (node.me(), node.links());
            let holds = node.span().map_or("nothing".into(), |span| {
                format!("({}, {}]", span.from.short(), span.to.short())
            });
            format!("{} ⇄ {me} ⇄ {}   holds {holds}\n", links.prev, links.next)
        });
        lines.collect()
    }
}

impl Runner for Links {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        let words = words(command)?;
        self.told.clear();
        self.messages = matches!(command.name.as_str(), "join" | "leave");
        match (command.name.as_str(), words.as_slice()) {
            ("ring", names) => {
                let peers: Result<Vec<Peer>, Failure> =
                    names.iter().map(|name| peer(name)).collect();
                let mut peers = peers?;
                peers.sort();
                let ring: Arc<[Peer]> = peers.into();
                for me in ring.iter() {
                    self.born(*me);
                    self.call(*me, |node, now, out| node.start_in_ring(now, &ring, out));
                }
                self.told.clear();
            }
            ("join", [name, via]) => {
                let (me, via) = (peer(name)?, peer(via)?);
                self.born(me);
                self.call(me, |node, now, out| node.join(now, via, out));
                Links::run(self, SHOWN);
            }
            ("leave", [name]) => {
                self.call(peer(name)?, |node, now, out| node.leave(now, out));
                Links::run(self, SHOWN);
            }
            ("crash", [name]) => {
                self.nodes.remove(&peer(name)?.id);
            }
            ("lookup", [name, target]) => {
                let (me, target) = (peer(name)?, peer(target)?.id);
                self.call(me, |node, now, out| {
                    node.lookup_traced(now, Ticket(1), target, out)
                });
                Links::run(self, SHOWN);
            }
            ("wait", [seconds]) => Links::run(self, Duration::from_secs(seconds.parse()?)),
            ("nodes", []) => self.told = self.members(),
            (name, _) => {
                return Err(format!("`{name}` with {words:?} is no command of the links").into());
            }
        }
        Ok(plain(&self.told))
    }
}
