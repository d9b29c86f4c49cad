//! Commands about this host and what it serves.

use std::fmt::Write;

use super::super::me::Cx;
use super::super::resp::{Arg, Value};
use super::args::{Args, syntax};
use super::{Answer, HERE, Plan, Spec, TELL};
use crate::message::{Options, Outcome, Request};
use crate::record::WallMs;
use crate::store::SyncPolicy;

/// The version of Redis whose clients should feel at home: some ask, and do without what is newer.
pub(super) const REDIS_VERSION: &str = "7.0.0";

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "command",
        arity: -1,
        flags: TELL,
        keys: (0, 0, 0),
        group: "server",
        usage: "COMMAND [COUNT|LIST|INFO [name ...]|DOCS [name ...]]",
        summary: "Tells which commands there are.",
        run: command,
    },
    Spec {
        name: "info",
        arity: -1,
        flags: TELL,
        keys: (0, 0, 0),
        group: "server",
        usage: "INFO [section ...]",
        summary: "Tells about this host: server, clients, memory, stats, keyspace, ring.",
        run: info,
    },
    Spec {
        name: "config",
        arity: -2,
        flags: TELL,
        keys: (0, 0, 0),
        group: "server",
        usage: "CONFIG GET pattern [pattern ...]",
        summary: "The settings whose names fit; they are set when a host is started.",
        run: config,
    },
    Spec {
        name: "dbsize",
        arity: 1,
        flags: TELL,
        keys: (0, 0, 0),
        group: "server",
        usage: "DBSIZE",
        summary: "How many keys the ring has, each counted once: one round to all hosts; for one that is down, what its share lets expect.",
        run: |_, _| Ok(Plan::One(Request::Count, Options::default(), counted)),
    },
    Spec {
        name: "time",
        arity: 1,
        flags: HERE,
        keys: (0, 0, 0),
        group: "server",
        usage: "TIME",
        summary: "This host's wall clock: seconds since 1970, and microseconds.",
        run: time,
    },
];

fn time(cx: &mut Cx<'_>, _: Args) -> Result<Plan, Value> {
    let ms = (cx.door.wall)().0;
    let parts = [ms / 1000, ms % 1000 * 1000].map(|n| Value::bulk(n.to_string()));
    Ok(Plan::Say(Value::Array(parts.into())))
}

fn command(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let all = cx.door.table.all();
    let told = match args.option().as_deref() {
        None => Value::Array(all.iter().map(|spec| described(spec)).collect()),
        Some("COUNT") => Value::count(all.len()),
        Some("LIST") => Value::Array(all.iter().map(|spec| Value::bulk(spec.name)).collect()),
        Some("INFO") if args.len() == 0 => {
            Value::Array(all.iter().map(|spec| described(spec)).collect())
        }
        Some("INFO") => {
            let mut told = Vec::new();
            while let Some(name) = args.next() {
                told.push(
                    cx.door
                        .table
                        .get(name.short())
                        .map_or(Value::Nil, described),
                );
            }
            Value::Array(told)
        }
        Some("DOCS") if args.len() == 0 => {
            Value::Map(all.iter().map(|spec| document(spec)).collect())
        }
        Some("DOCS") => {
            let mut told = Vec::new();
            while let Some(name) = args.next() {
                told.extend(cx.door.table.get(name.short()).map(document));
            }
            Value::Map(told)
        }
        Some(other) => {
            let other = other.escape_debug();
            return Err(Value::error(format!("ERR unknown subcommand '{other}'")));
        }
    };
    Ok(Plan::Say(told))
}

