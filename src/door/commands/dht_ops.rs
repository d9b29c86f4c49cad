//! The ring's own commands for those who run it: how it is, what is where, heal, tidy.

use super::super::me::Cx;
use super::super::resp::Value;
use super::args::{Args, not_a_number, syntax};
use super::dht_ring::{RULE, ask, only, spec};
use super::words::{count_or_nil, host_of, map, or_nil, text, texts};
use super::{Answer, OfOne, Plan, Spec, TELL, unexpected};
use crate::message::{
    Balanced, Explained, Hint, Outcome, PerHost, Purged, Replica, Request, Status, Tuning,
};
use crate::placement::HostId;
use crate::record::WallMs;

pub(super) const SPECS: &[Spec] = &[
    spec(
        ("dht.status", "DHT.STATUS [ALL]"),
        -1,
        TELL,
        "How this host is, or every host: roster, move, copies that are lacking, hints, what waits for whom, who has the drain grant, what it stores, whether it may stop.",
        status,
    ),
    Spec {
        keys: (1, 1, 1),
        ..spec(
            ("dht.whereis", "DHT.WHEREIS key [CHECK]"),
            -2,
            TELL,
            "The hosts that keep a key, the owner first; or what each of them has of it.",
            whereis,
        )
    },
    Spec {
        keys: (1, 1, 1),
        ..spec(
            ("dht.explain", "DHT.EXPLAIN key"),
            2,
            TELL,
            "Why a key is where it is: owner, way, copies, hints of every host, and what a get would find.",
            explain,
        )
    },
    spec(
        ("dht.balance", "DHT.BALANCE"),
        1,
        RULE,
        "Compares all copies now, on every host, and heals what differs.",
        |_, args| only(args, Request::Balance, balanced),
    ),
    spec(
        ("dht.purge", "DHT.PURGE [host]"),
        -1,
        RULE,
        "Drops old copies that every present holder has, on every host or on one.",
        purge,
    ),
    spec(
        (
            "dht.configure",
            "DHT.CONFIGURE MOVE-BYTES bytes-a-second [host]",
        ),
        -3,
        RULE,
        "Changes settings until a restart, of every host or of one; 0 is no limit.",
        configure,
    ),
];

/// What each host said, by its id.
fn each<T>(told: PerHost<T>, say: fn(T) -> Value) -> Value {
    let pairs = told.into_iter().map(|(host, told)| {
        let said = told.map_or_else(|why| text(format!("failed: {why}")), say);
        (text(host), said)
    });
    Value::Map(pairs.collect())
}

fn status(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    match args.option().as_deref() {
        None => Ok(ask(Request::Status, |answer, _| match answer {
            Ok(Outcome::Status(status)) => status_of(*status),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        })),
        Some("ALL") => only(args, Request::StatusOfAll, |answer, _| match answer {
            Ok(Outcome::StatusOfAll(all)) => each(all, status_of),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        }),
        Some(_) => Err(syntax()),
    }
}

fn status_of(status: Status) -> Value {
    let state = if status.moving { "moving" } else { "settled" };
    let progress = &status.progress;
    let differ = status
        .disagree
        .iter()
        .map(|(host, how)| format!("{host} {how}"));
    let may_stop = match status.stop_not.is_empty() {
        true => "yes".to_owned(),
        false => format!("no: {}", status.stop_not),
    };
    map([
        ("version", text(status.version)),
        ("state", text(state)),
        ("hosts", texts(&status.hosts)),
        ("down", texts(&status.down)),
        ("replicas", Value::count(status.replicas)),
        ("spans", Value::count(status.spans)),
        ("lacking", Value::count(status.lacking)),
        (
            "moved",
            text(format!("{} of {}", progress.complete, progress.pieces)),
        ),
        ("waiting_for", or_nil(progress.waiting_for)),
        (
            "seconds_left",
            or_nil(status.left.map(|left| left.as_secs())),
        ),
        ("move_bytes_per_s", Value::count(status.move_bytes_per_s)),
        ("hints", Value::count(status.hints)),
        ("repaired", Value::count(status.repaired)),
        ("requests", Value::count(status.open)),
        ("disagree", texts(differ)),
        ("unwell", Value::Bool(status.unwell)),
        ("removal_waits", or_nil(status.removal_waits)),
        ("collecting_waits_for", or_nil(status.collecting_waits_for)),
        ("drain", or_nil(status.drain)),
        (
            "keys",
            count_or_nil(status.stored.map(|stored| stored.keys)),
        ),
        (
            "bytes",
            count_or_nil(status.stored.map(|stored| stored.bytes)),
        ),
        (
            "max_bytes",
            count_or_nil(status.stored.and_then(|stored| stored.limit)),
        ),
        ("may_stop", text(may_stop)),
    ])
}

