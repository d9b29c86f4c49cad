//! `roundelay story`: the text of a story, played.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use goldenscript::{Argument, Context, Runner};
use roundelay::lab::story::{Command, Story, USAGE};

/// Brings the commands of a script to a story.
struct Teller(Story);

impl Runner for Teller {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        context: &Context,
    ) -> Result<String, Box<dyn Error>> {
        let mut args = Vec::with_capacity(command.args.len());
        for arg in &command.args {
            args.push(match arg {
                Argument::KeyValue(key, value) => (Some(key.clone()), value.clone()),
                Argument::Positional(value) => (None, value.clone()),
                other => return Err(format!("what kind of argument is {other}?").into()),
            });
        }
        let (name, tags) = (command.name.clone(), context.tags.clone());
        Ok(self.0.run(&Command { name, args, tags })?)
    }
}

/// Plays stories one after the other, each in a world of its own.
pub(super) fn play_all(files: &[PathBuf], no_output: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    for file in files {
        if files.len() > 1 {
            let _ = writeln!(text, "=== {}", file.display());
        }
        text.push_str(&play(file, no_output)?);
    }
    Ok(text)
}

fn play(file: &Path, no_output: bool) -> anyhow::Result<String> {
    let script = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the story {}", file.display()))?;
    if no_output {
        return Ok(commands_only(&script));
    }
    if let Some(line) = unanswered(&script) {
        anyhow::bail!(
            "cannot play the story {}: no line with --- stands below the commands that begin in line {line}; what they print goes there",
            file.display()
        );
    }
    goldenscript::generate(&mut Teller(Story::new()), &script)
        .with_context(|| format!("cannot play the story {}", file.display()))
}

/// The script without what was recorded: all from a `---` to the next empty line.
fn commands_only(script: &str) -> String {
    let mut text = String::new();
    let mut recorded = false;
    for line in script.lines() {
        match line {
            "---" => {
                recorded = true;
                text.push_str("---\n");
            }
            "" => {
                recorded = false;
                text.push('\n');
            }
            _ if recorded => {}
            command => {
                text.push_str(command);
                text.push('\n');
            }
        }
    }
    text
}

/// The line in which commands begin that no `---` stands below.
fn unanswered(script: &str) -> Option<usize> {
    let (mut begin, mut recorded) = (None, false);
    for (number, line) in (1..).zip(script.lines().map(str::trim_end)) {
        match line {
            "---" => (begin, recorded) = (None, true),
            "" => recorded = false,
            comment if comment.trim_start().starts_with('#') => {}
            _ if recorded => {}
            _ => begin = begin.or(Some(number)),
        }
    }
    begin
}

/// The language of stories, a command a paragraph.
pub(super) fn commands() -> String {
    let mut text = String::new();
    for (name, arguments, what) in USAGE {
        let _ = writeln!(text, "{name} {arguments}\n    {what}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_without_a_place_for_what_they_print_are_found() {
        for (script, line) in [
            ("", None),
            ("# only words\n", None),
            ("put cat 1\n---\n", None),
            ("put cat 1\n\nget cat\n---\nput is said\n\n# end\n", None),
            ("put cat 1\nget cat\n", Some(1)),
            ("# a\nput cat 1\n---\nstored\n\n# b\n\nget cat\n", Some(8)),
        ] {
            assert_eq!(unanswered(script), line, "{script}");
        }
    }

    #[test]
    fn commands_stand_alone_without_what_was_recorded() {
        let script = "# a\nput cat 1\n---\nstored\n> \n\nget cat\n---\n";
        assert_eq!(
            commands_only(script),
            "# a\nput cat 1\n---\n\nget cat\n---\n"
        );
    }
}
