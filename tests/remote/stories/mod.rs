//! The stories of stage two, unchanged, by processes that talk over TCP: what clients are told agrees.
//!
//! A story under `tests/stories` is played twice, command by command: by the laboratory's [`Story`], and here by hosts with
//! links, each in a process of its own, in another simulated network and at other moments. What happened between hosts differs;
//! what a client was told must not, nor who holds a key, nor what all read when everything has settled.
//!
//! ```text
//! put cat 2 at=h1     laboratory: stored w2@h1      processes: stored 1700000004012.0@h1/1      both: stored w@h1
//! ```
//!
//! Left out: stories that are about the laboratory's own network and disks (`hold`, `slow`, `sync=` and the like), or that ask
//! two things at once. Which ones can be played is found out by their commands.

mod both;
mod tcp;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};

use goldenscript::{Argument, Command, Runner};

use both::Both;
use words::Words;

const STORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories");

/// What clients ask: both are told the same.
const ASKS: [&str; 12] = [
    "put",
    "get",
    "del",
    "has",
    "ttl",
    "expire",
    "put-content",
    "fetch",
    "whereis",
    "join",
    "leave",
    "replicas",
];

/// What is done to hosts.
const DEEDS: [&str; 5] = ["ring", "crash", "restart", "run", "settle"];

/// What only shows something of the laboratory's world.
const SHOWS: [&str; 7] = [
    "keys", "versions", "trace", "status", "links-of", "tables", "check",
];

/// Arguments that this stage understands.
const ARGUMENTS: [&str; 13] = [
    "at",
    "via",
    "ttl",
    "in",
    "size",
    "key-size",
    "consistency",
    "replicas",
    "deadline",
    "hosts",
    "tokens",
    "repair",
    "seed",
];

/// Finds out whether a story can be played here.
#[derive(Default)]
struct Looks(BTreeSet<String>);

impl Runner for Looks {
    type Command = Command;

    fn run(
        &mut self,
        command: &Command,
        _: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let name = command.name.as_str();
        let known = ASKS.contains(&name) || DEEDS.contains(&name) || SHOWS.contains(&name);
        if !known {
            self.0.insert(name.to_owned());
        }
        for (key, value) in Words::of(command).0 {
            match key {
                Some(key) if !ARGUMENTS.contains(&key.as_str()) => {
                    self.0.extend([format!("{key}=")])
                }
                None if value == "check" => self.0.extend([value]),
                _ => {}
            }
        }
        if name == "replicas"
            && command
                .args
                .first()
                .is_none_or(|arg| matches!(arg, Argument::KeyValue(..)))
        {
            self.0.insert("replicas shown".to_owned());
        }
        Ok(String::new())
    }
}

fn all_stories() -> BTreeMap<String, PathBuf> {
    let topics = std::fs::read_dir(STORIES).unwrap();
    let stories = topics.flat_map(|topic| std::fs::read_dir(topic.unwrap().path()).unwrap());
    let named = stories.map(|story| {
        let path = story.unwrap().path();
        (
            path.strip_prefix(STORIES).unwrap().display().to_string(),
            path,
        )
    });
    named.collect()
}

fn is_playable(path: &Path) -> bool {
    let mut looks = Looks::default();
    let script = std::fs::read_to_string(path).unwrap();
    // A command that must fail is a mistake on purpose: about the laboratory's language.
    let mistakes = script.lines().any(|line| line.starts_with('!'));
    goldenscript::generate(&mut looks, &script).is_ok() && looks.0.is_empty() && !mistakes
}

#[test]
fn stories_tell_clients_the_same_over_tcp() {
    let wanted = std::env::var("STORY").unwrap_or_default();
    let mut stories = all_stories();
    stories.retain(|name, path| name.contains(&wanted) && is_playable(path));
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (name, path) in &stories {
        let mut both = Both::default();
        let script = std::fs::read_to_string(path).unwrap();
        if let Err(error) = goldenscript::generate(&mut both, &script) {
            wrong.push(format!("{name}: {error}"));
        }
        compared += both.compared;
        wrong.extend(
            both.differences
                .iter()
                .map(|words| format!("{name}: {words}")),
        );
    }
    let names: Vec<&str> = stories.keys().map(String::as_str).collect();
    println!(
        "{} stories, {compared} answers compared: {}",
        names.len(),
        names.join(" ")
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        !wanted.is_empty() || (names.len() >= 20 && compared >= 100),
        "hardly any story is played"
    );
}
