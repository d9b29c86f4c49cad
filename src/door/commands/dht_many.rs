//! The ring's own commands about several keys: a result for each, whatever became of the others.
//!
//! ```text
//! DHT.MPUT a 1 b 2 c 3     *3 | 1700000000123.0@h1/1 | -TRYAGAIN … nothing was stored | 1700000000124.0@h1/1
//! DHT.MGET a b c           *3 | 1 | nothing | 3
//! ```
//!
//! *Hold this true*: the answer has as many parts as keys were named, in their order, and an error stands where its key
//! stood. Only words that cannot be a command at all are one error for all, and then nothing was begun.

use super::super::me::Cx;
use super::super::resp::Value;
use super::super::row::Spoken;
use super::args::Args;
use super::dht_keys::{deleted, spec, version};
use super::strings::part;
use super::{Answer, OfOne, Plan, READ, Spec, WRITE, wrong_number};
use crate::message::{KeyOp, Options, Request};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        keys: (1, -1, 1),
        ..spec(
            ("dht.mget", "DHT.MGET key [key ...]"),
            -2,
            READ,
            "For each key its value, nothing, or why it could not be read.",
            get,
        )
    },
    Spec {
        keys: (1, -1, 2),
        ..spec(
            ("dht.mput", "DHT.MPUT key value [key value ...]"),
            -3,
            WRITE,
            "Stores values; for each its version, or why it is not stored.",
            put,
        )
    },
    Spec {
        keys: (1, -1, 1),
        ..spec(
            ("dht.mdel", "DHT.MDEL key [key ...]"),
            -2,
            WRITE,
            "Deletes keys; for each the version of the delete and whether the key was there, or why not.",
            del,
        )
    },
];

fn get(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    let keys = args.keys()?;
    let requests = keys.into_iter().map(|key| Request::One(key, KeyOp::Open));
    let values = |answers: Vec<Answer>, wall| {
        let parts = answers.into_iter().enumerate();
        Spoken::Array(
            parts
                .map(|(place, answer)| part(place, answer, wall))
                .collect(),
        )
    };
    let requests = requests.collect();
    Ok(Plan::Row(requests, Options::default(), Box::new(values)))
}

fn put(_: &mut Cx<'_>, mut args: Args) -> Result<Plan, Value> {
    if !args.len().is_multiple_of(2) {
        return Err(wrong_number("dht.mput"));
    }
    let mut requests = Vec::with_capacity(args.len() / 2);
    while args.len() > 0 {
        let key = args.key()?;
        requests.push(args.value()?.put(key, None, None));
    }
    Ok(each(requests, version))
}

fn del(_: &mut Cx<'_>, args: Args) -> Result<Plan, Value> {
    let keys = args.keys()?.into_iter();
    let requests = keys.map(|key| Request::One(key, KeyOp::Delete));
    Ok(each(requests.collect(), deleted))
}

/// An array of what is made of each answer.
fn each(requests: Vec<Request>, one: OfOne) -> Plan {
    let all = move |answers: Vec<Answer>, wall| {
        let each = answers.into_iter().map(|answer| one(answer, wall));
        Value::Array(each.collect())
    };
    Plan::Many(requests, Options::default(), Box::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Outcome;
    use crate::placement::HostId;
    use crate::record::{Stamp, Version, WallMs};

    #[test]
    fn what_fails_for_one_key_is_said_in_its_place() {
        let stored = Version {
            stamp: Stamp(1),
            delete: false,
            host: HostId(1),
            start: 1,
        };
        let failed = Value::error("TRYAGAIN 1 of 2 replicas answered in time");
        let Plan::Many(_, _, all) = each(Vec::new(), version) else {
            panic!("several requests, one answer of all");
        };
        let answers = vec![
            Ok(Outcome::Stored(stored)),
            Err(failed.clone()),
            Ok(Outcome::Stored(stored)),
        ];
        let said = Value::bulk(stored.to_string());
        let expected = Value::Array(vec![said.clone(), failed, said]);
        assert_eq!(all(answers, WallMs(0)), expected);
    }
}
