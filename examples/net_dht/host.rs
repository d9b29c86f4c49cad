//! The child's side: a host, told by its standard input what to do.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use roundelay::dht::Dht;
use roundelay::server::Hosted;
use roundelay::store::SyncPolicy;

/// Where the host keeps its data; a process that has this in its environment is a host.
pub(crate) const DIRECTORY: &str = "NET_DHT_DIRECTORY";

/// The addresses of others, with commas between.
pub(crate) const SEEDS: &str = "NET_DHT_SEEDS";

pub(crate) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let played = runtime
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(serve()));
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("a host of net_dht: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An answer is one line.
fn answer(text: &str) {
    let mut out = std::io::stdout();
    // If nobody reads it any more, the input is closed as well.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

async fn serve() -> anyhow::Result<()> {
    let dir = std::env::var(DIRECTORY)?;
    let seeds = std::env::var(SEEDS).unwrap_or_default();
    let seeds = seeds.split(',').filter(|seed| !seed.is_empty());
    let seeds: Result<Vec<_>, _> = seeds.map(str::parse).collect();
    let hosted = Dht::builder()
        .listen("127.0.0.1:0".parse()?)
        .data_dir(dir, SyncPolicy::EverySecond)
        .join(seeds?)
        .start()
        .await?;
    answer(hosted.address().as_str());
    let (lines, told) = mpsc::channel();
    std::thread::spawn(move || {
        let input = std::io::stdin().lock().lines();
        input
            .map_while(Result::ok)
            .all(|line| lines.send(line).is_ok())
    });
    // Alone on this thread: the host has its own.
    while let Ok(line) = told.recv() {
        answer(&obey(&hosted, &line).await);
    }
    Ok(())
}

async fn obey(hosted: &Hosted, line: &str) -> String {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    let told = match command {
        "put" => {
            let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
            let stored = hosted.put(key, value.to_string()).await;
            stored.map(|version| version.to_string())
        }
        "get" => hosted.get(rest).await.map(|found| {
            let bytes = found.map(|found| found.body.to_bytes());
            bytes.map_or_else(
                || "nothing".into(),
                |bytes| String::from_utf8_lossy(&bytes).into_owned(),
            )
        }),
        "in" => {
            let long = Duration::from_millis(150);
            if tokio::time::timeout(long, hosted.joined()).await.is_ok() {
                return "yes".into();
            }
            hosted.status().await.map(|status| {
                let part = status.progress;
                format!(
                    "{} of {} spans have arrived, {} records",
                    part.complete, part.pieces, part.records
                )
            })
        }
        other => return format!("what is {other}?"),
    };
    told.unwrap_or_else(|error| format!("failed: {error}"))
}
