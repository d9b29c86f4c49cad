//! One run of `redis-benchmark`, and what it said.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// Clients that ask at once.
const CLIENTS: usize = 50;
/// Bytes of a value.
const VALUE_BYTES: &str = "100";
/// How many keys there are.
const KEYS: &str = "100000";

/// No run takes longer, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is asked of a server.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Set,
    Get,
}

impl What {
    fn words(self) -> &'static [&'static str] {
        match self {
            What::Set => &["-t", "set"],
            What::Get => &["-t", "get"],
        }
    }
}

/// So many requests, so many of them in flight for each client: requests a second.
pub(crate) fn run(
    port: u16,
    what: What,
    requests: usize,
    in_flight: usize,
    flags: &[&str],
) -> anyhow::Result<f64> {
    drive(port, CLIENTS, what, requests, in_flight, flags)
}

/// The same with the clients shared out among some servers, each asked by a `redis-benchmark` of its own for its part of
/// the requests: as many times the rate of the slowest as there are servers, for all are done when that one is.
pub(crate) fn run_at_each(ports: &[u16], what: What, requests: usize) -> anyhow::Result<f64> {
    let count = ports.len();
    let rates = std::thread::scope(|scope| {
        let runs: Vec<_> = ports
            .iter()
            .enumerate()
            .map(|(place, port)| {
                let clients = CLIENTS / count + usize::from(place < CLIENTS % count);
                scope.spawn(move || drive(*port, clients, what, requests / count, 1, &[]))
            })
            .collect();
        let ended = runs.into_iter().map(|run| run.join());
        ended
            .map(|run| run.unwrap_or_else(|_| bail!("a run of redis-benchmark panicked")))
            .collect::<anyhow::Result<Vec<f64>>>()
    })?;
    let slowest = rates.into_iter().fold(f64::INFINITY, f64::min);
    Ok(slowest * count as f64)
}

fn drive(
    port: u16,
    clients: usize,
    what: What,
    requests: usize,
    in_flight: usize,
    flags: &[&str],
) -> anyhow::Result<f64> {
    let [port, clients, requests, in_flight] = [
        port.to_string(),
        clients.to_string(),
        requests.to_string(),
        in_flight.to_string(),
    ];
    let mut command = Command::new("redis-benchmark");
    command
        .args(["-p", &port, "-n", &requests, "-P", &in_flight, "--csv"])
        .args(["-c", &clients, "-d", VALUE_BYTES, "-r", KEYS])
        .args(flags)
        .args(what.words());
    let said = told(&mut command)?;
    // "SET","53524.54","0.512",... below a line of headings, which some versions leave out.
    let rate = said.lines().rev().find_map(|line| {
        let mut cells = line.strip_prefix('"')?.split("\",\"").skip(1);
        cells.next()?.trim_end_matches('"').parse::<f64>().ok()
    });
    let is_sound = !said.to_lowercase().contains("error");
    ensure!(is_sound, "redis-benchmark was told of an error: {said}");
    rate.with_context(|| format!("redis-benchmark said no rate: {said}"))
}

/// What a command says until its end, which has to come in time.
pub(crate) fn told(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    let begin = Instant::now();
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        if begin.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("{name} was not done after {PATIENCE:?}, and was ended");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let said = child.wait_with_output()?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(ended.success(), "{name} ended with {ended}: {said}");
    Ok(said)
}
