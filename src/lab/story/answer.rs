//! How answers read.

use crate::keyspace::Id;
use crate::message::{Found, Outcome, Reply, Request, Route};
use crate::record::{Body, Key, Summary};
use crate::roster::RosterVersion;

use super::answer_ops;

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
        Outcome::Status(status) => answer_ops::status(status),
        Outcome::StatusOfAll(hosts) => {
            answer_ops::per_host("each host says:", hosts, answer_ops::full_status)
        }
        Outcome::Checked(replicas) => format!("asked each:\n{}", answer_ops::copies(replicas)),
        Outcome::Explained(explained) => answer_ops::explained(explained),
        Outcome::Counted(_) => outcome.to_string(),
        Outcome::Balanced(hosts) => answer_ops::each("balanced:", hosts),
        Outcome::Purged(hosts) => answer_ops::each("purged:", hosts),
        Outcome::Configured(hosts) => answer_ops::each("configured:", hosts),
        Outcome::Exported(_) | Outcome::Imported(_) => outcome.to_string(),
        Outcome::Large(_) | Outcome::Piece(_) | Outcome::Began(_) | Outcome::Taken(_) => {
            outcome.to_string()
        }
        Outcome::Many(results) => many(request, results),
    }
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

pub(super) fn route(route: &Route) -> String {
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
