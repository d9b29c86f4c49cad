//! Where a setting comes from.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::ServeArgs;

/// What the environment's names of settings begin with.
const PREFIX: &str = "ROUNDELAY_";

/// The same as `--config`.
const CONFIG: &str = "ROUNDELAY_CONFIG";

/// Names that this project's own tests use.
const TESTS: &str = "ROUNDELAY_TEST_";

/// All settings, as flags, in files, and (in capitals, with `_` and `ROUNDELAY_` before) in the environment.
pub(super) const NAMES: [&str; 25] = [
    "listen",
    "advertise",
    "join",
    "cluster",
    "data-dir",
    "fsync",
    "replicas",
    "consistency",
    "remove-after",
    "tokens",
    "place",
    "zone",
    "weight",
    "secret-file",
    "password-file",
    "tls-cert",
    "tls-key",
    "tls-ca",
    "tls-name",
    "cache",
    "max-memory",
    "max-value",
    "max-clients",
    "leave-on-exit",
    "farewell",
];

/// What a setting is if it is not given.
fn default_of(name: &str) -> &'static str {
    match name {
        "listen" => "127.0.0.1:50140",
        "cluster" => "roundelay",
        "fsync" => "everysec",
        "replicas" => "3 where it founds a ring, otherwise the ring's",
        "consistency" => "quorum",
        "remove-after" => "5m",
        "tokens" => "16",
        "place" => "even",
        "weight" => "1",
        "cache" => "64MiB",
        "max-value" => "512MiB",
        "max-clients" => "10000",
        "leave-on-exit" => "false",
        "farewell" => "30s",
        "advertise" => "where it listens",
        _ => "none",
    }
}

/// A setting that was given, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) from: String,
}

/// The settings that were given, each by whoever has the last word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options(pub(super) BTreeMap<&'static str, Given>);

impl Options {
    /// Flags, then the environment, then the file.
    pub(super) fn gather(
        args: &ServeArgs,
        environment: &BTreeMap<String, String>,
    ) -> anyhow::Result<Options> {
        let mut options = Options::default();
        environment
            .iter()
            .try_for_each(|(name, text)| is_known(name, text))?;
        let named = environment.get(CONFIG).map(PathBuf::from);
        if let Some(path) = args.config.as_ref().or(named.as_ref()) {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the settings in {}", path.display()))?;
            options
                .take_file(&text, &path.display().to_string())
                .with_context(|| format!("cannot use the settings in {}", path.display()))?;
        }
        for name in NAMES {
            let variable = variable(name);
            if let Some(text) = environment.get(&variable) {
                options.put(name, text.clone(), variable);
            }
            if let Some(text) = args.flag(name) {
                options.put(name, text, format!("--{name}"));
            }
        }
        Ok(options)
    }

    fn put(&mut self, name: &'static str, text: String, from: String) {
        self.0.insert(name, Given { text, from });
    }

    fn take_file(&mut self, text: &str, path: &str) -> anyhow::Result<()> {
        let table: toml::Table = text.parse()?;
        for (key, value) in table {
            let Some(name) = NAMES.into_iter().find(|name| *name == key) else {
                bail!(
                    "there is no setting {key:?}; there are: {}",
                    NAMES.join(", ")
                );
            };
            let text = text_of(&value).with_context(|| format!("the setting {key:?}"))?;
            self.put(name, text, format!("{path}: {name}"));
        }
        Ok(())
    }

    /// What was given for a setting.
    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.0.get(name)
    }

    /// As a file that can be read again; what is not in it has its default.
    pub(super) fn print(&self) -> String {
        let mut text = String::new();
        for name in NAMES {
            match self.get(name) {
                Some(Given { text: value, from }) => {
                    let value = toml::Value::String(value.clone());
                    let _ = writeln!(text, "{name} = {value}  # {from}");
                }
                None => {
                    let _ = writeln!(text, "# {name}: {}, its default", default_of(name));
                }
            }
        }
        text
    }
}

/// A value in a file as it would be written behind a flag.
fn text_of(value: &toml::Value) -> anyhow::Result<String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(yes) => yes.to_string(),
        toml::Value::Array(values) => {
            let texts: anyhow::Result<Vec<String>> = values.iter().map(text_of).collect();
            texts?.join(",")
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            bail!("a text, a number, true, false, or a list of them, got {value}")
        }
    };
    Ok(text)
}

/// What of the environment is meant for this program.
pub(super) fn environment() -> anyhow::Result<BTreeMap<String, String>> {
    let all = std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text)))
        .filter(|(name, _)| name.starts_with(PREFIX));
    all.map(|(name, text)| match text.into_string() {
        Ok(text) => Ok((name, text)),
        Err(text) => bail!("{name} must be UTF-8, got {text:?}"),
    })
    .collect()
}

/// A slip of the pen is as bad here as in a file.
fn is_known(name: &str, text: &str) -> anyhow::Result<()> {
    // Kubernetes sets such ones beside a service of our name, for each of its ports.
    let of_a_service = name.ends_with("_SERVICE_HOST")
        || ["_SERVICE_PORT", "_PORT_"]
            .iter()
            .any(|part| name.contains(part))
        || name.ends_with("_PORT") && text.contains("://");
    let known: Vec<String> = NAMES.into_iter().map(variable).collect();
    if of_a_service
        || name == CONFIG
        || name.starts_with(TESTS)
        || known.iter().any(|known| known == name)
    {
        return Ok(());
    }
    bail!(
        "there is no setting {name}; there are: {CONFIG}, {}",
        known.join(", ")
    )
}

