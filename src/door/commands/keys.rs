//! Commands about keys: whether they are there, until when, and away with them.

use super::super::me::Cx;
use super::super::resp::Value;
use super::args::{Args, Unit};
use super::{Answer, OfOne, Plan, READ, Run, Spec, TIDY, unexpected};
use crate::message::{Expiry, KeyOp, Options, Outcome, Request};
use crate::record::{Key, WallMs};

const fn spec(
    (name, usage): (&'static str, &'static str),
    arity: i64,
    flags: &'static [&'static str],
    summary: &'static str,
    run: Run,
) -> Spec {
    let last = if arity < 0 && arity != -3 { -1 } else { 1 };
    Spec {
        name,
        arity,
        flags,
        keys: (1, last, 1),
        group: "generic",
        usage,
        summary,
        run,
    }
}

pub(super) const SPECS: &[Spec] = &[
    spec(
        ("del", "DEL key [key ...]"),
        -2,
        TIDY,
        "Deletes keys; answers how many were there.",
        del,
    ),
    spec(
        ("unlink", "UNLINK key [key ...]"),
        -2,
        TIDY,
        "Deletes keys, as DEL does; answers how many were there.",
        del,
    ),
    spec(
        ("exists", "EXISTS key [key ...]"),
        -2,
        READ,
        "How many of these keys are there; one named twice counts twice.",
        exists,
    ),
    spec(
        ("touch", "TOUCH key [key ...]"),
        -2,
        READ,
        "How many of these keys are there, as EXISTS says.",
        exists,
    ),
    spec(
        ("type", "TYPE key"),
        2,
        READ,
        "`string` if the key is there, else `none`.",
        kind,
    ),
    spec(
        ("ttl", "TTL key"),
        2,
        READ,
        "How many seconds the value will live; -1 for ever, -2 if it is absent.",
        |_, args| {
            ttl(args, |answer, wall| {
                left(answer, wall, |until, now| {
                    rounded(until.saturating_sub(now))
                })
            })
        },
    ),
    spec(
        ("pttl", "PTTL key"),
        2,
        READ,
        "How many milliseconds the value will live; -1 for ever, -2 if it is absent.",
        |_, args| {
            ttl(args, |answer, wall| {
                left(answer, wall, |until, now| until.saturating_sub(now))
            })
        },
    ),
    spec(
        ("expiretime", "EXPIRETIME key"),
        2,
        READ,
        "The second since 1970 from which on the value is absent; -1 never, -2 if it is so.",
        |_, args| {
            ttl(args, |answer, wall| {
                left(answer, wall, |until, _| rounded(until))
            })
        },
    ),
    spec(
        ("pexpiretime", "PEXPIRETIME key"),
        2,
        READ,
        "The millisecond since 1970 from which on the value is absent; -1 never, -2 if it is so.",
        |_, args| ttl(args, |answer, wall| left(answer, wall, |until, _| until)),
    ),
    spec(
        ("expire", "EXPIRE key seconds"),
        -3,
        TIDY,
        "Lets the value live so many seconds from now; answers 0 if it is absent.",
        |_, args| expire(args, Unit::Seconds, "expire"),
    ),
    spec(
        ("pexpire", "PEXPIRE key milliseconds"),
        -3,
        TIDY,
        "Lets the value live so many milliseconds from now; answers 0 if it is absent.",
        |_, args| expire(args, Unit::Millis, "pexpire"),
    ),
    spec(
        ("expireat", "EXPIREAT key second"),
        -3,
        TIDY,
        "Lets the value live until that second since 1970.",
        |_, args| expire(args, Unit::AtSecond, "expireat"),
    ),
    spec(
        ("pexpireat", "PEXPIREAT key millisecond"),
        -3,
        TIDY,
        "Lets the value live until that millisecond since 1970; answers 0 if it is absent.",
        |_, args| expire(args, Unit::AtMilli, "pexpireat"),
    ),
    spec(
        ("persist", "PERSIST key"),
        2,
        TIDY,
        "Lets the value live for ever; answers 0 if it does so, or is absent.",
        persist,
    ),
];

fn ask(key: Key, op: KeyOp, shape: OfOne) -> Plan {
    Plan::One(Request::One(key, op), Options::default(), shape)
}

/// The same about each key, and how many said yes.
fn count(args: Args, op: KeyOp, yes: fn(&Outcome) -> Option<bool>) -> Result<Plan, Value> {
    let keys = args.keys()?;
    let requests = keys.into_iter().map(|key| Request::One(key, op.clone()));
    let counted = move |answers: Vec<Answer>, _| {
        let mut n = 0;
        for answer in answers {
            match answer.map(|outcome| (yes(&outcome), outcome)) {
                Ok((Some(yes), _)) => n += i64::from(yes),
                Ok((None, outcome)) => return unexpected(&outcome),
                Err(told) => return told,
            }
        }
        Value::Int(n)
    };
    Ok(Plan::Many(
        requests.collect(),
        Options::default(),
        Box::new(counted),
    ))
}

fn del(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    count(args, KeyOp::Delete, |outcome| {
        let Outcome::Deleted(_, was_there) = outcome else {
            return None;
        };
        Some(*was_there)
    })
}

fn exists(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    count(args, KeyOp::Has, |outcome| {
        let Outcome::Version(version) = outcome else {
            return None;
        };
        Some(version.is_some())
    })
}

fn kind(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    Ok(ask(args.key()?, KeyOp::Has, |answer, _| match answer {
        Ok(Outcome::Version(Some(_))) => Value::Word("string"),
        Ok(Outcome::Version(None)) => Value::Word("none"),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }))
}

fn ttl(mut args: Args, shape: OfOne) -> Result<Plan, Value> {
    Ok(ask(args.key()?, KeyOp::Ttl, shape))
}

/// What is left of a life, or -1, or -2.
fn left(answer: Answer, wall: WallMs, rest: fn(u64, u64) -> u64) -> Value {
    match answer {
        Ok(Outcome::Ttl(None)) => Value::Int(-2),
        Ok(Outcome::Ttl(Some(None))) => Value::Int(-1),
        Ok(Outcome::Ttl(Some(Some(until)))) => Value::count(rest(until.0, wall.0)),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

/// Milliseconds in whole seconds, to the nearest.
const fn rounded(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

fn expire(mut args: Args, unit: Unit, command: &str) -> Result<Plan, Value> {
    let key = args.key()?;
    let n = args.number()?;
    if let Some(option) = args.option() {
        let known = matches!(option.as_str(), "NX" | "XX" | "GT" | "LT");
        return Err(Value::error(match known {
            true => format!(
                "ERR {} {option} is refused: it would have to look and write in one step, and here the last write wins",
                command.to_ascii_uppercase()
            ),
            false => format!("ERR Unsupported option {}", option.escape_debug()),
        }));
    }
    Ok(ask(key, KeyOp::Expire(unit.expiry(n, command)?), done))
}

fn persist(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    Ok(ask(args.key()?, KeyOp::Expire(Expiry::Never), done))
}

fn done(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Version(version)) => Value::Int(i64::from(version.is_some())),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}
