//! What a host is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::keyspace::Id;
use crate::message::Consistency;
use crate::placement::Zone;
use crate::remote::{Address, MAX_CLUSTER_BYTES, Secret, Tls};
use crate::roster::{MAX_REPLICAS, MAX_TOKENS};
use crate::store::SyncPolicy;

/// No value may be longer than this: 512 MiB.
pub(super) const MAX_VALUE_BYTES: u64 = 512 * 1024 * 1024;

const BEYOND_VALUES: u64 = MAX_VALUE_BYTES + 1;

/// Where a host's tokens stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Where they even the load.
    #[default]
    Even,
    /// Anywhere.
    Random,
    /// Just there.
    At(Vec<Id>),
}

/// The settings of a host's process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens: TCP and UDP, the same port; port 0: whichever is free.
    pub listen: SocketAddr,
    /// Under which address others reach it; `None`: where it listens.
    pub advertise: Option<Address>,
    /// Hosts of the ring, or of the one to come. None: it founds a ring of its own.
    pub join: Vec<Address>,
    /// The cluster's name: hosts of two clusters never mix.
    pub cluster: String,
    /// Where its data lie; `None`: in memory.
    pub data_dir: Option<PathBuf>,
    /// When a write is safe.
    pub fsync: SyncPolicy,
    /// How many copies of every key; `None`: as the ring has it, three if it founds one.
    pub replicas: Option<u8>,
    /// How many places on the circle it takes, if they are not named.
    pub tokens: u16,
    /// Where.
    pub place: Place,
    /// What it may fail together with.
    pub zone: Option<Zone>,
    /// How much it should hold beside the others.
    pub weight: u32,
    /// What all hosts of the cluster know.
    pub secret: Secret,
    /// What clients must know.
    pub password: Option<Vec<u8>>,
    /// Certificates between hosts.
    pub tls: Option<Tls>,
    /// How many replicas must answer a request that does not say it itself.
    pub consistency: Consistency,
    /// A host that is silent for so long is removed, if a majority finds so too; zero: never.
    pub remove_after: Duration,
    /// At most so many bytes of what was read from disk stay in memory.
    pub cache_bytes: u64,
    /// At most so many bytes of keys and values in memory; with more, new values are refused. It must not be said of
    /// data on disk: there `reserve_bytes` decides.
    pub max_bytes: Option<u64>,
    /// So much of the disk is kept free.
    pub reserve_bytes: u64,
    /// The longest value, in bytes.
    pub max_value_bytes: u64,
    /// At most so many clients.
    pub max_clients: usize,
    /// Whether it leaves the ring when it is told to end; otherwise it only asks whether it may.
    pub leave_on_exit: bool,
    /// How long it waits to be allowed to end, or to have left, before it ends all the same.
    pub farewell: Duration,
}

impl Default for Settings {
    /// A host on loopback that keeps its data in memory.
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 50140)),
            advertise: None,
            join: Vec::new(),
            cluster: "roundelay".into(),
            data_dir: None,
            fsync: SyncPolicy::EverySecond,
            replicas: None,
            tokens: 16,
            place: Place::Even,
            zone: None,
            weight: 1,
            secret: Secret::new(Vec::new()),
            password: None,
            tls: None,
            consistency: Consistency::Quorum,
            remove_after: Duration::from_secs(300),
            cache_bytes: 64 * 1024 * 1024,
            max_bytes: None,
            reserve_bytes: 64 * 1024 * 1024,
            max_value_bytes: MAX_VALUE_BYTES,
            max_clients: 10_000,
            leave_on_exit: false,
            farewell: Duration::from_secs(30),
        }
    }
}

/// Why settings cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Reachable by anybody.
    #[error(
        "{0} can be reached from other machines: give all hosts a secret (--secret-file), or use a loopback \
         address such as 127.0.0.1:50140"
    )]
    NoSecret(String),
    /// Everywhere is nowhere.
    #[error(
        "it listens on all addresses ({0}): say under which one others reach it (--advertise HOST:PORT)"
    )]
    NoAddress(SocketAddr),
    /// An address that is none.
    #[error(
        "nobody can reach {0}: say under which name or number of this machine others reach it (--advertise HOST:PORT)"
    )]
    Nowhere(Address),
    /// A number out of range.
    #[error("{name} must be {range}, got {got}")]
    Range {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: String,
        /// What it is.
        got: u64,
    },
    /// A limit of memory for what is on disk.
    #[error(
        "max-memory limits what is kept in memory, and the data are in {0}: leave it away; on disk new values are refused when the disk is nearly full"
    )]
    MemoryOfDisk(PathBuf),
    /// A directory without a name would be the present one.
    #[error("data-dir is empty: say which directory, or leave it away to keep the data in memory")]
    NoDirectory,
    /// A bad name.
    #[error("a cluster's name has 1 to {MAX_CLUSTER_BYTES} bytes, got {0}")]
    Cluster(usize),
}