/// A command as `COMMAND INFO` describes it.
fn described(spec: &Spec) -> Value {
    let words =
        |words: &[&'static str]| Value::Array(words.iter().map(|word| Value::Word(word)).collect());
    let (first, last, step) = spec.keys;
    Value::Array(vec![
        Value::bulk(spec.name),
        Value::Int(spec.arity),
        words(spec.flags),
        Value::Int(first),
        Value::Int(last),
        Value::Int(step),
        words(&[]),
        words(&[]),
        words(&[]),
        words(&[]),
    ])
}

/// A command as `COMMAND DOCS` documents it.
fn document(spec: &Spec) -> (Value, Value) {
    let pair = |name: &'static str, text: &'static str| (Value::bulk(name), Value::bulk(text));
    let pairs = vec![
        pair("summary", spec.summary),
        pair("since", env!("CARGO_PKG_VERSION")),
        pair("group", spec.group),
        pair("syntax", spec.usage),
    ];
    (Value::bulk(spec.name), Value::Map(pairs))
}

fn config(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    match args.option().as_deref() {
        Some("GET") if args.len() > 0 => {}
        Some("GET") => return Err(super::connection::wrong_number("config|get")),
        Some("SET" | "REWRITE" | "RESETSTAT") => {
            return Err(Value::error(
                "ERR only CONFIG GET is served: settings are given when a host is started",
            ));
        }
        _ => return Err(syntax()),
    }
    let settings = &cx.door.settings;
    let all = [
        (
            "appendfsync",
            match settings.fsync {
                Some(SyncPolicy::Always) => "always",
                Some(SyncPolicy::EverySecond) => "everysec",
                Some(SyncPolicy::Never) | None => "no",
            }
            .to_owned(),
        ),
        (
            "appendonly",
            if settings.fsync.is_some() {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        ),
        ("databases", "1".to_owned()),
        ("maxclients", settings.max_clients.to_string()),
        (
            "maxmemory",
            settings.max_memory_bytes.unwrap_or(0).to_string(),
        ),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("proto-max-bulk-len", settings.max_value_bytes.to_string()),
        ("save", String::new()),
        ("timeout", "0".to_owned()),
    ];
    let mut patterns = Vec::new();
    while let Some(pattern) = args.next() {
        patterns.push(pattern);
    }
    let fit = |name: &str| patterns.iter().any(|pattern| fits(pattern, name));
    let chosen = all.into_iter().filter(|(name, _)| fit(name));
    let pairs = chosen.map(|(name, value)| (Value::bulk(name), Value::bulk(value)));
    Ok(Plan::Say(Value::Map(pairs.collect())))
}

/// Whether a name fits a pattern, in which `*` stands for anything. Takes time by the length of both.
fn fits(pattern: &Arg, name: &str) -> bool {
    let pattern = String::from_utf8_lossy(pattern.short()).to_ascii_lowercase();
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = true;
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || (open && pattern.ends_with('*'))
}

/// What clients look for in INFO, and what the ring says of itself.
fn info(cx: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let mut wanted = Vec::new();
    while let Some(section) = args.option() {
        wanted.push(section.to_ascii_lowercase());
    }
    let before = cx.door.tells();
    let keys = (cx.door.usage)().keys();
    let tell = move |mut answers: Vec<Answer>, _| {
        let mut sections = before;
        let keyspace = match keys {
            0 => String::new(),
            n => format!("db0:keys={n},expires=0,avg_ttl=0\r\n"),
        };
        sections.push(("keyspace", keyspace));
        sections.push(("ring", ring(answers.pop())));
        Value::Text(joined(&sections, &wanted))
    };
    Ok(Plan::Many(
        vec![Request::Status],
        Options::default(),
        Box::new(tell),
    ))
}

/// The keys of the ring.
fn counted(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Counted(counted)) => Value::count(counted.keys),
        Ok(other) => super::unexpected(&other),
        Err(told) => told,
    }
}

fn ring(answer: Option<Answer>) -> String {
    let mut text = String::new();
    if let Some(Ok(Outcome::Status(status))) = answer {
        let state = if status.moving { "moving" } else { "settled" };
        let _ = write!(
            text,
            "roster_version:{}\r\nroster_state:{state}\r\nhosts:{}\r\nhints:{}\r\nrequests_under_way:{}\r\n",
            status.version.0,
            status.hosts.len(),
            status.hints,
            status.open
        );
    }
    text
}

/// The sections that are wanted; all if none is named, or by the names Redis has for all.
fn joined(sections: &[(&'static str, String)], wanted: &[String]) -> String {
    let all = wanted.is_empty()
        || wanted
            .iter()
            .any(|name| matches!(name.as_str(), "all" | "default" | "everything"));
    let mut text = String::new();
    for (name, lines) in sections {
        if !all && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let (first, rest) = name.split_at(1);
        let _ = write!(text, "# {}{rest}\r\n{lines}", first.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_redis_has_them() {
        let fits = |pattern: &'static str, name| fits(&Arg::Short(pattern.into()), name);
        assert!(
            fits("save", "save") && fits("*", "save") && fits("S*", "save") && fits("*v*", "save")
        );
        assert!(
            fits("s*e", "save")
                && !fits("s*v", "save")
                && !fits("sav", "save")
                && !fits("", "save")
        );
        assert!(!fits("saved", "save") && fits("save*", "save"));
    }
}
