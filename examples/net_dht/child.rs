//! The parent's side of a process.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::host::{DIRECTORY, SEEDS};
use crate::tidy;

/// A host that is not in the ring after so long will not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process with a host in it. Dropped, it is killed.
pub(crate) struct Child {
    name: &'static str,
    process: std::process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Child {
    /// Starts this program again, as a host.
    pub(crate) fn start(name: &'static str, dir: &Path, seeds: &[String]) -> anyhow::Result<Child> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(DIRECTORY, dir)
            .env(SEEDS, seeds.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        tidy::begun(process.id());
        let input = process.stdin.take().context("no input")?;
        let output = BufReader::new(process.stdout.take().context("no output")?).lines();
        let mut child = Child {
            name,
            process,
            input,
            output,
            address: String::new(),
        };
        child.address = child.answer()?;
        Ok(child)
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let line = self.output.next();
        line.with_context(|| format!("{} has ended", self.name))?
            .with_context(|| format!("{} cannot be heard", self.name))
    }

    /// Tells it to do something; its answer.
    pub(crate) fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        writeln!(self.input, "{line}").with_context(|| format!("{} does not listen", self.name))?;
        let answer = self.answer()?;
        if answer.starts_with("failed: ") {
            bail!("{}: {line}: {answer}", self.name);
        }
        Ok(answer)
    }

    pub(crate) fn wait_until_it_is_in(&mut self) -> anyhow::Result<()> {
        self.wait_until_it_is_in_while(|_| {})
    }

    /// The same, telling how far it is whenever that has changed.
    pub(crate) fn wait_until_it_is_in_while(
        &mut self,
        mut tell: impl FnMut(&str),
    ) -> anyhow::Result<()> {
        let (begin, mut before) = (Instant::now(), String::new());
        while begin.elapsed() < PATIENCE {
            let answer = self.ask("in")?;
            if answer == "yes" {
                return Ok(());
            }
            if answer != before {
                tell(&answer);
                before = answer;
            }
        }
        bail!(
            "{} is not in the ring after {PATIENCE:?}: {before}",
            self.name
        )
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        tidy::ended(self.process.id());
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.process.kill();
        let _ = self.process.wait();
        tidy::ended(self.process.id());
    }
}
