//! One redis-server and one host.

use std::time::Duration;

use crate::load::{What, run};
use crate::servers::{Servers, free_ports};
use crate::{Effort, median, verdict};

/// To reach, as parts of Redis's rate: with one request in flight for each client, and with 16.
const LEAST: f64 = 1.0;
const LEAST_IN_FLIGHT: f64 = 1.6;

/// So many requests are in flight for each client where it is not one.
const IN_FLIGHT: usize = 16;

/// What a server did in the rounds with one command.
#[derive(Default)]
struct Figures {
    /// Requests a second.
    rates: Vec<f64>,
    /// Microseconds on processors for a request. Who else is at work on the machine matters less for them.
    spent: Vec<f64>,
}

pub(crate) fn measure(policy: &str, effort: Effort) -> anyhow::Result<()> {
    let mut servers = Servers::new()?;
    let ports = start(&mut servers, policy)?;
    println!(
        "{policy}: one host; requests a second, and processor time for a request, medians of {}",
        effort.rounds
    );
    // A disk is slower: fewer requests take as long.
    let requests = match policy {
        "memory" => effort.requests,
        "everysec" => effort.requests.div_ceil(2),
        _ => effort.requests.div_ceil(4),
    };
    compare(&servers, ports, (requests, 1), effort.rounds, LEAST)?;
    if policy == "memory" {
        let requests = 3 * requests;
        compare(
            &servers,
            ports,
            (requests, IN_FLIGHT),
            effort.rounds,
            LEAST_IN_FLIGHT,
        )?;
    }
    Ok(())
}

/// The ports of Redis and of the host.
fn start(servers: &mut Servers, policy: &str) -> anyhow::Result<[u16; 2]> {
    let ports = free_ports(2)?;
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
    Ok([ports[0], ports[1]])
}

fn compare(
    servers: &Servers,
    ports: [u16; 2],
    (requests, in_flight): (usize, usize),
    rounds: usize,
    least: f64,
) -> anyhow::Result<()> {
    let whats = [("SET", What::Set), ("GET", What::Get)];
    let mut figures = whats.map(|_| [Figures::default(), Figures::default()]);
    for _ in 0..rounds {
        for (server, port) in ports.into_iter().enumerate() {
            for ((_, what), figures) in whats.iter().zip(&mut figures) {
                let before = servers.spent(server);
                let rate = run(port, *what, requests, in_flight, &[])?;
                let spent = servers.spent(server).saturating_sub(before);
                figures[server].add(rate, spent, requests);
            }
        }
    }
    for ((name, _), figures) in whats.into_iter().zip(figures) {
        let [(redis, redis_us), (here, here_us)] = figures.map(Figures::medians);
        let ratio = here / redis;
        println!(
            "  {name} {in_flight:>2} in flight  redis {redis:>9.0} {redis_us:>6.2} us  here {here:>9.0} {here_us:>6.2} us  ratio {ratio:.2}, at least {}",
            verdict(ratio, least)
        );
    }
    Ok(())
}

impl Figures {
    fn add(&mut self, rate: f64, spent: Duration, requests: usize) {
        self.rates.push(rate);
        self.spent.push(spent.as_secs_f64() * 1e6 / requests as f64);
    }

    fn medians(self) -> (f64, f64) {
        (median(self.rates), median(self.spent))
    }
}
