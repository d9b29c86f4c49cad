//! The ring's own commands for those who run it: how it is, what is where, heal, tidy, bring out, bring in.

use super::super::resp::Value;
use super::super::session::Cx;
use super::args::{Args, key_of, not_a_number, number, syntax};
use super::dht_ring::{RULE, ask, only, spec};
use super::words::{host_of, map, or_nil, text, texts};
use super::{Answer, OfOne, Plan, Spec, TELL, unexpected};
use crate::message::{
    Balanced, Explained, ExportPage, Item, Options, Outcome, PerHost, Purged, Replica, Request,
    Status, Tuning,
};
use crate::placement::HostId;
use crate::record::WallMs;

pub(super) const SPECS: &[Spec] = &[
    spec(
        ("dht.status", "DHT.STATUS [ALL]"),
        -1,
        TELL,
        "How this host is, or every host: roster, move, copies that are lacking, hints, whether it may stop.",
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
            "Why a key is where it is: owner, way, copies, hints, and what a get would find.",
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
    spec(
        ("dht.export", "DHT.EXPORT [AFTER key] [BYTES n]"),
        -1,
        TELL,
        "A page of live values (key, value, until, type), and after which key the next one begins.",
        export,
    ),
    spec(
        (
            "dht.import",
            "DHT.IMPORT ABSENT|OVERWRITE key value until type [key value until type ...]",
        ),
        -6,
        super::WRITE,
        "Writes values that came from elsewhere, where there are none, or everywhere.",
        import,
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
    let hints = why.hints.iter().map(|(host, _)| *host);
    map([
        ("key", Value::Bulk(why.key.bytes().clone())),
        ("id", text(why.key.id())),
        ("version", text(why.version)),
        ("owner", text(why.owner)),
        ("span", text(why.span)),
        ("asked", Value::Array(groups.collect())),
        ("route", text(route)),
        ("copies", replicas(&why.replicas)),
        ("hints", texts(hints)),
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

/// A page has so many bytes if nothing is said.
const PAGE_BYTES: u64 = 1024 * 1024;

/// And never more than so many, but for one value.
const MAX_PAGE_BYTES: u64 = 16 * 1024 * 1024;

fn export(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let (mut after, mut max_bytes) = (None, PAGE_BYTES);
    while let Some(option) = args.option() {
        match option.as_str() {
            "AFTER" => after = Some(args.key()?),
            "BYTES" => max_bytes = u64::try_from(args.number()?).map_err(|_| not_a_number())?,
            _ => return Err(syntax()),
        }
    }
    let max_bytes = max_bytes.clamp(1, MAX_PAGE_BYTES);
    Ok(ask(
        Request::Export { after, max_bytes },
        |answer, _| match answer {
            Ok(Outcome::Exported(page)) => page_of(page),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        },
    ))
}

fn page_of(page: ExportPage) -> Value {
    let values = page.items.into_iter().map(|item| {
        let until = item
            .deadline
            .map(|until| until.0.to_string())
            .unwrap_or_default();
        let media_type = item
            .body
            .content_type
            .as_deref()
            .unwrap_or_default()
            .to_owned();
        Value::Array(vec![
            Value::Bulk(item.key.bytes().clone()),
            Value::Stored(item.body),
            Value::bulk(until),
            Value::bulk(media_type),
        ])
    });
    let values = Value::Array(values.collect());
    let next = page
        .next
        .map_or(Value::Nil, |next| Value::Bulk(next.bytes().clone()));
    map([("next", next), ("values", values)])
}

fn import(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let overwrite = match args.option().as_deref() {
        Some("ABSENT") => false,
        Some("OVERWRITE") => true,
        _ => return Err(syntax()),
    };
    if !args.len().is_multiple_of(4) {
        return Err(super::wrong_number("dht.import"));
    }
    let mut items = Vec::with_capacity(args.len() / 4);
    while let Some(key) = args.next() {
        items.push(item(key_of(key)?, &mut args)?);
    }
    let request = Request::Import { items, overwrite };
    Ok(Plan::One(
        request,
        Options::default(),
        |answer, _| match answer {
            Ok(Outcome::Imported(told)) => map([
                ("written", Value::count(told.written)),
                ("present", Value::count(told.present)),
                ("expired", Value::count(told.expired)),
            ]),
            Ok(other) => unexpected(&other),
            Err(told) => told,
        },
    ))
}

fn item(key: crate::record::Key, args: &mut Args) -> Result<Item, Value> {
    let (mut body, until, media_type) = (args.need()?.into_body(), args.need()?, args.need()?);
    if !media_type.is_empty() {
        let text = String::from_utf8_lossy(media_type.short()).into_owned();
        body.content_type = Some(text.into());
    }
    let deadline = match until.is_empty() {
        true => None,
        false => {
            let ms = number(&until).and_then(|ms| u64::try_from(ms).ok());
            Some(WallMs(ms.ok_or_else(not_a_number)?))
        }
    };
    Ok(Item {
        key,
        body,
        deadline,
    })
}
