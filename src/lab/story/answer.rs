//! How answers read.

use std::fmt::Write;

use crate::keyspace::Id;
use crate::message::{Found, Outcome, Reply, Request, Route, Status};
use crate::record::{Body, Key, Summary};
use crate::roster::RosterVersion;

/// A key as a table shows it.
pub(super) fn label(key: &Key) -> String {
    let text = key.to_string();
    if text.len() <= 40 {
        return text;
    }
    format!("{}… ({} bytes)", &text[..8], key.bytes().len())
}

pub(super) fn versions(summary: &Summary) -> String {
    let value = summary
        .value
        .map_or("-".to_owned(), |version| version.to_string());
    match summary.expiry {
        Some(cell) if Some(cell.of) == summary.value => match cell.deadline {
            Some(_) => format!("{value} until {}", cell.version),
            None => format!("{value} for ever {}", cell.version),
        },
        Some(_) | None => value,
    }
}

/// What a client was told, in a line; many results on a line each.
pub(super) fn reply(request: &Request, reply: &Reply) -> String {
    match reply {
        Ok(outcome) => self::outcome(request, outcome),
        Err(failure) => format!("failed: {failure}"),
    }
}

fn outcome(request: &Request, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Value(Some(Found {
            version,
            body,
            deadline,
        })) => {
            let until = if deadline.is_some() {
                ", will expire"
            } else {
                ""
            };
            format!("{} {version}{until}", shown(body))
        }
        Outcome::Stored(_)
        | Outcome::Deleted(..)
        | Outcome::Value(None)
        | Outcome::Version(_)
        | Outcome::Ttl(None | Some(None))
        | Outcome::Hosts(_)
        | Outcome::Roster(_)
        | Outcome::Settled(RosterVersion(1..)) => outcome.to_string(),
        Outcome::Ttl(Some(Some(_))) => "will expire".to_owned(),
        Outcome::Settled(RosterVersion::NONE) => "has left".to_owned(),
        Outcome::StoredContent(key, version) => format!("stored {key} {version}"),
        Outcome::Route(route) => self::route(route),
        Outcome::Status(status) if status.version == RosterVersion::NONE => {
            "has no roster".to_owned()
        }
        Outcome::Status(status) => self::status(status, outcome),
        Outcome::Many(results) => many(request, results),
    }
}

/// What a host knows, with what it waits for.
fn status(status: &Status, outcome: &Outcome) -> String {
    let mut text = outcome.to_string();
    let progress = &status.progress;
    if status.moving {
        let _ = write!(
            text,
            ", {} of {} pieces here",
            progress.complete, progress.pieces
        );
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

/// A result a line.
fn many(request: &Request, results: &[Reply]) -> String {
    let Request::Many(ops) = request else {
        return format!("{} results to one question", results.len());
    };
    let lines = ops.iter().zip(results).map(|((key, op), result)| {
        let one = Request::One(key.clone(), op.clone());
        format!("  {} {op}: {}", label(key), reply(&one, result))
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn route(route: &Route) -> String {
    let path: Vec<String> = route.path.iter().map(ToString::to_string).collect();
    let (owner, relays, direction) = (route.owner, route.relays, route.direction);
    let unit = if relays == 1 { "relay" } else { "relays" };
    format!(
        "{owner} owns it: {}, {relays} {unit} {direction}",
        path.join(" -> ")
    )
}

/// A short value as text, a long one by its length and SHA-1.
fn shown(body: &Body) -> String {
    let bytes = body.to_bytes();
    if bytes.len() <= 40 {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    format!("{} bytes with SHA-1 {}", bytes.len(), Id::of(&bytes))
}