fn whereis(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let key = args.key()?;
    match args.option().as_deref() {
        None => Ok(ask(Request::WhereIs(key), |answer, _| match answer {
            Ok(Outcome::Hosts(hosts)) => texts(hosts),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        })),
        Some("CHECK") => only(args, Request::Check(key), |answer, _| match answer {
            Ok(Outcome::Checked(copies)) => replicas(&copies),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        }),
        Some(_) => Err(syntax()),
    }
}

fn replicas(copies: &[Replica]) -> Value {
    let each = copies.iter().map(|copy| {
        map([
            ("host", text(copy.host)),
            ("state", text(&copy.state)),
            ("version", or_nil(copy.summary.value)),
        ])
    });
    Value::Array(each.collect())
}

fn explain(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    Ok(ask(
        Request::Explain(args.key()?),
        |answer, _| match answer {
            Ok(Outcome::Explained(why)) => explained(&why),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        },
    ))
}

fn explained(why: &Explained) -> Value {
    let route = match &why.route {
        Ok(route) => format!("{route}, {} relays", route.relays),
        Err(why) => format!("failed: {why}"),
    };
    let groups = why.groups.iter().map(texts);
    let hint = |hint: &Hint| {
        map([
            ("at", text(hint.at)),
            ("for", text(hint.host)),
            ("version", or_nil(hint.summary.greatest())),
        ])
    };
    let hints = why.hints.iter().map(hint).collect();
    map([
        ("key", Value::Bulk(why.key.bytes().clone())),
        ("id", text(why.key.id())),
        ("version", text(why.version)),
        ("owner", text(why.owner)),
        ("span", text(why.span)),
        ("asked", Value::Array(groups.collect())),
        ("route", text(route)),
        ("copies", replicas(&why.replicas)),
        ("hints", Value::Array(hints)),
        ("hints_unknown", texts(&why.hints_unknown)),
        ("get", text(why.verdict)),
    ])
}

fn balanced(answer: Answer, _: WallMs) -> Value {
    let one = |told: Balanced| {
        map([
            ("spans", Value::count(told.spans)),
            ("pulled", Value::count(told.pulled)),
            ("pushed", Value::count(told.pushed)),
            ("differing", Value::count(told.differing)),
            ("unreachable", texts(told.unreachable)),
        ])
    };
    match answer {
        Ok(Outcome::Balanced(all)) => each(all, one),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

/// A host, if one more word names it.
fn maybe_host(args: &mut Args) -> Result<Option<HostId>, Value> {
    args.next().map(|word| host_of(&word)).transpose()
}

fn purge(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let host = maybe_host(&mut args)?;
    let one = |answer: Answer, _: WallMs| match answer {
        Ok(Outcome::Purged(all)) => each(all, |told: Purged| {
            let kept = told.kept.into_iter().map(|(why, n)| format!("{n} {why}"));
            map([
                ("dropped", Value::count(told.dropped)),
                ("kept", texts(kept)),
            ])
        }),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    };
    only(args, Request::Purge(host), one)
}

fn configure(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let tuning = match args.option().as_deref() {
        Some("MOVE-BYTES") => Tuning {
            move_bytes_per_s: Some(u64::try_from(args.number()?).map_err(|_| not_a_number())?),
        },
        _ => return Err(syntax()),
    };
    let host = maybe_host(&mut args)?;
    let one: OfOne = |answer, _| match answer {
        Ok(Outcome::Configured(all)) => each(all, |told: Tuning| {
            map([("move_bytes_per_s", or_nil(told.move_bytes_per_s))])
        }),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    };
    only(args, Request::Configure(tuning, host), one)
}
