//! A story played in the laboratory and over TCP, command by command, and compared.

use std::collections::BTreeSet;
use std::error::Error;

use goldenscript::{Command, Runner};
use roundelay::lab::story::{self, Story};

use super::tcp::Tcp;
use super::words::Words;
use super::{ASKS, DEEDS};

/// Versions have other numbers here and there: what is left is whether it is a delete, and who wrote it.
fn without_numbers(text: &str) -> String {
    let word = |word: &str| {
        let Some((number, rest)) = word.split_once("@h") else {
            return word.to_owned();
        };
        let delete = number.starts_with('d') || number.starts_with('-');
        let host: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let end = rest
            .rsplit(|letter: char| letter.is_ascii_digit())
            .next()
            .unwrap_or_default();
        format!("{}@h{host}{end}", if delete { "d" } else { "w" })
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Plays a story in both, and notes where they differ.
#[derive(Default)]
pub(super) struct Both {
    laboratory: Story,
    tcp: Option<Tcp>,
    keys: BTreeSet<String>,
    pub(super) compared: usize,
    pub(super) differences: Vec<String>,
}

impl Runner for Both {
    type Command = Command;

    fn run(
        &mut self,
        command: &Command,
        _: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let (name, words) = (command.name.as_str(), Words::of(command));
        if name == "trace" {
            return Ok(String::new());
        }
        if name == "ring" {
            self.settled()?; // The world before, while it is still there.
        }
        let there = self.tell(command)?;
        if name == "ring" {
            self.say("trace", &["off"])?;
            self.tcp = Some(Tcp::ring(&words));
        } else if DEEDS.contains(&name) {
            self.tcp.as_mut().unwrap().deed(name, &words);
        } else if ASKS.contains(&name) {
            let here = self.tcp.as_mut().unwrap().ask(name, &words);
            self.compare(&format!("{name} {:?}", words.0), there.trim_end(), &here);
            if let Some(key) = words.place(0).filter(|_| matches!(name, "put" | "del")) {
                self.keys.insert(key.to_owned());
            }
        }
        Ok(String::new())
    }

    fn end_script(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(self.settled()?)
    }
}

impl Both {
    fn tell(&mut self, command: &Command) -> Result<String, String> {
        self.laboratory.run(&story::Command {
            name: command.name.clone(),
            args: Words::of(command).0,
            tags: BTreeSet::new(),
        })
    }

    fn say(&mut self, name: &str, words: &[&str]) -> Result<String, String> {
        let args = words.iter().map(|word| match word.split_once('=') {
            Some((key, value)) => (Some(key.to_owned()), value.to_owned()),
            None => (None, (*word).to_owned()),
        });
        self.laboratory.run(&story::Command {
            name: name.to_owned(),
            args: args.collect(),
            tags: BTreeSet::new(),
        })
    }

    fn compare(&mut self, what: &str, there: &str, here: &str) {
        self.compared += 1;
        let (there, here) = (without_numbers(there), without_numbers(here));
        if there != here {
            self.differences.push(format!(
                "{what}\n    laboratory: {there}\n    over TCP:   {here}"
            ));
        }
    }

    /// At the end every host that is up reads the same of every key, there and here.
    fn settled(&mut self) -> Result<(), String> {
        let Some(mut tcp) = self.tcp.take() else {
            return Ok(());
        };
        self.say("run", &["30s"])?;
        tcp.deed("run", &Words(vec![(None, "30s".to_owned())]));
        let keys = std::mem::take(&mut self.keys);
        for (host, key) in tcp
            .up
            .clone()
            .into_iter()
            .flat_map(|host| keys.iter().map(move |key| (host, key)))
        {
            let at = format!("at=h{host}");
            let there = self.say("get", &[key, &at])?;
            let words = Words(vec![
                (None, key.clone()),
                (Some("at".to_owned()), format!("h{host}")),
            ]);
            let here = tcp.ask("get", &words);
            self.compare(
                &format!("at the end: get {key:?} {at}"),
                there.trim_end(),
                &here,
            );
        }
        Ok(())
    }
}
