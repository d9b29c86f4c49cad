//! From text to settings.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use roundelay::keyspace::Id;
use roundelay::message::Consistency;
use roundelay::placement::Zone;
use roundelay::remote::{Address, Secret, Tls, TlsError};
use roundelay::roster::{MAX_REPLICAS, MAX_TOKENS};
use roundelay::server::{Place, Settings, SettingsError};
use roundelay::store::SyncPolicy;

use super::options::{Given, Options};

/// A secret, password or key file may have at most so many bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

impl Options {
    /// The settings they make.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        self.set("listen", &mut settings.listen, listen)?;
        self.set("advertise", &mut settings.advertise, some(plain))?;
        self.set("join", &mut settings.join, whom)?;
        self.set("cluster", &mut settings.cluster, plain)?;
        self.set("data-dir", &mut settings.data_dir, some(plain))?;
        self.set("fsync", &mut settings.fsync, |text| {
            SyncPolicy::named(text)
                .ok_or_else(|| anyhow!("always, everysec or never, got {text:?}"))
        })?;
        self.set(
            "replicas",
            &mut settings.replicas,
            some(up_to("replicas", MAX_REPLICAS.into())),
        )?;
        self.set("consistency", &mut settings.consistency, consistency)?;
        self.set("remove-after", &mut settings.remove_after, time)?;
        self.set(
            "tokens",
            &mut settings.tokens,
            up_to("tokens", MAX_TOKENS as u64),
        )?;
        self.set("place", &mut settings.place, place)?;
        self.set("zone", &mut settings.zone, |text| {
            Ok(Some(Zone::new(text)?))
        })?;
        self.set("weight", &mut settings.weight, number)?;
        self.set("secret-file", &mut settings.secret, |path| {
            line_of(path).map(Secret::new)
        })?;
        self.set("password-file", &mut settings.password, some(line_of))?;
        self.set("cache", &mut settings.cache_bytes, size)?;
        self.set("max-memory", &mut settings.max_bytes, limit)?;
        self.set("max-value", &mut settings.max_value_bytes, size)?;
        self.set("max-clients", &mut settings.max_clients, number)?;
        self.set("leave-on-exit", &mut settings.leave_on_exit, |text| {
            text.parse()
                .map_err(|_| anyhow!("true or false, got {text:?}"))
        })?;
        self.set("farewell", &mut settings.farewell, time)?;
        settings.tls = self.tls(&settings.cluster)?;
        self.make_sense(&settings)?;
        settings.check()?;
        Ok(settings)
    }

    /// What is about a disk is not said of data in memory: somebody would rely on it.
    fn make_sense(&self, settings: &Settings) -> anyhow::Result<()> {
        for name in ["fsync", "cache"] {
            if let Some(Given { text, from }) = self.get(name)
                && settings.data_dir.is_none()
            {
                bail!(
                    "{from} {text}: it is about data on disk, and these are in memory: say where (--data-dir DIR)"
                );
            }
        }
        Ok(())
    }

    /// Reads one setting, if it was given.
    fn set<T>(
        &self,
        name: &str,
        into: &mut T,
        read: impl FnOnce(&str) -> anyhow::Result<T>,
    ) -> anyhow::Result<()> {
        if let Some(Given { text, from }) = self.get(name) {
            *into = read(text).with_context(|| format!("{from} {text}"))?;
        }
        Ok(())
    }

    /// Which files an error is about.
    fn whose(&self, error: &TlsError) -> String {
        let names = match error {
            TlsError::Pem("key", _) | TlsError::Empty("key") => &["tls-key"][..],
            TlsError::Pem("certificate", _) | TlsError::Empty("certificate") => &["tls-cert"],
            TlsError::Pem(..) | TlsError::Empty(_) => &["tls-ca"],
            TlsError::Name(_) => &["tls-name"],
            TlsError::OtherKey => &["tls-cert", "tls-key"],
            TlsError::Unusable(_) => &["tls-cert", "tls-key", "tls-ca"],
        };
        let given = names.iter().filter_map(|name| self.get(name));
        let told = given.map(|Given { text, from }| format!("{from} {text}"));
        told.collect::<Vec<String>>().join(", ")
    }

    fn tls(&self, cluster: &str) -> anyhow::Result<Option<Tls>> {
        let given = |name| self.get(name).map(|given| given.text.as_str());
        let name = given("tls-name").unwrap_or(cluster);
        match (given("tls-cert"), given("tls-key"), given("tls-ca")) {
            (None, None, None) => Ok(None),
            (Some(chain), Some(key), Some(authority)) => {
                let tls = Tls::from_pem(&file(chain)?, &file(key)?, &file(authority)?, name);
                tls.map(Some).map_err(|error| {
                    let whose = self.whose(&error);
                    anyhow!("{whose}: {error}")
                })
            }
            _ => bail!("TLS between hosts needs all of --tls-cert, --tls-key and --tls-ca"),
        }
    }
}

