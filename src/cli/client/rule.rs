//! Commands that change who is in, and what is where. They are waited for as long as they take.

use std::path::PathBuf;

use clap::Subcommand;
use redis::cmd;

use super::node::Nodes;
use super::{Failed, Reach, backup, bring, printed};

/// Commands that change who is in, and what is where.
#[derive(Subcommand)]
pub(crate) enum Rule {
    /// Compare all copies now, and heal what differs
    Balance {
        #[command(flatten)]
        reach: Reach,
    },
    /// Drop old copies that every present holder has
    Purge {
        /// Of this host only [default: of every host]
        host: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take hosts out of the ring, without their consent
    Remove {
        #[arg(required = true)]
        hosts: Vec<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take the host that is asked out of the ring
    Leave {
        #[command(flatten)]
        reach: Reach,
    },
    /// Print how many copies a key has, or keep so many from now on
    Replicas {
        /// 1 to 16
        #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
        copies: Option<u8>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Move tokens until the load is even
    Rebalance {
        #[command(flatten)]
        reach: Reach,
    },
    /// Give up the move that is under way
    Cancel {
        #[command(flatten)]
        reach: Reach,
    },
    /// Give hosts up for good, and what only they held
    AcceptLoss {
        #[arg(required = true)]
        hosts: Vec<String>,
        #[command(flatten)]
        reach: Reach,
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
        let (name, words, reach) = match self {
            Rule::Balance { reach } => ("DHT.BALANCE", Vec::new(), reach),
            Rule::Purge { host, reach } => ("DHT.PURGE", host.into_iter().collect(), reach),
            Rule::Remove { hosts, reach } => ("DHT.REMOVE", hosts, reach),
            Rule::Leave { reach } => ("DHT.LEAVE", Vec::new(), reach),
            Rule::Replicas { copies, reach } => {
                let words = copies.iter().map(ToString::to_string).collect();
                ("DHT.REPLICAS", words, reach)
            }
            Rule::Rebalance { reach } => ("DHT.REBALANCE", Vec::new(), reach),
            Rule::Cancel { reach } => ("DHT.CANCEL", Vec::new(), reach),
            Rule::AcceptLoss { hosts, reach } => ("DHT.ACCEPTLOSS", hosts, reach),
            Rule::Export { out, reach } => return backup::export(&Nodes::of(&reach)?, out),
            Rule::Import {
                file,
                overwrite,
                reach,
            } => return bring::import(&Nodes::of(&reach)?, &file, overwrite),
        };
        let nodes = Nodes::of(&reach)?.patient();
        if matches!(name, "DHT.REMOVE" | "DHT.PURGE") && !words.is_empty() {
            all_in(&nodes, &words)?;
        }
        let mut command = cmd(name);
        command.arg(words);
        printed(&nodes.ask(&command)?)
    }
}

/// To the ring, a host that is not in it has been removed already; to a person it is a mistake.
fn all_in(nodes: &Nodes, names: &[String]) -> Result<(), Failed> {
    let status = nodes.ask(&cmd("DHT.STATUS"))?;
    let entries = status.as_map_iter().into_iter().flatten();
    let hosts = entries
        .filter(|(name, _)| {
            redis::from_redis_value_ref::<String>(name).is_ok_and(|name| name == "hosts")
        })
        .find_map(|(_, hosts)| redis::from_redis_value_ref::<Vec<String>>(hosts).ok())
        .unwrap_or_default();
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
