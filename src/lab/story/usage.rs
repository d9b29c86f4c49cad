//! The language of stories on one page.

/// Every command, with its arguments and what it does. What stands in brackets may be left out.
pub const USAGE: &[(&str, &str, &str)] = &[
    (
        "ring",
        "[hosts=3] [seed=1] [tokens=2] [replicas=3] [routes=neighbours|fingers|all] [ids=1/6/10] [zones=a/b/c] [SETTING=…]",
        "a new world with a settled ring; ids: one token a host, there; zones: by turns",
    ),
    (
        "links",
        "[ids=1/6/10] [seed=1] [routes=…] [SETTING=…]",
        "a new world with a ring by links alone: h1 founds it at the first id, the others join in this order",
    ),
    (
        "host",
        "HOST … [store=BYTES]",
        "new hosts, started, in no ring yet",
    ),
    (
        "join",
        "HOST via=HOST [id=7 | ids=… | tokens=2] [zone=NAME] [weight=1] [replaces=HOST] [replicas=3] [as=NAME]",
        "a host joins the ring; a new one is made for it",
    ),
    (
        "leave",
        "HOST [as=NAME]",
        "a host leaves the ring, and hands over what it holds",
    ),
    (
        "change",
        "[remove=h1/h2] [join=h4/h5] [replicas=3] [at=HOST] [as=NAME]",
        "a batch of changes in one move",
    ),
    (
        "replicas",
        "[NUMBER] [at=HOST] [as=NAME]",
        "keep so many copies from now on; without a number: how many are kept",
    ),
    (
        "rebalance",
        "[at=HOST] [as=NAME]",
        "move tokens until the load is even",
    ),
    (
        "give-up",
        "[at=HOST] [as=NAME]",
        "give up the move that is under way",
    ),
    ("cancel", "[at=HOST] [as=NAME]", "the same as give-up"),
    (
        "remove",
        "HOST … [at=HOST] [as=NAME]",
        "take hosts out of the ring without asking them; the others make up the copies",
    ),
    (
        "balance",
        "[at=HOST] [deadline=5m] [as=NAME]",
        "compare every span's copies now, on every host, and heal what differs",
    ),
    (
        "count",
        "[at=HOST] [deadline=5m] [as=NAME]",
        "how many keys are in the ring, each counted by one host",
    ),
    (
        "purge",
        "[HOST] [at=HOST] [deadline=5m] [as=NAME]",
        "drop old copies that all current holders have, on every host or on one",
    ),
    (
        "configure",
        "[move-rate=BYTES] [host=HOST] [at=HOST] [as=NAME]",
        "change settings while hosts run; move-rate: bytes a second that a host takes in while spans move, 0: no limit",
    ),
    (
        "export",
        "NAME [page=65536] [at=HOST]",
        "all live values, page by page, into an archive that stays when a new world begins",
    ),
    (
        "import",
        "NAME [overwrite=yes] [skip=0] [page=100] [at=HOST]",
        "the values of an archive into this ring; only absent keys, unless overwrite",
    ),
    (
        "damage",
        "NAME [at=BYTE] [cut=BYTES]",
        "one bit of an archive changes, or its end is lost",
    ),
    (
        "drain",
        "HOST [as=NAME]",
        "a host asks whether it may stop for a while, and holds the grant",
    ),
    (
        "end-drain",
        "[at=HOST] [as=NAME]",
        "whoever holds the drain grant is back, or stays",
    ),
    (
        "accept-loss",
        "h2/h3 [at=HOST] [as=NAME]",
        "hosts are given up for good, with what only they held",
    ),
    ("safe-to-stop", "", "which hosts may stop, and why not"),
    (
        "crash",
        "HOST …",
        "processes end without a word, as in a power cut",
    ),
    (
        "restart",
        "HOST … [lose=all]",
        "they start again with what their disks kept, or with empty ones",
    ),
    (
        "partition",
        "h1/h2 [h3/h4]",
        "nothing passes between the two sides; one side alone: and all others",
    ),
    (
        "cut",
        "h1/h2 h3/h4",
        "nothing passes from the first to the second; back it does",
    ),
    ("heal", "", "no cuts, drops and holds any more"),
    (
        "network",
        "[delay=1-20] [loss=PERMILLE] [duplicate=PERMILLE] [late=PERMILLE] [late-by=500ms] [link-down=1s|never]",
        "how messages travel from now on",
    ),
    (
        "drop",
        "MESSAGE|any [from=HOST] [to=HOST] [times=1]",
        "the next such messages are lost",
    ),
    (
        "hold",
        "MESSAGE|any by=500ms [from=HOST] [to=HOST] [times=1]",
        "the next such messages arrive later",
    ),
    (
        "clock",
        "HOST [ahead=5s] [behind=5s]",
        "the host's wall clock jumps",
    ),
    (
        "slow",
        "HOST by=50ms",
        "all from and to this host takes longer",
    ),
    (
        "slow-disk",
        "HOST by=3s",
        "each operation of its disk takes so long from now on",
    ),
    ("run", "TIME", "let time go by"),
    (
        "settle",
        "[limit=5m]",
        "let time go by until the ring has settled",
    ),
    (
        "put",
        "KEY [VALUE | size=BYTES] [ttl=5s] [at=HOST] [consistency=one|quorum|all] [replicas=N] [deadline=5s] [as=NAME]",
        "store a value; key-size=BYTES instead of KEY makes a key of that size",
    ),
    (
        "get",
        "KEY [at=HOST] [consistency=…] [replicas=N] [deadline=…] [as=NAME]",
        "fetch a value",
    ),
    (
        "del",
        "KEY [at=HOST] [consistency=…] [replicas=N] [deadline=…] [as=NAME]",
        "delete a key",
    ),
    (
        "has",
        "KEY [at=HOST] [consistency=…] [replicas=N] [deadline=…] [as=NAME]",
        "the version of a key, or none",
    ),
    (
        "ttl",
        "KEY [at=HOST] [consistency=…] [replicas=N] [deadline=…] [as=NAME]",
        "whether a key will expire",
    ),
    (
        "expire",
        "KEY in=5s|never [at=HOST] [consistency=…] [replicas=N] [deadline=…] [as=NAME]",
        "change the time to live",
    ),
    (
        "put-content",
        "VALUE | size=BYTES [at=HOST] …",
        "store a value under its own SHA-1",
    ),
    ("fetch", "SHA-1 [at=HOST] …", "fetch such a value"),
    (
        "upload",
        "NAME size=BYTES [at=HOST]",
        "begin to store a large value piece by piece",
    ),
    (
        "open",
        "KEY as=NAME [at=HOST]",
        "find a value; a large one is then read piece by piece",
    ),
    (
        "piece",
        "NAME [times=1]",
        "send, or read, the next pieces, each when the one before is answered",
    ),
    (
        "end",
        "NAME KEY [ttl=5s] [as=NAME]",
        "store what was uploaded under this key",
    ),
    ("abandon", "NAME", "say that an upload will not be ended"),
    (
        "many",
        "put=cat/meow get=cat del=cat has=cat … [at=HOST] …",
        "many keys at once, each with a result",
    ),
    (
        "whereis",
        "KEY [check] [at=HOST] [deadline=3s]",
        "the hosts that hold a key; check: asks each what it has",
    ),
    (
        "explain",
        "KEY [at=HOST] [deadline=3s]",
        "why this key is where it is, how it is found, what each copy is, what a get would find",
    ),
    (
        "lookup",
        "ID | key=KEY [at=HOST] [as=NAME]",
        "who owns an id, asked hop by hop",
    ),
    (
        "wait",
        "NAME …",
        "wait for the answers to requests that were asked with as=NAME",
    ),
    (
        "tables",
        "[from=0] [to=11]",
        "for each id its owner and its neighbours, asked of every host",
    ),
    (
        "keys",
        "",
        "which host holds which key at which version; crashed hosts in brackets",
    ),
    (
        "status",
        "[ring] [at=HOST]",
        "what each host knows of the ring; ring: one host asks all the others",
    ),
    ("links-of", "[HOST …]", "next, prev and span of each node"),
    (
        "versions",
        "",
        "the versions shown so far, the oldest first",
    ),
    (
        "trace",
        "off|events|on|all|MESSAGE …",
        "which lines are shown: none; what hosts decide; that and messages; all",
    ),
    (
        "check",
        "",
        "every host checks its invariants, and the ring as a whole is checked",
    ),
    (
        "remember",
        "NAME",
        "remember all that has happened in this world",
    ),
    (
        "same",
        "NAME",
        "has the same happened here as in the world remembered so?",
    ),
];

/// The settings that `ring` and `links` take, with their times and numbers.
pub(super) const SETTINGS: &str = "settings: delay, sync=always|everysec|never, deadline, retry, hint-after, \
    hint-retry, gossip, repair, drive, give-up, remove-after, drain-for, patience, move-rate, chunk, max-open, max-many, max-value, max-hints, \
    collect, collect-age, store, relay-limit, successors, stabilize, lease, takeover, link-down, detect=on|off";

/// The error for a mistake in a known command.
pub(super) fn explain(name: &str, problem: String) -> String {
    let Some((_, usage, _)) = USAGE.iter().find(|(known, ..)| *known == name) else {
        return problem;
    };
    let settings = if usage.contains("SETTING") {
        format!("; {SETTINGS}")
    } else {
        String::new()
    };
    format!("{name}: {problem}; usage: {name} {usage}{settings}")
}

/// The error for an unknown command.
pub(super) fn unknown(name: &str) -> String {
    let names: Vec<&str> = USAGE.iter().map(|(name, ..)| *name).collect();
    format!(
        "there is no command {name:?}; there are {}",
        names.join(", ")
    )
}
