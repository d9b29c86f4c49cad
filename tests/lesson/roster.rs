//! The stories of chapter 6 about the roster: what moves, who must merge, what a request needs.
//!
//! ```text
//!   settled R NAME=TOKEN…           the first roster         need ID    the quorums of a request
//!   join NAME=TOKEN | remove NAME | copies R                 finish | give_up
//! ```
//!
//! A host at `37` stands at 37 (in hex) 256ths of the circle.

use std::{collections::BTreeMap, fmt::Write};

use goldenscript::{Command, Context, Runner};
use roundelay::{
    keyspace::Id,
    placement::{HostId, Member},
    roster::{Change, RingId, Roster},
};

use crate::stories::{Failure, stories};

#[test]
fn stories_of_the_roster_are_true() {
    for path in stories("roster") {
        goldenscript::run(&mut Rosters(None), path).unwrap();
    }
}

struct Rosters(Option<Roster>);

fn place(text: &str) -> Result<Id, Failure> {
    Ok(Id::from_top(u64::from(u8::from_str_radix(text, 16)?) << 56))
}

fn names(hosts: &[HostId]) -> String {
    let names: Vec<String> = hosts.iter().map(HostId::to_string).collect();
    names.join(" ")
}

/// The roster in words, with what has to move.
fn told(roster: &Roster) -> Result<String, Failure> {
    let mut out = String::new();
    let members = |hosts: Vec<HostId>| names(&hosts);
    let new = members(roster.new().placement.hosts().collect());
    if !roster.is_moving() {
        return Ok(format!("{} settled({new})\n", roster.version));
    }
    let old = members(roster.old().placement.hosts().collect());
    writeln!(out, "{} moving({old} -> {new})", roster.version)?;
    for piece in roster.moves() {
        let (from, to) = (
            piece.span.from.short().to_string(),
            piece.span.to.short().to_string(),
        );
        writeln!(
            out,
            "({}, {}] is held by {}, will be by {}",
            &from[..2],
            &to[..2],
            names(&piece.old),
            names(&piece.new)
        )?;
    }
    Ok(out)
}

impl Rosters {
    fn next(&mut self, roster: Roster) -> Result<String, Failure> {
        let out = told(&roster)?;
        self.0 = Some(roster);
        Ok(out)
    }
}

impl Runner for Rosters {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        let mut args = command.consume_args();
        let by = HostId(1);
        let mut words: Vec<&str> = Vec::new();
        while let Some(word) = args.next_pos() {
            words.push(word);
        }
        let mut members = BTreeMap::new();
        while let Some((name, token)) = args.next_key() {
            members.insert(name.parse::<HostId>()?, Member::new([place(token)?]));
        }
        let changes: Vec<Change> = match (command.name.as_str(), words.as_slice(), &self.0) {
            ("settled", [r], None) => {
                return self.next(Roster::settled(RingId(1), members, r.parse()?)?);
            }
            ("finish", [], Some(roster)) => return self.next(roster.finished(by)?),
            ("give_up", [], Some(roster)) => return self.next(roster.given_up(by)?),
            ("need", [id], Some(roster)) => {
                let groups = roster.groups(place(id)?).groups;
                let needed = groups
                    .iter()
                    .map(|group| format!("{} of {}", group.len() / 2 + 1, names(group)));
                return Ok(needed.collect::<Vec<_>>().join(", and ") + "\n");
            }
            ("join", [], Some(_)) => members
                .into_iter()
                .map(|(host, member)| Change::Join(host, member))
                .collect(),
            ("remove", [host], Some(_)) => vec![Change::Remove(host.parse()?)],
            ("copies", [r], Some(_)) => vec![Change::Replicas(r.parse()?)],
            (name, ..) => {
                return Err(format!("`{name}` with {words:?} is no command of the roster").into());
            }
        };
        let roster = self.0.take().ok_or("begin with `settled`")?;
        match roster.moved(by, &changes) {
            Ok(moving) => self.next(moving),
            Err(why) => {
                self.0 = Some(roster);
                Ok(format!("refused: {why}\n"))
            }
        }
    }
}
