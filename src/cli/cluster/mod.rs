//! `roundelay cluster`: so many hosts on this machine, each a process, to try things out.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

/// How often it is looked whether all of them still run.
const LOOK: Duration = Duration::from_millis(200);

/// A host that has not ended so long after it was asked to is asked again, and then does not ask the others.
const PATIENCE: Duration = Duration::from_secs(3);

/// What `cluster` can be told.
#[derive(Args, Debug)]
pub(super) struct ClusterArgs {
    /// How many hosts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    nodes: u16,
    /// The first one's port; the others have those after it
    #[arg(long, default_value_t = 50140, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    port: u16,
    /// Join this ring instead of founding one
    #[arg(long, value_name = "HOST:PORT,…")]
    join: Option<String>,
    /// Where the log files are, one for each host, and their data
    #[arg(long, value_name = "DIR", default_value = "roundelay-cluster")]
    dir: PathBuf,
    /// Keep the data in memory
    #[arg(long)]
    memory: bool,
    /// Print the commands instead of running them
    #[arg(long)]
    print: bool,
    /// More flags for `roundelay serve`
    #[arg(last = true)]
    serve: Vec<String>,
}

impl ClusterArgs {
    /// The arguments of each host's process.
    fn commands(&self) -> Vec<Vec<String>> {
        let address = |n: u16| format!("127.0.0.1:{}", self.port + n);
        let named: Vec<String> = (0..self.nodes.min(3)).map(address).collect();
        let join = self.join.clone().unwrap_or_else(|| named.join(","));
        (0..self.nodes)
            .map(|n| {
                let mut command = vec!["serve".into(), "--listen".into(), address(n)];
                if self.nodes > 1 || self.join.is_some() {
                    command.extend(["--join".into(), join.clone()]);
                }
                if !self.memory {
                    let data = self.dir.join(format!("node-{}", n + 1));
                    command.extend(["--data-dir".into(), data.display().to_string()]);
                }
                command.extend(self.serve.iter().cloned());
                command
            })
            .collect()
    }

    fn log(&self, n: usize) -> PathBuf {
        self.dir.join(format!("node-{}.log", n + 1))
    }
}

/// Starts them, watches them, and ends them all when it is told to end.
pub(super) fn run(args: &ClusterArgs) -> ExitCode {
    if args.print {
        let commands = args.commands();
        let lines = commands.iter().map(|command| command.join(" "));
        let lines: Vec<String> = lines.map(|line| format!("roundelay {line}\n")).collect();
        return super::printed(&lines.concat());
    }
    match actix::System::new().block_on(watch(args)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("roundelay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A host's process. Dropped, it is killed: none is left behind.
struct Host {
    child: Child,
    log: PathBuf,
    gone: bool,
    /// It was asked to end.
    asked: Cell<bool>,
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.gone {
            // One that has ended meanwhile cannot be killed, and need not be.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Host {
    fn start(program: &Path, arguments: &[String], log: PathBuf) -> anyhow::Result<Host> {
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let again = out.try_clone().context("cannot share a log file")?;
        let child = Command::new(program)
            .args(arguments)
            // We hold the other end of its stdin: when we are gone, however that came, so is that.
            .arg("--end-with-stdin")
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(again)
            .spawn()
            .context("cannot start a process")?;
        Ok(Host {
            child,
            log,
            gone: false,
            asked: Cell::new(false),
        })
    }

    /// Whether it still runs; says so if it has ended.
    fn runs(&mut self) -> bool {
        if !self.gone
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.gone = true;
            if !self.asked.get() {
                eprintln!(
                    "process {} has ended ({status}): see {}",
                    self.child.id(),
                    self.log.display()
                );
            }
        }
        !self.gone
    }

    fn ask_to_end(&self) {
        if !self.gone {
            self.asked.set(true);
            // Std can only kill; the shell can ask.
            let kill = format!("kill -TERM {}", self.child.id());
            let _ = Command::new("sh").args(["-c", &kill]).status();
        }
    }
}

/// All of them. Dropped, they are killed.
struct Hosts(Vec<Host>);

impl Hosts {
    fn start(args: &ClusterArgs) -> anyhow::Result<Hosts> {
        let dir = &args.dir;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let program = std::env::current_exe().context("this program cannot be found")?;
        let mut hosts = Hosts(Vec::new());
        for (n, command) in args.commands().iter().enumerate() {
            let host = Host::start(&program, command, args.log(n))?;
            let (pid, log) = (host.child.id(), host.log.display());
            let line = format!("process {pid}: {} > {log}\n", command[2]);
            hosts.0.push(host);
            super::print(line.as_bytes())?;
        }
        Ok(hosts)
    }

    /// How many still run; says which have ended since it was last asked.
    fn running(&mut self) -> usize {
        let runs = self.0.iter_mut().map(Host::runs);
        runs.filter(|runs| *runs).count()
    }

    fn ask_to_end(&self) {
        self.0.iter().for_each(Host::ask_to_end);
    }

    /// Ends all of them, in order.
    async fn end(mut self) {
        self.ask_to_end();
        let until = tokio::time::Instant::now() + PATIENCE;
        while self.running() > 0 {
            if tokio::time::Instant::now() >= until {
                // All end together: whoever waits for the others' consent need not.
                self.ask_to_end();
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The life of all processes, from beginning to end.
async fn watch(args: &ClusterArgs) -> anyhow::Result<ExitCode> {
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hosts = Hosts::start(args)?;
    let port = args.port;
    let line = format!("try: redis-cli -p {port} set cat meow; to end: Ctrl-C\n");
    super::print(line.as_bytes())?;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
        }
        if hosts.running() == 0 {
            bail!("all hosts have ended");
        }
    }
    hosts.end().await;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_the_first_three_and_have_ports_of_their_own() {
        let args = ClusterArgs {
            nodes: 4,
            port: 7000,
            join: None,
            dir: "x".into(),
            memory: true,
            print: true,
            serve: vec!["--tokens".into(), "4".into()],
        };
        let commands = args.commands();
        let all = "127.0.0.1:7000,127.0.0.1:7001,127.0.0.1:7002";
        assert_eq!(
            commands[3].join(" "),
            format!("serve --listen 127.0.0.1:7003 --join {all} --tokens 4")
        );
    }
}
