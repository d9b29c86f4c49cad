//! The ring's own commands about keys: with a consistency, with versions, by content, and where a key is.

use std::sync::Arc;

use super::super::me::Cx;
use super::super::resp::Value;
use super::super::row::{Check, Part, Spoken};
use super::args::{Args, Given};
use super::words::{Extras, id_of, map, or_nil, text, texts};
use super::{Answer, Before, OfOne, Plan, READ, Run, Spec, WRITE, unexpected};
use crate::message::{Found, KeyOp, Options, Outcome, Request, UploadId};
use crate::record::{Key, WallMs};

pub(super) const fn spec(
    (name, usage): (&'static str, &'static str),
    arity: i64,
    flags: &'static [&'static str],
    summary: &'static str,
    run: Run,
) -> Spec {
    Spec {
        name,
        arity,
        flags,
        keys: (1, 1, 1),
        group: "dht",
        usage,
        summary,
        run,
    }
}

pub(super) const SPECS: &[Spec] = &[
    spec(
        (
            "dht.put",
            "DHT.PUT key value [EX seconds|PX milliseconds|EXAT second|PXAT millisecond] [TYPE media-type] [CONSISTENCY one|quorum|all] [REPLICAS n] [DEADLINE milliseconds]",
        ),
        -3,
        WRITE,
        "Stores a value; answers its version.",
        put,
    ),
    spec(
        (
            "dht.get",
            "DHT.GET key [CONSISTENCY one|quorum|all] [REPLICAS n] [DEADLINE milliseconds]",
        ),
        -2,
        READ,
        "The value with its version, media type and when it will be absent; or nothing.",
        get,
    ),
    spec(
        (
            "dht.del",
            "DHT.DEL key [CONSISTENCY one|quorum|all] [REPLICAS n] [DEADLINE milliseconds]",
        ),
        -2,
        WRITE,
        "Deletes a key; answers the version of the delete, and whether the key was there.",
        del,
    ),
    spec(
        (
            "dht.haskey",
            "DHT.HASKEY key [CONSISTENCY one|quorum|all] [REPLICAS n] [DEADLINE milliseconds]",
        ),
        -2,
        READ,
        "The version of the value, without fetching it; or nothing.",
        has,
    ),
    Spec {
        keys: (0, 0, 0),
        ..spec(
            ("dht.store", "DHT.STORE value"),
            2,
            WRITE,
            "Stores a value under the SHA-1 of itself; answers that key.",
            store,
        )
    },
    spec(
        ("dht.fetch", "DHT.FETCH key"),
        2,
        READ,
        "Fetches such a value, and checks that it is the one its key names.",
        fetch,
    ),
    Spec {
        keys: (0, 0, 0),
        ..spec(
            ("dht.lookup", "DHT.LOOKUP key|ID hexadecimal"),
            -2,
            READ,
            "Asks round the ring who owns a key, or an id, and tells by which nodes the question went.",
            lookup,
        )
    },
];

fn one(mut args: Args, op: KeyOp, shape: OfOne) -> Result<Plan, Value> {
    let key = args.key()?;
    let options = Extras::read(args, false)?.options;
    Ok(Plan::One(Request::One(key, op), options, shape))
}

fn put(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let (key, given) = (args.key()?, args.value()?);
    let extras = Extras::read(args, true)?;
    let request = given.put(key, extras.content_type.map(Arc::from), extras.expiry);
    Ok(Plan::One(request, extras.options, version))
}

/// The version of what is stored.
pub(super) fn version(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Stored(version)) => text(version),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

