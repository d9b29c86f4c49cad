//! The ring's own commands that change who is in.

use super::super::me::Cx;
use super::super::resp::Value;
use super::args::{Args, not_a_number, syntax};
use super::dht_who::who_is_in;
use super::words::{host_of, hosts_of, small, text};
use super::{Answer, OfOne, Plan, Run, Spec, TELL, unexpected};
use crate::message::{Options, Outcome, Request};
use crate::placement::Zone;
use crate::record::WallMs;
use crate::roster::Change;

/// What changes who is in; it waits until the keys have followed.
pub(super) const RULE: &[&str] = &["admin", "write", "blocking"];

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
        keys: (0, 0, 0),
        group: "dht",
        usage,
        summary,
        run,
    }
}

pub(super) const SPECS: &[Spec] = &[
    spec(
        ("dht.ring", "DHT.RING [LOAD]"),
        -1,
        TELL,
        "Who is in: each host with its address, whether it is up, its zone, weight, tokens and share of the circle; with LOAD, which asks each of them, its keys, their bytes and how many it may store.",
        who_is_in,
    ),
    spec(
        ("dht.rebalance", "DHT.REBALANCE"),
        1,
        RULE,
        "Moves tokens until the load is even; answered when the keys have followed.",
        |_, args| only(args, Request::Rebalance, settled),
    ),
    spec(
        ("dht.remove", "DHT.REMOVE host [host ...]"),
        -2,
        RULE,
        "Takes hosts out, without their consent; answered when the others have all copies.",
        |_, args| {
            let changes = hosts_of(args)?.into_iter().map(Change::Remove);
            Ok(ask(Request::Change(changes.collect()), settled))
        },
    ),
    spec(
        ("dht.leave", "DHT.LEAVE"),
        1,
        RULE,
        "Takes this host out; answered when it may stop.",
        |_, args| only(args, Request::Leave, settled),
    ),
    spec(
        ("dht.cancel", "DHT.CANCEL"),
        1,
        RULE,
        "Gives up the move that is under way; answered when all is as before.",
        |_, args| only(args, Request::CancelMove, settled),
    ),
    spec(
        ("dht.replicas", "DHT.REPLICAS [n]"),
        -1,
        RULE,
        "How many copies a key has; or keeps so many from now on, answered when they are there.",
        replicas,
    ),
    spec(
        (
            "dht.member",
            "DHT.MEMBER host [ZONE name] [NOZONE] [WEIGHT n]",
        ),
        -2,
        RULE,
        "Gives a host another zone, none, or another weight; answered when the keys have followed. Tokens follow a weight by DHT.REBALANCE.",
        member,
    ),
    spec(
        ("dht.drain", "DHT.DRAIN"),
        1,
        RULE,
        "Asks for the leave to stop this host for a while; answered when it may, one host at a time.",
        |_, args| only(args, Request::Drain, settled),
    ),
    spec(
        ("dht.enddrain", "DHT.ENDDRAIN"),
        1,
        RULE,
        "Whoever has the leave to stop is back, or will not stop.",
        |_, args| only(args, Request::EndDrain, settled),
    ),
    spec(
        ("dht.acceptloss", "DHT.ACCEPTLOSS host [host ...]"),
        -2,
        RULE,
        "Gives hosts up for good, and what only they held; it is recorded in the roster.",
        |_, args| Ok(ask(Request::AcceptLoss(hosts_of(args)?), settled)),
    ),
];

pub(super) fn ask(request: Request, shape: OfOne) -> Plan {
    Plan::One(request, Options::default(), shape)
}

/// A request without words.
pub(super) fn only(args: Args, request: Request, shape: OfOne) -> Result<Plan, Value> {
    args.end()?;
    Ok(ask(request, shape))
}

/// The version at which a change has settled.
pub(super) fn settled(answer: Answer, _: WallMs) -> Value {
    match answer {
        Ok(Outcome::Settled(version)) => text(version),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }
}

fn replicas(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    if args.len() > 1 {
        return Err(syntax());
    }
    if args.len() == 1 {
        let change = Change::Replicas(small(args.number()?)?);
        return Ok(ask(Request::Change(vec![change]), settled));
    }
    Ok(ask(Request::Roster, |answer, _| match answer {
        Ok(Outcome::Roster(Some(roster))) => Value::count(roster.new().replicas),
        Ok(Outcome::Roster(None)) => Value::Int(1),
        Ok(other) => unexpected(&other),
        Err(told) => told,
    }))
}

fn member(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    let host = host_of(&args.need()?)?;
    let (mut zone, mut weight) = (None, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "ZONE" if zone.is_none() => {
                let word = args.need()?;
                let name = Zone::new(&String::from_utf8_lossy(word.short()));
                let name = name.map_err(|error| Value::error(format!("ERR {error}")))?;
                zone = Some(Change::Zone(host, Some(name)));
            }
            "NOZONE" if zone.is_none() => zone = Some(Change::Zone(host, None)),
            "WEIGHT" if weight.is_none() => {
                let n = u32::try_from(args.number()?).map_err(|_| not_a_number())?;
                if n == 0 {
                    return Err(Value::error("ERR WEIGHT is at least 1"));
                }
                weight = Some(Change::Weight(host, n));
            }
            _ => return Err(syntax()),
        }
    }
    let changes: Vec<Change> = zone.into_iter().chain(weight).collect();
    match changes.is_empty() {
        true => Err(Value::error(
            "ERR say what is to change: ZONE, NOZONE or WEIGHT",
        )),
        false => Ok(ask(Request::Change(changes), settled)),
    }
}
