//! `roundelay cluster`: so many hosts on this machine, each a process, to try things out.
//!
//! ```text
//! process 4711: 127.0.0.1:50140 > roundelay-cluster/node-1.log       where each is, and its log
//! process 4712: 127.0.0.1:50141 > roundelay-cluster/node-2.log
//! to end: Ctrl-C
//! the ring stands: 2 hosts, roster v2                                all are in one settled roster
//! try: redis-cli -p 50140 set cat meow
//! process 4712 has ended (signal: 9 (SIGKILL)): …                    one died; --restart starts it again
//! ```

mod again;
mod hosts;
mod stands;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use hosts::Hosts;

/// How often it is looked whether all of them still run.
const LOOK: Duration = Duration::from_millis(200);

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
    /// Start a host again that has ended, after a pause; one that keeps ending is given up
    #[arg(long)]
    restart: bool,
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
        let addresses = self.addresses();
        let named: Vec<String> = addresses.iter().take(3).cloned().collect();
        let join = self.join.clone().unwrap_or_else(|| named.join(","));
        (addresses.into_iter().enumerate())
            .map(|(n, address)| {
                let mut command = vec!["serve".into(), "--listen".into(), address];
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

    /// Where each host listens.
    fn addresses(&self) -> Vec<String> {
        let address = |n: u16| format!("127.0.0.1:{}", self.port + n);
        (0..self.nodes).map(address).collect()
    }

    /// The file with the password of the hosts, if their flags or the environment they share name one.
    fn password_file(&self) -> Option<PathBuf> {
        const FLAG: &str = "--password-file";
        let mut flags = self.serve.iter();
        let flag = flags.by_ref().find(|flag| flag.starts_with(FLAG));
        let named = flag.and_then(|flag| match flag.strip_prefix(FLAG)?.strip_prefix('=') {
            Some(file) => Some(PathBuf::from(file)),
            None => flags.next().map(PathBuf::from),
        });
        named.or_else(|| std::env::var_os("ROUNDELAY_PASSWORD_FILE").map(PathBuf::from))
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

/// The life of all processes, from beginning to end.
async fn watch(args: &ClusterArgs) -> anyhow::Result<ExitCode> {
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hosts = Hosts::start(args)?;
    super::print(b"to end: Ctrl-C\n")?;
    stands::say_when(args);
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
        }
        if hosts.running()? == 0 {
            bail!("all hosts have ended");
        }
    }
    super::print(b"the hosts end; Ctrl-C again: at once\n")?;
    hosts.end(&mut interrupt).await?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(serve: &[&str]) -> ClusterArgs {
        ClusterArgs {
            nodes: 4,
            port: 7000,
            join: None,
            dir: "x".into(),
            memory: true,
            restart: false,
            print: true,
            serve: serve.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_password_is_where_the_hosts_look_for_it() {
        let file = |serve: &[&str]| args(serve).password_file();
        assert_eq!(file(&["--password-file", "a"]), Some("a".into()));
        assert_eq!(
            file(&["--tokens", "4", "--password-file=b"]),
            Some("b".into())
        );
        assert_eq!(file(&["--password-file"]), None);
    }

    #[test]
    fn hosts_name_the_first_three_and_have_ports_of_their_own() {
        let commands = args(&["--tokens", "4"]).commands();
        let all = "127.0.0.1:7000,127.0.0.1:7001,127.0.0.1:7002";
        assert_eq!(
            commands[3].join(" "),
            format!("serve --listen 127.0.0.1:7003 --join {all} --tokens 4")
        );
    }
}
