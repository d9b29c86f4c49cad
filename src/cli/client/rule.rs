//! Commands that change who is in, and what is where. They are waited for as long as they take.

use std::path::PathBuf;

use clap::Subcommand;
use redis::cmd;

use super::node::Nodes;
use super::{Failed, Long, Reach, Standing, backup, bring, printed, progress};

/// Commands that change who is in, and what is where.
#[derive(Subcommand)]
pub(crate) enum Rule {
    /// Compare all copies now, and heal what differs
    Balance {
        #[command(flatten)]
        long: Long,
    },
    /// Drop old copies that every present holder has
    Purge {
        /// Of this host only [default: of every host]
        host: Option<String>,
        #[command(flatten)]
        long: Long,
    },
    /// Take hosts out of the ring, without their consent
    Remove {
        #[arg(required = true)]
        hosts: Vec<String>,
        #[command(flatten)]
        long: Long,
    },
    /// Take the host that is asked out of the ring
    Leave {
        #[command(flatten)]
        long: Long,
    },
    /// Print how many copies a key has, or keep so many from now on
    Replicas {
        /// 1 to 16
        #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
        copies: Option<u8>,
        #[command(flatten)]
        long: Long,
    },
    /// Give a host another zone or weight
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
    Member {
        /// The host, such as h1f3c
        host: String,
        /// What it may fail together with
        #[arg(long, value_name = "NAME", group = "what")]
        zone: Option<String>,
        /// It is in no zone that others are in
        #[arg(long, group = "what", conflicts_with = "zone")]
        no_zone: bool,
        /// How much it shall hold beside the others; then let tokens follow: roundelay rebalance
        #[arg(long, value_name = "N", group = "what", value_parser = clap::value_parser!(u32).range(1..))]
        weight: Option<u32>,
        #[command(flatten)]
        long: Long,
    },
    /// Move tokens until the load is even
    Rebalance {
        #[command(flatten)]
        long: Long,
    },
    /// Give up the move that is under way
    Cancel {
        #[command(flatten)]
        long: Long,
    },
    /// Give hosts up for good, and what only they held
    AcceptLoss {
        #[arg(required = true)]
        hosts: Vec<String>,
        #[command(flatten)]
        long: Long,
    },
    /// Write all live values of the ring to a file
    Export {
        /// The file; stdout if none is given
        #[arg(long, short)]
        out: Option<PathBuf>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Write the values of an exported file into the ring, where there are none
    Import {
        /// The file; - is stdin
        file: PathBuf,
        /// Also where there is a value
        #[arg(long)]
        overwrite: bool,
        #[command(flatten)]
        reach: Reach,
    },
}

impl Rule {
    pub(crate) fn run(self) -> Result<(), Failed> {
        let (name, words, long) = match self {
            Rule::Balance { long } => ("DHT.BALANCE", Vec::new(), long),
            Rule::Purge { host, long } => ("DHT.PURGE", host.into_iter().collect(), long),
            Rule::Remove { hosts, long } => ("DHT.REMOVE", hosts, long),
            Rule::Leave { long } => ("DHT.LEAVE", Vec::new(), long),
            Rule::Replicas { copies, long } => {
                let words = copies.iter().map(ToString::to_string).collect();
                ("DHT.REPLICAS", words, long)
            }
            Rule::Member {
                host,
                zone,
                no_zone,
                weight,
                long,
            } => ("DHT.MEMBER", member(host, zone, no_zone, weight), long),
            Rule::Rebalance { long } => ("DHT.REBALANCE", Vec::new(), long),
            Rule::Cancel { long } => ("DHT.CANCEL", Vec::new(), long),
            Rule::AcceptLoss { hosts, long } => ("DHT.ACCEPTLOSS", hosts, long),
            Rule::Export { out, reach } => return backup::export(&Nodes::of(&reach)?, out),
            Rule::Import {
                file,
                overwrite,
                reach,
            } => return bring::import(&Nodes::of(&reach)?, &file, overwrite),
        };
        if matches!(name, "DHT.REMOVE" | "DHT.PURGE") && !words.is_empty() {
            all_in(&Nodes::of(&long.reach)?, &words)?;
        }
        let mut command = cmd(name);
        command.arg(words);
        printed(&progress::waited(&long.reach, long.quiet, &command)?)
    }
}

/// The words of DHT.MEMBER.
fn member(host: String, zone: Option<String>, no_zone: bool, weight: Option<u32>) -> Vec<String> {
    let mut words = vec![host];
    words.extend(zone.into_iter().flat_map(|name| ["ZONE".to_owned(), name]));
    words.extend(no_zone.then(|| "NOZONE".to_owned()));
    words.extend(
        weight
            .into_iter()
            .flat_map(|n| ["WEIGHT".to_owned(), n.to_string()]),
    );
    words
}

/// To the ring, a host that is not in it has been removed already; to a person it is a mistake.
fn all_in(nodes: &Nodes, names: &[String]) -> Result<(), Failed> {
    let status = nodes.ask(&cmd("DHT.STATUS"))?;
    let hosts = Standing::read(&status).hosts;
    // What is no name of a host at all is refused by the host that is asked, in its own words.
    let known = |name: &String| {
        let host = name.parse::<roundelay::placement::HostId>();
        host.map_or(true, |host| hosts.contains(&host.to_string()))
    };
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(Failed::Not(format!(
            "{name} is not in the ring: {} are; nothing was done",
            hosts.join(" ")
        ))),
        None => Ok(()),
    }
}
