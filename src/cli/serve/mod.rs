//! `roundelay serve`: a host in this process.
//!
//! ```text
//! a flag                   --fsync always
//! beats the environment    ROUNDELAY_FSYNC=always
//! beats a file             fsync = "always"                 in FILE.toml, named by --config or ROUNDELAY_CONFIG
//! beats the default        everysec
//! ```

mod options;
mod read;
mod run;

use std::path::PathBuf;

use clap::Args;

pub(super) use run::run;

/// What `serve` can be told. All of it is text here: where it came from decides how an error is told.
#[derive(Args, Debug, Default)]
pub(super) struct ServeArgs {
    /// Where to listen, for clients and other hosts alike [default: 127.0.0.1:50140]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Under which address others reach this host [default: where it listens]
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// Hosts of the ring, or of the one to come; the first named may found it [default: found a new ring]
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    join: Vec<String>,
    /// The cluster's name [default: roundelay]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Keep the data there [default: in memory]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// When a write is safe: always, everysec or never synced [default: everysec]
    #[arg(long, value_name = "WHEN")]
    fsync: Option<String>,
    /// Copies of every key [default: as the ring has it; 3 in a new one]
    #[arg(long, value_name = "R")]
    replicas: Option<String>,
    /// How many replicas answer a request that does not say it itself: one, quorum or all [default: quorum]
    #[arg(long, value_name = "HOW")]
    consistency: Option<String>,
    /// A host that is silent for so long is removed, if a majority finds so too; 0: never [default: 5m]
    #[arg(long, value_name = "TIME")]
    remove_after: Option<String>,
    /// Places on the circle [default: 16]
    #[arg(long, value_name = "N")]
    tokens: Option<String>,
    /// Where they are: even, random, or ids of 40 hexadecimal digits [default: even]
    #[arg(long, value_name = "even|random|HEX,…")]
    place: Option<String>,
    /// What this host may fail together with
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// How much it shall hold beside the others [default: 1]
    #[arg(long, value_name = "N")]
    weight: Option<String>,
    /// A file with what all hosts of the cluster know
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
    /// A file with what clients must know
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// This host's certificate, for TLS between hosts (PEM)
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// The certificate of the authority that signed those of all hosts (PEM)
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<String>,
    /// The name in all hosts' certificates [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    tls_name: Option<String>,
    /// Memory for what was read from disk [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    cache: Option<String>,
    /// Keys and values in memory at most, 0 for no limit; with --data-dir the disk's free space decides [default: no limit]
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<String>,
    /// The longest value [default: 512MiB]
    #[arg(long, value_name = "SIZE")]
    max_value: Option<String>,
    /// Clients at once [default: 10000]
    #[arg(long, value_name = "N")]
    max_clients: Option<String>,
    /// Leave the ring when told to end; otherwise this host only asks whether it may
    #[arg(long)]
    leave_on_exit: bool,
    /// How long to wait for the others' consent before ending all the same [default: 30s]
    #[arg(long, value_name = "TIME")]
    farewell: Option<String>,
    /// End, in order, when standard input does: whoever started this host is gone then
    #[arg(long)]
    end_with_stdin: bool,
    /// A file with settings: the names of these flags, in TOML [also: ROUNDELAY_CONFIG]
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Print the settings in force as such a file, and where each comes from; start nothing
    #[arg(long)]
    print_config: bool,
}