impl Settings {
    /// Whether these settings can be.
    ///
    /// # Errors
    /// Which one cannot, and what to do.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.listen.ip().is_unspecified() && self.advertise.is_none() {
            return Err(SettingsError::NoAddress(self.listen));
        }
        if let Some(address) = self.advertise.as_ref().filter(|to| is_nowhere(to)) {
            return Err(SettingsError::Nowhere(address.clone()));
        }
        if self.secret.is_empty() {
            let far = |address: &&Address| !is_loopback(address);
            if let Some(address) = self.advertise.as_ref().filter(far) {
                return Err(SettingsError::NoSecret(address.to_string()));
            }
            if !self.listen.ip().is_loopback() {
                return Err(SettingsError::NoSecret(self.listen.to_string()));
            }
        }
        let range = |name, range: String, got: u64| Err(SettingsError::Range { name, range, got });
        match self {
            Settings { cluster, .. } if cluster.is_empty() || cluster.len() > MAX_CLUSTER_BYTES => {
                Err(SettingsError::Cluster(cluster.len()))
            }
            Settings {
                replicas: Some(r @ (0 | 17..)),
                ..
            } => range("replicas", format!("1 to {MAX_REPLICAS}"), u64::from(*r)),
            Settings { tokens, .. } if *tokens == 0 || usize::from(*tokens) > MAX_TOKENS => {
                range("tokens", format!("1 to {MAX_TOKENS}"), u64::from(*tokens))
            }
            Settings {
                data_dir: Some(path),
                ..
            } if path.as_os_str().is_empty() => Err(SettingsError::NoDirectory),
            Settings {
                max_bytes: Some(_),
                data_dir: Some(path),
                ..
            } => Err(SettingsError::MemoryOfDisk(path.clone())),
            Settings { weight: 0, .. } => range("weight", "at least 1".into(), 0),
            Settings { max_clients: 0, .. } => range("max-clients", "at least 1".into(), 0),
            Settings {
                max_value_bytes: bytes @ (0 | BEYOND_VALUES..),
                ..
            } => range("max-value", format!("1 to {MAX_VALUE_BYTES} bytes"), *bytes),
            Settings { .. } => Ok(()),
        }
    }
}

/// Whether an address means this machine alone.
fn is_loopback(address: &Address) -> bool {
    let host = address.host();
    let number = host.parse::<std::net::IpAddr>();
    host == "localhost" || number.is_ok_and(|number| number.is_loopback())
}

/// Whether an address means all of a machine's, and none to others.
fn is_nowhere(address: &Address) -> bool {
    let number = address.host().parse::<std::net::IpAddr>();
    number.is_ok_and(|number| number.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        let checked = settings.check();
        checked.map_or_else(|error| error.to_string(), |()| "good".into())
    }

    #[test]
    fn beyond_loopback_a_secret_is_needed_and_the_remedy_is_said() {
        assert_eq!(told(|_| {}), "good");
        let far = |settings: &mut Settings| settings.listen = "10.0.0.7:50140".parse().unwrap();
        assert!(told(far).contains("--secret-file"));
        let advertised = |settings: &mut Settings| {
            settings.advertise = Some("dht-1.example:50140".parse().unwrap());
        };
        assert!(told(advertised).contains("dht-1.example:50140 can be reached"));
        let secret = |settings: &mut Settings| {
            far(settings);
            settings.secret = Secret::new("only we know");
        };
        assert_eq!(told(secret), "good");
    }

    #[test]
    fn settings_that_cannot_be_say_why() {
        assert!(told(|s| s.listen = "0.0.0.0:7".parse().unwrap()).contains("--advertise"));
        assert!(told(|s| s.replicas = Some(17)).contains("replicas must be 1 to 16, got 17"));
        assert!(told(|s| s.tokens = 0).contains("tokens must be 1"));
        assert!(told(|s| s.weight = 0).contains("weight"));
        assert!(told(|s| s.max_clients = 0).contains("max-clients must be at least 1"));
        assert!(told(|s| s.max_value_bytes = 0).contains("max-value must be 1 to"));
        assert!(told(|s| s.max_value_bytes = MAX_VALUE_BYTES + 1).contains("max-value"));
        assert!(told(|s| s.data_dir = Some("".into())).contains("data-dir is empty"));
        assert_eq!(told(|s| s.max_bytes = Some(1 << 20)), "good");
        let both = |s: &mut Settings| {
            s.max_bytes = Some(1 << 20);
            s.data_dir = Some("/var/lib/ring".into());
        };
        assert!(told(both).contains("the data are in /var/lib/ring: leave it away"));
        assert!(told(|s| s.cluster.clear()).contains("name"));
    }
}
