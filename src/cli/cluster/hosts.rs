//! The processes of a cluster: started, looked at, started again, ended together.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::Signal;
use tokio::time::Instant;

use super::again::{Again, MAX_STARTS, Then};
use super::{ClusterArgs, LOOK};

/// A host that has not ended so long after it was asked to is asked again, and then does not ask the others.
const PATIENCE: Duration = Duration::from_secs(3);

/// The last line of a log is looked for in so many bytes at its end.
const TAIL_BYTES: i64 = 2048;

/// A process. Dropped, it is killed: none is left behind.
struct Running {
    child: Child,
    since: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended meanwhile cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a host of the cluster stands.
enum State {
    Runs(Running),
    /// It has ended, and is started again then.
    Pauses(Instant),
    Gone,
}

/// A host of the cluster.
struct Host {
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    state: State,
    /// How often it was started again, if it is at all.
    again: Option<Again>,
    /// It was asked to end.
    asked: Cell<bool>,
}

impl Host {
    /// Starts its process, with an empty log the first time; a line about it.
    fn start(&mut self, anew: bool) -> anyhow::Result<String> {
        let log = &self.log;
        let mut how = OpenOptions::new();
        how.create(true).write(true);
        match anew {
            true => how.truncate(true),
            false => how.append(true),
        };
        let out = how.open(log);
        let out = out.with_context(|| format!("cannot write {}", log.display()))?;
        let again = out.try_clone().context("cannot share a log file")?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            // We hold the other end of its stdin: when we are gone, however that came, so is that.
            .arg("--end-with-stdin")
            .stdin(Stdio::piped())
            // Ctrl-C is for us: we ask each to end, once. Two signals would end it without the others' consent.
            .process_group(0)
            .stdout(out)
            .stderr(again)
            .spawn()
            .context("cannot start a process")?;
        let (pid, since) = (child.id(), Instant::now());
        self.state = State::Runs(Running { child, since });
        let address = self.address();
        Ok(format!("process {pid}: {address} > {}\n", log.display()))
    }

    /// Where it listens: the word after `serve --listen`.
    fn address(&self) -> &str {
        self.arguments.get(2).map_or("", String::as_str)
    }

    /// Whether it runs, or will again; says so if it has ended, and starts it again when that is due.
    fn runs(&mut self) -> anyhow::Result<bool> {
        match &mut self.state {
            State::Gone => Ok(false),
            State::Pauses(_) if self.asked.get() => {
                self.state = State::Gone;
                Ok(false)
            }
            State::Pauses(until) => {
                if *until <= Instant::now() {
                    let line = self.start(false)?;
                    super::super::print(format!("started again: {line}").as_bytes())?;
                }
                Ok(true)
            }
            State::Runs(running) => {
                let Ok(Some(status)) = running.child.try_wait() else {
                    return Ok(true);
                };
                let (pid, ran) = (running.child.id(), running.since.elapsed());
                self.state = State::Gone;
                if !self.asked.get() {
                    eprint!("{}", self.has_ended(pid, status, ran));
                }
                Ok(matches!(self.state, State::Pauses(_)))
            }
        }
    }

    /// What is said of a process that has ended by itself, after what is to follow is settled.
    fn has_ended(&mut self, pid: u32, status: ExitStatus, ran: Duration) -> String {
        let (address, log) = (self.address(), self.log.display());
        let mut said = format!("process {pid} has ended ({status}): {address}, its log is {log}\n");
        if let Some(line) = last_line(&self.log) {
            said += &format!("  the log ends: {line}\n");
        }
        let then = self
            .again
            .as_mut()
            .map(|again| again.ended(ran, status.code()));
        said += &match then {
            Some(Then::Start(pause, count)) => {
                self.state = State::Pauses(Instant::now() + pause);
                let pause = pause.as_millis();
                format!("  it is started again in {pause} ms ({count} of {MAX_STARTS} in a row)\n")
            }
            Some(Then::GiveUp(why)) => {
                format!("  it is given up: {why}. By hand: {}\n", self.by_hand())
            }
            None => format!("  start it again: {}\n", self.by_hand()),
        };
        said
    }

    /// The command that starts it.
    fn by_hand(&self) -> String {
        format!("roundelay {}", self.arguments.join(" "))
    }

    fn ask_to_end(&self) {
        self.asked.set(true);
        if let State::Runs(running) = &self.state {
            // Std can only kill; the shell can ask.
            let kill = format!("kill -TERM {}", running.child.id());
            let _ = Command::new("sh").args(["-c", &kill]).status();
        }
    }
}

/// The last line of a log that says something.
fn last_line(log: &Path) -> Option<String> {
    let mut file = fs::File::open(log).ok()?;
    let len = i64::try_from(file.metadata().ok()?.len()).ok()?;
    file.seek(SeekFrom::End(-len.min(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    let line = tail.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.to_owned())
}

/// All of them. Dropped, they are killed.
pub(super) struct Hosts(Vec<Host>);

impl Hosts {
    pub(super) fn start(args: &ClusterArgs) -> anyhow::Result<Hosts> {
        let dir = &args.dir;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let program = std::env::current_exe().context("this program cannot be found")?;
        let mut hosts = Hosts(Vec::new());
        for (n, arguments) in args.commands().into_iter().enumerate() {
            let mut host = Host {
                program: program.clone(),
                arguments,
                log: args.log(n),
                state: State::Gone,
                again: args.restart.then(Again::default),
                asked: Cell::new(false),
            };
            let line = host.start(true)?;
            hosts.0.push(host);
            super::super::print(line.as_bytes())?;
        }
        Ok(hosts)
    }

    /// How many run, or will again; says which have ended since it was last asked.
    pub(super) fn running(&mut self) -> anyhow::Result<usize> {
        let mut running = 0;
        for host in &mut self.0 {
            running += usize::from(host.runs()?);
        }
        Ok(running)
    }

    fn ask_to_end(&self) {
        self.0.iter().for_each(Host::ask_to_end);
    }

    /// Ends all of them, in order; at once if that is asked for again.
    pub(super) async fn end(mut self, again: &mut Signal) -> anyhow::Result<()> {
        self.ask_to_end();
        let until = Instant::now() + PATIENCE;
        while self.running()? > 0 {
            if Instant::now() >= until {
                // All end together: whoever waits for the others' consent need not.
                self.ask_to_end();
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = again.recv() => self.ask_to_end(),
            }
        }
        Ok(())
    }
}
