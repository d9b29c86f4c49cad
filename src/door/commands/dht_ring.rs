//! The ring's own commands about who is in, and how it is.

use std::rc::Rc;

use super::super::me::Cx;
use super::super::resp::Value;
use super::args::{Args, syntax};
use super::words::{hosts_of, map, or_nil, small, text, texts};
use super::{Answer, OfOne, Plan, Run, Spec, TELL, unexpected};
use crate::message::{Options, Outcome, Request};
use crate::placement::HostId;
use crate::record::WallMs;
use crate::roster::{Change, Phase, Roster};

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
        ("dht.ring", "DHT.RING"),
        1,
        TELL,
        "Who is in: each host with its address, whether it is up, its zone, weight, tokens and share of the circle.",
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

/// The roster, and what this host knows besides of those who are in it.
fn who_is_in(cx: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    args.end()?;
    let address = Rc::clone(&cx.door.address);
    let both = vec![Request::Roster, Request::Status];
    let told = move |answers: Vec<Answer>, _: WallMs| {
        let mut answers = answers.into_iter();
        let roster = match answers.next() {
            Some(Ok(Outcome::Roster(Some(roster)))) => roster,
            Some(Ok(Outcome::Roster(None))) | None => {
                return Value::error("LOADING this host is in no ring with a roster");
            }
            Some(Ok(other)) => return unexpected(&other),
            Some(Err(told)) => return told,
        };
        let down = match answers.next() {
            Some(Ok(Outcome::Status(status))) => status.down,
            _ => Vec::new(),
        };
        ring_of(&roster, &down, &*address)
    };
    Ok(Plan::Many(both, Options::default(), Box::new(told)))
}

fn ring_of(roster: &Roster, down: &[HostId], address: &dyn Fn(HostId) -> Option<String>) -> Value {
    let state = match roster.phase {
        Phase::Settled(_) => "settled",
        Phase::Moving { .. } => "moving",
    };
    let placement = &roster.new().placement;
    let hosts = placement.members().iter().map(|(host, member)| {
        let state = match (roster.old().has(*host), roster.notes.drain == Some(*host)) {
            (false, _) => "joining",
            (true, true) => "may stop",
            (true, false) => "in",
        };
        let up = if down.contains(host) { "down" } else { "up" };
        map([
            ("host", text(host)),
            ("address", or_nil(address(*host))),
            ("state", text(state)),
            ("seems", text(up)),
            ("zone", or_nil(member.zone.as_ref())),
            ("weight", Value::count(member.weight)),
            ("tokens", Value::count(member.tokens.len())),
            (
                "share",
                text(format!("{:.2}%", 100.0 * placement.share(*host))),
            ),
        ])
    });
    let going = roster
        .old()
        .placement
        .hosts()
        .filter(|host| !roster.new().has(*host));
    map([
        ("ring", text(format!("{:x}", roster.ring.0))),
        ("version", text(roster.version)),
        ("state", text(state)),
        ("replicas", Value::count(roster.new().replicas)),
        ("hosts", Value::Array(hosts.collect())),
        ("going", texts(going)),
        ("losses", texts(&roster.notes.losses)),
    ])
}
