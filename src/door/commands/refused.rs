//! Commands of Redis that are not served, and why: a client should not have to guess.

use super::super::resp::Arg;

const ONE_STEP: &str = "it would have to read and write in one step, and here the last write wins";
const ELSEWHERE: &str = "it would have to read and write in one step; GET the value, SET it under the other key, then DEL the first if it is to go";
const PART: &str = "values are read whole; read the value with GET and cut it at the client";
const SEVERAL: &str =
    "there are no transactions over several keys or commands; each key is for itself";
const ALL_KEYS: &str = "no host knows all keys; DHT.EXPORT walks the ring, DBSIZE counts it";
const KINDS: &str = "values are bytes; there are no lists, sets, hashes or streams";
const TELLING: &str = "hosts do not pass messages between clients";
const WATCHING: &str = "what clients ask is shown to no other one; INFO stats counts it";
const CLUSTER: &str =
    "there are no slots: any host answers for any key, so use the client without its cluster mode";
const PROGRAMS: &str = "programs are not run here";
const MODULES: &str = "there are no modules, and none can be loaded; COMMAND tells what is served";
const OTHERS: &str =
    "each host is run for itself; DHT.STATUS, DHT.LEAVE and DHT.REMOVE are about the ring";
const MOVING: &str = "values come and go as they are; DHT.EXPORT and DHT.IMPORT take them out and in, a page at a time";
const INSIDE: &str = "what is inside a host is not shown so; INFO memory tells what it keeps, STRLEN how long a value is";
const TIMING: &str = "commands are not timed here; INFO stats counts them";
const USERS: &str = "there is one user, default, and one password, given when a host is started";
const SAVED: &str =
    "there are no snapshots; what is written is kept as CONFIG GET appendfsync says";
const ART: &str = "there is nothing to be seen; INFO server tells the version";

/// Names and reasons. A name that ends with `*` stands for all that begin so.
const REFUSED: &[(&str, &str)] = &[
    (
        "incr incrby incrbyfloat decr decrby append setrange getset getdel getex setnx msetnx setbit move bitfield \
         bitop",
        ONE_STEP,
    ),
    ("rename renamenx copy", ELSEWHERE),
    (
        "getrange substr bitcount bitpos getbit bitfield_ro lcs",
        PART,
    ),
    ("watch", SEVERAL),
    (
        "keys scan randomkey flushall flushdb sort sort_ro",
        ALL_KEYS,
    ),
    (
        "lpush lpushx rpush rpushx lpop rpop lrange llen lindex linsert lset lrem ltrim lpos lmove lmpop rpoplpush \
         blpop brpop blmove blmpop brpoplpush bzmpop bzpopmin bzpopmax",
        KINDS,
    ),
    (
        "sadd srem smembers sismember smismember scard spop smove srandmember sscan sinter sintercard sinterstore \
         sunion sunionstore sdiff sdiffstore h* z* x* pf* geo*",
        KINDS,
    ),
    (
        "subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe publish spublish pubsub",
        TELLING,
    ),
    ("monitor", WATCHING),
    ("cluster readonly readwrite asking", CLUSTER),
    ("eval* script function fcall*", PROGRAMS),
    ("module", MODULES),
    (
        "shutdown save bgsave bgrewriteaof replicaof slaveof replconf failover wait waitaof sync psync swapdb role \
         debug",
        OTHERS,
    ),
    ("dump restore restore-asking migrate", MOVING),
    ("object memory", INSIDE),
    ("slowlog latency", TIMING),
    ("acl", USERS),
    ("lastsave", SAVED),
    ("lolwut", ART),
];

/// Why that command is not served, if it is one of Redis's.
pub(super) fn reason(name: &Arg) -> Option<&'static str> {
    let lower = String::from_utf8_lossy(name.short()).to_ascii_lowercase();
    let is = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => lower.starts_with(beginning) && lower != "hello",
        None => lower == pattern,
    };
    let found = REFUSED
        .iter()
        .find(|(names, _)| names.split_whitespace().any(is));
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
        assert_eq!(reason("GETRANGE"), Some(PART));
        assert_eq!(reason("rename"), Some(ELSEWHERE));
        assert_eq!(reason("hello"), None);
        assert_eq!(reason("get"), None);
        assert_eq!(reason("nonsense"), None);
    }
    #[test]
    fn no_command_of_redis_is_unknown() {
        /// What `COMMAND LIST` of redis-server 7.0 tells, but for transactions and what a `*` stands for.
        const OF_REDIS: &str = "acl append asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos \
            blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin client cluster command config copy dbsize debug \
            decr decrby del dump echo exists expire expireat expiretime failover flushall flushdb function get getbit \
            getdel getex getrange getset hello incr incrby incrbyfloat info keys lastsave latency lcs lindex linsert llen \
            lmove lmpop lolwut lpop lpos lpush lpushx lrange lrem lset ltrim memory mget migrate module monitor move mset \
            msetnx object persist pexpire pexpireat pexpiretime ping psetex psubscribe psync pttl publish pubsub \
            punsubscribe quit randomkey readonly readwrite rename renamenx replconf replicaof reset restore \
            restore-asking role rpop rpoplpush rpush rpushx sadd save scan scard script sdiff sdiffstore select set setbit \
            setex setnx setrange shutdown sinter sintercard sinterstore sismember slaveof slowlog smembers smismember \
            smove sort sort_ro spop spublish srandmember srem sscan ssubscribe strlen subscribe substr sunion sunionstore \
            sunsubscribe swapdb sync time touch ttl type unlink unsubscribe unwatch wait watch";
        let table = super::super::Table::new();
        for name in OF_REDIS.split_whitespace() {
            let refused = reason(&Arg::Short(name.into())).is_some();
            let served = table.get(name.as_bytes()).is_some();
            assert!(refused || served, "{name} would be taken for a typo");
        }
    }
}