/// The environment's name of a setting.
fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace('-', "_"))
}

impl ServeArgs {
    /// The text behind a flag.
    fn flag(&self, name: &str) -> Option<String> {
        match name {
            "listen" => self.listen.clone(),
            "advertise" => self.advertise.clone(),
            "join" => (!self.join.is_empty()).then(|| self.join.join(",")),
            "cluster" => self.cluster.clone(),
            "data-dir" => self.data_dir.clone(),
            "fsync" => self.fsync.clone(),
            "replicas" => self.replicas.clone(),
            "consistency" => self.consistency.clone(),
            "remove-after" => self.remove_after.clone(),
            "tokens" => self.tokens.clone(),
            "place" => self.place.clone(),
            "zone" => self.zone.clone(),
            "weight" => self.weight.clone(),
            "secret-file" => self.secret_file.clone(),
            "password-file" => self.password_file.clone(),
            "tls-cert" => self.tls_cert.clone(),
            "tls-key" => self.tls_key.clone(),
            "tls-ca" => self.tls_ca.clone(),
            "tls-name" => self.tls_name.clone(),
            "cache" => self.cache.clone(),
            "max-memory" => self.max_memory.clone(),
            "max-value" => self.max_value.clone(),
            "max-clients" => self.max_clients.clone(),
            "leave-on-exit" => self.leave_on_exit.then(|| "true".into()),
            "farewell" => self.farewell.clone(),
            other => unreachable!("{other} is no setting"),
        }
    }
}

#[cfg(test)]
mod tests {
    use roundelay::server::Settings;

    use super::*;

    #[test]
    fn a_flag_beats_the_environment_and_that_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(
            &file,
            "fsync = \"never\"\ntokens = 8\nzone = \"north\"\njoin = [\"a:1\", \"b:2\"]\n",
        )
        .unwrap();
        let args = ServeArgs {
            fsync: Some("always".into()),
            config: Some(file),
            ..ServeArgs::default()
        };
        let environment = BTreeMap::from([
            ("ROUNDELAY_FSYNC".into(), "everysec".into()),
            ("ROUNDELAY_TOKENS".into(), "4".into()),
        ]);
        let options = Options::gather(&args, &environment).unwrap();
        let told = |name: &str| options.get(name).map(|given| given.text.as_str());
        assert_eq!(told("fsync"), Some("always"));
        assert_eq!(told("tokens"), Some("4"));
        assert_eq!(told("zone"), Some("north"));
        assert_eq!(told("join"), Some("a:1,b:2"));
        assert_eq!(told("weight"), None);
        let mut again = Options::default();
        again.take_file(&options.print(), "printed").unwrap();
        let texts = |options: &Options| {
            let given = options.0.iter();
            let pairs = given.map(|(name, given)| (*name, given.text.clone()));
            pairs.collect::<Vec<_>>()
        };
        assert_eq!(
            texts(&again),
            texts(&options),
            "what is printed can be read"
        );
    }

    #[test]
    fn an_unknown_variable_is_named_and_services_of_kubernetes_are_none() {
        for (name, text, known) in [
            ("ROUNDELAY_FSYNK", "always", false),
            ("ROUNDELAY_PORT", "7000", false),
            ("ROUNDELAY_MAX_CLIENTS", "7", true),
            ("ROUNDELAY_TEST_INSIDE", "1", true),
            ("ROUNDELAY_PORT", "tcp://10.0.0.1:7000", true),
            ("ROUNDELAY_PORT_7000_TCP_ADDR", "10.0.0.1", true),
            ("ROUNDELAY_PEERS_SERVICE_HOST", "10.0.0.1", true),
        ] {
            let environment = BTreeMap::from([(name.to_owned(), text.to_owned())]);
            let told = Options::gather(&ServeArgs::default(), &environment);
            let told = told.map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(told.is_empty(), known, "{name}: {told}");
            assert!(known || told.contains(name) && told.contains("ROUNDELAY_FSYNC"));
        }
    }

    #[test]
    fn the_defaults_that_are_told_are_the_defaults() {
        let told = [
            "listen",
            "cluster",
            "fsync",
            "consistency",
            "remove-after",
            "tokens",
            "place",
            "weight",
            "max-value",
            "max-clients",
            "leave-on-exit",
            "farewell",
        ];
        let mut options = Options::default();
        for name in told {
            options.put(name, default_of(name).to_owned(), "a test".to_owned());
        }
        // Only where data lie on a disk.
        options.put("data-dir", "somewhere".to_owned(), "a test".to_owned());
        options.put("cache", default_of("cache").to_owned(), "a test".to_owned());
        let settings = options.settings().unwrap();
        let usual = Settings {
            data_dir: Some("somewhere".into()),
            ..Settings::default()
        };
        assert_eq!(format!("{settings:?}"), format!("{usual:?}"));
        assert!(
            Options::default()
                .print()
                .contains("# fsync: everysec, its default\n")
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Options::default()
            .take_file("fsynk = \"always\"", "x")
            .unwrap_err();
        assert!(error.to_string().contains("\"fsynk\""), "{error}");
        let error = Options::default()
            .take_file("tokens = 1.5", "x")
            .unwrap_err();
        assert!(format!("{error:#}").contains("\"tokens\""), "{error:#}");
    }
}