/// A whole number from 1 to so many.
fn up_to<T: TryFrom<u64>>(name: &'static str, most: u64) -> impl FnOnce(&str) -> anyhow::Result<T> {
    move |text| {
        let got = number(text)?;
        let wrong = || SettingsError::Range {
            name,
            range: format!("1 to {most}"),
            got,
        };
        T::try_from(got).map_err(|_| wrong().into())
    }
}

/// A whole number, not negative.
fn number<T: TryFrom<u64>>(text: &str) -> anyhow::Result<T> {
    let wrong = || anyhow!("a whole number is wanted, got {text:?}");
    let number: u64 = text.parse().map_err(|_| wrong())?;
    T::try_from(number).map_err(|_| anyhow!("{text} is more than there can be"))
}

fn plain<T: FromStr>(text: &str) -> anyhow::Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| anyhow!("{error}"))
}

fn some<T>(
    read: impl FnOnce(&str) -> anyhow::Result<T>,
) -> impl FnOnce(&str) -> anyhow::Result<Option<T>> {
    move |text| read(text).map(Some)
}

/// A number or a name, and a port; port 0 is whichever is free.
fn listen(text: &str) -> anyhow::Result<SocketAddr> {
    let found = text
        .to_socket_addrs()
        .with_context(|| format!("a host and a port, such as 127.0.0.1:50140, got {text:?}"))?
        .next();
    found.with_context(|| format!("{text:?} is no address of this machine"))
}

fn place(text: &str) -> anyhow::Result<Place> {
    match text {
        "even" => Ok(Place::Even),
        "random" => Ok(Place::Random),
        ids => {
            let ids: anyhow::Result<Vec<Id>> = ids.split(',').map(plain).collect();
            Ok(Place::At(ids.context("even, random, or ids")?))
        }
    }
}

/// A limit in bytes; 0 is none, as in Redis.
fn limit(text: &str) -> anyhow::Result<Option<u64>> {
    Ok(Some(size(text)?).filter(|bytes| *bytes > 0))
}

/// Bytes: a number, with K, M, G or T (of 1024 each) behind it, `iB` or not.
fn size(text: &str) -> anyhow::Result<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim().to_lowercase();
    let power = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => bail!("a size such as 512MiB, got {text:?}"),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| anyhow!("a size such as 512MiB, got {text:?}"))?;
    number
        .checked_mul(1024u64.pow(power))
        .with_context(|| format!("{text} is more than there can be"))
}

/// A time: a number with `ms`, `s` or `m`.
fn whom(text: &str) -> anyhow::Result<Vec<Address>> {
    let parts = text.split(',').map(str::trim);
    let named: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    if named.is_empty() {
        bail!("it names nobody: say whom to join, or leave it away to found a ring");
    }
    named.into_iter().map(plain).collect()
}

fn consistency(text: &str) -> anyhow::Result<Consistency> {
    match text {
        "one" => Ok(Consistency::One),
        "quorum" => Ok(Consistency::Quorum),
        "all" => Ok(Consistency::All),
        _ => bail!("one, quorum or all, got {text:?}"),
    }
}

fn time(text: &str) -> anyhow::Result<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let wrong = || anyhow!("a time such as 30s, got {text:?}");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit.trim() {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(wrong()),
    }
}

