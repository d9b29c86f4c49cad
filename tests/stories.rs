//! Plays every story under `tests/stories` and compares what it tells with what was written down.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test stories` writes it down anew; read the difference before you
//! commit it. `STORY=data/put cargo test --test stories` plays only stories with that in their path.

#![allow(
    clippy::unwrap_used,
    reason = "in a test it is the shortest way to fail"
)]

use std::error::Error;
use std::path::{Path, PathBuf};

use goldenscript::{Argument, Context, Runner};
use roundelay::lab::story::{Command, Story};

/// Brings the commands of a script to a story.
struct Teller(Story);

impl Runner for Teller {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        context: &Context,
    ) -> Result<String, Box<dyn Error>> {
        let args = command.args.iter().map(|arg| match arg {
            Argument::KeyValue(key, value) => (Some(key.clone()), value.clone()),
            Argument::Positional(value) => (None, value.clone()),
            other => panic!("goldenscript has a new kind of argument: {other:?}"),
        });
        let command = Command {
            name: command.name.clone(),
            args: args.collect(),
            tags: context.tags.clone(),
        };
        Ok(self.0.run(&command)?)
    }
}

const STORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories");

/// All stories, in order of their paths.
fn stories() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(STORIES)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(STORIES).unwrap().display().to_string()
}

#[test]
fn every_story_goes_as_it_was_written_down() {
    let wanted = std::env::var("STORY").unwrap_or_default();
    let chosen: Vec<PathBuf> = stories()
        .into_iter()
        .filter(|path| name(path).contains(&wanted))
        .collect();
    assert!(!chosen.is_empty(), "no story has {wanted:?} in its path");
    let mut wrong = Vec::new();
    for path in &chosen {
        let told = std::panic::catch_unwind(|| goldenscript::run(&mut Teller(Story::new()), path));
        match told {
            Ok(Ok(())) => {}
            Ok(Err(error)) => wrong.push(format!("{}: {error}", name(path))),
            Err(_) => wrong.push(format!("{}: see above", name(path))),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} stories:\n{}",
        wrong.len(),
        chosen.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_same_story_twice_gives_the_same_bytes() {
    for path in stories() {
        let script = std::fs::read_to_string(&path).unwrap();
        let told = || goldenscript::generate(&mut Teller(Story::new()), &script).unwrap();
        assert_eq!(told(), told(), "{}", name(&path));
    }
}

#[test]
fn names_say_subject_condition_outcome() {
    for path in stories() {
        let name = name(&path);
        let (topic, story) = name
            .split_once('/')
            .expect("a story lies in the folder of its topic");
        assert!(
            !topic.is_empty() && !story.contains('/'),
            "{name}: one folder deep"
        );
        let words = story.split('_').count();
        assert!(
            (3..=8).contains(&words),
            "{name}: subject_condition_outcome, 3 to 8 words"
        );
    }
}
