//! How answers to operations read: what each host said on a line of its own.

use std::fmt::{Display, Write};

use crate::message::{CopyState, Explained, Hint, PerHost, Replica, Status};

use super::answer::{label, versions};

/// A line a host, after a first one.
pub(super) fn per_host<T>(first: &str, hosts: &PerHost<T>, say: impl Fn(&T) -> String) -> String {
    let mut text = first.to_owned();
    for (host, said) in hosts {
        let _ = match said {
            Ok(said) => write!(text, "\n  {host} {}", say(said)),
            Err(why) => write!(text, "\n  {host} failed: {why}"),
        };
    }
    text
}

/// The same for what says itself in a line.
pub(super) fn each<T: Display>(first: &str, hosts: &PerHost<T>) -> String {
    per_host(first, hosts, |said| {
        said.to_string().trim_start().to_owned()
    })
}

/// What a host knows, with what it waits for.
pub(super) fn status(status: &Status) -> String {
    let state = if status.moving { "moving" } else { "settled" };
    let mut text = format!("{} {state}, {} hosts", status.version, status.hosts.len());
    let progress = &status.progress;
    if status.moving || !progress.is_complete() {
        let (done, of) = (progress.complete, progress.pieces);
        let _ = write!(text, ", {done} of {of} pieces here");
    }
    if let Some(host) = progress.waiting_for {
        let _ = write!(text, ", waits for {host}");
    }
    if progress.full {
        text += ", its store is full";
    }
    if let Some(host) = status.collecting_waits_for {
        let _ = write!(text, ", collects nothing before {host} takes part");
    }
    if status.hints > 0 {
        let _ = write!(text, ", keeps {} hints", status.hints);
    }
    if status.repaired > 0 {
        let _ = write!(text, ", has repaired {} copies", status.repaired);
    }
    if let Some(host) = status.drain {
        let _ = write!(text, ", {host} may stop");
    }
    if status.unwell {
        let _ = write!(text, ", is unwell");
    }
    if let Some(why) = &status.removal_waits {
        let _ = write!(text, ", {why}");
    }
    text
}

/// All that a host knows, in a line.
pub(super) fn full_status(status: &Status) -> String {
    let mut text = self::status(status);
    if status.moving {
        let (records, bytes) = (status.progress.records, status.progress.bytes);
        let _ = write!(text, ", {records} records with {bytes} bytes came");
    }
    if let Some(left) = status.left {
        let _ = write!(text, ", {:.1} s left", left.as_secs_f64());
    }
    let (lacking, spans) = (status.lacking, status.spans);
    let _ = write!(text, "; {lacking} of {spans} spans lack a copy");
    if !status.down.is_empty() {
        let down: Vec<String> = status.down.iter().map(ToString::to_string).collect();
        let _ = write!(text, "; takes {} for down", down.join(" "));
    }
    for (host, differs) in &status.disagree {
        let _ = write!(text, "; {host} {differs}");
    }
    let _ = match status.stop_not.as_str() {
        "" => write!(text, "; may be stopped"),
        why => write!(text, "; must not be stopped: {why}"),
    };
    text
}

/// A line a copy.
pub(super) fn copies(replicas: &[Replica]) -> String {
    let lines = replicas.iter().map(|replica| {
        let Replica {
            host,
            state,
            summary,
        } = replica;
        match state {
            CopyState::Present | CopyState::Stale => {
                format!("  {host} {state} {}", versions(summary))
            }
            CopyState::Missing | CopyState::Nothing | CopyState::Silent => {
                format!("  {host} {state}")
            }
        }
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// Why a key is where it is.
pub(super) fn explained(explained: &Explained) -> String {
    let Explained {
        key,
        version,
        owner,
        span,
        groups,
        route,
        replicas,
        hints,
        hints_unknown,
        verdict,
    } = explained;
    let id = key.id().short();
    let mut text = format!(
        "{} lies at {id}: {owner} owns {span:#} in {version}",
        label(key)
    );
    let names = ["held by", "and after the move by"];
    for (group, name) in groups.iter().zip(names) {
        let hosts: Vec<String> = group.iter().map(ToString::to_string).collect();
        let _ = write!(text, "\n  {name} {}", hosts.join(" "));
    }
    let _ = match route {
        Ok(route) => write!(text, "\n  found: {}", super::answer::route(route)),
        Err(why) => write!(text, "\n  not found: {why}"),
    };
    let _ = write!(text, "\n{}", copies(replicas));
    for Hint { at, host, summary } in hints {
        let waits = versions(summary);
        let _ = write!(text, "\n  a hint waits at {at} for {host}: {waits}");
    }
    for host in hints_unknown {
        let _ = write!(text, "\n  {host} has not said which hints it keeps");
    }
    let _ = write!(text, "\n  a get finds {verdict}");
    text
}