fn file(path: &str) -> anyhow::Result<Vec<u8>> {
    let about = fs::metadata(path).with_context(|| format!("cannot read {path}"))?;
    if about.len() > MAX_FILE_BYTES {
        bail!("{path} has {} bytes: at most {MAX_FILE_BYTES}", about.len());
    }
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

/// What a file says, without the end of its line.
fn line_of(path: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = file(path)?;
    while bytes.last().is_some_and(u8::is_ascii_whitespace) {
        bytes.pop();
    }
    if bytes.is_empty() {
        bail!("{path} is empty");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_times_and_places_are_read() {
        assert_eq!(size("512MiB").unwrap(), 512 << 20);
        assert_eq!((size("7").unwrap(), size("2k").unwrap()), (7, 2048));
        assert_eq!(
            (limit("0").unwrap(), limit("1K").unwrap()),
            (None, Some(1024))
        );
        assert!(size("many").unwrap_err().to_string().contains("512MiB"));
        assert!(
            size("99999999999T")
                .unwrap_err()
                .to_string()
                .contains("more than")
        );
        assert_eq!(time("1500ms").unwrap(), Duration::from_millis(1500));
        assert!(time("soon").is_err());
        assert_eq!(place("even").unwrap(), Place::Even);
        let id = "9d989e8d27dc9e0ec3389fc855f142c3d40f0c50";
        assert_eq!(place(id).unwrap(), Place::At(vec![id.parse().unwrap()]));
        assert!(place("north").is_err());
    }
    /// What is said of settings, each as if behind a flag.
    fn told(given: &[(&'static str, &str)]) -> String {
        let mut options = Options::default();
        for (name, text) in given {
            let text = (*text).to_owned();
            let from = format!("--{name}");
            options.0.insert(name, Given { text, from });
        }
        let settings = options.settings();
        settings.map_or_else(|error| format!("{error:#}"), |_| "good".into())
    }

    #[test]
    fn a_certificate_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["birds".to_owned()]).unwrap();
        let cert = write("cert", params.self_signed(&key).unwrap().pem());
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let (key, other) = (write("key", key.serialize_pem()), write("other", other));
        let empty = write("empty", String::new());
        let told = |cert: &str, key: &str, ca: &str| {
            told(&[("tls-cert", cert), ("tls-key", key), ("tls-ca", ca)])
        };
        assert_eq!(told(&cert, &key, &cert), "good");
        let no_cert = format!("--tls-cert {empty}: there is no certificate in the certificate");
        assert_eq!(told(&empty, &key, &cert), no_cert);
        assert!(told(&cert, &key, &empty).starts_with(&format!("--tls-ca {empty}: ")));
        assert!(told(&cert, &empty, &cert).starts_with(&format!("--tls-key {empty}: ")));
        let both = format!(
            "--tls-cert {cert}, --tls-key {other}: the key does not belong to the certificate"
        );
        assert_eq!(told(&cert, &other, &cert), both);
    }

    #[test]
    fn what_cannot_be_says_what_is_wanted() {
        for (name, text, why) in [
            (
                "tokens",
                "many",
                "--tokens many: a whole number is wanted, got \"many\"",
            ),
            (
                "tokens",
                "100000",
                "--tokens 100000: tokens must be 1 to 4096, got 100000",
            ),
            ("replicas", "300", "replicas must be 1 to 16, got 300"),
            ("advertise", "0.0.0.0:1", "nobody can reach 0.0.0.0:1"),
            ("tokens", "0", "tokens must be 1 to"),
            ("max-clients", "0", "max-clients must be at least 1, got 0"),
            (
                "max-value",
                "0",
                "max-value must be 1 to 536870912 bytes, got 0",
            ),
            ("max-value", "1G", "max-value must be 1 to 536870912 bytes"),
            (
                "leave-on-exit",
                "maybe",
                "--leave-on-exit maybe: true or false, got \"maybe\"",
            ),
            ("fsync", "always", "say where (--data-dir DIR)"),
            ("cache", "1M", "say where (--data-dir DIR)"),
            ("tls-cert", "x", "--tls-ca"),
            ("join", "", "--join : it names nobody"),
            ("join", " , ", "it names nobody"),
            ("data-dir", "", "data-dir is empty"),
            ("join", "localhost", "an address is a host and a port"),
        ] {
            let told = told(&[(name, text)]);
            assert!(told.contains(why), "{name} {text}: {told}");
        }
        let both = told(&[("max-memory", "1M"), ("data-dir", "d")]);
        assert!(both.contains("the data are in d: leave it away"), "{both}");
        assert_eq!(told(&[("max-memory", "1M")]), "good");
        assert_eq!(told(&[("max-memory", "0"), ("data-dir", "d")]), "good");
        assert_eq!(told(&[("fsync", "always"), ("data-dir", "d")]), "good");
    }
}
