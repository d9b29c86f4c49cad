//! A host from its start to its end.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use roundelay::remote::Address;
use roundelay::server::{Farewell, Server, Settings, Stays};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::ServeArgs;
use super::options::{Options, environment};
use crate::cli::printed;

/// Ended at once, by a second signal.
const AT_ONCE: u8 = 130;

/// How often it is looked whether the host is in a ring.
const LOOK: Duration = Duration::from_millis(50);

/// Starts a host and serves until it is told to end.
pub(in crate::cli) fn run(args: &ServeArgs) -> ExitCode {
    let options = environment().and_then(|environment| Options::gather(args, &environment));
    let settings = options.and_then(|options| Ok((options.settings()?, options)));
    let (settings, options) = match settings {
        Ok(both) => both,
        Err(error) => {
            eprintln!("roundelay: {error:#}");
            return ExitCode::from(2);
        }
    };
    if args.print_config {
        return printed(&options.print());
    }
    let given = move |name: &str| options.get(name).is_some();
    match actix::System::new().block_on(serve(settings, given, args.end_with_stdin)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("roundelay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(
    settings: Settings,
    given: impl Fn(&str) -> bool,
    end_with_stdin: bool,
) -> anyhow::Result<ExitCode> {
    let signals = "cannot listen to signals";
    let mut end = signal(SignalKind::terminate()).context(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(signals)?;
    let mut orphaned = end_with_stdin.then(stdin_ends);
    let mut server = Server::start(settings).await?;
    tell(format!(
        "roundelay {}: host {} {}",
        env!("CARGO_PKG_VERSION"),
        server.dht().host(),
        reached_at(server.listens_on(), server.address())
    ));
    server.said().iter().cloned().for_each(tell);
    warn_of_what_stays(&server, given);
    let watching = actix::spawn(say_when_in(server.dht()));
    let ended = tokio::select! {
        why = server.ended() => Some(why),
        () = asked(&mut end, &mut interrupt) => None,
        () = gone(&mut orphaned) => None,
    };
    watching.abort();
    if let Some(why) = ended {
        let kept = kept(&server);
        eprintln!("roundelay: this host ends: {why}. Start it again: {kept}");
        server.close().await;
        return Ok(ExitCode::FAILURE);
    }
    let mut say = |line: String| eprintln!("roundelay: {line}");
    tokio::select! {
        farewell = server.stop(&mut say) => {
            if let Farewell::Unasked(why) = farewell {
                eprintln!("roundelay: stopped without the others' consent: {why}");
            }
            Ok(ExitCode::SUCCESS)
        }
        () = asked(&mut end, &mut interrupt) => {
            eprintln!("roundelay: ended at once; nothing acknowledged is lost");
            // Without waiting for anything, the disk included.
            std::process::exit(i32::from(AT_ONCE));
        }
    }
}

/// Settings without effect. Of a default nobody expects anything.
fn warn_of_what_stays(server: &Server, given: impl Fn(&str) -> bool) {
    for Stays { name, why } in server.stays() {
        if given(name) {
            log::warn!("{why}");
        }
    }
}

/// What becomes of what it held.
const fn kept(server: &Server) -> &'static str {
    match server.is_durable() {
        true => "nothing acknowledged is lost",
        false => "what it held was in memory, and comes from the other replicas, if there are any",
    }
}

async fn asked(end: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = end.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Whoever holds the other end of standard input is gone; it never sends anything.
fn stdin_ends() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    // A thread of its own, which nobody waits for: a read cannot be broken off.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // If nobody listens, the host has ended already.
        let _ = tell.send(());
    });
    told
}

/// Comes when standard input ends; never, if that is not looked at.
async fn gone(orphaned: &mut Option<oneshot::Receiver<()>>) {
    let ended = match orphaned {
        Some(told) => told.await.is_ok(),
        None => false,
    };
    if !ended {
        std::future::pending().await
    }
}

/// A line once the host holds its share.
async fn say_when_in(dht: roundelay::dht::Dht) {
    loop {
        tokio::time::sleep(LOOK).await;
        // Between two lives the host does not answer; it is asked again.
        if let Ok(status) = dht.status().await
            && status.hosts.contains(&dht.host())
            && !status.moving
        {
            let (hosts, me) = (status.hosts.len(), dht.host());
            return tell(format!("{me} is in a ring of {hosts}"));
        }
    }
}

/// Where it listens, and where others reach it, if that is somewhere else.
fn reached_at(listens: SocketAddr, address: &Address) -> String {
    match *address == Address::from(listens) {
        true => format!("listens on {listens}"),
        false => format!("listens on {listens}, others reach it at {address}"),
    }
}

/// A line for people and programs that wait for it.
fn tell(line: String) {
    let mut out = std::io::stdout();
    // Whoever reads from a pipe may have gone; the host serves on.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    if !out.is_terminal() {
        log::info!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_listens_is_no_place_where_others_reach_it() {
        let listens: SocketAddr = "0.0.0.0:7000".parse().unwrap();
        assert_eq!(
            reached_at(listens, &listens.into()),
            "listens on 0.0.0.0:7000"
        );
        assert_eq!(
            reached_at(listens, &"dht-1.example:7001".parse().unwrap()),
            "listens on 0.0.0.0:7000, others reach it at dht-1.example:7001"
        );
    }
}
