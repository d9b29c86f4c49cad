//! Commands that only look.

use std::ffi::OsString;

use clap::Subcommand;
use redis::cmd;

use super::node::Nodes;
use super::{Failed, Reach, keyed, printed};

/// Commands that only look.
#[derive(Subcommand)]
pub(crate) enum Look {
    /// Print the hosts that keep a key, the owner first
    Whereis {
        key: OsString,
        /// Ask each of them what it has
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Print why a key is where it is, and what a get would find
    Explain {
        key: OsString,
        #[command(flatten)]
        reach: Reach,
    },
    /// Print who is in: each host with its share of the ring, what it stores and how much it may
    Ring {
        #[command(flatten)]
        reach: Reach,
    },
    /// Print how a host is, or every host
    Status {
        /// Of every host of the ring
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Ask whether a host is there
    Ping {
        #[command(flatten)]
        reach: Reach,
    },
}

impl Look {
    pub(crate) fn run(self) -> Result<(), Failed> {
        let (command, reach) = match self {
            Look::Whereis { key, check, reach } => {
                let mut command = keyed("DHT.WHEREIS", &key);
                if check {
                    command.arg("CHECK");
                }
                (command, reach)
            }
            Look::Explain { key, reach } => (keyed("DHT.EXPLAIN", &key), reach),
            Look::Ring { reach } => {
                let mut command = cmd("DHT.RING");
                command.arg("LOAD");
                (command, reach)
            }
            Look::Status { all, reach } => {
                let mut command = cmd("DHT.STATUS");
                if all {
                    command.arg("ALL");
                }
                (command, reach)
            }
            Look::Ping { reach } => (cmd("PING"), reach),
        };
        printed(&Nodes::of(&reach)?.ask(&command)?)
    }
}