fn get(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let request = Request::One(args.key()?, KeyOp::Open);
    let options = Extras::read(args, false)?.options;
    let shape: OfOne = |answer, _| match answer {
        Ok(Outcome::Value(None)) => Value::Nil,
        Ok(Outcome::Value(Some(found))) => {
            let [version, media_type, until] = about(&found);
            let value = (Value::bulk("value"), Value::Stored(found.body));
            Value::Map(vec![version, media_type, until, value])
        }
        Ok(other) => unexpected(&other),
        Err(told) => told,
    };
    let before: Before = |large, proto, out| {
        Value::write_map_before(&about(&large.found), &Value::bulk("value"), proto, out);
    };
    Ok(Plan::Flow(request, options, shape, before))
}

/// What is told of a value before its bytes.
fn about(found: &Found) -> [(Value, Value); 3] {
    let until = found.deadline;
    [
        (Value::bulk("version"), text(found.version)),
        (
            Value::bulk("type"),
            or_nil(found.body.content_type.as_deref()),
        ),
        (
            Value::bulk("until"),
            until.map_or(Value::Nil, |until| Value::count(until.0)),
        ),
    ]
}

fn del(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    one(args, KeyOp::Delete, deleted)
}

/// The version of a delete, and whether there was anything.
pub(super) fn deleted(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Deleted(version, was_there)) => map([
            ("version", text(version)),
            ("was_there", Value::Bool(was_there)),
        ]),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

fn has(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    one(args, KeyOp::Has, |answer, _| match answer {
        Ok(Outcome::Version(version)) => or_nil(version),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    })
}

fn store(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let body = match args.value()? {
        Given::Here(body) => body,
        Given::There(_, None) => return Err(super::args::syntax()),
        Given::There(upload, Some(key)) => return Ok(stored_apart(upload, key)),
    };
    let request = Request::PutContent(body);
    let key: OfOne = |answer, _| match answer {
        Ok(Outcome::StoredContent(key, _)) => Value::Bulk(key.bytes().clone()),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    };
    Ok(Plan::One(request, Options::default(), key))
}

/// The value is at the host, and its content has named it: it is put under that key.
fn stored_apart(upload: UploadId, key: Key) -> Plan {
    let name = Value::Bulk(key.bytes().clone());
    let request = Given::There(upload, None).put(key, None, None);
    let stored = |mut answers: Vec<Answer>, _| match answers.pop() {
        Some(Ok(Outcome::Stored(_))) => name,
        Some(Ok(other)) => unexpected(&other),
        Some(Err(told)) => told,
        None => Value::Nil,
    };
    Plan::Many(vec![request], Options::default(), Box::new(stored))
}

fn fetch(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let key = args.key()?;
    let requests = vec![Request::One(key.clone(), KeyOp::Open)];
    let checked = move |mut answers: Vec<Answer>, _| {
        let value = match answers.pop() {
            Some(Ok(Outcome::Large(large))) => {
                return Spoken::One(Part::Large(0, large, Check::Content));
            }
            Some(Ok(Outcome::Value(Some(found)))) if Key::of_content(&found.body.pieces) == key => {
                Value::Stored(found.body)
            }
            Some(Ok(Outcome::Value(Some(_)))) => Value::error(format!(
                "ERR what is stored under {key} is not the value it names: somebody put it there by hand"
            )),
            Some(Ok(Outcome::Value(None))) | None => Value::Nil,
            Some(Ok(other)) => unexpected(&other),
            Some(Err(told)) => told,
        };
        Spoken::One(Part::Value(value))
    };
    Ok(Plan::Row(requests, Options::default(), Box::new(checked)))
}

fn lookup(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let first = args.need()?;
    let id = match args.next() {
        Some(hex) if first.is("id") => id_of(&hex)?,
        Some(_) => return Err(super::args::syntax()),
        None => super::args::key_of(first)?.id(),
    };
    args.end()?;
    let route: OfOne = |answer, _| match answer {
        Ok(Outcome::Route(route)) => map([
            ("owner", text(route.owner)),
            ("direction", text(route.direction)),
            ("relays", Value::count(route.relays)),
            ("path", texts(route.path)),
        ]),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    };
    Ok(Plan::One(Request::Lookup(id), Options::default(), route))
}
