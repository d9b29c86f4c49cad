//! Commands that read and write values.

use super::super::me::Cx;
use super::super::resp::Value;
use super::super::row::{Check, Part, Spoken};
use super::args::{Args, Unit, syntax};
use super::{Answer, Plan, READ, Spec, WRITE, unexpected};
use crate::message::{KeyOp, Options, Outcome, Request};
use crate::record::WallMs;

pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "get",
        arity: 2,
        flags: READ,
        keys: (1, 1, 1),
        group: "string",
        usage: "GET key",
        summary: "The value, or nothing.",
        run: get,
    },
    Spec {
        name: "set",
        arity: -3,
        flags: WRITE,
        keys: (1, 1, 1),
        group: "string",
        usage: "SET key value [EX seconds|PX milliseconds|EXAT second|PXAT millisecond]",
        summary: "Stores a value, to live for ever or so long.",
        run: set,
    },
    Spec {
        name: "setex",
        arity: 4,
        flags: WRITE,
        keys: (1, 1, 1),
        group: "string",
        usage: "SETEX key seconds value",
        summary: "Stores a value, to live so many seconds.",
        run: setex,
    },
    Spec {
        name: "psetex",
        arity: 4,
        flags: WRITE,
        keys: (1, 1, 1),
        group: "string",
        usage: "PSETEX key milliseconds value",
        summary: "Stores a value, to live so many milliseconds.",
        run: psetex,
    },
    Spec {
        name: "mget",
        arity: -2,
        flags: READ,
        keys: (1, -1, 1),
        group: "string",
        usage: "MGET key [key ...]",
        summary: "The values, each read for itself; nothing for a key that is absent.",
        run: mget,
    },
    Spec {
        name: "mset",
        arity: -3,
        flags: WRITE,
        keys: (1, -1, 2),
        group: "string",
        usage: "MSET key value [key value ...]",
        summary: "Stores values, each for itself: if it fails, some may be stored.",
        run: mset,
    },
    Spec {
        name: "strlen",
        arity: 2,
        flags: READ,
        keys: (1, 1, 1),
        group: "string",
        usage: "STRLEN key",
        summary: "The length of the value; 0 if the key is absent.",
        run: strlen,
    },
];

fn get(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let request = Request::One(args.key()?, KeyOp::Open);
    let nothing: super::Before = |_, _, _| {};
    Ok(Plan::Flow(request, Options::default(), value, nothing))
}

/// The value of a get.
pub(super) fn value(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Value(Some(found))) => Value::Stored(found.body),
        Ok(Outcome::Value(None)) => Value::Nil,
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

fn strlen(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let request = Request::One(args.key()?, KeyOp::Open);
    let length: super::OfOne = |answer, _| match answer {
        Ok(Outcome::Large(large)) => Value::count(large.found.body.len),
        Ok(Outcome::Value(found)) => Value::count(found.map_or(0, |found| found.body.len)),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    };
    Ok(Plan::One(request, Options::default(), length))
}

/// Why the options of SET that look before they write are not served.
fn cannot(option: &str) -> Value {
    let why = match option {
        "KEEPTTL" => "a time to live belongs to the value it was set for, and ends with it",
        "GET" => {
            "the old value and the new one would have to be one step, and here the last write wins"
        }
        _ => "it would have to look and write in one step, and here the last write wins",
    };
    Value::error(format!("ERR SET {option} is refused: {why}"))
}

fn set(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let (key, given) = (args.key()?, args.value()?);
    let mut expiry = None;
    while let Some(option) = args.option() {
        if matches!(option.as_str(), "NX" | "XX" | "KEEPTTL" | "GET") {
            return Err(cannot(&option));
        }
        let unit = Unit::named(&option).filter(|_| expiry.is_none());
        let unit = unit.ok_or_else(syntax)?;
        expiry = Some(unit.life(args.number()?, "set")?);
    }
    let request = given.put(key, None, expiry);
    Ok(Plan::One(request, Options::default(), stored))
}

fn setex(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    set_for(args, Unit::Seconds, "setex")
}

fn psetex(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    set_for(args, Unit::Millis, "psetex")
}

fn set_for(mut args: Args, unit: Unit, command: &str) -> Result<Plan, Value> {
    let key = args.key()?;
    let expiry = unit.life(args.number()?, command)?;
    let request = args.value()?.put(key, None, Some(expiry));
    Ok(Plan::One(request, Options::default(), stored))
}

/// OK, once a put is stored.
pub(super) fn stored(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Stored(_)) => Value::OK,
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

fn mget(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    let keys = args.keys()?;
    let requests = keys.into_iter().map(|key| Request::One(key, KeyOp::Open));
    let values = |answers: Vec<Answer>, wall| {
        let failed = answers.iter().find_map(|answer| answer.as_ref().err());
        if let Some(told) = failed {
            return Spoken::One(Part::Value(told.clone()));
        }
        let parts = answers.into_iter().enumerate();
        Spoken::Array(
            parts
                .map(|(place, answer)| part(place, answer, wall))
                .collect(),
        )
    };
    Ok(Plan::Row(
        requests.collect(),
        Options::default(),
        Box::new(values),
    ))
}

/// What is said of the answer to the request at that place.
pub(super) fn part(place: usize, answer: Answer, wall: WallMs) -> Part {
    match answer {
        Ok(Outcome::Large(large)) => Part::Large(place, large, Check::Nothing),
        answer => Part::Value(value(answer, wall)),
    }
}

fn mset(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    if !args.len().is_multiple_of(2) {
        return Err(super::connection::wrong_number("mset"));
    }
    let mut requests = Vec::with_capacity(args.len() / 2);
    while args.len() > 0 {
        let key = args.key()?;
        requests.push(args.value()?.put(key, None, None));
    }
    let all_stored = |answers: Vec<Answer>, wall| {
        let of = answers.len();
        let told = answers.into_iter().map(|answer| stored(answer, wall));
        let failed: Vec<Value> = told
            .filter(|told| matches!(told, Value::Error(_)))
            .collect();
        match failed.first() {
            None => Value::OK,
            Some(Value::Error(first)) => Value::error(format!(
                "{first} ({} of {of} keys failed, the others are stored)",
                failed.len()
            )),
            Some(other) => other.clone(),
        }
    };
    Ok(Plan::Many(
        requests,
        Options::default(),
        Box::new(all_stored),
    ))
}
