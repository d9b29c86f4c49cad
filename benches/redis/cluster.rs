//! A Redis Cluster of three primaries with a replica each, and three hosts that all hold each key.
//!
//! What is compared is not the same: a primary of Redis acknowledges a write before its replica has it, here a
//! majority of the three has it. On both sides the 50 clients are shared out: `redis-benchmark --cluster` asks each primary
//! for its own keys; here three `redis-benchmark`s ask one host each for any. A line says, too, what one host gives that
//! all clients ask.
//!
//! For a cluster `redis-benchmark` takes a thread for each primary, and with threads it looks only four times a second
//! whether all is done. So here it takes as many, and the runs are long.

use std::process::Command;

use redis::Value;

use crate::load::{self, What, run, run_at_each};
use crate::servers::{Servers, free_ports, told, wait_for};
use crate::{Effort, median, verdict};

const PRIMARIES: usize = 3;
const HOSTS: usize = 3;

/// To reach, as parts of the cluster's rate.
const LEAST_GET: f64 = 1.0;
const LEAST_SET: f64 = 0.5;

pub(crate) fn measure(effort: Effort) -> anyhow::Result<()> {
    let mut servers = Servers::new()?;
    let redis = start_redis(&mut servers)?;
    // For Redis knows no other, a read at one is a plain GET here, too: of three more hosts that are told so.
    let hosts = start_hosts(&mut servers, "quorum")?;
    let at_one = start_hosts(&mut servers, "one")?;
    run_at_each(&at_one, What::Set, 5 * effort.requests)?;
    println!(
        "cluster: {PRIMARIES} primaries and {PRIMARIES} replicas (asynchronous), {HOSTS} hosts with {HOSTS} copies; requests a second, medians of {}",
        effort.rounds
    );
    let threads = PRIMARIES.to_string();
    let whats = [
        ("SET, here at quorum", What::Set, &hosts, Some(LEAST_SET)),
        ("GET, here at one", What::Get, &at_one, Some(LEAST_GET)),
        ("GET, here at quorum", What::Get, &hosts, None),
    ];
    let mut rates = whats.map(|_| [const { Vec::new() }; 3]);
    for _ in 0..effort.rounds {
        for ((_, what, hosts, _), [redis_rates, each, one]) in whats.iter().zip(&mut rates) {
            let many = 5 * effort.requests;
            redis_rates.push(run(redis, *what, many, 1, &["--cluster"])?);
            each.push(run_at_each(hosts, *what, 2 * effort.requests)?);
            let flags = ["--threads", &threads];
            one.push(run(hosts[0], *what, effort.requests, 1, &flags)?);
        }
    }
    for ((name, _, _, least), all) in whats.into_iter().zip(rates) {
        let [redis, here, one] = all.map(median);
        let ratio = here / redis;
        let least = least.map_or(String::new(), |least| {
            format!(", at least {}", verdict(ratio, least))
        });
        println!(
            "  {name:<20}  redis {redis:>9.0}  here {here:>9.0}  ratio {ratio:.2}{least}; all at one host {one:>9.0}"
        );
    }
    Ok(())
}

/// The port of one of its primaries.
fn start_redis(servers: &mut Servers) -> anyhow::Result<u16> {
    let members = 2 * PRIMARIES;
    let ports = free_ports(2 * members)?;
    let (ports, buses) = ports.split_at(members);
    for (port, bus) in ports.iter().zip(buses) {
        let bus = bus.to_string();
        let mut flags = vec!["--appendonly", "no", "--cluster-enabled", "yes"];
        flags.extend(["--cluster-port", &bus]);
        servers.redis(*port, &flags)?;
    }
    let addresses = ports.iter().map(|port| format!("127.0.0.1:{port}"));
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(addresses);
    create.args(["--cluster-replicas", "1", "--cluster-yes"]);
    load::told(&mut create)?;
    let home = servers.dir().to_owned();
    wait_for("the cluster to be whole", &home, || {
        let whole = |port: &u16| {
            let info = text(told(*port, &["CLUSTER", "INFO"])?)?;
            let linked = text(told(*port, &["INFO", "replication"])?)?;
            let linked =
                linked.contains("connected_slaves:1") || linked.contains("master_link_status:up");
            (info.contains("cluster_state:ok") && linked).then_some(())
        };
        ports.iter().map(whole).collect::<Option<()>>()
    })?;
    Ok(ports[0])
}

/// Their ports.
fn start_hosts(servers: &mut Servers, consistency: &str) -> anyhow::Result<Vec<u16>> {
    let ports = free_ports(HOSTS)?;
    let first = format!("127.0.0.1:{}", ports[0]);
    let replicas = HOSTS.to_string();
    for port in &ports {
        let flags = ["--replicas", &replicas, "--join", &first];
        let flags = [&flags[..], &["--consistency", consistency]].concat();
        servers.host(*port, false, &flags)?;
    }
    let home = servers.dir().to_owned();
    wait_for("the hosts to be in one ring", &home, || {
        let ring: std::collections::BTreeMap<String, Value> =
            redis::from_redis_value(told(ports[0], &["DHT.RING"])?).ok()?;
        let state: String = redis::from_redis_value_ref(ring.get("state")?).ok()?;
        let Value::Array(members) = ring.get("hosts")? else {
            return None;
        };
        (members.len() == HOSTS && state == "settled").then_some(())
    })?;
    Ok(ports)
}

fn text(value: Value) -> Option<String> {
    redis::from_redis_value(value).ok()
}
