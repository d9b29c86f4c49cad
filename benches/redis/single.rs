//! One redis-server and one host.

use crate::load::{What, run};
use crate::servers::{Servers, free_ports};
use crate::{Effort, median, verdict};

/// To reach, as parts of Redis's rate: with one request in flight for each client, and with 16.
const LEAST: f64 = 1.0;
const LEAST_IN_FLIGHT: f64 = 1.6;

/// So many requests are in flight for each client where it is not one.
const IN_FLIGHT: usize = 16;

pub(crate) fn measure(policy: &str, effort: Effort) -> anyhow::Result<()> {
    let ports = free_ports(2)?;
    let mut servers = Servers::new()?;
    let durable = policy != "memory";
    match durable {
        false => servers.redis(ports[0], &["--appendonly", "no"])?,
        true => servers.redis(ports[0], &["--appendonly", "yes", "--appendfsync", policy])?,
    }
    let mut flags = vec!["--replicas", "1"];
    if durable {
        flags.extend(["--fsync", policy]);
    }
    servers.host(ports[1], durable, &flags)?;
    println!(
        "{policy}: one host, requests a second, medians of {}",
        effort.rounds
    );
    // A disk is slower: fewer requests take as long.
    let requests = match policy {
        "memory" => effort.requests,
        "everysec" => effort.requests.div_ceil(2),
        _ => effort.requests.div_ceil(4),
    };
    let in_flight: &[usize] = if durable { &[1] } else { &[1, IN_FLIGHT] };
    for in_flight in in_flight.iter().copied() {
        let requests = if in_flight == 1 {
            requests
        } else {
            3 * requests
        };
        let mut rates = [const { Vec::new() }; 4];
        for _ in 0..effort.rounds {
            for (at, port) in ports.iter().enumerate() {
                rates[at].push(run(*port, What::Set, requests, in_flight, &[])?);
                rates[2 + at].push(run(*port, What::Get, requests, in_flight, &[])?);
            }
        }
        let least = if in_flight == 1 {
            LEAST
        } else {
            LEAST_IN_FLIGHT
        };
        let [set_redis, set_here, get_redis, get_here] = rates;
        say("SET", in_flight, (set_redis, set_here), least);
        say("GET", in_flight, (get_redis, get_here), least);
    }
    Ok(())
}

fn say(name: &str, in_flight: usize, (redis, here): (Vec<f64>, Vec<f64>), least: f64) {
    let (redis, here) = (median(redis), median(here));
    let ratio = here / redis;
    println!(
        "  {name} {in_flight:>2} in flight  redis {redis:>9.0}  here {here:>9.0}  ratio {ratio:.2}, at least {}",
        verdict(ratio, least)
    );
}
