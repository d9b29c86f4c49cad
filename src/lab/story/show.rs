//! Commands that look, and how answers read.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::find::Finder;
use crate::keyspace::{Id, Span};
use crate::message::{Outcome, Request};
use crate::placement::HostId;
use crate::record::{Key, Summary};
use crate::sim::Answer;
use crate::store::{Done, Op, Page};

use super::answer;
use super::args::Args;
use super::names::Show;
use super::settle::is_settled;
use super::{PATIENCE, Scene, Story};

impl Story {
    pub(super) fn show_command(
        &mut self,
        name: &str,
        args: &mut Args<'_>,
    ) -> Result<String, String> {
        let text = match name {
            "tables" => {
                let from = args.parsed("from")?.unwrap_or(0);
                let to = args.parsed("to")?.unwrap_or(11);
                args.end()?;
                self.tables(from, to)?
            }
            "keys" => {
                args.end()?;
                self.scene()?.keys()?
            }
            "status" => {
                if args.word().is_some_and(|word| word == "ring") {
                    return self.operate(args, Request::StatusOfAll);
                }
                args.end()?;
                self.scene()?.status()
            }
            "links-of" => self.scene()?.links_of(args)?,
            "versions" => {
                args.end()?;
                self.names.in_order().join(" < ") + "\n"
            }
            "trace" => self.trace(args)?,
            "check" => {
                args.end()?;
                self.scene()?.check()?
            }
            "remember" => {
                let name = args.need("NAME")?.to_owned();
                args.end()?;
                let past = self.past()?;
                self.remembered.insert(name, past);
                String::new()
            }
            _ => self.same(args)?,
        };
        Ok(self.names.shorten(&text))
    }

    fn trace(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let first = args.need("off, events, on, all or MESSAGE")?;
        let show = match first {
            "off" => Show::Nothing,
            "events" => Show::Events,
            "on" => Show::Messages,
            "all" => Show::All,
            name => {
                let mut names = vec![name.to_owned()];
                names.extend(std::iter::from_fn(|| args.word()).map(str::to_owned));
                Show::Named(names)
            }
        };
        args.end()?;
        self.show = show;
        Ok(String::new())
    }

    /// All that has happened in this world.
    fn past(&mut self) -> Result<String, String> {
        let scene = self.scene()?;
        let rest = scene.lines.take();
        scene.past.push_str(&rest);
        Ok(scene.past.clone())
    }

    fn same(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let name = args.need("NAME")?;
        args.end()?;
        let past = self.past()?;
        let other = self
            .remembered
            .get(name)
            .ok_or_else(|| format!("NAME: nothing was remembered as {name}"))?;
        Ok(if past == *other {
            format!("the same as {name}, line by line\n")
        } else {
            format!("not the same as {name}\n")
        })
    }

    /// For each id: who owns it, and between which nodes it lies, as every host says.
    fn tables(&mut self, from: u64, to: u64) -> Result<String, String> {
        if from > to || to - from > 1000 {
            return Err("from= must not lie above to=, and at most 1000 below it".to_owned());
        }
        let scene = self.scene()?;
        let up: Vec<HostId> = scene.up().collect();
        let mut text = "  id  owner  between\n".to_owned();
        for number in from..=to {
            let mut rows = BTreeMap::new();
            for host in &up {
                let row = scene.row(*host, Id::from_u64(number));
                rows.entry(row).or_insert_with(Vec::new).push(*host);
            }
            for (row, hosts) in &rows {
                let said = if rows.len() > 1 {
                    format!("  say {hosts:?}")
                } else {
                    String::new()
                };
                let _ = writeln!(text, "{number:>4}  {row}{said}");
            }
        }
        Ok(text)
    }
}

impl Scene {
    fn up(&self) -> impl Iterator<Item = HostId> {
        self.hosts
            .iter()
            .filter(|(_, up)| **up)
            .map(|(host, _)| *host)
    }

    fn row(&mut self, host: HostId, id: Id) -> String {
        let limit = self.world.now() + PATIENCE;
        match self.world.ask(host, Request::Lookup(id), limit) {
            Some(Answer::Reply(Ok(Outcome::Route(route)))) => {
                let owner = route.owner;
                let node = self
                    .world
                    .host(owner.host)
                    .and_then(|host| host.node(owner.id));
                let prev = node.map(|node| node.links().prev);
                let prev = prev.map_or("-".to_owned(), |prev| prev.id.short().to_string());
                format!("{:>5}  {prev} and {}", owner.id.short(), owner.id.short())
            }
            Some(Answer::Reply(Err(failure))) => format!("    -  {failure}"),
            other => format!("    -  {other:?}"),
        }
    }

