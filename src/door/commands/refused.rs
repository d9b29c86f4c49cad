//! Commands of Redis that are not served, and why: a client should not have to guess.

use super::super::resp::Arg;

const ONE_STEP: &str = "it would have to read and write in one step, and here the last write wins";
const SEVERAL: &str =
    "there are no transactions over several keys or commands; each key is for itself";
const ALL_KEYS: &str = "no host knows all keys; DHT.EXPORT walks the ring, DBSIZE counts it";
const KINDS: &str = "values are bytes; there are no lists, sets, hashes or streams";
const TELLING: &str = "hosts do not pass messages between clients";
const CLUSTER: &str =
    "there are no slots: any host answers for any key, so use the client without its cluster mode";
const PROGRAMS: &str = "programs are not run here";
const OTHERS: &str =
    "each host is run for itself; DHT.STATUS, DHT.LEAVE and DHT.REMOVE are about the ring";

/// Names and reasons. A name that ends with `*` stands for all that begin so.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &[
            "incr",
            "incrby",
            "incrbyfloat",
            "decr",
            "decrby",
            "append",
            "setrange",
            "getset",
            "getdel",
            "getex",
            "setnx",
            "msetnx",
            "setbit",
            "rename",
            "renamenx",
            "copy",
            "move",
            "bitfield",
            "bitop",
        ],
        ONE_STEP,
    ),
    (&["watch", "unwatch"], SEVERAL),
    (
        &[
            "keys",
            "scan",
            "randomkey",
            "flushall",
            "flushdb",
            "sort",
            "sort_ro",
        ],
        ALL_KEYS,
    ),
    (
        &[
            "lpush",
            "rpush",
            "lpop",
            "rpop",
            "lrange",
            "llen",
            "lindex",
            "lset",
            "lrem",
            "ltrim",
            "blpop",
            "brpop",
            "sadd",
            "srem",
            "smembers",
            "sismember",
            "scard",
            "spop",
            "h*",
            "z*",
            "x*",
            "pf*",
            "geo*",
        ],
        KINDS,
    ),
    (
        &[
            "subscribe",
            "psubscribe",
            "ssubscribe",
            "unsubscribe",
            "punsubscribe",
            "publish",
            "spublish",
            "pubsub",
            "monitor",
        ],
        TELLING,
    ),
    (&["cluster", "readonly", "readwrite", "asking"], CLUSTER),
    (
        &["eval*", "script", "function", "fcall*", "module"],
        PROGRAMS,
    ),
    (
        &[
            "shutdown",
            "save",
            "bgsave",
            "bgrewriteaof",
            "replicaof",
            "slaveof",
            "failover",
            "wait",
            "waitaof",
            "sync",
            "psync",
            "swapdb",
            "role",
            "debug",
        ],
        OTHERS,
    ),
];

/// Why that command is not served, if it is one of Redis's.
pub(super) fn reason(name: &Arg) -> Option<&'static str> {
    let lower = String::from_utf8_lossy(name.short()).to_ascii_lowercase();
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(beginning) => lower.starts_with(beginning) && lower != "hello",
        None => lower == **pattern,
    };
    let found = REFUSED.iter().find(|(names, _)| names.iter().any(&is));
    found.map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_the_commands() {
        let reason = |name: &'static str| reason(&Arg::Short(name.into()));
        assert_eq!(reason("INCR"), Some(ONE_STEP));
        assert_eq!(reason("hset"), Some(KINDS));
        assert_eq!(reason("Cluster"), Some(CLUSTER));
        assert_eq!(reason("hello"), None);
        assert_eq!(reason("get"), None);
        assert_eq!(reason("nonsense"), None);
    }
}