    /// Which host holds which key at which version.
    fn keys(&mut self) -> Result<String, String> {
        let mut held: BTreeMap<Key, BTreeMap<HostId, Summary>> = BTreeMap::new();
        let hosts: Vec<(HostId, bool)> = self.hosts.iter().map(|(host, up)| (*host, *up)).collect();
        for (host, _) in &hosts {
            for (key, summary) in self.list(*host)? {
                held.entry(key).or_default().insert(*host, summary);
            }
        }
        if held.is_empty() {
            return Ok("no keys\n".to_owned());
        }
        let mut rows: Vec<(String, &Key)> =
            held.keys().map(|key| (answer::label(key), key)).collect();
        rows.sort();
        let width = rows.iter().map(|(label, _)| label.chars().count()).max();
        let mut text = String::new();
        for (label, key) in rows {
            let _ = write!(
                text,
                "{label:0$}  {1}",
                width.unwrap_or(0),
                key.id().short()
            );
            for (host, up) in &hosts {
                let versions = held[key].get(host).map_or("-".to_owned(), answer::versions);
                let _ = match up {
                    true => write!(text, "  {host} {versions}"),
                    false => write!(text, "  ({host} {versions})"),
                };
            }
            text.push('\n');
        }
        Ok(text)
    }

    fn list(&mut self, host: HostId) -> Result<Vec<(Key, Summary)>, String> {
        let page = Page {
            span: Span::whole(Id::from_u64(0)),
            after: None,
            max_records: usize::MAX,
            max_bytes: u64::MAX,
        };
        match self.world.store(host).apply(Op::List(page)) {
            Done::List(list, _) => Ok(list),
            Done::Failed(error) => Err(format!("the store of {host}: {error}")),
            other @ (Done::Cells(_)
            | Done::Piece(_)
            | Done::Staged
            | Done::Versions(_)
            | Done::Held(_)
            | Done::Below(_)
            | Done::Page(..)
            | Done::Digests(_)
            | Done::Discarded(_)
            | Done::Shelved(_)
            | Done::Confirmed { .. }
            | Done::Reviewed { .. }
            | Done::Garbage(_)
            | Done::Collected(..)
            | Done::Set) => unreachable!("a list was answered by {other:?}"),
        }
    }

    pub(super) fn status(&mut self) -> String {
        let mut text = String::new();
        for (host, up) in self.hosts.clone() {
            if !up {
                let _ = writeln!(text, "{host} is down");
                continue;
            }
            let limit = self.world.now() + PATIENCE;
            let answer = self.world.ask(host, Request::Status, limit);
            let _ = match answer {
                Some(Answer::Reply(reply)) => {
                    writeln!(text, "{host} {}", answer::reply(&Request::Status, &reply))
                }
                other => writeln!(text, "{host} {other:?}"),
            };
        }
        text
    }

    /// Which hosts may stop, and why not.
    pub(super) fn safe_to_stop(&self) -> String {
        let mut text = String::new();
        for host in self.world.hosts() {
            let said = match host.safe_to_stop() {
                Ok(()) => "safe to stop".to_owned(),
                Err(why) => format!("not safe to stop: {why}"),
            };
            let _ = writeln!(text, "{} {said}", host.id());
        }
        text
    }

    /// How many copies a key has, as a host says.
    pub(super) fn replicas(&mut self, host: HostId) -> Result<String, String> {
        let limit = self.world.now() + PATIENCE;
        match self.world.ask(host, Request::Status, limit) {
            Some(Answer::Reply(Ok(Outcome::Status(status)))) => {
                let (wanted, hosts) = (usize::from(status.replicas), status.hosts.len());
                let real = wanted.min(hosts);
                Ok(format!(
                    "{wanted} copies of each key, {real} with {hosts} hosts\n"
                ))
            }
            other => Err(format!("{host}: {other:?}")),
        }
    }

    fn links_of(&mut self, args: &mut Args<'_>) -> Result<String, String> {
        let mut chosen = Vec::new();
        while let Some(name) = args.word() {
            chosen.push(self.known("HOST", name)?);
        }
        args.end()?;
        let mut nodes: Vec<&Finder> = self.world.hosts().flat_map(|host| host.nodes()).collect();
        nodes.retain(|node| chosen.is_empty() || chosen.contains(&node.me().host));
        nodes.sort_by_key(|node| node.me());
        let mut text = String::new();
        for node in nodes {
            let links = node.links();
            let span = match node.span() {
                Some(span) => format!("holds {span:#}"),
                None if node.is_outside() => "is outside".to_owned(),
                None => "holds nothing".to_owned(),
            };
            let (prev, next) = (links.prev, links.next);
            let _ = writeln!(text, "{prev} <- {} -> {next}  {span}", node.me());
        }
        Ok(text)
    }

    /// Every host, and that the settled ring is one.
    fn check(&mut self) -> Result<String, String> {
        self.world.check();
        let mut nodes: Vec<&Finder> = self.world.hosts().flat_map(|host| host.nodes()).collect();
        nodes.retain(|node| node.is_member());
        nodes.sort_by_key(|node| node.me());
        if self.hosts.values().all(|up| *up) && is_settled(&self.world, self.plan.by_links) {
            for (place, node) in nodes.iter().enumerate() {
                let next = nodes[(place + 1) % nodes.len()].me();
                if node.links().next != next {
                    let (me, is) = (node.me(), node.links().next);
                    return Ok(format!("wrong: the next of {me} is {is}, not {next}\n"));
                }
            }
        }
        Ok("all is well\n".to_owned())
    }
}
